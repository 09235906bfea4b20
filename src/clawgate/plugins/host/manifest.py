"""Reads and validates a plugin's manifest, ``clawgate-plugin.toml``.

Must not run code of the plugin. The manifest is shown to the operator, who decides whether the code may run. So it is
short, printable and complete: a plugin that registers something else is not loaded (`plugins.host.loader`).
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

from clawgate.plugins.api import API_VERSION
from clawgate.settings.problems import format_message

FILE_NAME = "clawgate-plugin.toml"
_MAX_BYTES = 65_536
_ID = re.compile(r"[a-z0-9](?:-?[a-z0-9]){0,62}\Z")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z", re.ASCII)
_BUILT_IN = frozenset({"openai", "anthropic", "custom"})
"""Provider ids that are built into clawgate, and the wizard's name for a new one."""
OWN_COMMANDS = frozenset(
    {
        "gateway",
        "models",
        "providers",
        "plugins",
        "agent",
        "agents",
        "chat",
        "sessions",
        "usage",
        "config",
        "route",
        "logs",
        "doctor",
        "egress",
        "mcp",
        "bridge",
        "server",
        "state",
        "supervise",
        "completion",
        "help",
    }
)
"""Names of clawgate's own commands, which would hide a plugin's."""
RENAMED_HOOKS = {
    "shape": "transform_request",
    "judge": "map_error",  # a public name
    "config_notes": "check_config",
}
"""Optional methods of API 1. A plugin that kept one would be loaded without it, in silence."""

_TOOL = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
"""OpenAI's rule for the name of a function."""
Kind = Literal["service", "provider", "command", "tool"]


class ManifestInvalid(Exception):
    """The manifest is invalid. The text holds every reason, in one line."""


def _id(value: str) -> str:
    if not _ID.match(value):
        raise ValueError("must be 1 to 63 lower-case letters, digits and single dashes")
    return value


def _provider(value: str) -> str:
    if value in _BUILT_IN:
        raise ValueError(f"'{value}' is a built-in provider of clawgate; use another id")
    return _id(value)


def _command(value: str) -> str:
    if value in OWN_COMMANDS:
        raise ValueError(f"'{value}' is a command of clawgate; use another name")
    return _id(value)


def _tool(value: str) -> str:
    if not _TOOL.match(value):
        raise ValueError("must be 1 to 64 ASCII letters, digits, dashes and underscores")
    return value


