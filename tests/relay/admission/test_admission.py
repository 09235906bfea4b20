"""The admission asks its policies in a fixed order, and what it lets through says everything about the request."""

from __future__ import annotations

import pytest

from clawgate.errors import (
    AuthLocked,
    BodyTooLarge,
    ExpectationUnknown,
    GatewayError,
    HostNotAllowed,
    HttpVersionUnsupported,
    InvalidToken,
    LoopDetected,
    MalformedRequest,
    MethodNotAllowed,
    MissingToken,
    ModelNotFound,
    OriginNotAllowed,
    ProxyAttributionRequired,
    RateLimitExceeded,
    TokensUnreadable,
    UnclearFraming,
    UnknownRoute,
    UnsupportedContentType,
    UpgradeRefused,
)
from clawgate.policy.authentication import AuthLockout, GuessDelay, LockoutRule, TokenStore
from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import GATEWAY_ROUTES, MODEL_ROUTES
from clawgate.policy.proxy_identity import ProxyIdentity
from clawgate.policy.rate_limit import RateLimiter, RateRule
from clawgate.providers.credential import bearer
from clawgate.relay.admission.admission import (
    ANONYMOUS,
    Admission,
    ControlRequest,
)
from clawgate.relay.admission.plan import AdmittedHead, ModelAllowlist, RoutePlan
from clawgate.relay.interfaces import RequestHead
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import parse_url
from tests.relay.recording_dialer import OPEN

TOKEN = "a-token-of-a-client"
KEY = "the-key-of-the-owner"
Lines = dict[bytes, bytes | None]


def make_admission(**parts: object) -> Admission:
    """The server's admission, any part of it replaced."""
    origin, _ = parse_url("http://127.0.0.1:9")
    plan = UpstreamConfig(
        name="u",
        endpoint=UpstreamEndpoint(origin=origin, policy=OPEN),
        prefix="/v1",
        replaces="/v1",
        credential=bearer(KEY),
    )
    whole: dict[str, object] = {
        "upstream": Upstream(plan, Dialer(), via=b"clawgate-me"),
        "routes": MODEL_ROUTES,
        "browser": CrossOriginPolicy(),
        "body_limit": 1000,
        "via_pseudonym": b"clawgate-me",
        "tokens": TokenStore.of({"alice": TOKEN}),
        "failures": AuthLockout(LockoutRule(max_failures=2, window=60, lockout=300)),
        **parts,
    }
    return Admission(**whole)  # type: ignore[arg-type]


