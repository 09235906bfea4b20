"""May this request pass, for whom, and where to? Asks the policies in a fixed order; performs nothing.

The order is part of the contract: form, source (Host, Origin), caller, route, body. A caller who is not known
learns nothing of the routes; a wrong token is counted before anything else is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import unquote

from clawgate.errors import (
    AuthLocked,
    BodyTooLarge,
    ExpectationUnknown,
    GatewayError,
    HttpVersionUnsupported,
    InvalidToken,
    LoopDetected,
    MalformedRequest,
    MissingToken,
    RateLimitExceeded,
    UnclearFraming,
    UnknownRoute,
    UnsupportedContentType,
    UpgradeRefused,
)
from clawgate.policy.authentication import AuthLockout, TokenStore, presented_token
from clawgate.policy.client_ip import TrustedProxies, client_key
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.headers import lines_to_upstream
from clawgate.policy.path_routing import RouteTable
from clawgate.policy.rate_limit import RateLimiter
from clawgate.relay.admission.plan import AdmittedHead, ModelAllowlist, Router
from clawgate.relay.interfaces import RequestHead
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.dialect import dialect_of
from clawgate.wire.http.message import split_target

Get = Callable[[bytes], bytes | None]
"""The value of a field by its name in lower case."""

_ONCE = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"transfer-encoding",
    }
)
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_NO_BODY = (b"GET", b"HEAD", b"DELETE")
_ONE_MODEL = b"/v1/models/"
ANONYMOUS = "-"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """A request for the control plane; ``caller`` is None for somebody who presented nothing."""

    caller: str | None


@dataclass(slots=True, kw_only=True)
class Admission:
    """The policies of one listener. ``tokens`` None lets everybody in whom ``browser`` lets in.

    Where requests go is settled by ``upstream``, or for each body by ``router``. ``control_paths`` are for everybody,
    ``own_paths`` (a path, or what it begins with, ending in '/') are answered here for callers who are known.
    """

    upstream: Upstream | None
    router: Router | None = None
    routes: RouteTable
    browser: CrossOriginPolicy
    body_limit: int
    own_via: bytes
    tokens: TokenStore | None = None
    failures: AuthLockout | None = None
    rates: RateLimiter | None = None
    model_rule: ModelAllowlist | None = None
    control_paths: frozenset[bytes] = frozenset({b"/health", b"/healthz"})
    own_paths: tuple[bytes, ...] = ()
    accepts_api_key: bool = False
    """Whether ``x-api-key`` is a way to present a token."""
    exempt_loopback: bool = False
    """Whether wrong tokens from this machine lead to no lockout."""
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    _safe_targets: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)

    def admit(self, head: RequestHead, peer: str, now: float) -> AdmittedHead | ControlRequest:
        """Where a request with this head may go; raises a `GatewayError` otherwise.

        ``peer`` is the address of the other end, ``now`` the loop's time in seconds.
        """
        if head.version != "1.1" and head.version != "1.0":
            raise HttpVersionUnsupported(f"HTTP/{head.version[:8]} is not spoken here; use HTTP/1.1")
        get = self._lookup(head)
        path, query = self._split(head, get)
        host = get(b"host")
        if host is None and head.version == "1.1":
            raise MalformedRequest("an HTTP/1.1 request needs a Host field (RFC 9112 section 3.2)")
        self.browser.check_source(host=host, origin=get(b"origin"), fetch_site=get(b"sec-fetch-site"))
        control = path in self.control_paths
        caller = self._caller(head, get, peer, now, required=not control)
        try:
            return self._admit_caller(head, get, path, query, caller, control=control)
        except GatewayError as error:
            error.caller = caller
            raise

    def _admit_caller(
        self, head: RequestHead, get: Get, path: bytes, query: bytes, caller: str | None, *, control: bool
    ) -> AdmittedHead | ControlRequest:
        """What is asked of a request whose source and caller may be here."""
        if head.wants_socket:
            raise UpgradeRefused("there are no WebSockets on this route; send the request as plain HTTP")
        if control or self._is_own(path):
            return self._control(head, get, path, caller)
        self.routes.check(head.method, path)
        if self.model_rule is not None and path.startswith(_ONE_MODEL):
            self.model_rule.check(unquote(path.removeprefix(_ONE_MODEL).decode("ascii")))
        length = self._body_length(head, get)
        if length != 0 and head.method not in _NO_BODY:
            credential = get(b"authorization") or get(b"x-proxy-token") or get(b"x-api-key")
            self.browser.check_content_type(get(b"content-type"), has_credential=credential is not None)
        return self._ticket(
            head, get, caller or ANONYMOUS, path + self.routes.query_upstream(path, query), length
        )

    def _is_own(self, path: bytes) -> bool:
        return any(path == own or (own.endswith(b"/") and path.startswith(own)) for own in self.own_paths)

    def still_open(self, now: float) -> bool:
        """Whether a head that passed before may be taken to pass again: not while anybody is locked out."""
        return self.failures is None or not self.failures.any_locked(now)

    def enter(self, ticket: AdmittedHead, now: float) -> None:
        """Count one request in; raises `RateLimitExceeded`. Each one that entered has to `leave`."""
        if self.rates is not None:
            try:
                self.rates.acquire(ticket.caller, now)
            except RateLimitExceeded as error:
                error.caller = ticket.caller
                raise

    def leave(self, ticket: AdmittedHead) -> None:
        """Count one request out, however it ended."""
        if self.rates is not None:
            self.rates.release(ticket.caller)

    def _lookup(self, head: RequestHead) -> Get:
        fields = dict(head.fields)
        if len(fields) != len(head.fields):
            seen: set[bytes] = set()
            for name, _ in head.fields:
                if name in seen and name in _ONCE:
                    kind = UnclearFraming if name in _FRAMING else MalformedRequest
                    raise kind(f"the field '{name.decode('ascii')}' stands there twice")
                seen.add(name)
        return fields.get

    def _split(self, head: RequestHead, get: Get) -> tuple[bytes, bytes]:
        target = head.target
        known = self._safe_targets.get(target)
        if known is not None:
            return known
        if target[:7].lower() == b"http://":  # absolute-form, RFC 9112 section 3.2.2
            authority, slash, rest = target[7:].partition(b"/")
            if authority.lower() != (get(b"host") or b"").lower():
                raise MalformedRequest("the request target names another host than the Host field")
            target = slash + rest or b"/"
        if head.method == b"CONNECT" or not target.startswith(b"/"):
            raise UnknownRoute("this is not a forward proxy; ask for a path such as /v1/chat/completions")
        split = split_target(target)
        if len(self._safe_targets) < 256 and len(target) < 200 and head.target is target:
            self._safe_targets[target] = split
        return split

    def _caller(self, head: RequestHead, get: Get, peer: str, now: float, *, required: bool) -> str | None:
        if self.tokens is None:
            return None
        address = self.proxies.client_ip(peer, get(b"x-forwarded-for"))
        failures = None if self.exempt_loopback and is_loopback(address) else self.failures
        key = client_key(address) if failures is not None else ""
        if failures is not None and (wait := failures.locked_for(key, now)) is not None:
            if not required:
                return None
            raise AuthLocked(
                f"too many wrong tokens from this address; try again in {wait} s", retry_after=wait
            )
        try:
            name = self.tokens.authenticate(presented_token(head.fields, api_key=self.accepts_api_key))
        except MissingToken:
            if required:
                raise
            return None
        except InvalidToken:
            if failures is not None:
                failures.record_failure(key, now)
            raise
        if failures is not None:
            failures.record_success(key)
        return name

    def _control(self, head: RequestHead, get: Get, path: bytes, caller: str | None) -> ControlRequest:
        RouteTable(exact={path: (b"GET", b"HEAD")}, prefixes={}).check(head.method, path)
        if self._body_length(head, get) != 0:
            raise MalformedRequest("this route takes no body")
        return ControlRequest(caller)

    def _body_length(self, head: RequestHead, get: Get) -> int | None:
        coding = get(b"transfer-encoding")
        if coding is not None:
            if head.version == "1.0" or coding.lower() != b"chunked":
                raise UnclearFraming("the only transfer coding is 'chunked', and only in HTTP/1.1")
            return None
        length = int(get(b"content-length") or 0)
        if length > self.body_limit:
            raise BodyTooLarge(f"the body of {length} bytes is over the limit of {self.body_limit} bytes")
        return length

    def _ticket(
        self, head: RequestHead, get: Get, caller: str, target: bytes, length: int | None
    ) -> AdmittedHead:
        expect = get(b"expect")
        if expect is not None and expect.lower() != b"100-continue":
            raise ExpectationUnknown("the only expectation that is understood is '100-continue'")
        via = b", ".join([value for name, value in head.fields if name == b"via"])
        if self.own_via in via:
            raise LoopDetected(
                "this request was sent on by this very process; its upstream points back to itself"
            )
        model_rule = self.model_rule if head.method == b"POST" else None
        if (model_rule is not None or self.router is not None) and get(b"content-encoding") not in (
            None,
            b"identity",
        ):
            raise UnsupportedContentType(
                "a compressed body cannot be read here for its model; send it uncompressed"
            )
        path = target.partition(b"?")[0]
        wants_continue = expect is not None and length != 0 and head.version == "1.1"
        lines = lines_to_upstream(head.fields)
        if self.upstream is None:
            return AdmittedHead(
                upstream=None, caller=caller, method=head.method, path=path, head=b"",
                sized=length is not None, chunked=length is None, wants_continue=wants_continue,
                router=self.router, target=target, header_lines=lines, via=via, dialect=dialect_of(path),
            )  # fmt: skip
        sized = length is not None and (get(b"content-length") is not None or head.method not in _NO_BODY)
        framing = b"\r\n"
        if length is None:
            framing = b"transfer-encoding: chunked\r\n\r\n"
        elif sized:
            framing = b"content-length: "
        return AdmittedHead(
            upstream=self.upstream,
            caller=caller,
            method=head.method,
            path=path,
            head=self.upstream.head(head.method, target, lines, via) + framing,
            sized=sized,
            chunked=length is None,
            wants_continue=wants_continue,
            dialect=dialect_of(path),
            model_rule=model_rule,
        )


@lru_cache(1024)
def is_loopback(address: str) -> bool:
    """Whether ``address`` is this machine's own."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
