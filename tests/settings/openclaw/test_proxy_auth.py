"""Mode trusted-proxy: what would reject every request is a problem of the config, named by its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.policy.proxy_identity import ProxyIdentity
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.gateway import GatewayFlags, caller_secret, gateway_settings, lacks_token
from clawgate.settings.openclaw.proxy_auth import identity_problems, proxy_identity
from clawgate.settings.problems import SettingsInvalid

GOOD = {"userHeader": " X-Forwarded-User"}
SECRET = "pw-Wm4yRb8TqLz6Hd"


def config(
    folder: Path,
    block: object = GOOD,
    proxies: object = ("10.0.0.1",),
    mode: str = "trusted-proxy",
    **auth: Any,
) -> ConfigFile:
    path = folder / "openclaw.json"
    path.touch(0o600)
    gateway = {"trustedProxies": proxies, "auth": {"mode": mode, "trustedProxy": block, **auth}}
    path.write_text(json.dumps({"gateway": gateway}))
    return read_config(path, {"HOME": str(folder)}, required=True)


def test_the_rule_is_that_of_the_block(tmp_path: Path) -> None:
    block = GOOD | {"requiredHeaders": ["X-JWT "], "allowUsers": ["nick"], "allowLoopback": True}
    expected = ProxyIdentity(
        user_header=b"x-forwarded-user",
        required_headers=(b"x-jwt",),
        users=frozenset({"nick"}),
        allow_loopback=True,
    )
    file = config(tmp_path, block)
    assert proxy_identity(file) == expected == gateway_settings(file, GatewayFlags()).identity
    assert gateway_settings(file, GatewayFlags()).tokens == {}
    assert not lacks_token(file, GatewayFlags()) and caller_secret(file, GatewayFlags()) is None


def test_in_another_mode_there_is_none(tmp_path: Path) -> None:
    file = config(tmp_path, mode="none")
    assert proxy_identity(file) is None and gateway_settings(file, GatewayFlags()).identity is None


def test_local_callers_may_have_a_password(tmp_path: Path) -> None:
    file = config(tmp_path, password=SECRET)
    assert gateway_settings(file, GatewayFlags()).tokens == {"password": SECRET}
    secret = caller_secret(file, GatewayFlags())
    assert secret is not None and secret.value == SECRET


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"block": {}}, "gateway.auth.trustedProxy.userHeader"),
        ({"block": {"userHeader": "  "}}, "gateway.auth.trustedProxy.userHeader"),
        ({"block": {"userHeader": "x user"}}, "gateway.auth.trustedProxy.userHeader"),
        ({"block": GOOD | {"requiredHeaders": ["x:y"]}}, "gateway.auth.trustedProxy.requiredHeaders"),
        ({"proxies": []}, "gateway.trustedProxies"),
        ({"proxies": ["127.0.0.1", "::1"]}, "gateway.auth.trustedProxy.allowLoopback"),
        ({"proxies": ["127.0.0.0/8"]}, "gateway.auth.trustedProxy.allowLoopback"),
        ({"token": SECRET}, "gateway.auth.token"),
    ],
)
def test_what_would_reject_every_request_is_a_problem(
    changes: dict[str, Any], path: str, tmp_path: Path
) -> None:
    file = config(tmp_path, **changes)
    with pytest.raises(SettingsInvalid) as caught:
        gateway_settings(file, GatewayFlags())
    (problem,) = caught.value.problems
    assert str(problem).startswith(path) and problem.fix and SECRET not in str(problem)
    assert (proxy_identity(file) is None) == bool(list(identity_problems(file)))
