"""Each option of both roles has one declaration and bounds that are kept, and shows no secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.relay import RelaySettings, flag_of
from clawgate.settings.roles.server import ServerSettings
from tests.settings.canary import BRIDGE, CANARY, KEY, SERVER, TOKEN
from tests.settings.roles.role_settings import OTHER, problems

BOTH: list[tuple[type[RelaySettings], dict[str, str]]] = [(BridgeSettings, BRIDGE), (ServerSettings, SERVER)]
both = pytest.mark.parametrize(("model", "base"), BOTH, ids=["bridge", "server"])


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
    assert problems(ServerSettings, SERVER | {"models": value}) == [("models", "Value error, lists no name")]


@pytest.mark.parametrize("name", ["caFile", "clientCertificate"])
@pytest.mark.parametrize(
    ("settings", "given", "url"), [(BridgeSettings, BRIDGE, "remoteUrl"), (ServerSettings, SERVER, "baseUrl")]
)
def test_certificates_and_no_tls_is_a_mistake(
    settings: Any, given: dict[str, Any], url: str, name: str
) -> None:
    """Whoever names one takes the way to be encrypted."""
    (problem,) = problems(settings, given | {url: "http://proxy.example", name: "f.pem"})
    assert f"{name} is set, but the upstream's URL begins with http://" in problem[1]
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


def test_the_secrets_are_all_the_secrets() -> None:
    """What they name is what the log blots out, so no field may be forgotten."""
    proxy = f"http://u:{OTHER}@p:1"
    bridge = BridgeSettings.model_validate(BRIDGE | {"bridgeToken": OTHER, "upstreamProxy": proxy})
    assert sorted(bridge.secrets()) == sorted([TOKEN, OTHER, proxy, f"u:{OTHER}", OTHER])
    server = ServerSettings.model_validate(SERVER | {"proxyTokens": {"a": OTHER}})
    assert sorted(server.secrets()) == sorted([KEY, TOKEN, OTHER])


def test_a_key_needs_its_certificate() -> None:
    assert "without clientCertificate" in problems(BridgeSettings, BRIDGE | {"clientKey": "f"})[0][1]
    with_tls = BRIDGE | {"remoteUrl": "https://proxy.example"}
    BridgeSettings.model_validate(with_tls | {"clientKey": "k", "clientCertificate": "c"})


def test_a_flag_has_the_name_of_its_field() -> None:
    assert flag_of("remote_url") == "--remote-url" and flag_of("bridge_port") == "--port"
