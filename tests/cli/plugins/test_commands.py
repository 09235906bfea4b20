"""`clawgate plugins`: nothing runs before somebody agreed, and what was put somewhere can be taken away again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.cli.catalogs import alone
from tests.plugins.samples import docs_plugin, imports_undone, plugin_folder, sample_wheel

CONFIG = """\
// mine
{
  models: { providers: { "house-model": { baseUrl: "http://127.0.0.1:9/v1", api: "openai-completions", apiKey: "local1" } } },
  agents: { defaults: { model: { primary: "house", fallbacks: [] }, models: { "house-model/m": { alias: "house" } } } },
}
"""  # noqa: E501  # one line each, as people write it


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    alone(tmp_path, monkeypatch)
    (tmp_path / ".openclaw").mkdir(mode=0o700)
    with imports_undone():
        yield tmp_path


@pytest.fixture
def path(home: Path) -> Path:
    file = home / ".openclaw" / "openclaw.json"
    file.write_text(CONFIG)
    file.chmod(0o600)
    return file


def run(*arguments: str, says: str | None = None) -> Result:
    found = CliRunner().invoke(clawgate, ["plugins", *arguments], input=says)
    assert "Traceback" not in found.output, found.output
    return found


def installed(home: Path) -> list[str]:
    folder = home / ".openclaw" / "clawgate" / "plugins"
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


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
    assert "run this again with --yes. Nothing was installed." in found.stderr


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
    assert "config.baseUrl (" in enabled.stderr and "): is not set; give it as" in enabled.stderr
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
    assert refused.exit_code == 1 and "put this in its place with --upgrade" in refused.stderr
    assert "Replaces  : 1.0" in run("install", source, "--yes", "--upgrade").stdout
    shown = json.loads(run("list", "--json").stdout)["plugins"]
    assert [one["install"]["kind"] for one in shown if one["id"] == "sample"] == ["wheel"]


def test_one_that_is_broken_is_told_and_can_be_enabled_disabled_and_removed(home: Path) -> None:
    run("install", str(plugin_folder(home / "a", code="1 / 0\n")), "--yes")
    found = run("enable", "sample")
    assert found.exit_code == 0 and "the plugin 'sample' cannot be used: ZeroDivisionError" in found.stderr
    runtime = run("inspect", "sample", "--runtime", "--json")
    assert runtime.exit_code == 1 and json.loads(runtime.stdout)["status"] == "error"
    assert run("uninstall", "sample", "--yes").exit_code == 0 and installed(home) == []


def test_one_whose_files_were_spoiled_is_listed_with_its_problem(home: Path) -> None:
    run("install", str(plugin_folder(home / "a")), "--yes")
    (home / ".openclaw" / "clawgate" / "plugins" / "sample" / "installed.json").write_text("{")
    listed = run("list", "--json")
    assert listed.exit_code == 0 and "install the plugin again" in json.loads(listed.stdout)["diagnostics"][0]
    assert run("enable", "sample").exit_code == 1
    assert run("uninstall", "sample", "--yes").exit_code == 0 and installed(home) == []


def test_enable_minds_the_lists_of_what_may_be_on(home: Path, path: Path) -> None:
    """It joins a list of what is allowed, and does not go against one of what is not."""
    path.write_text('{ plugins: { allow: ["discord"] } } // mine\n')
    assert run("enable", "proxy-bridge").exit_code == 0
    assert '["discord", "proxy-bridge"]' in " ".join(path.read_text().split()).replace("[ ", "[").replace(
        " ]", "]"
    )
    assert path.read_text().endswith("// mine\n")
    refusing = '{ plugins: { deny: ["proxy-bridge"] } }\n'
    path.write_text(refusing)
    found = run("enable", "proxy-bridge")
    assert found.exit_code == 1 and "plugins.deny names 'proxy-bridge'" in found.stderr
    assert path.read_text() == refusing
    shown = json.loads(run("list", "--json").stdout)["plugins"]
    assert [one["enabled"] for one in shown if one["id"] == "proxy-bridge"] == [False]


def test_install_can_enable(home: Path) -> None:
    assert (
        'Enabled plugin "sample".'
        in run("install", str(plugin_folder(home / "a")), "--yes", "--enable").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("enable", "nope"), "Plugin not found: nope. Run `clawgate plugins list`"),
        (("disable", "nope"), "Plugin not found: nope"),
        (("inspect", "no\x1bpe"), "Plugin not found: no\\x1bpe"),
        (("uninstall", "../../etc"), "Plugin not found: ../../etc"),
        (("install", "/nonexistent", "--yes"), "Plugin path not found: /nonexistent. Nothing was installed."),
    ],
)
def test_what_is_not_there_is_said_in_one_line(home: Path, arguments: tuple[str, ...], says: str) -> None:
    found = run(*arguments)
    assert found.exit_code == 1 and says in found.stderr and found.stderr.count("\n") == 1


def test_a_config_that_cannot_be_read_stays_as_it_is(home: Path, path: Path) -> None:
    path.write_text("{ broken")
    found = run("install", str(plugin_folder(home / "a")), "--yes")
    assert found.exit_code == 2 and path.read_text() == "{ broken" and installed(home) == []


def test_plugins_that_are_all_off_are_told_so(home: Path, path: Path) -> None:
    path.write_text("{ plugins: { enabled: false } }")
    run("install", str(plugin_folder(home / "a")), "--yes")
    assert "turn it on with: clawgate config set plugins.enabled true" in run("enable", "sample").stderr
    assert "All plugins are off: plugins.enabled is false" in run("list").stdout
    assert "is not enabled, so it is not loaded" in run("inspect", "sample", "--runtime").stderr


def test_ids_are_completed(home: Path) -> None:
    from clawgate.cli.plugins import commands as plugins

    run("install", str(plugin_folder(home / "a")), "--yes")
    parameter = plugins.enable.params[0]
    context = plugins.enable.make_context("enable", ["x"], resilient_parsing=True)
    assert [one.value for one in parameter.shell_complete(context, "sam")] == ["sample"]
