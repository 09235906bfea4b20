from __future__ import annotations

import socket
from decimal import Decimal

import pytest

from clawgate.state.prices import cost_of

NOW = 1_790_000_000.0


def cost(provider: str, model: str, base_url: str | None = None, **tokens: int) -> Decimal | None:
    counted = {"input_tokens": 1000, "output_tokens": 100} | tokens
    return cost_of(provider, model, base_url=base_url, at=NOW, **counted)


def test_a_known_model_has_its_price() -> None:
    assert cost("openai", "gpt-4o-2024-08-06") == Decimal("0.0035")
    assert cost("anthropic", "claude-sonnet-4-5") == Decimal("0.0045")
    assert cost("openai", "gpt-4o-2024-08-06", base_url="https://api.openai.com/v1") == Decimal("0.0035")


def test_what_was_read_from_a_cache_has_the_price_of_that() -> None:
    assert cost("openai", "gpt-4o-2024-08-06", cached_tokens=1000) == Decimal("0.00225")
    assert cost("openai", "gpt-4o-2024-08-06", cached_tokens=9999) == Decimal("0.00225"), (
        "a count beyond reason"
    )


def test_what_was_written_to_a_cache_has_the_price_of_that() -> None:
    assert cost("anthropic", "claude-sonnet-4-5", cache_write_tokens=1000) == Decimal("0.00525")
    assert cost("anthropic", "claude-sonnet-4-5", cached_tokens=400, cache_write_tokens=9999) == Decimal(
        "0.00387"
    )


@pytest.mark.parametrize(
    ("provider", "model", "base_url"),
    [
        ("owl", "gpt-4o", None),
        ("openai-local", "gpt-4o", None),
        ("my-anthropic", "claude-sonnet-4-5", None),
        ("openai", "gpt-4o", "http://127.0.0.1:8000/v1"),
        ("openai", "no-such-model", None),
        ("openai", "", None),
        ("", "gpt-4o", None),
        ("openai", "gpt-4o", ""),
    ],
)
def test_an_unknown_price_is_none_and_not_zero(provider: str, model: str, base_url: str | None) -> None:
    assert cost(provider, model, base_url) is None


def test_a_provider_of_any_name_has_the_prices_of_its_address() -> None:
    assert cost("work", "gpt-4o-2024-08-06", base_url="https://api.openai.com/v1") == Decimal("0.0035")


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("a price list must not be fetched")

    monkeypatch.setattr(socket.socket, "connect", no_socket)
    assert cost("openai", "gpt-4o-2024-08-06") is not None and cost("owl", "gpt-4o") is None
