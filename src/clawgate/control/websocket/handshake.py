"""Decides about the first request of a WebSocket: `connect`, its params, and the rights that its caller gets.

Pure. Law: rights are what the client requested, as far as its upgrade did not give them up, and there are none without
a request; a secret is compared elsewhere (`Admission.identify`). A device's identity gives no right and is not read:
there is no pairing here. Texts, codes and their order: OpenClaw 2026.9.6, recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from clawgate import errors
from clawgate.control.websocket.error_shapes import NOT_PAIRED, invalid, shape_of
from clawgate.control.websocket.frames import ErrorShape, Request
from clawgate.control.websocket.params import Count, NonEmpty, Params, ParamsReader, Positive
from clawgate.errors import GatewayError
from clawgate.policy.proxy_identity import ADMIN, APPROVALS, READ, WRITE, implies

PROTOCOL = 4
_PROBE_PROTOCOL = 3
"""The oldest of a client that only looks whether a gateway is there."""
OPERATOR = "operator"
SCOPES = (READ, WRITE, APPROVALS, ADMIN)
_PROTOCOL_ERROR, _POLICY_VIOLATION = 1002, 1008

_Bounded96 = Annotated[str, msgspec.Meta(min_length=1, max_length=96)]
_Bounded64 = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ClientInfo(Params, frozen=True):
    """Which program the client is. The ids are a closed list, in the contract and at the real gateway."""

    id: Literal[
        "webchat-ui", "openclaw-control-ui", "openclaw-browser-copilot", "openclaw-tui", "webchat", "cli",
        "gateway-client", "openclaw-macos", "openclaw-linux", "openclaw-ios", "openclaw-watchos", "openclaw-android",
        "node-host", "openclaw-worker", "test", "fingerprint", "openclaw-probe",
    ]  # fmt: skip
    version: NonEmpty
    platform: NonEmpty
    mode: Literal["webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"]
    display_name: NonEmpty = "-"
    build_id: _Bounded96 = "-"
    device_family: NonEmpty = "-"
    model_identifier: NonEmpty = "-"
    time_zone: _Bounded64 = "-"
    instance_id: NonEmpty = "-"


class Auth(Params, frozen=True):
    token: str = ""
    password: str = ""
    bootstrap_token: str = ""
    device_token: str = ""
    approval_runtime_token: str = ""
    agent_runtime_identity_token: str = ""


class Device(Params, frozen=True):
    id: NonEmpty
    public_key: NonEmpty
    signature: NonEmpty
    signed_at: Count
    nonce: NonEmpty


class ConnectParams(Params, frozen=True):
    min_protocol: Positive
    max_protocol: Positive
    client: ClientInfo
    role: NonEmpty = OPERATOR
    scopes: list[NonEmpty] = msgspec.field(default_factory=list)
    caps: list[NonEmpty] = msgspec.field(default_factory=list)
    auth: Auth = msgspec.field(default_factory=Auth)
    device: Device | msgspec.UnsetType = msgspec.UNSET


_reader = ParamsReader(
    ConnectParams,
    ignored={
        str: "locale userAgent pathEnv",
        list[NonEmpty]: "commands",
        dict[str, bool]: "permissions",
        Any: "computerUse",
    },
    refused={dict[str, Any]: "workerRuns"},
)


@dataclass(frozen=True, slots=True)
class Connect:
    """A `connect` that can be authenticated. ``secret`` is its token or password, None without one."""

    scopes: tuple[str, ...]
    caps: frozenset[str]
    secret: str | None
    client: str
    has_device: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a `connect` that is refused, and the code with which the socket is closed then."""

    error: ErrorShape
    close_code: int = _POLICY_VIOLATION


def read_connect(request: Request, left: frozenset[str] | None) -> Connect | Refusal:
    """``left`` are the rights that the upgrade's ``x-openclaw-scopes`` leaves, None for all."""
    if request.method != "connect":
        return Refusal(invalid("invalid handshake: first request must be connect"))
    try:
        params = _reader.read(request.params)
    except errors.InvalidRequest as error:
        return Refusal(invalid(f"invalid connect params: {error.message}"))
    if not _speaks(params):
        details = {
            "code": "PROTOCOL_MISMATCH",
            "clientMinProtocol": params.min_protocol,
            "clientMaxProtocol": params.max_protocol,
            "expectedProtocol": PROTOCOL,
            "minimumProbeProtocol": _PROBE_PROTOCOL,
        }
        return Refusal(invalid("protocol mismatch", **details), _PROTOCOL_ERROR)
    if params.role == "node":
        return Refusal(_without_device())
    if params.role != OPERATOR:
        return Refusal(invalid("invalid role"))
    return Connect(
        scopes=_granted(frozenset(params.scopes), left),
        caps=frozenset(params.caps),
        secret=params.auth.token or params.auth.password or None,
        client=params.client.id,
        has_device=bool(params.device),
    )


def _granted(requested: frozenset[str], left: frozenset[str] | None) -> tuple[str, ...]:
    if left is None:
        return tuple(scope for scope in SCOPES if scope in requested)
    return tuple(scope for scope in SCOPES if implies(requested, scope) and scope in left)


def _speaks(params: ConnectParams) -> bool:
    lowest = _PROBE_PROTOCOL if params.client.mode == "probe" else PROTOCOL
    return params.min_protocol <= PROTOCOL and params.max_protocol >= lowest


def refusal_of(error: GatewayError, connect: Connect, *, by_password: bool) -> ErrorShape:
    """Return the response to a client that could not be authenticated. ``by_password``: not by token."""
    kind = "password" if by_password else "token"
    match error:
        case errors.AuthLocked():
            return _unauthorized(
                error,
                "too many failed authentication attempts (retry later)",
                "AUTH_RATE_LIMITED",
                "rate_limited",
            )
        case errors.MissingToken() if connect.secret is None and not connect.has_device:
            return _without_device()
        case errors.MissingToken() if connect.secret is None:
            text = f"gateway {kind} missing ({_advice(connect, kind)})"
            return _unauthorized(error, text, f"AUTH_{kind.upper()}_MISSING", f"{kind}_missing")
        case errors.InvalidToken() if connect.secret is not None:
            text = f"gateway {kind} mismatch ({_advice(connect, kind)})"
            return _unauthorized(error, text, f"AUTH_{kind.upper()}_MISMATCH", f"{kind}_mismatch")
        case errors.InvalidToken():
            return _unauthorized(error, error.message, "AUTH_UNAUTHORIZED", "unauthorized")
    return shape_of(error)


def _advice(connect: Connect, kind: str) -> str:
    if connect.client == "cli":
        more = " or pair the device" if kind == "token" else ""
        return f"use this gateway's gateway.auth.{kind}{more}"
    return f"provide gateway auth {kind}"


def _unauthorized(error: GatewayError, text: str, code: str, reason: str) -> ErrorShape:
    waits = error.retry_after is not None
    details = {
        "code": code,
        "authReason": reason,
        "canRetryWithDeviceToken": False,
        "recommendedNextStep": "wait_then_retry" if waits else "update_auth_credentials",
    }
    shape = invalid(f"unauthorized: {text}", **details)
    if error.retry_after is None:
        return shape
    return msgspec.structs.replace(shape, retryable=True, retry_after_ms=error.retry_after * 1000)


def _without_device() -> ErrorShape:
    """What OpenClaw calls a client that shows nothing."""
    return ErrorShape(NOT_PAIRED, "device identity required", {"code": "DEVICE_IDENTITY_REQUIRED"})
