"""Who is asked, with which credential, at which address, and what the client is told of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from clawgate.relay.upstream.dial import Dialer
from demo.models.openai_chat import reply_text
from demo.models.openai_server import build_model, running
from tests.e2e.gateway_stand import (
    CHAT,
    CHAT_KEY,
    CLAUDE,
    CLAUDE_KEY,
    GATEWAY_TOKEN,
    SECRETS,
    chat_provider,
    claude_provider,
    config_of,
    serving_gateway,
    whole_stand,
)
from tests.peers import faults
from tests.peers.upstream import FakeUpstream

ASK: Any = [{"role": "user", "content": "hello"}]
NOBODY = "http://127.0.0.1:9"
"""Where nothing listens."""


def chain(primary: str, *fallbacks: str) -> dict[str, Any]:
    return {"defaults": {"model": {"primary": primary, "fallbacks": list(fallbacks)}}}


async def test_each_provider_gets_its_own_credential_and_nothing_else(tmp_path: Path) -> None:
    """Of all bytes that left, for both clients and whatever they send along: one credential, once, and no other."""
    foreign = {
        "x-api-key": GATEWAY_TOKEN, "Cookie": "session=of-the-client", "x-stainless-lang": "python",
        "Proxy-Authorization": "Basic b2YtdGhlLWNsaWVudA==", "X-Team": "of-the-client",
        "OpenAI-Organization": "org-of-the-client",
    }  # fmt: skip
    async with (
        FakeUpstream(faults.error_response(400)) as chat,
        FakeUpstream(faults.error_response(400)) as claude,
    ):
        providers = {CHAT: chat_provider(chat.url), CLAUDE: claude_provider(claude.url)}
        with serving_gateway(config_of(providers), tmp_path) as gateway:
            async with gateway.async_openai() as openai_client, gateway.async_anthropic() as asker:
                for provider in providers:
                    with pytest.raises(openai.BadRequestError):
                        await openai_client.chat.completions.create(
                            model=f"{provider}/m", messages=ASK, extra_headers=foreign
                        )
                    with pytest.raises(anthropic.BadRequestError):
                        await asker.messages.create(
                            model=f"{provider}/m", messages=ASK, max_tokens=9, extra_headers=foreign
                        )
        for upstream, own in ((chat, CHAT_KEY), (claude, CLAUDE_KEY)):
            assert len(upstream.requests) == 2 and upstream.anomalies == []
            for request in upstream.requests:
                assert request.raw.count(own.encode()) == 1
                for secret in {*SECRETS, "of-the-client", "b2YtdGhlLWNsaWVudA"} - {own}:
                    assert secret.encode() not in request.raw
        assert {request.header("authorization") for request in chat.requests} == {f"Bearer {CHAT_KEY}"}
        assert {request.header("x-api-key") for request in chat.requests} == {None}
        assert {request.header("x-api-key") for request in claude.requests} == {CLAUDE_KEY}
        assert {request.header("authorization") for request in claude.requests} == {None}


def test_a_fallback_is_asked_in_its_own_dialect_and_named(tmp_path: Path) -> None:
    """The default fails, the operator's fallback answers; the head of the answer tells of both."""
    with whole_stand(
        tmp_path, agents=chain(f"{CHAT}/error-503", f"{CHAT}/error-429", f"{CLAUDE}/claude-demo")
    ) as stand:
        with stand.gateway.openai() as client:
            raw = client.chat.completions.with_raw_response.create(model="default", messages=ASK)
            assert raw.parse().choices[0].message.content == reply_text("hello")
            assert raw.headers["x-clawgate-provider"] == CLAUDE
            assert raw.headers["x-clawgate-model"] == "claude-demo"
            assert raw.headers["x-clawgate-attempts"] == (
                f"{CHAT}/error-503 status 503; {CHAT}/error-429 status 429; {CLAUDE}/claude-demo"
            )
            words = client.chat.completions.create(model="Default", messages=ASK, stream=True)
            assert "".join(part.choices[0].delta.content or "" for part in words) == reply_text("hello")
        with stand.gateway.anthropic() as asker:
            answer = asker.messages.with_raw_response.create(model="default", messages=ASK, max_tokens=99)
            assert answer.headers["x-clawgate-provider"] == CLAUDE
        assert [seen.path for seen in stand.seen(CLAUDE)] == ["/v1/messages"] * 3
        assert len(stand.seen(CHAT)) == 6


