"""Sends messages to an agent of a running gateway, over its WebSocket; what prevents that is an error.

The gateway is looked up for each message: it may have been restarted since the last one. Law: a message that is left,
by Ctrl-C, a signal that ends the command, or because its reply cannot be written, stops its run; one whose connection
is lost does not, and is resumed under the same idempotency key.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clawgate.cli.chat.approval import RESOLVE, WaitingCall, waiting_call
from clawgate.cli.credential import fail_if_another_counts, read_secret
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths
from clawgate.cli.remote import with_model_step, with_next_step
from clawgate.cli.running import find_running
from clawgate.policy.path_routing import AGENTS_SWITCH
from clawgate.processes.instance.gateway_client import (
    APPROVALS,
    READ,
    WRITE,
    GatewayAddress,
    GatewayCallFailed,
    GatewayConnection,
    connect,
    socket_url,
)

if TYPE_CHECKING:
    from clawgate.cli.chat.local_gateway import LocalGateway
    from clawgate.cli.remote import Remote

MAIN = "main"
"""The session where none is named: that of the agent itself, as in OpenClaw."""

_NOT_RUNNING = "no gateway is running; start one with: clawgate gateway start, or add --local"
_ABORT_SECONDS = 10.0
_ABORT_TRIES = 20
_ABORT_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class Reply:
    """What came of a message so far. ``run`` is its idempotency key; ``meta`` is OpenClaw's `agentMeta`."""

    message: str
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    session: str = ""
    text: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages to one agent in one session. ``agent`` is "" for the default one, ``model`` None for the agent's own.

    ``local`` is the gateway of this command and ``remote`` one elsewhere; without both it is that of the state folder.
    """

    paths: Paths
    env_file: str | None
    agent: str
    session: str
    model: str | None
    local: LocalGateway | None = None
    remote: Remote | None = None

    def send(
        self,
        reply: Reply,
        on_text: Callable[[str], None],
        on_call: Callable[[str], None] = lambda name: None,
        approves: Callable[[WaitingCall], bool] = lambda call: False,
    ) -> None:
        """Send the reply's message, or resume it; pieces of text and names of tools are passed on as they come.

        ``approves`` decides on calls that wait for approval, while the run waits.

        Raises `GatewayCallFailed`, and `GatewayLost` if the run may still be under way.
        """
        params = {
            "message": reply.message,
            "idempotencyKey": reply.run,
            "sessionKey": self.session,
            **({"agentId": self.agent} if self.agent else {}),
            **({"model": self.model} if self.model else {}),
        }

        def on_accepted(payload: dict[str, Any]) -> None:
            reply.accepted = True
            reply.session = str(payload.get("sessionKey") or "")

        try:
            with connect(self._address(), scopes=(READ, WRITE, APPROVALS)) as gateway:

                def on_event(name: str, payload: dict[str, Any]) -> None:
                    _take(name, payload, reply, on_text, on_call)
                    if (call := waiting_call(name, payload, reply.run)) is not None:
                        decision = "allow-once" if approves(call) else "deny"
                        gateway.send(RESOLVE, {"id": call.id, "decision": decision})

                try:
                    result = gateway.request(
                        "agent",
                        params,
                        on_event=on_event,
                        on_accepted=on_accepted,
                    )
                except GatewayCallFailed:
                    raise
                except BaseException:
                    self._abort(gateway, reply)
                    raise
        except GatewayCallFailed as failure:
            raise self._with_next_step(failure) from None
        _finish(result, reply, on_text)

    def _abort(self, gateway: GatewayConnection, reply: Reply) -> None:
        """Stop the run; it has ended, and freed its upstream, with the response. One that just begins is awaited."""
        params = {"sessionKey": self.session, "runId": reply.run}
        params |= {"agentId": self.agent} if self.agent else {}
        with contextlib.suppress(GatewayCallFailed):
            for _ in range(_ABORT_TRIES):
                found = gateway.request("chat.abort", params, seconds=_ABORT_SECONDS)
                if found.get("aborted") is True or reply.accepted:
                    return
                time.sleep(_ABORT_PAUSE_SECONDS)

    def _address(self) -> GatewayAddress:
        if self.remote is not None:
            return self.remote.address
        if self.local is not None:
            secret, url = self.local.secret, f"http://{self.local.host}:{self.local.port}"
        else:
            running = find_running(self.paths)
            if running is None:
                raise GatewayCallFailed(_NOT_RUNNING)
            if running.url is None:
                raise GatewayCallFailed("the gateway is still starting; see: clawgate gateway status")
            found = read_secret(self.paths, self.env_file)[1]
            secret, url = found.value if found is not None else None, running.url
        return GatewayAddress(socket_url(url), {"token": secret} if secret else {})

    def _with_next_step(self, failure: GatewayCallFailed) -> GatewayCallFailed:
        """Return the error with what to do, where the gateway's own text does not say it."""
        if self.remote is not None:
            return with_next_step(failure)
        if AGENTS_SWITCH in failure.message:
            step = f"agents are off; turn them on with: clawgate config set {AGENTS_SWITCH} true"
            return GatewayCallFailed(step, failure.code)
        if failure.code.startswith("auth_") or failure.code == "device_identity_required":
            return GatewayCallFailed(f"{failure.message}; see: clawgate gateway token", failure.code)
        return with_model_step(failure, "see: clawgate models status")


