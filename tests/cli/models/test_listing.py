"""The list holds what the config lists or names, and says so where a provider's models are not listed."""

from __future__ import annotations

import pytest

from clawgate.cli.completers import known_refs
from clawgate.cli.models.listing import model_rows, print_rows
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.availability import Availability, provider_error
from tests.cli.catalogs import catalog


def test_each_model_with_what_is_known_of_it() -> None:
    found = catalog()
    rows = {
        str(row.ref): row.to_json()
        for row in model_rows(Availability(found, provider_error), known_refs(found))
    }
    assert list(rows) == ["owl/qwen", "far/sonnet"]
    assert rows["owl/qwen"] == {
        "key": "owl/qwen",
        "name": "Qwen",
        "input": "text+image",
        "contextWindow": 131072,
        "local": True,
        "available": True,
        "whyNot": None,
        "tags": ["default", "configured", "alias:fast"],
    }
    assert rows["far/sonnet"]["tags"] == ["fallback#1", "alias:smart"] and rows["far/sonnet"]["input"] is None


def test_a_model_of_no_provider_is_not_available() -> None:
    (row,) = model_rows(Availability(catalog(), provider_error), [ModelRef("gone", "m")])
    assert not row.available and not row.local
    assert row.to_json()["whyNot"] == "there is no provider 'gone'"


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    found = catalog()
    print_rows(model_rows(Availability(found, provider_error), known_refs(found)), found, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Model", "Input", "Ctx", "Local", "Auth", "Tags"]
    assert lines[1].split() == [
        "owl/qwen",
        "text+image",
        "131k",
        "yes",
        "yes",
        "default,configured,alias:fast",
    ]
    assert "far: the config lists no models; every far/<model> is sent to it as it is" in lines
    print_rows([], found, "hut")
    assert capsys.readouterr().out.splitlines() == [
        "hut: the config lists no models; every hut/<model> is sent to it as it is"
    ]
