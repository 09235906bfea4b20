"""One connection: nothing before the handshake, a response with its id for every request, and a defect stays in one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from clawgate.control.websocket import session as session_module
from clawgate.control.websocket.frames import ErrorShape
from clawgate.control.websocket.method import Call, CallFailed, Gateway, Handler, Method
from clawgate.control.websocket.params import NonEmpty, Params, ParamsReader
from clawgate.control.websocket.session import SocketSession
from clawgate.errors import InvalidToken, SessionBusy
from tests.control.websocket.fake_socket import TOKEN, FakeSocket, connect, gateway, identify, request
from tests.e2e.stand import until


class Echo(Params, frozen=True):
    text: NonEmpty = "nothing"


def method(name: str, handler: Handler, *, scope: str = "operator.read", **more: bool) -> Method:
    return Method(name=name, scope=scope, reader=ParamsReader(Echo), handler=handler, about="", **more)


async def echo(call: Call, params: Echo) -> object:
    return {"text": params.text, "caller": call.client.caller}


async def fails(call: Call, params: Echo) -> object:
    raise SessionBusy("the session is busy", retry_after=3)


async def breaks(call: Call, params: Echo) -> object:
    raise ZeroDivisionError(params.text)


async def twice(call: Call, params: Echo) -> object:
    call.respond({"status": "accepted"})
    raise CallFailed(ErrorShape("UNAVAILABLE", "it failed"), {"status": "error"})


METHODS = {
    one.name: one
    for one in (
        method("echo", echo),
        method("fails", fails),
        method("breaks", breaks),
        method("twice", twice),
        method("write", echo, scope="operator.write", has_effect=True),
        method("agents", echo, of_agents=True),
    )
}


class Stand:
    def __init__(
        self,
        made: Gateway | None = None,
        who: Callable[..., str] = identify,
        table: dict[str, Method] = METHODS,
        **methods: Handler,
    ) -> None:
        self.gateway = made or gateway()
        table = table | {name: method(name, handler) for name, handler in methods.items()}
        self.session = SocketSession(self.gateway, table, who)
        self.socket = FakeSocket()
        self.session.opened(self.socket)

    def connected(self, **over: Any) -> Stand:
        self.session.message(connect(**over))
        assert self.socket.last["ok"], self.socket.last
        return self

    async def ask(self, name: str, params: object = None, id: str = "2") -> dict[str, Any]:  # noqa: A002
        before = len(self.socket.sent)
        self.session.message(request(name, params, id))
        await until(lambda: len(self.socket.sent) > before, "a response")
        return self.socket.last

    async def left(self) -> None:
        self.session.closed(1000, "")
        await until(lambda: not self.session.is_busy, "its calls to end")


async def test_the_gateway_speaks_first() -> None:
    (challenge,) = Stand().socket.sent
    assert challenge["event"] == "connect.challenge"
    assert set(challenge["payload"]) == {"nonce", "ts"} and "seq" not in challenge


async def test_a_client_with_the_token_is_welcome() -> None:
    stand = Stand().connected()
    hello = stand.socket.last["payload"]
    assert (hello["type"], hello["protocol"], stand.socket.caller) == ("hello-ok", 4, "token")
    assert len(stand.gateway.clients) == 1
    await stand.left()
    assert len(stand.gateway.clients) == 0


@pytest.mark.parametrize(
    "text", ["hello", "[]", '{"type":"event","event":"x"}', '{"type":"req","method":"x"}']
)
async def test_what_is_no_frame_closes_an_unknown_client_without_a_response(text: str) -> None:
    stand = Stand()
    stand.session.message(text)
    assert (len(stand.socket.sent), stand.socket.end) == (1, (1008, "invalid request frame"))


async def test_a_refused_client_gets_the_reason_and_then_the_end() -> None:
    stand = Stand()
    stand.session.message(connect(auth={"token": "wrong"}))
    assert stand.socket.last["error"]["details"]["code"] == "AUTH_TOKEN_MISMATCH"
    assert stand.socket.end == (1008, stand.socket.last["error"]["message"])
    assert stand.socket.caller is None
    stand.session.message(connect())
    assert len(stand.gateway.clients) == 0


async def test_a_guess_waits_for_its_response_and_nothing_else_is_read_meanwhile() -> None:
    def slow(*args: Any) -> str:
        error = InvalidToken("wrong")
        error.delay_seconds = 0.001
        raise error

    stand = Stand(who=slow)
    stand.session.message(connect(auth={"token": "wrong"}))
    assert len(stand.socket.sent) == 1
    stand.session.message(connect())
    await until(lambda: stand.socket.end is not None, "the end")
    assert [frame["type"] for frame in stand.socket.sent] == ["event", "res"]


async def test_a_request_gets_its_response() -> None:
    stand = Stand().connected()
    payload = {"text": "hi", "caller": "token"}
    assert await stand.ask("echo", {"text": "hi"}, "x") == {
        "type": "res", "id": "x", "ok": True, "payload": payload,
    }  # fmt: skip
    await stand.left()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("nope", None, "unknown method: nope"),
        ("connect", {}, "connect is only valid as the first request"),
        ("echo", {"text": ""}, "invalid echo params: at /text: must not have fewer than 1 characters"),
        (
            "agents",
            None,
            "agents: agents are off; set gateway.http.endpoints.chatCompletions.enabled to true",
        ),
    ],
)
async def test_a_request_that_cannot_be_served_is_refused_with_its_id(
    name: str, params: object, message: str
) -> None:
    stand = Stand().connected()
    response = await stand.ask(name, params, "x")
    assert (response["id"], response["ok"], response["error"]["message"]) == ("x", False, message)
    assert response["error"]["code"] == "INVALID_REQUEST"
    assert stand.socket.refusals == 0


async def test_a_frame_that_is_none_gets_an_error_and_the_connection_stays() -> None:
    stand = Stand().connected()
    stand.session.message('{"type":"req","id":"x","method":"echo","zz":1}')
    assert stand.socket.last["error"]["message"] == "invalid request frame: at root: unexpected property 'zz'"
    assert stand.socket.last["id"] == "x"
    assert (await stand.ask("echo"))["ok"]
    await stand.left()


async def test_a_call_without_the_right_is_refused_before_its_params_are_read_and_counts() -> None:
    stand = Stand().connected(scopes=["operator.read"])
    response = await stand.ask("write", {"text": 1})
    assert response["error"]["details"]["missingScope"] == "operator.write"
    assert stand.socket.refusals == 1


async def test_an_error_of_a_method_is_its_response() -> None:
    stand = Stand().connected()
    error = (await stand.ask("fails"))["error"]
    assert (error["code"], error["retryable"], error["retryAfterMs"]) == ("UNAVAILABLE", True, 3000)


async def test_a_defect_ends_its_request_alone_and_is_logged_without_the_frame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand = Stand().connected()
    with caplog.at_level(logging.ERROR):
        error = (await stand.ask("breaks", {"text": "no"}))["error"]
    assert error["details"]["code"] == "INTERNAL_ERROR"
    assert "breaks failed" in caplog.text and TOKEN not in caplog.text
    assert (await stand.ask("echo"))["ok"]


async def test_a_call_that_began_and_failed_has_two_responses() -> None:
    stand = Stand().connected()
    stand.session.message(request("twice", {}, "x"))
    await until(lambda: len(stand.socket.sent) == 4, "both")
    first, second = stand.socket.sent[2:]
    assert (first["id"], first["payload"]) == ("x", {"status": "accepted"})
    assert (second["id"], second["ok"], second["payload"]) == ("x", False, {"status": "error"})


async def test_requests_that_are_too_many_at_a_time_are_to_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = asyncio.Event()

    async def waits(call: Call, params: Echo) -> object:
        await gate.wait()
        return None

    monkeypatch.setattr(session_module, "MAX_PENDING", 1)
    stand = Stand(waits=waits).connected()
    stand.session.message(request("waits"))
    assert stand.session.is_busy
    error = (await stand.ask("waits", None, "x"))["error"]
    assert (error["code"], error["retryable"]) == ("UNAVAILABLE", True)
    await stand.left()


async def test_what_has_an_effect_is_done_though_its_client_left_at_once() -> None:
    """A program may send its message and end."""
    gate, done = asyncio.Event(), []

    async def waits(call: Call, params: Echo) -> object:
        await gate.wait()
        done.append(params.text)
        return None

    table = {
        "send": method("send", waits, scope="operator.write", has_effect=True),
        "look": method("look", waits),
    }
    stand = Stand(table=table).connected()
    stand.session.message(request("send", {"text": "send"}))
    stand.session.message(request("look", {"text": "look"}))
    stand.session.closed(1000, "")
    gate.set()
    await until(lambda: not stand.session.is_busy, "its calls to end")
    assert done == ["send"]


async def test_a_stopping_gateway_says_so_and_begins_nothing_more() -> None:
    stand = Stand().connected()
    stand.session.stopping()
    assert (stand.socket.last["event"], stand.socket.last["payload"]) == (
        "shutdown", {"reason": "gateway stopping"},
    )  # fmt: skip
    assert (await stand.ask("write"))["error"]["retryable"] is True
    assert (await stand.ask("echo"))["ok"]


async def test_a_request_that_is_under_way_at_the_drain_limit_fails() -> None:
    async def waits(call: Call, params: Echo) -> object:
        await asyncio.Event().wait()
        return None

    stand = Stand(waits=waits).connected()
    stand.session.message(request("waits", id="7"))
    stand.session.stopped()
    assert (stand.socket.last["id"], stand.socket.last["error"]["retryable"]) == ("7", True)
    assert len([frame for frame in stand.socket.sent if frame.get("id") == "7"]) == 1
    await stand.left()


async def test_a_restart_is_announced_with_the_time_that_it_takes() -> None:
    stand = Stand(gateway(is_restarting=lambda: True)).connected()
    stand.session.stopping()
    assert stand.socket.last["payload"] == {"reason": "gateway restarting", "restartExpectedMs": 1500}


@pytest.mark.parametrize(
    ("given", "passed"),
    [("00-" + "a" * 32 + "-" + "b" * 16 + "-01", True), ("00-a", False), ("a\0b", False)],
)
async def test_a_trace_is_continued_where_it_can_be(given: str, passed: bool) -> None:
    seen: list[str] = []

    async def keeps(call: Call, params: Echo) -> object:
        seen.append(call.traceparent)
        return None

    stand = Stand(keeps=keeps).connected()
    frame = {"type": "req", "id": "2", "method": "keeps", "traceparent": given}
    stand.session.message(json.dumps(frame))
    await until(lambda: len(stand.socket.sent) == 3, "the response")
    assert seen == [given if passed else ""]


async def test_a_connection_is_busy_while_a_run_of_its_own_is_not_over() -> None:
    stand = Stand().connected()
    (client,) = stand.gateway.clients.readers("token")
    client.runs.add("r")
    busy = [stand.session.is_busy]
    client.runs.clear()
    assert [*busy, stand.session.is_busy] == [True, False]
    await stand.left()
