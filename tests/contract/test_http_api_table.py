"""The tables of docs/openai-http-api.md, cell by cell, at a gateway that serves in this process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clawgate.errors import Overloaded
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.settings.openclaw.config_file import ConfigFile
from tests.peers import faults
from tests.peers.response import Response
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    CLIENT_TOKEN,
    GatewayStand,
    agents_on,
    config_of,
    own_config,
    provider,
    question,
    serving_gateway,
)

PAGE = (Path(__file__).parents[2] / "docs" / "openai-http-api.md").read_text()
PASSWORD = "gt-PASSWORD-Wm4yRb8TqLz6"
ANSWER = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
AN_AGENT, A_MODEL = "openclaw/main", "x/m"
FORWARDED = ("X-Forwarded-For", "198.51.100.7")
USER = ("X-Auth-Request-Email", "nick@example.com")
BEHIND = {
    "trustedProxies": ["127.0.0.1"],
    "auth": {
        "mode": "trusted-proxy",
        "trustedProxy": {"userHeader": USER[0], "allowLoopback": True},
    },
}


@dataclass(frozen=True, slots=True)
class Who:
    """A caller: what the gateway's config says of it, and what it sends."""

    gateway: Mapping[str, Any]
    lines: tuple[tuple[str, str], ...] = ()
    token: str | None = None


BY_TOKEN = {"auth": {"mode": "token", "token": CLIENT_TOKEN}}
BY_PASSWORD = {"auth": {"mode": "password", "password": PASSWORD}}
CALLERS = {
    "no token": Who(BY_TOKEN),
    "wrong token": Who(BY_TOKEN, token="gt-WRONG-Wm4yRb8TqLz6Hd1s"),
    "token": Who(BY_TOKEN, token=CLIENT_TOKEN),
    "password": Who(BY_PASSWORD, token=PASSWORD),
    "mode none": Who({"auth": {"mode": "none"}}),
    "proxy, user": Who(BEHIND, (FORWARDED, USER)),
    "proxy, no user": Who(BEHIND, (FORWARDED,)),
    "other peer, user": Who(BEHIND | {"trustedProxies": ["10.0.0.1"]}, (USER,)),
    "foreign proxy": Who(BEHIND | {"trustedProxies": ["10.0.0.1"]}, (FORWARDED, USER)),
    "web page": Who(BY_TOKEN, (("Origin", "https://evil.example"),), token=CLIENT_TOKEN),
}
SWITCHES = {
    "agents on, models on": (True, True),
    "agents on, models off": (True, False),
    "agents off, models on": (False, True),
    "both off": (False, False),
}
WRITE, READ = ("x-openclaw-scopes", "operator.write"), ("x-openclaw-scopes", "operator.read")
RIGHTS = {
    "token, password": (Who(BY_TOKEN, (READ,), CLIENT_TOKEN), Who(BY_PASSWORD, (READ,), PASSWORD)),
    "mode none, proxy's user": (CALLERS["mode none"], CALLERS["proxy, user"]),
    "with scope operator.write": (
        Who({"auth": {"mode": "none"}}, (WRITE,)),
        Who(BEHIND, (FORWARDED, USER, WRITE)),
    ),
    "with scope operator.read": (
        Who({"auth": {"mode": "none"}}, (READ,)),
        Who(BEHIND, (FORWARDED, USER, READ)),
        Who(BEHIND, (FORWARDED, USER, READ, (READ[0], "operator.admin"))),
    ),
}


def table(first: str, second: str) -> list[dict[str, str]]:
    """The rows of the table whose first two columns are these."""
    lines = PAGE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} | {second} |"))
    names = cells(lines[start])
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, cells(line), strict=True)))
    return rows


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def config(upstream: FakeUpstream, who: Who, *, agents: bool = True, models: bool = True) -> dict[str, Any]:
    made = config_of({"x": provider(upstream.url, models=[{"id": "m"}])}, primary="x/m", gateway=who.gateway)
    made["agents"]["entries"] = {"main": {}, "research": {}}
    made["memory"] = {"search": {"provider": "x", "model": "e"}}
    return own_config(agents_on(made, on=agents, responses=agents), directModels=models)


async def ask(stand: GatewayStand, who: Who, request: str) -> Response:
    """``request`` is "METHOD target", and "with an agent" or "with a model" for a body."""
    found = re.fullmatch(r"(\w+) (\S+)(?: with (?:an (agent)|a model))?", request)
    assert found, request
    method, target, agent = found.groups()
    body = question(AN_AGENT if agent else A_MODEL) if method in ("POST", "PATCH") else None
    if body is not None and target.startswith("/v1/responses"):
        body = body.replace(b'"messages"', b'"input"')
    return await send(stand, who, method, target, body)


async def send(
    stand: GatewayStand, who: Who, method: str, target: str, body: bytes | None, *more: tuple[str, str]
) -> Response:
    lines = (("Authorization", f"Bearer {who.token}"),) if who.token else ()
    async with await stand.client() as client:
        await client.request(target, body, method=method, fields=(*lines, *who.lines, *more))
        return await client.response(to_method=method)


def status(response: Response) -> str:
    assert response.header("cache-control") == "no-store"
    return str(response.status)


