"""One configured upstream: its endpoint, what every request to it carries, its limits, and its connections."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from clawgate import __version__
from clawgate.policy.redaction import SHORTEST_SECRET
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import Credential
from clawgate.relay.interfaces import Buffer
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.pool import Pool, PoolLimits

_LONGEST_LINE = 16_384
_USER_AGENT = b"user-agent: clawgate/%b\r\n" % __version__.encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamConfig:
    """The settings of an upstream.

    ``prefix`` takes the place of ``replaces`` at the start of every target: the base URL's path for ``/v1``, or a path
    in front of it where ``replaces`` is empty. ``extra_lines`` are the operator's header lines, each with CRLF and
    without a credential. ``credential_advice`` is what to do if the credential is rejected. ``operator_status``
    replaces the status of failures that only the operator can fix, for a client that would retry them.
    """

    name: str
    endpoint: UpstreamEndpoint
    prefix: str
    replaces: str = ""
    credential: Credential
    credential_advice: str = ""
    operator_status: int | None = None
    limits: TimeLimits = field(default_factory=TimeLimits)
    pool_limits: PoolLimits = field(default_factory=PoolLimits)
    extra_lines: bytes = b""


def _in_json(secret: bytes) -> list[bytes]:
    """Return ``secret`` in the spellings of JSON writers that escape slashes, what is not ASCII, or what HTML reads."""
    text = secret.decode("utf-8", "surrogateescape")
    ascii_only, plain = (json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    for_html = re.sub("[\"&'+<>`]", lambda match: f"\\u{ord(match[0]):04X}", text)
    spellings = (text, ascii_only, plain, plain.replace("/", "\\/"), ascii_only.replace("/", "\\/"), for_html)
    return [spelling.encode("utf-8", "surrogateescape") for spelling in spellings]


def target_of(head: Buffer) -> str:
    """Return the path and query in the first line of a request's head, "" where ``head`` is none."""
    words = bytes(head[:_LONGEST_LINE]).split(b" ", 2)
    return words[1].decode("latin-1") if len(words) > 2 else ""


class Upstream:
    """An `UpstreamConfig` with its connections."""

    def __init__(self, config: UpstreamConfig, dialer: Dialer, *, via: bytes) -> None:
        self.name = config.name.encode("ascii")
        self.origin = config.endpoint.origin
        self.limits = config.limits
        self.credential_advice = config.credential_advice
        self.operator_status = config.operator_status
        # A placeholder such as "local" is a word of many messages, and no secret.
        secrets = [secret for secret in config.credential.secrets() if len(secret) >= SHORTEST_SECRET]
        self.secrets = tuple(dict.fromkeys(spelling for secret in secrets for spelling in _in_json(secret)))
        self._prefix = config.prefix.encode("ascii")
        self._replaces = config.replaces.encode("ascii")
        self.pool = Pool(dialer, config.endpoint, config.pool_limits, self.secrets)
        self._lines = b"".join(
            (
                b"host: ", config.endpoint.origin.authority.encode("ascii"), b"\r\n",
                b"" if b"user-agent:" in config.extra_lines.lower() else _USER_AGENT,
                b"accept-encoding: identity\r\n",
                config.extra_lines,
                config.credential.line(),
            )
        )  # fmt: skip
        self._via = via

    def encode_head(self, method: bytes, target: bytes, lines: bytes, via: bytes = b"") -> bytes:
        """Return the head of a request without its framing, from header ``lines`` and the client's own ``via``.

        Invariant: the credential is in lines of our own, which no header of the client can replace or remove.
        """
        chain = b"via: %b, 1.1 %b\r\n" % (via, self._via) if via else b"via: 1.1 %b\r\n" % self._via
        return b"%b %b%b HTTP/1.1\r\n%b%b%b" % (
            method, self._prefix, target.removeprefix(self._replaces), self._lines, chain, lines,
        )  # fmt: skip
