"""The head of a request to a provider, encoded once for each head of a client, and why the last request failed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clawgate import errors
from clawgate.relay.response.error_response import message_of, status_of
from clawgate.relay.upstream.dial import Dialer
from clawgate.routing import provider_upstream as module
from clawgate.routing.provider_upstream import ProviderUpstream
from tests.e2e.certificates import Authority, server_side
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.response import Response
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import RecordingDialer
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    KEY,
    MESSAGES,
    GatewayStand,
    config_of,
    provider,
    question,
    serving_gateway,
)
from tests.routing.test_router import connect, make_provider

TARGET = b"/v1/chat/completions"


def made(api: str = "openai-completions", **more: object) -> ProviderUpstream:
    provider = make_provider("a", api, **more)
    return ProviderUpstream(provider, connect(provider))


def test_a_head_ends_where_the_length_belongs() -> None:
    head = made().head(TARGET, b"accept: x\r\n", b"1.1 them")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n") and head.endswith(
        b"\r\ncontent-length: "
    )
    assert head.count(f"authorization: Bearer {KEY}a\r\n".encode()) == 1
    assert b"\r\naccept: x\r\n" in head and b"via: 1.1 them, 1.1 clawgate-me\r\n" in head


def test_the_same_head_is_encoded_once_and_another_is_not_taken_for_it() -> None:
    """Everything that the head depends on is compared."""
    provider = made()
    heads = [
        provider.head(target, lines, via)
        for target in (TARGET, b"/v1/embeddings")
        for lines in (b"", b"accept: x\r\n")
        for via in (b"", b"1.1 them")
    ]
    assert len(set(heads)) == 8
    assert provider.head(TARGET, b"", b"") is heads[0]


def test_the_operators_headers_and_version_are_stronger() -> None:
    lines = b"openai-beta: client\r\naccept: x\r\n"
    head = made(headers=(("OpenAI-Beta", "operator"),)).head(TARGET, lines, b"")
    assert b"client" not in head and head.count(b"operator") == 1 and b"accept: x\r\n" in head
    version = b"anthropic-version: 2099-01-01\r\n"
    assert b"anthropic-version: 2023-06-01\r\n" in made(ANTHROPIC).head(b"/v1/messages", b"", b"")
    assert made(ANTHROPIC).head(b"/v1/messages", version, b"").count(b"anthropic-version: ") == 1
    assert b"anthropic-version" not in made().head(TARGET, b"", b"")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither many heads nor long ones are kept; lines that differ each time are not remembered at all."""
    monkeypatch.setattr(module, "_MAX_HEADS", 3)
    provider = made()
    for number in range(10):
        assert b"accept: %d\r\n" % number in provider.head(TARGET, b"accept: %d\r\n" % number, b"")
        assert len(provider._heads) <= 3
    provider = made()
    assert b"x" * 5000 in provider.head(TARGET, b"accept: %b\r\n" % (b"x" * 5000), b"")
    provider.encode_head(TARGET, b"x-session: 1\r\n", b"")
    assert provider._heads == {}


OK = faults.json_response({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]})
REFUSES = "127.0.0.2"
"""An address of this machine on which no `FakeUpstream` listens."""
REFUSED = errors.UpstreamUnreachable("refused", retry_after=1)
LATE = errors.UpstreamTimedOut("late", limit="connect", seconds=5)
SLOW = errors.UpstreamTimedOut("slow", limit="first_byte", seconds=5)


class Names:
    """A resolver for whose name there is ``address``: one that may be dialled or not, an error, or None: it hangs.

    What hangs fails when ``release`` is set.
    """

    def __init__(self, address: str | Exception | None) -> None:
        self.address = address
        self.waiting = 0
        self.release = asyncio.Event()

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        if self.address is None:
            self.waiting += 1
            await self.release.wait()
            raise OSError(0, "no such name")
        if isinstance(self.address, Exception):
            raise self.address
        return [str(self.address)]

    def config(self, upstream: FakeUpstream) -> dict[str, Any]:
        url = upstream.url.replace("127.0.0.1", "oa.test")
        return config_of({"oa": provider(url)}, primary="oa/m")