def head(
    changed: Lines | None = None,
    *,
    method: bytes = b"POST",
    target: bytes = b"/v1/chat/completions",
    version: str = "1.1",
    socket: bool = False,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> RequestHead:
    """A request that passes; ``changed`` replaces fields, None removes one, ``more`` come behind."""
    fields: Lines = {
        b"host": b"127.0.0.1",
        b"x-proxy-token": TOKEN.encode(),
        b"content-type": b"application/json",
        b"content-length": b"2",
        **(changed or {}),
    }
    kept = [(name, value) for name, value in fields.items() if value is not None]
    return RequestHead(method, target, version, [*kept, *more], socket)


def admit(
    request: RequestHead, admission: Admission | None = None, *, peer: str = "10.0.0.1", now: float = 0.0
) -> AdmittedHead:
    found = (admission or make_admission()).admit(request, peer, now)
    assert isinstance(found, AdmittedHead)
    return found


def refusal(
    request: RequestHead, admission: Admission | None = None, *, peer: str = "10.0.0.1", now: float = 0.0
) -> type[GatewayError]:
    with pytest.raises(GatewayError) as caught:
        (admission or make_admission()).admit(request, peer, now)
    return type(caught.value)


def test_a_ticket_says_where_to_and_for_whom() -> None:
    """The holder's name, the path, and a head that carries our credential and none of the client's."""
    ticket = admit(head())
    assert (ticket.caller, ticket.method, ticket.path) == ("alice", b"POST", b"/v1/chat/completions")
    assert (
        ticket.has_content_length and not ticket.chunked and not ticket.expect_continue and ticket.cacheable
    )
    assert ticket.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:9\r\n")
    assert ticket.head.endswith(b"content-length: ")
    assert KEY.encode() in ticket.head and TOKEN.encode() not in ticket.head


@pytest.mark.parametrize(
    ("request_head", "error"),
    [
        (head(version="2.0"), HttpVersionUnsupported),
        (head(version="0.9"), HttpVersionUnsupported),
        (head({b"host": None}), MalformedRequest),
        (head({b"host": b"evil.example"}), HostNotAllowed),
        (head({b"origin": b"null"}), OriginNotAllowed),
        (head({b"sec-fetch-site": b"cross-site"}), OriginNotAllowed),
        (head({b"x-proxy-token": None}), MissingToken),
        (head({b"x-proxy-token": b"wrong"}), InvalidToken),
        (head(socket=True), UpgradeRefused),
        (head(target=b"/v1/files"), UnknownRoute),
        (head(target=b"/v1/../x"), MalformedRequest),
        (head(method=b"PUT"), MethodNotAllowed),
        (head({b"content-length": b"1001"}), BodyTooLarge),
        (head({b"content-type": b"text/plain"}), UnsupportedContentType),
        (head({b"expect": b"x"}), ExpectationUnknown),
        (head({b"via": b"1.1 a, 1.1 clawgate-me"}), LoopDetected),
        (head({b"transfer-encoding": b"gzip", b"content-length": None}), UnclearFraming),
        (head({b"transfer-encoding": b"chunked", b"content-length": None}, version="1.0"), UnclearFraming),
        (head(target=b"/health", method=b"GET"), MalformedRequest),
        (head(target=b"/health"), MethodNotAllowed),
        (head(target=b"http://evil.example/v1/models"), MalformedRequest),
        (head(target=b"*", method=b"OPTIONS"), UnknownRoute),
        (head(target=b"a:1", method=b"CONNECT"), UnknownRoute),
    ],
)
def test_one_thing_wrong_is_refused_for_that(request_head: RequestHead, error: type[GatewayError]) -> None:
    """Each rule by itself."""
    assert refusal(request_head) is error


def test_what_is_asked_first_is_answered_first() -> None:
    """Form, source, caller, socket, route, body: repaired one by one, each next error shows."""
    wrong: Lines = {
        b"host": b"evil.example", b"origin": b"null", b"x-proxy-token": b"wrong", b"content-type": b"text/plain",
        b"expect": b"x",
    }  # fmt: skip
    steps: list[tuple[bytes, bytes | None, type[GatewayError]]] = [
        (b"host", b"localhost", HostNotAllowed),
        (b"origin", None, OriginNotAllowed),
        (b"x-proxy-token", TOKEN.encode(), InvalidToken),
        (b"content-type", b"application/json", UnsupportedContentType),
        (b"expect", None, ExpectationUnknown),
    ]
    for name, repaired, error in steps:
        assert refusal(head(wrong)) is error
        wrong[name] = repaired
    admit(head(wrong))


@pytest.mark.parametrize(
    "name", [b"host", b"content-type", b"content-length", b"transfer-encoding", b"expect", b"origin"]
)
def test_fields_that_decide_stand_there_once(name: bytes) -> None:
    """Two readers could choose differently."""
    value = b"chunked" if name == b"transfer-encoding" else b"127.0.0.1" if name == b"host" else b"2"
    assert refusal(head({name: value}, more=((name, value),))) in (MalformedRequest, UnclearFraming)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        (b"sec-fetch-site", b"cross-site", b"none"),
        (b"via", b"1.1 clawgate-me", b"1.1 other"),
        (b"content-encoding", b"gzip", b"identity"),
    ],
)
def test_a_second_field_does_not_hide_the_first(name: bytes, first: bytes, second: bytes) -> None:
    """What would be refused alone is refused in company."""
    admission = make_admission(model_allowlist=ModelAllowlist(frozenset({"m"})))
    refusal(head({name: first}), admission)
    refusal(head({name: first}, more=((name, second),)), admission)


