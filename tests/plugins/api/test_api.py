"""The interface: what stands there is all that a plugin needs, and importing it is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from clawgate.plugins import api
from tests.plugins.samples import DOCS


def test_every_name_is_there_and_the_list_is_in_order() -> None:
    assert all(hasattr(api, name) for name in api.__all__)
    assert list(api.__all__) == sorted(set(api.__all__), key=lambda name: (name.upper() != name, name))


def test_what_protocols_speak_of_can_be_imported_from_there_too() -> None:
    """A plugin that annotates its methods needs no other module of clawgate."""
    tree = [
        ast.parse((Path(api.__file__).parent / f"{name}.py").read_text())
        for name in ("command", "config_document", "plugin", "provider", "questions", "service", "tool")
    ]
    classes = {node.name for part in tree for node in part.body if isinstance(node, ast.ClassDef)}
    assert classes - {"_Any"} <= set(api.__all__)


def test_the_interface_needs_nothing_of_the_layers_above() -> None:
    """Importing it brings in no event loop, no server and no dialler."""
    code = "import sys, clawgate.plugins.api; print([m for m in sys.modules if m in ('uvicorn', 'uvloop', 'starlette') "
    code += "or m.startswith(('clawgate.relay', 'clawgate.app', 'clawgate.cli', 'clawgate.processes'))])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_the_docs_name_every_version_of_the_interface_that_there_is() -> None:
    assert f"`{api.API_VERSION}`" in DOCS.read_text(encoding="utf-8")
