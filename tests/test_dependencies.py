"""What pyproject.toml allows is above every advisory that is known for it, and what is locked is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(group: str) -> Iterator[Requirement]:
    texts = PROJECT["project"]["dependencies"] if group == "run" else PROJECT["dependency-groups"][group]
    yield from map(Requirement, texts)


@pytest.mark.parametrize(
    ("group", "name", "last_affected"),
    [("run", "click", "8.3.2"), ("run", "python-dotenv", "1.2.1"), ("dev", "aiohttp", "3.14.2")],
)
def test_no_version_with_a_known_advisory_can_be_installed(group: str, name: str, last_affected: str) -> None:
    found = next(one for one in requirements(group) if one.name == name)
    assert not found.specifier.contains(last_affected), f"{found} allows {last_affected}"


@pytest.mark.parametrize(("group", "lock"), [("run", "run"), ("run", "dev"), ("dev", "dev")])
def test_the_locked_version_is_one_that_the_project_allows(group: str, lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, flags=re.MULTILINE))
    for one in requirements(group):
        name = canonicalize_name(one.name)
        assert name in pins and one.specifier.contains(pins[name], prereleases=True), (
            f"{one}: run scripts/lock"
        )
