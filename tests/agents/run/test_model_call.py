"""A model call of a run: what a client of the gateway would get, without a connection of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from clawgate.agents.run.model_call import ModelCall
from clawgate.agents.run.model_message import delta_text
from clawgate.agents.run.step import Call, Completion, Usage
from clawgate.errors import GatewayError
from clawgate.relay.exchange.exchange import Exchange
from tests.agents.model_stand import DONE, MODEL, OTHER, ModelStand, call_of, chunk_of, models, usage_of
from tests.e2e.stand import PATIENCE, until
from tests.peers import faults
from tests.peers.faults import sse_response
from tests.peers.script import ReadBody, Reset, Send

FIELDS = {"messages": [{"role": "user", "content": "hi"}]}
HELLO = (
    chunk_of({"role": "assistant", "content": ""}),
    chunk_of({"content": "Grü"}),
    chunk_of({"content": "ße"}),
)
STOP = chunk_of(reason="stop")


def call(stand: ModelStand, *chain: object) -> ModelCall:
    refs = [MODEL] if not chain else list(chain)
    return stand.caller.call(refs, dict(FIELDS), caller="me")  # type: ignore[arg-type]


async def text_of(made: ModelCall) -> str:
    return "".join([delta_text(chunk) async for chunk in made.chunks()])


async def complete(made: ModelCall) -> Completion:
    await text_of(made)
    return made.completion()


async def error_of(made: ModelCall) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await complete(made)
    return caught.value


async def test_the_chunks_come_as_they_are_and_make_one_completion() -> None:
    async with models(sse_response([*HELLO, STOP, usage_of(11, 5, 3), DONE])) as stand:
        made = call(stand)
        assert await text_of(made) == "Grüße"
        completion = made.completion()
    assert completion.message == {"role": "assistant", "content": "Grüße"}
    assert completion.finish_reason == "stop" and completion.usage == Usage(11, 5, 3)
    assert made.served_by == MODEL


async def test_the_model_is_sent_a_streaming_request_with_its_own_name() -> None:
    async with models(sse_response([*HELLO, STOP, DONE])) as stand:
        await text_of(call(stand))
        sent = stand.bodies
        credentials = stand.upstream.requests[0].header_all("authorization")
    assert sent == [{"model": "m", **FIELDS, "stream": True, "stream_options": {"include_usage": True}}]
    assert credentials == ["Bearer pk-up-SECRET-7Hq2vXn4"]


async def test_ids_of_calls_are_sent_as_openai_accepts_them() -> None:
    result = {"role": "tool", "tool_call_id": "c" * 69, "content": "ok"}
    async with models(sse_response([*HELLO, STOP, DONE])) as stand:
        await complete(stand.caller.call([MODEL], {"messages": [result]}, caller="me"))
        [message] = json.loads(stand.upstream.requests[0].body)["messages"]
    assert len(message["tool_call_id"]) == 40


async def test_calls_of_tools_are_part_of_the_completion() -> None:
    events = [call_of("a", '{"x":'), call_of("b", "{}", index=1), chunk_of(reason="tool_calls"), DONE]
    async with models(sse_response(events)) as stand:
        made = call(stand)
        await text_of(made)
    assert made.completion().calls == (Call("call-a-0", "a", '{"x":'), Call("call-b-1", "b", "{}"))


async def test_what_a_provider_wants_back_with_a_call_is_kept() -> None:
    """Gemini's signature, which its API requires in the next request."""
    piece = {
        "index": 0, "id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "abc"}},
    }  # fmt: skip
    events = [chunk_of({"tool_calls": [piece]}), chunk_of(reason="tool_calls"), DONE]
    async with models(sse_response(events)) as stand:
        made = call(stand)
        await text_of(made)
    (kept,) = made.completion().message["tool_calls"]
    assert kept["extra_content"] == {"google": {"thought_signature": "abc"}}


@pytest.mark.parametrize(
    "deltas",
    [
        [{"delta": {"content": "A"}}, {"index": 1, "delta": {"content": "B"}}],
        [{"index": 0, "delta": {"content": "A"}}, {"index": 0, "message": {"content": "A"}}],
        [{"index": 0, "delta": {}, "message": {"content": "A"}}],
        [{"index": 0, "delta": {"content": [{"type": "thinking", "thinking": "B"}, {"type": "text", "text": "A"}]}}],
        [{"index": 0, "delta": {"content": [{"type": "text", "text": "A"}]}}, {"index": 0, "delta": {"content": []}}],
    ],
    ids=["another choice", "all of it again at the end", "a message", "thinking and text", "parts"],
)  # fmt: skip
async def test_what_is_streamed_is_what_is_complete(deltas: list[dict[str, Any]]) -> None:
    events = [b"data: %b\n\n" % json.dumps({"choices": [delta]}).encode() for delta in deltas]
    ends = {one.get("index", 0) for one in deltas}
    ended = [{"index": index, "delta": {}, "finish_reason": "stop"} for index in ends]
    events.append(b"data: %b\n\n" % json.dumps({"choices": ended}).encode())
    async with models(sse_response([*events, DONE])) as stand:
        made = call(stand)
        assert await text_of(made) == made.completion().text == "A"


