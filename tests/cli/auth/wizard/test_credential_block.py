"""The credential of a block is read from where it counts, and another one takes its place: never two."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.cli.auth.wizard.credential_block import (
    basic_problem,
    basic_written,
    credential_of,
    with_credential,
)
from clawgate.providers.catalog import build_catalog
from clawgate.providers.credential_selection import UNSENT_KEY
from clawgate.settings.schema.openclaw import OpenClawConfig

PLAIN: dict[str, Any] = {"baseUrl": "https://x.test/v1", "api": "openai-completions"}
CLAUDE = PLAIN | {"api": "anthropic-messages"}


def auth(**given: str) -> dict[str, Any]:
    return PLAIN | {"request": {"auth": {"mode": "header", **given}}}


@pytest.mark.parametrize(
    ("block", "kind", "header", "secret"),
    [
        (PLAIN | {"apiKey": "k"}, "bearer", "", "k"),
        (CLAUDE | {"apiKey": "k"}, "x-api-key", "", "k"),
        (CLAUDE | {"apiKey": "k", "authHeader": True}, "bearer", "", "k"),
        (PLAIN | {"apiKey": {"source": "env", "id": "K"}}, "bearer", "", "${K}"),
        (PLAIN | {"request": {"auth": {"mode": "authorization-bearer", "token": "k"}}}, "bearer", "", "k"),
        (
            auth(headerName="X-Proxy-Token", value="k") | {"apiKey": "not sent"},
            "header",
            "X-Proxy-Token",
            "k",
        ),
        (
            auth(headerName="Authorization", value="Basic dTpw") | {"apiKey": UNSENT_KEY},
            "basic",
            "",
            "dTpw",
        ),
        (auth(headerName="X-API-Key", value="k"), "x-api-key", "", "k"),
        (PLAIN | {"headers": {"X-Team": "a", "X-Token": "k"}}, "header", "X-Token", "k"),
        (PLAIN | {"request": {"headers": {"Authorization": "Bearer k"}}}, "bearer", "", "k"),
    ],
)
def test_a_credential_is_read_from_its_place(
    block: dict[str, Any], kind: str, header: str, secret: str
) -> None:
    """And the same one, written again, changes nothing."""
    held = credential_of(block)
    assert held is not None and (held.kind, held.header, held.secret) == (kind, header, secret)
    assert with_credential(block, kind, header, secret) == block


@pytest.mark.parametrize(
    "given",
    [
        {"headerName": "authorization", "value": "dTpw", "prefix": "Basic"},
        {"headerName": "Authorization", "value": "Basic dTpw"},
    ],
)
def test_basic_that_openclaw_cannot_send_is_written_so_that_it_can(given: dict[str, str]) -> None:
    """OpenClaw 2026.9.6 sends `BasicdTpw` for the prefix, and no Authorization at all without an `apiKey`."""
    block = auth(**given)
    held = credential_of(block)
    assert held is not None and (held.kind, held.secret) == ("basic", "dTpw")
    made = with_credential(block, "basic", "", "dTpw")
    assert made["request"]["auth"] == {
        "mode": "header",
        "headerName": "Authorization",
        "value": "Basic dTpw",
    }
    assert made["apiKey"]


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost:8000/v1", True),
        ("https://models.example/v1", False),
        ("http://10.0.0.7:8000/v1", False),
    ],
)
def test_openclaw_gets_a_key_for_a_server_that_is_not_local(url: str, local: bool) -> None:
    """It answers "No API key found for provider" otherwise, whatever is in `request.auth`."""
    block = PLAIN | {"baseUrl": url}
    assert with_credential(block, "header", "X-Token", "k" * 20).get("apiKey") == (
        None if local else "k" * 20
    )
    none = with_credential(block, "none", "", "")
    assert none.get("apiKey") == (None if local else UNSENT_KEY) and credential_of(none) is None


@pytest.mark.parametrize(
    "block",
    [
        PLAIN,
        PLAIN | {"apiKey": UNSENT_KEY},
        PLAIN | {"apiKey": {"source": "exec", "provider": "v", "id": "K"}},
        PLAIN | {"request": "odd", "headers": "odd"},
        auth(headerName="X"),
        PLAIN | {"request": {"auth": {"mode": "authorization-bearer"}}},
    ],
)
def test_there_may_be_none(block: dict[str, Any]) -> None:
    assert credential_of(block) is None


@pytest.mark.parametrize(
    "before", [PLAIN, PLAIN | {"apiKey": "old-key-000"}, auth(headerName="X-Old", value="old")]
)
@pytest.mark.parametrize("api", ["openai-completions", "anthropic-messages"])
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("bearer", b"authorization: Bearer dXNlcjpwYXNz\r\n"),
        ("x-api-key", b"x-api-key: dXNlcjpwYXNz\r\n"),
        ("header", b"x-mine: dXNlcjpwYXNz\r\n"),
        ("basic", b"authorization: Basic dXNlcjpwYXNz\r\n"),
        ("none", b""),
    ],
)
def test_what_is_written_is_what_leaves(before: dict[str, Any], api: str, kind: str, line: bytes) -> None:
    """Whatever was there before, and nothing of that is left."""
    made = with_credential(
        before | {"api": api, "headers": {"X-Token": "old", "X-Team": "a"}}, kind, "X-Mine", "dXNlcjpwYXNz"
    )
    config = OpenClawConfig.model_validate({"models": {"providers": {"it": made}}})
    provider = build_catalog(config, {}, {}).providers["it"]
    assert provider.problem is None and provider.credential.line() == line
    assert provider.headers == (("X-Team", "a"),) and "old" not in str(made) and not provider.notes


def test_a_login_is_encoded_and_a_reference_is_not() -> None:
    """OpenClaw sends the value as it stands."""
    assert basic_written("user:pass") == "dXNlcjpwYXNz" == basic_written("dXNlcjpwYXNz")
    assert basic_written("${LOGIN}") == "${LOGIN}"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("user:pass", True),
        ("us er:pa ss:wö rd€", True),
        ("dXNlcjpwYXNz", True),
        ("user", False),
        ("dXNlcg==", False),
        ("user:pa\nss", False),
        ("user:pa\x7fss", False),
        ("user:***", False),
    ],
)
def test_a_login_has_a_colon(text: str, good: bool) -> None:
    assert (basic_problem(text) is None) == good
