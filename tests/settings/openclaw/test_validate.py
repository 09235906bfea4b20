"""What cannot work is found, each time with the key path; what can is let through."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.validate import problems
from clawgate.settings.schema.openclaw import OpenClawConfig

OWL = ("models", "providers", "owl")


def judged(document: dict[str, Any], unset: tuple[KeyPath, ...] = ()) -> dict[str, str]:
    config = OpenClawConfig.model_validate(document)
    return {format_key_path(one.path): one.text for one in problems(config, unset)}


def provider(unset: tuple[KeyPath, ...] = (), **values: Any) -> dict[str, str]:
    return {
        path.removeprefix("models.providers.owl."): message
        for path, message in judged({"models": {"providers": {"owl": values}}}, unset).items()
    }


def agents(
    model: object = None, models: object = None, providers: object = None, **more: object
) -> dict[str, str]:
    defaults = {"model": {} if model is None else model, "models": models or {}}
    return judged({"agents": {"defaults": defaults, **more}, "models": {"providers": providers or {}}})


GOOD: list[dict[str, Any]] = [
    {},
    {"headers": {"X-Title": "my app", "X-Mode": "test", "Authorization": "Basic dXNlcjpwYXNz"}},
    {"request": {"auth": {"mode": "header", "headerName": "X-Proxy-Token", "value": "k-51Jx-Qm8v"}}},
    {
        "request": {
            "auth": {"mode": "header", "headerName": "Authorization", "value": "Basic dXNl", "prefix": "x"}
        }
    },
    {"request": {"auth": {"mode": "provider-default"}}},
    {"models": [{"id": "a"}, {"id": "org/b:free"}, {"id": "A"}]},
]


@pytest.mark.parametrize("values", GOOD)
def test_what_can_work_is_let_through(values: dict[str, Any]) -> None:
    assert provider(**values) == {}


@pytest.mark.parametrize("prefix", [{"prefix": "Basic"}, {}])
def test_a_login_may_have_blanks_and_any_letter(prefix: dict[str, str]) -> None:
    """RFC 7617; it may come from a variable, as it is."""
    value = "us er:pa ss:wö rd€" if prefix else "Basic us er:pa ss:wö rd€"
    auth = {"mode": "header", "headerName": "Authorization", "value": value, **prefix}
    assert provider(request={"auth": auth}) == {}


@pytest.mark.parametrize("name", ["owl", "proxy-bridge", "a.b_c-1", "0x"])
def test_plain_ids_of_providers(name: str) -> None:
    assert judged({"models": {"providers": {name: {}}}}) == {}


@pytest.mark.parametrize("name", ["", "Owl", "a/b", "a b", "-a", "\u00fcber", "a\n", "."])
def test_odd_ids_of_providers(name: str) -> None:
    (message,) = judged({"models": {"providers": {name: {}}}}).values()
    assert "the id of the provider" in message


@pytest.mark.parametrize(
    ("values", "path", "says"),
    [
        ({"headers": {"X A": "v"}}, 'headers["X A"]', "character"),
        ({"headers": {"": "v"}}, 'headers[""]', "character"),
        ({"headers": {"X:": "v"}}, "headers.X:", "character"),
        ({"headers": {"X-A": "v", "x-a": "w"}}, "headers.x-a", "duplicate"),
        ({"headers": {"X-Api-Key": "changeme"}}, "headers.X-Api-Key", "an example"),
        ({"headers": {"Authorization": "Bearer your-token"}}, "headers.Authorization", "an example"),
        ({"request": {"headers": {"a\u00e9": "v"}}}, "request.headers.a\u00e9", "character"),
        ({"request": {"auth": {"mode": "header"}}}, "request.auth.value", "mode 'header' needs it"),
        (
            {"request": {"auth": {"mode": "header", "value": "k-51Jx"}}},
            "request.auth.headerName",
            "is missing",
        ),
        (
            {"request": {"auth": {"mode": "header", "headerName": "A", "value": "***x***"}}},
            "request.auth.value",
            "redaction placeholder",
        ),
        ({"request": {"auth": {"mode": "authorization-bearer"}}}, "request.auth.token", "is missing"),
        (
            {"request": {"auth": {"mode": "header", "headerName": "A B", "value": "k-51Jx"}}},
            "request.auth.headerName",
            "name",
        ),
        (
            {"request": {"auth": {"mode": "provider-default", "prefix": "a\n"}}},
            "request.auth.prefix",
            "header",
        ),
        ({"models": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}, "models[2].id", "the same as models[0]"),
        ({"models": [{"id": "a\u0000"}]}, "models[0].id", "printed"),
        ({"models": [{"id": " a"}]}, "models[0].id", "blank"),
        ({"models": [{"id": "a", "baseUrl": "http://u:p@h"}]}, "models[0].baseUrl", "password"),
        ({"models": [{"id": "a", "headers": {"a b": "c"}}]}, 'models[0].headers["a b"]', "character"),
    ],
)
def test_what_cannot_work_in_a_provider(values: dict[str, Any], path: str, says: str) -> None:
    found = provider(**values)
    assert says in found[path]


def test_what_waits_for_a_variable_is_not_missing() -> None:
    auth = {"mode": "header", "headerName": "X-A"}
    assert provider(unset=((*OWL, "request", "auth", "value"),), request={"auth": auth}) == {}


@pytest.mark.parametrize("value", ["${NONE}", "Bearer ${NONE}"])
def test_a_header_that_waits_for_a_variable_is_no_problem_of_the_file(value: str) -> None:
    headers = {"Authorization": value}
    servers = {"docs": {"url": "https://example.com", "headers": headers}}
    path = ("mcp", "servers", "docs", "headers", "Authorization")
    assert judged({"mcp": {"servers": servers}}, (path,)) == {}
    assert "name of a variable" in str(judged({"mcp": {"servers": servers}}))
    model = {"models": [{"id": "a", "headers": headers}]}
    assert provider(unset=((*OWL, "models", 0, "headers", "Authorization"),), **model) == {}


def test_a_key_in_a_header_is_not_shown() -> None:
    assert "canary" not in str(provider(headers={"X-Api-Key": "***canary"}).values())


MODELS = {"owl/a": {"alias": "fast"}, "owl/b": {}}


@pytest.mark.parametrize(
    "model", ["owl/a", "fast", "owl/x/y:free", {"primary": "fast", "fallbacks": ["a/b", "c/d/e"]}]
)
def test_models_that_are_named_in_full_or_by_an_alias(model: object) -> None:
    assert agents(model, MODELS) == {}
    assert agents(None, MODELS, entries={"main": {"model": model}}) == {}
    assert agents(None, MODELS, list=[{"id": "main", "model": model}]) == {}


@pytest.mark.parametrize(
    ("model", "path", "says"),
    [
        ("slow", "primary", "'slow' is neither"),
        ("", "primary", "neither"),
        ("/a", "primary", "neither"),
        ("owl/", "primary", "neither"),
        ("Fast", "primary", "neither"),
        ("owl/a\n", "primary", "neither"),
        (
            {"fallbacks": ["a/b", "gpt-4o"]},
            "fallbacks[1]",
            "'gpt-4o' is not provider/model; write it in full, as openai/gpt-4o",
        ),
        ({"fallbacks": ["fast"]}, "fallbacks[0]", "write it in full"),
        ({"fallbacks": ["sk-canary51JxQm8v51JxQm8v51JxQm8v"]}, "fallbacks[0]", "the entry is not"),
        ({"fallbacks": ["x" * 5000]}, "fallbacks[0]", "write it in full"),
    ],
)
def test_unreachable_models_are_reported(model: object, path: str, says: str) -> None:
    found = agents(model, MODELS, entries={"main": {"model": model}})
    for place in ("agents.defaults.model", "agents.entries.main.model"):
        assert says in found[f"{place}.{path}"]
        assert "canary" not in found[f"{place}.{path}"] and len(found[f"{place}.{path}"]) < 200


@pytest.mark.parametrize(
    ("more", "place", "says"),
    [
        ({"entries": {"Main": {}}}, "agents.entries.Main", "a character that is not allowed"),
        ({"entries": {"a:b": {}}}, "agents.entries.a:b", "a character that is not allowed"),
        ({"entries": {"x" * 65: {}}}, f"agents.entries.{'x' * 65}", "64 characters"),
        ({"list": [{"id": "a/b"}]}, "agents.list[0]", "a character that is not allowed"),
        ({"list": [{"id": "a"}, {"id": "A"}]}, "agents.list[1]", "is that of agents.list[0]"),
        ({"entries": {"a": {}}, "list": [{"id": "a"}]}, "agents.list[0]", "is that of agents.entries.a"),
        ({"entries": {"a": {"default": True}, "b": {"default": True}}}, "agents.entries.b.default",
         "agents.entries.a is the default already"),
    ],
)  # fmt: skip
def test_agents_have_ids_of_their_own_and_one_default(more: dict[str, Any], place: str, says: str) -> None:
    ((found, message),) = agents(**more).items()
    assert found == place and says in message


@pytest.mark.parametrize(
    "more", [{}, {"entries": {"ops": {"default": True}, "_x-1": {}}, "list": [{"id": "Old"}]}]
)
def test_agents_that_differ_are_no_problem(more: dict[str, Any]) -> None:
    assert agents(**more) == {}


def own_agents(own: object, **agents: Any) -> dict[str, str]:
    plugins = {"entries": {"clawgate": {"config": {"agents": own}}}}
    return judged({"agents": agents, "plugins": plugins})


def test_settings_of_an_agent_that_does_not_exist_are_reported() -> None:
    key = "plugins.entries.clawgate.config.agents"
    assert own_agents({"main": {}, "defaults": {}}) == {}
    assert own_agents({"ops": {}}, entries={"ops": {}}) == own_agents({"ops": {}}, list=[{"id": "OPS"}]) == {}
    assert own_agents({"opps": {}}, entries={"ops": {}}) == {
        f"{key}.opps": "there is no agent with this id; did you mean 'ops'?"
    }
    assert own_agents({"zzz": {}}, entries={"ops": {}, "b": {}}) == {
        f"{key}.zzz": "there is no agent with this id; use one of b, ops"
    }


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("fast", "fast", "that of 'owl/a'"),
        ("fast", "FAST", "that of 'owl/a'"),
        ("x", "owl", "id of a provider"),
        ("x", "Owl", "id of a provider"),
        ("x", "owl/fast", "slash"),
        ("x", "a\t", "blank"),
    ],
)
def test_ambiguous_aliases_are_reported(first: str, second: str, says: str) -> None:
    found = agents(None, {"owl/a": {"alias": first}, "owl/b": {"alias": second}}, {"owl": {}})
    assert says in found[format_key_path(("agents", "defaults", "models", "owl/b", "alias"))]