@pytest.mark.parametrize("function", [None, {}, {"name": ""}, {"name": 5}, {"name": None}], ids=str)
async def test_a_call_of_no_tool_is_a_failure_of_the_model(function: Any) -> None:
    piece = {"index": 0, "id": "a", "function": function}
    events = [chunk_of({"tool_calls": [piece]}), chunk_of(reason="tool_calls"), DONE]
    async with models(sse_response(events)) as stand:
        assert (await error_of(call(stand))).code == "upstream_malformed"


async def test_a_reason_that_promises_calls_where_there_are_none_is_the_end() -> None:
    async with models(sse_response([*HELLO, chunk_of(reason="tool_calls"), DONE])) as stand:
        assert (await complete(call(stand))).finish_reason == "stop"


async def test_a_complete_response_serves_as_well() -> None:
    """Some servers do not stream, whatever was requested."""
    message = {"role": "assistant", "content": "all at once"}
    body = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2},
    }
    async with models(faults.json_response(body)) as stand:
        made = call(stand)
        assert await text_of(made) == "all at once"
    assert made.completion().message == message and made.completion().usage == Usage(2)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
async def test_an_error_of_the_provider_keeps_its_status_and_text(status: int) -> None:
    async with models(faults.error_response(status, "the provider's words")) as stand:
        error = await error_of(call(stand))
    assert getattr(error, "status", None) == status
    assert error.message == f"up/m responded with {status}: the provider's words"
    assert "words" not in error.log_text


async def test_an_error_without_structure_keeps_its_words() -> None:
    async with models(
        (ReadBody(), Send(faults.response(b"no healthy upstream", 503, content_type="text/plain")))
    ) as stand:
        assert "no healthy upstream" in (await error_of(call(stand))).message


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ((("Retry-After", "7"),), 7), ((("retry-after-ms", "1200"), ("Retry-After", "7")), 2),
        ((("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"), ("Date", "Wed, 21 Oct 2026 07:27:00 GMT")), 60),
        ((("Retry-After", "-1"),), None), ((), None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [401, 429, 503])
async def test_when_to_try_again_is_kept(
    status: int, fields: tuple[tuple[str, str], ...], kept: int | None
) -> None:
    """Clients wait for it; OpenAI's SDK reads it of every error that it retries."""
    script = faults.error_response(status, fields=fields)
    async with models(script) as stand:
        assert (await error_of(call(stand))).retry_after == kept


async def test_a_rejected_credential_is_not_the_clients() -> None:
    async with models(faults.error_response(401, "bad key")) as stand:
        error = await error_of(call(stand))
    assert error.code == "upstream_unauthorized"


@pytest.mark.parametrize(
    "events",
    [
        HELLO,
        (*HELLO, b'data: {"error": {"message": "broke down"}}\n\n'),
        (*HELLO, b"data: {no json\n\n", STOP, DONE),
    ],
    ids=["cut", "an error event", "no chunk"],
)
async def test_a_stream_that_does_not_finish_is_a_failure(events: tuple[bytes, ...]) -> None:
    async with models(sse_response(events)) as stand:
        await error_of(call(stand))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"message": "busy", "type": "overloaded_error"}, 503),
        ({"message": "busy", "type": "requests", "code": "rate_limit_exceeded"}, 429),
        ({"message": "busy", "code": 503}, 503),
        ({"message": "busy"}, None),
        ({"message": "busy", "type": "authentication_error"}, None),
    ],
)
async def test_an_error_in_a_stream_has_the_status_that_it_means(error: object, status: int | None) -> None:
    event = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    async with models(sse_response([*HELLO, event])) as stand:
        failure = await error_of(call(stand))
    assert failure.message == "up/m reports an error: busy" and getattr(failure, "status", None) == status


async def test_a_stream_that_was_cut_fails_with_the_cause_itself() -> None:
    """Not with the text of an error event, and so with a code and a status of its own."""
    async with models((ReadBody(), Send(faults.sse_bytes(HELLO)[:-5]), Reset())) as stand:
        failure = await error_of(call(stand))
    assert failure.code == "upstream_closed"
    assert not failure.message.startswith("connection reset")  # which is added once, for the client


async def test_a_stream_that_stalls_has_timed_out() -> None:
    async with models(faults.sse_gated([asyncio.Event(), asyncio.Event()], [*HELLO, STOP])) as stand:
        made = call(stand)
        task = asyncio.create_task(error_of(made))
        await stand.upstream.pulse.until(lambda: bool(stand.upstream.requests))
        await until(lambda: made.served_by is not None, "the response to begin")
        stand.relay.clock.time = 10_000.0
        stand.exchanges.check_timeouts()
        assert (await task).code == "upstream_timed_out"


async def test_a_reset_is_a_failure() -> None:
    async with models((ReadBody(), Reset())) as stand:
        assert (await error_of(call(stand))).code == "upstream_closed"


