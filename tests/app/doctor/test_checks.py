"""What the doctor says of an installation: each fact that matters has a finding, and a sound installation has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawgate.app.doctor.checks import (
    Facts,
    FileFact,
    Fix,
    FixableDiagnostic,
    ProviderFact,
    run_checks,
)
from clawgate.settings.diagnostic import Diagnostic, Severity

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KNOWN = ("owl", "proxy-bridge")

SOUND = Facts(
    config_path="/c.json",
    config_exists=True,
    now=NOW,
    mode="local",
    files=(FileFact("/c.json", 0o600, False, True, NOW), FileFact("/s", 0o700, True, True, NOW)),
    running="pid 7",
    port=18789,
    providers=(ProviderFact("owl", None), ProviderFact("openai", "its key is not set", (), is_used=False)),
    primary="owl/m",
    plugins=("owl",),
    known_plugins=KNOWN,
    python=(3, 13, 1),
    openssl=(3, 0, 2),
    open_files=4096,
    free_bytes=10**12,
)


def findings(**change: Any) -> list[Diagnostic]:
    return run_checks(replace(SOUND, **change))


def file(**change: Any) -> tuple[FileFact, ...]:
    return (replace(SOUND.files[0], **change),)


def test_a_sound_installation_has_no_finding() -> None:
    assert findings() == []


CASES: dict[str, tuple[dict[str, Any], Severity, str]] = {
    "the config cannot be used": (
        {"config_problems": (Diagnostic(("x",), "must be y"),)},
        Severity.ERROR,
        "must be y",
    ),
    "there is no config": ({"config_exists": False}, Severity.INFO, "there is no config file"),
    "no caller could be admitted": (
        {"auth_is_set": False, "start_problems": (Diagnostic(("gateway", "auth"), "no token"),)},
        Severity.ERROR,
        "no token is set, so the gateway does not start",
    ),
    "a token is made at the first start": (
        {"auth_is_set": False},
        Severity.INFO,
        "no token is set; the gateway makes one at its first start",
    ),
    "a token cannot be stored": (
        {"auth_is_set": False, "start_problems": (Diagnostic(("gateway", "auth", "token"), "read-only"),)},
        Severity.ERROR,
        "read-only",
    ),
    "what a start would refuse": (
        {"start_problems": (Diagnostic(("gateway", "bind"), "bad host"),)},
        Severity.ERROR,
        "bad host",
    ),
    "OpenClaw would not start": ({"mode": None}, Severity.WARNING, "gateway.mode is not set"),
    "the gateway is elsewhere": ({"mode": "remote"}, Severity.WARNING, "'remote'"),
    "others may read the config": ({"files": file(mode=0o644)}, Severity.ERROR, "mode 0644"),
    "others may list a folder": (
        {"files": file(mode=0o711, is_folder=True)},
        Severity.ERROR,
        "mode 0711",
    ),
    "others may read a mounted secret": (
        {"files": file(mode=0o444, is_ours=False, is_mounted=True)},
        Severity.WARNING,
        "other users can read it (mode 0444)",
    ),
    "somebody else's file": ({"files": file(is_ours=False)}, Severity.ERROR, "belongs to another user"),
    "a file of the future": (
        {"files": file(modified=NOW + timedelta(hours=1))},
        Severity.WARNING,
        "changed in the future",
    ),
    "something was left behind": ({"leftovers": ("/s/gateway.json",)}, Severity.INFO, "left behind"),
    "it runs and is not well": ({"health_problem": "no answer"}, Severity.ERROR, "no answer"),
    "the port is taken": (
        {"running": None, "port_owner": "node (pid 3)"},
        Severity.ERROR,
        "taken by node (pid 3)",
    ),
    "a provider cannot serve": (
        {"providers": (ProviderFact("owl", "set OWL_KEY"), ProviderFact("b", None))},
        Severity.WARNING,
        "owl cannot serve",
    ),
    "a server of this machine is down": (
        {"providers": (ProviderFact("owl", None, unreached="connection refused"),)},
        Severity.WARNING,
        "owl is down",
    ),
    "a private address is blocked": (
        {
            "providers": (
                ProviderFact("owl", None, ("egress: blocked until x is true",), allow_private_setting="x"),
            )
        },
        Severity.WARNING,
        "blocked until x",
    ),
    "a placeholder of a fake-IP DNS": (
        {"providers": (ProviderFact("owl", None, placeholder=("198.18.0.7", "set it")),)},
        Severity.WARNING,
        "its name resolves to 198.18.0.7, a placeholder of a fake-IP DNS",
    ),
    "a key that is a placeholder": (
        {"providers": (ProviderFact("owl", None, shortest_masked=8),)},
        Severity.INFO,
        "owl: its credential is shorter than 8 characters",
    ),
    "what OpenClaw would refuse": (
        {"config_warnings": (Diagnostic(("x",), "is not a key", Severity.WARNING),)},
        Severity.WARNING,
        "is not a key",
    ),
    "a note about a provider": (
        {"providers": (ProviderFact("owl", None, ("apiKey is not sent",)),)},
        Severity.INFO,
        "apiKey is not sent",
    ),
    "no provider at all can serve": (
        {"providers": (ProviderFact("openai", "no key", (), is_used=False),)},
        Severity.ERROR,
        "no provider can serve",
    ),
    "no default model": ({"primary": None}, Severity.WARNING, "no default model"),
    "an alias was left out": ({"catalog_notes": ("alias x is ignored",)}, Severity.WARNING, "alias x"),
    "a plugin that is misspelt": ({"plugins": ("proxybridge",)}, Severity.WARNING, "no plugin 'proxybridge'"),
    "a plugin of OpenClaw's": ({"plugins": ("telegram",)}, Severity.INFO, "left to OpenClaw"),
    "a clock that never was set": ({"now": datetime(1970, 1, 1, tzinfo=UTC)}, Severity.ERROR, "1970-01-01"),
    "an old Python": ({"python": (3, 10, 9)}, Severity.ERROR, "3.10.9"),
    "an old OpenSSL": ({"openssl": (1, 1, 1)}, Severity.WARNING, "1.1.1"),
    "few files": ({"open_files": 256}, Severity.WARNING, "only 256 files"),
    "a full disk": ({"free_bytes": 1024}, Severity.WARNING, "only 0 MB"),
    "a state folder that cannot be written": (
        {"state_problem": Diagnostic((), "cannot be written", fix="f", location="/s"), "free_bytes": 0},
        Severity.ERROR,
        "cannot be written",
    ),
    "what could not be seen": ({"not_gathered": ("/s: no",)}, Severity.WARNING, "/s: no"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_found(case: str) -> None:
    """Once, with its severity, its place and a way out."""
    change, severity, text = CASES[case]
    (found,) = [finding for finding in findings(**change) if text in finding.message]
    assert found.severity is severity and found.where and found.fix


@pytest.mark.parametrize(
    ("key_path", "command"),
    [
        ("models.providers.owl.x", "clawgate config set 'models.providers.owl.x' true"),
        ('models.providers["a b"].x', "clawgate config set 'models.providers[\"a b\"].x' true"),
    ],
)
def test_the_way_to_an_address_that_is_blocked_is_the_command_itself(key_path: str, command: str) -> None:
    """With the key path as a shell takes it, and no placeholder in it."""
    notes = (f"egress: blocked until {key_path} is true",)
    (found,) = findings(providers=(ProviderFact("owl", None, notes, allow_private_setting=key_path),))
    assert (found.where, found.fix) == (key_path, command)


def test_the_worst_comes_first() -> None:
    broken = (Diagnostic(("gateway", "bind"), "bad host"),)
    found = findings(mode=None, start_problems=broken, leftovers=("/x",))
    assert [finding.severity.name for finding in found] == ["ERROR", "WARNING", "INFO"]


def test_a_config_that_cannot_be_read_is_not_judged_further() -> None:
    """What is not known of it is not complained about."""
    found = findings(
        config_problems=(Diagnostic((), "x"),), providers=(), primary=None, auth_is_set=False, mode=None
    )
    assert [finding.message for finding in found] == ["x"]


def test_a_port_of_our_own_is_not_taken() -> None:
    assert findings(port_owner="python (pid 7)") == []


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"files": file(mode=0o640)}, Fix("close_to_others", "/c.json", 0o600)),
        ({"files": file(mode=0o755, is_folder=True)}, Fix("close_to_others", "/c.json", 0o700)),
        ({"auth_is_set": False}, Fix("make_token", "/c.json")),
        ({"mode": None}, Fix("set_mode", "/c.json")),
        ({"leftovers": ("/x",)}, Fix("remove", "/x")),
    ],
)
def test_what_can_be_fixed_has_its_fix(change: dict[str, Any], fix: Fix) -> None:
    (found,) = findings(**change)
    assert isinstance(found, FixableDiagnostic)
    assert found.repair == fix and fix.path in str(fix)


KIT = Diagnostic(("plugins", "entries", "kit", "x"), "it is so", location="/c.json:3:5")


@pytest.mark.parametrize(
    ("diagnostic", "fix"),
    [
        (KIT, "edit the file"),
        (replace(KIT, severity=Severity.WARNING, unset=True), "does not run until it is set"),
        (replace(KIT, severity=Severity.WARNING), "clawgate config set"),
    ],
)
def test_a_plugins_setting_keeps_its_severity_and_gets_a_fix(diagnostic: Diagnostic, fix: str) -> None:
    """Its own fix, where it has one."""
    (found,) = findings(plugin_diagnostics=(diagnostic,))
    assert (found.severity, found.where) == (diagnostic.severity, "plugins.entries.kit.x (/c.json:3:5)")
    assert fix in found.fix and "it is so" in found.message
    (known,) = findings(plugin_diagnostics=(replace(diagnostic, fix="do this"),))
    assert known.fix == "do this"


@pytest.mark.parametrize(("mode", "found"), [(0o755, False), (0o775, True), (0o757, True)])
def test_a_parent_folder_may_be_read_and_not_changed(mode: int, found: bool) -> None:
    assert bool(findings(files=file(mode=mode, is_folder=True, is_private=False))) is found


def test_a_server_that_is_down_is_no_reason_to_log_in_again() -> None:
    """Neither where the other providers are built-in ones that nobody uses."""
    unused = ProviderFact("openai", "no key", is_used=False)
    for used, fix in (
        (ProviderFact("owl", "connection refused", is_down=True), "connection refused"),
        (
            ProviderFact("owl", "set OWL_KEY"),
            "clawgate models auth login, or set a key such as OPENAI_API_KEY",
        ),
    ):
        found = findings(providers=(used, unused), serving_problem="connection refused")
        assert fix in [one.fix for one in found if "no provider can serve" in one.text]