def test_a_request_that_is_at_fault_falls_back_to_nobody(tmp_path: Path) -> None:
    with whole_stand(tmp_path, agents=chain(f"{CHAT}/error-400", f"{CLAUDE}/claude-demo")) as stand:
        with stand.gateway.openai() as client, pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="default", messages=ASK)
        assert stand.seen(CLAUDE) == []


def test_a_default_that_is_down_or_silent_is_stood_in_for(tmp_path: Path) -> None:
    """Nobody listens; nobody answers within timeoutSeconds: the next one does, and the reasons are named."""
    chat = build_model(api_key=CHAT_KEY)
    with running(chat) as url:
        providers = {
            "down": claude_provider(NOBODY),
            "silent": chat_provider(url, timeoutSeconds=0.2),
            CHAT: chat_provider(url),
        }
        agents = chain("down/m", "silent/hang", f"{CHAT}/gpt-4o-mini")
        with (
            serving_gateway(config_of(providers, agents=agents), tmp_path) as gateway,
            gateway.openai() as client,
        ):
            raw = client.chat.completions.with_raw_response.create(model="default", messages=ASK, stream=True)
            assert raw.headers["x-clawgate-attempts"] == (
                f"down/m unreachable; silent/hang timed out (first_byte); {CHAT}/gpt-4o-mini"
            )
            words = "".join(part.choices[0].delta.content or "" for part in raw.parse())
            assert words == reply_text("hello")


@pytest.mark.parametrize("fault", ["cut-in-stream", "error-in-stream"])
@pytest.mark.parametrize("default", [CHAT, CLAUDE])
def test_an_answer_that_has_begun_is_never_begun_again_elsewhere(
    default: str, fault: str, tmp_path: Path
) -> None:
    """In mid-stream there is no fallback: the client sees the error, and nobody else is asked."""
    other = CLAUDE if default == CHAT else CHAT
    with whole_stand(tmp_path, agents=chain(f"{default}/{fault}", f"{other}/m")) as stand:
        with stand.gateway.openai() as client:
            words = client.chat.completions.create(model="default", messages=ASK, stream=True)
            with pytest.raises(openai.APIError):
                list(words)
        with stand.gateway.anthropic() as asker:
            told = asker.messages.create(model="default", messages=ASK, max_tokens=99, stream=True)
            with pytest.raises(anthropic.APIError):
                list(told)
        assert stand.seen(other) == []


def test_who_is_named_is_asked_or_nobody(tmp_path: Path) -> None:
    """A provider that is down: 503 with its name and the setting, and no other address was dialled."""
    with running(build_model(api_key=CHAT_KEY)) as other:
        providers = {"down": chat_provider(NOBODY), CHAT: chat_provider(other)}
        agents = chain(f"{CHAT}/gpt-4o-mini", f"{CHAT}/other")
        with serving_gateway(config_of(providers, agents=agents), tmp_path) as gateway:
            with gateway.openai() as client, pytest.raises(openai.InternalServerError) as chatted:
                client.chat.completions.create(model="down/m", messages=ASK)
            assert (chatted.value.status_code, chatted.value.code) == (503, "provider_unavailable")
            assert "'down'" in chatted.value.message
            assert "models.providers.down.baseUrl" in chatted.value.message
            with gateway.anthropic() as asker, pytest.raises(anthropic.InternalServerError) as asked:
                asker.messages.create(model="down/m", messages=ASK, max_tokens=9)
            body: Any = asked.value.body
            assert body["error"]["code"] == "provider_unavailable"
            assert set(gateway.dialled) == {("127.0.0.1", 9, "127.0.0.1")}


def test_when_all_of_a_chain_are_down_the_last_word_names_them(tmp_path: Path) -> None:
    providers = {"one": chat_provider(NOBODY), "two": claude_provider("http://127.0.0.1:7")}
    with (
        serving_gateway(config_of(providers, agents=chain("one/m", "two/m")), tmp_path) as gateway,
        gateway.openai() as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="default", messages=ASK)
        assert caught.value.code == "provider_unavailable"
        assert "'two'" in caught.value.message and "one/m unreachable" in caught.value.message
        assert [port for _, port, _ in gateway.dialled] == [9, 7]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.7.7", "fd12::1"])
