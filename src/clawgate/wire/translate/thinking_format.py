"""Requests reasoning of a chat server in the form that it knows: OpenClaw's `thinkingFormat` and the keys beside it.

Source: OpenClaw 2026.9.6, measured on its requests and read in its transport. A request that has the server's own field
already keeps it.
"""

from __future__ import annotations

from typing import Any

from clawgate.wire.translate.compat import Compat

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_OFF = "off"
"""OpenClaw's name for no thinking in `reasoningEffortMap`."""


def set_thinking(fields: dict[str, Any], compat: Compat, *, enabled: bool, effort: str | None) -> bool:
    """Add what the server takes for thinking; False if it takes nothing of an effort that was wanted.

    ``effort`` is OpenAI's, None if the client named none. Where the format only knows on and off, thinking that is not
    ``enabled`` is turned off, since such models think by default.
    """
    level = effort_of_server(compat, effort if enabled else "none")
    wants_effort = effort is not None and effort != "none"
    if compat.thinking_format in (None, "openai"):
        if level is not None and (wants_effort or effort == "none" or level != "none"):
            fields["reasoning_effort"] = level
        return level is not None or not wants_effort
    if not (compat.reasoning or enabled):
        return True
    level = level if enabled and level != "none" else None
    match compat.thinking_format:
        case "zai":
            on = {"type": "enabled", "clear_thinking": False}
            fields.setdefault("thinking", on if enabled else {"type": "disabled"})
        case "qwen":
            fields.setdefault("enable_thinking", enabled)
        case "qwen-chat-template":
            own = fields.get("chat_template_kwargs")
            template = {"enable_thinking": enabled, "preserve_thinking": True}
            fields["chat_template_kwargs"] = template | (own if isinstance(own, dict) else {})
        case "deepseek":
            fields.setdefault("thinking", {"type": "enabled" if enabled else "disabled"})
            _set_effort(fields, level)
        case "together":
            fields.setdefault("reasoning", {"enabled": enabled})
            _set_effort(fields, level)
        case "openrouter":
            _set_openrouter(fields, compat, enabled=enabled, effort=effort, level=level)
    return True


def _set_effort(fields: dict[str, Any], level: str | None) -> None:
    if level is not None:
        fields["reasoning_effort"] = level


def _set_openrouter(
    fields: dict[str, Any], compat: Compat, *, enabled: bool, effort: str | None, level: str | None
) -> None:
    if level is not None:
        fields.setdefault("reasoning", {"effort": level})
    elif enabled:
        fields.setdefault("reasoning", {"enabled": True})
    elif effort == "none":
        fields.setdefault("reasoning", {"enabled": False})


def effort_of_server(compat: Compat, effort: str | None) -> str | None:
    """Return the server's name of an effort; None if it takes none, or none was named."""
    mapped = (compat.reasoning_effort_map or {}).get(_OFF if effort == "none" else effort or "")
    if mapped is not None:
        return mapped
    if effort is None or compat.supports_reasoning_effort is False:
        return None
    allowed = compat.supported_reasoning_efforts
    if allowed is None or effort in allowed:
        return effort
    return _nearest(effort, allowed)


def _nearest(effort: str, allowed: tuple[str, ...]) -> str | None:
    """Return the effort of the server that is nearest, the higher one of two; None if it has none of these names."""
    if effort not in _EFFORTS or effort == "none":
        return None
    place = _EFFORTS.index(effort)
    known = [
        (abs(_EFFORTS.index(name) - place), -_EFFORTS.index(name), name)
        for name in allowed
        if name in _EFFORTS
    ]
    found = min((one for one in known if one[2] != "none"), default=None)
    return found[2] if found is not None else None