def test_wrong_tokens_lock_the_address_out() -> None:
    """After two, also a right one is refused, for the seconds that are left; others and /health are not."""
    admission = make_admission()
    for _ in range(2):
        assert refusal(head({b"x-proxy-token": b"wrong"}), admission, now=5) is InvalidToken
    with pytest.raises(AuthLocked) as caught:
        admission.admit(head(), "10.0.0.1", 6.5)
    assert caught.value.retry_after == 299
    admit(head(), admission, peer="10.0.0.2", now=6.5)
    health = head({b"content-length": None, b"x-proxy-token": None}, method=b"GET", target=b"/health")
    assert admission.admit(health, "10.0.0.1", 6.5) == ControlRequest(None)
    admit(head(), admission, now=305)


def test_a_missing_token_is_no_guess() -> None:
    """However often it is missing."""
    admission = make_admission()
    for _ in range(50):
        assert refusal(head({b"x-proxy-token": None}), admission) is MissingToken
    admit(head(), admission)


def test_a_wrong_token_counts_before_routes_are_looked_at() -> None:
    """Who guesses on unknown routes is locked out as well."""
    admission = make_admission()
    for _ in range(2):
        assert refusal(head({b"x-proxy-token": b"wrong"}, target=b"/nowhere"), admission) is InvalidToken
    assert refusal(head(), admission) is AuthLocked


def test_forwarded_addresses_count_only_behind_a_trusted_proxy() -> None:
    """The last address that is no proxy itself; from anybody else the field means nothing."""
    admission = make_admission(proxies=TrustedProxies.of(["10.0.0.9", "10.0.0.8"]))

    def from_address(forwarded: bytes, token: str = "wrong") -> RequestHead:
        return head({b"x-forwarded-for": forwarded, b"x-proxy-token": token.encode()})

    for forged in (b"1.1.1.1, 7.7.7.7, 10.0.0.8", b"2.2.2.2, 7.7.7.7"):
        assert refusal(from_address(forged), admission, peer="10.0.0.9") is InvalidToken
    assert refusal(from_address(b"7.7.7.7", TOKEN), admission, peer="10.0.0.9") is AuthLocked
    admit(from_address(b"1.1.1.1", TOKEN), admission, peer="10.0.0.9")
    admit(from_address(b"7.7.7.7", TOKEN), admission, peer="10.0.0.7")


@pytest.mark.parametrize(("method", "length", "has_content_length"), [
    (b"POST", b"2", True), (b"POST", b"0", True), (b"POST", None, True),
    (b"GET", None, False), (b"GET", b"0", True), (b"GET", b"2", True), (b"HEAD", None, False),
])  # fmt: skip
def test_a_head_upstream_is_sized_where_there_may_be_a_body(
    method: bytes, length: bytes | None, has_content_length: bool
) -> None:
    """A sized head ends where the digits belong, another one with its blank line."""
    target = b"/v1/chat/completions" if method == b"POST" else b"/v1/models"
    ticket = admit(head({b"content-length": length}, method=method, target=target))
    assert ticket.has_content_length is has_content_length
    assert ticket.head.endswith(b"content-length: " if has_content_length else b"\r\n\r\n")


def test_a_chunked_request_is_chunked_upstream_and_not_known_again() -> None:
    """Framing is written anew."""
    ticket = admit(head({b"transfer-encoding": b"Chunked", b"content-length": None}))
    assert ticket.chunked and not ticket.has_content_length and not ticket.cacheable
    assert ticket.head.endswith(b"\r\ntransfer-encoding: chunked\r\n\r\n")


