"""Returns what a model call cost, by the price list in the wheel of `genai-prices`.

Law: nothing is fetched. A price that is not known is None, never 0; so is that of a provider which is only named like
one with a price: the address of its API decides where it is known, and else its exact id.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot


def cost_of(
    provider: str,
    model: str,
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    at: float,
    base_url: str | None = None,
) -> Decimal | None:
    """Return the cost in US dollars; ``input_tokens`` include those that were read from a cache or written to it."""
    if base_url is None and provider not in {known.id for known in get_snapshot().providers}:
        return None
    read = min(cached_tokens, input_tokens)
    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=read,
        cache_write_tokens=min(cache_write_tokens, input_tokens - read),
    )
    when = datetime.fromtimestamp(at, UTC)
    try:
        if base_url is None:
            price = calc_price(usage, model, provider_id=provider, genai_request_timestamp=when)
        else:
            price = calc_price(usage, model, provider_api_url=base_url, genai_request_timestamp=when)
        return price.total_price
    except LookupError:
        return None
