"""Does the contender do the job at all? Asked before anything is timed; who fails is reported, not timed.

Small requests with a full HTTP client: the upstream says what it saw (credentials, body), the client checks
every byte of the JSON answer and of a whole stream. Who translates is asked in `translated_probe.py`.
"""

from __future__ import annotations

import hashlib
import http.client
import json

from benchmarks.client_dialects import CLIENT_DIALECTS
from benchmarks.payloads import ANSWER_BODY, CHUNKS, DONE, EVENT, Plan
from benchmarks.roles import CLIENT_KEY, ENDS, MODEL, Role, credential_of_client, credential_upstream
from benchmarks.started import Failed

_RELAYED = CLIENT_DIALECTS["relayed"]


def probe(port: int, role: Role, token: str, *, streams: bool) -> None:
    """Raises Failed with the reason unless credentials, bodies, answers and streams are as they must be."""
    model = ENDS[role].model
    for size in (1024, 50 * 1024):
        body = _RELAYED.body(size, "probe", 0, model)
        # a gateway puts the provider's name of the model into its place, and touches nothing else
        expected = body.replace(f'"{model}"'.encode(), f'"{MODEL}"'.encode(), 1)
        seen = json.loads(post(port, role, token, body))
        if seen["length"] != len(expected) or seen["sha256"] != hashlib.sha256(expected).hexdigest():
            raise Failed(f"a body of {size} bytes reached the upstream changed, {seen['length']} bytes")
        check_credentials(seen["headers"], role, token)
    if _plan(port, role, token, "answer") != ANSWER_BODY:
        raise Failed("the JSON answer reached the client changed")
    if not streams:
        return
    stream = _plan(port, role, token, "stream")
    events = EVENT.findall(stream)
    if len(events) != CHUNKS or b"".join(events) + DONE != stream:
        raise Failed(f"the stream reached the client changed: {len(events)} of {CHUNKS} chunks")


def check_credentials(told: list[list[str]], role: Role, token: str) -> None:
    """Raises Failed unless the upstream saw the configured credential once and the client's not at all."""
    if role.startswith("direct"):
        return
    headers = [(header, bytes.fromhex(got).decode()) for header, got in told]
    name, value = credential_upstream(role, token)
    found = [got for header, got in headers if header == name]
    if found != [value]:
        raise Failed(f"the upstream saw {found} in {name} instead of the one configured")
    dropped, client_value = credential_of_client(role, token)
    gone = {dropped.lower()} - {name}
    if any(header in gone or client_value in got or CLIENT_KEY in got for header, got in headers):
        raise Failed(f"the client's {dropped} reached the upstream")


def _plan(port: int, role: Role, token: str, plan: Plan) -> bytes:
    return post(port, role, token, _RELAYED.body(1024, plan, 0, ENDS[role].model))


def post(port: int, role: Role, token: str, body: bytes) -> bytes:
    """The body of a 200 answer to ``body``, whole; raises Failed."""
    dialect = CLIENT_DIALECTS[ENDS[role].client]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = dict(dialect.headers(credential_of_client(role, token)))
        connection.request("POST", dialect.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"no whole answer to a probe: {error!r}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Failed(f"answered a probe with {answer.status}: {content[:200]!r}")
    return content