def expected(stand: GatewayStand, name: str = "oa") -> tuple[int, str, str] | None:
    router = stand.role.router
    found = router.catalog.providers[name]
    assert router.provider_error(found) is None, (
        "what the last request got keeps the next one from being sent"
    )
    error = router.expected_error(found)
    return None if error is None else (status_of(error), error.code, message_of(error))


def got(response: Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status, error["code"], error["message"]


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        (REFUSES, "provider_unavailable", "connection refused"),
        (OSError(0, "no such name"), "provider_unavailable", "the name cannot be resolved"),
        ("127.0.0.1", "provider_unavailable", "TLS failed"),
        ("169.254.1.1", "private_network_blocked", "must not be dialled"),
        (None, "upstream_timed_out", "no connection within"),
    ],
)
async def test_an_upstream_out_of_reach_is_reported_as_a_request_gets_it_until_one_succeeds(
    address: str | Exception | None, code: str, says: str, tmp_path: Path
) -> None:
    names = Names(address)
    tls = server_side(Authority(tmp_path, "unknown").issue("oa.test")) if says == "TLS failed" else None
    async with (
        FakeUpstream(OK, tls=tls) as upstream,
        serving_gateway(tmp_path, names.config(upstream), dialer=Dialer(names.resolve)) as stand,
    ):
        assert expected(stand) is None
        if address is None:
            stand.limit("oa", connect=0.2, first_byte=5, idle=5, total=10)
        failed = got(await stand.ask(question("oa/m")))
        assert expected(stand) == failed and failed[1] == code and says in failed[2]
        names.address = "127.0.0.1"
        if tls is None:
            assert (await stand.ask(question("oa/m"))).status == 200
            assert expected(stand) is None


@pytest.mark.parametrize("status", [400, 413, 429, 500, 503])
async def test_a_response_shows_that_the_upstream_is_in_reach_and_a_failure_in_it_is_not_kept(
    status: int, tmp_path: Path
) -> None:
    names = Names(REFUSES)
    async with (
        FakeUpstream(faults.error_response(status)) as upstream,
        serving_gateway(tmp_path, names.config(upstream), dialer=Dialer(names.resolve)) as stand,
    ):
        await stand.ask(question("oa/m"))
        names.address = "127.0.0.1"
        assert expected(stand) is not None and (await stand.ask(question("oa/m"))).status == status
        assert expected(stand) is None and (await stand.ask(question("oa/m"))).status == status
        assert expected(stand) is None


async def test_a_request_that_its_client_gave_up_is_no_failure(tmp_path: Path) -> None:
    names = Names(None)
    async with (
        FakeUpstream() as upstream,
        serving_gateway(tmp_path, names.config(upstream), dialer=Dialer(names.resolve)) as stand,
    ):
        async with await stand.client() as client:
            await stand.send(client, question("oa/m"))
            await until(lambda: names.waiting == 1, lambda: "no connection was requested")
        await stand.quiet()
        assert expected(stand) is None


async def test_a_success_of_a_later_request_counts_where_an_earlier_one_fails_after_it(
    tmp_path: Path,
) -> None:
    """The later one passes on the fast path, which asks nobody."""
    names = Names("127.0.0.1")
    async with (
        FakeUpstream(OK) as upstream,
        serving_gateway(tmp_path, names.config(upstream), dialer=Dialer(names.resolve)) as stand,
        await stand.client() as early,
    ):
        assert (await stand.ask(question("oa/m"))).status == 200  # its head is known from now on
        pool = stand.upstream("oa").pool
        pool.close()
        await until(lambda: pool.open_count == 0, lambda: "the connection is still open")
        names.address = None
        await stand.send(early, question("oa/m"))
        await until(lambda: names.waiting == 1, lambda: "no connection was requested")
        names.address = "127.0.0.1"
        assert (await stand.ask(question("oa/m"))).status == 200
        names.release.set()
        assert (await early.response()).status == 503
        assert expected(stand) is None


async def test_a_failure_belongs_to_the_config_under_which_its_request_began(tmp_path: Path) -> None:
    names = Names(None)
    async with (
        FakeUpstream(OK) as upstream,
        serving_gateway(tmp_path, names.config(upstream), dialer=Dialer(names.resolve)) as stand,
        await stand.client() as client,
    ):
        await stand.send(client, question("oa/m"))
        await until(lambda: names.waiting == 1, lambda: "no connection was requested")
        stand.rewrite(config_of({"oa": provider(upstream.url)}, primary="oa/m"))
        names.release.set()
        assert (await client.response()).status == 503
        assert expected(stand) is None


