"""A request is changed as its model's config and its provider's address demand."""

from __future__ import annotations

import pytest

from clawgate.errors import InvalidRequest
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.provider import Model, Provider
from clawgate.routing.request_changes import compat_of, same_dialect_changes, spoken_upstream, translation_to
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.url import Origin
from clawgate.wire.translate.compat import NO_COMPAT, Compat

CHAT, RESPONSES, ANTHROPIC = "openai-completions", "openai-responses", "anthropic-messages"


def provider(api: str = "openai-completions", host: str = "e.test") -> Provider:
    return Provider(id="p", api=api, origin=Origin("https", host, 443))


@pytest.mark.parametrize(
    ("api", "model", "reasons"),
    [
        ("openai-completions", None, True),
        ("openai-completions", Model("m", "m"), False),
        ("openai-completions", Model("m", "m", reasoning=True), True),
        ("openai-completions", Model("m", "m", compat=Compat(supports_reasoning_effort=True)), True),
        ("anthropic-messages", Model("m", "m"), True),
    ],
)
def test_compat_says_whether_a_model_reasons(api: str, model: Model | None, reasons: bool) -> None:
    assert compat_of(provider(api), model).reasoning == reasons


@pytest.mark.parametrize(
    ("host", "is_changed"),
    [
        ("api.anthropic.com", False),
        ("anthropic.com", False),
        ("anthropic.com.e.test", True),
        ("notanthropic.com", True),
    ],
)
def test_anthropic_itself_gets_what_is_anthropics(host: str, is_changed: bool) -> None:
    changes = same_dialect_changes(provider("anthropic-messages", host), NO_COMPAT)
    assert changes.changes(b"/v1/messages", b'{"thread":{"type":"create"}}') == is_changed


def test_a_path_without_a_counterpart_is_rejected_with_those_that_have_one() -> None:
    with pytest.raises(InvalidRequest, match="/v1/embeddings has no counterpart"):
        translation_to(
            provider("anthropic-messages"),
            ModelRef("p", "m"),
            None,
            NO_COMPAT,
            path=b"/v1/embeddings",
            upstream=Dialect.CHAT,
            requested_model="p/m",
            created=1,
        )


@pytest.mark.parametrize(
    ("path", "apis", "spoken"),
    [
        ("/v1/chat/completions", (CHAT, RESPONSES), CHAT),
        ("/v1/responses", (CHAT, RESPONSES), RESPONSES),
        ("/v1/responses", (CHAT,), CHAT),
        ("/v1/responses", (ANTHROPIC,), ANTHROPIC),
        ("/v1/chat/completions", (RESPONSES,), RESPONSES),
        ("/v1/messages", (RESPONSES, CHAT), RESPONSES),
        ("/v1/messages", (CHAT, ANTHROPIC), ANTHROPIC),
        ("/v1/messages/count_tokens", (CHAT,), CHAT),
        ("/v1/responses/input_tokens", (CHAT, RESPONSES), RESPONSES),
        ("/v1/responses/input_tokens", (ANTHROPIC,), ANTHROPIC),
        ("/v1/embeddings", (RESPONSES,), RESPONSES),
        ("/v1/completions", (ANTHROPIC,), ANTHROPIC),
    ],
)
def test_the_clients_dialect_is_spoken_where_the_upstream_has_it(
    path: str, apis: tuple[str, ...], spoken: str
) -> None:
    """Otherwise the one of its ``api``. A path beside both of OpenAI's dialects needs either of them."""
    assert spoken_upstream(path.encode(), apis) == spoken
