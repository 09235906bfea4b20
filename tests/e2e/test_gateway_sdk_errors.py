"""Whatever goes wrong behind the gateway, or at its door, is the exception that each client has for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from demo.models.anthropic_messages import events, reply_to_messages
from demo.models.anthropic_server import build_messages_model
from demo.models.openai_server import build_model, running
from tests.e2e.gateway_stand import (
    CHAT,
    CHAT_KEY,
    CLAUDE,
    CLAUDE_KEY,
    Gateway,
    Stand,
    chat_provider,
    claude_provider,
    config_of,
    serving_gateway,
    whole_stand,
)
from tests.e2e.stand import until
from tests.e2e.waiting import poll
from tests.peers import faults
from tests.peers.faults import SSE_FIELDS, chunk, head
from tests.peers.script import Hold, ReadBody, Send, Step
from tests.peers.upstream import FakeUpstream

ASK: Any = [{"role": "user", "content": "hello"}]
PROVIDERS = pytest.mark.parametrize("provider", [CHAT, CLAUDE])
STREAMED = pytest.mark.parametrize("streamed", [False, True])


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with whole_stand(tmp_path_factory.mktemp("gateway")) as stand:
        yield stand


def chat(gateway: Gateway, model: str, *, streamed: bool, **options: Any) -> None:
    """Ask with OpenAI's client, and read all there is."""
    with gateway.openai(**options) as client:
        answer: Any = client.chat.completions.create(model=model, messages=ASK, stream=streamed)
        if streamed:
            list(answer)


def ask(gateway: Gateway, model: str, *, streamed: bool, **options: Any) -> None:
    """Ask with Anthropic's client, and read all there is."""
    with gateway.anthropic(**options) as client:
        answer: Any = client.messages.create(model=model, messages=ASK, max_tokens=99, stream=streamed)
        if streamed:
            list(answer)


def collect(stream: Iterable[Any], into: list[Any]) -> None:
    """Everything that comes, also of a stream that ends in an exception."""
    for part in stream:
        into.append(part)  # noqa: PERF402  # what came before the exception counts


@PROVIDERS
@STREAMED
@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, openai.BadRequestError, "invalid_request_error"),
        (401, openai.AuthenticationError, "authentication_error"),
        (403, openai.PermissionDeniedError, "permission_error"),
        (404, openai.NotFoundError, "invalid_request_error"),
        (413, openai.APIStatusError, "invalid_request_error"),
        (422, openai.UnprocessableEntityError, "invalid_request_error"),
        (500, openai.InternalServerError, "api_error"),
        (529, openai.InternalServerError, "service_unavailable"),
    ],
)
def test_errors_of_a_provider_as_openai_raises_them(
    stand: Stand, provider: str, streamed: bool, status: int, error: type[openai.APIStatusError], kind: str
) -> None:
    """Its status and its message; its type in OpenAI's words, or as it was where it speaks them itself."""
    with pytest.raises(error) as caught:
        chat(stand.gateway, f"{provider}/error-{status}", streamed=streamed)
    assert caught.value.status_code == status
    assert "as the model id requests" in caught.value.message or "Overloaded" in caught.value.message
    if provider == CLAUDE:
        assert caught.value.type == kind
    assert caught.value.response.headers["x-clawgate-provider"] == provider
    assert (caught.value.request_id or "").startswith("req_")


@PROVIDERS
@STREAMED
@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_errors_of_a_provider_as_anthropic_raises_them(
    stand: Stand, provider: str, streamed: bool, status: int, error: type[anthropic.APIStatusError], kind: str
) -> None:
    """Its status, its message, and the type that Anthropic has for that status."""
    with pytest.raises(error) as caught:
        ask(stand.gateway, f"{provider}/error-{status}", streamed=streamed)
    assert caught.value.status_code == status
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert "as the model id requests" in caught.value.message or "Overloaded" in caught.value.message
    assert (caught.value.request_id or "").startswith("req_")


@PROVIDERS
def test_rate_limits_keep_their_retry_after(stand: Stand, provider: str) -> None:
    """And the fields that say how much is left, whichever dialect they are of."""
    with pytest.raises(openai.RateLimitError) as chatted:
        chat(stand.gateway, f"{provider}/error-429", streamed=False)
    with pytest.raises(anthropic.RateLimitError) as asked:
        ask(stand.gateway, f"{provider}/error-429", streamed=True)
    left = "x-ratelimit-remaining-requests" if provider == CHAT else "anthropic-ratelimit-requests-remaining"
    for caught in (chatted.value, asked.value):
        assert caught.response.headers["retry-after"] == "7"
        assert caught.response.headers[left] == "0"