def at_rest() -> FakeUpstream:
    return FakeUpstream(faults.json_response(ANSWER))


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("row", table("request", "agents on, models on"), ids=lambda row: row["request"])
async def test_switches(row: dict[str, str], switch: str, tmp_path: Path) -> None:
    who = CALLERS["token"]
    agents, models = SWITCHES[switch]
    async with at_rest() as upstream:
        made = config(upstream, who, agents=agents, models=models)
        async with serving_gateway(tmp_path, made) as stand:
            response = await ask(stand, who, row["request"])
            assert status(response) == row[switch]
            if response.status == 405:
                allowed = "POST" if "chat" in row["request"] else "GET"
                assert response.header("allow") == allowed
            if row[switch] in ("400", "404") and "200" in row.values():
                message = response.json()["error"]["message"]
                asked = row["request"]
                is_other = ("an agent" in asked and "responses" in asked) or "conversations" in asked
                key = "responses.enabled" if is_other else "chatCompletions.enabled"
                assert key in message or "directModels" in message
            counts = "_tokens" in row["request"]
            reaches = row[switch] == "200" and " with a" in row["request"] and not counts
            assert len(upstream.requests) == reaches


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("row", table("request", "no token"), ids=lambda row: row["request"])
async def test_who_gets_in(row: dict[str, str], caller: str, tmp_path: Path) -> None:
    who = CALLERS[caller]
    async with at_rest() as upstream:
        async with serving_gateway(tmp_path, config(upstream, who)) as stand:
            assert status(await ask(stand, who, row["request"])) == row[caller]
        if row[caller] != "200":
            assert not upstream.requests


@pytest.mark.parametrize("column", RIGHTS)
@pytest.mark.parametrize("row", table("right", "how"), ids=lambda row: row["how"])
async def test_rights(row: dict[str, str], column: str, tmp_path: Path) -> None:
    how = row["how"]
    for who in RIGHTS[column]:
        async with (
            at_rest() as upstream,
            serving_gateway(tmp_path, config(upstream, who)) as stand,
        ):
            if ": " not in how:
                response = await ask(stand, who, how)
            else:
                key, value = how.split(": ")
                model, lines = (value, ()) if key == "model" else (AN_AGENT, ((key, value),))
                response = await send(stand, who, "POST", "/v1/chat/completions", question(model), *lines)
            assert status(response) == row[column]
            if response.status == 403:
                error = response.json()["error"]
                assert error["code"] == "missing_scope" and error["message"].startswith(
                    "missing scope: operator."
                )


@pytest.mark.parametrize(
    "row",
    [row for row in table("header", "with an agent") if "400" in row["with a model"]],
    ids=lambda row: row["header"],
)
async def test_headers_of_agents_with_a_model(row: dict[str, str], tmp_path: Path) -> None:
    header = row["header"].strip("`")
    who = CALLERS["token"]
    async with (
        at_rest() as upstream,
        serving_gateway(tmp_path, config(upstream, who)) as stand,
    ):
        value = {"x-openclaw-agent-id": "research", "x-openclaw-model": A_MODEL}.get(header, "detach")
        for model, expected in ((A_MODEL, "400"), (AN_AGENT, "200")):
            sent = await send(stand, who, "POST", "/v1/chat/completions", question(model), (header, value))
            assert status(sent) == expected
        (request,) = upstream.requests
        assert request.header(header) is None


@pytest.mark.parametrize("row", table("request", "status"), ids=lambda row: row["request"])
async def test_errors(row: dict[str, str], tmp_path: Path) -> None:
    who = CALLERS["token"]
    request = row["request"]
    async with at_rest() as upstream:
        made = config(upstream, who, agents="agents off" not in request, models="only agents" not in request)
        async with serving_gateway(tmp_path, made) as stand:
            named = re.search(r'model: "(.+?)"', request)
            if named:
                response = await send(stand, who, "POST", "/v1/chat/completions", question(named[1]))
            else:
                found = re.search(r"GET (\S+?)`", request)
                assert found
                response = await send(stand, who, "GET", found[1], None)
            assert str(response.status) == row["status"]
            text = row["message begins with"].strip("`").strip()
            assert response.json()["error"]["message"].startswith(text)


async def test_callers_behind_a_proxy_are_distinct(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By the user that the proxy names, also on one kept connection; a token's holder is none of them."""
    callers: list[str] = []

    class Noting:
        def __init__(self, file: ConfigFile) -> None: ...

        def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
            callers.append(head.caller)
            raise Overloaded("it was noted")

    who = CALLERS["proxy, user"]
    async with at_rest() as upstream:
        made = config(upstream, who)
        made["gateway"]["auth"]["password"] = PASSWORD
        async with (
            serving_gateway(tmp_path, made, make_agents=Noting) as stand,
            await stand.client() as client,
        ):
            for user in ("nick", "ann", "password", "nick"):
                await client.request(body=question(AN_AGENT), fields=(FORWARDED, (USER[0], user)))
                await client.response()
            await client.request(body=question(AN_AGENT), fields=(("Authorization", f"Bearer {PASSWORD}"),))
            await client.response()
    assert callers == ["user:nick", "user:ann", "user:password", "user:nick", "password"]


async def test_a_local_process_cannot_claim_to_be_the_proxy(tmp_path: Path) -> None:
    """CVE-2026-53832: without allowLoopback the forged header admits nobody, and the password works here alone."""
    gateway = {
        "trustedProxies": ["127.0.0.1", "10.0.0.1"],
        "auth": {"mode": "trusted-proxy", "password": PASSWORD, "trustedProxy": {"userHeader": USER[0]}},
    }
    forger = Who(gateway, (USER,))
    async with (
        at_rest() as upstream,
        serving_gateway(tmp_path, config(upstream, forger)) as stand,
    ):
        for who, expected in (
            (forger, "401"),
            (Who(gateway, (USER, FORWARDED)), "401"),
            (Who(gateway), "401"),
            (Who(gateway, token="gt-WRONG-Wm4yRb8TqLz6Hd1s"), "401"),
            (Who(gateway, (FORWARDED,), PASSWORD), "401"),
            (Who(gateway, (), PASSWORD), "200"),
            (Who(gateway, (USER,), PASSWORD), "200"),
        ):
            assert status(await ask(stand, who, "GET /v1/models")) == expected, who
