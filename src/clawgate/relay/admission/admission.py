"""Decides from its head whether a request is admitted, for which caller and to which upstream.

The order of the checks is part of the contract: form, source (Host, Origin), caller, route, body. A caller without a
valid token must not learn anything of the routes; a wrong token is counted before anything else is checked.
Must not do I/O or read a clock: `now` is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote

from clawgate import errors
from clawgate.policy.authentication import AuthLockout, GuessDelay, TokenStore, presented_token
from clawgate.policy.client_ip import TrustedProxies, client_key, forwarded_names
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.headers import TO_HOOKS, lines_to_upstream
from clawgate.policy.local_hosts import is_loopback
from clawgate.policy.path_routing import RouteTable, is_among
from clawgate.policy.proxy_identity import ADMIN, READ, WRITE, ProxyIdentity, check_scope, scopes_left
from clawgate.policy.rate_limit import RateLimiter
from clawgate.relay.admission.plan import AdmittedHead, ModelAllowlist, Router
from clawgate.relay.admission.request_checks import (
    NO_BODY,
    Get,
    body_length,
    check_readable_body,
    check_version,
    expects_continue,
    headers_of,
    required_host,
    split_request_target,
    values_once,
    via_without_loop,
)
from clawgate.relay.admission.upgrade import AdmittedSocket, accept_of_upgrade, check_query
from clawgate.relay.interfaces import RequestHead
from clawgate.relay.response.operator_error import for_operator
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.dialect import dialect_of

ANONYMOUS = "-"
_MODEL_OVERRIDE = "x-openclaw-model"
_ONE_MODEL = b"/v1/models/"
_MOST_TARGETS = 256
_LONGEST_TARGET = 200


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """A request for the control API. ``caller`` is None if the client presented no token."""

    caller: str | None


@dataclass(slots=True)
class _Request:
    """A head while it is checked, with what the checks have found so far."""

    head: RequestHead
    get: Get
    path: bytes
    query: bytes
    lockout_key: str | None = None
    caller: str | None = None
    scopes: frozenset[str] | None = None


@dataclass(slots=True, kw_only=True)
class Admission:
    """The admission policy of one listener. Without ``tokens`` every caller is admitted that ``browser`` accepts.

    Requests go to ``upstream``, or where ``router`` sends each body. ``control_paths`` are served to everyone,
    ``own_paths`` (a path, or a prefix that ends in '/') to callers with a token; both by the control API.
    """

    upstream: Upstream | None
    router: Router | None = None
    routes: RouteTable
    browser: CrossOriginPolicy
    body_limit: int
    via_pseudonym: bytes
    tokens: TokenStore | None = None
    failures: AuthLockout | None = None
    rates: RateLimiter | None = None
    model_allowlist: ModelAllowlist | None = None
    control_paths: frozenset[bytes] = frozenset({b"/health", b"/healthz"})
    own_paths: tuple[bytes, ...] = ()
    socket_paths: frozenset[bytes] = frozenset()
    """Where a connection may become a WebSocket."""
    accepts_api_key: bool = False
    """Whether a token may be presented as ``x-api-key``."""
    local_guesses: GuessDelay | None = None
    """Slows wrong tokens from this machine, which lead to no lockout then."""
    agent_headers: frozenset[bytes] = frozenset()
    """The headers that `AdmittedHead.agent_headers` has."""
    requires_attribution: bool = False
    """Whether a forwarded request has to come from one of ``proxies``."""
    identity: ProxyIdentity | None = None
    """How one of ``proxies`` names the caller; ``tokens`` are then for callers on this machine, if there are any."""
    is_own_address: Callable[[str], bool] = is_loopback
    """Whether a peer of that address is this machine."""
    honours_scopes: bool = False
    """Whether a caller without a secret can give up rights."""
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    _split_targets: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)

    @property
    def admits_everyone(self) -> bool:
        """Whether a caller has to show nothing."""
        return self.tokens is None and self.identity is None

    @property
    def credentials(self) -> object:
        """What callers are identified by. Where it is another one, they have to be identified anew."""
        return self.tokens, self.identity

    def admit(
        self, head: RequestHead, peer: str, now: float
    ) -> AdmittedHead | ControlRequest | AdmittedSocket:
        """Admit a request, or raise the `GatewayError` that its client gets.

        ``peer`` is the address of the other end, ``now`` the loop's time in seconds.
        """
        check_version(head)
        get = headers_of(head)
        request = _Request(head, get, *self._split(head, get))
        host = required_host(head, get)
        self.browser.check_source(host=host, origin=get(b"origin"), fetch_site=get(b"sec-fetch-site"))
        if head.wants_socket and request.path in self.socket_paths:
            return self._admit_socket(request, peer, now)
        is_public = request.path in self.control_paths
        try:
            self._authenticate(request, peer, now, required=not is_public)
        except (errors.InvalidToken, errors.AuthLocked) as error:
            status = None if self.upstream is None else self.upstream.operator_status
            raise for_operator(error, status) from None
        try:
            if head.wants_socket:
                raise errors.UpgradeRefused(
                    "there are no WebSockets on this route; send the request as plain HTTP"
                )
            if is_public or is_among(request.path, self.own_paths):
                if not is_public:
                    check_scope(request.scopes, READ)
                return self._admit_control(request)
            check_scope(request.scopes, WRITE)
            return self._admit_relayed(request)
        except errors.GatewayError as error:
            error.caller = request.caller
            raise

    def readmit(self, head: AdmittedHead, length: int, now: float) -> bool:
        """Admit and `acquire` a request whose head was admitted before, with a body of ``length`` bytes.

        False: nothing was counted, and `admit` has to decide.
        """
        if length > self.body_limit:
            return False
        failures, key = self.failures, head.lockout_key
        if failures is not None and key is not None and failures.locked_for(key, now) is not None:
            return False
        if self.rates is not None:
            try:
                self.rates.acquire(head.caller, now)
            except errors.RateLimitExceeded:
                return False
        return True

    def acquire(self, head: AdmittedHead, now: float) -> None:
        """Take one of the caller's requests under its rate limit, to be given back by `release`.

        Raises `RateLimitExceeded`.
        """
        if self.rates is not None:
            try:
                self.rates.acquire(head.caller, now)
            except errors.RateLimitExceeded as error:
                error.caller = head.caller
                raise

    def release(self, head: AdmittedHead) -> None:
        """The request has ended, however it did."""
        if self.rates is not None:
            self.rates.release(head.caller)

    def identify(self, head: RequestHead, peer: str, token: bytes | None, now: float) -> str:
        """Return the caller of a WebSocket: that of a request with the upgrade's ``head`` that presents ``token``.

        Raises as `admit`; an `InvalidToken` is to be responded to after its ``delay_seconds``.
        """
        request = _Request(head, headers_of(head), b"", b"")
        self._authenticate(request, peer, now, required=True, presented=lambda: token)
        return request.caller or ANONYMOUS

    def _split(self, head: RequestHead, get: Get) -> tuple[bytes, bytes]:
        split = self._split_targets.get(head.target)
        if split is None:
            try:
                split = split_request_target(head, get)
            except errors.MalformedRequest:
                path = head.target.partition(b"?")[0]
                is_slip = b"//" in path and self.routes.nearest(path, self.own_paths) is not None
                if self.router is None or not is_slip:  # bridge and server reject it as what it is
                    raise
                raise self.routes.unknown_route(path, self.own_paths) from None
            # What an absolute-form target means depends on the Host header as well.
            cacheable = head.target.startswith(b"/") and len(head.target) < _LONGEST_TARGET
            if cacheable and len(self._split_targets) < _MOST_TARGETS:
                self._split_targets[head.target] = split
        return split

    # The caller

    def _authenticate(
        self,
        request: _Request,
        peer: str,
        now: float,
        *,
        required: bool,
        presented: Callable[[], bytes | None] | None = None,
    ) -> None:
        """Find the caller by its token. A wrong token is counted and rejected even where none is ``required``."""
        if self.requires_attribution and required:
            self.proxies.check_attribution(peer, request.head.fields)
        if self._needs_no_token(request, peer, required=required) or self.tokens is None:
            return
        try:
            self._check_lockout(request, peer, now)
        except errors.AuthLocked:
            if required:
                raise
            return
        failures, key = self.failures, request.lockout_key
        try:
            in_head = partial(presented_token, request.head.fields, api_key=self.accepts_api_key)
            request.caller = self.tokens.authenticate((presented or in_head)())
        except (errors.MissingToken, errors.TokensUnreadable):
            if required:
                raise
            return
        except errors.InvalidToken as error:
            if self.tokens.is_closed:
                raise
            if failures is not None and key is not None:
                failures.record_failure(key, now)
            elif self.local_guesses is not None:
                error.delay_seconds = self.local_guesses.record_failure()
            raise
        if failures is not None and key is not None:
            failures.record_success(key)
        elif self.local_guesses is not None:
            self.local_guesses.record_success()

    def _check_lockout(self, request: _Request, peer: str, now: float) -> None:
        """Find out what wrong tokens of ``request`` are counted under. Raises `AuthLocked`."""
        key = request.lockout_key = self._lockout_key(request, peer)
        wait = None if self.failures is None or key is None else self.failures.locked_for(key, now)
        if wait is not None:
            raise errors.AuthLocked(
                f"too many wrong tokens from this address; try again in {wait} s", retry_after=wait
            )

    def _needs_no_token(self, request: _Request, peer: str, *, required: bool) -> bool:
        """Whether the caller is admitted without one; by its name, if a proxy is to give it."""
        if self.identity is not None:
            headers = request.head.fields
            try:
                request.caller = self.identity.caller(peer, self.proxies, headers, self.is_own_address)
            except errors.InvalidToken:
                if self.tokens is not None and is_loopback(peer) and not forwarded_names(headers):
                    return False
                if required:
                    raise
                return True
        elif self.tokens is not None:
            return False
        if self.honours_scopes:
            request.scopes = scopes_left(request.head.fields)
        return True

    def _lockout_key(self, request: _Request, peer: str) -> str | None:
        """The client's address as the lockout counts it; None if wrong tokens from it lock nothing.

        A page in a browser on this machine is not its owner's program: what it sends counts under its origin.
        """
        if self.failures is None:
            return None
        forwarded = self.proxies.forwarded(request.get)
        if self.local_guesses is not None and forwarded is None and is_loopback(peer):
            origin = request.get(b"origin") or request.get(b"sec-fetch-site")
            return None if origin is None else f"browser {origin.decode('latin-1')}"
        return client_key(self.proxies.client_ip(peer, forwarded))

    # The route and the body

    def _admit_socket(self, request: _Request, peer: str, now: float) -> AdmittedSocket:
        """Admit an upgrade. A token in its head is checked like every other, and opens nothing."""
        head, get = request.head, request.get
        if self.requires_attribution:
            self.proxies.check_attribution(peer, head.fields)
        self._check_lockout(request, peer, now)
        self._authenticate(request, peer, now, required=False)
        check_query(request.query)
        client = self.proxies.client_ip(peer, self.proxies.forwarded(get))
        return AdmittedSocket(head, get, peer, client, accept_of_upgrade(head, get))

    def _admit_control(self, request: _Request) -> ControlRequest:
        methods = (b"GET", b"HEAD") if request.path in self.control_paths else (b"GET",)
        RouteTable(exact={request.path: methods}, prefixes={}).check(request.head.method, request.path)
        if body_length(request.head, request.get, self.body_limit) != 0:
            raise errors.MalformedRequest("this route takes no body")
        return ControlRequest(request.caller)

    def _admit_relayed(self, request: _Request) -> AdmittedHead:
        head, get, path = request.head, request.get, request.path
        self.routes.check(head.method, path, self.own_paths)
        if self.model_allowlist is not None and path.startswith(_ONE_MODEL):
            self.model_allowlist.check(unquote(path.removeprefix(_ONE_MODEL).decode("ascii")))
        length = body_length(head, get, self.body_limit)
        if length != 0 and head.method not in NO_BODY:
            credential = get(b"authorization") or get(b"x-proxy-token") or get(b"x-api-key")
            self.browser.check_content_type(get(b"content-type"), has_credential=credential is not None)
        expect_continue = expects_continue(head, get, length)
        via = via_without_loop(head, self.via_pseudonym)
        model_allowlist = self.model_allowlist if head.method == b"POST" else None
        if model_allowlist is not None or self.router is not None:
            check_readable_body(get)
        target = path + self.routes.query_upstream(path, request.query)
        lines = lines_to_upstream(head.fields)
        encoded, has_length = b"", length is not None
        if self.upstream is not None:
            has_length = has_length and (get(b"content-length") is not None or head.method not in NO_BODY)
            framing = b"content-length: " if has_length else b"\r\n"
            if length is None:
                framing = b"transfer-encoding: chunked\r\n\r\n"
            encoded = self.upstream.encode_head(head.method, target, lines, via) + framing
        agent_headers = values_once(head, self.agent_headers) if self.agent_headers else ()
        if request.scopes is not None and any(name == _MODEL_OVERRIDE for name, _ in agent_headers):
            check_scope(request.scopes, ADMIN)
        return AdmittedHead(
            upstream=self.upstream,
            router=self.router if self.upstream is None else None,
            model_allowlist=model_allowlist,
            caller=request.caller or ANONYMOUS,
            lockout_key=request.lockout_key,
            method=head.method,
            path=path,
            target=target,
            dialect=dialect_of(path),
            head=encoded,
            header_lines=lines,
            via=via,
            agent_headers=agent_headers,
            hook_headers=tuple(
                (name.decode(), value.decode("latin-1")) for name, value in head.fields if name in TO_HOOKS
            ),
            has_content_length=has_length,
            chunked=length is None,
            expect_continue=expect_continue,
        )
