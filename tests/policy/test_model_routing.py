"""A model that is named is asked for there or nowhere; only the default has a chain."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgate.errors import ModelNotFound
from clawgate.policy.model_routing import ModelRef, ResolvedModel, resolve

PROVIDERS = ("openai", "owl", "openrouter")
OWL, GPT = ModelRef("owl", "qwen"), ModelRef("openai", "gpt-x")
ALIASES = {"Fast": OWL, "smart": GPT, "lost": ModelRef("gone", "m"), "Twin": OWL, "twin": GPT}


def route(
    asked: str, *, primary: ModelRef | None = OWL, fallbacks: tuple[ModelRef, ...] = (GPT,)
) -> ResolvedModel:
    return resolve(
        asked,
        providers=PROVIDERS,
        aliases=ALIASES,
        primary=primary,
        fallbacks=fallbacks,
        listed={"openai": ("gpt-x",), "owl": ("qwen", "gpt-x")},
    )


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "default",
        "Default",
        "DEFAULT",
    ],
)
def test_the_default_has_the_operators_chain(asked: str) -> None:
    choice = route(asked)
    assert choice.ref == OWL and choice.chain == (OWL, GPT)
    assert "agents.defaults.model.primary" in choice.reason


@pytest.mark.parametrize(
    ("asked", "ref"),
    [
        ("openai/gpt-x", GPT),
        ("openai/no-such-model", ModelRef("openai", "no-such-model")),
        ("openrouter/meta/llama-3", ModelRef("openrouter", "meta/llama-3")),
        ("openrouter/openai/gpt-x", ModelRef("openrouter", "openai/gpt-x")),
        ("openrouter//x", ModelRef("openrouter", "/x")),
        ("smart", GPT),
        ("SMART", GPT),
    ],
)
def test_a_named_model_stands_alone(asked: str, ref: ModelRef) -> None:
    """In full or by alias, listed or not, with slashes or without: one try, at the provider that was named."""
    choice = route(asked)
    assert choice.ref == ref and choice.chain == (ref,)


@pytest.mark.parametrize("alias", ["Fast", "fast"])
def test_an_alias_of_the_default_has_its_fallbacks(alias: str) -> None:
    """It names no provider: the operator decides where it goes."""
    assert route(alias).chain == (OWL, GPT)


def test_the_default_named_in_full_has_no_fallback() -> None:
    """Who names a provider gets this provider or an error, whatever is configured behind the default."""
    named = route("owl/qwen")
    assert named.ref == OWL and named.chain == (OWL,)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("gpt-x", "write openai/gpt-x or owl/gpt-x"),
        ("qwen", "write owl/qwen"),
        ("smrt", "did you mean the alias 'smart'?"),
        ("something-else", "as provider/model; known providers: openai, openrouter, owl"),
        ("opnai/gpt-x", "there is no provider 'opnai'; did you mean 'openai/gpt-x'?"),
        ("OpenAI/gpt-x", "did you mean 'openai/gpt-x'?"),
        ("openai-eu/x", "there is no provider 'openai-eu'; known providers: openai, openrouter, owl"),
        ("openai2/x", "there is no provider 'openai2'; known providers: openai, openrouter, owl"),
        ("nowhere/x", "there is no provider 'nowhere'; known providers: openai, openrouter, owl"),
        ("nope/x", "there is no provider 'nope'; known providers"),
        ("openclaw/main", "names an agent, not a model"),
        ("openclaw:helper", "names an agent, not a model"),
        ("agent:main", "names an agent, not a model"),
        ("openai/", "provider/model"),
        ("/gpt-x", "provider/model"),
        ("lost", "alias 'lost' is 'gone/m', and there is no provider 'gone'"),
        ("TWIN", "provider/model"),
        (" owl/qwen", "there is no provider ' owl'; did you mean 'owl/qwen'?"),
    ],
)
def test_anything_else_is_not_found_and_says_what_to_do(asked: str, says: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        route(asked)
    assert says in caught.value.message and caught.value.param == "model"


def test_an_alias_in_its_own_spelling_leaves_no_doubt() -> None:
    assert route("Twin").ref == OWL and route("twin").ref == GPT


def test_a_full_name_cannot_be_redirected_by_an_alias() -> None:
    choice = resolve(
        "openai/gpt-x", providers=PROVIDERS, aliases={"openai/gpt-x": OWL}, primary=None, fallbacks=()
    )
    assert choice.ref == GPT


def test_without_a_default_there_is_a_next_step() -> None:
    with pytest.raises(ModelNotFound, match="clawgate models set"):
        route("", primary=None)


def test_a_default_of_an_unknown_provider_is_not_replaced_by_its_fallback() -> None:
    with pytest.raises(ModelNotFound, match="there is no provider 'gone'"):
        route("", primary=ModelRef("gone", "m"))


@pytest.mark.parametrize(
    ("fallbacks", "chain"),
    [
        ((), (OWL,)),
        ((OWL, OWL), (OWL,)),
        ((GPT, OWL, GPT), (OWL, GPT)),
        ((ModelRef("gone", "m"), GPT), (OWL, GPT)),
    ],
    ids=["none", "itself", "twice", "unknown provider"],
)
def test_each_link_of_the_chain_is_tried_once(
    fallbacks: tuple[ModelRef, ...], chain: tuple[ModelRef, ...]
) -> None:
    assert route("", fallbacks=fallbacks).chain == chain


def test_a_hostile_name_is_cut_and_made_harmless() -> None:
    with pytest.raises(ModelNotFound) as caught:
        route("\x1b[2J\r\n" + "x" * 100_000)
    assert caught.value.message.isprintable() and len(caught.value.message) < 300


NAMES = st.sampled_from(["a", "b", "c", "a/b", "default", "openclaw", "x"])
REFS = st.builds(ModelRef, NAMES, NAMES)


@settings(max_examples=500, deadline=None)
@given(
    asked=st.one_of(st.text(max_size=8), NAMES, REFS.map(str)),
    providers=st.sets(NAMES),
    aliases=st.dictionaries(NAMES, REFS),
    primary=st.none() | REFS,
    fallbacks=st.lists(REFS, max_size=4),
)
def test_another_provider_answers_only_for_the_default(
    asked: str,
    providers: set[str],
    aliases: dict[str, ModelRef],
    primary: ModelRef | None,
    fallbacks: list[ModelRef],
) -> None:
    """For any config: more than one link means the default; every link is known and the operator's own."""
    try:
        choice = resolve(asked, providers=providers, aliases=aliases, primary=primary, fallbacks=fallbacks)
    except ModelNotFound:
        return
    assert choice.chain[0] == choice.ref
    assert all(ref.provider in providers for ref in choice.chain)
    if len(choice.chain) > 1:
        assert choice.ref == primary and set(choice.chain[1:]) <= set(fallbacks)
    if choice.ref != primary:
        assert str(choice.ref) == asked or choice.ref in aliases.values()


@pytest.mark.parametrize("text", ["", "a", "/", "a/", "/b"])
def test_half_a_name_is_no_reference(text: str) -> None:
    assert ModelRef.parse(text) is None


@given(REFS.filter(lambda ref: "/" not in ref.provider))
def test_a_reference_reads_back(ref: ModelRef) -> None:
    assert ModelRef.parse(str(ref)) == ref
