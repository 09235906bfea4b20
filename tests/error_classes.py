"""Every class of `clawgate.errors` that has a code."""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.errors import GatewayError


def all_errors() -> Iterator[type[GatewayError]]:
    """Yield the classes, parents first."""
    queue = GatewayError.__subclasses__()
    while queue:
        error = queue.pop(0)
        yield error
        queue.extend(error.__subclasses__())
