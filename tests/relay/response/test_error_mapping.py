"""A failure that is another one than it says: told anew in the client's dialect, and what nobody knows as it came."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from clawgate.plugins.api import MappedError
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.buffered import BufferedWriter, MadeResponse
from clawgate.relay.response.error_mapping import (
    MAX_MAPPED_BYTES,
    map_response,
    operator_response,
    unauthorized_response,
)
from clawgate.relay.response.head import ResponseOptions, header_lines
from clawgate.relay.response.redact import masked
from clawgate.wire.dialect import Dialect
from tests.peers.message_reader import MessageReader
from tests.relay.response.streams import ORIGIN, SECRET, response_options

Judge = Callable[[int, bytes], MappedError | None]


def head(status: int, *fields: tuple[bytes, bytes]) -> ResponseHead:
    own = [(b"content-type", b"text/html"), (b"request-id", b"r1"), (b"set-cookie", b"a=b"), *fields]
    return ResponseHead(
        status=status, headers=own, length=None, chunked=True, content_type=b"text/html", encoded=False
    )


def unmapped(
    found: ResponseHead, options: ResponseOptions, otherwise: Callable[[bytes], bytes]
) -> Callable[[bytes], MadeResponse]:
    lines = header_lines(found, options)
    return lambda body: MadeResponse(found.status, lines, masked(otherwise(body), options.secrets))


def told(judge: Judge, body: bytes, *, status: int = 500, size: int = 100_000, **more: Any) -> Any:
    """The response as a client reads it: status, header lines, body."""
    writer = BufferedWriter(
        found := head(status, *more.pop("fields", ())),
        options := response_options(**{"secrets": (SECRET,)} | more.pop("options", {})),
        map_response(
            found, options, judge, unmapped(found, options, more.pop("otherwise", lambda whole: whole))
        ),
        origin=ORIGIN,
        maps_status=True,
    )
    for at in range(0, len(body), size):
        assert writer.headers_pending
        writer.feed(body[at : at + size])
        assert writer.flush(ended=False) == b""
    sent = writer.flush(ended=True)
    assert not writer.headers_pending and writer.defers_status
    reader = MessageReader("response", to_method="POST")
    reader.feed(sent)
    assert reader.anomalies == [] and reader.unread == b""
    assert writer.status == int(sent[9:12])
    first, _, content = sent.partition(b"\r\n\r\n")
    return writer.status, first.decode().split("\r\n")[1:], content


def says(status: int, message: str = "really this", retry_after: int | None = None) -> Judge:
    return lambda _, __: MappedError(status=status, message=message, retry_after=retry_after)


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize(
    ("client", "where"), [(Dialect.CHAT, ("error", "message")), (Dialect.MESSAGES, ("error", "message"))]
)
def test_a_mapped_error_is_sent_in_the_clients_dialect(
    client: Dialect, where: tuple[str, str], size: int
) -> None:
    """Status, words, and whose answer it is; of the old head what clients may see, but not what the body was."""
    seen: list[tuple[int, bytes]] = []

    def judge(status: int, body: bytes) -> MappedError:
        seen.append((status, body))
        return MappedError(status=404, message="no such model")

    status, fields, content = told(judge, b"<html>", size=size, options={"dialect": client})
    assert seen == [(500, b"<html>")], "judged once, and whole"
    said = json.loads(content)
    assert status == 404 and said[where[0]][where[1]] == "no such model"
    assert (said.get("type") == "error") == (client is Dialect.MESSAGES)
    assert [field for field in fields if field.startswith("content-type")] == [
        "content-type: application/json"
    ]
    request_id = "request-id: r1" if client is Dialect.MESSAGES else "x-request-id: r1"
    assert {request_id, "x-clawgate-provider: a"} <= set(fields) and "cookie" not in "".join(fields)


def test_an_unmapped_error_passes_unchanged_or_translated() -> None:
    """Where client and provider speak different dialects, as the translation tells failures."""
    status, fields, content = told(lambda _, __: None, b"<html>", status=503)
    assert (status, content) == (503, b"<html>") and "content-type: text/html" in fields
    _, _, content = told(lambda _, __: None, b"<html>", otherwise=lambda whole: b"{" + whole + b"}")
    assert content == b"{<html>}"


def test_no_credential_goes_back_in_either() -> None:
    """Neither in what came nor in what the judge repeats of it."""
    fields = ((b"x-ratelimit-limit-requests", SECRET),)
    for judge in (says(404, f"it said {SECRET.decode()}"), lambda _, __: None):
        _, lines, content = told(judge, b"your key " + SECRET, fields=fields)
        assert SECRET not in content and b"*" * len(SECRET) in content
        assert SECRET.decode() not in "".join(lines)


def test_when_to_come_again_and_when_not_to_stay() -> None:
    _, fields, _ = told(says(429, retry_after=7), b"", options={"close": True})
    assert {"retry-after: 7", "connection: close"} <= set(fields)
    _, fields, _ = told(says(429), b"")
    assert not [field for field in fields if field.startswith(("retry-after", "connection"))]


def test_a_status_that_no_response_can_have_is_a_bad_gateway() -> None:
    assert told(says(7), b"")[0] == 502


def test_a_judge_gets_the_first_of_a_body_that_is_long() -> None:
    """The first 64 kB, however they came."""
    lengths: list[int] = []

    def judge(_: int, body: bytes) -> MappedError:
        lengths.append(len(body))
        return MappedError(status=502, message="long")

    told(judge, b"x" * (MAX_MAPPED_BYTES + 5000), size=1000)
    told(judge, b"x" * (2 * MAX_MAPPED_BYTES))
    assert lengths == [MAX_MAPPED_BYTES, MAX_MAPPED_BYTES]


@pytest.mark.parametrize("client", [Dialect.CHAT, Dialect.MESSAGES])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}', "Incorrect API key"),
        (b'{"error": {"message": "the token is unknown", "code": "invalid_token"}}', "the token is unknown"),
        (
            b'{"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}',
            "x-api-key",
        ),
        (b"Unauthorized", "Unauthorized"),
        (b"", "no error message"),
    ],
)
def test_a_401_of_an_upstream_is_not_one_of_ours(client: Dialect, body: bytes, says: str) -> None:
    """Status 401 stays; text and code name whose credential is wrong, whatever code the upstream has for it."""
    options = response_options(dialect=client, credential_advice="check the proxy token")
    assert options.attribution_headers, "a gateway's"
    made = unauthorized_response(head(401), options, origin=ORIGIN)(body)
    error = json.loads(made.body)["error"]
    assert made.status == 401 and error["code"] == "upstream_unauthorized"
    assert error["type"] == "authentication_error"
    assert error["message"].startswith(
        f"{ORIGIN} rejects the credential that is configured for it here; the token of "
    )
    assert "; check the proxy token. It responded: " in error["message"] and says in error["message"]
    assert made.failure is not None and made.failure.message == error["message"]


def test_a_401_of_an_upstream_further_on_names_the_one_that_rejects() -> None:
    inner = {"error": {"message": "https://far.test rejects it", "code": "upstream_unauthorized"}}
    options = response_options(credential_advice="check the proxy token")
    made = unauthorized_response(head(401), options, origin=ORIGIN)(json.dumps(inner).encode())
    assert json.loads(made.body)["error"]["message"] == f"{ORIGIN} responded: https://far.test rejects it"


def test_a_402_has_the_status_for_operators_and_its_own_words() -> None:
    options = response_options(attribution_headers=b"", served_by=b"far", operator_status=400)
    made = operator_response(head(402), options, origin=ORIGIN)(b'{"error": {"message": "balance too low"}}')
    error = json.loads(made.body)["error"]
    assert made.status == 400 and error["message"] == (
        f"{ORIGIN} wants to be paid before it serves more; settle that there. It responded: balan*e too low"
    )


@pytest.mark.parametrize("body", [b"Unauthorized", b'{"error": {"message": "no", "code": "invalid_token"}}'])
def test_a_401_has_the_status_for_operators_where_the_client_would_not_come_back(body: bytes) -> None:
    options = response_options(attribution_headers=b"", served_by=b"far", operator_status=400)
    made = unauthorized_response(head(401), options, origin=ORIGIN)(body)
    assert made.status == 400
    assert json.loads(made.body)["error"]["code"] == "upstream_failed", (
        "one that it takes for no failed login"
    )
    assert made.failure is not None and made.failure.code == "upstream_unauthorized", "for the log"


@pytest.mark.parametrize(
    ("body", "is_told_apart"),
    [
        (b'{"error": {"message": "no", "code": "invalid_api_key"}}', True),
        (b"Unauthorized", True),
        (b"\xff", True),
        (b'{"error": {"message": "no", "code": "invalid_token"}}', False),
        (b'{"error": {"message": "no", "code": "missing_token"}}', False),
        (b'{"error": {"message": "no", "code": "upstream_unauthorized"}}', False),
    ],
)
def test_bridge_and_server_pass_a_401_that_is_told_apart_by_itself(body: bytes, is_told_apart: bool) -> None:
    """Byte for byte, as other errors; one with a code of ours gets a body that names the upstream."""
    options = response_options(attribution_headers=b"", served_by=b"far", credential_advice="check it")
    made = unauthorized_response(head(401), options, origin=ORIGIN)(body)
    assert (made.body == body) is is_told_apart and made.status == 401
    assert made.failure is not None and made.failure.code == "upstream_unauthorized"
    assert made.lines.endswith(b"x-clawgate-provider: far\r\n")
