"""What pyproject.toml allows is above every advisory that is known for it, and what is locked is allowed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
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


@pytest.mark.parametrize(("group", "lock"), [("run", "run"), ("run", "all"), ("run", "dev"), ("dev", "dev")])
def test_the_locked_version_is_one_that_the_project_allows(group: str, lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, flags=re.MULTILINE))
    for one in requirements(group):
        name = canonicalize_name(one.name)
        assert name in pins and one.specifier.contains(pins[name], prereleases=True), (
            f"{one}: run scripts/lock"
        )


def table_of_dependencies() -> set[str]:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, flags=re.MULTILINE))


def test_the_page_of_dependencies_and_the_sbom_list_what_the_lock_installs() -> None:
    """At most 40 packages with clawgate itself, each with its reason; those that build the wheel are not among them."""
    command = [sys.executable, str(ROOT / "scripts" / "sbom")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(printed) is None
    sbom = json.loads(printed)
    names = {one["name"] for one in sbom["components"]}
    assert all(one["externalReferences"][0]["hashes"] and one["licenses"] for one in sbom["components"])
    assert table_of_dependencies() == names
    count = len(names) + 1
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert f"`pip install clawgate` installs {count} packages" in page and count <= 40
    assert "uvicorn" in names and "hatchling" not in names


def test_the_sbom_says_which_package_needs_which() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "sbom")]
    sbom = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    needs = {one["ref"].partition("@")[0]: one["dependsOn"] for one in sbom["dependencies"]}
    assert [one.partition("@")[0] for one in needs["pkg:pypi/rich"]] == [
        "pkg:pypi/markdown-it-py",
        "pkg:pypi/pygments",
    ]
    direct = {canonicalize_name(one.name) for one in requirements("run")}
    assert {one.partition("@")[0].removeprefix("pkg:pypi/") for one in needs["pkg:pypi/clawgate"]} == direct


@pytest.mark.parametrize("extra", PROJECT["project"]["optional-dependencies"])
def test_every_extra_is_locked_for_the_image(extra: str) -> None:
    """The image installs extras without an index, from what all.lock names."""
    text = (ROOT / "requirements" / "all.lock").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, flags=re.MULTILINE))
    for one in map(Requirement, PROJECT["project"]["optional-dependencies"][extra]):
        name = canonicalize_name(one.name)
        assert name in pins and one.specifier.contains(pins[name], prereleases=True), (
            f"{one}: run scripts/lock"
        )
