from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from clawgate.errors import GatewayError
from clawgate.policy.egress.policy import EgressPolicy, NetworkRules
from clawgate.policy.egress.rules import FakeIp
from clawgate.relay.upstream.dial import Dialer, Resolver
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.explain import explain
from clawgate.wire.http.url import Origin, parse_fetch_url
from tests.relay.recording_dialer import CLOSED, OPEN
from tests.relay.upstream.test_dial import Recorder, answers, attempt

REPORTS = replace(CLOSED, network=NetworkRules(report_only=True))
NAME = Origin("http", "somewhere.example", 80)


async def unresolvable(host: str, port: int) -> Sequence[str]:
    raise OSError(-2, "Name or service not known")


async def never_asked(host: str, port: int) -> Sequence[str]:
    raise AssertionError("a name that is refused needs no DNS")


@pytest.mark.parametrize(
    ("policy", "resolver", "verdict"),
    [
        (CLOSED, None, "undecided"),
        (CLOSED, unresolvable, "undecided"),
        (CLOSED, answers("93.184.216.34"), "allowed"),
        (CLOSED, answers("93.184.216.34", "10.0.0.1"), "refused"),
        (OPEN, answers("10.0.0.1"), "allowed"),
        (OPEN, answers("10.0.0.1", "169.254.169.254"), "refused"),
        (REPORTS, answers("10.0.0.1"), "reported"),
        (REPORTS, answers("169.254.169.254"), "refused"),
        (OPEN, answers(), "refused"),
    ],
)
async def test_a_name_is_decided_by_its_addresses(
    policy: EgressPolicy, resolver: Resolver | None, verdict: str
) -> None:
    found = await explain(NAME, policy, resolver)
    assert (found.verdict, found.to_json()["verdict"]) == (verdict, verdict)
    assert (found.resolving != "") is (resolver is unresolvable)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1", "http://localhost:8000", "http://[::1]", "http://10.0.0.7", "http://169.254.169.254",
     "http://metadata.google.internal", "http://0.0.0.0"],
)  # fmt: skip
@pytest.mark.parametrize("policy", [CLOSED, replace(CLOSED, setting="the.switch"), OPEN])
async def test_what_is_explained_is_what_a_dial_gets(url: str, policy: EgressPolicy) -> None:
    """Verdict, code and message, and a refused host is not resolved."""
    recorder = Recorder()
    recorder.install()
    origin, _ = parse_fetch_url(url)
    error: GatewayError | None = await attempt(
        Dialer(answers("127.0.0.1" if origin.host == "localhost" else origin.host)),
        UpstreamEndpoint(origin=origin, policy=policy),
    )
    found = await explain(origin, policy, None if policy is OPEN else never_asked)
    if found.verdict == "refused":
        assert error is not None and found.error is not None
        assert (error.code, error.message) == (found.error.code, found.error.message)
        assert recorder.dialled == []
    else:
        assert found.verdict == "allowed" and recorder.dialled


@pytest.mark.parametrize(
    "policy",
    [
        CLOSED,
        OPEN,
        REPORTS,
        replace(CLOSED, private=True, origin=NAME),
        replace(CLOSED, origin=NAME, network=NetworkRules(fake_ip=FakeIp())),
    ],
)
@pytest.mark.parametrize("host", ["10.0.0.9", "owl.internal", "somewhere.example", "169.254.169.254"])
@pytest.mark.parametrize("at", ["10.0.0.1", "93.184.216.34", "169.254.169.254", "198.18.0.40"])
async def test_behind_a_proxy_it_is_the_proxy_that_is_decided_about(
    policy: EgressPolicy, host: str, at: str
) -> None:
    recorder = Recorder()
    recorder.install()
    origin, proxy = replace(NAME, host=host), Origin("http", "proxy.example", 3128)
    endpoint = UpstreamEndpoint(origin=origin, policy=policy, proxy=proxy)
    error: GatewayError | None = await attempt(Dialer(answers(at)), endpoint)
    found = await explain(origin, policy, answers(at), proxy)
    assert (found.verdict == "refused") is (recorder.dialled == [])
    if found.error is not None:
        assert error is not None and error.message == found.error.message
