"""Caches patterns of response heads, so that a complete response with a known head needs no parsing.

The heads of an API differ in a request id, a date, a remaining quota: values that are forwarded or dropped and mean
nothing to us. A pattern is made of a head that llhttp parsed: an expression that takes exactly its lines, with any
value where the value means nothing (within the characters of RFC 9110 section 5.5), and the head that the client gets
for it. Framing, type and connection have to be equal to the byte.

Must not let a check be skipped: only successful responses with content are cached. A failure, and an empty response,
which counts as one, go through the parser each time, because a fallback may be configured for them. A head that repeats
our credential is no match: what is the same in each head was searched once, and the rest is searched again unless each
line is too short for it, since no credential spans two lines.
"""

from __future__ import annotations

import re

from clawgate.policy.headers import TO_CLIENT, TO_CLIENT_PREFIXES
from clawgate.relay.response.redact import masked_fully, shortest_spelling
from clawgate.wire.http.message import HEAD_END, STATUS_LINE

_MEANINGFUL = frozenset(
    {b"connection", b"content-encoding", b"content-type", b"location", b"transfer-encoding", b"upgrade"}
)
_LETTER = rb"[\t\x20-\x7e\x80-\xff]"
_LINE_BREAK = re.compile(rb"[\r\n]")
_SUCCESSFUL = range(200, 300)
_LONGEST_HEAD = 8192
_MAX_PATTERNS = 4
_MAX_COMPILED = 64


class ResponseHeadPattern:
    """Matches complete responses of one status whose head differs only in values without a meaning to us."""

    __slots__ = ("_groups", "_length_group", "_pattern", "_searched", "_template", "status")

    def __init__(
        self,
        status: int,
        pattern: bytes,
        template: bytes,
        length_group: int,
        groups: tuple[int, ...],
        searched_secrets: tuple[bytes, ...],
    ) -> None:
        self.status = status
        self._pattern = re.compile(pattern)
        self._template = template
        self._length_group = length_group
        self._groups = groups
        self._searched = searched_secrets

    @classmethod
    def of(
        cls, raw: bytes, status: int, extra_headers: bytes, secrets: tuple[bytes, ...] = ()
    ) -> ResponseHeadPattern | None:
        """Return the pattern of a parsed head, or None where caching is not safe or does not pay.

        ``extra_headers`` are the lines that were added for the client, in place of the upstream's of these names.
        """
        if status not in _SUCCESSFUL or len(raw) > _LONGEST_HEAD or not raw.endswith(HEAD_END):
            return None
        if masked_fully(raw, secrets) is not raw or any(_LINE_BREAK.search(secret) for secret in secrets):
            return None
        clean = shortest_spelling(secrets) - 1 if secrets else _LONGEST_HEAD
        status_line, *lines = raw.removesuffix(HEAD_END).split(b"\r\n")
        pattern = [re.escape(status_line + b"\r\n")]
        template = [STATUS_LINE[status].replace(b"%", b"%%")]
        forwarded_groups: list[int] = []
        is_clean = True  # whether each head that matches is
        length_group = group_count = 0
        for line in lines:
            name, colon, value = line.partition(b":")
            header = name.lower()
            forwarded = header in TO_CLIENT or header.startswith(TO_CLIENT_PREFIXES)
            forwarded = forwarded and header + b":" not in extra_headers
            if header == b"content-length":
                group_count += 1
                length_group = group_count
                pattern.append(re.escape(name) + rb":[\t ]*([1-9][0-9]{0,9})[\t ]*\r\n")
            elif header in _MEANINGFUL:
                if header == b"connection" and value.strip().lower() != b"keep-alive":
                    return None
                pattern.append(re.escape(line + b"\r\n"))
                if forwarded:
                    template.append((line + b"\r\n").replace(b"%", b"%%"))
            elif forwarded:
                group_count += 1
                forwarded_groups.append(group_count)
                fits = len(line) > clean
                is_clean = is_clean and not fits
                times = b"*" if fits else b"{0,%d}" % (clean - len(name + colon))
                pattern.append(b"(" + re.escape(name + colon) + _LETTER + times + rb"\r\n)")
                template.append(b"%b")
            else:
                pattern.append(re.escape(name + colon) + _LETTER + rb"*\r\n")
        if not length_group:
            return None
        pattern.append(rb"\r\n")
        template.append(extra_headers.replace(b"%", b"%%") + b"content-length: %b\r\n\r\n")
        groups = (*forwarded_groups, length_group)
        searched = () if is_clean else secrets
        return cls(status, b"".join(pattern), b"".join(template), length_group, groups, searched)

    def match(self, data: bytes) -> tuple[bytes, int] | None:
        """Return the client's head and the offset of the body if ``data`` is a complete response of this pattern."""
        match = self._pattern.match(data)
        if match is None:
            return None
        body_at = match.end()
        if len(data) - body_at != int(match[self._length_group]):
            return None
        head = self._template % match.group(*self._groups)
        if self._searched and masked_fully(head, self._searched) is not head:
            return None
        return head, body_at


class ResponseHeadCache(list[ResponseHeadPattern]):
    """The patterns of one upstream, the newest first. ``secrets`` are what it is sent.

    Bounded: an upstream whose heads never repeat costs a few compilations and is then no longer cached.
    """

    def __init__(self, secrets: tuple[bytes, ...] = ()) -> None:
        super().__init__()
        self._secrets = secrets
        self._compiled = 0

    def remember(self, raw: bytes, status: int, extra_headers: bytes) -> None:
        """Add the pattern of a head that no pattern matched, if it may be cached."""
        if self._compiled >= _MAX_COMPILED:
            return
        pattern = ResponseHeadPattern.of(raw, status, extra_headers, self._secrets)
        if pattern is not None:
            self._compiled += 1
            self.insert(0, pattern)
            del self[_MAX_PATTERNS:]
