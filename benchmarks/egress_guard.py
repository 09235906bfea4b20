"""What does the egress guard cost, without DNS? Parsing and decision of a URL, and a refusal with its message."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from benchmarks.results import Results
from clawgate.policy.egress.policy import EgressPolicy, NetworkRules, check_url
from clawgate.policy.egress.rules import FakeIp, Rule
from clawgate.providers.availability import provider_error
from clawgate.providers.provider import Provider
from clawgate.wire.http.url import Origin

GUARD = "egress guard"
_URLS = {
    "name": "https://api.openai.example/v1/chat/completions?x=1",
    "public address": "https://93.184.216.34:8443/v1",
    "octal loopback": "http://0177.0.0.1/",
    "NAT64 of metadata": "http://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
    "international name": "https://b\u00fccher.example/ein/l\u00e4ngerer/pfad",
}
_RULES = NetworkRules(
    allow=tuple(Rule.parse(f"10.{number}.0.0/16") for number in range(20)),
    deny=tuple(Rule.parse(f"*.bad{number}.example") for number in range(20)),
    fake_ip=FakeIp(),
)
_POLICY = EgressPolicy(requester="benchmark", network=_RULES)
_LAN = Provider(
    id="lan", api="openai-completions", origin=Origin("http", "10.0.0.7", 8000), path="/v1", network=_RULES
)
SHAPES: dict[str, Callable[[], object]] = {
    **{shape: partial(check_url, url, _POLICY) for shape, url in _URLS.items()},
    "refusal of a provider": partial(provider_error, _LAN),
}
_PER_ROUND = 5_000


def measure_guard(results: Results, rounds: int, say: Callable[[str], None]) -> None:
    """Record the CPU microseconds of each shape, with forty rules configured."""
    for number in range(1, rounds + 1):
        say(f"egress guard, round {number} of {rounds}")
        for shape, work in SHAPES.items():
            began = time.process_time_ns()
            for _ in range(_PER_ROUND):
                work()
            spent = (time.process_time_ns() - began) / 1000
            results.add(GUARD, shape, {"cpu_us": spent / _PER_ROUND})
