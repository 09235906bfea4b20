"""A plugin's small request: one GET with what it asked for, and each failure has a cause that programs can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from clawgate.app.plugins.fetch import fetch_for_plugin
from clawgate.plugins.api import FetchFailed, FetchRequest
from clawgate.policy.egress.policy import NetworkRules
from clawgate.policy.egress.rules import Rule
from clawgate.relay.upstream.dial import Dialer
from tests.other_user import NOBODY, listening_as, needs_another_user
from tests.peers import faults
from tests.peers.script import Close, ReadBody
from tests.peers.upstream import FakeUpstream, SilentListener
from tests.relay.recording_dialer import RecordingDialer

SECRET = "canary-9f8e7d6c5b4a3928"


async def failure(url: str, *, dialer: Dialer | None = None, **more: Any) -> FetchFailed:
    given: dict[str, Any] = {"allow_private": True, "connect_seconds": 5.0, "response_seconds": 5.0}
    with pytest.raises(FetchFailed) as caught:
        await fetch_for_plugin(
            FetchRequest(url=url, **{**given, **more}), dialer or Dialer(), requester="plugin:test"
        )
    assert SECRET not in caught.value.message and caught.value.message.isprintable()
    return caught.value


async def test_one_get_with_what_was_asked_for() -> None:
    """The path and the query as they are, the credential in its header, and further lines; any status is an answer."""
    async with FakeUpstream(faults.json_response({"a": 1}), faults.error_response(503)) as upstream:
        plan = FetchRequest(
            url=f"{upstream.url}/v1/models?deep=1&x=%20",
            header="X-Key",
            secret=SecretStr(SECRET),
            headers={"X-Other": "yes"},
            allow_private=True,
        )
        found = await fetch_for_plugin(plan, Dialer(), requester="plugin:test")
        assert (found.status, found.json()) == (200, {"a": 1}) and found.milliseconds > 0
        (request,) = upstream.requests
        assert (request.method, request.target) == ("GET", "/v1/models?deep=1&x=%20")
        assert request.header_all("x-key") == [SECRET] and request.header_all("x-other") == ["yes"]
        assert (
            await fetch_for_plugin(
                FetchRequest(url=upstream.url, allow_private=True), Dialer(), requester="plugin:test"
            )
        ).status == 503
        assert upstream.requests[1].target == "/" and upstream.anomalies == []


async def test_a_prefix_stands_before_the_secret() -> None:
    async with FakeUpstream(faults.json_response({})) as upstream:
        await fetch_for_plugin(
            FetchRequest(
                url=upstream.url,
                header="Authorization",
                prefix="Bearer",
                secret=SecretStr(SECRET),
                allow_private=True,
            ),
            Dialer(),
            requester="plugin:test",
        )
        assert upstream.requests[0].header_all("authorization") == [f"Bearer {SECRET}"]


async def test_each_failure_has_its_cause() -> None:
    """Refused, broken off, silent, no HTTP; nobody is asked for longer than was said."""
    async with FakeUpstream(
        faults.garbage_head(), (ReadBody(), Close()), faults.never_responds()
    ) as upstream:
        gone = upstream.url
        assert (await failure(gone)).cause == "malformed"
        assert (await failure(gone)).cause == "unreachable"
        late = await failure(gone, response_seconds=0.2)
        assert late.cause == "timed_out" and "0.2 s" in late.message
    assert (await failure(gone)).cause == "unreachable"
    with SilentListener(backlog_full=True) as listener:
        late = await failure(listener.url, connect_seconds=0.2)
        assert late.cause == "timed_out" and "connect" in late.message


@pytest.mark.parametrize(
    ("address", "private"),
    [("127.0.0.1", False), ("10.0.0.1", False), ("169.254.169.254", True), ("0.0.0.0", True), ("fe80::1", True)],
)  # fmt: skip
async def test_the_gateways_judgement_of_addresses_holds_for_plugins(address: str, private: bool) -> None:
    """What is private, unless the operator named it; some places in no case. Nothing is dialled."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        return [address]

    dialer = RecordingDialer(resolver)
    blocked = await failure("http://some.example:9/x", dialer=dialer, allow_private=private)
    assert blocked.cause == "blocked"
    is_private = not private
    assert ("clawgate config set gateway.allowPrivateNetwork true" in blocked.message) is is_private
    assert [entry.dialled for entry in dialer.ledger] == [None]