@contextlib.contextmanager
def open_conversation(
    paths: Paths,
    env_file: str | None,
    agent: str,
    session: str,
    model: str | None,
    *,
    local: bool,
    remote: Remote | None,
) -> Iterator[Conversation]:
    """Yield a conversation with the running gateway, one elsewhere, or one that runs meanwhile.

    Without a gateway the command ends.
    """
    if remote is not None and local:
        fail("--local and --url exclude each other; leave one of them out")
    with _ending_in_order():
        if remote is not None:
            yield Conversation(paths, env_file, agent, session, model, remote=remote)
        elif local:
            from clawgate.cli.chat.local_gateway import local_gateway

            with local_gateway(paths, env_file) as gateway:
                yield Conversation(paths, env_file, agent, session, model, gateway)
        else:
            if find_running(paths) is None:
                fail(_NOT_RUNNING)
            if (secret := read_secret(paths, env_file)[1]) is not None:
                fail_if_another_counts(paths, secret)
            yield Conversation(paths, env_file, agent, session, model)


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Have the signals that would kill the command end it by an exception, as Ctrl-C does."""

    def end(number: int, _frame: object) -> None:
        sys.exit(ExitCode(128 + number))

    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    killing = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in killing:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in killing:
            signal.signal(number, signal.SIG_DFL)


def _take(
    name: str,
    payload: dict[str, Any],
    reply: Reply,
    on_text: Callable[[str], None],
    on_call: Callable[[str], None],
) -> None:
    """Pass on what an event of the run adds. An event has the whole text: of one that is resumed, the rest counts."""
    data = payload.get("data")
    if name != "agent" or payload.get("runId") != reply.run or not isinstance(data, dict):
        return
    if payload.get("stream") == "tool" and data.get("phase") == "start":
        on_call(str(data.get("name")))
    if payload.get("stream") == "assistant":
        _add(str(data.get("text") or "")[len(reply.text) :], reply, on_text)


def _finish(payload: dict[str, Any], reply: Reply, on_text: Callable[[str], None]) -> None:
    """Take what the result says; its text is the last message, and all there is of a run that was over before."""
    result = payload.get("result") or {}
    text = "".join(str(one.get("text") or "") for one in result.get("payloads") or ())
    if not reply.text.endswith(text):
        _add(text.removeprefix(reply.text), reply, on_text)
    reply.meta = (result.get("meta") or {}).get("agentMeta") or {}


def _add(text: str, reply: Reply, on_text: Callable[[str], None]) -> None:
    if text:
        reply.text += text
        on_text(text)
