"""Nothing of a response is sent before all of it is here, and what is sent is made of all of it."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.errors import GatewayStopping, UpstreamFailed, UpstreamMalformed
from clawgate.relay.response import buffered
from clawgate.relay.response.buffered import BufferedWriter, MadeResponse
from tests.peers.faults import LAST_CHUNK
from tests.relay.response.streams import ORIGIN, SECRET, response_head, response_options


def writer(make: Any = None, *, only_json: bool = False, **options: Any) -> BufferedWriter:
    return BufferedWriter(
        response_head(),
        response_options(**options),
        make or (lambda body: MadeResponse(201, b"a: b\r\n", body.upper())),
        origin=ORIGIN,
        only_json=only_json,
    )


def test_the_response_is_made_of_the_complete_body() -> None:
    response = writer(close=True)
    response.feed(b"a")
    assert (response.flush(ended=False), response.headers_pending) == (b"", True)
    assert response.abort_message(GatewayStopping("x")) == (b"", False)
    response.feed(b"b")
    sent = response.flush(ended=True)
    assert sent == b"HTTP/1.1 201 Created\r\na: b\r\nconnection: close\r\ncontent-length: 2\r\n\r\nAB"
    assert (response.status, response.headers_pending) == (201, False)


@pytest.mark.parametrize(("http10", "end"), [(True, b"\r\n\r\nab"), (False, b"2\r\nab\r\n" + LAST_CHUNK)])
def test_a_stream_that_is_made_is_framed_as_one(http10: bool, end: bytes) -> None:
    response = writer(lambda body: MadeResponse(200, b"", b"ab", is_event_stream=True), http10=http10)
    assert response.flush(ended=True).endswith(end)


def test_a_body_that_makes_no_sense_can_still_have_a_status_and_repeats_no_credential() -> None:
    def make(body: bytes) -> MadeResponse:
        raise UpstreamFailed(f"no {SECRET.decode()}")

    response = writer(make)
    with pytest.raises(UpstreamFailed, match=r"^no \*+$"):
        response.flush(ended=True)
    assert response.headers_pending


def test_what_is_buffered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffered, "LIMIT", 10)
    response = writer()
    response.feed(b"x" * 10)
    with pytest.raises(UpstreamMalformed, match="body of over 10 bytes"):
        response.feed(b"x")


def test_a_whole_response_is_bounded_as_one_event_of_a_stream() -> None:
    """It takes a single turn of the loop: 60 MB of text held up everybody for a second."""
    response = writer()
    response.feed(b"x" * 12_000_000)
    with pytest.raises(UpstreamMalformed):
        response.feed(b"x" * 12_000_000)


def test_what_is_no_object_is_rejected_at_its_beginning() -> None:
    for fine in (b"", b" \n", b' {"a":1}'):
        writer(only_json=True).feed(fine)
    with pytest.raises(UpstreamMalformed, match="although"):
        writer(only_json=True).feed(b" <html>")


def test_every_byte_is_progress() -> None:
    response = writer()
    assert not response.progress.has_progressed() and response.progress.content_started
    response.feed(b"a")
    assert response.progress.has_progressed() and not response.progress.has_progressed()
