"""Each option has one declaration, a default that is safe, and bounds that are kept."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from clawgate.settings.roles import bridge as module
from clawgate.settings.roles.bridge import BridgeSettings, RelaySettings, ServerSettings
from tests.settings.canary import BRIDGE, CANARY, KEY, SERVER, TOKEN

OTHER = "Vx4-other-8Rt2_mN6q"
BOTH: list[tuple[type[RelaySettings], dict[str, str]]] = [(BridgeSettings, BRIDGE), (ServerSettings, SERVER)]
both = pytest.mark.parametrize(("model", "base"), BOTH, ids=["bridge", "server"])


def problems(model: type[BaseModel], values: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return [(".".join(map(str, d["loc"])), d["msg"]) for d in caught.value.errors(include_url=False)]


def test_the_defaults_are_safe() -> None:
    """Loopback, no page, a limit on everything, tokens required, failures counted."""
    bridge, server = BridgeSettings.model_validate(BRIDGE), ServerSettings.model_validate(SERVER)
    for one in (bridge, server):
        assert one.host == "127.0.0.1" and one.allow_origin == () and one.allow_host == ()
        assert one.upstream_proxy is None and one.exit_on_stdin_eof is False
        assert (one.connect_timeout, one.first_byte_timeout, one.idle_timeout, one.total_timeout) == (
            10,
            600,
            300,
            3600,
        )
        assert one.max_body_mb == 20 and one.drain_timeout == 30
    assert bridge.bridge_port == 18800 and bridge.bridge_token is None
    assert server.port == 8089 and server.metrics_port is None and server.trusted_proxy == ()
    assert (server.max_auth_failures, server.auth_failure_window, server.auth_lockout) == (10, 60, 300)
    assert server.base_url == "https://api.openai.com/v1" and server.workers == 1


NUMBERS: list[tuple[str, list[object], list[object]]] = [
    ("connectTimeout", [0.1, "5", 86_400], [0, -1, 86_401, "nan", "inf", float("nan"), "x", None]),
    ("firstByteTimeout", [1], [0, "-inf"]),
    ("idleTimeout", [1], [0, ""]),
    ("totalTimeout", [1], [0, 1e9]),
    ("drainTimeout", [1], [0]),
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


@pytest.mark.parametrize("key", ["port", "workers", "maxConcurrent"])
def test_true_is_no_number(key: str) -> None:
    problems(ServerSettings, SERVER | {key: True})


@pytest.mark.parametrize(
    "url", ["", "a", "ftp://a", "http://u:p@a", "http://a?b", "http://a:0", "http://a/../b"]
)
def test_urls_are_parsed_where_they_are_set(url: str) -> None:
    assert [path for path, _ in problems(BridgeSettings, BRIDGE | {"remoteUrl": url})] == ["remoteUrl"]
    assert [path for path, _ in problems(ServerSettings, SERVER | {"baseUrl": url})] == ["baseUrl"]


@pytest.mark.parametrize("value", ["", "changeme", "abc def", "[REDACTED]", 5, None, {}, ["a"]])
def test_a_secret_that_is_none_is_refused(value: object) -> None:
    """In every place, also a number or an object, which a config file may hold."""
    assert [path for path, _ in problems(BridgeSettings, BRIDGE | {"proxyToken": value})] == ["proxyToken"]
    assert [path for path, _ in problems(ServerSettings, SERVER | {"openaiApiKey": value})] == [
        "openaiApiKey"
    ]


def test_a_token_that_lets_people_in_must_be_strong() -> None:
    for values in (SERVER | {"proxyToken": "short"}, SERVER | {"proxyTokens": {"a": "short"}}):
        ((_, message),) = problems(ServerSettings, values)
        assert "shorter than 16" in message and "clawgate server new-token" in message
    problems(BridgeSettings, BRIDGE | {"bridgeToken": "short"})
    BridgeSettings.model_validate(BRIDGE | {"proxyToken": "short"})  # the remote's choice, not ours


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a,b", ("a", "b")),
        (" a , ,b, ", ("a", "b")),
        ([], ()),
        (["a", "b c"], ("a", "b c")),
        (("x,y", "z"), ("x", "y", "z")),
    ],
)
def test_a_comma_list_is_a_list(value: object, words: tuple[str, ...]) -> None:
    assert ServerSettings.model_validate(SERVER | {"models": value}).models == words


@pytest.mark.parametrize("value", ["", " ", ",", [""], [",", " "]])
def test_a_list_that_names_nothing_is_a_mistake(value: object) -> None:
    """Above all for the allowed models, where an empty list would allow all."""
    assert problems(ServerSettings, SERVER | {"models": value}) == [("models", "Value error, names nothing")]


def test_the_key_itself_is_no_token_to_hand_out() -> None:
    for tokens in ({"proxyToken": KEY}, {"proxyTokens": {"a": KEY}}):
        ((_, message),) = problems(ServerSettings, {"openaiApiKey": KEY} | tokens)
        assert "hand the key out" in message and KEY not in message


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


def test_what_belongs_together_is_set_together() -> None:
    assert (
        "'default' is taken" in problems(ServerSettings, SERVER | {"proxyTokens": {"default": OTHER}})[0][1]
    )
    for half in ("tlsCertificate", "tlsKey"):
        assert "belong together" in problems(ServerSettings, SERVER | {half: "f"})[0][1]
    assert "without clientCertificate" in problems(BridgeSettings, BRIDGE | {"clientKey": "f"})[0][1]
    ServerSettings.model_validate(SERVER | {"tlsCertificate": "c", "tlsKey": "k"})
    with_tls = BRIDGE | {"remoteUrl": "https://proxy.example"}
    BridgeSettings.model_validate(with_tls | {"clientKey": "k", "clientCertificate": "c"})


@pytest.mark.parametrize("name", ["caFile", "clientCertificate"])
@pytest.mark.parametrize(
    ("settings", "given", "url"), [(BridgeSettings, BRIDGE, "remoteUrl"), (ServerSettings, SERVER, "baseUrl")]
)
def test_certificates_and_no_tls_is_a_mistake(
    settings: Any, given: dict[str, Any], url: str, name: str
) -> None:
    """Whoever names one takes the way to be encrypted."""
    (problem,) = problems(settings, given | {url: "http://proxy.example", name: "f.pem"})
    assert f"{name} is set, and the upstream's URL begins with http://" in problem[1]
    settings.model_validate(given | {url: "https://proxy.example", name: "f.pem"})


@both
def test_an_unknown_key_is_refused(model: type[RelaySettings], base: dict[str, str]) -> None:
    assert [path for path, _ in problems(model, base | {"nonsense": 1})] == ["nonsense"]


@both
def test_settings_do_not_change(model: type[RelaySettings], base: dict[str, str]) -> None:
    one = model.model_validate(base)
    with pytest.raises(ValidationError):
        one.idle_timeout = 1


@both
def test_no_secret_is_shown_by_the_settings(model: type[RelaySettings], base: dict[str, str]) -> None:
    one = model.model_validate(base)
    for text in (repr(one), str(one), f"{one}", one.model_dump_json(), str(one.model_dump())):
        assert CANARY not in text


@pytest.mark.parametrize(
    "proxy",
    [
        "",
        "p:1",
        "https://p:1",
        f"http://u:{TOKEN}@",
        f"http://u:{TOKEN}@p/x",
        f"http://u:{TOKEN}@p:0",
        "http://p?x",
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_problem_without_its_password(proxy: str) -> None:
    ((path, message),) = problems(BridgeSettings, BRIDGE | {"upstreamProxy": proxy})
    assert path == "upstreamProxy" and CANARY not in message


@both
def test_the_proxys_password_is_a_secret_too(model: type[RelaySettings], base: dict[str, str]) -> None:
    assert CANARY not in repr(
        model.model_validate(base | {"upstreamProxy": f"http://user:{TOKEN}@proxy:3128"})
    )


@both
def test_every_option_says_what_it_is_and_has_a_name_of_its_own(
    model: type[RelaySettings], base: dict[str, str]
) -> None:
    variables: list[str] = []
    for name, field in model.model_fields.items():
        assert field.description and field.description[0].isupper() and field.description.endswith("."), name
        assert to_camel(name) == field.alias
        if isinstance(field.json_schema_extra, dict):
            variables += [str(variable) for variable in field.json_schema_extra["env"]]  # type: ignore[union-attr]
    assert len(variables) == len(set(variables))


def test_the_model_reaches_nothing() -> None:
    """No file, environment, socket, clock or randomness is imported by it or by what it imports of ours."""
    forbidden = {"os", "pathlib", "socket", "secrets", "random", "time", "asyncio", "logging", "subprocess"}
    folder = Path(module.__file__).parent
    for path in (folder / "bridge.py", folder.parent / "secrets.py", folder.parents[1] / "wire/http/url.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & forbidden, path.name


def test_the_secrets_are_all_the_secrets() -> None:
    """What they name is what the log blots out, so no field may be forgotten."""
    proxy = f"http://u:{OTHER}@p:1"
    bridge = BridgeSettings.model_validate(BRIDGE | {"bridgeToken": OTHER, "upstreamProxy": proxy})
    assert sorted(bridge.secrets()) == sorted([TOKEN, OTHER, proxy, f"u:{OTHER}", OTHER])
    server = ServerSettings.model_validate(SERVER | {"proxyTokens": {"a": OTHER}})
    assert sorted(server.secrets()) == sorted([KEY, TOKEN, OTHER])
