"""Nothing of a plugin runs before a confirmation, and an uninstall removes what an install wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.plugins.plugin_home import CONFIG, installed, run
from tests.plugins.samples import docs_plugin, plugin_folder, sample_wheel


def test_without_a_terminal_the_manifest_is_shown_and_nothing_installed(home: Path) -> None:
    marked = plugin_folder(home / "a", code=f"open({str(home / 'ran')!r}, 'w')\n")
    found = run("install", str(marked))
    assert found.exit_code == 1 and installed(home) == [] and not (home / "ran").exists()
    for part in (
        "Sample (sample): A sample.",
        "Version   : 1.0",
        "Service   : runs inside",
        f"path {marked}",
        "sha256:",
    ):
        assert part in found.stdout
    assert "pass --yes to confirm. Nothing was installed." in found.stderr


def test_install_list_inspect_and_uninstall_run_nothing(home: Path) -> None:
    code = f"open({str(home / 'ran')!r}, 'w')\n"
    assert run("install", str(plugin_folder(home / "a", code=code)), "--yes").exit_code == 0
    assert "sample" in run("list").stdout and "Status    : disabled" in run("inspect", "sample").stdout
    assert run("uninstall", "sample", "--yes").exit_code == 0
    assert installed(home) == [] and not (home / "ran").exists()


def test_from_install_to_uninstall_as_a_user_does_it(home: Path, path: Path) -> None:
    found = run("install", str(docs_plugin(home)), "--yes")
    assert "Enable it with: clawgate plugins enable house-model" in found.stdout
    enabled = run("enable", "house-model")
    assert 'Enabled plugin "house-model".' in enabled.stdout and "Backup:" in enabled.stdout
    assert "config.baseUrl (" in enabled.stderr and "): is not set; set " in enabled.stderr
    assert "clawgate models auth login --provider house-model" in enabled.stderr
    assert "Plugins (1/" in run("list").stdout
    shown = json.loads(run("inspect", "house-model", "--runtime", "--json").stdout)
    assert (shown["imported"], shown["services"], shown["cliCommands"]) == (True, 1, ["house-model"])
    assert 'Disabled plugin "house-model".' in run("disable", "house-model").stdout
    gone = run("uninstall", "house-model", "--yes")
    for part in (
        "plugins.entries.house-model",
        "models.providers.house-model",
        "agents.defaults.model.primary",
    ):
        assert part in gone.stdout
    assert (
        path.read_text().startswith("// mine") and "house" not in path.read_text() and installed(home) == []
    )


def test_uninstall_asks_and_touches_nothing_without_an_answer(home: Path, path: Path) -> None:
    run("install", str(docs_plugin(home)), "--yes")
    found = run("uninstall", "house-model")
    assert found.exit_code == 1 and "Will remove:" in found.stdout and "Nothing was removed." in found.stderr
    assert path.read_text() == CONFIG and installed(home) == ["house-model"]


def test_what_is_installed_is_only_replaced_on_request(home: Path) -> None:
    run("install", str(plugin_folder(home / "a")), "--yes")
    source = str(sample_wheel(home))
    refused = run("install", source, "--yes")
    assert refused.exit_code == 1 and "replace it with --upgrade" in refused.stderr
    assert "Replaces  : 1.0" in run("install", source, "--yes", "--upgrade").stdout
    shown = json.loads(run("list", "--json").stdout)["plugins"]
    assert [one["install"]["kind"] for one in shown if one["id"] == "sample"] == ["wheel"]


def test_install_can_enable(home: Path) -> None:
    assert (
        'Enabled plugin "sample".'
        in run("install", str(plugin_folder(home / "a")), "--yes", "--enable").stdout
    )


def test_a_config_that_cannot_be_read_stays_as_it_is(home: Path, path: Path) -> None:
    path.write_text("{ broken")
    found = run("install", str(plugin_folder(home / "a")), "--yes")
    assert found.exit_code == 2 and path.read_text() == "{ broken" and installed(home) == []


@pytest.mark.parametrize(
    ("source", "plugin"),
    [
        ("@rustyrayzor/anthropic-claude-proxy", "anthropic-claude-proxy"),
        ("openclaw-anthropic-claude-proxy", "anthropic-claude-proxy"),
        ("/path/to/openclaw-proxy-bridge", "proxy-bridge"),
    ],
)
def test_the_commands_of_the_javascript_plugins_lead_to_the_bundled_ones(
    source: str, plugin: str, home: Path
) -> None:
    """And what they say to run works."""
    found = run("install", source, "--yes")
    next_step = f"clawgate plugins enable {plugin}"
    assert (found.exit_code, found.stdout) == (1, "") and installed(home) == []
    assert (
        found.stderr
        == f"clawgate: '{plugin}' comes with clawgate; run: {next_step}. Nothing was installed.\n"
    )
    enabled = run(*next_step.split()[2:])
    assert enabled.exit_code == 0 and f'Enabled plugin "{plugin}".' in enabled.stdout


@pytest.mark.parametrize("verb", ["enable", "inspect", "uninstall"])
def test_the_name_of_a_javascript_plugin_is_no_id_but_leads_to_one(verb: str, home: Path) -> None:
    found = run(verb, "openclaw-proxy-bridge")
    assert found.exit_code == 1 and "did you mean 'proxy-bridge'?" in found.stderr
