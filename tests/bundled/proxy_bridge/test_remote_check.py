"""A wrong token, an unreachable host, a wrong path and a server in trouble are told apart, whoever looks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from clawgate.bundled.proxy_bridge.remote_check import RemoteStatus, State, check_remote, classify, model_ids
from clawgate.plugins.api import FetchFailed, FetchRequest, FetchResponse
from tests.bundled.proxy_bridge.host import TOKEN, Host, remote
from tests.ports import free_port

LIST = b'{"data":[{"id":"a"},{"id":"b"}]}'


def error(code: str) -> bytes:
    return b'{"error":{"code":"%b","message":"never shown"}}' % code.encode()


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, LIST, "reachable"),
        (200, b'{"data":[]}', "reachable"),
        (200, b"<html>sign in</html>", "not_found"),
        (200, b'{"status":"ok"}', "not_found"),
        (200, b"[]", "not_found"),
        (302, b"", "not_found"),
        (401, b"", "unauthorized"),
        (401, b'{"error": {"code": "upstream_unauthorized"}}', "failing"),
        (403, b"<html>", "unauthorized"),
        (400, error("missing_token"), "unauthorized"),
        (429, error("auth_locked"), "locked_out"),
        (429, b"", "failing"),
        (404, b"", "not_found"),
        (405, b"", "not_found"),
        (502, b"bad gateway", "failing"),
        (204, b"", "failing"),
    ],
)
def test_an_answer_says_what_is_wrong(status: int, body: bytes, state: str) -> None:
    found = classify(FetchResponse(status=status, body=body, milliseconds=3.0))
    assert found.state == state and "never shown" not in found.message
    assert found.ok is (state == "reachable") and bool(found.next_step) is not found.ok
    assert found.responds is True and found.milliseconds == 3.0


def test_only_an_answer_that_tells_says_whether_the_token_is_right() -> None:
    states = {state: RemoteStatus(state=state, message="").authorized for state in get_args(State)}
    assert {state for state, authorized in states.items() if authorized is not None} == {
        "reachable",
        "unauthorized",
    }
    assert states["reachable"] and RemoteStatus(state="unknown", message="").responds is None


@given(st.integers(200, 599), st.binary(max_size=200))
def test_no_answer_is_too_odd(status: int, body: bytes) -> None:
    assert classify(FetchResponse(status=status, body=body)).message


@pytest.mark.parametrize(
    "said", [None, 1, {"data": 7}, {"data": [{"id": 7}, "x", {"id": "a b"}, {"id": "\x1b"}]}]
)
def test_ids_that_nobody_could_write_are_left_out(said: Any) -> None:
    assert model_ids(said) == ()


def test_the_remote_is_asked_with_our_token_alone(tmp_path: Path) -> None:
    host = Host(tmp_path)
    with remote() as server:
        found = asyncio.run(check_remote(host.fetch, f"{server.url}/v1/", SecretStr(TOKEN)))
        wrong = asyncio.run(check_remote(host.fetch, server.url, SecretStr("another-token-123")))
        elsewhere = asyncio.run(check_remote(host.fetch, f"{server.url}/api", SecretStr(TOKEN)))
    assert found.ok and found.models == ("gpt-4o", "gpt-4o-mini") and found.milliseconds
    assert (wrong.state, elsewhere.state) == ("unauthorized", "not_found")
    path, headers = server.asked[0]
    assert path == "/v1/models" and headers["x-proxy-token"] == TOKEN and "authorization" not in headers


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    found = asyncio.run(
        check_remote(Host(tmp_path).fetch, f"http://127.0.0.1:{free_port()}", SecretStr(TOKEN))
    )
    assert found.state == "unreachable" and found.responds is False and found.authorized is None


def test_a_limit_that_ran_out_is_told_as_such() -> None:
    async def late(plan: FetchRequest) -> FetchResponse:
        raise FetchFailed("timed_out", "it did not answer within 5 s")

    found = asyncio.run(check_remote(late, "http://127.0.0.1:1", SecretStr(TOKEN)))
    assert (found.state, found.message) == ("timed_out", "it did not answer within 5 s")
