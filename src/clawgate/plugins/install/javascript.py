"""Recognizes JavaScript plugins of OpenClaw among the sources of an installation, and their bundled counterparts.

People come with the commands of those plugins (``openclaw plugins install @scope/name``). Nothing of such a plugin is
fetched: an npm package cannot run here, and its name on PyPI may belong to anyone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from clawgate.plugins.host.bundled import bundled_manifests
from clawgate.plugins.host.manifest import FILE_NAME
from clawgate.plugins.install.unpack import printable

_PREFIX = re.compile(r"(?:npm|clawhub|npm-pack):")
_SCOPED = re.compile(r"@[^/\s@]+/[^/\s]+\Z")
_VERSION = re.compile(r"(?:@[^@/]*|==.*|-\d[\w.+-]*\.tgz|\.tgz|\.git(?:#.*)?|#.*)\Z")
_HOST = "openclaw-"
_FILES = ("openclaw.plugin.json", "package.json")
_MAX_BYTES = 1_000_000


def rejection(source: str) -> str | None:
    """Return why ``source`` is not installed and what to run instead; None for anything but a JavaScript plugin."""
    source = source.strip()
    path = Path(source).expanduser()
    if (path / FILE_NAME).is_file():
        return None
    if (plugin := _counterpart(source, path)) is not None:
        return f"'{plugin}' comes with clawgate; run: clawgate plugins enable {plugin}"
    if _PREFIX.match(source) or _SCOPED.match(source) or any((path / name).is_file() for name in _FILES):
        return (
            f"{printable(source)} is a JavaScript package, and plugins of clawgate are Python: a folder, a wheel, "
            "a package on PyPI or a git URL; those that come with clawgate: clawgate plugins list"
        )
    return None


def counterpart(name: str) -> str | None:
    """Return the bundled plugin that has the name, or the name of whose JavaScript plugin it is."""
    known = {manifest.id for manifest in bundled_manifests()}
    plain = _VERSION.sub("", name).removeprefix(_HOST)
    return plain if plain in known else None


def _counterpart(source: str, path: Path) -> str | None:
    named = _PREFIX.sub("", source)
    last = named.rstrip("/").rpartition("/")[2]
    # A repository or folder of a plain name may hold another plugin.
    is_clear = last.startswith(_HOST) or not (":" in named or path.exists())
    if is_clear and (plugin := counterpart(last)) is not None:
        return plugin
    names = (_declared_name(path / file) for file in _FILES)
    return next((plugin for name in names if name and (plugin := counterpart(name.rpartition("/")[2]))), None)


def _declared_name(path: Path) -> str | None:
    """Return the name that a manifest of OpenClaw or npm declares; None if there is no readable one."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    name = document.get("id") or document.get("name") if isinstance(document, dict) else None
    return name if isinstance(name, str) else None
