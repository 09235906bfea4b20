"""Does the contender do the job at all? Asked before anything is timed; who fails is reported, not timed.

Small requests with a full HTTP client: the upstream says what it saw (credentials, body), the client checks
every byte of the JSON answer and of a whole stream.
"""

from __future__ import annotations

import hashlib
import http.client
import json

from benchmarks.contenders import CLIENT_KEY, Role, credential_of_client, credential_upstream
from benchmarks.payloads import ANSWER_BODY, CHUNKS, DONE, EVENT, Plan, chat_body, client_headers
from benchmarks.started import Failed


def probe(port: int, role: Role, token: str) -> None:
    """Raises Failed with the reason unless credentials, bodies, answers and streams are as they must be."""
    for size in (1024, 50 * 1024):
        body = chat_body(size, "probe", 0)
        seen = json.loads(_post(port, role, token, body))
        if seen["length"] != size or seen["sha256"] != hashlib.sha256(body).hexdigest():
            raise Failed(f"a body of {size} bytes reached the upstream changed, {seen['length']} bytes")
        if role != "direct":
            _check_credentials(seen["headers"], role, token)
    if _plan(port, role, token, "answer") != ANSWER_BODY:
        raise Failed("the JSON answer reached the client changed")
    stream = _plan(port, role, token, "stream")
    events = EVENT.findall(stream)
    if len(events) != CHUNKS or b"".join(events) + DONE != stream:
        raise Failed(f"the stream reached the client changed: {len(events)} of {CHUNKS} chunks")


def _check_credentials(headers: list[list[str]], role: Role, token: str) -> None:
    name, value = credential_upstream(role, token)
    found = [got for header, got in headers if header == name]
    if found != [value]:
        raise Failed(f"the upstream saw {len(found)} {name} headers instead of the one configured")
    dropped, _ = credential_of_client(role, token)
    if any(header == dropped.lower() or CLIENT_KEY in got for header, got in headers):
        raise Failed(f"the client's {dropped} reached the upstream")


def _plan(port: int, role: Role, token: str, plan: Plan) -> bytes:
    return _post(port, role, token, chat_body(1024, plan, 0, stream=plan == "stream"))


def _post(port: int, role: Role, token: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = dict(client_headers(credential_of_client(role, token)))
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"no whole answer to a probe: {error!r}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Failed(f"answered a probe with {answer.status}: {content[:200]!r}")
    return content