async def test_each_provider_of_a_chain_keeps_its_own_failure(tmp_path: Path) -> None:
    async with FakeUpstream() as gone:
        nobody = gone.url
    async with FakeUpstream(OK) as upstream:
        blocks = {"a": provider(nobody), "b": provider(nobody), "c": provider(upstream.url)}
        async with serving_gateway(
            tmp_path, config_of(blocks, primary="a/m", fallbacks=("b/m", "c/m"))
        ) as stand:
            assert (await stand.ask(question("default"))).status == 200
            found = {name: expected(stand, name) for name in "abc"}
            assert [error and error[1] for error in found.values()] == [
                "provider_unavailable",
                "provider_unavailable",
                None,
            ]
            assert "'a'" in str(found["a"]) and "'b'" in str(found["b"]) and "also" not in str(found)


@pytest.mark.parametrize("target", [CHAT, MESSAGES])
@pytest.mark.parametrize(
    ("status", "code", "message", "kept"),
    [
        (502, "upstream_unreachable", "service unavailable: http://far.test: connection refused", True),
        (
            504,
            "upstream_timed_out",
            "upstream timed out: no connection within 5 s (this gateway's limit 'connect')",
            True,
        ),
        (
            504,
            "upstream_timed_out",
            "upstream timed out: no response within 5 s (this gateway's limit 'first_byte')",
            False,
        ),
        (502, "upstream_closed", "closed", False),
        (502, "bad_gateway", "upstream_unreachable", False),
        (500, "upstream_unreachable", "of another program", False),
    ],
)
async def test_a_bridge_in_between_reports_that_its_own_upstream_is_out_of_reach(
    status: int, code: str, message: str, kept: bool, target: str, tmp_path: Path
) -> None:
    """The client gets its error as it came; what it repeats of our credential is masked for the commands, too."""
    body = {"error": {"message": f"{message} {KEY}", "type": "upstream_error", "code": code}}
    async with (
        FakeUpstream(faults.json_response(body, status), OK) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)}, primary="oa/m")) as stand,
    ):
        answer = await stand.ask(question("oa/m"), target=target)
        found = answer.json()["error"]
        assert (answer.status, found["code"]) == (status, code) and found["message"].startswith(message)
        report = expected(stand)
        assert report == ((status, code, found["message"]) if kept else None)
        assert KEY not in str(report)
        assert (await stand.ask(question("oa/m"), target=target)).status == 200
        assert expected(stand) is None


async def test_a_server_of_this_machine_is_reported_before_any_request_and_one_elsewhere_is_not_contacted(
    tmp_path: Path,
) -> None:
    async with FakeUpstream() as gone:
        nobody = gone.url
    names = Names(REFUSES)
    async with FakeUpstream(OK) as upstream:
        port = upstream.url.rpartition(":")[2]
        blocks = {
            "down": provider(nobody),
            "up": provider(f"http://localhost:{port}"),
            "far": provider(f"http://far.test:{port}"),
            "proxied": provider(nobody, request={"proxy": {"mode": "explicit-proxy", "url": nobody}}),
        }
        dialer = RecordingDialer(names.resolve)
        async with serving_gateway(tmp_path, config_of(blocks), dialer=dialer) as stand:
            names.address = "127.0.0.1"
            for _ in range(2):
                await stand.role.router.recheck()
                found = {name: expected(stand, name) for name in blocks}
                assert [name for name, error in found.items() if error is not None] == ["down"]
            assert {one.origin.host for one in dialer.ledger} == {"127.0.0.1", "localhost"}
            assert upstream.requests == []


