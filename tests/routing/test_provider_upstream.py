"""The head of a request to a provider, encoded once for each head of a client."""

from __future__ import annotations

import pytest

from clawgate.routing import provider_upstream as module
from clawgate.routing.provider_upstream import ProviderUpstream
from tests.routing.gateway_server import ANTHROPIC, KEY
from tests.routing.test_router import connect, make_provider

TARGET = b"/v1/chat/completions"


def made(api: str = "openai-completions", **more: object) -> ProviderUpstream:
    provider = make_provider("a", api, **more)
    return ProviderUpstream(provider, connect(provider))


def test_a_head_ends_where_the_length_belongs() -> None:
    head = made().head(TARGET, b"accept: x\r\n", b"1.1 them")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n") and head.endswith(
        b"\r\ncontent-length: "
    )
    assert head.count(f"authorization: Bearer {KEY}a\r\n".encode()) == 1
    assert b"\r\naccept: x\r\n" in head and b"via: 1.1 them, 1.1 clawgate-me\r\n" in head


def test_the_same_head_is_encoded_once_and_another_is_not_taken_for_it() -> None:
    """Everything that the head depends on is compared."""
    provider = made()
    heads = [
        provider.head(target, lines, via)
        for target in (TARGET, b"/v1/embeddings")
        for lines in (b"", b"accept: x\r\n")
        for via in (b"", b"1.1 them")
    ]
    assert len(set(heads)) == 8
    assert provider.head(TARGET, b"", b"") is heads[0]


def test_the_operators_headers_and_version_are_stronger() -> None:
    lines = b"openai-beta: client\r\naccept: x\r\n"
    head = made(headers=(("OpenAI-Beta", "operator"),)).head(TARGET, lines, b"")
    assert b"client" not in head and head.count(b"operator") == 1 and b"accept: x\r\n" in head
    version = b"anthropic-version: 2099-01-01\r\n"
    assert b"anthropic-version: 2023-06-01\r\n" in made(ANTHROPIC).head(TARGET, b"", b"")
    assert made(ANTHROPIC).head(TARGET, version, b"").count(b"anthropic-version: ") == 1
    assert b"anthropic-version" not in made().head(TARGET, b"", b"")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither many heads nor long ones are kept; lines that differ each time are not remembered at all."""
    monkeypatch.setattr(module, "_MAX_HEADS", 3)
    provider = made()
    for number in range(10):
        assert b"accept: %d\r\n" % number in provider.head(TARGET, b"accept: %d\r\n" % number, b"")
        assert len(provider._heads) <= 3
    provider = made()
    assert b"x" * 5000 in provider.head(TARGET, b"accept: %b\r\n" % (b"x" * 5000), b"")
    provider.encode_head(TARGET, b"x-session: 1\r\n", b"")
    assert provider._heads == {}
