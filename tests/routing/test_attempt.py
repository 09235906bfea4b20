"""What leaves for one provider and how its answer comes back, with and without a plugin's word in it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawgate.errors import InvalidRequest, ProviderUnavailable
from clawgate.plugins.api import MappedError, UpstreamRequest
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.provider import Model, Provider
from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.assembled import AssembledWriter
from clawgate.relay.response.buffered import BufferedWriter
from clawgate.relay.response.deferred import ByBytesWriter, FirstEventWriter
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.routing import attempt as attempts
from clawgate.routing.attempt import ModelRequest, ProviderAttempt
from clawgate.routing.plugin_hooks import MapError, TransformRequest
from clawgate.routing.provider_upstream import ProviderUpstream
from clawgate.routing.table import RoutingTable
from clawgate.wire.http.url import Origin
from clawgate.wire.json.model_field import ModelField
from clawgate.wire.translate.openai_to_anthropic.translator import ChatToMessages
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.faults import SSE_FIELDS
from tests.peers.script import ReadBody, Send, Wait
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import record_dials
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    KEY,
    MESSAGES,
    OPENAI,
    config_of,
    provider,
    question,
    serving_gateway,
)
from tests.routing.no_hooks import NoHooks
from tests.routing.test_router import catalog, connect, head_of, make_provider, make_router

LINES = b"content-type: application/json\r\nanthropic-beta: x\r\n"
REF = ModelRef("a", "m")
COMPLETION = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}  # fmt: skip
ANSWER = {"id": "m", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}


class Hooks(NoHooks):
    """A plugin's word for every provider."""

    def __init__(
        self,
        *,
        shape: TransformRequest | None = None,
        judge: MapError | None = None,
        unavailable: Callable[[str], ProviderUnavailable | None] = lambda provider: None,
        further: tuple[str, ...] = (),
    ) -> None:
        self._further = further
        self._shape, self._judge, self._unavailable = shape, judge, unavailable

    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        return self._unavailable(provider)

    def request_transformer(self, provider: str) -> TransformRequest | None:
        return self._shape

    def further_apis(self, provider: str) -> tuple[str, ...]:
        return self._further

    def error_mapper(self, provider: str) -> MapError | None:
        return self._judge


def attempt(
    made: Provider,
    path: str = CHAT,
    *,
    hooks: NoHooks | None = None,
    failed: tuple[str, ...] = (),
    streams: bool = False,
    has_fallback: bool = False,
    body: bytes | None = None,
) -> ProviderAttempt:
    body = body or question("a/m")
    start = body.index(b'"a/m"')
    named = ModelField("a/m", start, start + 5, streams=streams)
    request = ModelRequest(head_of(path.encode(), LINES), body, named)
    target = RoutingTable(catalog(made)).route("a/m").targets[0]
    connected = ProviderUpstream(made, connect(made))
    return ProviderAttempt(
        connected, target, request, failed, 1_700_000_000.0, hooks or NoHooks(), has_fallback=has_fallback
    )


def sent(found: ProviderAttempt) -> tuple[list[bytes], Any]:
    head, body = map(bytes, found.request)
    lines = head.split(b"\r\n")
    assert b"content-length: %d" % len(body) in lines
    return lines, json.loads(body)


def answer(status: int, content_type: bytes = b"application/json", *, encoded: bool = False) -> ResponseHead:
    return ResponseHead(
        status=status,
        headers=[(b"content-type", content_type)],
        length=None,
        chunked=True,
        content_type=content_type,
        encoded=encoded,
    )


def writer(found: ProviderAttempt, head: ResponseHead) -> ResponseWriter:
    return found.writer(head, http10=False, close=False, bodiless=False)


def judge(status: int, body: bytes) -> MappedError | None:
    return MappedError(status=404, message="really") if status == 500 else None


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("api", [OPENAI, ANTHROPIC])
def test_a_plugin_transforms_the_request_in_the_dialect_of_the_provider(path: str, api: str) -> None:
    """Behind the translation; the operator's own head lines are stronger than the plugin's."""
    seen: list[UpstreamRequest] = []

    def shape(request: UpstreamRequest) -> UpstreamRequest:
        seen.append(request)
        return replace(
            request, model="m-2", fields={**request.fields, "x": 1}, headers={"x-one": "p", "x-two": "p"}
        )

    found = attempt(make_provider("a", api, headers=(("X-Two", "operator"),)), path, hooks=Hooks(shape=shape))
    lines, body = sent(found)
    assert seen[0].model == "m" and "messages" not in seen[0].fields
    assert (body["model"], body["x"], bool(body["messages"])) == ("m-2", 1, True)
    assert lines.count(b"x-one: p") == 1 and b"x-two: p" not in lines and b"x-two: operator" in lines
    assert (b"anthropic-version: 2023-06-01" in lines) == (api == ANTHROPIC)
    assert found.served_by == "a/m" and b"x-clawgate-model: m\r\n" in found.attribution_headers


