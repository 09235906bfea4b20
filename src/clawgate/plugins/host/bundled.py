"""Reads the manifests of the plugins that come with clawgate."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import clawgate
from clawgate.plugins.host.manifest import FILE_NAME, Manifest, ManifestInvalid, read_manifest


def bundled_folder() -> Path:
    return Path(clawgate.__file__).parent / "bundled"


@cache
def bundled_manifests() -> tuple[Manifest, ...]:
    """Return the manifests, sorted by folder. An invalid one is left out; discovery reports it."""
    manifests = []
    for path in sorted(bundled_folder().glob(f"*/{FILE_NAME}")):
        try:
            manifests.append(read_manifest(path))
        except ManifestInvalid:
            continue
    return tuple(manifests)


def local_providers() -> frozenset[str]:
    """Return the providers that bundled plugins serve on loopback themselves."""
    return frozenset(name for manifest in bundled_manifests() for name in manifest.local_providers)
