"""Exactly one credential leaves, or none and the reason why: in that order, whatever is configured."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from clawgate.policy.secret_names import is_credential_header
from clawgate.providers.credential_selection import (
    UNSENT_KEY,
    CredentialSelection,
    choose_credential,
)
from clawgate.settings.schema.openclaw import ProviderBlock, ProviderRequest, RequestAuth

WHERE = "models.providers.owl"
LOGIN = "us er:pa ss:wö rd€"
ENCODED = base64.b64encode(b"owl:canary-pass").decode()


def unchecked(block: dict[str, Any]) -> ProviderBlock:
    """A block as it is when its file has been read: what a secret may hold is judged there, not here."""
    request = block.get("request", {})
    auth = request.get("auth")
    return ProviderBlock.model_construct(
        api_key=SecretStr(block["apiKey"]) if "apiKey" in block else None,
        auth_header=block.get("authHeader"),
        headers={name: SecretStr(value) for name, value in block.get("headers", {}).items()},
        request=ProviderRequest.model_construct(
            headers={name: SecretStr(value) for name, value in request.get("headers", {}).items()},
            auth=None
            if auth is None
            else RequestAuth.model_construct(
                mode=auth["mode"],
                token=SecretStr(auth["token"]) if "token" in auth else None,
                header_name=auth.get("headerName"),
                value=SecretStr(auth["value"]) if "value" in auth else None,
                prefix=auth.get("prefix"),
            ),
        ),
    )


def choose(block: dict[str, Any], *, api: str = "openai-completions", **unset: str) -> CredentialSelection:
    paths = {key.replace("__", "."): variable for key, variable in unset.items()}
    return choose_credential(unchecked(block), key_path=WHERE, api=api, unset=paths)


def in_header(**auth: str) -> dict[str, Any]:
    return {"request": {"auth": {"mode": "header", **auth}}}


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ({}, ""),
        ({"apiKey": "k1"}, "authorization: Bearer k1"),
        ({"apiKey": "bridge", "authHeader": False}, "authorization: Bearer bridge"),
        ({"apiKey": "k1", "headers": {"X-Team": "a"}}, "authorization: Bearer k1"),
        ({"apiKey": "k1", "headers": {"X-Proxy-Token": "t1"}}, "x-proxy-token: t1"),
        (
            {"apiKey": "k1", "headers": {"Authorization": "Basic " + ENCODED}},
            f"authorization: Basic {ENCODED}",
        ),
        ({"headers": {"authorization": "Basic owl:canary-pass"}}, f"authorization: Basic {ENCODED}"),
        ({"headers": {"x-api-key": "h1"}, "request": {"headers": {"X-API-Key": "h2"}}}, "x-api-key: h2"),
        ({"headers": {"X-My-Secret": "s"}}, "x-my-secret: s"),
        ({"apiKey": "k1", **in_header(headerName="X-Proxy-Token", value="t1")}, "x-proxy-token: t1"),
        (in_header(headerName="Authorization", value="t1", prefix="Token"), "authorization: Token t1"),
        (in_header(headerName="Authorization", value="t1", prefix="Token "), "authorization: Token t1"),
        (in_header(headerName="Authorization", value="t1", prefix=" Token  "), "authorization: Token t1"),
        (in_header(headerName="Authorization", value="t1", prefix="Bearer "), "authorization: Bearer t1"),
        (
            in_header(headerName="Authorization", value="owl:canary-pass", prefix="Basic "),
            f"authorization: Basic {ENCODED}",
        ),
        (
            in_header(headerName="Authorization", value=ENCODED, prefix="Basic"),
            f"authorization: Basic {ENCODED}",
        ),
        (in_header(headerName="X-Auth", value="owl:canary-pass", prefix="basic"), f"x-auth: Basic {ENCODED}"),
        ({"request": {"auth": {"mode": "authorization-bearer", "token": "t2"}}}, "authorization: Bearer t2"),
        (
            {"apiKey": "k1", "request": {"auth": {"mode": "authorization-bearer", "token": "t2"}}},
            "authorization: Bearer t2",
        ),
        ({"apiKey": "k1", "request": {"auth": {"mode": "provider-default"}}}, "authorization: Bearer k1"),
        ({"apiKey": UNSENT_KEY}, ""),
        (
            in_header(headerName="Authorization", value=f"Basic {LOGIN}"),
            f"authorization: Basic {base64.b64encode(LOGIN.encode()).decode()}",
        ),
        (
            in_header(headerName="Authorization", value=LOGIN, prefix="Basic"),
            f"authorization: Basic {base64.b64encode(LOGIN.encode()).decode()}",
        ),
        (
            {"headers": {"X-A-Token": "1", "X-B-Token": "2"}, **in_header(headerName="X-C", value="3")},
            "x-c: 3",
        ),
    ],
)
def test_the_one_that_leaves(block: dict[str, Any], line: str) -> None:
    found = choose(block)
    assert found.problem is None and found.credential.line() == (f"{line}\r\n".encode() if line else b"")


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ({"apiKey": "k1"}, "x-api-key: k1"),
        ({"apiKey": "k1", "authHeader": False}, "x-api-key: k1"),
        ({"apiKey": "k1", "authHeader": True}, "authorization: Bearer k1"),
    ],
)
def test_anthropics_api_takes_its_key_in_its_own_header(block: dict[str, Any], line: str) -> None:
    assert choose(block, api="anthropic-messages").credential.line() == f"{line}\r\n".encode()


@pytest.mark.parametrize(
    ("block", "notes"),
    [
        ({"apiKey": "k", **in_header(headerName="X-T", value="t")}, ["apiKey is not sent: request.auth is"]),
        ({"apiKey": "k", "headers": {"X-Api-Key": "h"}}, ["apiKey is not sent: the header X-Api-Key is"]),
        (
            {"headers": {"Api-Key": "h"}, **in_header(headerName="X-T", value="t")},
            ["headers.Api-Key is not sent: request.auth is"],
        ),
        ({"headers": {"Host": "elsewhere"}}, ["headers.Host is not sent: clawgate sets"]),
        (
            {"headers": {"X-T": "a"}, **in_header(headerName="x-t", value="t")},
            ["headers.X-T is not sent: the cred"],
        ),
        ({"apiKey": "k", "headers": {"X-Team": "a"}}, []),
        ({"apiKey": UNSENT_KEY, **in_header(headerName="Authorization", value="Basic dTpw")}, []),
        ({"apiKey": "t", **in_header(headerName="X-T", value="t")}, []),
    ],
)
def test_what_is_not_sent_is_noted(block: dict[str, Any], notes: list[str]) -> None:
    found = choose(block)
    assert len(found.notes) == len(notes)
    assert all(said.startswith(note) for said, note in zip(found.notes, notes, strict=True))


@pytest.mark.parametrize(
    ("block", "unset", "says"),
    [
        ({}, {"apiKey": "OWL_KEY"}, "set OWL_KEY (models.providers.owl.apiKey refers to it)"),
        (
            {"apiKey": "k"},
            {"headers__X-Proxy-Token": "OWL_T"},
            "set OWL_T (models.providers.owl.headers.X-Proxy-Tok",
        ),
        ({"apiKey": "k"}, {"headers__X-Team": "TEAM"}, "set TEAM"),
        ({"apiKey": "k", **in_header(headerName="X-T")}, {"request__auth__value": "OWL_V"}, "set OWL_V"),
        (
            {"apiKey": "k", "request": {"auth": {"mode": "authorization-bearer"}}},
            {"request__auth__token": "OWL_B"},
            "set OWL_B",
        ),
        ({"apiKey": "k", **in_header(headerName="X-T")}, {}, "set models.providers.owl.request.auth.value"),
        ({"apiKey": "k", **in_header(value="v")}, {}, "set models.providers.owl.request.auth.headerName"),
        ({"request": {"auth": {"mode": "authorization-bearer"}}}, {}, "request.auth.token"),
        ({"headers": {"X-A-Token": "1", "Authorization": "2"}}, {}, "several headers look like credentials"),
        ({"headers": {"X-A-Token": "1"}, "request": {"headers": {"X-Api-Key": "2"}}}, {}, "several headers"),
        ({"headers": {"Cookie": "a=b"}}, {}, "clawgate sends no cookies"),
        ({"headers": {"Proxy-Authorization": "Basic x"}}, {}, "request.proxy.url"),
        (in_header(headerName="Proxy-Authorization", value="v"), {}, "request.proxy.url"),
        (in_header(headerName="Cookie", value="v"), {}, "clawgate sends no cookies"),
        (in_header(headerName="Host", value="v"), {}, "a header that clawgate sets itself"),
        (in_header(headerName="X T", value="v"), {}, "is not a header name"),
        ({"headers": {"X Team": "v"}}, {}, "is not a header name"),
        ({"headers": {"X-Api-Key": "1", "x-api-key": "2"}}, {}, "headers has the same header twice"),
    ],
)
def test_half_a_credential_is_none_and_no_other_takes_its_place(
    block: dict[str, Any], unset: dict[str, str], says: str
) -> None:
    found = choose(block, **unset)
    assert found.problem is not None and says in found.problem
    assert found.credential.line() == b""


def test_a_variable_that_would_not_be_sent_anyway_is_not_missed() -> None:
    found = choose(in_header(headerName="X-T", value="t1"), apiKey="OWL_KEY")
    assert found.problem is None and found.credential.line() == b"x-t: t1\r\n"
    assert found.notes == ("apiKey is not sent: request.auth is used instead",)


def test_where_a_key_is_needed_its_absence_is_the_reason() -> None:
    found = choose_credential(ProviderBlock(), key_path=WHERE, api="x", unset={}, missing_key="set SOME_KEY")
    assert found.problem == "set SOME_KEY"


def test_no_credential_is_left_among_the_headers() -> None:
    found = choose({"headers": {"X-Team": "a", "X-Proxy-Token": "t", "User-Agent": "b/1"}})
    assert dict(found.headers) == {"X-Team": "a", "User-Agent": "b/1"}


SECRETS = st.from_regex(r"cred-[a-z]{6}(:[a-z]{4})?", fullmatch=True)
HEADER_NAMES = st.sampled_from(
    [
        "Authorization",
        "authorization",
        "X-Api-Key",
        "x-api-key",
        "X-Proxy-Token",
        "X-Team",
        "Cookie",
        "Host",
        "Odd Name",
    ]
)
HEADERS = st.dictionaries(HEADER_NAMES, SECRETS, max_size=3)
AUTH = st.fixed_dictionaries(
    {"mode": st.sampled_from(["provider-default", "authorization-bearer", "header"])},
    optional={
        "token": SECRETS,
        "headerName": HEADER_NAMES,
        "value": SECRETS,
        "prefix": st.sampled_from(["", "Basic", "Basic ", "Bearer", "Token"]),
    },
)
BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "apiKey": SECRETS,
        "authHeader": st.booleans(),
        "headers": HEADERS,
        "request": st.fixed_dictionaries({}, optional={"auth": AUTH, "headers": HEADERS}),
    },
)
UNSET = st.dictionaries(
    st.sampled_from(
        ["apiKey", "request.auth.value", "request.auth.token", "headers.X-Api-Key", "headers.X-Team"]
    ),
    st.just("SOME_VARIABLE"),
    max_size=2,
)


@settings(max_examples=600, deadline=None)
@given(BLOCKS, UNSET, st.sampled_from(["openai-completions", "anthropic-messages"]))
def test_at_most_one_credential_line_for_any_config(
    block: dict[str, Any], unset: dict[str, str], api: str
) -> None:
    """And no header beside it that could be one; nothing at all where there is a reason against it."""
    found = choose_credential(unchecked(block), key_path=WHERE, api=api, unset=unset)
    line = found.credential.line()
    assert line.count(b"\r\n") <= 1 and (line == b"" or line.endswith(b"\r\n"))
    assert not [name for name, _ in found.headers if is_credential_header(name)]
    name = line.partition(b":")[0].decode()
    assert name not in [header.lower() for header, _ in found.headers]
    if found.problem is not None:
        assert line == b"" and found.headers == ()
    said = " ".join((found.problem or "", *found.notes, repr(found)))
    assert "cred-" not in said
