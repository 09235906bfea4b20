"""Plugins to try things with: the one of the docs, small ones made of a few lines, and wheels with anything in them."""

from __future__ import annotations

import io
import re
import secrets
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "writing-a-plugin.md"

BODY = """\
from clawgate.plugins.api import PluginConfig

class Service:
    async def start(self, context): pass
    async def stop(self): pass
    def status(self): raise RuntimeError("no status")
    def unavailable(self): return None

class Plugin:
    id = "{id}"
    name = "Sample"
    version = "1.0"
    description = "A sample."
    config_class = PluginConfig
    def register(self, registrar):
        registrar.add_service(Service())

plugin = Plugin()
"""

TOOL = """\
from clawgate.plugins.api import PluginConfig, Tool, ToolFailed, ToolResult

async def run(call):
    return f"{call.name} of {call.agent}"

class Plugin:
    id = "{id}"
    name = "Sample"
    version = "1.0"
    description = "A sample."
    config_class = PluginConfig
    def register(self, registrar):
        registrar.add_tool(TOOL)

plugin = Plugin()
"""


def tool_code(name: str, code: str = "", parameters: str = '{"type": "object"}', **more: str) -> str:
    """A plugin with one tool; ``code`` redefines what it runs, ``more`` are further or other fields of `Tool`."""
    fields = {
        "name": repr(name),
        "description": "'A sample.'",
        "parameters": parameters,
        "run": "run",
        **more,
    }
    arguments = ", ".join(f"{key}={value}" for key, value in fields.items())
    return f"{TOOL}\n{code}\nTOOL = Tool({arguments})\n"


def docs_files(kind: str = "file") -> dict[str, str]:
    """The files that docs/writing-a-plugin.md gives, by name; with "tool file" those of its second plugin."""
    found = re.findall(
        rf"<!-- {kind}: (\S+) -->\n```\w+\n(.*?)```\n", DOCS.read_text(encoding="utf-8"), re.DOTALL
    )
    return dict(found)


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def docs_plugin(folder: Path) -> Path:
    return write_files(folder / "house-model", docs_files())


def docs_tool_plugin(folder: Path) -> Path:
    return write_files(folder / "house-calendar", docs_files("tool file"))


def manifest(plugin: str = "sample", package: str = "sample_package", **more: str) -> str:
    """A manifest with one service; ``more`` are further or other lines, as TOML values."""
    lines = {
        "id": f'"{plugin}"',
        "name": '"Sample"',
        "version": '"1.0"',
        "description": '"A sample."',
        "requires_api": "2",
        "module": f'"{package}:plugin"',
        "registers": '["service"]',
        **more,
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def unique() -> str:
    """A name that no test before has imported."""
    return f"sample_{secrets.token_hex(4)}"


def plugin_folder(folder: Path, plugin: str = "sample", code: str = BODY, **more: str) -> Path:
    """A plugin whose package is imported for the first time; in ``code``, {id} stands for its id."""
    package = unique()
    files = {
        "clawgate-plugin.toml": manifest(plugin, package, **more),
        f"{package}/__init__.py": code.replace("{id}", plugin),
    }
    return write_files(folder, files)


def wheel(path: Path, files: Mapping[str, str | bytes], *, modes: Mapping[str, int] | None = None) -> Path:
    """A zip with these members; ``modes``: Unix modes of some of them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, 0o100644) << 16
            archive.writestr(info, text)
    path.write_bytes(content.getvalue())
    return path


def sample_wheel(folder: Path, plugin: str = "sample", metadata: str = "") -> Path:
    """A wheel with the manifest as package data."""
    package = unique()
    return wheel(
        folder / f"{package}-1.0-py3-none-any.whl",
        {
            f"{package}/__init__.py": BODY.replace("{id}", plugin),
            f"{package}/clawgate-plugin.toml": manifest(plugin, package),
            f"{package}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n{metadata}\n",
            f"{package}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{package}-1.0.dist-info/RECORD": "",
        },
    )


@contextmanager
def imports_undone() -> Iterator[None]:
    """What is imported within is forgotten, and the import path is as it was."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.startswith(("sample_", "house_")):
                del sys.modules[name]
