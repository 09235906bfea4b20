"""What does a plugin say about itself, before any of its code has run? Reads ``clawgate-plugin.toml``; runs nothing.

What stands here is shown to a person who decides whether the code may run, so it is short, printable and complete: a
plugin that registers something else is not loaded (`plugins.host.loader`).
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

from clawgate.plugins.api import API_VERSION
from clawgate.settings.problems import worded

FILE_NAME = "clawgate-plugin.toml"
_MOST_BYTES = 65_536
_ID = re.compile(r"[a-z0-9](?:-?[a-z0-9]){0,62}\Z")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z", re.ASCII)
_BUILT_IN = frozenset({"openai", "anthropic", "custom"})
"""Providers that clawgate has itself, and what the wizard says for one without a name; no plugin's may be one."""
OWN_COMMANDS = frozenset(
    {"gateway", "models", "plugins", "config", "route", "logs", "doctor", "bridge", "server"}
)
"""A plugin's command of such a name could never be asked for."""

Kind = Literal["service", "provider", "command"]


class ManifestInvalid(Exception):
    """The manifest cannot be used; the text says why, in one line."""


def _id(value: str) -> str:
    if not _ID.match(value):
        raise ValueError("must be up to 63 small letters, digits and single dashes")
    return value


def _provider(value: str) -> str:
    if value in _BUILT_IN:
        raise ValueError(f"'{value}' is built into clawgate, and no plugin may stand in for it")
    return _id(value)


def _command(value: str) -> str:
    if value in OWN_COMMANDS:
        raise ValueError(f"'{value}' is a command of clawgate itself; name yours otherwise")
    return _id(value)


def _line(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("must be one line of printable text")
    return value.strip()


def _module(value: str) -> str:
    if not _MODULE.match(value):
        raise ValueError("must look like package.module:plugin")
    top = value.partition(":")[0].partition(".")[0]
    if top in sys.stdlib_module_names or top in {"pydantic", "site", "sitecustomize", "usercustomize"}:
        raise ValueError(f"'{top}' is the name of a module that is there already; name yours otherwise")
    return value


Id = Annotated[str, AfterValidator(_id)]
ProviderId = Annotated[str, AfterValidator(_provider)]
CommandName = Annotated[str, AfterValidator(_command)]
Line = Annotated[str, Field(max_length=300), AfterValidator(_line)]


class Manifest(BaseModel):
    """``registers``, ``providers`` and ``commands`` are all that the plugin may register; ``config`` is a summary of
    its settings for people, from key to description. ``module`` is where its code is: ``package.module:plugin``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    name: Line
    version: Annotated[str, Field(max_length=64), AfterValidator(_line)]
    description: Line
    requires_api: StrictInt
    module: Annotated[str, Field(max_length=200), AfterValidator(_module)]
    registers: tuple[Kind, ...]
    providers: tuple[ProviderId, ...] = ()
    commands: tuple[CommandName, ...] = ()
    config: dict[Line, Line] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _kinds_and_names(self) -> Manifest:
        for kind, named in (("provider", self.providers), ("command", self.commands)):
            if (kind in self.registers) != bool(named):
                raise ValueError(
                    f"'registers' and '{kind}s' have to say the same: name each one in {kind}s = [...]"
                )
        if not self.registers:
            raise ValueError("'registers' is empty, so there would be nothing to load")
        return self

    @property
    def package(self) -> str:
        """The top of ``module``: what has to be found to load it."""
        return self.module.partition(":")[0].partition(".")[0]

    def why_not_here(self) -> str | None:
        """Why this clawgate cannot load it, as far as its manifest tells."""
        if self.requires_api == API_VERSION:
            return None
        other = "a newer clawgate" if self.requires_api > API_VERSION else "an older clawgate"
        return (
            f"it is made for plugin API {self.requires_api}, and this clawgate has {API_VERSION}: "
            f"it needs {other}, or another version of the plugin"
        )


def read_manifest(path: Path) -> Manifest:
    """The manifest at ``path``. Raises `ManifestInvalid` with everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ManifestInvalid(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise ManifestInvalid(f"{path.name} is larger than {_MOST_BYTES} bytes")
    try:
        return parse_manifest(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise ManifestInvalid(f"{path.name} is not UTF-8 text") from None


def parse_manifest(text: str) -> Manifest:
    """As `read_manifest`, for a text."""
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ManifestInvalid(f"{FILE_NAME} is no TOML: {_shown(str(error))}") from None
    try:
        return Manifest.model_validate(found)
    except ValidationError as error:
        problems = []
        for detail in error.errors(include_url=False):
            place = ".".join(map(str, detail["loc"])) or "manifest"
            problems.append(f"{place} {_shown(worded(detail))}")
        raise ManifestInvalid(f"{FILE_NAME}: {'; '.join(map(_shown, problems[:8]))}") from None


def _shown(text: str) -> str:
    return text[:300] if text.isprintable() else ascii(text)[1:-1][:300]


def find_manifest(folder: Path) -> Path:
    """Where a source tree has its manifest: at its top, or in its one package, below ``src`` or not.

    Raises `ManifestInvalid` where there is none, or more than one.
    """
    top = folder / FILE_NAME
    if top.is_file():
        return top
    found = sorted([*folder.glob(f"src/*/{FILE_NAME}"), *folder.glob(f"*/{FILE_NAME}")])
    if len(found) == 1:
        return found[0]
    if found:
        raise ManifestInvalid(f"there is more than one {FILE_NAME}; a plugin has one")
    raise ManifestInvalid(f"there is no {FILE_NAME} at its top or in its package")


def import_root(folder: Path, manifest_file: Path, manifest: Manifest) -> Path:
    """The part of ``folder`` that belongs on the import path. Raises `ManifestInvalid` where the code is not."""
    beside = manifest_file.parent
    for root in (beside, beside / "src", beside.parent):
        if root != folder and folder not in root.parents:
            continue
        if (root / manifest.package / "__init__.py").is_file() or (root / f"{manifest.package}.py").is_file():
            return root
    raise ManifestInvalid(
        f"module names the package '{manifest.package}', and there is no {manifest.package}/__init__.py "
        f"and no {manifest.package}.py in it"
    )