@pytest.mark.parametrize(
    ("length", "version", "wants"), [(b"2", "1.1", True), (b"0", "1.1", False), (b"2", "1.0", False)]
)
def test_continue_is_only_for_whom_it_helps(length: bytes, version: str, wants: bool) -> None:
    """Not without a body, and not in HTTP/1.0 (RFC 9110 section 10.1.1)."""
    ticket = admit(head({b"expect": b"100-Continue", b"content-length": length}, version=version))
    assert ticket.expect_continue is wants
    assert ticket.cacheable is not wants


def test_anybody_is_let_in_without_a_token_book() -> None:
    """The bridge's way: the caller has no name."""
    assert (
        admit(head({b"x-proxy-token": None}), make_admission(tokens=None, failures=None)).caller == ANONYMOUS
    )


def test_health_knows_its_caller() -> None:
    """By token, or as nobody; a wrong token is refused, not ignored."""
    admission = make_admission()
    plain: Lines = {b"content-length": None}
    assert admission.admit(head(plain, method=b"GET", target=b"/health?deep=1"), "", 0) == ControlRequest(
        "alice"
    )
    wrong: Lines = {**plain, b"x-proxy-token": b"wrong"}
    assert refusal(head(wrong, method=b"GET", target=b"/health"), admission) is InvalidToken


def test_rates_are_counted_by_entering_and_leaving() -> None:
    """One under way; the next may come when it has left."""
    admission = make_admission(rates=RateLimiter(RateRule(concurrent=1)))
    ticket = admit(head(), admission)
    admission.acquire(ticket, 0)
    with pytest.raises(RateLimitExceeded):
        admission.acquire(ticket, 0)
    admission.release(ticket)
    admission.acquire(ticket, 0)


def test_a_model_rule_is_for_posts_and_is_never_skipped() -> None:
    """Its ticket is asked each time, a body that cannot be read for its model is refused."""
    admission = make_admission(model_allowlist=ModelAllowlist(frozenset({"m"})))
    ticket = admit(head(), admission)
    assert ticket.model_allowlist is not None and not ticket.cacheable
    assert refusal(head({b"content-encoding": b"gzip"}), admission) is UnsupportedContentType
    with pytest.raises(ModelNotFound):
        ticket.model_allowlist.check("other")
    assert (
        admit(head({b"content-length": None}, method=b"GET", target=b"/v1/models"), admission).model_allowlist
        is None
    )


def test_the_memory_of_split_targets_is_bounded() -> None:
    """Ten thousand targets do not stay."""
    admission = make_admission()
    for number in range(10_000):
        admit(head({b"content-length": None}, method=b"GET", target=b"/v1/models/%d" % number), admission)
    assert len(admission._split_targets) <= 256


class NoRouter:
    """A router that must not be used: admission decides from the head alone."""

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        raise AssertionError("admission decides from the head alone")


def routing_gate(**parts: object) -> Admission:
    return make_admission(upstream=None, router=NoRouter(), own_paths=(b"/own", b"/below/"), **parts)


def test_where_the_body_decides_a_ticket_waits_for_it() -> None:
    """No head yet, and what the client said kept apart; what the head decides may be taken again."""
    ticket = admit(
        head({b"via": b"1.1 them", b"cookie": b"a=b"}, target=b"/v1/messages?beta=true&api_key=k"),
        routing_gate(routes=GATEWAY_ROUTES),
    )
    assert ticket.upstream is None and ticket.head == b"" and ticket.encode_head(7) == b""
    assert ticket.buffers_body and ticket.cacheable and ticket.path == b"/v1/messages"
    assert (ticket.target, ticket.header_lines, ticket.via) == (
        b"/v1/messages?beta=true", b"content-type: application/json\r\n", b"1.1 them"
    )  # fmt: skip


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"identity, gzip", b""])
def test_a_body_that_has_to_be_read_may_not_be_compressed(coding: bytes) -> None:
    assert refusal(head({b"content-encoding": coding}), routing_gate()) is UnsupportedContentType
    admit(head({b"content-encoding": b"identity"}), routing_gate())
    admit(head({b"content-encoding": coding}))


