"""Installs and removes plugins below the state folder. All or nothing; must not run code of the plugin.

`stage` brings the files and reads the manifest, so that a person can agree; `activate` installs them with one rename.
``<plugins>/<id>/installed.json`` names the folder of the active version; an upgrade replaces that one small file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clawgate.plugins.host.discovery import RECORD, DiscoveredPlugin, installed_folder
from clawgate.plugins.host.manifest import Manifest, ManifestInvalid, read_tree
from clawgate.plugins.install.sources import FetchedFiles, Source, fetch
from clawgate.plugins.install.unpack import SourceRejected

_UNSAFE = re.compile(r"[^A-Za-z0-9.+]")


@dataclass(frozen=True, slots=True)
class Staged:
    """A plugin that waits for the operator's decision. None of its code has run."""

    source: Source
    manifest: Manifest
    fetched: FetchedFiles
    folder: Path
    """A temporary one, in the file system of the final folder."""


@contextlib.contextmanager
def stage(source: Source, environment: Mapping[str, str], plugins: Path) -> Iterator[Staged]:
    """Bring a plugin to a temporary folder below ``plugins``, which is removed afterwards; `activate` moves it.

    ``environment`` is for pip and git. Raises `SourceRejected`, OSError.
    """
    plugins.mkdir(mode=0o700, exist_ok=True)
    _remove_leftovers(plugins)
    folder = plugins / f".new-{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        fetched = fetch(source, folder, environment)
        try:
            manifest, _ = read_tree(fetched.tree)
        except ManifestInvalid as error:
            raise SourceRejected(f"it is not a plugin of clawgate: {error}") from None
        if (reason := manifest.api_problem()) is not None:
            raise SourceRejected(reason)
        yield Staged(source, manifest, fetched, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def activate(new: Staged) -> Path:
    """Install a staged plugin, in place of an earlier version if there is one. Return its folder."""
    home = new.folder.parent / new.manifest.id
    tree = f"{_UNSAFE.sub('_', new.manifest.version)}-{secrets.token_hex(4)}"
    record = {
        "id": new.manifest.id,
        "version": new.manifest.version,
        "kind": new.source.kind,
        "source": new.source.name,
        "digest": f"sha256:{new.fetched.digest}",
        "revision": new.fetched.revision,
        "installed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "tree": tree,
        "description": new.manifest.description,
        "commands": list(new.manifest.commands),  # for `clawgate --help`, which must not read manifests
    }
    parcel = new.folder / "parcel"
    parcel.mkdir(mode=0o700)
    new.fetched.tree.rename(parcel / tree)
    _write(parcel / RECORD, json.dumps(record, indent=2) + "\n")
    if not home.exists():
        parcel.rename(home)
        return home / tree
    (parcel / tree).rename(home / tree)
    (parcel / RECORD).replace(home / RECORD)
    for old in home.iterdir():
        if old.name not in (tree, RECORD):
            shutil.rmtree(old, ignore_errors=True)
    return home / tree


def remove(plugin: DiscoveredPlugin, state_dir: Path) -> Path:
    """Remove an installed plugin's files; one rename hides them at once. Raises OSError."""
    plugins = installed_folder(state_dir)
    home = plugins / Path(plugin.id).name
    removed = plugins / f".gone-{os.getpid()}-{secrets.token_hex(4)}"
    home.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)
    return home


def _write(path: Path, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(file, "w", encoding="utf-8") as out:  # noqa: PTH123  # a descriptor, not a path
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


def _remove_leftovers(plugins: Path) -> None:
    """Remove what a process that has ended left behind."""
    for pattern in (".new-*", ".gone-*"):
        for folder in plugins.glob(pattern):
            pid = folder.name.split("-")[1]
            if not pid.isdigit() or not _is_running(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
