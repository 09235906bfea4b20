"""Built-in, configured and new providers: the questions of each, and the block that the answers make."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from clawgate.cli.auth.wizard.answers import AnswerSources, MissingAnswer, collect_answers
from clawgate.cli.auth.wizard.builtin_provider import BuiltinProvider
from clawgate.cli.auth.wizard.setup_context import Setup
from clawgate.plugins.api.provider import ProviderPlugin
from clawgate.plugins.api.questions import Answers
from tests.peers import faults
from tests.peers.upstream import FakeUpstream

KEY = "canary-own-key-0123"
OWL = {
    "baseUrl": "http://10.0.0.5:8000/v1",
    "api": "openai-completions",
    "timeoutSeconds": 60,
    "request": {
        "allowPrivateNetwork": True,
        "tls": {"ca": "/ca.pem"},
        "auth": {"mode": "header", "headerName": "X-Proxy-Token", "value": "${OWL_TOKEN}"},
    },
    "models": [{"id": "qwen", "name": "Qwen", "contextWindow": 131072}, {"id": "old", "name": "old"}],
}


def block_of(provider: ProviderPlugin, sources: AnswerSources) -> Any:
    questions = provider.questions(Answers(), sources.environment)
    return provider.config_change(collect_answers(questions, sources).written).provider


def missing_of(provider: ProviderPlugin, sources: AnswerSources) -> list[str]:
    with pytest.raises(MissingAnswer) as caught:
        block_of(provider, sources)
    return [question.name for question in caught.value.questions]


def test_a_built_in_needs_its_key_alone() -> None:
    openai = BuiltinProvider("openai", {})
    assert missing_of(openai, AnswerSources()) == ["key"]
    assert block_of(openai, AnswerSources(environment={"OPENAI_API_KEY": KEY})) == {
        "baseUrl": "https://api.openai.com/v1",
        "api": "openai-completions",
        "apiKey": "${OPENAI_API_KEY}",
        "models": [],
    }


def test_anthropic_speaks_its_own_dialect() -> None:
    found = block_of(
        BuiltinProvider("anthropic", {}), AnswerSources(flags={"key": KEY, "models": "claude-x"})
    )
    assert found == {
        "baseUrl": "https://api.anthropic.com",
        "api": "anthropic-messages",
        "apiKey": KEY,
        "models": [{"id": "claude-x", "name": "claude-x"}],
    }


def test_the_variable_of_a_built_in_is_not_taken_for_another_place() -> None:
    """The key that OpenAI gave would go to whoever is there."""
    sources = AnswerSources(
        flags={"base_url": "https://elsewhere.test/v1"}, environment={"OPENAI_API_KEY": KEY}
    )
    assert missing_of(BuiltinProvider("openai", {}), sources) == ["key"]


def test_a_new_one_needs_a_name_a_place_and_a_secret() -> None:
    assert missing_of(BuiltinProvider("", {}), AnswerSources()) == ["id", "base_url", "key"]
    flags = {"id": "hut", "base_url": "http://127.0.0.1:8000/v1", "key": KEY}
    assert missing_of(BuiltinProvider("", {}), AnswerSources(flags=flags)) == ["private_network"]
    found = block_of(BuiltinProvider("", {}), AnswerSources(flags=flags | {"private_network": "yes"}))
    assert found["request"] == {"allowPrivateNetwork": True} and found["apiKey"] == KEY


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://localhost:1/v1", True),
        ("http://192.168.1.2/v1", True),
        ("https://8.8.8.8/v1", False),
        ("https://owl.test/v1", False),
    ],
)
def test_a_private_address_has_to_be_allowed_in_so_many_words(url: str, asked: bool) -> None:
    """A name is taken for a public one: nothing is allowed without being said."""
    sources = AnswerSources(flags={"id": "hut", "base_url": url, "auth": "none"})
    if asked:
        assert missing_of(BuiltinProvider("", {}), sources) == ["private_network"]
    else:
        assert "request" not in block_of(BuiltinProvider("", {}), sources)


def test_an_edit_without_a_change_changes_nothing() -> None:
    owl = BuiltinProvider("owl", OWL)
    earlier = owl.previous_answers({})
    assert earlier["models"] == "qwen, old" and earlier["key"] == "${OWL_TOKEN}"
    sources = AnswerSources(earlier=earlier, earlier_first=True, environment={"OWL_TOKEN": KEY})
    assert block_of(owl, sources) == OWL


def test_an_edit_keeps_keys_without_a_question() -> None:
    owl = BuiltinProvider("owl", OWL)
    sources = AnswerSources(
        flags={"models": "new,qwen", "auth": "bearer", "key": KEY},
        earlier=owl.previous_answers({}),
        earlier_first=True,
    )
    found = block_of(owl, sources)
    assert found["models"] == [{"id": "new", "name": "new"}, OWL["models"][0]]  # type: ignore[index]  # a list
    assert found["timeoutSeconds"] == 60 and found["apiKey"] == KEY
    assert found["request"] == {"allowPrivateNetwork": True, "tls": {"ca": "/ca.pem"}}


def test_what_was_allowed_for_a_private_address_ends_with_it() -> None:
    owl = BuiltinProvider("owl", OWL)
    sources = AnswerSources(
        flags={"base_url": "https://8.8.8.8/v1"},
        earlier=owl.previous_answers({}),
        earlier_first=True,
        environment={"OWL_TOKEN": KEY},
    )
    assert "allowPrivateNetwork" not in block_of(owl, sources)["request"]


def test_basic_auth_asks_for_user_and_password() -> None:
    provider = BuiltinProvider("", {})
    flags = {"id": "hut", "base_url": "https://hut.test/v1", "auth": "basic"}
    assert missing_of(provider, AnswerSources(flags=flags)) == ["login"]
    found = block_of(provider, AnswerSources(flags=flags | {"login": "user:pass"}))
    assert found["request"]["auth"]["value"] == "Basic dXNlcjpwYXNz"
    earlier = BuiltinProvider("hut", found).previous_answers({})
    assert (earlier["username"], earlier["password"], earlier["auth"]) == ("user", "pass", "basic")
    again = flags | {"username": "user", "password": "pass"}
    assert block_of(provider, AnswerSources(flags=again)) == found


def test_a_reference_to_user_and_password_stays_one() -> None:
    flags = {"id": "hut", "base_url": "https://hut.test/v1", "auth": "basic", "login": "${HUT}"}
    found = block_of(BuiltinProvider("", {}), AnswerSources(flags=flags, environment={"HUT": "dXNlcjpwYXNz"}))
    assert found["request"]["auth"]["value"] == "Basic ${HUT}"
    change = BuiltinProvider("hut", {}).config_change(Answers(flags))
    assert any("${HUT}" in note and "in base64" in note for note in change.notes)
    assert BuiltinProvider("hut", found).previous_answers({})["login"] == "${HUT}"


@pytest.mark.parametrize("editing", [False, True])
@pytest.mark.parametrize(
    ("variables", "value"),
    [
        ({"HUT_API_KEY": "dXNlcjpuZXc="}, "Basic ${HUT_API_KEY}"),
        ({"HUT_API_KEY": "user:new"}, "Basic ${HUT_API_KEY}"),
        ({"HUT_USERNAME": "user", "HUT_PASSWORD": "new"}, "Basic dXNlcjpuZXc="),
        ({"HUT_PASSWORD": "new"}, "Basic dXNlcjpuZXc="),
        ({}, "Basic dXNlcjpvbGQ="),
    ],
)
def test_a_login_of_a_variable_takes_the_place_of_the_one_in_the_file_but_in_an_edit(
    variables: dict[str, str], value: str, editing: bool
) -> None:
    flags = {"base_url": "https://hut.test/v1", "auth": "basic"}
    old = block_of(BuiltinProvider("hut", {}), AnswerSources(flags=flags | {"login": "user:old"}))
    hut = BuiltinProvider("hut", old)
    earlier = hut.previous_answers({})
    found = block_of(hut, AnswerSources(earlier=earlier, environment=variables, earlier_first=editing))
    assert found["request"]["auth"]["value"] == ("Basic dXNlcjpvbGQ=" if editing else value)


def test_a_user_of_a_variable_takes_the_place_of_another_kind_of_credential() -> None:
    flags = {"base_url": "https://hut.test/v1", "auth": "bearer", "key": KEY}
    hut = BuiltinProvider("hut", block_of(BuiltinProvider("hut", {}), AnswerSources(flags=flags)))
    variables = {"HUT_USERNAME": "user", "HUT_PASSWORD": "new"}
    found = block_of(hut, AnswerSources(earlier=hut.previous_answers({}), environment=variables))
    assert found["request"]["auth"]["value"] == "Basic dXNlcjpuZXc="


def test_a_password_of_a_variable_is_written_since_no_reference_fits() -> None:
    """Two references cannot make one base64 text; OpenClaw sends the value as it is."""
    sources = AnswerSources(
        flags={"base_url": "https://hut.test/v1"},
        environment={"HUT_USERNAME": "user", "HUT_PASSWORD": " pa:ss "},
    )
    found = block_of(BuiltinProvider("hut", {}), sources)
    scheme, _, encoded = found["request"]["auth"]["value"].partition(" ")
    assert (scheme, base64.b64decode(encoded)) == ("Basic", b"user: pa:ss ")


def test_an_authority_is_written_as_text_beside_what_was_there(tmp_path: Path) -> None:
    """OpenClaw takes no file here."""
    pem = "-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"
    (tmp_path / "ca.pem").write_text(pem)
    block = {"request": {"tls": {"serverName": "hut"}, "headers": {"X-Team": "a"}}}
    flags = {"base_url": "https://hut.test/v1", "auth": "none", "ca_file": str(tmp_path / "ca.pem")}
    found = block_of(BuiltinProvider("hut", block), AnswerSources(flags=flags))
    assert found["request"] == {"tls": {"serverName": "hut", "ca": pem}, "headers": {"X-Team": "a"}}


def test_a_password_may_have_blanks_colons_and_any_letter() -> None:
    """RFC 7617: it is base64 of UTF-8 in the header."""
    flags = {"id": "hut", "base_url": "https://hut.test/v1", "auth": "basic", "login": "us er:pa ss:wö rd€"}
    found = block_of(BuiltinProvider("", {}), AnswerSources(flags=flags))
    scheme, _, encoded = found["request"]["auth"]["value"].partition(" ")
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", flags["login"])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("id", "My Owl", "must consist of a-z"),
        ("id", "owl", "auth edit --provider owl"),
        ("base_url", "http://169.254.169.254/v1", "never dialled"),
        ("base_url", "http://169.254.1.1/v1", "never dialled"),
        ("header", "X Token", "valid header name"),
        ("header", "Cookie", "not a header for a credential"),
        ("login", "username", "user:password"),
        ("login", "user:pa\nss", "control character"),
        ("models", "two words", "not a model id"),
        ("models", "/x", "not a model id"),
    ],
)
def test_what_is_refused(name: str, text: str, says: str) -> None:
    questions = BuiltinProvider("", {}, {"owl"}).questions(Answers(), {})
    question = next(one for one in questions if one.name == name)
    assert says in (question.problem(text) or "")


def test_a_refused_address_is_named_without_a_key_path() -> None:
    questions = BuiltinProvider("", {}).questions(Answers(), {})
    question = next(one for one in questions if one.name == "base_url")
    problem = question.problem("http://0.0.0.0:8000") or ""
    assert "use 127.0.0.1" in problem and "config set" not in problem


def test_its_models_are_offered_and_the_connection_is_tried_once() -> None:
    """What was offered a moment ago is not asked for again. The second request is that of the same test."""

    async def work() -> tuple[list[str], bool, int]:
        async with FakeUpstream(faults.json_response({"data": [{"id": "qwen"}]})) as upstream:
            provider, context = BuiltinProvider("owl", {}), Setup({}, {})
            answers = Answers(
                {"base_url": f"{upstream.url}/v1", "auth": "bearer", "key": KEY, "private_network": "yes"}
            )
            models = next(one for one in provider.questions(Answers(), {}) if one.name == "models")
            assert models.choices is not None
            offered = [choice.value for choice in await models.choices(answers, context)]
            found = await provider.check_connection(answers.merged({"models": "qwen"}), context)
            return offered, found.ok, len(upstream.requests)

    assert asyncio.run(work()) == (["qwen"], True, 2)


@pytest.mark.parametrize("name", ["openai", "anthropic", "owl", ""])
def test_it_has_the_shape_of_a_plugins_provider(name: str) -> None:
    provider = BuiltinProvider(name, {})
    assert isinstance(provider, ProviderPlugin)
    assert provider.label
    assert provider.dialect == ("anthropic-messages" if name == "anthropic" else "openai-completions")
    own = ("plugins", "entries", "clawgate", "config", "providers", name)
    assert list(provider.owned_paths({})) == [("models", "providers", name), own]


@pytest.mark.parametrize(
    ("url", "dialect", "written"),
    [
        ("http://8.8.8.8:8000", "openai-completions", "http://8.8.8.8:8000/v1"),
        ("http://8.8.8.8:8000/", "openai-responses", "http://8.8.8.8:8000/v1"),
        ("http://8.8.8.8:8000/llm", "openai-completions", "http://8.8.8.8:8000/llm"),
        ("https://claude.test", "anthropic-messages", "https://claude.test"),
    ],
)
def test_the_path_that_is_meant_is_written_since_openclaw_adds_none(
    url: str, dialect: str, written: str
) -> None:
    flags = {"base_url": url, "dialect": dialect, "auth": "none"}
    assert block_of(BuiltinProvider("hut", {}), AnswerSources(flags=flags))["baseUrl"] == written
