"""Named callers of a server that is being served, and their tokens in a file that can be edited."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from tests.e2e.stand import BODY, PATH
from tests.peers.client import RawClient
from tests.peers.response import Response

ALICE = "alice-Kd5WmR7yLpN3vQx8"
BOB = "bob-Zs7TmJhP5xGd8RwKq3"

_ticks = itertools.count(1_700_000_000_000_000_000, 1_000_000_000)


def bearer(token: str) -> tuple[str, str]:
    """The field that presents the token."""
    return ("Authorization", f"Bearer {token}")


def write_tokens(path: Path, **tokens: str) -> Path:
    """Make the file say this, in one step and with a time of its own."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(0o600)
    fresh.write_text("".join(f"{name}:{token}\n" for name, token in tokens.items()))
    tick = next(_ticks)
    os.utime(fresh, ns=(tick, tick))
    fresh.replace(path)
    return path


async def ask(
    client: RawClient,
    token: str | None,
    body: bytes | None = BODY,
    *more: tuple[str, str],
    target: str = PATH,
) -> Response:
    """One request of that token's holder (None: without one) and its response."""
    fields = () if token is None else (bearer(token),)
    await client.request(target, body, fields=(*fields, *more))
    return await client.response()


async def ask_anew(
    url: str, token: str | None, body: bytes | None = BODY, *more: tuple[str, str], target: str = PATH
) -> Response:
    """`ask` on a connection of its own."""
    async with await RawClient.open(url) as client:
        return await ask(client, token, body, *more, target=target)


def code(response: Response) -> tuple[int, str]:
    """Status and error code."""
    return response.status, response.json()["error"]["code"]