@pytest.mark.parametrize(
    "host", ["localhost", "printer.local", "owl.internal.", "LOCALHOST.localdomain", "0x7f.1"]
)
@pytest.mark.parametrize("private", [True, False])
async def test_a_name_is_judged_before_it_is_resolved(host: str, private: bool) -> None:
    """What a plugin fetches needs its own permission; metadata has none."""
    resolved: list[str] = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        resolved.append(host)
        return ["169.254.169.254"]

    for one in (host, "metadata.google.internal"):
        blocked = await failure(f"http://{one}:9/x", dialer=Dialer(resolver), allow_private=private)
        assert blocked.cause == "blocked"
    assert len(resolved) == private


async def test_the_rules_of_the_gateway_count_for_plugins_too() -> None:
    async with FakeUpstream(faults.json_response({})) as upstream:
        request = FetchRequest(url=upstream.url, allow_private=True)
        rules = NetworkRules(deny=(Rule.parse("127.0.0.0/8"),))
        with pytest.raises(FetchFailed, match=r"network\.deny"):
            await fetch_for_plugin(request, Dialer(), requester="plugin:test", network=rules)
        request, rules = FetchRequest(url=upstream.url), NetworkRules(allow=(Rule.parse("127.0.0.1"),))
        found = await fetch_for_plugin(request, Dialer(), requester="plugin:test", network=rules)
        assert found.status == 200


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("ftp://h/x", {}),
        ("h", {}),
        ("", {}),
        (f"http://user:{SECRET}@h/x", {}),
        ("http://h:99999/", {}),
        ("http://h/a b", {}),
        ("http://h/\r\nx: y", {}),
        ("http://h/x", {"header": "not a name", "secret": SecretStr(SECRET)}),
        ("http://h/x", {"header": "x", "secret": SecretStr(f"{SECRET}\r\ny: z")}),
        ("http://h/x", {"headers": {"x": "a\r\nb: c"}}),
        ("http://h/x", {"headers": {"a:b": "c"}}),
    ],
)
async def test_what_is_no_request_is_none(url: str, more: dict[str, Any]) -> None:
    """Nothing is dialled, and the reason repeats no secret."""
    dialer = RecordingDialer()
    assert (await failure(url, dialer=dialer, **more)).cause == "bad_url"
    assert len(dialer.ledger) == 0


@needs_another_user
def test_nothing_is_sent_to_another_users_process_on_a_loopback_port() -> None:
    """Not even the request line; the secret would be in the head."""
    with listening_as(NOBODY) as (port, program):
        assert program.stdout is not None
        url = f"http://127.0.0.1:{port}/v1/models"
        given = FetchRequest(
            url=url, header="x-api-key", secret=SecretStr(SECRET), allow_private=True, trusted_user="self"
        )
        with pytest.raises(FetchFailed, match=f"uid {NOBODY}") as caught:
            asyncio.run(fetch_for_plugin(given, Dialer(), requester="plugin:test"))
        program.kill()
        assert caught.value.cause == "untrusted" and program.stdout.read() == b""


def test_our_own_users_process_is_fetched_from() -> None:
    async def work() -> int:
        async with FakeUpstream(faults.json_response({})) as upstream:
            given = FetchRequest(url=upstream.url, allow_private=True, trusted_user="self")
            return (await fetch_for_plugin(given, Dialer(), requester="plugin:test")).status

    assert asyncio.run(work()) == 200
