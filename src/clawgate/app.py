"""The composition root: builds the parts of a role from its settings, joins them, and owns their start and stop.

The roles are compositions of the same parts, not programs of their own: a gate in front, an upstream behind, a
control plane beside.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import secrets
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from clawgate.errors import GatewayError
from clawgate.gateway.health import Probe, build_health
from clawgate.policy.admission import FailureLimiter, FailureRule, TokenBook
from clawgate.policy.browser import LOOPBACK_NAMES, BrowserRule
from clawgate.policy.deadlines import TimeLimits
from clawgate.policy.ratelimit import RateLimiter, RateRule
from clawgate.policy.redaction import Redactor
from clawgate.policy.routing import ANYTHING_BELOW_V1, MODEL_ROUTES, RouteTable
from clawgate.processes.lifeline import watch
from clawgate.processes.workers import run_workers
from clawgate.providers.credential import Bearer, HeaderToken, basic_value
from clawgate.relay.access_log import AccessLog
from clawgate.relay.dial import Dialer, Route, tls_context
from clawgate.relay.front import Front
from clawgate.relay.gate import Gate, ModelRule
from clawgate.relay.host import Host, listen
from clawgate.relay.journal import Observer, Record
from clawgate.relay.reader import IntakeLimits
from clawgate.relay.tally import Tally
from clawgate.relay.upstream import Upstream, UpstreamPlan
from clawgate.settings.load import Problem, SettingsInvalid
from clawgate.settings.model import BridgeSettings, RelaySettings, ServerSettings
from clawgate.settings.tokens import TokenSource
from clawgate.wire.url import Origin, parse_url

logger = logging.getLogger("clawgate")

_LOOK_AT_TOKENS_EVERY = 0.5
_FLUSH_LOG_EVERY = 0.2
_SPARE_FILES = 64  # descriptors that are not connections: listeners, logs, pipes, modules


@dataclass(slots=True)
class Role:
    """One role, ready to be served. ``chores`` are called again and again on the loop, each with its interval."""

    name: str
    front: Front
    app: Any
    upstream: Upstream
    dialer: Dialer
    host: str
    port: int
    drain_seconds: float
    tls: tuple[str, str] | None = None
    workers: int = 1
    lifeline: int | None = None
    chores: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    at_end: Callable[[], None] = lambda: None
    metrics: tuple[int, Callable[[], tuple[Front, Any]]] | None = None


def build_bridge(settings: BridgeSettings, *, dialer: Dialer | None = None) -> Role:
    """The local bridge: any client in, `X-Proxy-Token` out."""
    origin, path = parse_url(settings.remote_url)
    instance = secrets.token_hex(6)
    dialer = dialer or Dialer()
    upstream = Upstream(
        UpstreamPlan(
            name="remote",
            route=_route(settings, origin),
            prefix=path.removesuffix("/v1"),
            credential=HeaderToken("X-Proxy-Token", settings.proxy_token.get_secret_value()),
            limits=_time_limits(settings),
        ),
        dialer,
        via=_via(instance),
    )
    token = settings.bridge_token
    if token is None and not is_loopback(settings.host):
        raise SettingsInvalid(
            [
                Problem(
                    "host",
                    "",
                    f"'{settings.host}' is not a loopback address, and anybody who reaches it could spend your money: "
                    "set --bridge-token (make one with: clawgate server new-token), or keep 127.0.0.1",
                )
            ]
        )
    gate = Gate(
        upstream=upstream,
        routes=ANYTHING_BELOW_V1,
        browser=_browser_rule(settings, settings.host),
        body_limit=_body_limit(settings),
        own_via=_via(instance),
        tokens=None if token is None else TokenBook.of({"bridge": token.get_secret_value()}),
        failures=None if token is None else FailureLimiter(FailureRule()),
    )
    observer: Observer = _log_all if settings.verbose else _log_failures
    front = Front(
        gate=gate,
        upstreams=(upstream,),
        limits=_intake_limits(settings),
        observer=observer,
        observes_all=settings.verbose,
    )
    return Role(
        name="bridge",
        front=front,
        app=build_health(
            role="bridge", instance=instance, probe=Probe(upstream), deep_for_callers=token is not None
        ),
        upstream=upstream,
        dialer=dialer,
        host=settings.host,
        port=settings.bridge_port,
        drain_seconds=settings.drain_timeout,
        lifeline=0 if settings.exit_on_stdin_eof else None,
    )


def build_server(settings: ServerSettings, *, dialer: Dialer | None = None) -> Role:
    """The remote proxy: tokens in, the real key out."""
    origin, path = parse_url(settings.base_url)
    source = TokenSource(settings)
    instance = secrets.token_hex(6)
    dialer = dialer or Dialer()
    upstream = Upstream(
        UpstreamPlan(
            name="openai",
            route=_route(settings, origin),
            prefix=path or "/v1",
            replaces="/v1",
            credential=Bearer(settings.openai_api_key.get_secret_value()),
            limits=_time_limits(settings),
            extra_lines=_account_lines(settings),
        ),
        dialer,
        via=_via(instance),
    )
    rates = RateRule(concurrent=settings.max_concurrent, per_minute=settings.requests_per_minute)
    gate = Gate(
        upstream=upstream,
        routes=MODEL_ROUTES,
        browser=_browser_rule(settings, settings.host),
        body_limit=_body_limit(settings),
        own_via=_via(instance),
        tokens=source.book(),
        failures=FailureLimiter(
            FailureRule(settings.max_auth_failures, settings.auth_failure_window, settings.auth_lockout)
        ),
        rates=RateLimiter(rates) if rates != RateRule() else None,
        model_rule=ModelRule(frozenset(settings.models)) if settings.models else None,
        trusted_proxies=frozenset(settings.trusted_proxy),
    )
    tally = Tally()
    log = AccessLog(_print_out, time.time) if settings.access_log else None
    observer: Observer = tally if log is None else _both(tally, log)
    front = Front(gate=gate, upstreams=(upstream,), limits=_intake_limits(settings), observer=observer)
    role = Role(
        name="server",
        front=front,
        app=build_health(role="server", instance=instance, probe=Probe(upstream), deep_for_callers=True),
        upstream=upstream,
        dialer=dialer,
        host=settings.host,
        port=settings.port,
        drain_seconds=settings.drain_timeout,
        tls=(settings.tls_certificate, settings.tls_key)
        if settings.tls_certificate and settings.tls_key
        else None,
        workers=settings.workers,
        lifeline=0 if settings.exit_on_stdin_eof else None,
        chores=[(_LOOK_AT_TOKENS_EVERY, lambda: _look_at_tokens(source, gate, front))],
    )
    if log is not None:
        role.chores.append((_FLUSH_LOG_EVERY, log.flush))
        role.at_end = log.flush
    if settings.metrics_port is not None:
        role.metrics = (settings.metrics_port, lambda: _build_metrics(tally, front, upstream, instance))
    return role


# Serving


def serve(role: Role, sockets: list[socket.socket], ready: Callable[[], None]) -> int:
    """Serve ``role`` until it is stopped; ``ready`` is called when connections are accepted. The exit status."""
    if role.workers > 1:
        ready()
        return run_workers(role.workers, lambda lifeline: _serve_here(role, sockets, lifeline, lambda: None))
    return _serve_here(role, sockets, role.lifeline, ready)


def _serve_here(
    role: Role, sockets: list[socket.socket], lifeline: int | None, ready: Callable[[], None]
) -> int:
    def when_up(host: Host) -> None:
        if lifeline is not None:
            watch(lifeline, host.stop)
        for every, chore in role.chores:
            _repeat(every, chore)
        if role.metrics is not None:
            port, build = role.metrics
            host.keep(_serve_metrics(port, *build()))
        ready()
        # What exists now lives as long as the process: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)

    host = Host(role.front, role.app, drain_seconds=role.drain_seconds, tls=role.tls, when_up=when_up)
    try:
        host.run_on(sockets)
    finally:
        role.at_end()
    return 0


def open_listener(role: Role) -> list[socket.socket]:
    """The role's sockets; raises OSError when the address cannot be had."""
    return listen(role.host, role.port)


