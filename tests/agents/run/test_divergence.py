"""What goes upstream is what the client shows of the conversation: nothing twice, nothing removed, nothing lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.agents.request.chat_messages import Conversation, Message
from clawgate.agents.run.divergence import shows_past
from clawgate.agents.run.history import compose


@dataclass(frozen=True)
class Stored:
    message: Message
    status: str = "complete"


@dataclass
class Chat:
    """A client with what it shows, and the session behind it. No text comes twice; ``window`` 0 is all of it."""

    window: int
    sends_all: bool
    shown: list[Message] = field(default_factory=list)
    session: list[Stored] = field(default_factory=list)
    names: Any = field(default_factory=lambda: (f"t{number}" for number in count()))

    def request(self, calls: int) -> None:
        sent = self.shown[-self.window :]
        places = tuple(f"messages[{number}]" for number in range(len(sent)))
        found = compose(
            self.session, Conversation("", tuple(sent), places), system="", sends_all=self.sends_all
        )
        assert texts(found.messages) == texts(self.shown)
        replies = self.reply(calls)
        del self.session[found.kept :]
        self.session += [Stored(message) for message in (*found.new, *replies)]
        text = " ".join(message["content"] for message in replies if message["role"] == "assistant")
        if self.shown[-1]["role"] == "assistant":
            self.shown[-1] = {"role": "assistant", "content": self.shown[-1]["content"] + text}
        else:
            self.shown.append({"role": "assistant", "content": text})

    def reply(self, calls: int) -> list[Message]:
        """The agent calls tools of its own, which no client sees."""
        made: list[Message] = []
        for _ in range(calls):
            name = next(self.names)
            call = {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}
            made.append({"role": "assistant", "content": f"{name}.", "tool_calls": [call]})
            made.append({"role": "tool", "tool_call_id": name, "content": "r"})
        return [*made, {"role": "assistant", "content": f"{next(self.names)}."}]

    def change(self, action: str, place: int) -> None:
        """Change what is shown, so that it ends with what is to be sent."""
        pairs = len(self.shown) // 2
        if pairs > (0 if self.sends_all else 1):  # a first message alone may be the last one
            first = 0 if self.sends_all else 1
            at = 2 * (first + place % (pairs - first))
            match action:
                case "regenerate":
                    del self.shown[-1:]
                    return
                case "edit":
                    del self.shown[at:]
                case "edit the response" if self.window != 2:  # else nothing that it shows is known
                    self.shown[at - 1] = {"role": "assistant", "content": next(self.names)}
                    del self.shown[at:]
                case "delete":
                    del self.shown[-2:]
                case "delete one" if at and not self.window:  # without the first pair it is a window
                    del self.shown[at : at + 2]
                case "continue":
                    return
        self.shown.append({"role": "user", "content": next(self.names)})


def texts(messages: Any) -> list[str]:
    """Return what a client may see of messages: those of the agent between two of the user are one."""
    found: list[str] = []
    last = ""
    for message in messages:
        if message["role"] == "tool":
            continue
        text = "".join(message["content"].split())
        if message["role"] == last == "assistant":
            found[-1] += text
        else:
            found.append(text)
        last = message["role"]
    return found


ACTIONS = st.sampled_from(
    ["say", "say", "regenerate", "edit", "edit the response", "delete", "delete one", "continue"]
)
STEPS = st.lists(st.tuples(ACTIONS, st.integers(0, 9), st.integers(0, 2)), max_size=14)


@given(STEPS, st.sampled_from([0, 0, 2, 3, 4, 5]), st.booleans())
@settings(max_examples=500, deadline=None)
def test_what_goes_upstream_is_what_the_client_shows(steps: list[Any], window: int, sends_all: bool) -> None:
    chat = Chat(window, sends_all and not window)
    for action, place, calls in steps:
        chat.change(action, place)
        chat.request(calls)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=8), st.sampled_from([0, 1, 2, 3]))
@settings(max_examples=200, deadline=None)
def test_a_client_that_changes_nothing_replaces_nothing(steps: list[Any], window: int) -> None:
    """It sends all, a window, or its last message alone; of a response that is interrupted it may have less."""
    chat = Chat(window, sends_all=False)
    for number, (calls, interrupted) in enumerate(steps):
        before = list(chat.session)
        chat.change("say", 0)
        chat.session = before
        sent = chat.shown[-window:]
        found = compose(before, Conversation("", tuple(sent), tuple("m" for _ in sent)), system="")
        assert found.kept == len(before) and list(found.new) == chat.shown[-1:], number
        status = "interrupted" if interrupted else "complete"
        replies = chat.reply(calls)
        chat.session += [Stored(message, status) for message in (*found.new, *replies)]
        text = " ".join(message["content"] for message in replies if message["role"] == "assistant")
        chat.shown.append({"role": "assistant", "content": text[:-1] if interrupted else text})


@pytest.mark.parametrize(
    ("roles", "shows"),
    [(["user"], False), (["user", "user"], False), (["assistant"], False), (["tool"], False),
     (["tool", "user"], False), (["user", "assistant"], True), (["assistant", "user"], True)],
)  # fmt: skip
def test_a_list_shows_a_past_by_its_responses(roles: list[str], shows: bool) -> None:
    assert shows_past([{"role": role, "content": ""} for role in roles]) is shows