def _line(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("must be one line of printable text")
    return value.strip()


def _module(value: str) -> str:
    if not _MODULE.match(value):
        raise ValueError("must look like package.module:plugin")
    top = value.partition(":")[0].partition(".")[0]
    if top in sys.stdlib_module_names or top in {"pydantic", "site", "sitecustomize", "usercustomize"}:
        raise ValueError(f"'{top}' is the name of another Python module; use another name")
    return value


Id = Annotated[str, AfterValidator(_id)]
ProviderId = Annotated[str, AfterValidator(_provider)]
CommandName = Annotated[str, AfterValidator(_command)]
ToolName = Annotated[str, AfterValidator(_tool)]
Line = Annotated[str, Field(max_length=300), AfterValidator(_line)]


class Manifest(BaseModel):
    """A validated manifest.

    The plugin may register only what ``registers``, ``providers``, ``commands`` and ``tools`` list. ``config`` maps its
    settings to descriptions, for people. ``module`` names the plugin object: ``package.module:plugin``.

    ``local_providers`` are served by the plugin's own service on loopback; for a bundled plugin they need no
    ``request.allowPrivateNetwork``. ``supervised_providers`` get no request while the plugin is disabled: nothing would
    check which program listens at their address.

    A bundled plugin with an ``enabling_variable`` is on where its entry has a config or that variable is set: it starts
    nothing, so that its settings are enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    name: Line
    version: Annotated[str, Field(max_length=64), AfterValidator(_line)]
    description: Line
    requires_api: StrictInt
    module: Annotated[str, Field(max_length=200), AfterValidator(_module)]
    registers: tuple[Kind, ...]
    providers: tuple[ProviderId, ...] = ()
    commands: tuple[CommandName, ...] = ()
    tools: tuple[ToolName, ...] = ()
    local_providers: tuple[ProviderId, ...] = ()
    supervised_providers: tuple[ProviderId, ...] = ()
    enabling_variable: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    config: dict[Line, Line] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _kinds_and_names(self) -> Manifest:
        for kind, names in self.names_by_kind():
            if kind in self.registers and not names:
                raise ValueError(
                    f"'registers' lists '{kind}' but '{kind}s' is empty; list each one in {kind}s = [...]"
                )
            if names and kind not in self.registers:
                raise ValueError(f"'{kind}s' is set but 'registers' does not list '{kind}'; add it")
        if len({name.lower() for name in self.tools}) < len(self.tools):
            raise ValueError("'tools' lists a name twice; names that differ in case alone count as one")
        for field in ("local_providers", "supervised_providers"):
            if unknown := set(getattr(self, field)) - set(self.providers):
                raise ValueError(f"'{field}' lists {', '.join(sorted(unknown))}, which 'providers' does not")
        if not self.registers:
            raise ValueError(
                "'registers' is empty; list what the plugin registers: service, provider, command, tool"
            )
        return self

    def names_by_kind(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the names of what it registers that has names. No other plugin may register one of them."""
        return ("provider", self.providers), ("command", self.commands), ("tool", self.tools)

    @property
    def package(self) -> str:
        """The top-level package of ``module``."""
        return self.module.partition(":")[0].partition(".")[0]

    def api_problem(self) -> str | None:
        """Return why this clawgate cannot load the plugin by its ``requires_api``, or None."""
        if self.requires_api == API_VERSION:
            return None
        if self.requires_api == 1:
            renamed = ", ".join(f"{old} is {new}" for old, new in RENAMED_HOOKS.items())
            return (
                f"it is written for plugin API 1, and this clawgate has API {API_VERSION}, in which methods have other "
                f"names ({renamed}, ...); install a version for API {API_VERSION}, or change it: "
                "docs/writing-a-plugin.md, 'From API 1 to 2'"
            )
        other = "a newer clawgate" if self.requires_api > API_VERSION else "an older clawgate"
        return (
            f"it is written for plugin API {self.requires_api}, and this clawgate has API {API_VERSION}; "
            f"use {other}, or another version of the plugin"
        )


def read_manifest(path: Path) -> Manifest:
    """Return the manifest at ``path``. Raises `ManifestInvalid` with every problem."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ManifestInvalid(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise ManifestInvalid(f"{path.name} is larger than {_MAX_BYTES} bytes")
    try:
        return parse_manifest(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise ManifestInvalid(f"{path.name} is not UTF-8 text") from None


def parse_manifest(text: str) -> Manifest:
    """Return the manifest of ``text``. Raises `ManifestInvalid` with every problem."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for an integer of over 4300 digits
        raise ManifestInvalid(f"{FILE_NAME} is not valid TOML: {_printable(str(error))}") from None
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        problems = []
        for detail in error.errors(include_url=False):
            field = ".".join(map(str, detail["loc"])) or "manifest"
            problems.append(f"{field} {_printable(format_message(detail))}")
        raise ManifestInvalid(f"{FILE_NAME}: {'; '.join(map(_printable, problems[:8]))}") from None


def _printable(text: str) -> str:
    return text[:300] if text.isprintable() else ascii(text)[1:-1][:300]


def read_tree(folder: Path) -> tuple[Manifest, Path]:
    """Return the manifest of a source tree and its `import_root`. Raises `ManifestInvalid`."""
    path = find_manifest(folder)
    manifest = read_manifest(path)
    return manifest, import_root(folder, path, manifest)


def find_manifest(folder: Path) -> Path:
    """Return the path of the manifest in a source tree: at the top, or in its only package, in ``src`` or not.

    Raises `ManifestInvalid` if there is none, or more than one.
    """
    top = folder / FILE_NAME
    if top.is_file():
        return top
    candidates = sorted([*folder.glob(f"src/*/{FILE_NAME}"), *folder.glob(f"*/{FILE_NAME}")])
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise ManifestInvalid(f"it has more than one {FILE_NAME}")
    raise ManifestInvalid(f"it has no {FILE_NAME}, neither at the top nor in its package")


def import_root(folder: Path, manifest_file: Path, manifest: Manifest) -> Path:
    """Return the part of ``folder`` to put on the import path. Raises `ManifestInvalid` if the package is missing."""
    beside = manifest_file.parent
    for root in (beside, beside / "src", beside.parent):
        if root != folder and folder not in root.parents:
            continue
        if (root / manifest.package / "__init__.py").is_file() or (root / f"{manifest.package}.py").is_file():
            return root
    raise ManifestInvalid(
        f"`module` names the package '{manifest.package}', but it has neither {manifest.package}/__init__.py "
        f"nor {manifest.package}.py"
    )