async def test_a_fallback_of_the_chain_takes_over() -> None:
    async with models(faults.error_response(503), sse_response([*HELLO, STOP, DONE])) as stand:
        made = call(stand, MODEL, OTHER)
        assert await text_of(made) == "Grüße"
    assert made.served_by == OTHER


async def test_without_a_fallback_there_is_none() -> None:
    async with models(faults.error_response(503), sse_response([*HELLO, STOP, DONE])) as stand:
        await error_of(call(stand, MODEL))
        assert len(stand.upstream.requests) == 1


async def test_a_run_that_ends_frees_its_upstream_at_once() -> None:
    gate = asyncio.Event()
    async with models(faults.sse_gated([asyncio.Event(), gate], [*HELLO, STOP])) as stand:
        task = asyncio.create_task(text_of(call(stand)))
        await stand.upstream.pulse.until(lambda: bool(stand.upstream.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stand.upstream.pulse.until(lambda: not stand.upstream.open_connections)


async def test_an_upstream_that_does_not_end_behind_its_last_event_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clawgate.agents.run.model_call.LINGER_SECONDS", 0)
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    async with models(faults.sse_gated(gates, [b"".join([*HELLO, STOP, DONE]), DONE])) as stand:
        async with asyncio.timeout(PATIENCE):
            completion = await complete(call(stand))
    assert completion.text == "Grüße"


async def test_its_time_limits_apply() -> None:
    async with models(faults.never_responds()) as stand:
        task = asyncio.create_task(error_of(call(stand)))
        await stand.upstream.pulse.until(lambda: bool(stand.upstream.requests))
        stand.relay.clock.time = 10_000.0
        stand.exchanges.check_timeouts()
        assert (await task).code == "upstream_timed_out"


async def test_a_run_that_does_not_read_makes_the_upstream_wait() -> None:
    many = [chunk_of({"content": "x" * 50}) for _ in range(3000)]
    async with models(sse_response([*HELLO, *many, STOP, DONE])) as stand:
        made = call(stand)
        await until(lambda: made._is_paused, "the upstream to be paused")
        assert len(made._chunks) < 3000
        assert len(await text_of(made)) == len("Grüße") + 50 * 3000


async def test_it_is_recorded_like_a_request_of_any_client() -> None:
    async with models(sse_response([*HELLO, STOP, DONE])) as stand:
        await text_of(call(stand))
        (record,) = stand.relay.records
    assert (record.caller, record.model, record.status, record.served) == ("me", "up/m", 200, "up/m")


async def test_nothing_of_a_call_is_kept_when_it_is_over() -> None:
    ended: list[Exchange] = []
    async with models(sse_response([*HELLO, STOP, DONE])) as stand:
        await text_of(call(stand))
        ended += stand.exchanges._exchanges
    assert ended == []


async def test_a_head_that_comes_in_pieces_is_read() -> None:
    made = ModelCall()
    made.exchange = cast(Exchange, None)
    lines = (
        b"HTTP/1.1 200 OK",
        b"content-type: text/event-stream",
        b"x-clawgate-provider: a",
        b"x-clawgate-model: b%20c",
    )
    head = b"\r\n".join((*lines, b"", b""))
    for at in range(len(head)):
        made.write(head[at : at + 1])
    for event in (*HELLO, STOP, DONE):
        made.write(event)
    made.response_complete()
    assert await text_of(made) == "Grüße" and str(made.served_by) == "a/b c"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (b'event: error\ndata: {"message": "broke down"}\n\n', "broke down"),
        (b"event: error\ndata: broke down\n\n", "broke down"),
        (b'event: error\ndata: {"type": "error", "error": {"message": "broke down"}}\n\n', "broke down"),
        (b'data: {"type": "error", "message": "broke down"}\n\n', "broke down"),
        (b'data: {"message": "broke down", "code": 1}\n\n', "broke down"),
        (
            b'data: {"choices": [{"index": 0, "delta": {}, "error": {"message": "broke down"}}]}\n\n',
            "broke down",
        ),
        (b"event: error\ndata: \n\n", "without an error message"),
    ],
)
async def test_an_error_event_of_any_form_keeps_its_text(event: bytes, text: str) -> None:
    async with models(sse_response([*HELLO, event])) as stand:
        error = await error_of(call(stand))
    assert text in error.message and error.code == "upstream_failed"
    assert "broke down" not in error.log_text


async def test_a_call_of_the_old_form_is_a_call() -> None:
    pieces = [
        {"function_call": {"name": "look", "arguments": '{"a"'}},
        {"function_call": {"arguments": ":1}"}},
    ]
    events = [*map(chunk_of, pieces), chunk_of(reason="function_call"), DONE]
    async with models(sse_response(events)) as stand:
        made = call(stand)
        async for _ in made.chunks():
            pass
        completion = made.completion()
    (found,) = completion.calls
    assert (found.name, found.arguments) == ("look", '{"a":1}') and found.id
