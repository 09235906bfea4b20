"""Sends messages to an agent of the running gateway, as a client of its HTTP API; what prevents that is an error.

The gateway is looked up for each message: it may have been restarted since the last one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from clawgate.cli.credential import fail_if_another_counts, read_secret
from clawgate.cli.errors import fail
from clawgate.cli.paths import Paths
from clawgate.cli.running import find_running
from clawgate.policy.model_routing import DEFAULT_AGENT
from clawgate.policy.path_routing import AGENTS_SWITCH
from clawgate.processes.instance.chat_client import ChatFailed, post_chat
from clawgate.processes.instance.daemon import endpoint_of

if TYPE_CHECKING:
    from clawgate.cli.chat.local_gateway import LocalGateway

MAIN = "main"
"""The session where none is named: that of the agent itself, as in OpenClaw."""

_NOT_RUNNING = "no gateway is running; start one with: clawgate gateway start, or add --local"


@dataclass(slots=True)
class Reply:
    """What came of a message so far. ``usage`` is OpenAI's object."""

    run: str = ""
    session: str = ""
    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages to one agent in one session. ``agent`` is "" for the default one, ``model`` None for the agent's own.

    ``local`` is the gateway of this command, None where that of the state folder is used.
    """

    paths: Paths
    env_file: str | None
    agent: str
    session: str
    model: str | None
    local: LocalGateway | None = None

    def send(
        self, message: str, on_text: Callable[[str], None], on_call: Callable[[str], None] = lambda name: None
    ) -> Reply:
        """Return the reply; pieces of its text, and names of tools that are called, are passed on as they come.

        Raises `ChatFailed`.
        """
        host, port = self._address()
        body = {
            "model": f"{DEFAULT_AGENT}/{self.agent}" if self.agent else DEFAULT_AGENT,
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": message}],
        }
        reply = Reply()
        try:
            with post_chat(host, port, body, self._headers()) as response:
                reply.run = response.headers.get("x-clawgate-run", "")
                reply.session = unquote(response.headers.get("x-clawgate-session", ""))
                for event in response.events():
                    _take(event, reply, on_text, on_call)
        except ChatFailed as failure:
            raise _with_next_step(failure) from None
        return reply

    def _address(self) -> tuple[str, int]:
        if self.local is not None:
            return self.local.host, self.local.port
        running = find_running(self.paths)
        if running is None:
            raise ChatFailed(_NOT_RUNNING)
        if running.url is None:
            raise ChatFailed("the gateway is still starting; see: clawgate gateway status")
        host, port, _ = endpoint_of(running.url)
        return host, port

    def _headers(self) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {secret}" if (secret := self._secret()) else "",
            "x-openclaw-session-key": self.session,
            "x-openclaw-model": self.model or "",
        }
        return {name: value for name, value in headers.items() if value}

    def _secret(self) -> str | None:
        if self.local is not None:
            return self.local.secret
        found = read_secret(self.paths, self.env_file)[1]
        return found.value if found is not None else None


@contextlib.contextmanager
def open_conversation(
    paths: Paths, env_file: str | None, agent: str, session: str, model: str | None, *, local: bool
) -> Iterator[Conversation]:
    """Yield a conversation with the running gateway, or with one that runs meanwhile; without one the command ends."""
    if local:
        from clawgate.cli.chat.local_gateway import local_gateway

        with local_gateway(paths, env_file) as gateway:
            yield Conversation(paths, env_file, agent, session, model, gateway)
        return
    if find_running(paths) is None:
        fail(_NOT_RUNNING)
    if (secret := read_secret(paths, env_file)[1]) is not None:
        fail_if_another_counts(paths, secret)
    yield Conversation(paths, env_file, agent, session, model)


def _take(
    event: dict[str, Any], reply: Reply, on_text: Callable[[str], None], on_call: Callable[[str], None]
) -> None:
    if isinstance(tool := event.get("tool"), str):
        on_call(tool)
    reply.usage = event.get("usage") or reply.usage
    for choice in event.get("choices") or ():
        delta = choice.get("delta") or {}
        for text in (delta.get("content"), delta.get("refusal")):
            if text:
                reply.text += text
                on_text(text)
        for call in delta.get("tool_calls") or ():
            if name := (call.get("function") or {}).get("name"):
                on_call(str(name))


def _with_next_step(failure: ChatFailed) -> ChatFailed:
    """Return the error with what to do at this machine, where the gateway's own text does not say it."""
    if AGENTS_SWITCH in failure.message:
        return ChatFailed(
            f"agents are off; turn them on with: clawgate config set {AGENTS_SWITCH} true", failure.code
        )
    if failure.code in ("missing_token", "invalid_token"):
        return ChatFailed(f"{failure.message}; see: clawgate gateway token", failure.code)
    return failure
