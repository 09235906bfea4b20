"""What a first request gets: rights as it requested them, or the text, the code and the close code of OpenClaw."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate import errors
from clawgate.control.websocket.frames import parse_request
from clawgate.control.websocket.handshake import Connect, Refusal, read_connect, refusal_of
from clawgate.policy.proxy_identity import SCOPES, scopes_left
from tests.control.websocket.fake_socket import TOKEN, connect, request

BACKEND = {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"}


def decided(declared: bytes | None = None, **over: Any) -> Connect | Refusal:
    left = scopes_left([(SCOPES, declared)] if declared is not None else [])
    return read_connect(parse_request(connect(**over)), left)


def accepted(declared: bytes | None = None, **over: Any) -> Connect:
    found = decided(declared, **over)
    assert isinstance(found, Connect), found
    return found


def test_a_client_gets_the_rights_that_it_requests_and_no_others() -> None:
    assert accepted().scopes == ("operator.read", "operator.write", "operator.admin")
    assert accepted(scopes=["operator.admin"]).scopes == ("operator.admin",)
    assert accepted(scopes=["zzz", "operator.pairing", "operator.read"]).scopes == ("operator.read",)


@pytest.mark.parametrize("scopes", [None, []])
def test_a_client_that_requests_no_right_has_none(scopes: object) -> None:
    assert accepted(scopes=scopes).scopes == ()


def test_rights_that_the_upgrade_gave_up_are_not_granted() -> None:
    assert accepted(b"operator.read", scopes=["operator.admin"]).scopes == ("operator.read",)
    assert accepted(b"operator.write , x", scopes=["operator.read"]).scopes == ("operator.read",)
    assert accepted(b"").scopes == ()


@pytest.mark.parametrize("bounds", [(4, 4), (3, 4), (4, 9), (1, 9)])
def test_any_range_with_version_4_is_accepted(bounds: tuple[int, int]) -> None:
    assert accepted(minProtocol=bounds[0], maxProtocol=bounds[1]).secret == TOKEN


def test_a_probe_may_speak_the_version_before() -> None:
    probe = {**BACKEND, "mode": "probe", "id": "openclaw-probe"}
    assert accepted(minProtocol=3, maxProtocol=3, client=probe).secret == TOKEN


@pytest.mark.parametrize("bounds", [(1, 2), (3, 3), (5, 5)])
def test_a_range_without_version_4_closes_with_1002(bounds: tuple[int, int]) -> None:
    refusal = decided(minProtocol=bounds[0], maxProtocol=bounds[1])
    assert isinstance(refusal, Refusal)
    assert (refusal.close_code, refusal.error.message) == (1002, "protocol mismatch")
    assert refusal.error.details == {
        "code": "PROTOCOL_MISMATCH", "clientMinProtocol": bounds[0], "clientMaxProtocol": bounds[1],
        "expectedProtocol": 4, "minimumProbeProtocol": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"minProtocol": 0}, "invalid connect params: at /minProtocol: must be >= 1"),
        ({"client": None}, "invalid connect params: must have required property 'client'"),
        ({"client": {**BACKEND, "id": "x"}},
         "invalid connect params: at /client/id: must be equal to one of the allowed values"),
        ({"client": {**BACKEND, "mode": "operator"}},
         "invalid connect params: at /client/mode: must be equal to one of the allowed values"),
        ({"client": {**BACKEND, "foo": 1}}, "invalid connect params: at /client: unexpected property 'foo'"),
        ({"bogus": 1}, "invalid connect params: at root: unexpected property 'bogus'"),
        ({"role": "bogus"}, "invalid role"),
        ({"role": "node"}, "device identity required"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_connect_has_the_text_of_openclaw_and_closes_with_1008(
    over: dict[str, Any], message: str
) -> None:
    refusal = decided(**over)
    assert isinstance(refusal, Refusal)
    assert (refusal.close_code, refusal.error.message) == (1008, message)


def test_any_other_method_comes_too_early() -> None:
    refusal = read_connect(parse_request(request("health")), None)
    assert isinstance(refusal, Refusal)
    assert refusal.error.message == "invalid handshake: first request must be connect"


@pytest.mark.parametrize("auth", [{"token": "s"}, {"password": "s"}, {"token": "s", "password": "other"}])
def test_the_secret_is_the_token_or_the_password(auth: dict[str, str]) -> None:
    assert accepted(auth=auth).secret == "s"


@pytest.mark.parametrize("auth", [None, {}, {"token": ""}, {"deviceToken": "x"}, {"bootstrapToken": "x"}])
def test_what_is_no_secret_of_this_gateway_is_none(auth: object) -> None:
    assert accepted(auth=auth).secret is None


def test_a_device_is_accepted_and_gives_no_right() -> None:
    device = {"id": "x", "publicKey": "y", "signature": "z", "signedAt": 1, "nonce": "n"}
    assert accepted(device=device, scopes=None).scopes == ()


def test_the_secret_of_a_connect_is_not_in_what_is_refused() -> None:
    assert TOKEN not in repr(decided(bogus=1))


def shown(error: errors.GatewayError, *, by_password: bool = False, **over: Any) -> tuple[str, str, Any]:
    shape = refusal_of(error, accepted(**over), by_password=by_password)
    assert shape.details is not None
    return shape.code, shape.message, shape.details["code"]


CLI = {**BACKEND, "id": "cli", "mode": "cli"}


def test_a_wrong_secret_is_named_by_its_kind() -> None:
    wrong = errors.InvalidToken("x")
    text = "unauthorized: gateway token mismatch (provide gateway auth token)"
    assert shown(wrong) == ("INVALID_REQUEST", text, "AUTH_TOKEN_MISMATCH")
    text = "unauthorized: gateway token mismatch (use this gateway's gateway.auth.token or pair the device)"
    assert shown(wrong, client=CLI) == ("INVALID_REQUEST", text, "AUTH_TOKEN_MISMATCH")
    text = "unauthorized: gateway password mismatch (provide gateway auth password)"
    assert shown(wrong, by_password=True) == ("INVALID_REQUEST", text, "AUTH_PASSWORD_MISMATCH")
    text = "unauthorized: gateway password mismatch (use this gateway's gateway.auth.password)"
    assert shown(wrong, by_password=True, client=CLI)[1] == text


def test_a_client_that_shows_nothing_is_a_device_without_identity() -> None:
    missing = errors.MissingToken("x")
    assert shown(missing, auth=None) == ("NOT_PAIRED", "device identity required", "DEVICE_IDENTITY_REQUIRED")


def test_a_lockout_names_when_to_try_again() -> None:
    shape = refusal_of(errors.AuthLocked("x", retry_after=20), accepted(), by_password=False)
    assert (shape.retryable, shape.retry_after_ms) == (True, 20_000)
    assert shape.message == "unauthorized: too many failed authentication attempts (retry later)"
    assert shape.details is not None and shape.details["code"] == "AUTH_RATE_LIMITED"
    assert shape.details["recommendedNextStep"] == "wait_then_retry"


def test_tokens_that_cannot_be_read_are_no_fault_of_the_client() -> None:
    assert shown(errors.TokensUnreadable("later", retry_after=2))[0] == "UNAVAILABLE"


def test_a_proxy_without_a_user_is_unauthorized() -> None:
    assert shown(errors.InvalidToken("not this user"), auth=None)[2] == "AUTH_UNAUTHORIZED"