def test_a_private_address_that_nobody_allowed_is_not_dialled(address: str, tmp_path: Path) -> None:
    """403 with the setting that would allow it, whether it stands in the config or a name leads there."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        return [address]

    literal = f"[{address}]" if ":" in address else address
    for host in ("inference.example", literal):
        providers = {"own": chat_provider(f"http://{host}:9", request={})}
        with serving_gateway(config_of(providers), tmp_path, dialer=Dialer(resolver)) as gateway:
            with gateway.openai() as client, pytest.raises(openai.PermissionDeniedError) as chatted:
                client.chat.completions.create(model="own/m", messages=ASK)
            assert chatted.value.code == "private_network_blocked"
            assert "models.providers.own.request.allowPrivateNetwork" in chatted.value.message
            with gateway.anthropic() as asker, pytest.raises(anthropic.PermissionDeniedError):
                asker.messages.create(model="own/m", messages=ASK, max_tokens=9)
            # What the config says is known before the dialer; a name is resolved, and nothing is dialled.
            assert [dialled for _, _, dialled in gateway.dialled] == ([None, None] if host != literal else [])


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200"])
def test_metadata_is_not_dialled_whatever_is_allowed(address: str, tmp_path: Path) -> None:
    """Also for a provider that may be on a private network: a name that leads there is refused."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1", address]

    providers = {"own": chat_provider("http://inference.example:9")}
    with (
        serving_gateway(config_of(providers), tmp_path, dialer=Dialer(resolver)) as gateway,
        gateway.openai() as client,
    ):
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(model="own/m", messages=ASK)
        assert caught.value.code == "private_network_blocked"
        assert [dialled for _, _, dialled in gateway.dialled] == [None]


def test_a_provider_without_its_key_is_not_asked(tmp_path: Path) -> None:
    """503 with the variable that is not set; the others go on, and models that cannot be had are not listed."""
    with running(build_model(api_key=CHAT_KEY)) as url:
        providers = {"bare": chat_provider(url) | {"apiKey": "${NOT_SET_ANYWHERE}"}, CHAT: chat_provider(url)}
        with serving_gateway(config_of(providers), tmp_path) as gateway, gateway.openai() as client:
            with pytest.raises(openai.InternalServerError) as caught:
                client.chat.completions.create(model="bare/m", messages=ASK)
            assert (caught.value.status_code, caught.value.code) == (503, "provider_not_configured")
            assert "NOT_SET_ANYWHERE" in caught.value.message
            assert gateway.dialled == []
            assert [model.id for model in client.models.list()] == [f"{CHAT}/gpt-4o-mini"]
            assert client.chat.completions.create(model=f"{CHAT}/m", messages=ASK).choices


def test_a_changed_file_counts_for_the_next_request(tmp_path: Path) -> None:
    """A stream under way is not dropped, and goes on from where it began; the next request goes elsewhere."""
    first, second = build_model(api_key=CHAT_KEY), build_model(api_key=CHAT_KEY)
    with running(first) as one, running(second) as two:
        before = config_of({CHAT: chat_provider(one)})
        with serving_gateway(before, tmp_path) as gateway, gateway.openai() as client:
            stream = client.chat.completions.create(model=f"{CHAT}/delay-20", messages=ASK, stream=True)
            text = next(stream).choices[0].delta.content or ""
            gateway.reconfigure(config_of({CHAT: chat_provider(two)}))
            client.chat.completions.create(model=f"{CHAT}/m", messages=ASK)
            assert (len(first.state.seen), len(second.state.seen)) == (1, 1)
            assert text + "".join(part.choices[0].delta.content or "" for part in stream) == reply_text(
                "hello"
            )

            gateway.reconfigure(config_of({"renamed": chat_provider(two)}))
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model=f"{CHAT}/m", messages=ASK)
            assert [model.id for model in client.models.list()] == ["renamed/gpt-4o-mini"]


