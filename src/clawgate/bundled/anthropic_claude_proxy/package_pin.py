"""Finds the package of a command that fetches its newest release at every start, such as ``bunx NAME``. Pure.

A package is pinned by an exact version behind its name; a tag such as ``latest`` or a range is none. Options are those
of bunx, npx, pnpm and yarn that take the name of the package or forbid a download.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

_RUNNERS = {
    "bunx": (), "npx": (), "pnpx": (), "uvx": (), "bun": ("x",), "npm": ("exec", "x"), "pnpm": ("dlx",),
    "yarn": ("dlx",), "pipx": ("run",), "uv": ("tool", "run"),
}  # fmt: skip
"""Each with the words before the package; of two spellings of one word any."""
_PACKAGE_OPTIONS = ("-p", "--package", "--spec", "--from")
_INSTALLED_ONLY = ("--no", "--no-install", "--offline")
_LOCAL = re.compile(r"\.{0,2}/|~/|file:|link:")
_PINNED = re.compile(r".[^@=]*(?:@|==)v?\d+\.\d+\.\d+(?:[-+.][\w.+-]+)?\Z|.*#[0-9a-f]{7,40}\Z")


def unpinned_package(command: Sequence[str]) -> str | None:
    """Return the package that ``command`` fetches anew; None if it is pinned, local, or nothing is fetched."""
    words = list(command)
    if words and PurePath(words[0]).name == "env":
        words = [word for word in words[1:] if "=" not in word]
    runner = PurePath(words[0]).name.removesuffix(".cmd").removesuffix(".exe") if words else ""
    if runner not in _RUNNERS:
        return None
    words, verbs = words[1:], _RUNNERS[runner]
    plain = [word for word in words if not word.startswith("-")]
    if verbs and (not plain or plain[0] not in verbs):
        return None
    package = _package_of(words, verbs)
    if package is None or _LOCAL.match(package) or _PINNED.match(package):
        return None
    return package


def _package_of(words: Sequence[str], verbs: Sequence[str]) -> str | None:
    plain = None
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if word in _INSTALLED_ONLY:
            return None
        if name in _PACKAGE_OPTIONS:
            return value if equals else next(iter(words[number + 1 :]), None)
        if plain is None and not word.startswith("-") and word not in verbs:
            plain = word
        if plain is not None:
            break  # what follows are arguments of the package
    return plain
