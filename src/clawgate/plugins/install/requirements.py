"""Checks the requirements of a plugin's wheel against what is installed: names, versions, extras, markers and Python.

A plugin is installed without its requirements, so that nothing else of this Python changes. Must not import anything of
the plugin or of a requirement: installed versions come from metadata (Core metadata specification, `Requires-Dist` and
`Requires-Python`).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from clawgate.plugins.install.unpack import printable


def unmet_requirements(tree: Path) -> list[str]:
    """Return each requirement in the metadata of an unpacked wheel that is not met, with what is there instead."""
    unmet: dict[str, None] = {}
    for path in sorted(tree.glob("*.dist-info/METADATA")):
        metadata, _ = parse_email(path.read_bytes())
        unmet |= dict.fromkeys(_unmet(metadata))
    return list(unmet)


def _unmet(metadata: RawMetadata) -> Iterator[str]:
    if (python := metadata.get("requires_python")) is not None:
        yield from _unmet_python(python)
    seen: set[tuple[str, str]] = set()
    for text in metadata.get("requires_dist", []):
        requirement = _parse(text)
        if requirement is None:
            yield f"'{printable(text)}' is not a requirement"
        elif _applies(requirement, ""):
            yield from _unmet_requirement(requirement, seen)


def _unmet_python(text: str) -> Iterator[str]:
    version = platform.python_version()
    try:
        is_met = SpecifierSet(text).contains(version, prereleases=True)
    except InvalidSpecifier:
        yield f"'{printable(text)}' is not a range of Python versions"
        return
    if not is_met:
        yield f"Python {text} (this is {version})"


def _unmet_requirement(requirement: Requirement, seen: set[tuple[str, str]]) -> Iterator[str]:
    """``seen``: names and extras that were followed already; they may refer to each other."""
    name, specifier = requirement.name, requirement.specifier
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        yield f"{name}{specifier}"
        return
    if not specifier.contains(installed.version, prereleases=True):
        yield f"{name}{specifier} ({installed.version} is installed)"
        return
    for extra in sorted(requirement.extras):
        if (name, extra) not in seen:
            seen.add((name, extra))
            yield from _unmet_of_extra(installed, extra, seen)


def _unmet_of_extra(installed: Distribution, extra: str, seen: set[tuple[str, str]]) -> Iterator[str]:
    """What an extra adds to a package that is installed, perhaps without it."""
    for requirement in map(_parse, installed.requires or ()):
        if requirement is not None and _applies(requirement, extra) and not _applies(requirement, ""):
            yield from _unmet_requirement(requirement, seen)


def _parse(text: str) -> Requirement | None:
    try:
        return Requirement(" ".join(text.split()))  # a long one may be folded into several lines
    except InvalidRequirement:
        return None


def _applies(requirement: Requirement, extra: str) -> bool:
    """Return whether it counts for this Python and machine; ``extra`` is "" for the package without one."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
