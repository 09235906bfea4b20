"""Prompts through a program that started this one, such as a plugin of OpenClaw with prompts of its own.

Each line of standard output is a JSON object: ``{"show": text}``, ``{"confirm": prompt, "default": bool}``,
``{"read": prompt, "default": text, "hidden": bool}``, and at the end ``{"result": ...}``. Each confirm and read gets
one line on standard input, ``{"text": ...}``, "yes" or "no" for a confirm; its end aborts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawgate.cli.auth.wizard.prompter import Aborted, TerminalPrompter
from clawgate.cli.auth.wizard.targets import ProviderTarget
from clawgate.plugins.api.provider import ConfigChange
from clawgate.settings.json5.edit import value_in
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.update import WriteResult


class HostPrompter(TerminalPrompter):
    """The prompts of `TerminalPrompter`, shown by the other program. ``text`` is the file as it would be written."""

    def __init__(self) -> None:
        self.text: str | None = None

    def show(self, text: str = "") -> None:
        _send({"show": text})

    def confirm(self, prompt: str, default: bool | None) -> bool:
        _send({"confirm": prompt, "default": default is not False})
        return _receive() == "yes"

    def keep(self, path: Path, before: str, after: str, *, may_shrink: bool = False) -> WriteResult:
        """Keep what would be written: the other program writes its file itself."""
        self.text = after
        return WriteResult(path=path, changed=True)

    def finish(self, before: str, target: ProviderTarget, provider: str, change: ConfigChange) -> None:
        """Send the parts of the file that hold the change, for the other program to merge into it."""
        text = before if self.text is None else self.text
        models = {str(model): value_in(text, (*_MODELS, model)) for model in change.aliases.values()}
        block = value_in(text, ("models", "providers", provider))
        parts: dict[str, Any] = {
            "models": {"providers": {provider: block}},
            **({"agents": {"defaults": {"models": models}}} if models else {}),
        }
        if target.plugin is not None:
            parts["plugins"] = {
                "entries": {target.plugin: value_in(text, ("plugins", "entries", target.plugin))}
            }
        result = {
            "configPatch": parts,
            "defaultModel": change.default_model,
            "fallbacks": list(change.fallbacks),
            "notes": list(change.notes),
        }
        _send({"result": result})

    def _read(self, prompt: str, default: str, *, hidden: bool = False) -> str:  # type: ignore[override]
        _send({"read": prompt.removesuffix(f" [{default}]"), "default": default, "hidden": hidden})
        text = _receive()
        return text if hidden else text.strip() or default  # blanks may be a part of a password


_MODELS: KeyPath = ("agents", "defaults", "models")


def _receive() -> str:
    line = sys.stdin.readline()
    if not line:
        raise Aborted
    return str(json.loads(line)["text"])


def _send(message: Mapping[str, object]) -> None:
    print(json.dumps(message), flush=True)  # the protocol, not text for a person
