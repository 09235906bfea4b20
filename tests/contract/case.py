"""One raw request, what must come of it, and how that is found out. Knows bytes and HTTP, nothing of clawgate's parts.

In ``send``, @HOST@ stands for the role's authority and @AUTH@ for a head line with a credential that it accepts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.contract.live_role import (
    CLIENT_MARK,
    CLIENT_TOKEN,
    ROLES,
    UPSTREAM_MARK,
    UPSTREAM_TOKEN,
    LiveRole,
    RoleName,
)
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.response import Response

AUTH = {
    "bridge": f"Authorization: Bearer {CLIENT_TOKEN}".encode(),
    "server": f"X-Proxy-Token: {CLIENT_TOKEN}".encode(),
}
MAY_GO_UPSTREAM = {
    "host", "user-agent", "accept-encoding", "via", "content-length", "transfer-encoding",
    "accept", "anthropic-beta", "anthropic-version", "content-encoding", "content-type", "idempotency-key",
    "openai-beta",
}  # fmt: skip
CREDENTIAL = {
    "bridge": ("x-proxy-token", UPSTREAM_TOKEN),
    "server": ("authorization", f"Bearer {UPSTREAM_TOKEN}"),
}
CREDENTIAL_FIELDS = {
    "authorization",
    "x-proxy-token",
    "x-api-key",
    "api-key",
    "cookie",
    "proxy-authorization",
}


def post(
    *lines: bytes,
    body: bytes = b"{}",
    target: bytes = b"/v1/chat/completions",
    method: bytes = b"POST",
    version: bytes = b"HTTP/1.1",
    host: bytes | None = b"Host: @HOST@",
    auth: bytes | None = b"@AUTH@",
    kind: bytes | None = b"Content-Type: application/json",
    length: bytes | None = b"",
) -> bytes:
    """A request with a body. Any of its parts can be replaced or left out; ``lines`` come last in the head.

    ``length``: empty is the right Content-Length, None is none.
    """
    head = [b" ".join((method, target, version))]
    if length == b"":
        length = b"Content-Length: %d" % len(body)
    head += [line for line in (host, auth, kind, length) if line is not None]
    return b"\r\n".join([*head, *lines]) + b"\r\n\r\n" + body


def get(
    *lines: bytes,
    target: bytes = b"/v1/models",
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
    host: bytes | None = b"Host: @HOST@",
    auth: bytes | None = b"@AUTH@",
) -> bytes:
    """A request without a body; parts as in `post`."""
    return post(
        *lines,
        body=b"",
        target=target,
        method=method,
        version=version,
        host=host,
        auth=auth,
        kind=None,
        length=None,
    )


def chunked(*lines: bytes, body: bytes, **parts: bytes | None) -> bytes:
    """A POST whose body is sent as it is, under ``Transfer-Encoding: chunked``."""
    return post(b"Transfer-Encoding: chunked", *lines, body=body, length=None, **parts)  # type: ignore[arg-type]


TWIN = post()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``status`` is of each answer in turn; ``reaches`` how many whole requests get to the upstream.

    ``closes``: the role ends the connection (else it is used once more); ``torn``: a request that never becomes
    whole may have been begun upstream; ``then_fin``: the client half-closes behind its bytes; ``twin`` is the
    well-formed request that this one resembles.
    """

    name: str
    send: bytes
    status: tuple[int, ...]
    reaches: int
    closes: bool
    torn: bool = False
    then_fin: bool = False
    to_method: str = "GET"
    code: str | None = None
    twin: bytes = TWIN
    roles: tuple[RoleName, ...] = ROLES
    check: Callable[[Outcome], None] | None = None


@dataclass(slots=True)
class Outcome:
    """What came of one case, once."""

    role: LiveRole
    answers: list[Response]
    ended: str | None
    requests: list[Request] = field(default_factory=list)

    @property
    def whole(self) -> list[Request]:
        """The requests that got through."""
        return [request for request in self.requests if request.complete]

    def verdict(self) -> object:
        """What has to be the same each time: answers, end, and what the upstream saw."""
        return (
            [(answer.status, answer.body if answer.status >= 400 else b"") for answer in self.answers],
            self.ended is not None,
            [(request.raw_head, request.body) for request in self.whole],
        )


def refused(name: str, send: bytes, status: int = 400, **more: Any) -> Case:
    """A request whose meaning cannot be trusted: one error answer, nothing upstream, the end of the connection."""
    return Case(**{"name": name, "send": send, "status": (status,), "reaches": 0, "closes": True, **more})