@pytest.mark.parametrize("path", [b"/own", b"/below/x", b"/below/x/y", b"/below/"])
def test_own_pages_are_for_callers_who_are_known(path: bytes) -> None:
    """And for reading, without a body."""
    known: Lines = {b"content-length": None}
    admission = routing_gate()
    assert admission.admit(head(known, method=b"GET", target=path), "10.0.0.1", 0.0) == ControlRequest(
        "alice"
    )
    unknown: Lines = {**known, b"x-proxy-token": None}
    assert refusal(head(unknown, method=b"GET", target=path), admission) is MissingToken
    assert refusal(head(target=path), admission) is MethodNotAllowed
    assert refusal(head(method=b"GET", target=path), admission) is MalformedRequest


@pytest.mark.parametrize("path", [b"/ownx", b"/own/x", b"/below", b"/belowx/y"])
def test_what_only_begins_like_an_own_page_is_none(path: bytes) -> None:
    assert (
        refusal(head({b"content-length": None}, method=b"GET", target=path), routing_gate()) is UnknownRoute
    )


@pytest.mark.parametrize("accepts", [True, False])
def test_an_api_key_is_a_token_only_where_that_is_said(accepts: bool) -> None:
    admission = make_admission(accepts_api_key=accepts)
    keyed = head({b"x-proxy-token": None, b"x-api-key": TOKEN.encode()})
    if accepts:
        assert admit(keyed, admission).caller == "alice"
    else:
        assert refusal(keyed, admission) is MissingToken


@pytest.mark.parametrize(
    ("exempt", "peer", "locked"),
    [(True, "127.0.0.1", False), (True, "::1", False), (True, "127.7.7.7", False), (True, "10.0.0.1", True),
     (False, "127.0.0.1", True), (True, "", True)],
)  # fmt: skip
def test_this_machine_can_be_exempt_from_the_lockout(exempt: bool, peer: str, locked: bool) -> None:
    """Nobody else ever is; a wrong token is refused all the same."""
    admission = make_admission(local_guesses=GuessDelay() if exempt else None)
    for _ in range(2):
        assert refusal(head({b"x-proxy-token": b"wrong"}), admission, peer=peer) is InvalidToken
    if locked:
        assert refusal(head(), admission, peer=peer) is AuthLocked
    else:
        assert refusal(head({b"x-proxy-token": b"wrong"}), admission, peer=peer) is InvalidToken
        admit(head(), admission, peer=peer)


@pytest.mark.parametrize(
    "page",
    [{b"origin": b"https://app.example"}, {b"sec-fetch-site": b"same-origin"}, {b"sec-fetch-site": b"none"}],
    ids=str,
)
def test_a_page_in_a_browser_on_this_machine_is_not_exempt_and_counts_by_its_origin(page: Lines) -> None:
    """It could guess at full speed otherwise; and it locks itself out, not the programs of this machine."""
    browser = CrossOriginPolicy(origins=frozenset({b"https://app.example", b"https://other.example"}))
    admission = make_admission(local_guesses=GuessDelay(), browser=browser)
    for _ in range(2):
        assert (
            refusal(head({**page, b"x-proxy-token": b"wrong"}), admission, peer="127.0.0.1") is InvalidToken
        )
    assert refusal(head(page), admission, peer="127.0.0.1") is AuthLocked
    admit(head(), admission, peer="127.0.0.1")
    admit(head({b"origin": b"https://other.example"}), admission, peer="127.0.0.1")


