"""One table from cause to status, and three renderings that every client can read."""

from __future__ import annotations

import json

import pytest

from clawgate import errors
from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import TABLE, encode_error_event, encode_error_response, status_of
from clawgate.wire.anthropic.errors import OWN
from clawgate.wire.dialect import Dialect
from tests.error_classes import all_errors
from tests.peers.message_reader import MessageReader
from tests.relay.response.openclaw import retry_reason
from tests.test_errors import make
from tests.wire.event_stream import dispatched

CLASSES = list(all_errors())
named = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: str(kind.__name__))


def read(answer: bytes, *, to_method: str = "POST") -> MessageReader:
    reader = MessageReader("response", to_method=to_method)
    reader.feed(answer)
    assert reader.complete and reader.anomalies == [] and reader.unread == b""
    return reader


def fields(answer: bytes) -> dict[str, list[str]]:
    head = read(answer).head
    assert head is not None
    names = [
        "retry-after",
        "allow",
        "www-authenticate",
        "upgrade",
        "connection",
        "cache-control",
        "content-type",
    ]
    return {name: found for name in names if (found := head.all(name))}


def test_every_error_has_its_own_row_and_every_row_an_error() -> None:
    assert set(TABLE) == set(CLASSES)


@named
def test_the_response_is_http_and_holds_the_error_object(kind: type[GatewayError]) -> None:
    error = make(kind, 'what "quoted" and \n broken')
    reader = read(encode_error_response(error, close=False))
    assert reader.head is not None and reader.head.start[1] == str(status_of(error))
    sent = json.loads(bytes(reader.body))["error"]
    assert sent.pop("message").endswith(error.message)
    assert sent == {"type": TABLE[kind][1], "code": kind.code, "param": error.param}
    assert fields(encode_error_response(error, close=False))["content-type"] == ["application/json"]
    assert fields(encode_error_response(error, close=False))["cache-control"] == ["no-store"]


@named
def test_the_event_is_one_event_with_the_same_object(kind: type[GatewayError]) -> None:
    error = make(kind, "what\n\ndata: [DONE]\r\n\r\n")
    (data,) = dispatched(encode_error_event(error))
    assert json.loads(data) == json.loads(bytes(read(encode_error_response(error, close=True)).body))


@named
def test_each_field_stands_where_it_is_due_and_nowhere_else(kind: type[GatewayError]) -> None:
    found = set(fields(encode_error_response(make(kind), close=False))) - {"content-type", "cache-control"}
    due: set[str] = set()
    if issubclass(kind, errors.InvalidToken):
        due = {"www-authenticate"}
    elif status_of(make(kind)) == 405:
        due = {"allow"}
    elif status_of(make(kind)) == 426:
        due = {"upgrade"}
    assert found == due


@named
def test_only_a_credential_of_the_clients_is_responseed_with_401(kind: type[GatewayError]) -> None:
    """A client drops its token on a 401, so an upstream's, which keeps its status, has a code of its own."""
    expected = issubclass(kind, errors.InvalidToken | errors.UpstreamUnauthorized)
    assert (TABLE[kind][0] == 401) is expected


@named
def test_the_status_says_whose_fault_it_is(kind: type[GatewayError]) -> None:
    status = TABLE[kind][0]
    if issubclass(kind, errors.GatewayStopping | errors.GatewayUnavailable):
        assert status == 503
    elif issubclass(kind, errors.UpstreamFailed):
        assert status in (401, 502, 504)
    elif issubclass(kind, errors.RateLimitExceeded):
        assert status == 429
    elif kind is errors.InternalError:
        assert status == 500
    elif issubclass(kind, errors.LoopDetected | errors.HttpVersionUnsupported):
        assert status in (508, 505)
    else:
        assert 400 <= status < 500


@pytest.mark.parametrize("seconds", [0, 1, 60, 300])
def test_retry_after_is_whole_seconds(seconds: int) -> None:
    answer = encode_error_response(errors.RateLimitExceeded("m", retry_after=seconds), close=False)
    assert fields(answer)["retry-after"] == [str(seconds)]


def test_what_the_special_fields_say() -> None:
    assert fields(encode_error_response(errors.MethodNotAllowed("m", allow=("GET", "HEAD")), close=False))[
        "allow"
    ] == ["GET, HEAD"]
    assert fields(encode_error_response(errors.InvalidToken("m"), close=False))["www-authenticate"] == [
        'Bearer realm="clawgate"'
    ]
    assert fields(encode_error_response(errors.UpgradeRefused("m"), close=False))["upgrade"] == ["HTTP/1.1"]


@pytest.mark.parametrize("close", [True, False])
def test_the_end_of_the_connection_is_announced(close: bool) -> None:
    answer = encode_error_response(errors.InvalidRequest("m"), close=close)
    assert fields(answer).get("connection") == (["close"] if close else None)


@named
def test_the_response_to_head_has_the_length_and_not_the_body(kind: type[GatewayError]) -> None:
    whole = encode_error_response(make(kind), close=False)
    head = encode_error_response(make(kind), close=False, head_only=True)
    assert head.endswith(b"\r\n\r\n") and whole.startswith(head)
    read(head, to_method="HEAD")


def test_no_message_reaches_the_head() -> None:
    """Text of a client's in a message cannot become a header."""
    answer = encode_error_response(errors.UnknownRoute("x\r\nset-cookie: a=b\r\n\r\n"), close=True)
    assert b"set-cookie" not in answer.partition(b"\r\n\r\n")[0]


