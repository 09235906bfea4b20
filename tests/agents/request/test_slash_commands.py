"""A command is a whole turn; every other text is for the model."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.request.chat_messages import Conversation
from clawgate.agents.request.slash_commands import (
    Facts,
    ListedModel,
    SlashCommand,
    command_of,
    reply_to,
    without_commands,
)

FACTS = Facts(
    agent="main",
    default="owl/big",
    fallbacks=("owl/small",),
    models=(ListedModel("owl/big", "fast"), ListedModel("owl/small", problem="OWL_API_KEY is not set")),
    session="agent:main:a",
    turns=4,
    version="1.2",
)


def command(content: Any) -> SlashCommand | None:
    return command_of([{"role": "assistant", "content": "x"}, {"role": "user", "content": content}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/model", SlashCommand("model")),
        (" /model list\n", SlashCommand("model list")),
        ("/model status", SlashCommand("model status")),
        ("/model  default", SlashCommand("model default")),
        ("/model owl/big", SlashCommand("model set", "owl/big")),
        ("/model: Fast", SlashCommand("model set", "Fast")),
        ("/MODEL LIST", SlashCommand("model list")),
        ("/new", SlashCommand("new")),
        ("/reset", SlashCommand("new")),
        ("/status", SlashCommand("status")),
        ("/Help ", SlashCommand("help")),
    ],
)
def test_a_command_is_a_whole_turn(text: str, expected: SlashCommand) -> None:
    assert command(text) == command([{"type": "text", "text": text}]) == expected


@pytest.mark.parametrize(
    "text",
    ["", "/", "model", "/etc/hosts", "/models", "/newest", "/news", "/unknown", "/ model", "//new", "/new gpt",
     "/help me", "/status?", "/status of my order", "/model a b", "/model list all", "/reset soft", "/new\n/help",
     "what does /model do?", "/model\nowl/big", "/help/x", "/statusx", "/new:", "`/new`"],
)  # fmt: skip
def test_every_other_text_is_for_the_model(text: str) -> None:
    assert command(text) is None


def test_a_command_is_the_last_turn_and_of_the_user() -> None:
    new = {"role": "user", "content": "/new"}
    assert command_of([]) is None
    assert command_of([new, {"role": "assistant", "content": "/new"}]) is None
    assert command_of([{"role": "user", "content": "hi"}, new]) == SlashCommand("new")
    assert (
        command([{"type": "text", "text": "/new"}, {"type": "image_url", "image_url": {"url": "x"}}]) is None
    )


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("status", "Agent: main\nModel: owl/big, the agent's own.\nSession: agent:main:a, 4 messages\nclawgate 1.2"),
        ("new", "The session begins anew. Agent: main, model: owl/big."),
        ("model",
         "Model: owl/big, the agent's own.\nChange it with /model <provider/model>, list them with /model list."),
        ("model list", "Models:\n- owl/big (fast) - in use\n- owl/small - OWL_API_KEY is not set"),
        ("model status",
         "Model: owl/big, the agent's own.\n- model owl/big: ready\n- fallback owl/small: OWL_API_KEY is not set"),
        ("model default", "Model: owl/big, the agent's own. It is used from the next message on."),
    ],
)  # fmt: skip
def test_a_reply_says_what_is(name: Any, reply: str) -> None:
    assert reply_to(SlashCommand(name), FACTS) == reply


def test_help_names_every_command() -> None:
    text = reply_to(SlashCommand("help"), FACTS)
    for name in ("/model list", "/model status", "/model default", "/new", "/reset", "/status", "/help"):
        assert name in text and command(name) is not None


def test_a_chosen_model_is_told_from_the_agents_own() -> None:
    chosen = Facts(agent="main", default="owl/big", chosen="elk/x", session="s")
    reply = reply_to(SlashCommand("model set", "elk/x"), chosen)
    assert reply.startswith("Model: elk/x, chosen for this session (the agent's own: owl/big).")
    assert "- model elk/x: ready" in reply_to(SlashCommand("model status"), chosen)
    assert reply_to(SlashCommand("model list"), chosen).startswith("The config lists no model.")


def test_what_could_not_be_done_is_the_reply() -> None:
    assert reply_to(SlashCommand("model set", "x"), FACTS, "no such model") == "no such model"


@pytest.mark.parametrize("name", ["new", "model set", "model default", "status"])
def test_without_a_session_nothing_is_kept_and_the_reply_says_so(name: Any) -> None:
    assert "This request has no session" in reply_to(
        SlashCommand(name), Facts(agent="main", default="owl/big")
    )


def test_a_long_list_is_cut() -> None:
    models = tuple(ListedModel(f"owl/{number}") for number in range(60))
    assert reply_to(SlashCommand("model list"), Facts(agent="m", default="owl/0", models=models)).endswith(
        "and 10 more"
    )


@pytest.mark.parametrize(
    ("texts", "left", "left_of_session"),
    [
        (["a", "A", "b"], "aAb", "aAb"),
        (["a", "A", "/status", "S", "b"], "aAb", "aAb"),
        (["a", "A", "/new", "N", "b"], "aAb", "b"),
        (["a", "A", "/new", "N", "b", "B", "/reset", "R", "/help", "H", "c"], "aAbBc", "c"),
        (["/model x/y", "M", "a"], "a", "a"),
        (["/new", "N"], "/newN", "/newN"),
        (["/home is full", "A", "b"], "/home is fullAb", "/home is fullAb"),
    ],
    ids=str,
)
def test_the_commands_that_a_client_repeats_are_no_part_of_the_conversation(
    texts: list[str], left: str, left_of_session: str
) -> None:
    turns = tuple(
        {"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(texts)
    )
    whole = Conversation("system", turns, tuple(map(str, range(len(turns)))))
    for in_session, wanted in ((False, left), (True, left_of_session)):
        found = without_commands(whole, in_session=in_session)
        assert "".join(turn["content"] for turn in found.turns) == wanted and found.system == "system"
        assert [turns[int(place)] for place in found.places] == list(found.turns)


def test_a_command_without_a_reply_was_not_done_and_stays() -> None:
    turns = ({"role": "user", "content": "/new"}, {"role": "user", "content": "a"})
    whole = Conversation("", turns, ("0", "1"))
    assert without_commands(whole, in_session=True) == whole
