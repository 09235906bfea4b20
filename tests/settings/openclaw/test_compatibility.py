"""What OpenClaw would refuse is told with its place and a way out, and never with a value."""

from __future__ import annotations

import pytest

from clawgate.settings.diagnostic import Severity
from clawgate.settings.openclaw.compatibility import incompatibilities, unknown_key
from clawgate.settings.openclaw.unknown_keys import UnknownKey

PATH = ("gateway", "prot")


@pytest.mark.parametrize(
    ("tls", "warned"), [({"enabled": True}, True), ({"enabled": False}, False), (5, False)]
)
def test_tls_that_is_not_served_is_reported(tls: object, warned: bool) -> None:
    """The token would cross the network in the clear, without a word."""
    found = [str(one) for one in incompatibilities({"gateway": {"tls": tls}}) if "plain HTTP" in str(one)]
    assert bool(found) is warned and all(one.startswith("gateway.tls: ") for one in found)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (UnknownKey(PATH), "is not a key"),
        (UnknownKey(PATH, "port", is_beside=True, is_read=True), "'port' beside it is"),
        (UnknownKey(PATH, "portals"), "did you mean 'portals'?"),
    ],
)
def test_an_unknown_key_is_reported_with_its_place(key: UnknownKey, says: str) -> None:
    warning = unknown_key(key)
    assert warning.key == "gateway.prot" and warning.severity is Severity.WARNING
    assert says in warning.text and "rejects its whole config" in warning.text


def test_a_key_that_may_be_a_secret_is_not_shown() -> None:
    warning = unknown_key(UnknownKey(("gateway", "auth", "hunter2"), may_be_secret=True))
    assert warning.key == "gateway.auth" and "hunter2" not in str(warning)


@pytest.mark.parametrize(
    ("document", "key", "instead"),
    [
        ({"gateway": {"allowPrivateNetwork": True}}, "gateway.allowPrivateNetwork", "config.network.allow"),
        (
            {"tools": {"web": {"fetch": {"allowPrivateNetwork": False}}}},
            "tools.web.fetch.allowPrivateNetwork",
            "ssrfPolicy.dangerouslyAllowPrivateNetwork",
        ),
        (
            {"tools": {"web": {"fetch": {"maxBytes": 5}}}},
            "tools.web.fetch.maxBytes",
            "tools.web.fetch.maxResponseBytes",
        ),
    ],
)
def test_a_key_of_clawgate_alone_is_reported_with_the_one_for_both(
    document: object, key: str, instead: str
) -> None:
    (warning,) = incompatibilities(document)
    assert warning.key == key and "rejects its whole config" in warning.text and instead in str(warning)


def test_a_model_without_a_name_is_told_with_the_command_that_names_it() -> None:
    models = [{"id": "a", "name": "A"}, {"id": "b"}]
    (warning,) = incompatibilities({"models": {"providers": {"owl": {"models": models}}}})
    assert str(warning).startswith("models.providers.owl.models[1].name: is missing")
    assert "clawgate config set 'models.providers.owl.models[1].name' " in warning.fix


@pytest.mark.parametrize(
    ("api", "says"),
    [
        ("openai-chat", "did you mean 'openai-completions'?"),
        ("olama", "did you mean 'ollama'?"),
        ("xyz", "use one of openai-completions, "),
    ],
)
def test_a_dialect_that_openclaw_does_not_have_is_told_with_those_that_it_has(api: str, says: str) -> None:
    """A provider's and a model's; one that only clawgate does not speak is no matter of OpenClaw's."""
    entry = {"id": "a", "name": "A", "api": api}
    found = list(incompatibilities({"models": {"providers": {"owl": {"api": api, "models": [entry]}}}}))
    assert [warning.key for warning in found] == [
        "models.providers.owl.api",
        "models.providers.owl.models[0].api",
    ]
    assert all(says in warning.fix for warning in found)
    for fine in ("ollama", "${API}"):
        assert list(incompatibilities({"models": {"providers": {"owl": {"api": fine}}}})) == []


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"models": 1}, {"models": {"providers": []}}, {"models": {"providers": {"p": 1, "q": {}}}},
     {"models": {"providers": {"p": {"models": {"id": 1}}}}}, {"models": {"providers": {"p": {"models": ["x"]}}}}],
)  # fmt: skip
def test_what_is_of_a_wrong_type_is_passed_over(document: object) -> None:
    assert list(incompatibilities(document)) == []
