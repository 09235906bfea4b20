"""Serves the request metrics in Prometheus' text format, on a listener of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.observe.metrics import CANCEL_PHASES, SECONDS, Histogram, RequestMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


EgressCounts = Mapping[tuple[str, str, str], int]
"""Connections by kind of requester, verdict and kind of address."""


class MetricsCollector:
    """Reads the metrics at each scrape."""

    def __init__(self, metrics: RequestMetrics, connections: ConnectionManager, egress: EgressCounts) -> None:
        self._metrics = metrics
        self._connections = connections
        self._egress = egress

    def collect(self) -> Iterator[Metric]:
        metrics, counter, gauge = self._metrics, CounterMetricFamily, GaugeMetricFamily
        requests = counter("clawgate_requests", "Finished requests.", labels=["status", "error"])
        for (status, code), count in sorted(metrics.requests.items()):
            requests.add_metric([str(status), code], count)
        yield requests
        text = "Requests whose client disconnected before the end."
        cancelled = counter("clawgate_upstream_cancelled", text, labels=["phase"])
        for phase in CANCEL_PHASES:
            cancelled.add_metric([phase], metrics.cancelled[phase])
        yield cancelled
        yield counter("clawgate_sent_bytes", "Bytes of responses sent to clients.", value=metrics.sent_bytes)
        text = "From a request's head to the head of its response."
        yield _family("clawgate_first_byte_seconds", text, metrics.first_byte)
        text = "From a request's head to the end of its response."
        yield _family("clawgate_request_seconds", text, metrics.total)
        count = self._connections.connection_count
        yield gauge("clawgate_client_connections", "Open connections of clients.", value=count)
        pools = [upstream.pool for upstream in self._connections.upstreams]
        idle = sum(pool.idle_count for pool in pools)
        connections = gauge("clawgate_upstream_connections", "Connections to the upstream.", labels=["state"])
        connections.add_metric(["idle"], idle)
        connections.add_metric(["busy"], sum(pool.open_count for pool in pools) - idle)
        yield connections
        text = "Connections that were dialed, and those that the egress policy refused."
        egress = counter("clawgate_egress_connections", text, labels=["requester", "verdict", "address"])
        for labels, number in sorted(self._egress.items()):
            egress.add_metric(labels, number)
        yield egress


def _family(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds = [*(f"{bound:g}" for bound in SECONDS), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.sum)


def build_metrics_app(collector: MetricsCollector) -> Starlette:
    """Make the application of the metrics listener."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE})

    return Starlette(routes=[Route("/metrics", metrics)])
