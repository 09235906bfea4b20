"""Each server is asked to think in the form that OpenClaw has for it."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.thinking_format import set_thinking


def fields(
    compat: Compat, *, enabled: bool = True, effort: str | None = None, **given: Any
) -> dict[str, Any]:
    set_thinking(given, compat, enabled=enabled, effort=effort)
    return given


ON, OFF = {"type": "enabled"}, {"type": "disabled"}


@pytest.mark.parametrize(
    ("form", "on", "off"),
    [
        (None, {"reasoning_effort": "high"}, {}),
        ("openai", {"reasoning_effort": "high"}, {}),
        ("openrouter", {"reasoning": {"effort": "high"}}, {}),
        ("deepseek", {"thinking": ON, "reasoning_effort": "high"}, {"thinking": OFF}),
        ("together", {"reasoning": {"enabled": True}, "reasoning_effort": "high"}, {"reasoning": {"enabled": False}}),
        ("qwen", {"enable_thinking": True}, {"enable_thinking": False}),
        ("qwen-chat-template", {"chat_template_kwargs": {"enable_thinking": True, "preserve_thinking": True}},
         {"chat_template_kwargs": {"enable_thinking": False, "preserve_thinking": True}}),
        ("zai", {"thinking": {**ON, "clear_thinking": False}}, {"thinking": OFF}),
    ],
)  # fmt: skip
def test_a_format_has_its_own_fields(form: Any, on: dict[str, Any], off: dict[str, Any]) -> None:
    assert fields(Compat(thinking_format=form), effort="high") == on
    assert fields(Compat(thinking_format=form), enabled=False) == off


def test_a_model_that_cannot_think_is_not_turned_off() -> None:
    assert fields(Compat(reasoning=False, thinking_format="qwen"), enabled=False) == {}


@pytest.mark.parametrize(
    ("effort", "reasoning"),
    [(None, {"enabled": True}), ("low", {"effort": "low"}), ("none", {"enabled": False})],
)
def test_openrouter_takes_on_and_off_as_well(effort: str | None, reasoning: dict[str, Any]) -> None:
    made = fields(Compat(thinking_format="openrouter"), enabled=effort != "none", effort=effort)
    assert made == {"reasoning": reasoning}


def test_a_field_of_the_client_for_its_server_stays() -> None:
    own = fields(Compat(thinking_format="qwen"), enable_thinking=False)
    assert own == {"enable_thinking": False}
    template = fields(
        Compat(thinking_format="qwen-chat-template"), chat_template_kwargs={"enable_thinking": False, "x": 1}
    )
    assert template["chat_template_kwargs"] == {"enable_thinking": False, "preserve_thinking": True, "x": 1}


@pytest.mark.parametrize(
    ("compat", "effort", "sent"),
    [
        (Compat(supports_reasoning_effort=False), "high", None),
        (Compat(supported_reasoning_efforts=()), "high", None),
        (Compat(supported_reasoning_efforts=("low", "high")), "max", "high"),
        (Compat(supported_reasoning_efforts=("low", "high")), "medium", "high"),
        (Compat(supported_reasoning_efforts=("low", "none")), "minimal", "low"),
        (Compat(supported_reasoning_efforts=("low",)), "none", None),
        (Compat(supported_reasoning_efforts=("deep",)), "high", None),
        (Compat(supported_reasoning_efforts=("low",)), "deep", None),
        (Compat(reasoning_effort_map={"high": "deep", "off": "low"}), "high", "deep"),
        (Compat(reasoning_effort_map={"high": "deep", "off": "low"}), "none", "low"),
        (Compat(), "none", "none"),
    ],
)
def test_an_effort_has_the_servers_own_name(compat: Compat, effort: str, sent: str | None) -> None:
    assert fields(compat, enabled=effort != "none", effort=effort).get("reasoning_effort") == sent


def test_an_effort_that_is_not_taken_is_reported() -> None:
    assert not set_thinking({}, Compat(supports_reasoning_effort=False), enabled=True, effort="high")
    assert set_thinking({}, Compat(supports_reasoning_effort=False), enabled=False, effort="none")
    assert set_thinking({}, Compat(), enabled=True, effort="high")