@PROVIDERS
def test_the_clients_own_retries_reach_the_provider(stand: Stand, provider: str) -> None:
    """Two tries for one retry: the gateway neither adds nor hides any."""
    with pytest.raises(openai.InternalServerError):
        chat(stand.gateway, f"{provider}/error-507", streamed=False, retries=1)
    with pytest.raises(anthropic.InternalServerError):
        ask(stand.gateway, f"{provider}/error-508", streamed=False, retries=1)
    bodies = [seen.body for seen in stand.seen(provider)]
    for model in (b"error-507", b"error-508"):
        assert sum(model in body for body in bodies) == 2


@PROVIDERS
@pytest.mark.parametrize("fault", ["error-in-stream", "cut-in-stream"])
def test_a_stream_that_breaks_raises_and_never_looks_finished(
    stand: Stand, provider: str, fault: str
) -> None:
    """The words that came are there; then an exception; no finish reason, no end of the message."""
    code = "overloaded" if fault == "error-in-stream" else "upstream_closed"
    chunks: list[Any] = []
    with stand.gateway.openai() as client:
        words = client.chat.completions.create(model=f"{provider}/{fault}", messages=ASK, stream=True)
        with pytest.raises(openai.APIError) as chatted:
            collect(words, chunks)
    assert code in str(chatted.value.code)
    assert "".join(part.choices[0].delta.content or "" for part in chunks)
    assert [part.choices[0].finish_reason for part in chunks if part.choices[0].finish_reason] == []
    seen: list[Any] = []
    with stand.gateway.anthropic() as asker:
        told = asker.messages.create(model=f"{provider}/{fault}", messages=ASK, max_tokens=99, stream=True)
        with pytest.raises(anthropic.APIError) as asked:
            collect(told, seen)
    body: Any = asked.value.body
    assert body["error"]["type"] in ("overloaded_error", "api_error")
    kinds = {event.type for event in seen}
    assert "content_block_delta" in kinds
    assert not {"message_delta", "message_stop"} & kinds


@PROVIDERS
def test_a_whole_answer_that_breaks_raises(stand: Stand, provider: str) -> None:
    with pytest.raises(openai.APIError):
        chat(stand.gateway, f"{provider}/cut-in-stream", streamed=False)
    with pytest.raises(anthropic.APIError):
        ask(stand.gateway, f"{provider}/cut-in-stream", streamed=False)


@PROVIDERS
def test_silence_beyond_timeout_seconds_is_an_error(provider: str, tmp_path: Path) -> None:
    """504 with what ran out before the answer; the client's error in the stream after it began."""
    chat_model, claude_model = build_model(api_key=CHAT_KEY), build_messages_model(api_key=CLAUDE_KEY)
    with running(chat_model) as chat_url, running(claude_model) as claude_url:
        providers = {
            CHAT: chat_provider(chat_url, timeoutSeconds=0.2),
            CLAUDE: claude_provider(claude_url, timeoutSeconds=0.2),
        }
        with serving_gateway(config_of(providers), tmp_path) as gateway:
            with pytest.raises(openai.InternalServerError) as chatted:
                chat(gateway, f"{provider}/hang", streamed=True)
            assert (chatted.value.status_code, chatted.value.code) == (504, "upstream_timed_out")
            assert "0.2 s" in chatted.value.message
            with pytest.raises(anthropic.APIStatusError) as asked:
                ask(gateway, f"{provider}/hang", streamed=False)
            body: Any = asked.value.body
            assert (asked.value.status_code, body["error"]["type"]) == (504, "timeout_error")
            with pytest.raises(openai.APIError) as broken:
                chat(gateway, f"{provider}/hang-in-stream", streamed=True)
            assert broken.value.code == "upstream_timed_out"
            with pytest.raises(anthropic.APIStatusError) as torn:
                ask(gateway, f"{provider}/hang-in-stream", streamed=True)
            told: Any = torn.value.body
            assert told["error"]["code"] == "upstream_timed_out"


@PROVIDERS
def test_a_client_that_times_out_frees_everything(stand: Stand, provider: str) -> None:
    """Each client's own exception, and nobody is connected any more."""
    with pytest.raises(openai.APITimeoutError):
        chat(stand.gateway, f"{provider}/hang", streamed=True, timeout=0.4)
    with pytest.raises(anthropic.APITimeoutError):
        ask(stand.gateway, f"{provider}/hang", streamed=False, timeout=0.4)
    poll(lambda: stand.gateway.quiet, "the gateway to be rid of both")