@pytest.mark.parametrize("broken", [{"gateway": {"port": "yes"}}, {"models": {"mode": 7}}])
def test_a_broken_edit_changes_nothing(
    broken: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The running settings stay, the log says why, and the next good edit is used."""
    with running(build_model(api_key=CHAT_KEY)) as url:
        good = config_of({CHAT: chat_provider(url)})
        with serving_gateway(good, tmp_path) as gateway, gateway.openai() as client:
            gateway.reconfigure({key: good[key] | broken.get(key, {}) for key in good})
            assert client.chat.completions.create(model=f"{CHAT}/m", messages=ASK).choices
            assert [record for record in caplog.records if "NOT used" in record.message]
            assert not any(secret in caplog.text for secret in SECRETS)
            gateway.reconfigure(config_of({"other": chat_provider(url)}))
            assert client.chat.completions.create(model="other/m", messages=ASK).choices


@pytest.mark.parametrize(
    ("broken", "error", "text"),
    [
        ("{ gateway: ", openai.InternalServerError, "clawgate doctor"),
        ("[]", openai.InternalServerError, "clawgate doctor"),
        ('{"gateway": {"port": "yes"}}', openai.AuthenticationError, "no token is accepted now"),
        ("{}", openai.AuthenticationError, "no token is accepted now"),
    ],
)
def test_an_edit_that_leaves_no_readable_token_admits_no_caller(
    broken: str,
    error: type[openai.APIStatusError],
    text: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fail closed: the token may have been removed. The next good edit admits callers again, however many failed."""
    with running(build_model(api_key=CHAT_KEY)) as url:
        good = config_of({CHAT: chat_provider(url)})
        with serving_gateway(good, tmp_path) as gateway, gateway.openai() as client:
            gateway.reconfigure(broken)
            # What cannot be parsed may be half written: it counts at the second look.
            gateway.reconfigure(broken)
            for _ in range(30):
                with pytest.raises(error, match=text):
                    client.models.list()
            with pytest.raises(error) as caught:
                client.models.list()
            assert caught.value.code == (
                "invalid_token" if caught.value.status_code == 401 else "tokens_unreadable"
            )
            assert str(tmp_path) not in caught.value.message
            assert [record for record in caplog.records if "no caller is admitted now" in record.message]
            gateway.reconfigure(good)
            assert client.chat.completions.create(model=f"{CHAT}/m", messages=ASK).choices


def test_a_changed_token_counts_at_once(tmp_path: Path) -> None:
    """The old one is refused from then on, the new one lets in."""
    with running(build_model(api_key=CHAT_KEY)) as url:
        config = config_of({CHAT: chat_provider(url)})
        with serving_gateway(config, tmp_path) as gateway:
            config["gateway"]["auth"]["token"] = "gw-new-6Tz3XqWv8RbNk2Lm"
            gateway.reconfigure(config)
            with gateway.openai() as old, pytest.raises(openai.AuthenticationError):
                old.models.list()
            with gateway.openai(key="gw-new-6Tz3XqWv8RbNk2Lm") as new:
                assert list(new.models.list())


def test_reloads_under_load_lose_no_request(tmp_path: Path) -> None:
    """The config changes again and again while four clients keep asking: every answer is whole."""
    with (
        running(build_model(api_key=CHAT_KEY)) as url,
        serving_gateway(config_of({CHAT: chat_provider(url)}), tmp_path) as gateway,
        ThreadPoolExecutor(4) as pool,
    ):
        over = threading.Event()
        texts: list[str] = []

        def keep_asking() -> None:
            with gateway.openai() as client:
                while not over.is_set():
                    words = client.chat.completions.create(model=f"{CHAT}/m", messages=ASK, stream=True)
                    texts.append("".join(part.choices[0].delta.content or "" for part in words))

        asking = [pool.submit(keep_asking) for _ in range(4)]
        changes = 0
        while len(texts) < 40 and not any(one.done() for one in asking):
            changes += 1
            gateway.reconfigure(config_of({CHAT: chat_provider(url, timeoutSeconds=100 + changes)}))
        over.set()
        for one in asking:
            one.result()
        assert changes > 1 and set(texts) == {reply_text("hello")}
