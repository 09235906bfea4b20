from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clawgate.processes.instance.egress_client import EgressCallFailed, read_egress
from clawgate.processes.instance.instance_lock import RunningInstance
from tests.processes.instance.test_health_client import Serve, http, serve

__all__ = ["serve"]


def running(port: int) -> RunningInstance:
    url = f"http://127.0.0.1:{port}"
    return RunningInstance(
        pid=1, identity="x", since=datetime.now(UTC), is_visible=True, url=url, port=port, key="the-key"
    )


def test_the_key_and_the_params_are_sent_and_nothing_else(serve: Serve) -> None:
    requests: list[bytes] = []
    port = serve(http({"rows": []}), requests)
    assert read_egress(running(port), "/egress", {"url": "http://a/?b c"}) == {"rows": []}
    assert requests[0].startswith(b"GET /egress?url=http%3A%2F%2Fa%2F%3Fb+c HTTP/1.1\r\n")
    assert b"x-clawgate-key: the-key\r\n" in requests[0] and b"uthorization" not in requests[0]


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (http({"error": {"message": "unknown route"}}, 404), "restart it: clawgate gateway restart"),
        (http({"error": "there is no provider 'x'"}, 400), "there is no provider 'x'"),
        (http([], 200), "status 200"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 1\r\n\r\n{", "Expecting"),
        (b"SSH-2.0\r\n\r\n", "Expected HTTP"),
    ],
)  # fmt: skip
def test_a_failure_says_why(serve: Serve, response: bytes, why: str) -> None:
    with pytest.raises(EgressCallFailed, match=why):
        read_egress(running(serve(response)), "/egress", {})
