"""The kit as its author's tool: it finds each thing that it promises to, and says nothing of a plugin that will do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.testing.plugins.conformance import check_folder, check_imports, main
from tests.plugins.samples import (
    BODY,
    docs_plugin,
    docs_tool_plugin,
    imports_undone,
    plugin_folder,
    tool_code,
    write_files,
)

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
    assert said(docs_tool_plugin(tmp_path)) == ""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "import clawgate.relay.upstream.dial\n",
            "imports clawgate.relay.upstream.dial; import only clawgate.plugins.api",
        ),
        ("from clawgate import errors\n", "imports clawgate.errors; import only clawgate.plugins.api"),
        ("def f():\n    import requests\n", "imports requests, which a gateway may not have installed"),
        ("\nclass C(PluginConfig):\n    a: int = 1\nPlugin.config_class = C\n", "the setting 'a' has no description"),
        ("\nimport pydantic\nclass C(pydantic.BaseModel): pass\nPlugin.config_class = C\n", "accepts unknown keys"),
        ("\nclass C(PluginConfig):\n    token: str = ''\nPlugin.config_class = C\n", "its type must be Secret"),
        ("\nclass C(PluginConfig):\n    x: Secret\nPlugin.config_class = C\n", "pass a config to check_plugin"),
        ("\nasync def start(self, c): raise ValueError('no')\nService.start = start\n", "start raised ValueError: no"),
        ("\nasync def stop(self): raise ValueError('no')\nService.stop = stop\n", "the first stop raised ValueError"),
        ("\nService.status = lambda self: 'up'\n", "status() before its start did not return a ServiceStatus"),
        ("\nService.status = lambda self: ServiceStatus(state='x', ok=False)\n", "is not ok and has no reason"),
        ("\nService.status = lambda self: ServiceStatus(state='x', ok=True, details={'a': {1}})\n", "is not JSON"),
        ("\nService.unavailable = lambda self: True\n", "returned neither None nor Unavailable"),
        (("\nimport asyncio\nasync def start(self, c): self.t = asyncio.create_task(asyncio.sleep(99))\n"
          "Service.start = start\n"), "1 of its tasks still run after stop"),
        (("\nimport threading\nold = Plugin.register\ndef register(self, registrar):\n    old(self, registrar)\n"
          "    threading.Thread(target=threading.Event().wait, daemon=True).start()\nPlugin.register = register\n"),
         "register() starts a thread"),
        (("\nservices = []\ndef register(self, registrar):\n    services.append(Service())\n    for one in services: "
          "registrar.add_service(one)\nPlugin.register = register\n"), "registers something else on the second call"),
        ("\nplugin.version = '2'\n", "its manifest has version '1.0'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(tmp_path: Path, code: str, says: str) -> None:
    assert says in said(plugin_folder(tmp_path, code=GOOD + code))


def test_a_start_that_raises_plugin_error_is_no_violation(tmp_path: Path) -> None:
    code = GOOD + "\nasync def start(self, c): raise PluginError('no server')\nService.start = start\n"
    assert said(plugin_folder(tmp_path, code=code)) == ""


def test_a_command_has_an_exit_status_and_shows_no_secret(tmp_path: Path) -> None:
    folder = docs_plugin(tmp_path)
    path = folder / "house_model" / "__init__.py"
    leak = "context.out(context.config.api_key.get_secret_value())\n        context.out(text"
    code = path.read_text().replace("context.out(text", leak)
    path.write_text(code.replace("return 0 if ok else 1", "return ok"))
    assert "run returned bool, which is not an exit status" in said(folder)
    assert "run prints a secret of the config" in said(folder)


def test_tools_are_the_same_on_each_registration(tmp_path: Path) -> None:
    changes = """
class Plugin(Plugin):
    calls = 0
    def register(self, registrar):
        self.calls += 1
        registrar.add_tool(Tool(name="find", description=f"{self.calls}", parameters={"type": "object"}, run=run))
plugin = Plugin()
"""
    folder = plugin_folder(tmp_path, code=tool_code("find", changes), registers='["tool"]', tools='["find"]')
    assert "register() registers something else on the second call" in said(folder)


def test_settings_in_the_manifest_are_the_codes(tmp_path: Path) -> None:
    assert "[config] lists nope, which is not a setting" in said(
        plugin_folder(tmp_path, code=GOOD, config='{ nope = "What?" }')
    )


def test_a_file_that_is_no_python_is_found(tmp_path: Path) -> None:
    write_files(tmp_path, {"bad.py": "this is no Python"})
    assert "bad.py is not valid Python" in str(check_imports(tmp_path, "x")[0])


def test_the_command_prints_and_ends_with_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(plugin_folder(tmp_path / "a", code=GOOD))]) == 0
    assert capsys.readouterr().out == "No violations.\n"
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
        assert (done.returncode, done.stdout) == (0, "No violations.\n"), done.stderr