def denied(name: str, send: bytes, status: int, **more: Any) -> Case:
    """A request that is understood and not allowed: an error answer, nothing upstream, the connection stays."""
    return Case(**{"name": name, "send": send, "status": (status,), "reaches": 0, "closes": False, **more})


def served(name: str, send: bytes, **more: Any) -> Case:
    """A request that gets through, on a connection that stays."""
    return Case(**{"name": name, "send": send, "status": (200,), "reaches": 1, "closes": False, **more})


def spelled(role: LiveRole, data: bytes) -> bytes:
    """The bytes for this role."""
    return data.replace(b"@HOST@", role.authority.encode()).replace(b"@AUTH@", AUTH[role.name])


async def run_case(role: LiveRole, case: Case, *, behind: bytes | None = None) -> Outcome:
    """Send the case, on a connection on which ``behind`` was answered first if given, and hold it to its claims."""
    upstream = role.upstream
    async with await role.client() as client:
        if behind is not None:
            await client.send(spelled(role, behind))
            to_method = case.to_method if behind is case.send else "GET"
            assert (await client.response(to_method=to_method)).status == 200
        seen, strays, troubles = len(upstream.requests), len(upstream.stray), len(role.troubles)
        await client.send(spelled(role, case.send))
        if case.then_fin:
            client.half_close()
        outcome = await _read(role, case, client)
    await still_alive(role)
    outcome.requests = list(upstream.requests[seen:-1])
    assert role.troubles[troubles:] == []
    assert upstream.stray[strays:] == []
    await _judge(role, case, outcome)
    return outcome


async def _read(role: LiveRole, case: Case, client: RawClient) -> Outcome:
    answers: list[Response] = []
    for number, status in enumerate(case.status, 1):
        last = number == len(case.status)
        answer = await client.response(to_method=case.to_method if last else "GET", last=False)
        assert (answer.status, list(answer.anomalies)) == (status, []), answer
        assert answer.complete
        answers.append(answer)
    if not case.closes:
        await client.send(spelled(role, get(target=b"/health", auth=None)))
        health = await client.response()
        assert health.status == 200 and not health.anomalies, "the connection has lost its place"
        return Outcome(role, answers, None)
    end = await client.ended()
    assert end.trailing == b"", "something stands behind the last answer"
    return Outcome(role, answers, end.how)


async def still_alive(role: LiveRole) -> None:
    """/health answers a stranger, and an honest request on a new connection gets its own answer."""
    async with await role.client() as client:
        await client.send(spelled(role, get(target=b"/health", auth=None)))
        health = await client.response()
        assert health.status == 200 and health.json()["ok"] is True
        await client.send(spelled(role, get(target=b"/v1/models/fence")))
        answer = await client.response()
        assert answer.status == 200 and not answer.anomalies
    assert role.upstream.requests[-1].target == "/v1/models/fence"


async def _judge(role: LiveRole, case: Case, outcome: Outcome) -> None:
    for answer in outcome.answers:
        assert UPSTREAM_MARK.encode() not in answer.body, "our credential in an answer"
        for name, value in answer.headers:
            assert UPSTREAM_MARK not in value
            assert not name.lower().startswith("access-control-"), "a CORS field"
        if answer.status >= 400:
            assert answer.header("content-type") == "application/json"
            if case.to_method != "HEAD":
                assert set(answer.json()["error"]) == {"message", "type", "code", "param"}
    if case.closes and outcome.answers:
        assert outcome.answers[-1].header("connection") == "close", "the end was not announced"
    if case.code is not None:
        assert outcome.answers[-1].json()["error"]["code"] == case.code
    assert len(outcome.whole) == case.reaches
    assert len(outcome.requests) - len(outcome.whole) <= case.torn
    for request in outcome.requests:
        _judge_upstream(role, request)
    if case.check is not None:
        case.check(outcome)


def _judge_upstream(role: LiveRole, request: Request) -> None:
    if request.complete:
        assert request.anomalies == []
    else:
        assert [text for text in request.anomalies if not re.search("in the body", text)] == []
    names = [name.lower() for name, _ in request.headers]
    field_name, value = CREDENTIAL[role.name]
    assert request.header_all(field_name) == [value], "not exactly the one credential"
    assert set(names) & CREDENTIAL_FIELDS == {field_name}
    assert set(names) - MAY_GO_UPSTREAM == {field_name}, "a field that is on no list"
    assert CLIENT_MARK.encode() not in request.raw_head, "a secret of the client's went upstream"
    assert request.header_all("host") == [role.upstream.url.removeprefix("http://")]