def test_where_a_plugin_fails_there_is_no_request() -> None:
    def shape(request: UpstreamRequest) -> UpstreamRequest:
        raise ProviderUnavailable("no")

    with pytest.raises(ProviderUnavailable):
        attempt(make_provider("a"), hooks=Hooks(shape=shape))


@pytest.mark.parametrize(
    ("path", "api", "head", "judged", "kind"),
    [
        (CHAT, OPENAI, answer(200), None, ByBytesWriter),
        (MESSAGES, ANTHROPIC, answer(200), None, ByBytesWriter),
        (CHAT, ANTHROPIC, answer(200), None, ByBytesWriter),
        (MESSAGES, OPENAI, answer(200), None, ByBytesWriter),
        (CHAT, OPENAI, answer(404), None, PassthroughWriter),
        (CHAT, OPENAI, answer(200, b"text/event-stream"), None, AssembledWriter),
        (CHAT, OPENAI, answer(500), judge, BufferedWriter),
        (MESSAGES, ANTHROPIC, answer(500), judge, BufferedWriter),
        (CHAT, ANTHROPIC, answer(500), judge, BufferedWriter),
        (CHAT, OPENAI, answer(200), judge, ByBytesWriter),
        (CHAT, OPENAI, answer(500, encoded=True), judge, BufferedWriter),
    ],
)
def test_which_writer_a_response_gets(
    path: str, api: str, head: ResponseHead, judged: MapError | None, kind: type[ResponseWriter]
) -> None:
    """A plugin maps failures that can be read; the request decides whether a stream was requested."""
    found = attempt(make_provider("a", api), path, hooks=Hooks(judge=judged))
    assert type(writer(found, head)) is kind
    assert found.passthrough == (judged is None and (path == CHAT) == (api == OPENAI))


def test_with_a_fallback_a_response_is_looked_at() -> None:
    found = attempt(make_provider("a"), CHAT, has_fallback=True)
    assert not found.passthrough
    assert type(writer(found, answer(200, b"text/event-stream"))) is AssembledWriter
    streamed = attempt(make_provider("a"), CHAT, has_fallback=True, streams=True)
    assert type(writer(streamed, answer(200, b"text/event-stream"))) is FirstEventWriter


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions"])
def test_what_has_no_counterpart_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest, match="has no counterpart there"):
        attempt(make_provider("a", ANTHROPIC), path)


COUNT = "/v1/messages/count_tokens"


def test_tokens_are_counted_here_where_the_provider_has_no_such_path() -> None:
    found = attempt(make_provider("a", OPENAI), COUNT)
    offload = found.offload
    assert found.request == [] and offload is not None
    found.complete(offload())
    made = found.response
    assert made is not None and found.request == []
    assert b"x-clawgate-estimated: true\r\n" in made.lines
    assert json.loads(made.body)["input_tokens"] > 1


@pytest.mark.parametrize(
    ("status", "estimated"), [(404, True), (405, True), (501, True), (403, False), (200, False)]
)
def test_a_server_without_the_path_is_estimated_for(status: int, estimated: bool) -> None:
    found = attempt(make_provider("a", ANTHROPIC), COUNT, hooks=Hooks(judge=lambda status, body: None))
    assert not found.passthrough and found.response is None and found.request
    assert writer(found, answer(status)).defers_status is (status == 403)
    assert found.counts_instead(status) is estimated and not found.counts_instead(status)
    assert (found.offload is not None) is estimated


def test_nothing_is_estimated_for_anthropic_itself() -> None:
    found = attempt(make_provider("a", ANTHROPIC, origin=Origin("https", "api.anthropic.com", 443)), COUNT)
    assert found.passthrough and type(writer(found, answer(404))) is PassthroughWriter


RESPONSES_API = "openai-responses"
INPUT_TOKENS = "/v1/responses/input_tokens"
INPUT = b'{"model":"a/m","input":"hi","max_output_tokens":5}'


def made_here(found: ProviderAttempt) -> Any:
    """The body of a count that is estimated."""
    assert found.offload is not None
    found.complete(found.offload())
    made = found.response
    assert made is not None and b"x-clawgate-estimated: true\r\n" in made.lines
    return json.loads(made.body)


