"""From ``provider/model`` to one upstream after the other: who is asked, with which bytes, and what comes back."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from clawgate.errors import InternalError, InvalidRequest, ModelNotFound, ProviderNotConfigured
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import Catalog
from clawgate.providers.credential import HeaderToken, bearer
from clawgate.providers.provider import Model, Provider
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.response.error_response import status_of
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.routing.router import ModelRouter
from clawgate.wire.dialect import dialect_of
from clawgate.wire.http.url import Origin
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from tests.peers import faults
from tests.peers.script import Hold, ReadBody, Reset, Send, Wait
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import OPEN
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    CLIENT_TOKEN,
    KEY,
    MESSAGES,
    config_of,
    provider,
    question,
    serving_gateway,
)
from tests.routing.no_hooks import NoHooks


def head_of(path: bytes, lines: bytes = b"content-type: application/json\r\n") -> AdmittedHead:
    """What admission made of a request for ``path``."""
    return AdmittedHead(
        upstream=None, caller="me", method=b"POST", path=path, head=b"", has_content_length=True, chunked=False,
        expect_continue=False, dialect=dialect_of(path), target=path, header_lines=lines,
    )  # fmt: skip


HEAD = head_of(b"/v1/chat/completions")
GOOD = faults.json_response({"next": "fine"})
PATHS = (CHAT, MESSAGES)


def make_provider(name: str, api: str = "openai-completions", **more: Any) -> Provider:
    made: dict[str, Any] = {
        "origin": Origin("http", f"{name}.example", 80),
        "path": "/v1",
        "credential": bearer(KEY + name),
        **more,
    }
    return Provider(id=name, api=api, **made)


def connect(provider: Provider) -> Upstream:
    if provider.origin is None:
        raise ValueError("it has no place")
    plan = UpstreamConfig(
        name=provider.id,
        endpoint=UpstreamEndpoint(origin=provider.origin, policy=OPEN),
        prefix=provider.path,
        replaces="/v1",
        credential=provider.credential,
        extra_lines=b"".join(HeaderToken(name, value).line() for name, value in provider.headers),
    )
    return Upstream(plan, Dialer(), via=b"clawgate-me")


def make_router(
    *providers: Provider, primary: str | None = None, fallbacks: tuple[str, ...] = ()
) -> ModelRouter:
    made = ModelRouter(connect, lambda: 1_700_000_000.0, NoHooks())
    made.use(catalog(*providers, primary=primary, fallbacks=fallbacks))
    return made


def catalog(*providers: Provider, primary: str | None = None, fallbacks: tuple[str, ...] = ()) -> Catalog:
    refs = [ModelRef.parse(text) for text in fallbacks]
    return Catalog(
        {one.id: one for one in providers},
        {"short": ModelRef("a", "m")},
        ModelRef.parse(primary) if primary else None,
        tuple(ref for ref in refs if ref is not None),
    )


def request_bytes(made: ModelRouter, body: bytes, *, path: bytes = b"/v1/chat/completions") -> bytes:
    attempt = made.route(head_of(path), body).first_attempt()
    return b"".join(bytes(piece) for piece in attempt.request)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"model":"a/m"}', b'{"model":"m"}'),
        (b' {\n "x" : 1.50, "model"\t:  "a/m" ,"y":"\\u00e9"} ', b' {\n "x" : 1.50, "model"\t:  "m" ,"y":"\\u00e9"} '),
        (b'{"model":"short","n":1}', b'{"model":"m","n":1}'),
        (b'{"n":1}', b'{"model":"m","n":1}'),
        (b"{}", b'{"model":"m"}'),
        (b'{"model":null}', b'{"model":"m"}'),
        (b'{"model":"a/x/y/\\u00e9"}', '{"model":"x/y/é"}'.encode()),
    ],
)  # fmt: skip
def test_the_same_dialect_differs_in_the_models_value_alone(body: bytes, sent: bytes) -> None:
    head, _, tail = request_bytes(make_router(make_provider("a"), primary="a/m"), body).partition(b"\r\n\r\n")
    assert tail == sent and head.endswith(b"content-length: %d" % len(sent))
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a.example\r\n")


@pytest.mark.parametrize(
    ("path", "api", "target"),
    [
        (b"/v1/chat/completions", ANTHROPIC, b"POST /v1/messages HTTP/1.1"),
        (b"/v1/messages", "openai-completions", b"POST /v1/chat/completions HTTP/1.1"),
        (b"/v1/messages", ANTHROPIC, b"POST /v1/messages HTTP/1.1"),
        (b"/v1/messages/count_tokens", ANTHROPIC, b"POST /v1/messages/count_tokens HTTP/1.1"),
        (b"/v1/embeddings", "openai-completions", b"POST /v1/embeddings HTTP/1.1"),
        (b"/v1/responses", "openai-responses", b"POST /v1/responses HTTP/1.1"),
        (b"/v1/responses", "openai-completions", b"POST /v1/chat/completions HTTP/1.1"),
        (b"/v1/responses", ANTHROPIC, b"POST /v1/messages HTTP/1.1"),
        (b"/v1/chat/completions", "openai-responses", b"POST /v1/responses HTTP/1.1"),
        (b"/v1/messages", "openai-responses", b"POST /v1/responses HTTP/1.1"),
        (b"/v1/embeddings", "openai-responses", b"POST /v1/embeddings HTTP/1.1"),
        (b"/v1/completions", "openai-completions", b"POST /v1/completions HTTP/1.1"),
        (b"/v1/completions", "openai-responses", b"POST /v1/completions HTTP/1.1"),
    ],
)
def test_where_a_dialect_is_spoken(path: bytes, api: str, target: bytes) -> None:
    """The route of the provider's dialect; Anthropic's always with a version."""
    body = b'{"model":"a/m","input":"hi"}' if path == b"/v1/responses" else question("a/m")
    sent = request_bytes(make_router(make_provider("a", api)), body, path=path)
    assert sent.startswith(target)
    assert sent.count(b"anthropic-version: ") == (api == ANTHROPIC)
    assert sent.count(b"content-type: application/json\r\n") == 1


@pytest.mark.parametrize(
    ("path", "api"),
    [
        (b"/v1/embeddings", ANTHROPIC),
        (b"/v1/completions", ANTHROPIC),
    ],
)
def test_what_has_no_counterpart_is_the_requests_fault(path: bytes, api: str) -> None:
    with pytest.raises(InvalidRequest, match="has no counterpart"):
        request_bytes(make_router(make_provider("a", api)), question("a/m"), path=path)


def test_the_versions_of_the_client_and_of_the_operator_win_in_this_order() -> None:
    """Never two lines of one name."""
    theirs = head_of(b"/v1/messages", b"anthropic-version: 2099-01-01\r\n")
    plan = make_router(make_provider("a", ANTHROPIC)).route(theirs, question("a/m"))
    assert bytes(plan.first_attempt().request[0]).count(b"anthropic-version: 2099-01-01\r\n") == 1
    operators = make_provider("a", ANTHROPIC, headers=(("Anthropic-Version", "2000-01-01"),))
    head = bytes(make_router(operators).route(theirs, question("a/m")).first_attempt().request[0])
    assert head.lower().count(b"anthropic-version: ") == 1 and b"2000-01-01" in head


def test_the_models_own_limits_reach_the_translation() -> None:
    """Anthropic's API has to be told how long an answer may be; OpenAI's field has two names."""
    limited = make_provider("a", ANTHROPIC, models=(Model("m", "m", max_tokens=77),))
    body = b'{"model":"a/m","messages":[{"role":"user","content":"x"}]}'
    assert json.loads(request_bytes(make_router(limited), body).partition(b"\r\n\r\n")[2])["max_tokens"] == 77
    newer = make_provider(
        "b", models=(Model("m", "m", compat=Compat(max_tokens_field="max_completion_tokens")),)
    )
    sent = json.loads(
        request_bytes(make_router(newer), question("b/m"), path=b"/v1/messages").partition(b"\r\n\r\n")[2]
    )
    assert sent["max_completion_tokens"] == 50 and "max_tokens" not in sent


@pytest.mark.parametrize(
    ("host", "compat", "field"),
    [
        ("api.openai.com", NO_COMPAT, "max_completion_tokens"),
        ("mine.openai.azure.com", NO_COMPAT, "max_completion_tokens"),
        ("api.openai.com", Compat(max_tokens_field="max_tokens"), "max_tokens"),
        ("notapi.openai.com.example", NO_COMPAT, "max_tokens"),
    ],
)
def test_the_token_limit_is_sent_under_one_name(host: str, compat: Compat, field: str) -> None:
    there = make_provider("b", origin=Origin("https", host, 443), models=(Model("m", "m", compat=compat),))
    sent = request_bytes(make_router(there), question("b/m"), path=b"/v1/messages").partition(b"\r\n\r\n")[2]
    limits = {name: value for name, value in json.loads(sent).items() if name.startswith("max_")}
    assert limits == {field: 50}


def test_a_provider_that_is_not_ready_is_not_asked() -> None:
    """Whether its config says so or its connections cannot be made."""
    made = make_router(make_provider("a", problem="its key is not set"), make_provider("b", origin=None))
    for name, why in (("a", "its key is not set"), ("b", "it has no place")):
        with pytest.raises(ProviderNotConfigured, match=f"'{name}' is not configured: {why}"):
            made.route(HEAD, question(f"{name}/m")).first_attempt()
    assert list(made.upstreams) == []


def test_a_named_model_has_no_fallback_and_the_default_has_its_own() -> None:
    made = make_router(make_provider("a"), make_provider("b"), primary="a/m", fallbacks=("b/n",))
    named = made.route(HEAD, question("b/n"))
    assert named.first_attempt().served_by == "b/n" and named.next_attempt(status=503) is None
    default = made.route(HEAD, question("default"))
    assert default.first_attempt().served_by == "a/m"
    following = default.next_attempt(status=503)
    assert following is not None and following.served_by == "b/n" and default.next_attempt(status=503) is None
    with pytest.raises(ModelNotFound):
        made.route(HEAD, question("c/n"))


def test_connections_are_kept_for_what_did_not_change() -> None:
    """And retired for what did, or is gone."""
    made = make_router(make_provider("a"), make_provider("b"), make_provider("c"))
    before = {name: made.connect(made.catalog.providers[name]).upstream for name in "abc"}
    made.use(catalog(make_provider("a"), make_provider("b", path="/else")))
    assert list(made.upstreams) == [before["a"]]
    assert made.connect(made.catalog.providers["b"]).upstream is not before["b"]
    assert [before[name].pool._retired for name in "abc"] == [False, True, True]


def test_a_plan_made_before_a_reload_leaves_no_old_upstream() -> None:
    """Its fallback may still go to the old place; the next request may not."""
    made = make_router(make_provider("a"), make_provider("b", path="/old"), primary="a/m", fallbacks=("b/n",))
    plan = made.route(HEAD, question("default"))
    plan.first_attempt()
    made.use(catalog(make_provider("a"), make_provider("b", path="/new"), primary="a/m", fallbacks=("b/n",)))
    plan.next_attempt(status=503)
    assert request_bytes(made, question("b/n")).startswith(b"POST /new/chat/completions ")


# Served.


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("api", ["openai-completions", ANTHROPIC])
async def test_one_credential_leaves_and_none_comes_back(path: str, api: str, tmp_path: Path) -> None:
    """Also where the provider repeats its credential and ours in an error, in head and body, in either direction."""
    spill = {
        "error": {"type": "invalid_request_error", "message": f"bad key {KEY}x in {KEY}x"},
        "type": "error",
    }
    fields = (("x-request-id", KEY + "x"), ("set-cookie", f"k={KEY}x"), ("x-clawgate-provider", "forged"),
              ("x-clawgate-attempts", "forged"), ("x-clawgate-else", "forged"))  # fmt: skip
    async with (
        FakeUpstream(faults.json_response(spill, 401, fields)) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url, api, name="x")})) as stand,
    ):
        more = (("Cookie", "a=CLIENTSECRET"), ("X-Api-Key", CLIENT_TOKEN), ("X-Secret", "CLIENTSECRET"))
        answer = await stand.ask(question("x/m"), *more, target=path)
        (request,) = upstream.requests
        assert b"CLIENTSECRET" not in request.raw and b"cookie" not in request.raw_head.lower()
        assert request.raw.count(KEY.encode()) == 1
        assert answer.status == 401 and answer.head is not None
        assert b"UPSTREAMSECRET" not in answer.head.raw + answer.body and b"forged" not in answer.head.raw
        assert answer.header("x-clawgate-provider") == "x" and answer.header("x-clawgate-model") == "m"
        assert answer.header("set-cookie") is None


@pytest.mark.parametrize("text", [rb"sk\/slash-in-it-0123456789", rb"\u0073k/slash-in-it-0123456789"])
async def test_a_credential_is_masked_in_any_spelling_of_json(text: bytes, tmp_path: Path) -> None:
    """The translation reads the spelling, so the client would get it in plain text."""
    body = b'{"type":"error","error":{"type":"authentication_error","message":"bad ' + text + b'"}}'
    async with (
        FakeUpstream((ReadBody(), Send(faults.response(body, 401)))) as upstream,
        serving_gateway(
            tmp_path,
            config_of({"x": provider(upstream.url, ANTHROPIC) | {"apiKey": "sk/slash-in-it-0123456789"}}),
        ) as stand,
    ):
        answer = await stand.ask(question("x/m"))
        assert answer.status == 401 and "slash-in-it" not in answer.json()["error"]["message"]


@pytest.mark.parametrize("key", ["1", "-", "x", "none", "json"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_is_none_spoils_no_head(key: str, path: str, tmp_path: Path) -> None:
    """Servers of one's own take anything for a key, and people write the shortest thing."""
    async with (
        FakeUpstream(faults.json_response({"id": "x1"}, 400, (("x-request-id", "r-1"),))) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url) | {"apiKey": key}})) as stand,
    ):
        answer = await stand.ask(question("x/m"), target=path)
        assert answer.status == 400 and answer.header("content-type") == "application/json"