def test_a_wrong_token_and_no_model(stand: Stand) -> None:
    """The gateway's own refusals: 401 with no hint of the right token, 404 with the way to ask."""
    for model in ("nobody/there", "there"):
        with pytest.raises(openai.NotFoundError) as lost:
            chat(stand.gateway, model, streamed=True)
        assert (lost.value.code, lost.value.param) == ("model_not_found", "model")
        with pytest.raises(anthropic.NotFoundError) as gone:
            ask(stand.gateway, model, streamed=False)
        body: Any = gone.value.body
        assert body["error"]["type"] == "not_found_error"
    with pytest.raises(openai.AuthenticationError) as chatted:
        chat(stand.gateway, f"{CHAT}/m", streamed=False, key="not-the-token")
    with pytest.raises(anthropic.AuthenticationError) as asked:
        ask(stand.gateway, f"{CHAT}/m", streamed=False, key="not-the-token")
    for caught in (chatted.value, asked.value):
        assert "not-the-token" not in caught.response.text
    with stand.gateway.anthropic(key="not-the-token") as client, pytest.raises(anthropic.AuthenticationError):
        client.models.list()


def test_too_many_wrong_tokens_are_locked_out(tmp_path: Path) -> None:
    """429 with Retry-After, for both clients, even with the right token then; nothing is dialled for any of them."""
    limited = config_of({CHAT: chat_provider("http://127.0.0.1:9")})
    limited["gateway"]["auth"]["rateLimit"] = {"maxAttempts": 2, "exemptLoopback": False}
    with serving_gateway(limited, tmp_path) as gateway:
        for _ in range(2):
            with pytest.raises(openai.AuthenticationError):
                chat(gateway, f"{CHAT}/m", streamed=False, key="not-the-token")
        with pytest.raises(openai.RateLimitError) as chatted:
            chat(gateway, f"{CHAT}/m", streamed=False)
        assert chatted.value.code == "auth_locked"
        assert int(chatted.value.response.headers["retry-after"]) > 0
        with pytest.raises(anthropic.RateLimitError):
            ask(gateway, f"{CHAT}/m", streamed=False)
        assert gateway.dialled == []


def claude_frames() -> list[bytes]:
    """A streamed answer of Anthropic's kind, frame by frame."""
    body = {"model": "m", "max_tokens": 99, "messages": ASK}
    return [
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events(body, reply_to_messages(body))
    ]


@contextlib.asynccontextmanager
async def hanging(provider: str, steps: tuple[Step, ...], folder: Path) -> AsyncIterator[Any]:
    """A gateway whose provider performs the steps and then says nothing more."""
    async with FakeUpstream((ReadBody(), *steps, Hold())) as upstream:
        made = chat_provider(upstream.url) if provider == CHAT else claude_provider(upstream.url)
        with serving_gateway(config_of({provider: made}), folder) as gateway:
            yield gateway, upstream


@PROVIDERS
@pytest.mark.parametrize("client", ["openai", "anthropic"])
@pytest.mark.parametrize("phase", ["before the head", "before the first word", "in mid-stream", "in a whole"])
async def test_a_client_that_leaves_frees_the_provider(
    provider: str, client: str, phase: str, tmp_path: Path
) -> None:
    """In each phase, for each pair of client and provider: the upstream connection ends, nothing is kept."""
    frames = faults.CHAT_FRAMES[:3] if provider == CHAT else claude_frames()[:6]
    opened = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    streamed = phase != "in a whole"
    steps: dict[str, tuple[Step, ...]] = {
        "before the head": (),
        "before the first word": (Send(opened),),
        "in mid-stream": (Send(opened), *(Send(chunk(frame)) for frame in frames)),
        "in a whole": (Send(head(200, [("Content-Type", "application/json"), ("Content-Length", "99")])),),
    }
    heard = asyncio.Event()

    async def talk(gateway: Gateway) -> None:
        answer: Any
        if client == "openai":
            async with gateway.async_openai() as chatter:
                answer = await chatter.chat.completions.create(
                    model=f"{provider}/m", messages=ASK, stream=streamed
                )
                async for _ in answer:
                    heard.set()
            return
        async with gateway.async_anthropic() as asker:
            answer = await asker.messages.create(
                model=f"{provider}/m", messages=ASK, max_tokens=9, stream=streamed
            )
            async for _ in answer:
                heard.set()

    async with hanging(provider, steps[phase], tmp_path) as (gateway, upstream):
        task = asyncio.get_running_loop().create_task(talk(gateway))
        await upstream.saw_body(0)
        if phase == "in mid-stream":
            await asyncio.wait_for(heard.wait(), 10)
        assert not gateway.quiet
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await upstream.saw_close(0)
        await until(lambda: gateway.quiet, "the gateway to be rid of it")
        assert len(upstream.requests) == 1
