"""The status tells what each provider is and lacks, and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.app.provider_probe import ProviderProbeResult
from clawgate.cli.models.status import egress_rule, print_status, status_json
from clawgate.processes.instance.availability import KnownAvailability
from clawgate.providers.availability import Availability, egress_error, provider_error
from clawgate.providers.provider import Provider
from clawgate.wire.http.url import parse_url
from tests.cli.catalogs import catalog

PATH = Path("/config/openclaw.json")
KNOWN = KnownAvailability(
    Availability(catalog(), provider_error), "config", "the config alone; no gateway is running"
)
NOT_CONFIGURED = (
    "the provider 'lan' is not configured: its credential is not set: set NO_SUCH_KEY (models.providers.lan.apiKey "
    "refers to it)"
)
SEEN = {
    "owl": ProviderProbeResult("reachable", "", 1.5),
    "far": ProviderProbeResult("unauthorized", "it refuses a credential", 2.0),
}


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(PATH, KNOWN, SEEN)
    said = capsys.readouterr().out
    for line in (
        "Config        : /config/openclaw.json (does not exist; using defaults)",
        "Default       : owl/qwen",
        "Fallbacks (1) : far/sonnet",
        "Aliases (2)   : fast -> owl/qwen, smart -> far/sonnet",
        "  apiKey is not sent: request.auth is used instead",
        f"  status 503 (provider_not_configured): {NOT_CONFIGURED}",
        "Based on the config alone; no gateway is running.",
        "  unauthorized: it refuses a credential",
    ):
        assert line in said.splitlines()
    rows = {line.split()[0]: line for line in said.splitlines() if "  " in line.strip()}
    assert "header X-Proxy-Token (c...n)" in rows["owl"] and rows["owl"].endswith("reachable (1.5 ms)")
    assert rows["owl"].split("  ")[-2].strip() or "private allowed" in rows["owl"]
    assert rows["hut"].split()[-2:] == ["blocked", "blocked"]
    assert rows["lan"].endswith("not ready") and rows["far"].endswith("unauthorized (2 ms)")
    assert "canary" not in said


def test_for_programs() -> None:
    said: dict[str, Any] = status_json(PATH, KNOWN, SEEN)
    text = json.dumps(said)
    assert "canary" not in text
    assert said["defaultModel"] == "owl/qwen" and said["fallbacks"] == ["far/sonnet"]
    assert said["aliases"] == {"fast": "owl/qwen", "smart": "far/sonnet"}
    by_id = {found["id"]: found for found in said["providers"]}
    assert by_id["owl"]["ready"] and by_id["owl"]["probe"]["state"] == "reachable"
    assert by_id["owl"]["auth"] == "header X-Proxy-Token" and by_id["owl"]["maskedSecret"] == "c...n"
    assert (
        not by_id["lan"]["ready"]
        and "NO_SUCH_KEY" in by_id["lan"]["whyNotReady"]
        and "probe" not in by_id["lan"]
    )
    assert by_id["openai"]["builtIn"] and by_id["openai"]["maskedSecret"] is None


@pytest.mark.parametrize(
    ("url", "trusted", "proxy", "rule"),
    [
        ("http://127.0.0.1", False, None, "blocked"),
        ("http://127.0.0.1", True, None, "private allowed"),
        ("http://127.0.0.1", False, "http://p:1", "public only"),
        ("https://far.test", False, None, "public only"),
        (None, False, None, "public only"),
    ],
)
def test_the_egress_rule(url: str | None, trusted: bool, proxy: str | None, rule: str) -> None:
    origin = parse_url(url)[0] if url else None
    provider = Provider(id="a", api="x", origin=origin, allow_private=trusted, proxy=proxy)
    assert egress_rule(provider) == rule and (egress_error(provider) is not None) == (rule == "blocked")
