"""One configured upstream: where it is, what every request to it carries, and how long it may take."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from clawgate import __version__
from clawgate.policy.redaction import SHORTEST_SECRET
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import Credential
from clawgate.relay.upstream.dial import Dialer, UpstreamEndpoint
from clawgate.relay.upstream.pool import Pool, PoolLimits

_USER_AGENT = b"user-agent: clawgate/%b\r\n" % __version__.encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamConfig:
    """What has to be known of an upstream before it can be used.

    ``prefix`` takes the place of ``replaces`` at the start of every target: the base URL's path for ``/v1``, or
    a path that goes in front where ``replaces`` is empty.
    ``extra_lines`` are head lines of the operator's (no credential), each with CRLF.
    """

    name: str
    route: UpstreamEndpoint
    prefix: str
    replaces: str = ""
    credential: Credential
    limits: TimeLimits = field(default_factory=TimeLimits)
    pool_limits: PoolLimits = field(default_factory=PoolLimits)
    extra_lines: bytes = b""


def _in_json(secret: bytes) -> list[bytes]:
    """``secret`` as it is, and as JSON holds it whose writer escapes slashes, what is not ASCII, or what HTML reads."""
    text = secret.decode("utf-8", "surrogateescape")
    ascii_only, plain = (json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    for_html = re.sub("[\"&'+<>`]", lambda found: f"\\u{ord(found[0]):04X}", text)
    spellings = (text, ascii_only, plain, plain.replace("/", "\\/"), ascii_only.replace("/", "\\/"), for_html)
    return [spelling.encode("utf-8", "surrogateescape") for spelling in spellings]


class Upstream:
    """An `UpstreamConfig` with its connections."""

    def __init__(self, plan: UpstreamConfig, dialer: Dialer, *, via: bytes) -> None:
        self.name = plan.name.encode("ascii")
        self.origin = plan.route.origin
        self.limits = plan.limits
        # A dummy such as "local" is a word of many messages, and no secret.
        secrets = [secret for secret in plan.credential.secrets() if len(secret) >= SHORTEST_SECRET]
        self.secrets = tuple(dict.fromkeys(spelling for secret in secrets for spelling in _in_json(secret)))
        self._prefix = plan.prefix.encode("ascii")
        self._replaces = plan.replaces.encode("ascii")
        self.pool = Pool(dialer, plan.route, limits=plan.pool_limits)
        self._lines = b"".join(
            (
                b"host: ", plan.route.origin.authority.encode("ascii"), b"\r\n",
                b"" if b"user-agent:" in plan.extra_lines.lower() else _USER_AGENT,
                b"accept-encoding: identity\r\n",
                plan.extra_lines,
                plan.credential.line(),
            )
        )  # fmt: skip
        self._via = via

    def head(self, method: bytes, target: bytes, lines: bytes, via: bytes = b"") -> bytes:
        """The head of one request without its framing; ``lines`` are head lines, ``via`` the client's own Via, if any.

        The credential stands in our own lines, which no field of the client can name, replace or remove.
        """
        chain = b"via: %b, 1.1 %b\r\n" % (via, self._via) if via else b"via: 1.1 %b\r\n" % self._via
        return b"%b %b%b HTTP/1.1\r\n%b%b%b" % (
            method, self._prefix, target.removeprefix(self._replaces), self._lines, chain, lines,
        )  # fmt: skip