@named
def test_a_client_of_anthropics_gets_the_same_in_its_own_words(kind: type[GatewayError]) -> None:
    """Status and head alike; the body and the event hold a type that its clients know, and our code."""
    error = make(kind, 'what "quoted" and \n broken')
    ours, theirs = (
        encode_error_response(error, close=False, dialect=one) for one in (Dialect.CHAT, Dialect.MESSAGES)
    )
    assert fields(ours) == fields(theirs) and ours.split(b"\r\n")[0] == theirs.split(b"\r\n")[0]
    said = json.loads(bytes(read(theirs).body))
    assert said["type"] == "error" and said["error"]["type"] in OWN
    assert said["error"]["message"].endswith(error.message) and said["error"]["code"] == kind.code
    event = encode_error_event(error, Dialect.MESSAGES)
    assert event.startswith(b"event: error\n") and [json.loads(data) for data in dispatched(event)] == [said]


@pytest.mark.parametrize(
    ("status", "seen", "ours", "theirs"),
    [
        (404, 404, "invalid_request_error", "not_found_error"),
        (422, 422, "invalid_request_error", "invalid_request_error"),
        (502, 502, "upstream_error", "api_error"),
        (529, 529, "service_unavailable", "overloaded_error"),
        (7, 502, "upstream_error", "api_error"),
    ],
)
def test_a_failure_whose_status_is_known_has_that_status(
    status: int, seen: int, ours: str, theirs: str
) -> None:
    """And in each dialect the type that goes with it."""
    error = errors.UpstreamFailed("m", status=status)
    for dialect, kind in ((Dialect.CHAT, ours), (Dialect.MESSAGES, theirs)):
        reader = read(encode_error_response(error, close=False, dialect=dialect))
        assert reader.head is not None and int(reader.head.start[1]) == status_of(error) == seen
        assert json.loads(bytes(reader.body))["error"]["type"] == kind
        (data,) = dispatched(encode_error_event(error, dialect))
        assert json.loads(data) == json.loads(bytes(reader.body))


def test_a_responses_client_reads_openais_shape() -> None:
    error = errors.ModelNotFound("m")
    assert encode_error_response(error, close=True, dialect=Dialect.RESPONSES) == encode_error_response(
        error, close=True
    )


# Clients that decide by the text of an error whether to send the request again

RETRIED = {
    errors.UpstreamClosed: "connection reset: ",
    errors.UpstreamTimedOut: "upstream timed out: ",
    errors.UpstreamUnreachable: "service unavailable: ",
    errors.ProviderUnavailable: "service unavailable: ",
    errors.GatewayUnavailable: "service unavailable: ",
    errors.GatewayStopping: "service unavailable: ",
    errors.Overloaded: "overloaded: ",
    errors.TokensUnreadable: "service unavailable: ",
    errors.StoreUnavailable: "service unavailable: ",
    errors.UpstreamMalformed: "upstream error: ",
    errors.UpstreamFailed: "upstream error: ",
}
"""How the message of each error begins that another try may avoid."""
MESSAGES = (
    "http://127.0.0.1:9999: closed the connection in the middle of its response",
    "https://api.example.com: no response within 600 s (this gateway's limit 'first_byte')",
    "the provider 'p' is not available: http://127.0.0.1:1: refused (its address: models.providers.p.baseUrl)",
    "4096 connections are open, the most there may be; try again",
    "the upstream's stream ended before a finish_reason",
    "http://127.0.0.1:9999 ended its stream without a stop_reason (also: p/m status 503)",
)


def messages_of(error: GatewayError, dialect: Dialect) -> list[str]:
    """Return what a client reads: the message of the object, and the data of the event as it is."""
    (data,) = dispatched(encode_error_event(error, dialect))
    return [json.loads(data)["error"]["message"], data]


@named
@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.MESSAGES])
def test_openclaw_retries_what_another_try_may_avoid(kind: type[GatewayError], dialect: Dialect) -> None:
    """It decides by the text of an event, where a direct connection would have been reset."""
    for message in MESSAGES:
        shown, data = messages_of(make(kind, message), dialect)
        assert shown == RETRIED.get(kind, "") + message
        if kind in RETRIED:
            assert retry_reason(shown) and retry_reason(data), shown


@pytest.mark.parametrize(
    ("status", "begins"),
    [
        (429, "rate limit: "),
        (503, "overloaded: "),
        (529, "overloaded: "),
        (500, "upstream error: "),
        (502, "upstream error: "),
        (504, "upstream timed out: "),
        (408, "upstream timed out: "),
        (400, ""),
        (401, ""),
        (402, ""),
        (404, ""),
    ],
)
def test_a_failure_of_a_known_status_begins_with_the_words_for_it(status: int, begins: str) -> None:
    error = errors.UpstreamFailed("the model is not there", status=status)
    for dialect in (Dialect.CHAT, Dialect.MESSAGES):
        shown, data = messages_of(error, dialect)
        assert shown == f"{begins}the model is not there"
        assert bool(retry_reason(shown)) is bool(begins) and bool(retry_reason(data)) is bool(begins)


def test_a_message_that_begins_with_the_words_gets_them_once() -> None:
    """Of a clawgate further upstream, for example."""
    shown, _ = messages_of(errors.UpstreamClosed("Connection reset: by peer"), Dialect.CHAT)
    assert shown == "Connection reset: by peer"
