"""A block that is not in the config yet is tested as requests are sent, with its credential alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.cli.auth.wizard.connection_check import listed_models, provider_of, try_block
from clawgate.plugins.api.provider import CheckResult
from clawgate.policy.egress.policy import NO_RULES, NetworkRules
from clawgate.policy.egress.rules import Rule
from tests.e2e.certificates import Authority, server_side
from tests.peers import faults
from tests.peers.script import ReadBody, Send
from tests.peers.upstream import FakeUpstream

KEY = "canary-connection-key"
MODELS = faults.json_response({"data": [{"id": "qwen"}, {"id": "llama"}]})


def tried(*answers: Any, private: bool = True, **block: Any) -> tuple[CheckResult, list[Any]]:
    async def work() -> tuple[CheckResult, list[Any]]:
        async with FakeUpstream(*answers) as upstream:
            made: dict[str, Any] = {
                "baseUrl": f"{upstream.url}/v1",
                "api": "openai-completions",
                "apiKey": "${KEY}",
            }
            made |= {"request": {"allowPrivateNetwork": private}, **block}
            return await try_block("it", made, {"KEY": KEY}), upstream.requests

    return asyncio.run(work())


def test_it_answers_with_its_models() -> None:
    found, (request, other) = tried(MODELS, faults.error_response(405))
    assert (other.method, other.target) == ("GET", "/v1/chat/completions")
    assert found.ok and found.models == ("qwen", "llama") and "2 models listed" in found.message
    assert request.target == "/v1/models"
    assert [value for name, value in request.headers if name.lower() == "authorization"] == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("answer", "says", "step"),
    [
        (faults.error_response(401), "unauthorized", "check the secret"),
        (faults.error_response(404), "not_found", "most end in /v1"),
        (faults.error_response(500), "failing", ""),
        (faults.json_response(["no list"]), "not with a list of models", "most end in /v1"),
        (
            (ReadBody(), Send(faults.response(b"<!DOCTYPE html><p>hi"))),
            "web page (HTML",
            "address of the API",
        ),
    ],
)
def test_a_failed_test_has_a_next_step(answer: Any, says: str, step: str) -> None:
    found, _ = tried(answer)
    assert not found.ok and says in found.message and step in found.next_step and KEY not in found.message


def test_a_list_that_everyone_may_see_does_not_hide_a_rejected_credential() -> None:
    """llama.cpp has no guard before /v1/models."""
    found, _ = tried(MODELS, faults.error_response(401))
    assert not found.ok and "unauthorized" in found.message and "check the secret" in found.next_step
    found, requests = tried(MODELS, api="anthropic-messages")
    assert found.ok and len(requests) == 1


def test_a_list_at_another_path_corrects_the_base_url() -> None:
    """The URL was one with a part too many or without /v1."""

    def at(path: str) -> Any:
        return lambda request: MODELS if request.target == f"{path}/models" else faults.error_response(404)

    async def work(given: str, real: str) -> tuple[CheckResult, str]:
        async with FakeUpstream(at(real)) as upstream:
            block = {"baseUrl": f"{upstream.url}{given}", "request": {"allowPrivateNetwork": True}}
            return await try_block("it", block, {}), upstream.url

    for given, real in (("/openai", "/openai/v1"), ("/models", "/v1"), ("/ui/chat", "/v1")):
        found, url = asyncio.run(work(given, real))
        assert (
            found.ok
            and found.corrected == {"base_url": f"{url}{real}"}
            and f"{url}{real} responds" in found.message
        )
    found, _ = asyncio.run(work("/v1", "/elsewhere"))
    assert not found.ok and not found.corrected
    assert asyncio.run(work("", "/v1"))[0].corrected == {}


def test_an_unknown_authority_is_asked_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "hut")

    async def work(**tls: Any) -> CheckResult:
        async with FakeUpstream(MODELS, tls=server_side(authority.issue("127.0.0.1"))) as upstream:
            block = {"baseUrl": upstream.url, "request": {"allowPrivateNetwork": True, **tls}}
            return await try_block("it", block, {})

    found = asyncio.run(work())
    assert not found.ok and found.ask == ("ca_file",) and "untrusted" in found.message
    assert asyncio.run(work(tls={"ca": authority.file.read_text()})).ok


def test_a_private_address_is_not_dialled_unless_allowed() -> None:
    found, requests = tried(MODELS, private=False)
    assert not found.ok and "blocked" in found.message and requests == []
    assert found.ask == ("private_network",)


def test_a_refused_connection_is_unreachable() -> None:
    async def work() -> CheckResult:
        async with FakeUpstream() as upstream:
            url = upstream.url
        return await try_block("it", {"baseUrl": url, "request": {"allowPrivateNetwork": True}}, {})

    found = asyncio.run(work())
    assert not found.ok and "unreachable" in found.message and "the server is running" in found.next_step


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"apiKey": "${GONE}"}, "models.providers.it.apiKey: the environment variable GONE is not set"),
        ({"timeoutSeconds": "long"}, "models.providers.it.timeoutSeconds: "),
        ({"api": "smoke-signals"}, "is not supported"),
        ({"baseUrl": "http://169.254.169.254/v1"}, "never dialled"),
    ],
)
def test_what_cannot_be_used_is_not_tried(block: dict[str, Any], says: str) -> None:
    found, requests = tried(MODELS, **block)
    assert not found.ok and says in found.message and requests == []


def test_the_provider_is_what_the_config_would_make() -> None:
    provider = provider_of("it", {"baseUrl": "https://x.test/v1", "apiKey": "${KEY}"}, {"KEY": KEY})
    assert provider.base_url == "https://x.test/v1" and provider.auth_kind == "bearer"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (b'{"data":[{"id":"a"},{"id":"a"},{"id":7},"x",{"id":" b"},{"id":"c,d"},{"id":"e\\u001b"}]}', ["a"]),
        (b'{"data":[]}', []),
        (b'{"data":[{"id":"a"},{"id":"cut', []),
        (b'{"models":[]}', None),
        (b'{"data":{}}', None),
        (b"<html>data</html>", None),
        (b"{nonsense", None),
        (b"", None),
        (json.dumps({"data": [{"id": "x" * 201}]}).encode(), []),
    ],
)
def test_only_names_that_can_be_written_are_taken(body: bytes, models: list[str] | None) -> None:
    assert listed_models(body) == models


def test_the_rules_of_the_network_count_for_a_test_too() -> None:
    async def work(network: NetworkRules) -> CheckResult:
        async with FakeUpstream(MODELS, faults.error_response(405)) as upstream:
            block = {"baseUrl": f"{upstream.url}/v1", "api": "openai-completions", "apiKey": "x"}
            return await try_block("it", block, {}, network)

    assert asyncio.run(work(NetworkRules(private=True))).ok
    assert not asyncio.run(work(NO_RULES)).ok
    rules = NetworkRules(private=True, deny=(Rule.parse("127.0.0.0/8"),))
    assert "network.deny" in asyncio.run(work(rules)).message
