"""What a monitoring system reads is what was counted, in the form that it reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from clawgate.control.metrics import CONTENT_TYPE, MetricsCollector, build_metrics_app
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import RouteTable
from clawgate.providers.credential import bearer
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.observe.metrics import SECONDS, RequestMetrics
from clawgate.relay.observe.record import RequestRecord
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import parse_url
from tests.relay.recording_dialer import OPEN

COUNTS = {("provider", "allowed", "public"): 3, ("tool", "refused", "metadata"): 1}


@pytest.fixture
def tally() -> RequestMetrics:
    return RequestMetrics()


@pytest.fixture
def client(tally: RequestMetrics) -> Iterator[TestClient]:
    route = UpstreamEndpoint(origin=parse_url("http://127.0.0.1:1")[0], policy=OPEN)
    plan = UpstreamConfig(name="u", endpoint=route, prefix="", credential=bearer("canary-key"))
    upstream = Upstream(plan, Dialer(), via=b"v")
    admission = Admission(
        upstream=upstream,
        routes=RouteTable({}, {}),
        browser=CrossOriginPolicy(),
        body_limit=0,
        via_pseudonym=b"v",
    )
    connections = ConnectionManager(
        admission=admission, upstreams=(upstream,), limits=ClientLimits(), observer=None
    )
    with TestClient(build_metrics_app(MetricsCollector(tally, connections, COUNTS))) as found:
        yield found


def scrape(client: TestClient) -> dict[tuple[str, str], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"] == CONTENT_TYPE
    assert "canary" not in answer.text
    return {
        (
            sample.name,
            ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def record(status: int, code: str | None, first: float | None, total: float = 0.2) -> RequestRecord:
    return RequestRecord(b"POST", b"/v1/x", "alice", "m", status, code, 100, first, total)


def test_before_the_first_request_everything_is_there_and_zero(client: TestClient) -> None:
    """A dashboard can tell nothing happened from nothing is measured."""
    found = scrape(client)
    assert found["clawgate_sent_bytes_total", ""] == 0
    assert found["clawgate_request_seconds_count", ""] == 0
    assert found["clawgate_client_connections", ""] == 0
    for labels in ("phase=waiting", "phase=answer"):
        assert found["clawgate_upstream_cancelled_total", labels] == 0
    for labels in ("state=idle", "state=busy"):
        assert found["clawgate_upstream_connections", labels] == 0


def test_every_count_is_shown_where_it_belongs(client: TestClient, tally: RequestMetrics) -> None:
    for one in (record(200, None, 0.01), record(200, None, 0.3), record(502, "upstream_closed", None, 1000.0),
                record(499, "client_left", None)):  # fmt: skip
        tally(one)
    found = scrape(client)
    assert found["clawgate_requests_total", "error=,status=200"] == 2
    assert found["clawgate_requests_total", "error=upstream_closed,status=502"] == 1
    assert found["clawgate_upstream_cancelled_total", "phase=waiting"] == 1
    assert found["clawgate_sent_bytes_total", ""] == 400
    assert found["clawgate_first_byte_seconds_count", ""] == 2
    assert found["clawgate_first_byte_seconds_sum", ""] == pytest.approx(0.31)
    assert found["clawgate_request_seconds_count", ""] == 4


def test_buckets_hold_all_that_is_not_longer(client: TestClient, tally: RequestMetrics) -> None:
    for seconds in (*SECONDS, 1000.0):
        tally(record(200, None, None, seconds))
    found = scrape(client)
    for number, bound in enumerate(SECONDS, 1):
        assert found["clawgate_request_seconds_bucket", f"le={bound:g}"] == number
    assert found["clawgate_request_seconds_bucket", "le=+Inf"] == len(SECONDS) + 1


def test_there_is_nothing_else_on_that_listener(client: TestClient) -> None:
    assert client.get("/").status_code == 404
    assert client.post("/metrics").status_code == 405


def test_connections_are_counted_by_requester_verdict_and_address(client: TestClient) -> None:
    found = scrape(client)
    name = "clawgate_egress_connections_total"
    assert found[name, "address=public,requester=provider,verdict=allowed"] == 3
    assert found[name, "address=metadata,requester=tool,verdict=refused"] == 1
