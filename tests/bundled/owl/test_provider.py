"""The settings alone make the provider: exactly one credential on the wire, and no fault of it stops another."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from clawgate.bundled.owl.config import ID, OwlSettings
from clawgate.bundled.owl.provider import OwlProvider
from clawgate.providers.availability import egress_error
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.providers.provider import Provider
from clawgate.settings.schema.openclaw import OpenClawConfig

URL = "https://owl.test/v1"
LOGIN = base64.b64encode("eule:pass wört:x".encode()).decode()


def catalog(
    block: dict[str, Any] | None = None, environment: dict[str, str] | None = None, **entry: Any
) -> Catalog:
    entries = {} if block is None and not entry else {ID: {"config": block or {}} | entry}
    config = OpenClawConfig.model_validate({"plugins": {"entries": entries}})
    return build_catalog(config, {}, environment or {})


def owl(block: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> Provider:
    return catalog(block, environment).providers[ID]


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ({"apiKey": "canary-1"}, b"authorization: Bearer canary-1\r\n"),
        ({"apiKey": "eule:pass wört:x"}, f"authorization: Basic {LOGIN}\r\n".encode()),
        ({"username": "eule", "password": "pass wört:x"}, f"authorization: Basic {LOGIN}\r\n".encode()),
        ({"headerName": "X-Api-Key", "apiKey": "canary-1"}, b"x-api-key: canary-1\r\n"),
        ({"headerName": "X-Key", "apiKey": "a:b"}, b"x-key: a:b\r\n"),
        ({"auth": "none", "apiKey": "canary-1"}, b""),
        ({}, b""),
    ],
)
def test_exactly_one_credential_leaves(block: dict[str, Any], line: bytes) -> None:
    found = owl({"baseUrl": URL} | block)
    assert found.problem is None and found.credential.line() == line and found.headers == ()


def test_two_variables_are_enough() -> None:
    found = owl(environment={"OWL_BASE_URL": URL, "OWL_API_KEY": "canary-1"})
    assert found.problem is None and found.base_url == URL
    assert catalog(environment={"OWL_BASE_URL": URL}).resolve("owl/any").chain[0].provider == ID
    assert ID not in catalog().providers
    problem = owl({"auth": "none"}).problem
    assert problem is not None and f"plugins.entries.{ID}.config.baseUrl" in problem


@pytest.mark.parametrize(
    "block", [{"baseUrl": "no url"}, {"baseUrl": URL, "auth": "basic"}, {"baseUrl": URL, "models": [{"id": 7}]},
              {"nope": 1}, {"baseUrl": URL, "timeouts": {"idle": -1}}, {"baseUrl": URL, "username": "a:b"}],
)  # fmt: skip
def test_a_bad_owl_is_a_problem_of_its_own(block: dict[str, Any]) -> None:
    found = catalog(block, {"OPENAI_API_KEY": "canary-openai"})
    problem = found.providers[ID].problem
    assert problem is not None and "plugins.entries." in problem
    assert found.providers["openai"].problem is None


def test_a_bad_variable_is_a_problem_of_its_own() -> None:
    found = owl(environment={"OWL_BASE_URL": "http://me:pw@owl.test"})
    assert found.problem is not None and "OWL_BASE_URL" in found.problem


def test_a_private_address_waits_for_its_own_setting() -> None:
    url = "http://127.0.0.1:8000/v1"
    found = owl(environment={"OWL_BASE_URL": url})
    error = egress_error(found)
    assert error is not None and f"plugins.entries.{ID}.config.allowPrivateNetwork" in error.message
    assert f"plugins.entries.{ID}.config.allowPrivateNetwork is true" in " ".join(found.notes)
    assert egress_error(owl({"allowPrivateNetwork": True}, {"OWL_BASE_URL": url})) is None


def test_its_other_settings_arrive() -> None:
    found = owl(
        {
            "baseUrl": "https://owl.test",
            "caFile": "/etc/owl.pem",
            "timeouts": {"idle": 7, "firstByte": 8},
            "models": [
                "a",
                {"id": "b", "contextWindow": 4096, "compat": {"supportsUsageInStreaming": False}},
            ],
        }
    )
    assert found.base_url == URL and found.ca == "/etc/owl.pem"
    assert found.timeouts == {"idle": 7, "first_byte": 8}
    assert [one.id for one in found.models] == ["a", "b"] and found.models[1].context_window == 4096


def test_it_can_be_turned_off() -> None:
    off = catalog({"baseUrl": URL}, {"OWL_BASE_URL": URL}, enabled=False)
    assert ID not in off.providers


def test_what_is_recognized_or_has_no_effect_is_a_note() -> None:
    def notes(config: dict[str, Any], **settings: Any) -> list[str]:
        made = OwlSettings.model_validate({"baseUrl": URL} | settings)
        return [str(one) for one in OwlProvider().check_config(config, made)]

    (note,) = notes({}, apiKey="me:pass")
    assert "sent as Basic" in note and "auth to bearer" in note and "me:pass" not in note
    assert notes({}, apiKey="me:pass", auth="basic") == notes({}) == []
    assert "not sent" in notes({}, auth="none", apiKey="k")[0]
    both = {
        "models": {"providers": {ID: {"baseUrl": URL}}},
        "plugins": {"entries": {ID: {"config": {"auth": "none"}}}},
    }
    assert "no effect" in notes(both)[0]