def test_input_tokens_are_counted_by_whom_can() -> None:
    """The provider of the API is sent the bytes, Anthropic's its own request; others have no such path."""
    native = attempt(make_provider("a", RESPONSES_API), INPUT_TOKENS, body=INPUT)
    lines, body = b"".join(map(bytes, native.request)).split(b"\r\n\r\n")
    assert lines.startswith(b"POST /v1/responses/input_tokens ") and body == INPUT.replace(b"a/m", b"m")

    translated = attempt(make_provider("a", ANTHROPIC), INPUT_TOKENS, body=INPUT)
    lines_, fields = sent(translated)
    assert lines_[0].startswith(b"POST /v1/messages/count_tokens ")
    assert fields == {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }

    here = attempt(make_provider("a", OPENAI), INPUT_TOKENS, body=INPUT)
    assert here.request == []
    assert made_here(here) == {"object": "response.input_tokens", "input_tokens": 1}


@pytest.mark.parametrize("api", [RESPONSES_API, ANTHROPIC])
def test_input_tokens_are_estimated_for_a_server_without_the_path(api: str) -> None:
    found = attempt(make_provider("a", api), INPUT_TOKENS, body=INPUT)
    assert writer(found, answer(404)).defers_status is False and not found.passthrough
    assert found.counts_instead(404) and made_here(found)["object"] == "response.input_tokens"


@pytest.mark.parametrize(
    ("api", "host"), [(RESPONSES_API, "api.openai.com"), (ANTHROPIC, "api.anthropic.com")]
)
def test_a_404_of_the_vendor_itself_is_no_missing_path(api: str, host: str) -> None:
    found = attempt(make_provider("a", api, origin=Origin("https", host, 443)), INPUT_TOKENS, body=INPUT)
    assert not found.counts_instead(404)


@pytest.mark.parametrize(("path", "body"), [(COUNT, None), (INPUT_TOKENS, INPUT)])
def test_anthropics_endpoint_for_openais_clients_counts_nothing(path: str, body: bytes | None) -> None:
    made = make_provider("a", OPENAI, origin=Origin("https", "api.anthropic.com", 443))
    assert made_here(attempt(made, path, body=body))["input_tokens"] >= 1


def test_names_of_attempted_providers_are_valid_header_values() -> None:
    """No name makes a second line."""
    names = make_router(make_provider("a")).route(
        head_of(CHAT.encode(), LINES), question("a/m\u00e9\r\nx: y")
    ).first_attempt().attribution_headers  # fmt: skip
    assert names.count(b"\r\n") == 2 and b"x-clawgate-model: m%C3%A9%0D%0Ax: y\r\n" in names
    found = attempt(make_provider("a"), failed=("b/n 503", "c/o 429"))
    assert b"x-clawgate-attempts: b/n 503; c/o 429; a/m\r\n" in found.attribution_headers


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("api", [OPENAI, ANTHROPIC])
async def test_a_wrapped_failure_reaches_the_client_with_its_own_status(
    path: str, api: str, tmp_path: Path
) -> None:
    """A 500 that is a 404: the client sees 404 in its own dialect, and the credential in neither."""
    wrapped = faults.json_response({"error": {"message": f"404 for {KEY}"}}, status=500)
    async with FakeUpstream(wrapped) as upstream:
        async with serving_gateway(tmp_path, config_of({"a": provider(upstream.url, api)})) as stand:
            stand.role.router.hooks = Hooks(
                judge=lambda _, body: MappedError(status=404, message=f"really: {body.decode()}")
            )
            for _ in range(2):
                found = await stand.ask(question("a/m"), target=path)
                assert found.status == 404 and found.header("x-clawgate-provider") == "a"
                assert "really" in found.json()["error"]["message"] and KEY.encode() not in found.body
            await stand.quiet()
        assert upstream.anomalies == []


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_rejected_field_names_the_setting_that_helps_in_each_dialect(
    path: str, tmp_path: Path
) -> None:
    """And with that setting the same server gets a request that it takes."""

    def strict(request: Any) -> Any:
        if "max_completion_tokens" in json.loads(request.body):
            return faults.error_response(400, f"Unrecognized argument: max_completion_tokens {KEY}")
        return faults.json_response(COMPLETION)

    named = 'compat.maxTokensField to "max_tokens" for this model in models.providers.a.models'
    compat = {"maxTokensField": "max_completion_tokens"}
    async with FakeUpstream(strict) as upstream:
        block = provider(upstream.url, models=[{"id": "m", "compat": compat}])
        config = config_of({"a": block})
        async with serving_gateway(tmp_path, config) as stand:
            found = await stand.ask(question("a/m"), target=path)
            assert (
                found.status == 400
                and named in found.json()["error"]["message"]
                and KEY.encode() not in found.body
            )
            compat["maxTokensField"] = "max_tokens"
            stand.rewrite(config)
            assert (await stand.ask(question("a/m"), target=path)).status == 200
            await stand.quiet()
        assert upstream.anomalies == []


