"""What the operator of a server can count and read: every request once, and never what was in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.app.callers import ALICE, BOB, ask_anew, bearer
from tests.e2e.processes import Process, role_process
from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY, PATH, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import Hold, ReadBody, Send
from tests.peers.upstream import FakeUpstream

CONTENT = "canary-in-the-content-93f1"
BODY = f'{{"model":"gpt-a","messages":[{{"role":"user","content":"{CONTENT}"}}]}}'.encode()
QUERY = "canary-in-the-query-93f1"
WRONG = "canary-wrong-token-93f1"
LINE = re.compile(
    r"(?P<when>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00) method=(?P<method>\S+) path=(?P<path>\S+) "
    r"token=(?P<token>\S+) model=(?P<model>\S+) status=(?P<status>\d{3}) error=(?P<error>\S+) "
    r"bytes=(?P<bytes>\d+) first_byte_ms=(?P<first>[\d.]+|-) total_ms=(?P<total>[\d.]+)"
)
METRICS = re.compile(r"metrics on http://127\.0\.0\.1:(\d+)/metrics")
HALF = faults.sse_bytes()[: len(faults.sse_bytes()) // 2]


@asynccontextmanager
async def tried_server(folder: Path, *options: str) -> AsyncIterator[tuple[Process, FakeUpstream]]:
    """A server process behind which every kind of request has ended by now: see EXPECTED."""
    scripts = (
        faults.json_response({}),
        faults.sse_response(),
        (ReadBody(), Hold()),
        (ReadBody(), Send(HALF), Hold()),
        faults.cut_mid_chunk(),
    )
    named = f"alice:{ALICE},bob:{BOB}"
    async with FakeUpstream(*scripts) as upstream:
        with role_process(
            "server", upstream.url, folder / "role", *options, OPENAI_PROXY_TOKENS=named
        ) as process:
            url, target = process.url, f"{PATH}?key={QUERY}"
            assert (await ask_anew(url, ALICE, BODY, target=target)).status == 200
            assert (await ask_anew(url, BOB, BODY, target=target)).complete
            assert (await ask_anew(url, WRONG, BODY, target=target)).status == 401
            assert (await ask_anew(url, None, BODY)).status == 401
            assert (await ask_anew(url, ALICE, None, target="/v1/files")).status == 404
            async with await RawClient.open(url) as garbage:
                await garbage.send(b"\x16\x03\x01 garbage\r\n\r\n")
                assert (await garbage.response()).status == 400
            for number, marker in ((2, b""), (3, faults.CHAT_FRAMES[0])):
                client = await RawClient.open(url)
                await client.request(target, BODY, fields=(bearer(ALICE),))
                await upstream.saw_body(number)
                await client.saw(marker)
                client.reset()
                await client.close()
                await upstream.saw_close(upstream.requests[number].connection.number)
            assert not (await ask_anew(url, CLIENT_TOKEN, BODY)).complete
            yield process, upstream


EXPECTED = Counter(
    {
        ("alice", "200", "-"): 1,
        ("bob", "200", "-"): 1,
        ("-", "401", "invalid_token"): 1,
        ("-", "401", "missing_token"): 1,
        ("alice", "404", "unknown_route"): 1,
        ("-", "400", "malformed_request"): 1,
        ("alice", "499", "client_left"): 2,
        ("default", "200", "upstream_closed"): 1,
    }
)
"""How often each (token, status, error) is logged: a known caller is named, rejected or not."""


async def test_the_access_log_has_one_line_for_each_request(tmp_path: Path) -> None:
    """Refused and cancelled ones too; with both times where there are two, without content, query or secret."""
    async with tried_server(tmp_path) as (process, _):
        await until(
            lambda: process.out.count("\n") == EXPECTED.total(), "the lines to be written within moments"
        )
        assert (await ask_anew(process.url, None, BODY)).status == 401
        process.send()  # before the next lines are due
        assert await process.ended() == 0
        lines = [LINE.fullmatch(line) for line in process.out.splitlines()]
        assert len(lines) == EXPECTED.total() + 1 and None not in lines, process.out
        found = [line for line in lines[:-1] if line is not None]
        assert Counter((line["token"], line["status"], line["error"]) for line in found) == EXPECTED
        for line in found:
            assert line["path"].partition("?")[0] == line["path"]
            begun = line["first"] != "-"
            assert float(line["total"]) >= (float(line["first"]) if begun else 0)
            read = line["error"] in ("-", "client_left", "upstream_closed")
            assert line["model"] == ("gpt-a" if read else "-")
            assert (line["bytes"] == "0") is (line["error"] == "client_left" and not begun)
        responded = Counter(line["error"] for line in found if line["first"] != "-")
        assert responded == {"-": 2, "client_left": 1, "upstream_closed": 1}
        for secret in (CONTENT, QUERY, WRONG, ALICE, BOB, CLIENT_TOKEN, OPENAI_KEY):
            assert secret not in process.out + process.err


async def test_the_access_log_can_be_off(tmp_path: Path) -> None:
    async with tried_server(tmp_path, "--no-access-log") as (process, _):
        process.send()
        assert await process.ended() == 0
        assert process.out == "" and "Traceback" not in process.err


async def scraped(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    """The samples by name and label values."""
    response = await ask_anew(f"http://127.0.0.1:{port}", None, None, target="/metrics")
    assert response.status == 200
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.body.decode())
        for sample in family.samples
    }


async def test_metrics_count_every_request_on_a_port_of_their_own(tmp_path: Path) -> None:
    """Refused and cancelled ones too, by status, error and phase; nothing else is served there, nor they elsewhere."""
    async with tried_server(tmp_path, "--metrics-port", "0") as (process, upstream):
        await until(lambda: METRICS.search(process.err) is not None, "the metrics' port")
        match = METRICS.search(process.err)
        assert match is not None
        port = int(match[1])
        assert port != process.port
        requests_before = len(upstream.requests)
        seen = await scraped(port)
        counted = sum(value for (name, _), value in seen.items() if name == "clawgate_requests_total")
        assert counted == EXPECTED.total()
        for (error, status), count in {
            ("", "200"): 2, ("invalid_token", "401"): 1, ("missing_token", "401"): 1,
            ("unknown_route", "404"): 1, ("malformed_request", "400"): 1, ("client_left", "499"): 2,
            ("upstream_closed", "200"): 1,
        }.items():  # fmt: skip
            assert seen["clawgate_requests_total", (error, status)] == count
        for phase in ("waiting", "answer"):
            assert seen["clawgate_upstream_cancelled_total", (phase,)] == 1
        assert seen["clawgate_request_seconds_count", ()] == EXPECTED.total()
        assert seen["clawgate_first_byte_seconds_count", ()] == 4
        assert seen["clawgate_upstream_connections", ("busy",)] == 0
        assert await scraped(port) == seen
        for target in (PATH, "/v1/models", "/health", "/"):
            assert (await ask_anew(f"http://127.0.0.1:{port}", None, None, target=target)).status == 404
        async with await RawClient.open(port=port) as page:
            await page.request("/metrics", host="evil.example")
            assert (await page.response()).status == 421
        assert (await ask_anew(process.url, ALICE, None, target="/metrics")).status == 404
        assert len(upstream.requests) == requests_before
