"""A plugin is found by its id; an unknown id ends the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.context import load_config
from clawgate.cli.plugins.lookup import enabled_by_config, find_plugin
from tests.cli.catalogs import alone
from tests.cli.plugins.plugin_home import run
from tests.plugins.samples import plugin_folder


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("no\x1bpe", "no\\x1bpe;"), ("proxy-bridg", "proxy-bridg; did you mean 'proxy-bridge'?")],
)
def test_an_unknown_id_ends_the_command(name: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        find_plugin(load_config(None), name)
    assert caught.value.code == 1
    expected = f"clawgate: plugin not found: {shown} to see all plugins: clawgate plugins list\n"
    assert capsys.readouterr().err == expected


def test_a_bundled_plugin_is_disabled_until_the_config_has_its_provider() -> None:
    loaded = load_config(None)
    plugin = find_plugin(loaded, "proxy-bridge")
    assert plugin.origin == "bundled"
    assert enabled_by_config(plugin, loaded.file) == (
        False,
        'plugins.entries."proxy-bridge".enabled is not set',
    )


def test_ids_are_completed(home: Path) -> None:
    from clawgate.cli.plugins.enable import enable

    run("install", str(plugin_folder(home / "a")), "--yes")
    parameter = enable.params[0]
    context = enable.make_context("enable", ["x"], resilient_parsing=True)
    assert [one.value for one in parameter.shell_complete(context, "sam")] == ["sample"]
