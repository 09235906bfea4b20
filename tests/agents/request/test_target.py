"""The agent, the session and the model of a request are those that it names, or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.agents.request.target import (
    AgentNames,
    SessionKey,
    Target,
    model_name,
    read_target,
)
from clawgate.errors import InvalidRequest
from clawgate.policy.model_routing import ModelRef

AGENTS = AgentNames({"main", "ops"}, "main")


def target(model: str = "openclaw", user: str = "", **headers: str) -> Target:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_target(model, given, user, AGENTS, fresh="u1")


@pytest.mark.parametrize(
    ("model", "agent"),
    [
        ("openclaw", "main"), ("openclaw/default", "main"), ("openclaw/main", "main"), ("openclaw:main", "main"),
        ("agent:main", "main"), ("OpenClaw", "main"), ("openclaw/MAIN", "main"), ("", "main"), (" ", "main"),
        ("openclaw/ops", "ops"), ("AGENT:Ops", "ops"), ("openclaw:default", "main"),
    ],
)  # fmt: skip
def test_an_agent_is_found_by_each_form_of_its_name(model: str, agent: str) -> None:
    assert target(model).agent == agent


@pytest.mark.parametrize(
    "model", ["openclaw/", "openclaw:", "agent:", "openclaw/ ", "main", "default", "gpt-4o", "mock/mock-chat"]
)
def test_what_is_no_name_of_an_agent_is_refused_with_what_exists(model: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        target(model)
    usage = "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`."
    assert refused.value.message == f"{usage} The agents are: main, ops."
    assert refused.value.param == "model"


@pytest.mark.parametrize("model", ["openclaw/nope", "openclaw:nope", "agent:nope", "openclaw/nope/x"])
def test_an_unknown_agent_is_refused_with_those_that_exist(model: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\AUnknown agent 'nope(/x)?'\. The agents are: main, ops\.\Z"):
        target(model)


def test_a_message_is_short_printable_and_without_a_credential() -> None:
    with pytest.raises(InvalidRequest) as refused:
        target("openclaw/sk-ant-0123456789abcdef\n" + "x" * 9000)
    assert len(refused.value.message) < 200 and refused.value.message.isprintable()
    assert "sk-ant-0123" not in refused.value.message


def test_an_agent_may_have_the_name_default() -> None:
    assert AgentNames({"default", "main"}, "main").find("default") == "default"


def test_a_header_beats_the_body() -> None:
    assert target(x_openclaw_agent_id="OPS").agent == "ops"
    assert target("openclaw/ops", x_openclaw_agent_id="").agent == "ops"
    with pytest.raises(InvalidRequest, match="Unknown agent 'nope'") as refused:
        target(x_openclaw_agent_id="nope")
    assert refused.value.param == "x-openclaw-agent-id"


@pytest.mark.parametrize(
    "headers",
    [{"x_openclaw_model": "x" * 513}, {"x_openwebui_chat_id": "a\x00b"}, {"x_openclaw_agent_id": "a\u202eb"},
     {"x_openclaw_session_key": "{{CONVERSATION}}"}, {"user": "{{USER}}"}],
)  # fmt: skip
def test_a_header_that_is_no_name_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        target(**headers)
    assert refused.value.param == next(iter(headers)).replace("_", "-")


def test_a_request_without_a_name_has_a_session_of_its_own() -> None:
    expected = SessionKey("agent:main:openai:u1", is_kept=False)
    assert (
        target().session == target(user=" ").session == target(x_openclaw_session_key="").session == expected
    )


def test_a_session_is_named_by_header_conversation_or_user() -> None:
    assert target(user="conv-1").session == SessionKey("agent:main:openai-user:conv-1")
    assert target(x_openclaw_session_key="my-app-1").session == SessionKey("agent:main:my-app-1")
    assert target(x_openclaw_session_key="main").session == SessionKey("agent:main:main")
    assert target(x_openclaw_session_key="agent:MAIN:x:y").session == SessionKey("agent:main:x:y")
    assert target("agent:ops", x_openclaw_session_key="agent:ops:z").session == SessionKey("agent:ops:z")
    assert target(x_openwebui_chat_id="c1").session == SessionKey("agent:main:openwebui:c1")
    assert target(x_openwebui_chat_id="c1", x_openwebui_user_id="u").session.sends_all
    temporary = target(x_openwebui_chat_id="local:s1").session
    assert temporary == SessionKey("agent:main:openwebui:local:s1", is_kept=False)
    both = target(user="c", x_openwebui_chat_id="b", x_openclaw_session_key="a")
    assert both.session == SessionKey("agent:main:a")


@pytest.mark.parametrize(
    "key",
    ["subagent:x", "cron:1", "acp:z", "agent:main:subagent:q", "CRON:x", " acp:x", "agent:main: cron:x", "acp",
     "agent:main:agent:main:subagent:q"],
)  # fmt: skip
def test_the_namespaces_of_openclaw_itself_are_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="reserved internal session namespaces") as refused:
        target(x_openclaw_session_key=key)
    assert refused.value.param == "x-openclaw-session-key"


@pytest.mark.parametrize(
    "key", ["agent:ops:x", "agent:main", "agent:main:", "agent:", "agent:main:agent:ops:x"]
)
def test_a_key_outside_of_the_agent_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="x-openclaw-session-key"):
        target(x_openclaw_session_key=key)


@pytest.mark.parametrize("user", ["x" * 513, "a\nb"])
def test_a_user_that_is_no_key_is_refused(user: str) -> None:
    with pytest.raises(InvalidRequest, match="`user`") as refused:
        target(user=user)
    assert refused.value.param == "user"


def test_a_model_may_be_overridden_by_its_bare_id() -> None:
    default = ModelRef("mock", "mock-chat")
    assert target().model is None and target(x_openclaw_model="mock-slow").model == "mock-slow"

    def named(override: str, *listed: str, of: ModelRef | None = default) -> str:
        return model_name(override, of, {"fast"}, {"mock": listed})

    assert named("mock-slow", "mock-slow") == named("mock-slow") == "mock/mock-slow"
    assert named("bogus", "mock-slow") == "bogus" and named("nope/nope") == "nope/nope"
    assert named("Fast") == "Fast" and named("openclaw") == "openclaw"
    assert named("Default") == "mock/mock-chat" and named("mock-slow", of=None) == "mock-slow"


@given(
    st.text(st.sampled_from(":agenmi x"), max_size=14)
    | st.sampled_from(["x" * 501, "x" * 502, "x" * 512, "agent:main:" + "x" * 501, ":" * 501])
)
def test_a_session_is_found_again_by_the_key_that_lists_show(key: str) -> None:
    try:
        found = target(x_openclaw_session_key=key).session
    except InvalidRequest:
        return
    if found.is_kept:
        assert target(x_openclaw_session_key=found.text).session == found
