"""What a browser's EventSource would dispatch: the WHATWG parser, written from section 9.2.6 alone, for the tests."""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n|\n|\r")


def dispatched(stream: bytes) -> list[str]:
    """The data of every event that a client has seen once ``stream`` has ended."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    seen: list[str] = []
    data = ""
    for line in _LINE_END.split(text)[:-1]:  # what stands behind the last line end is never looked at
        if not line:
            if data:
                seen.append(data.removesuffix("\n"))
            data = ""
            continue
        field, _, value = line.partition(":")
        if field == "data":
            data += value.removeprefix(" ") + "\n"
    return seen