def test_a_name_that_a_proxy_gives_needs_no_token_and_is_no_guess() -> None:
    """And what local callers guess beside it is one: the same lockout counts it."""
    admission = make_admission(
        identity=ProxyIdentity(user_header=b"x-user"), proxies=TrustedProxies.of(["10.0.0.1"]), failures=None
    )
    named = head({b"x-user": b"nick", b"x-proxy-token": None})
    assert admit(named, admission, peer="10.0.0.1").caller == "user:nick"
    assert refusal(head({b"x-proxy-token": None}), admission, peer="10.0.0.1") is MissingToken
    assert refusal(named, admission, peer="10.0.0.2") is InvalidToken
    assert refusal(head({b"x-user": b"nick"}), admission, peer="10.0.0.2") is InvalidToken, (
        "a token is for this machine"
    )
    admission.failures = AuthLockout(LockoutRule(max_failures=2))
    for _ in range(5):
        assert refusal(named, admission, peer="10.0.0.2") is InvalidToken, "it is never locked out"
    for _ in range(2):
        assert refusal(head({b"x-proxy-token": b"wrong"}), admission, peer="127.0.0.1") is InvalidToken
    assert refusal(head(), admission, peer="127.0.0.1") is AuthLocked
    assert admit(named, admission, peer="10.0.0.1").caller == "user:nick"
    admission.tokens = None
    assert refusal(head(), admission, peer="127.0.0.1") is InvalidToken and not admission.admits_everyone


def test_who_comes_through_a_proxy_on_this_machine_is_not_exempt_with_it() -> None:
    """The address in front of the proxy is the one that counts, and what a client writes there itself does not."""
    admission = make_admission(local_guesses=GuessDelay(), proxies=TrustedProxies.of(["127.0.0.1"]))
    forwarded: Lines = {b"x-forwarded-for": b"127.0.0.1, 7.7.7.7"}
    for _ in range(2):
        wrong = head({**forwarded, b"x-proxy-token": b"wrong"})
        assert refusal(wrong, admission, peer="127.0.0.1") is InvalidToken
    assert refusal(head(forwarded), admission, peer="127.0.0.1") is AuthLocked


def test_wrong_tokens_of_this_machine_are_slowed_and_right_ones_never() -> None:
    admission = make_admission(local_guesses=GuessDelay(first=1, longest=3))

    def delay(token: bytes | None, peer: str = "127.0.0.1") -> float:
        with pytest.raises(InvalidToken) as caught:
            admit(head({b"x-proxy-token": token}), admission, peer=peer)
        return caught.value.delay_seconds

    assert [delay(b"wrong") for _ in range(4)] == [1, 2, 3, 3]
    assert (delay(None), delay(b"wrong", "10.0.0.1")) == (0, 0), "no token is no guess; others are locked out"
    admit(head(), admission, peer="127.0.0.1")
    assert delay(b"wrong") == 1
    admission.tokens = TokenStore.closed()
    assert delay(b"wrong") == 0
    admission.tokens = TokenStore.closed("its file can be read")
    for token in (TOKEN.encode(), b"wrong", None):
        assert refusal(head({b"x-proxy-token": token}), admission, peer="127.0.0.1") is TokensUnreadable
    admission.tokens = TokenStore.of({"alice": TOKEN})
    assert delay(b"wrong") == 2, "none of them was a guess"


