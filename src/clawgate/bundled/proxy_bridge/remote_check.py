"""Checks whether the remote responds and accepts our token, by one GET of its list of models.

A clawgate server is recognised by its error codes (docs/errors.md). A message holds no secret, and of the remote's own
text nothing but model ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import SecretStr

from clawgate.bundled.proxy_bridge.config import HEADER, models_url
from clawgate.plugins.api import Fetch, FetchFailed, FetchRequest, FetchResponse, object_at

State = Literal[
    "reachable", "unauthorized", "locked_out", "not_found", "failing", "unreachable", "timed_out", "unknown"
]

_NEXT_STEPS: Mapping[str, str] = {
    "unauthorized": "check the proxy token (proxyToken, or PROXY_BRIDGE_TOKEN)",
    "locked_out": "wait a few minutes, then try again with the right token",
    "not_found": "check the path of the URL (remoteUrl): it is the part before /v1",
    "failing": "check the log of the remote",
    "unreachable": "check host and port of the URL (remoteUrl), and that the remote runs",
    "timed_out": "check host and port of the URL (remoteUrl), and that no firewall drops the connection",
}
_MAX_MODELS = 500
_ACCEPTED = "it responds and accepts the token"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus:
    """The result of a check. ``milliseconds`` is set only with a response; "unknown": it was not checked."""

    state: State
    message: str
    milliseconds: float | None = None
    models: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.state == "reachable"

    @property
    def responds(self) -> bool | None:
        """Whether there was a response; None if it was not checked."""
        return None if self.state == "unknown" else self.state not in ("unreachable", "timed_out")

    @property
    def authorized(self) -> bool | None:
        """Whether it accepts the token; None if its response does not show that."""
        return True if self.ok else False if self.state == "unauthorized" else None

    @property
    def next_step(self) -> str:
        return _NEXT_STEPS.get(self.state, "")


async def check_remote(fetch: Fetch, remote_url: str, token: SecretStr) -> RemoteStatus:
    """Check the remote directly; within 15 s."""
    request = FetchRequest(url=models_url(remote_url), header=HEADER, secret=token, allow_private=True)
    try:
        return classify(await fetch(request))
    except FetchFailed as error:
        return RemoteStatus(
            state="timed_out" if error.cause == "timed_out" else "unreachable", message=error.message
        )


async def check_through_bridge(fetch: Fetch, bridge: str, local_token: SecretStr | None) -> RemoteStatus:
    """Let the bridge at ``bridge`` check, which has a route to the remote that a direct request has not.

    The token is sent to no process of another user.
    """
    try:
        health = await fetch(_bridge_request(f"{bridge}/health?deep=1", local_token, seconds=20.0))
        upstream = object_at(health.json(), ("upstream",))
        state, latency = upstream.get("state"), upstream.get("latencyMs")
        if state != "reachable":
            known: State = next((one for one in get_args(State) if one == state), "failing")
            message = upstream.get("message")
            return RemoteStatus(
                state=known,
                message=message if isinstance(message, str) else "the bridge reports no reason",
            )
        models = await fetch(_bridge_request(f"{bridge}/v1/models", local_token, seconds=10.0))
    except FetchFailed as error:
        return RemoteStatus(state="unknown", message=f"the bridge did not report its state: {error.message}")
    return RemoteStatus(
        state="reachable",
        message=_ACCEPTED,
        milliseconds=float(latency) if isinstance(latency, int | float) else models.milliseconds,
        models=model_ids(models.json()),
    )


def _bridge_request(url: str, local_token: SecretStr | None, *, seconds: float) -> FetchRequest:
    return FetchRequest(
        url=url,
        header="Authorization" if local_token is not None else "",
        prefix="Bearer" if local_token is not None else "",
        secret=local_token,
        allow_private=True,
        trusted_user="self",
        response_seconds=seconds,
    )


def classify(response: FetchResponse) -> RemoteStatus:
    """Return what a response to the request for models shows about the remote."""
    status, body = response.status, response.json()
    code = object_at(body, ("error",)).get("code")
    if status == 200 and isinstance(body, dict) and isinstance(body.get("data"), list) and code is None:
        return RemoteStatus(
            state="reachable",
            message=_ACCEPTED,
            milliseconds=response.milliseconds,
            models=model_ids(body),
        )
    state, message = _failure(status, code)
    return RemoteStatus(state=state, message=message, milliseconds=response.milliseconds)


def _failure(status: int, code: object) -> tuple[State, str]:
    if code == "auth_locked":
        return "locked_out", "it has locked out this address after wrong tokens"
    if code in ("invalid_token", "missing_token"):
        return "unauthorized", "it rejects the proxy token"
    if code == "upstream_unauthorized":
        return "failing", "it accepts the proxy token, but its own upstream rejects its key"
    if status in (401, 403):
        message = f"it rejects the proxy token, or its own upstream rejects its key (status {status} for /v1/models)"
        return "unauthorized", message
    if status in (404, 405):
        return "not_found", f"a server responds, but has no /v1/models at this URL (status {status})"
    if 300 <= status < 400:
        return "not_found", f"it redirects (status {status}), which is not followed: the URL is wrong"
    if status != 200:
        return "failing", f"it responds with status {status} to /v1/models"
    return "not_found", "the response is not a list of models: the URL belongs to another program"


def model_ids(body: object) -> tuple[str, ...]:
    """Return the ids in a list of models that can be printed and configured."""
    data = body.get("data") if isinstance(body, Mapping) else None
    ids = [one.get("id") for one in data if isinstance(one, Mapping)] if isinstance(data, list) else []
    usable = [one for one in ids if isinstance(one, str) and one.isprintable() and 0 < len(one) <= 200]
    return tuple(dict.fromkeys(one for one in usable if not {" ", ","} & set(one)))[:_MAX_MODELS]
