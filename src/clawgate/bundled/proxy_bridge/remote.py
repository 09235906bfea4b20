"""Is the remote there, and does it take our token? One GET of its list of models, and what its answer says.

A clawgate server behind it is told apart by its error codes (docs/errors.md). No message holds a secret, nor anything
that the remote wrote but model ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import SecretStr

from clawgate.bundled.proxy_bridge.config import HEADER, models_url
from clawgate.plugins.api import Fetch, FetchFailed, FetchRequest, FetchResponse

State = Literal[
    "reachable", "unauthorized", "locked_out", "not_found", "failing", "unreachable", "timed_out", "unknown"
]

_NEXT: Mapping[str, str] = {
    "unauthorized": "check the proxy token (proxyToken, or PROXY_BRIDGE_TOKEN)",
    "locked_out": "wait a few minutes, then try again with the right token",
    "not_found": "check the path of the URL (remoteUrl): it is the part before /v1",
    "failing": "look at the remote's own log",
    "unreachable": "check host and port of the URL (remoteUrl), and that the remote runs",
    "timed_out": "check host and port of the URL (remoteUrl), and that nothing on the way drops the connection",
}
_MOST_MODELS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What was found. ``milliseconds`` only where an answer came; "unknown": it was not asked."""

    state: State
    message: str
    milliseconds: float | None = None
    models: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.state == "reachable"

    @property
    def answers(self) -> bool | None:
        """Whether anything came back; None if it was not asked."""
        return None if self.state == "unknown" else self.state not in ("unreachable", "timed_out")

    @property
    def authorized(self) -> bool | None:
        """Whether it takes the token; None if its answer does not tell."""
        return True if self.ok else False if self.state == "unauthorized" else None

    @property
    def next_step(self) -> str:
        return _NEXT.get(self.state, "")


async def look(fetch: Fetch, remote_url: str, token: SecretStr) -> Remote:
    """Ask the remote itself; within 15 s."""
    plan = FetchRequest(url=models_url(remote_url), header=HEADER, secret=token, allow_private=True)
    try:
        return judge(await fetch(plan))
    except FetchFailed as error:
        return Remote(
            state="timed_out" if error.cause == "timed_out" else "unreachable", message=error.message
        )


async def look_through(fetch: Fetch, bridge: str, local_token: SecretStr | None) -> Remote:
    """Have the bridge at ``bridge`` ask: it knows a way to the remote that a small request does not."""
    prefix = "Bearer" if local_token is not None else ""
    header = "Authorization" if local_token is not None else ""
    try:
        health = await fetch(
            FetchRequest(
                url=f"{bridge}/health?deep=1",
                header=header,
                prefix=prefix,
                secret=local_token,
                allow_private=True,
                response_seconds=20.0,
            )
        )
        said = part(health.json(), "upstream")
        state, took = said.get("state"), said.get("latencyMs")
        if state != "reachable":
            found: State = next((one for one in get_args(State) if one == state), "failing")
            message = said.get("message")
            return Remote(
                state=found, message=message if isinstance(message, str) else "the bridge cannot say"
            )
        plan = FetchRequest(
            url=f"{bridge}/v1/models", header=header, prefix=prefix, secret=local_token, allow_private=True
        )
        listed = await fetch(plan)
    except FetchFailed as error:
        return Remote(state="unknown", message=f"the bridge did not say how it is: {error.message}")
    return Remote(
        state="reachable",
        message="it answers and takes the token",
        milliseconds=float(took) if isinstance(took, int | float) else listed.milliseconds,
        models=ids_in(listed.json()),
    )


def judge(answer: FetchResponse) -> Remote:
    """What an answer to the question for models says about the remote."""
    status, said = answer.status, answer.json()
    code = part(said, "error").get("code")
    state: State
    if code == "auth_locked":
        state, message = "locked_out", "it has locked this address out after wrong tokens"
    elif code in ("invalid_token", "missing_token"):
        state, message = "unauthorized", "it refuses the proxy token"
    elif status in (401, 403):
        message = f"it refuses the proxy token, or its own upstream refuses its key (it answers {status} to /v1/models)"
        state = "unauthorized"
    elif status in (404, 405):
        state, message = (
            "not_found",
            f"there is a server, but no /v1/models at this URL (it answers {status})",
        )
    elif 300 <= status < 400:
        message = f"it answers with a redirect ({status}), which is not followed: the URL is another one"
        state = "not_found"
    elif status != 200:
        state, message = "failing", f"it answers {status} to /v1/models"
    elif not isinstance(said, dict) or not isinstance(said.get("data"), list):
        state, message = "not_found", "what answers there is no list of models: the URL is of something else"
    else:
        models = ids_in(said)
        return Remote(
            state="reachable",
            message="it answers and takes the token",
            milliseconds=answer.milliseconds,
            models=models,
        )
    return Remote(state=state, message=message, milliseconds=answer.milliseconds)


def ids_in(said: object) -> tuple[str, ...]:
    """The ids in a list of models, those that can be shown and written."""
    data = said.get("data") if isinstance(said, Mapping) else None
    found = [one.get("id") for one in data if isinstance(one, Mapping)] if isinstance(data, list) else []
    fit = [one for one in found if isinstance(one, str) and one.isprintable() and 0 < len(one) <= 200]
    return tuple(dict.fromkeys(one for one in fit if not {" ", ","} & set(one)))[:_MOST_MODELS]


def part(value: object, *keys: str) -> Mapping[str, Any]:
    """The object at a place of something that was read; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