@pytest.mark.parametrize(
    ("name", "peer", "passes"),
    [
        (b"x-forwarded-for", "127.0.0.1", True), (b"x-forwarded-for", "127.0.0.2", False),
        (b"x-forwarded-for", "10.0.0.1", False), (b"x-forwarded-proto", "10.0.0.1", False),
        (b"forwarded", "10.0.0.1", False), (b"x-real-ip", "10.0.0.1", False),
        (b"forwarded", "127.0.0.1", False), (b"x-real-ip", "127.0.0.1", False), (b"cf-ray", "10.0.0.1", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tokens", [TokenStore.of({"alice": TOKEN}), None])
def test_a_forwarded_request_needs_a_trusted_proxy_that_names_the_client(
    tokens: TokenStore | None, name: bytes, peer: str, passes: bool
) -> None:
    """Also where no token is needed, and not for health."""
    admission = make_admission(
        tokens=tokens,
        requires_attribution=True,
        proxies=TrustedProxies.of(["127.0.0.1"]),
        local_guesses=GuessDelay(),
    )
    forwarded: Lines = {name: b"7.7.7.7"}
    if passes:
        admit(head(forwarded), admission, peer=peer)
    else:
        assert refusal(head(forwarded), admission, peer=peer) is ProxyAttributionRequired
        assert (
            refusal(head({**forwarded, b"x-proxy-token": b"wrong"}), admission, peer=peer)
            is ProxyAttributionRequired
        )
    health = head({**forwarded, b"content-length": None}, method=b"GET", target=b"/health")
    assert isinstance(admission.admit(health, peer, 0), ControlRequest)


@pytest.mark.parametrize("peer", ["10.0.0.9", "127.0.0.1"])
def test_x_real_ip_names_the_client_where_that_is_allowed_and_nothing_else_does(peer: str) -> None:
    """Also at a proxy on this machine, whose own programs no wrong token locks out."""
    proxies = TrustedProxies.of(["10.0.0.9", "127.0.0.1"], accepts_real_ip=True)
    admission = make_admission(proxies=proxies, requires_attribution=True, local_guesses=GuessDelay())

    def said(peer: str = peer, token: str = TOKEN, **lines: bytes) -> RequestHead:
        named = {name.replace("_", "-").encode(): value for name, value in lines.items()}
        return head({**named, b"x-proxy-token": token.encode()})

    for _ in range(2):
        assert refusal(said(token="wrong", x_real_ip=b"7.7.7.7"), admission, peer=peer) is InvalidToken
    assert refusal(said(x_real_ip=b"7.7.7.7"), admission, peer=peer) is AuthLocked
    assert refusal(said(x_forwarded_for=b"7.7.7.7"), admission, peer=peer) is AuthLocked
    admit(said(x_real_ip=b"7.7.7.8"), admission, peer=peer)
    admit(said(x_forwarded_for=b"7.7.7.8", x_real_ip=b"7.7.7.7"), admission, peer=peer)
    assert refusal(said(x_real_ip=b"7.7.7.8"), admission, peer="10.0.0.1") is ProxyAttributionRequired
    assert refusal(said(forwarded=b"for=7.7.7.8"), admission, peer=peer) is ProxyAttributionRequired


def test_a_client_that_a_local_proxy_cannot_name_is_not_exempt() -> None:
    admission = make_admission(local_guesses=GuessDelay(), proxies=TrustedProxies.of(["127.0.0.1"]))
    wrong = head({b"x-forwarded-for": b"unknown", b"x-proxy-token": b"wrong"})
    for _ in range(2):
        assert refusal(wrong, admission, peer="127.0.0.1") is InvalidToken
    assert refusal(wrong, admission, peer="127.0.0.1") is AuthLocked
    admit(head(), admission, peer="127.0.0.1")


def test_a_head_is_readmitted_with_another_body_and_counted() -> None:
    """What depends on more than the head is checked again: the length, the lockout, the rate limit."""
    admission = make_admission(rates=RateLimiter(RateRule(concurrent=1)))
    admitted = admit(head(), admission)
    assert admission.readmit(admitted, 1000, 0)
    assert not admission.readmit(admitted, 1000, 0), "one is in flight"
    admission.release(admitted)
    assert not admission.readmit(admitted, 1001, 0)
    admission.acquire(admitted, 0)  # nothing was counted
    admission.release(admitted)
    for _ in range(2):
        refusal(head({b"x-proxy-token": b"wrong"}), admission)
    assert not admission.readmit(admitted, 2, 0)
    admission.acquire(admitted, 0)


@pytest.mark.parametrize("parts", [{"tokens": None, "failures": None}, {"local_guesses": GuessDelay()}])
def test_where_no_lockout_applies_a_head_is_readmitted_whoever_is_locked_out(
    parts: dict[str, object],
) -> None:
    admission = make_admission(**parts)
    admitted = admit(head(), admission, peer="127.0.0.1")
    assert admitted.lockout_key is None
    if admission.failures is not None:
        for _ in range(2):
            refusal(head({b"x-proxy-token": b"wrong"}), admission)
    assert admission.readmit(admitted, 2, 0)