@pytest.mark.parametrize(("really", "served"), [(400, "a"), (429, "b")])
async def test_a_wrapped_failure_leads_to_a_fallback_by_its_own_status(
    really: int, served: str, tmp_path: Path
) -> None:
    """Though the provider says 500 to everything."""
    wrapped = faults.json_response({"error": {"message": "wrapped"}}, status=500)
    async with FakeUpstream(wrapped) as first, FakeUpstream(faults.json_response({"ok": 1})) as second:
        both = {"a": provider(first.url), "b": provider(second.url)}
        async with serving_gateway(tmp_path, config_of(both, primary="a/m", fallbacks=("b/m",))) as stand:
            stand.role.router.hooks = Hooks(judge=lambda _, __: MappedError(status=really, message="really"))
            found = await stand.ask(question(""))
            assert found.header("x-clawgate-provider") == served
            assert found.status == (200 if served == "b" else 400)
            await stand.quiet()
        assert first.anomalies == [] == second.anomalies


async def test_through_a_gateway_one_that_is_not_available_is_never_dialled(tmp_path: Path) -> None:
    """503 with its reason, when to come again, and nobody else is asked instead."""
    async with FakeUpstream(faults.json_response({})) as upstream:
        async with serving_gateway(tmp_path, config_of({"a": provider(upstream.url)})) as stand:
            dials = record_dials(stand.role.dialer)
            stand.role.router.hooks = Hooks(
                unavailable=lambda name: ProviderUnavailable(f"{name} rests", retry_after=9)
            )
            found = await stand.ask(question("a/m"))
            assert (found.status, found.json()["error"]["code"]) == (503, "provider_unavailable")
            assert "a rests" in found.json()["error"]["message"] and found.header("retry-after") == "9"
            assert len(dials) == 0
        assert upstream.connections == []


@pytest.mark.parametrize("at", [1, 9, len(KEY), len(KEY) + 1])
@pytest.mark.parametrize(("path", "api"), [(CHAT, OPENAI), (MESSAGES, ANTHROPIC)])
async def test_a_key_that_is_cut_over_two_chunks_is_not_passed_on(
    path: str, api: str, at: int, tmp_path: Path
) -> None:
    """In a stream that goes on as it came, chunk by chunk."""
    key = f"{KEY}a".encode()
    said = (
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\ndata: it is ' + key + b"\n\n"
    )
    cut = said.index(key) + at
    head = faults.head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    first, second = asyncio.Event(), asyncio.Event()
    script = (ReadBody(), Send(head + faults.chunk(b": begin\n\n")), Wait(first), Send(faults.chunk(said[:cut])),
              Wait(second), Send(faults.chunk(said[cut:])), Send(faults.LAST_CHUNK))  # fmt: skip
    async with FakeUpstream(script) as upstream:
        config = config_of({"a": provider(upstream.url, api, name="a")})
        async with serving_gateway(tmp_path, config) as stand, await stand.client() as client:
            await stand.send(client, question("a/m", stream=True), target=path)
            await client.saw(b": begin")
            first.set()
            # Events that are read are passed on whole.
            await client.saw(b"it is " if path == CHAT else b"message_delta")
            second.set()
            found = await client.response()
        assert found.body == b": begin\n\n" + said.replace(key, b"*" * len(key))