async def test_a_report_finds_an_upstream_that_is_back_and_sends_it_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RECHECK_SECONDS", 0.1)
    names = Names(REFUSES)
    async with (
        FakeUpstream(OK) as upstream,
        serving_gateway(tmp_path, names.config(upstream), dialer=Dialer(names.resolve)) as stand,
    ):
        await stand.ask(question("oa/m"))
        found = []
        for address in (REFUSES, OSError(0, "no such name"), None, "127.0.0.1", REFUSES):
            names.address = address
            await stand.role.router.recheck()
            found.append(str(expected(stand)))
        assert "connection refused" in found[0]
        assert "cannot be resolved" in found[1] and found[2] == found[1]
        assert found[3:] == ["None", "None"]  # where nothing failed nothing is tried
        assert upstream.requests == [] and upstream.anomalies == []


@pytest.mark.parametrize(
    ("status", "code"), [(401, "invalid_api_key"), (502, "upstream_unreachable"), (504, "upstream_timed_out")]
)
async def test_a_connection_does_not_refute_what_a_response_said(
    status: int, code: str, tmp_path: Path
) -> None:
    body = {"error": {"message": "the limit 'connect'", "type": "x", "code": code}}
    async with (
        FakeUpstream(faults.json_response(body, status)) as upstream,
        serving_gateway(tmp_path, config_of({"oa": provider(upstream.url)}, primary="oa/m")) as stand,
    ):
        await stand.ask(question("oa/m"))
        before = expected(stand)
        pool = stand.upstream("oa").pool
        pool.close()
        await until(lambda: pool.open_count == 0, lambda: "the connection is still open")
        await stand.role.router.recheck()
        assert before is not None and expected(stand) == before
        assert len(upstream.requests) == 1


def noted(*notes: tuple[int, errors.GatewayError | int]) -> str | None:
    """What is kept after three requests began and these results came."""
    provider = made()
    assert [provider.begin() for _ in range(3)] == [1, 2, 3]
    for request, result in notes:
        if isinstance(result, int):
            provider.note_response(request, result)
        else:
            provider.note_error(request, result)
    return provider.failure.code if provider.failure is not None else None


@pytest.mark.parametrize(
    ("notes", "kept"),
    [
        ([(1, REFUSED)], "provider_unavailable"),
        ([(1, REFUSED), (2, 401)], "upstream_unauthorized"),
        ([(1, 401), (2, REFUSED)], "provider_unavailable"),
        ([(1, 401), (2, LATE)], "upstream_timed_out"),
        ([(1, 401), (2, 500)], "upstream_unauthorized"),
        ([(1, 401), (2, errors.UpstreamClosed("closed"))], "upstream_unauthorized"),
        ([(1, 401), (2, 304)], None),
        ([(1, REFUSED), (2, errors.UpstreamClosed("closed"))], None),
        ([(1, REFUSED), (2, errors.UpstreamRedirected("to"))], None),
        ([(1, REFUSED), (2, errors.UpstreamMalformed("odd"))], None),
        ([(1, REFUSED), (2, errors.UpstreamPoolExhausted("full"))], "provider_unavailable"),
        ([(1, REFUSED), (2, errors.Overloaded("full"))], "provider_unavailable"),
        ([(1, REFUSED), (2, errors.GatewayStopping("stopping"))], "provider_unavailable"),
        ([(1, errors.UpstreamPoolExhausted("full"))], None),
        ([(1, errors.BodyTooLarge("large"))], None),
        ([(1, errors.UpstreamClosed("closed"))], None),
        ([(1, SLOW)], None),
        ([(2, 200), (1, REFUSED)], None),
        ([(2, 200), (1, 401)], None),
        ([(2, 500), (1, 401)], "upstream_unauthorized"),
        ([(2, REFUSED), (1, 200)], "provider_unavailable"),
        ([(2, 401), (1, REFUSED)], "upstream_unauthorized"),
        ([(2, REFUSED), (1, 200), (3, 200)], None),
    ],
)
def test_the_result_of_the_request_that_began_last_counts(
    notes: list[tuple[int, errors.GatewayError | int]], kept: str | None
) -> None:
    assert noted(*notes) == kept


def test_what_is_kept_holds_no_frames_of_its_request() -> None:
    """A traceback would keep the exchange, with its client, for as long as the provider fails."""
    provider = made()
    try:
        raise errors.EgressDenied("no")
    except errors.EgressDenied as error:
        provider.note_error(provider.begin(), error)
    assert provider.failure is not None and provider.failure.__traceback__ is None
