"""What does a standard reader of server-sent events dispatch? WHATWG HTML, section 9.2.6, written for this alone.

It answers for the browser, and shares no line with the product.
"""

from __future__ import annotations

import re


def dispatched(stream: bytes) -> list[str]:
    """The data of every event that is dispatched from these bytes; what is unfinished at the end is dropped."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _ = re.split("\r\n|\n|\r", text)
    events: list[str] = []
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                events.append("\n".join(data))
            data = []
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
    return events