async def test_a_stream_of_the_same_dialect_passes_byte_for_byte(tmp_path: Path) -> None:
    frames = [b": ping\n\n", b'data: {"a" : 1}\r\n\r\n', "data: é🦞\n\n".encode(), b"event: x\ndata: 1\n\n"]
    async with (
        FakeUpstream(faults.sse_response(frames)) as upstream,
        serving_gateway(tmp_path, config_of({"x": provider(upstream.url)})) as stand,
    ):
        answer = await stand.ask(question("x/m", stream=True))
        assert answer.complete and answer.body == b"".join(frames)
        assert answer.header("x-clawgate-provider") == "x"


@pytest.mark.parametrize(
    "failure",
    [
        faults.error_response(503), faults.error_response(401), faults.error_response(404), faults.rate_limited(),
        faults.garbage_head(), (ReadBody(), Reset()), faults.json_response({}, 302, (("Location", "http://x/"),)),
    ],
    ids=["503", "401", "404", "429", "garbage", "reset", "redirect"],
)  # fmt: skip
async def test_the_chain_is_followed_in_its_order_and_every_failure_is_logged(
    failure: faults.Steps, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each provider once, with its own credential and model; the answer says who was asked."""
    caplog.set_level(logging.WARNING, "clawgate.gateway")
    async with FakeUpstream(failure) as one, FakeUpstream(failure) as two, FakeUpstream(GOOD) as three:
        blocks = {
            name: provider(up.url, name=name) for name, up in zip("abc", (one, two, three), strict=True)
        }
        config = config_of(blocks, primary="a/m", fallbacks=("b/n", "c/o"))
        async with serving_gateway(tmp_path, config) as stand:
            answer = await stand.ask(question("default"))
            assert answer.status == 200 and answer.json() == {"next": "fine"}
            assert answer.header("x-clawgate-provider") == "c" and answer.header("x-clawgate-model") == "o"
            attempts = answer.header("x-clawgate-attempts")
            assert attempts is not None
            assert [part.split(" ")[0] for part in attempts.split("; ")] == ["a/m", "b/n", "c/o"]
            for name, model, up in (("a", "m", one), ("b", "n", two), ("c", "o", three)):
                (request,) = up.requests
                assert request.header_all("authorization") == [f"Bearer {KEY}{name}"]
                assert json.loads(request.body)["model"] == model
            await stand.quiet()
    told = [record.getMessage() for record in caplog.records if " failed: " in record.getMessage()]
    assert [text.split(" ")[0] for text in told] == ["a/m", "b/n"]
    assert told[0].endswith("the next fallback is b/n") and told[1].endswith("the next fallback is c/o")


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422])
async def test_a_request_at_fault_has_no_fallback(status: int, tmp_path: Path) -> None:
    async with FakeUpstream(faults.error_response(status)) as one, FakeUpstream(GOOD) as two:
        blocks = {"a": provider(one.url), "b": provider(two.url)}
        async with serving_gateway(tmp_path, config_of(blocks, primary="a/m", fallbacks=("b/n",))) as stand:
            answer = await stand.ask(question("default"))
            assert answer.status == status and answer.header("x-clawgate-provider") == "a"
            assert two.connections == []


@pytest.mark.parametrize("asked", ["a/m", "short"])
async def test_a_model_that_is_named_fails_rather_than_going_elsewhere(asked: str, tmp_path: Path) -> None:
    """Named in full or by alias, where it is not the configured default."""
    async with FakeUpstream(faults.error_response(503)) as one, FakeUpstream(GOOD) as two:
        blocks = {"a": provider(one.url), "b": provider(two.url)}
        config = config_of(blocks, primary="b/n", fallbacks=("b/o",), aliases={"short": "a/m"})
        async with serving_gateway(tmp_path, config) as stand:
            answer = await stand.ask(question(asked))
            assert answer.status == 503 and answer.header("x-clawgate-provider") == "a"
            assert answer.header("x-clawgate-attempts") is None and two.connections == []


@pytest.mark.parametrize(
    "failure", [faults.error_response(503), (ReadBody(), Reset()), faults.rate_limited()]
)
async def test_the_default_named_in_full_is_served_by_no_other(failure: faults.Steps, tmp_path: Path) -> None:
    """The prompt of a client that asks for a provider does not go to another one."""
    async with FakeUpstream(failure) as one, FakeUpstream(GOOD) as two:
        blocks = {"local": provider(one.url), "b": provider(two.url)}
        config = config_of(blocks, primary="local/m", fallbacks=("b/n",), aliases={"short": "local/m"})
        async with serving_gateway(tmp_path, config) as stand:
            response = await stand.ask(question("local/m"))
            assert response.status >= 400 and two.connections == []
            for name in ("default", "short"):
                assert (await stand.ask(question(name))).header("x-clawgate-provider") == "b"


async def test_nothing_is_tried_after_the_first_byte(tmp_path: Path) -> None:
    """A stream that breaks is broken: an error in it, no second provider."""
    wire = faults.sse_bytes()
    async with FakeUpstream(faults.cut(wire, len(wire) // 2)) as one, FakeUpstream(GOOD) as two:
        blocks = {"a": provider(one.url), "b": provider(two.url)}
        async with serving_gateway(tmp_path, config_of(blocks, primary="a/m", fallbacks=("b/n",))) as stand:
            answer = await stand.ask(question("default", stream=True))
            assert answer.status == 200 and not answer.complete and b"upstream_closed" in answer.body
            assert b"[DONE]" not in answer.body and two.connections == []


@pytest.mark.parametrize("limit", ["first_byte", "total"])
async def test_the_last_providers_time_out_is_answered(limit: str, tmp_path: Path) -> None:
    """After another one failed as well: 504 with the limit's name, and both are told of."""
    async with (
        FakeUpstream(faults.error_response(503)) as one,
        FakeUpstream(faults.never_responds()) as two,
    ):
        blocks = {"a": provider(one.url), "b": provider(two.url)}
        async with serving_gateway(tmp_path, config_of(blocks, primary="a/m", fallbacks=("b/n",))) as stand:
            stand.limit("b", **{"connect": 1.0, "first_byte": 5.0, "idle": 5.0, "total": 5.0} | {limit: 0.2})
            async with await stand.client() as client:
                await stand.send(client, question("default"))
                answer = await client.response()
            assert answer.status == 504 and f"limit '{limit}'" in answer.json()["error"]["message"]
            assert "a/m status 503" in answer.json()["error"]["message"]
            await two.saw_close(0)


async def test_a_provider_that_times_out_has_a_fallback_but_not_for_the_total(tmp_path: Path) -> None:
    async with FakeUpstream(faults.never_responds()) as one, FakeUpstream(GOOD) as two:
        blocks = {"a": provider(one.url), "b": provider(two.url)}
        async with serving_gateway(tmp_path, config_of(blocks, primary="a/m", fallbacks=("b/n",))) as stand:
            stand.limit("a", connect=1, first_byte=0.2, idle=5, total=5)
            answer = await stand.ask(question("default"))
            assert answer.status == 200
            assert answer.header("x-clawgate-attempts") == "a/m timed out (first_byte); b/n"
            await one.saw_close(0)
            stand.limit("a", connect=1, first_byte=5, idle=5, total=0.2)
            answer = await stand.ask(question("default"))
            assert answer.status == 504 and len(two.requests) == 1


async def test_the_provider_that_failed_is_the_one_that_is_named(tmp_path: Path) -> None:
    """Not the fallback behind it, which was never asked."""
    async with FakeUpstream() as gone:
        nobody = gone.url
    blocks = {"a": provider(nobody), "b": {"api": "openai-completions"}}
    async with serving_gateway(tmp_path, config_of(blocks, primary="a/m", fallbacks=("b/n",))) as stand:
        answer = await stand.ask(question("default"))
        assert answer.status == 503 and answer.json()["error"]["code"] == "provider_unavailable"
        said = answer.json()["error"]["message"]
        assert said.startswith("service unavailable: the provider 'a' is not available")
        assert said.count("is it running") == 1 and "models.providers.a.baseUrl" in said


@pytest.mark.parametrize("path", PATHS)
async def test_a_provider_that_is_not_there_is_503_with_its_code(path: str, tmp_path: Path) -> None:
    """In the client's dialect: down, or not configured."""
    async with FakeUpstream() as gone:
        nobody = gone.url
    blocks = {"down": provider(nobody), "bare": {"api": "openai-completions"}}
    async with serving_gateway(tmp_path, config_of(blocks)) as stand:
        for name, code in (("down", "provider_unavailable"), ("bare", "provider_not_configured")):
            answer = await stand.ask(question(f"{name}/m"), target=path)
            assert answer.status == 503 and answer.json()["error"]["code"] == code
            assert f"'{name}'" in answer.json()["error"]["message"]
            assert ("type" in answer.json()) == (path == MESSAGES)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("phase", ["before the head", "in the stream", "in the answer"])
@pytest.mark.parametrize("api", ["openai-completions", ANTHROPIC])
async def test_a_client_that_leaves_frees_the_provider(phase: str, api: str, tmp_path: Path) -> None:
    """Spliced and translated, in every phase; no fallback is tried for nobody."""
    scripts: dict[str, faults.Steps] = {
        "before the head": faults.never_responds(),
        "in the stream": (ReadBody(), Send(STREAM_HEAD + faults.chunk(b": ping\n\n")), Hold()),
        "in the answer": faults.stalls_after(
            faults.response(b'{"a":1}'), len(faults.response(b'{"a":1}')) - 1
        ),
    }
    async with FakeUpstream(scripts[phase]) as upstream, FakeUpstream(GOOD) as other:
        blocks = {"x": provider(upstream.url, api), "y": provider(other.url)}
        async with serving_gateway(tmp_path, config_of(blocks, primary="x/m", fallbacks=("y/n",))) as stand:
            async with await stand.client() as client:
                await stand.send(client, question("default", stream=phase == "in the stream"))
                await upstream.saw_body(0)
            await upstream.saw_close(0)
            await stand.quiet()
            assert other.connections == []


async def test_connections_are_reused_for_each_provider_by_itself(tmp_path: Path) -> None:
    async with FakeUpstream(GOOD) as one, FakeUpstream(GOOD) as two:
        blocks = {"a": provider(one.url), "b": provider(two.url)}
        async with serving_gateway(tmp_path, config_of(blocks)) as stand:
            for _ in range(3):
                assert (await stand.ask(question("a/m"))).status == 200
                assert (await stand.ask(question("b/m"))).status == 200
            assert (len(one.connections), len(one.requests)) == (1, 3)
            assert (len(two.connections), len(two.requests)) == (1, 3)


async def test_two_providers_at_one_place_never_share_a_connection(tmp_path: Path) -> None:
    """A connection carries one credential."""
    async with FakeUpstream(GOOD) as upstream:
        blocks = {name: provider(upstream.url, name=name) for name in "ab"}
        async with serving_gateway(tmp_path, config_of(blocks)) as stand:
            for name in "abab":
                await stand.ask(question(f"{name}/m"))
    assert [request.connection.number for request in upstream.requests] == [0, 1, 0, 1]
    for connection in upstream.connections:
        assert len({request.header("authorization") for request in connection.requests}) == 1


async def test_a_change_of_the_config_leaves_a_running_stream_alone(tmp_path: Path) -> None:
    """It ends as it began, over its old connection, which is closed behind it; the next request takes the new way."""
    gates = [asyncio.Event() for _ in faults.CHAT_FRAMES]
    gates[0].set()
    async with FakeUpstream(faults.sse_gated(gates)) as old, FakeUpstream(GOOD) as new:
        config = config_of({"x": provider(old.url, name="old")})
        async with serving_gateway(tmp_path, config) as stand, await stand.client() as client:
            await stand.send(client, question("x/m", stream=True))
            await client.saw(faults.CHAT_FRAMES[0])
            stand.rewrite(config_of({"x": provider(new.url, name="new")}))
            answer = await stand.ask(question("x/m"))
            assert answer.json() == {"next": "fine"}
            assert new.requests[0].header("authorization") == f"Bearer {KEY}new"
            assert stand.role.router.running_requests("x") == 1 and not stand.role.router.running_requests(
                "y"
            )
            for gate in gates:
                gate.set()
            streamed = await client.response()
            assert not stand.role.router.running_requests("x")
            assert streamed.complete and streamed.body == b"".join(faults.CHAT_FRAMES)
            await old.saw_close(0)
            answer = await stand.ask(question("x/m"), client=client)
            assert answer.status == 200 and len(old.requests) == 1


async def test_a_fallback_after_a_change_does_not_bring_the_old_credential_back(tmp_path: Path) -> None:
    gate = asyncio.Event()
    slow = (ReadBody(), Wait(gate), *faults.error_response(503)[1:])
    async with FakeUpstream(slow) as one, FakeUpstream(GOOD) as old, FakeUpstream(GOOD) as new:

        def config(url: str, name: str) -> dict[str, Any]:
            blocks = {"a": provider(one.url), "b": provider(url, name=name)}
            return config_of(blocks, primary="a/m", fallbacks=("b/n",))

        async with serving_gateway(tmp_path, config(old.url, "old")) as stand:
            async with await stand.client() as client:
                await stand.send(client, question("default"))
                await one.saw_body(0)
                stand.rewrite(config(new.url, "new"))
                gate.set()
                assert (await client.response()).status == 200
            seen = len(old.requests)
            assert (await stand.ask(question("b/n"))).status == 200
            assert (
                len(old.requests) == seen and new.requests[-1].header("authorization") == f"Bearer {KEY}new"
            )


def test_tokens_that_the_provider_cannot_count_are_estimated_in_a_thread_before_a_fallback_is_used() -> None:
    router = make_router(make_provider("a", ANTHROPIC), make_provider("b"), primary="a/m", fallbacks=("b/m",))
    plan = router.route(head_of(b"/v1/messages/count_tokens"), question(""))
    first = plan.first_attempt()
    assert plan.next_attempt(status=404) is first and first.offload is not None
    first.complete(first.offload())
    assert first.response is not None and b"x-clawgate-estimated" in first.response.lines


def test_final_leaves_other_errors_as_they_are() -> None:
    """Where nothing else was tried there is nothing to add."""
    plan = make_router(make_provider("a")).route(HEAD, question("a/m"))
    plan.first_attempt()
    error = InternalError("as it is")
    assert plan.map_error(error) is error


async def test_a_rejected_credential_is_expected_again_until_a_request_succeeds(tmp_path: Path) -> None:
    """It is no reason to send none: `provider_error` decides about that. A success on the fast path counts, too."""
    ok = faults.json_response({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]})
    scripts = [ok, faults.error_response(401, "expired"), ok]
    async with (
        FakeUpstream(*scripts) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)})) as stand,
    ):
        router, found = stand.role.router, []
        for _ in scripts:
            await stand.ask(question("oa/m"))
            assert router.provider_error(router.catalog.providers["oa"]) is None
            error = router.expected_error(router.catalog.providers["oa"])
            found.append(error and (error.code, status_of(error)))
        assert found == [None, ("upstream_unauthorized", 401), None]