class Held:
    """A translation to Messages that waits: `begun` is set when one has begun, `go` lets it end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        translate = ChatToMessages.translate_request

        def slow(exchange: ChatToMessages, body: bytes) -> bytes:
            self.begun.set()
            assert self.go.wait(120), "nobody else was served meanwhile"
            return translate(exchange, body)

        monkeypatch.setattr(attempts, "OFFLOAD_BYTES", 1)
        monkeypatch.setattr(ChatToMessages, "translate_request", slow)


async def test_others_are_served_while_a_large_body_is_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    async with FakeUpstream(faults.json_response(ANSWER)) as upstream:
        config = config_of({"a": provider(upstream.url, ANTHROPIC, models=[{"id": "m"}])})
        async with serving_gateway(tmp_path, config) as stand:
            async with await stand.client() as large:
                await stand.send(large, question("a/m"))
                await until(held.begun.is_set, lambda: "the translation did not begin")
                assert (await stand.ask(None, target="/v1/models")).status == 200
                assert upstream.connections == []
                held.go.set()
                found = await large.response()
            assert found.json()["choices"][0]["message"]["content"] == "hi"
            await stand.quiet()
        assert upstream.anomalies == [] and len(upstream.requests) == 1


async def test_no_provider_is_contacted_for_a_client_that_left_during_translation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    async with FakeUpstream(faults.json_response(ANSWER)) as upstream:
        async with serving_gateway(tmp_path, config_of({"a": provider(upstream.url, ANTHROPIC)})) as stand:
            dials = record_dials(stand.role.dialer)
            async with await stand.client() as large:
                await stand.send(large, question("a/m"))
                await until(held.begun.is_set, lambda: "the translation did not begin")
            await stand.quiet()
            held.go.set()
            assert (await stand.ask(question("a/m"))).status == 200
            assert len(dials) == 1
        assert len(upstream.requests) == 1


async def test_what_cannot_be_carried_of_a_large_body_is_refused_by_its_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "OFFLOAD_BYTES", 1)
    async with FakeUpstream() as upstream:
        async with serving_gateway(tmp_path, config_of({"a": provider(upstream.url, ANTHROPIC)})) as stand:
            found = await stand.ask(question("a/m", n=2))
            assert (found.status, found.json()["error"]["param"]) == (400, "n")
        assert upstream.connections == []


def test_a_rejection_that_a_plugin_finds_in_another_status_is_kept() -> None:
    """As of a login that has expired, which some proxies report with 500; the next response takes it back."""
    hooks = Hooks(judge=lambda status, body: MappedError(status=401, message="run the login"))
    found = attempt(make_provider("a"), hooks=hooks)
    made = writer(found, answer(500))
    made.feed(b"x")
    made.flush(ended=True)
    error = found._provider.failure
    assert error and error.message == "the provider 'a': it rejected the last request: run the login"
    writer(found, answer(200))
    assert found._provider.failure is None


RESPONSES = "/v1/responses"


@pytest.mark.parametrize(
    "hooks", [Hooks(further=("openai-responses",)), NoHooks()], ids=["both", "chat alone"]
)
def test_a_plugin_says_what_else_its_provider_speaks(hooks: NoHooks) -> None:
    """A client of that dialect is not translated; the hook is shown the dialect of the request."""
    seen: list[UpstreamRequest] = []

    def shape(request: UpstreamRequest) -> UpstreamRequest:
        seen.append(request)
        return request

    if isinstance(hooks, Hooks):
        hooks._shape = shape
    found = attempt(make_provider("a", OPENAI), RESPONSES, hooks=hooks, body=b'{"model":"a/m","input":"hi"}')
    both = isinstance(hooks, Hooks)
    lines, body = sent(found)
    assert lines[0] == (b"POST /v1/responses HTTP/1.1" if both else b"POST /v1/chat/completions HTTP/1.1")
    assert ("input" in body) is both
    assert [(one.dialect, dict(one.fields)) for one in seen] == ([("openai-responses", {})] if both else [])


def test_a_model_of_another_api_than_its_provider_s_is_requested_by_it() -> None:
    made = make_provider("a", OPENAI, models=(Model("m", "m", api="openai-responses"),))
    lines, body = sent(attempt(made, CHAT))
    assert lines[0] == b"POST /v1/responses HTTP/1.1" and "input" in body


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_completions_of_a_text_is_an_error_that_names_the_other_path(status: int) -> None:
    found = attempt(make_provider("a", OPENAI), "/v1/completions")
    assert not found.passthrough
    made = writer(found, answer(status))
    made.feed(b'{"error":{"message":"This is a chat model."}}')
    sent_on = made.flush(ended=True)
    assert sent_on.startswith(b"HTTP/1.1 404 ") and b"This is a chat model." in sent_on
    assert b"send a request with 'messages' to /v1/chat/completions" in sent_on


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_any_other_response_to_completions_of_a_text_passes(status: int) -> None:
    made = writer(attempt(make_provider("a", OPENAI), "/v1/completions"), answer(status))
    made.feed(b'{"choices":[{"text":"hi","index":0,"finish_reason":"stop"}]}')
    assert b'{"choices":[{"text":"hi","index":0,"finish_reason":"stop"}]}' in made.flush(ended=True)
