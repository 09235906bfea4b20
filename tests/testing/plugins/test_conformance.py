"""The kit as its author's tool: it finds each thing that it promises to, and says nothing of a plugin that will do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.testing.plugins.conformance import check_folder, check_imports, main
from tests.plugins.samples import BODY, docs_plugin, imports_undone, plugin_folder, write_files

GOOD = BODY.replace('raise RuntimeError("no status")', "return ServiceStatus(state='up', ok=True)").replace(
    "import PluginConfig", "import PluginConfig, ServiceStatus, Unavailable, PluginError, Secret"
)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with imports_undone():
        yield


def said(folder: Path) -> str:
    return "\n".join(map(str, check_folder(folder)))


def test_a_good_one_passes(tmp_path: Path) -> None:
    assert said(plugin_folder(tmp_path / "a", code=GOOD)) == ""
    assert said(docs_plugin(tmp_path)) == ""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "import clawgate.relay.upstream.dial\n",
            "imports clawgate.relay.upstream.dial; use clawgate.plugins.api alone",
        ),
        ("from clawgate import errors\n", "imports clawgate.errors; use clawgate.plugins.api alone"),
        ("def f():\n    import requests\n", "imports requests, which not every gateway has"),
        ("\nclass C(PluginConfig):\n    a: int = 1\nPlugin.config = C\n", "the setting 'a' has no description"),
        ("\nimport pydantic\nclass Config(pydantic.BaseModel): pass\nPlugin.config = Config\n", "takes unknown keys"),
        ("\nclass Config(PluginConfig):\n    token: str = ''\nPlugin.config = Config\n", "its type should be Secret"),
        ("\nclass Config(PluginConfig):\n    x: Secret\nPlugin.config = Config\n", "give check_plugin a config"),
        ("\nasync def start(self, c): raise ValueError('no')\nService.start = start\n", "start raised ValueError: no"),
        ("\nasync def stop(self): raise ValueError('no')\nService.stop = stop\n", "the first stop raised ValueError"),
        ("\nService.status = lambda self: 'up'\n", "status() before its start is no ServiceStatus"),
        ("\nService.status = lambda self: ServiceStatus(state='x', ok=False)\n", "is not ok and gives no reason"),
        ("\nService.status = lambda self: ServiceStatus(state='x', ok=True, details={'a': {1}})\n", "said in JSON"),
        ("\nService.unavailable = lambda self: True\n", "is neither None nor Unavailable"),
        (("\nimport asyncio\nasync def start(self, c): self.t = asyncio.create_task(asyncio.sleep(99))\n"
          "Service.start = start\n"), "1 of its tasks still run after stop"),
        (("\nimport threading\nold = Plugin.register\ndef register(self, registrar):\n    old(self, registrar)\n"
          "    threading.Thread(target=threading.Event().wait, daemon=True).start()\nPlugin.register = register\n"),
         "register starts a thread"),
        (("\nservices = []\ndef register(self, registrar):\n    services.append(Service())\n    for one in services: "
          "registrar.service(one)\nPlugin.register = register\n"), "hands over something else"),
        ("\nplugin.version = '2'\n", "its manifest says version '1.0'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(tmp_path: Path, code: str, says: str) -> None:
    assert says in said(plugin_folder(tmp_path, code=GOOD + code))


def test_a_start_that_tells_the_operator_what_to_mend_is_no_fault(tmp_path: Path) -> None:
    code = GOOD + "\nasync def start(self, c): raise PluginError('no server')\nService.start = start\n"
    assert said(plugin_folder(tmp_path, code=code)) == ""


def test_a_command_has_an_exit_status_and_shows_no_secret(tmp_path: Path) -> None:
    folder = docs_plugin(tmp_path)
    path = folder / "house_model" / "__init__.py"
    leak = "context.out(context.config.api_key.get_secret_value())\n        context.out(json.dumps("
    code = path.read_text().replace("context.out(json.dumps(", leak)
    path.write_text(code.replace("return 0 if ok else 1", "return ok"))
    assert "run returned bool, which is no exit status" in said(folder)
    assert "run prints a secret of the config" in said(folder)


def test_settings_in_the_manifest_are_the_codes(tmp_path: Path) -> None:
    assert "[config] names nope, which is no setting" in said(
        plugin_folder(tmp_path, code=GOOD, config='{ nope = "What?" }')
    )


def test_a_file_that_is_no_python_is_found(tmp_path: Path) -> None:
    write_files(tmp_path, {"bad.py": "this is no Python"})
    assert "bad.py cannot be read" in str(check_imports(tmp_path, "x")[0])


def test_the_command_prints_and_ends_with_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(plugin_folder(tmp_path / "a", code=GOOD))]) == 0
    assert capsys.readouterr().out == "Nothing to mend.\n"
    assert main([str(plugin_folder(tmp_path / "b", code="1 / 0"))]) == 1
    assert "load: ZeroDivisionError" in capsys.readouterr().out
    assert main([]) == 2 and main(["nothing-like-that"]) == 1 and main(["no_such_module:plugin"]) == 1


def test_it_runs_as_the_docs_say(tmp_path: Path) -> None:
    """Of a folder, and of module:attribute."""
    folder = docs_plugin(tmp_path)
    for target in (str(folder), "house_model:plugin"):
        done = subprocess.run(
            [sys.executable, "-m", "clawgate.testing.plugins.conformance", target],
            cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "Nothing to mend.\n"), done.stderr
