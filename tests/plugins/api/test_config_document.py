"""What a provider reads in a config file that a person may have left in any state."""

from __future__ import annotations

import pytest

from clawgate.plugins.api.config_document import address_in, entry_paths, object_at

ENTRY = ("plugins", "entries", "p")


@pytest.mark.parametrize("document", [{}, {"a": None}, {"a": []}, {"a": {"b": 1}}, None, [1], "a"])
def test_what_is_no_object_is_an_empty_one(document: object) -> None:
    assert object_at(document, ("a", "b")) == {}


def test_an_object_is_found_by_its_path() -> None:
    assert object_at({"a": {"b": {"c": 1}}}, ("a", "b")) == {"c": 1}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://LOCALHOST:18800/v1", ("localhost", 18800)),
        (" https://a.test ", ("a.test", 443)),
        ("http://[::1]/", ("::1", 80)),
        ("http://127.0.0.1:${PORT}", None),
        ("http://a:99999", None),
        ("a.test", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_only_a_plain_url_has_an_address(url: object, address: object) -> None:
    assert address_in(url) == address


@pytest.mark.parametrize(
    ("entry", "paths"),
    [
        ({"enabled": True, "config": {"a": 1}}, [ENTRY]),
        ({"config": {}}, [ENTRY]),
        ({"enabled": True, "config": {"a": 1, "own": 2}}, [(*ENTRY, "config", "a"), (*ENTRY, "enabled")]),
        ({"enabled": False, "config": {"own": 2}}, []),
        ({}, []),
        (None, []),
    ],
)
def test_the_wizard_takes_back_what_it_wrote_and_leaves_the_rest_disabled(
    entry: object, paths: object
) -> None:
    assert entry_paths({"plugins": {"entries": {"p": entry}}}, "p", ("a", "b")) == paths


def test_a_file_without_the_plugin_has_nothing_to_take_back() -> None:
    assert entry_paths({}, "p", ("a",)) == [] == entry_paths({"plugins": None}, "p", ("a",))
