"""Both commands have the same options, and the shell completes agents and models."""

from __future__ import annotations

from clawgate.cli.chat.agent import agent
from clawgate.cli.chat.chat import chat


def test_both_commands_have_the_same_options() -> None:
    of_agent, of_chat = ({one.name for one in command.params} for command in (agent, chat))
    assert of_agent - of_chat == {"message", "stream", "as_json"} and of_chat <= of_agent


def test_the_session_is_the_agent_s_own_where_none_is_named() -> None:
    (session,) = (one for one in agent.params if one.name == "session")
    assert session.default == "main"
