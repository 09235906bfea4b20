"""What a client was sent of an answer is counted, however it went, and a broken answer ends as one."""

from __future__ import annotations

from clawgate.errors import GatewayStopping
from clawgate.relay.interfaces import ClientConnection, ResponseHead
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.response.sender import ResponseSender
from tests.relay.response.streams import response_options

CHUNK = b"9\r\ndata: b\n\n\r\n"


class Client:
    """A client's side that keeps what it is sent."""

    http10 = False

    def __init__(self) -> None:
        self.received = b""
        self.cuts: list[bool] = []

    def write(self, data: bytes) -> None:
        self.received += data

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def must_close(self) -> bool:
        return False

    def send_error_response(self, error: object, names: bytes = b"") -> int:
        return 0

    def response_complete(self) -> None: ...
    def abort_response(self, error: object, *, at_once: bool, reported: bool) -> None:
        self.cuts.append(at_once)


def streaming(
    client: ClientConnection, *, http10: bool = False, told: bytes = b"data: a\n\n"
) -> ResponseSender:
    head = ResponseHead(
        status=200,
        headers=[(b"content-type", b"text/event-stream")],
        length=None,
        chunked=True,
        content_type=b"text/event-stream",
        encoded=False,
    )
    delivery = ResponseSender(
        PassthroughWriter(head, response_options(http10=http10, secrets=(), attribution_headers=b"")), client
    )
    delivery.writer.feed(told)
    delivery.send()
    return delivery


def let_pass(delivery: ResponseSender, framed: bytes) -> None:
    passthrough = delivery.passthrough()
    assert passthrough is not None
    passthrough.write(framed)
    passthrough.sent += len(framed)
    passthrough.last_chunk = framed


def test_sent_counts_forwarded_chunks_and_written_bytes() -> None:
    """Also behind a piece after which nothing may pass any more."""
    client = Client()
    delivery = streaming(client)
    let_pass(delivery, CHUNK)
    delivery.writer.feed(b"data: half")
    delivery.send()
    assert delivery.passthrough() is None
    assert delivery.sent == len(client.received) and CHUNK in client.received
    delivery.writer.feed(b"\n\n")
    delivery.write(delivery.writer.flush(ended=True))
    assert delivery.sent == len(client.received) and client.received.endswith(b"0\r\n\r\n")


def test_content_is_progress_once_and_a_keepalive_is_none() -> None:
    """Past the writer as well as through it."""
    delivery = streaming(Client())
    assert delivery.has_progressed() and not delivery.has_progressed()
    let_pass(delivery, CHUNK)
    assert delivery.has_progressed() and not delivery.has_progressed()
    for warm in (b": ping\n\n", b'event: ping\ndata: {"type": "ping"}\n\n', b"\n"):
        delivery.writer.feed(warm)
        assert not delivery.has_progressed()
    delivery.writer.feed(b"data: b\n\n")
    assert delivery.has_progressed()


def test_abort_sends_an_error_event_and_no_last_chunk() -> None:
    client = Client()
    delivery = streaming(client)
    let_pass(delivery, CHUNK)
    delivery.abort(GatewayStopping("it stops"))
    assert b"it stops" in client.received and not client.received.endswith(b"0\r\n\r\n")
    assert client.cuts == [False] and delivery.sent == len(client.received)


def test_where_no_words_fit_and_only_the_end_of_the_connection_ends_it_that_end_is_a_reset() -> None:
    """Or what came would look whole."""
    client = Client()
    streaming(client, http10=True, told=b"data: [DONE]\n\n").abort(GatewayStopping("it stops"))
    assert client.cuts == [True] and b"it stops" not in client.received


def test_the_bytes_that_wait_are_no_error_event() -> None:
    """An HTTP/1.0 client is sent them, and then a reset: or what came would look whole."""
    client = Client()
    delivery = streaming(client, http10=True)
    delivery.writer.feed(b"event: x\ndata")
    delivery.abort(GatewayStopping("it stops"))
    assert client.received.endswith(b"event: x\ndata") and client.cuts == [True]


def test_an_error_event_of_the_upstreams_own_shows_that_the_response_is_broken() -> None:
    client = Client()
    delivery = streaming(client, http10=True, told=b'data: {"error":{"message":"no"}}\n\n')
    delivery.abort(GatewayStopping("it stops"))
    assert client.cuts == [False] and b"it stops" not in client.received
