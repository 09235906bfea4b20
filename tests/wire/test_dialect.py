"""The names of the dialects are those of OpenClaw's config; a client's dialect is that of the path it asks for."""

from __future__ import annotations

import pytest

from clawgate.wire.dialect import Dialect, dialect_of


@pytest.mark.parametrize("name", ["openai-completions", "openai-responses", "anthropic-messages"])
def test_a_dialect_is_read_from_its_name_in_the_config(name: str) -> None:
    assert Dialect(name) == name
    assert len(Dialect) == 3


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (b"/v1/chat/completions", Dialect.CHAT),
        (b"/v1/messages", Dialect.MESSAGES),
        (b"/v1/messages/count_tokens", Dialect.MESSAGES),
        (b"/v1/conversations/conv_1", Dialect.RESPONSES),
        (b"/v1/messages?beta=true", Dialect.MESSAGES),
        (b"/v1/responses", Dialect.RESPONSES),
        (b"/v1/embeddings", Dialect.CHAT),
        (b"/v1/models", Dialect.CHAT),
        (b"/anything/v1/messages", Dialect.CHAT),
        (b"/V1/MESSAGES", Dialect.CHAT),
        (b"", Dialect.CHAT),
    ],
)
def test_the_path_decides_the_dialect(path: bytes, dialect: Dialect) -> None:
    assert dialect_of(path) is dialect
