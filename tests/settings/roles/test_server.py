"""The server has bounds for its numbers, and a token for each of its clients."""

from __future__ import annotations

import pytest

from clawgate.settings.roles.server import ServerSettings
from tests.settings.canary import CANARY, KEY, SERVER, TOKEN
from tests.settings.roles.role_settings import OTHER, check_safe_defaults, problems


def test_the_defaults_of_the_server_are_safe() -> None:
    """Loopback, no page, a limit on everything, tokens required, failures counted."""
    server = ServerSettings.model_validate(SERVER)
    check_safe_defaults(server)
    assert server.host == "127.0.0.1" and server.port == 8089
    assert server.metrics_port is None and server.trusted_proxy == ()
    assert (server.max_auth_failures, server.auth_failure_window, server.auth_lockout) == (10, 60, 300)
    assert server.base_url == "https://api.openai.com/v1" and server.workers == 1


NUMBERS: list[tuple[str, list[object], list[object]]] = [
    ("connectTimeout", [0.1, "5", 86_400], [0, -1, 86_401, "nan", "inf", float("nan"), "x", None]),
    ("firstByteTimeout", [1], [0, "-inf"]),
    ("idleTimeout", [1], [0, ""]),
    ("totalTimeout", [1], [0, 1e9]),
    ("drainTimeout", [1], [0]),
    ("maxUpstreamConnections", [1, "500", 65_535], [0, -1, 65_536, 1.5, "x"]),
    ("upstreamWaitTimeout", [0.5, 60], [0, -1, "nan"]),
    ("maxBodyMb", [0.5, 1024], [0, -1, 1025, "nan", "inf"]),
    ("port", [0, 1, 65_535, "8089"], [-1, 65_536, 1.5, "x", "80 90", "8_0_"]),
    ("workers", [1, 64], [0, 65, -1]),
    ("maxConcurrent", [1, None], [0, -1]),
    ("requestsPerMinute", [1, 100_000, None], [0, 100_001]),
    ("maxAuthFailures", [1], [0, -1]),
    ("authFailureWindow", [1], [0, -60]),
    ("authLockout", [1], [0, -60]),
    ("metricsPort", [0, 65_535, None], [-1, 65_536]),
]


@pytest.mark.parametrize(("key", "good", "bad"), NUMBERS, ids=[row[0] for row in NUMBERS])
def test_numbers_have_bounds(key: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        ServerSettings.model_validate(SERVER | {key: value})
    for value in bad:
        assert [path for path, _ in problems(ServerSettings, SERVER | {key: value})] == [key], value


@pytest.mark.parametrize("key", ["port", "workers", "maxConcurrent", "maxUpstreamConnections"])
def test_true_is_no_number(key: str) -> None:
    problems(ServerSettings, SERVER | {key: True})


def test_the_key_itself_is_no_token_to_hand_out() -> None:
    for tokens in ({"proxyToken": KEY}, {"proxyTokens": {"a": KEY}}):
        ((_, message),) = problems(ServerSettings, {"openaiApiKey": KEY} | tokens)
        assert "give the key to its clients" in message and KEY not in message


@pytest.mark.parametrize(
    "value",
    [
        f"{TOKEN}",
        f":{TOKEN}",
        f"a:{TOKEN},a:{OTHER}",
        f"a:{TOKEN},{OTHER}",
        "a",
        ",:",
        f"a:{TOKEN} b:{OTHER}",
    ],
)
def test_named_tokens_have_each_a_name(value: str) -> None:
    for _, message in problems(ServerSettings, SERVER | {"proxyTokens": value}):
        assert CANARY not in message


def test_named_tokens_from_text_and_from_an_object() -> None:
    for value in (f"a:{TOKEN}, b:{OTHER}", {"a": TOKEN, "b": OTHER}):
        found = ServerSettings.model_validate({"openaiApiKey": KEY, "proxyTokens": value}).proxy_tokens
        assert {name: token.get_secret_value() for name, token in found.items()} == {"a": TOKEN, "b": OTHER}


@pytest.mark.parametrize("proxies", ["localhost", "10.0.0.1,nonsense", "10.0.0.0/40"])
def test_a_trusted_proxy_that_would_never_be_met_is_refused(proxies: str) -> None:
    """Unnoticed, all its clients would be locked out as one."""
    ((_, message),) = problems(ServerSettings, SERVER | {"trustedProxy": proxies})
    assert "neither an address nor a network" in message
    ServerSettings.model_validate(SERVER | {"trustedProxy": "10.0.0.1, 172.16.0.0/12"})


def test_a_server_that_nobody_could_use_is_refused() -> None:
    ((_, message),) = problems(ServerSettings, {"openaiApiKey": KEY})
    assert "no token is set" in message and "OPENAI_PROXY_TOKEN" in message
    for tokens in ({"proxyToken": TOKEN}, {"proxyTokens": {"a": TOKEN}}, {"proxyTokensFile": "f"}):
        ServerSettings.model_validate({"openaiApiKey": KEY} | tokens)


def test_settings_that_need_each_other_are_set_together() -> None:
    taken = problems(ServerSettings, SERVER | {"proxyTokens": {"default": OTHER}})
    assert "the name 'default'" in taken[0][1]
    for half in ("tlsCertificate", "tlsKey"):
        assert "is missing; set both" in problems(ServerSettings, SERVER | {half: "f"})[0][1]
    ServerSettings.model_validate(SERVER | {"tlsCertificate": "c", "tlsKey": "k"})
