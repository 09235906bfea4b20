"""Does this answer's head look like one that was understood before? Then it means the same, but for some values.

The heads of an API's answers differ in a request id, a date, what is left of a limit: values that pass through or are
dropped, and mean nothing to us. A shape is made from a head that llhttp has parsed: an expression that takes exactly
its lines, with any value where the value means nothing (and the characters that RFC 9110 section 5.5 allows there),
and the head that the client gets for it. Framing, type and connection have to be the same to the byte.
"""

from __future__ import annotations

import re

from clawgate.policy.headers import TO_CLIENT, TO_CLIENT_PREFIXES
from clawgate.wire.http.message import HEAD_END, STATUS_LINE

_MEANINGFUL = frozenset(
    {b"connection", b"content-encoding", b"content-type", b"location", b"transfer-encoding", b"upgrade"}
)
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*\r\n"
_LONGEST_HEAD = 8192
_MOST_SHAPES = 4
_MOST_LESSONS = 64


class ResponseHeadPattern:
    """Recognises whole answers of one status whose body has a length."""

    __slots__ = ("_digits", "_order", "_pattern", "_template", "status")

    def __init__(
        self, status: int, pattern: bytes, template: bytes, digits: int, order: tuple[int, ...]
    ) -> None:
        self.status = status
        self._pattern = re.compile(pattern)
        self._template = template
        self._digits = digits
        self._order = order

    @classmethod
    def of(cls, raw: bytes, status: int, extra_headers: bytes) -> ResponseHeadPattern | None:
        """The pattern of a parsed head; ``extra_headers`` are added. None where caching does not pay or is not safe."""
        if len(raw) > _LONGEST_HEAD or not raw.endswith(HEAD_END):
            return None
        first, *lines = raw.removesuffix(HEAD_END).split(b"\r\n")
        pattern = [re.escape(first + b"\r\n")]
        template = [STATUS_LINE[status].replace(b"%", b"%%")]
        order: list[int] = []
        digits = groups = 0
        for line in lines:
            name, colon, value = line.partition(b":")
            field = name.lower()
            passes = field in TO_CLIENT or field.startswith(TO_CLIENT_PREFIXES)
            if field == b"content-length":
                groups += 1
                digits = groups
                pattern.append(re.escape(name) + rb":[\t ]*([0-9]{1,10})[\t ]*\r\n")
            elif field in _MEANINGFUL:
                if field == b"connection" and value.strip().lower() != b"keep-alive":
                    return None
                pattern.append(re.escape(line + b"\r\n"))
                if passes:
                    template.append((line + b"\r\n").replace(b"%", b"%%"))
            elif passes:
                groups += 1
                order.append(groups)
                pattern.append(b"(" + re.escape(name + colon) + _VALUE + b")")
                template.append(b"%b")
            else:
                pattern.append(re.escape(name + colon) + _VALUE)
        if not digits:
            return None
        pattern.append(rb"\r\n")
        template.append(extra_headers.replace(b"%", b"%%") + b"content-length: %b\r\n\r\n")
        return cls(status, b"".join(pattern), b"".join(template), digits, (*order, digits))

    def match(self, data: bytes) -> tuple[bytes, int] | None:
        """The client's head, and where in ``data`` the body begins, if ``data`` is a whole answer of this shape."""
        found = self._pattern.match(data)
        if found is None:
            return None
        body_at = found.end()
        if len(data) - body_at != int(found[self._digits]):
            return None
        groups = found.group(*self._order)
        return self._template % groups, body_at


class ResponseHeadCache(list[ResponseHeadPattern]):
    """What has been learned of one upstream. Bounded: one whose heads never repeat is not learned from for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._lessons = 0

    def learn(self, raw: bytes, status: int, extra_headers: bytes) -> None:
        """Remember the shape of a head that no shape has recognised."""
        if self._lessons < _MOST_LESSONS:
            self._lessons += 1
            shape = ResponseHeadPattern.of(raw, status, extra_headers)
            if shape is not None:
                self.insert(0, shape)
                del self[_MOST_SHAPES:]
