from __future__ import annotations

import pytest

from clawgate.wire.http.retry_after import seconds_to_wait

DATE = b"Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({b"retry-after": b"7"}, 7),
        ({b"retry-after": b"0"}, 0),
        ({b"retry-after": b"1.2"}, 2),
        ({b"retry-after-ms": b"1"}, 1),
        ({b"retry-after-ms": b"1500.5", b"retry-after": b"9"}, 2),
        ({b"retry-after-ms": b"soon", b"retry-after": b"9"}, 9),
        ({b"retry-after": DATE, b"date": b"Wed, 21 Oct 2026 07:27:30 GMT"}, 30),
        ({b"retry-after": DATE, b"date": b"Wed, 21 Oct 2026 09:00:00 GMT"}, 0),
        ({b"retry-after": DATE, b"date": b"Wednesday, 21-Oct-26 07:27:59 GMT"}, 1),
        ({b"retry-after": DATE}, None),
        ({b"retry-after": b"-1"}, None),
        ({b"retry-after": b"9" * 12}, None),
        ({b"retry-after": b"\xff", b"date": DATE}, None),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"Wed, 21 Oct 99999 07:28:00 GMT", b"date": DATE}, None),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:00 -0000", b"date": DATE}, None),
    ],
)
def test_seconds_to_wait(headers: dict[bytes, bytes], seconds: int | None) -> None:
    assert seconds_to_wait(headers) == seconds
