"""Translations for chat clients fail alike, and have one stream of chunks for each exchange."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import UpstreamFailed
from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.translator import translation

UPSTREAMS = pytest.mark.parametrize("upstream", [Dialect.MESSAGES, Dialect.RESPONSES])


def new(upstream: Dialect, **fields: Any) -> Translation:
    made = translation(
        Dialect.CHAT, upstream, requested_model="a/m", upstream_model="m", created=1, unique_id="u"
    )
    body = {"model": "a/m", "messages": [{"role": "user", "content": "hi"}], **fields}
    made.translate_request(json.dumps(body).encode())
    return made


@UPSTREAMS
def test_errors_have_the_form_of_the_client(upstream: Dialect) -> None:
    made = new(upstream)
    error = json.loads(made.translate_error(429, b'{"error":{"message":"slow down"}}'))["error"]
    assert error["message"] == "slow down" and made.error_event() == b""


@UPSTREAMS
@pytest.mark.parametrize("streams", [True, False])
def test_an_error_of_the_stream_is_an_event_for_the_client(upstream: Dialect, streams: bool) -> None:
    made = new(upstream, stream=streams)
    assert made.streams is streams
    with pytest.raises(UpstreamFailed, match="it broke"):
        made.feed(Event(b"", b"", b'{"type":"error","error":{"type":"api_error","message":"it broke"}}'), [])
    assert b"it broke" in made.error_event()
