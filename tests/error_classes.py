"""Every error class of clawgate, for tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.errors import GatewayError


def all_errors() -> Iterator[type[GatewayError]]:
    """Yield every class but the root, parents first."""
    queue = GatewayError.__subclasses__()
    while queue:
        error = queue.pop(0)
        yield error
        queue.extend(error.__subclasses__())