def _repeat(every: float, chore: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(every, _repeat, every, chore)
    chore()


async def _serve_metrics(port: int, front: Front, app: Any) -> None:
    config = Config(app, http=front.make_protocol, ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    config.load()
    front.open()
    state = ServerState()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: front.make_protocol(config, state, {}), "127.0.0.1", port, reuse_address=True
        )
    except OSError as error:
        logger.error(
            "metrics are not served: port %d cannot be had (%s); choose another --metrics-port", port, error
        )
        return
    logger.info("metrics on http://127.0.0.1:%d/metrics", server.sockets[0].getsockname()[1])
    try:
        await server.serve_forever()
    finally:
        front.close()


def _build_metrics(tally: Tally, measured: Front, upstream: Upstream, instance: str) -> tuple[Front, Any]:
    from clawgate.gateway.metrics import TallyCollector, build_metrics

    gate = Gate(
        upstream=upstream,
        routes=RouteTable(exact={}, below={}),
        browser=BrowserRule(),
        body_limit=0,
        own_via=_via(instance),
        control_paths=frozenset({b"/metrics"}),
    )
    front = Front(gate=gate, upstreams=(), limits=IntakeLimits(connections=32), observer=None)
    return front, build_metrics(TallyCollector(tally, measured, upstream))


# Parts


def _route(settings: RelaySettings, origin: Origin) -> Route:
    problems = []
    tls = None
    if origin.scheme == "https":
        try:
            tls = tls_context(
                ca_file=settings.ca_file, certificate=settings.client_certificate, key=settings.client_key
            )
        except (OSError, ssl.SSLError) as error:
            problems.append(Problem("caFile, clientCertificate, clientKey", "", f"cannot be used: {error}"))
    proxy, authorization = None, None
    if settings.upstream_proxy is not None:
        try:
            userinfo, at, rest = settings.upstream_proxy.removeprefix("http://").rpartition("@")
            proxy, path = parse_url(f"http://{rest}")
            if path or not settings.upstream_proxy.startswith("http://"):
                raise ValueError("must look like http://[user:password@]host:port")
            authorization = basic_value(userinfo) if at else None
        except ValueError as error:
            problems.append(Problem("upstreamProxy", "", str(error)))
    if problems:
        raise SettingsInvalid(problems)
    return Route(origin=origin, trusted=True, tls=tls, proxy=proxy, proxy_authorization=authorization)


def _browser_rule(settings: RelaySettings, host: str) -> BrowserRule:
    origins = frozenset(origin.encode() for origin in settings.allow_origin)
    if "*" in settings.allow_host or not (settings.allow_host or is_loopback(host)):
        return BrowserRule(hosts=None, origins=origins)
    names = LOOPBACK_NAMES | {name.lower().encode() for name in settings.allow_host} | {host.lower().encode()}
    return BrowserRule(hosts=names, origins=origins)


def _time_limits(settings: RelaySettings) -> TimeLimits:
    return TimeLimits(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        idle=settings.idle_timeout,
        total=settings.total_timeout,
    )


def _body_limit(settings: RelaySettings) -> int:
    return int(settings.max_body_mb * 1024 * 1024)


def _intake_limits(settings: RelaySettings) -> IntakeLimits:
    return IntakeLimits(body_bytes=_body_limit(settings), connections=_most_connections())


def _most_connections() -> int:
    """As many clients as descriptors allow, two for each: its own and one to the upstream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            logger.debug("the limit of open files stays at %d", soft)
    return max((soft - _SPARE_FILES) // 2, 16)


def _account_lines(settings: ServerSettings) -> bytes:
    lines = {"openai-organization": settings.organization, "openai-project": settings.project}
    return b"".join(HeaderToken(name, value).line() for name, value in lines.items() if value)


def _via(instance: str) -> bytes:
    return f"clawgate-{instance}".encode("ascii")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _look_at_tokens(source: TokenSource, gate: Gate, front: Front) -> None:
    try:
        if not source.changed():
            return
    except SettingsInvalid as error:
        logger.error("the changed tokens file is not used, the earlier tokens stay valid: %s", error)
        return
    gate.tokens = source.book()
    front.forget_heads()
    logger.info("tokens read again: %s", ", ".join(sorted(source.tokens)))


# Logs


def set_up_logging(redactor: Redactor, *, verbose: bool) -> None:
    """One handler on standard error, behind which no secret gets."""

    class Clean(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return redactor.clean(super().format(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Clean("%(asctime)s [%(name)s] %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _print_out(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        logger.debug("the access log cannot be written")


def _both(first: Observer, second: Observer) -> Observer:
    def observe(record: Record) -> None:
        first(record)
        second(record)

    return observe


def _log_failures(record: Record) -> None:
    if record.code is not None:
        _log_all(record)


def _log_all(record: Record) -> None:
    logger.info(
        "%s %s: %d%s, %d bytes in %.0f ms",
        record.method.decode("ascii"),
        record.path.decode("ascii"),
        record.status,
        f" {record.code}" if record.code else "",
        record.sent,
        record.total * 1000,
    )


__all__ = [
    "GatewayError",
    "Role",
    "build_bridge",
    "build_server",
    "is_loopback",
    "open_listener",
    "serve",
    "set_up_logging",
]
