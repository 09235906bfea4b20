"""A requirement counts with its version, its extras and its markers, and so does the Python that a plugin needs."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from clawgate.plugins.install.requirements import unmet_requirements

CLICK = version("click")
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def unmet(folder: Path, *lines: str) -> list[str]:
    info = folder / "sample-1.0.dist-info"
    info.mkdir(parents=True)
    head = "\n".join(["Metadata-Version: 2.4", "Name: sample", "Version: 1.0", *lines])
    (info / "METADATA").write_text(f"{head}\n\nRequires-Dist: not-a-header\n", encoding="utf-8")
    return unmet_requirements(folder)


@pytest.mark.parametrize(
    "requirement",
    [
        "click", "Click>=8", "click (>=8)", "click>=8,<1000", f"click=={CLICK}", "click ; python_version >= '3.8'",
        "no-such-package; python_version < '3'", "no-such-package; sys_platform == 'none'",
        "no-such-package; extra == 'docs'", "click @ https://files.test/click.whl", "click>=8;\n python_version>'3'",
    ],
)  # fmt: skip
def test_a_requirement_that_is_met_or_does_not_count_is_not_reported(
    requirement: str, tmp_path: Path
) -> None:
    assert unmet(tmp_path, f"Requires-Dist: {requirement}") == []


@pytest.mark.parametrize(
    ("requirement", "reported"),
    [
        ("no-such-package", "no-such-package"),
        ("no-such-package (>=1)", "no-such-package>=1"),
        ("no-such-package>=1; python_version >= '3.8'", "no-such-package>=1"),
        ("click>=1000", f"click>=1000 ({CLICK} is installed)"),
        ("click<8", f"click<8 ({CLICK} is installed)"),
        ("click!=" + CLICK, f"click!={CLICK} ({CLICK} is installed)"),
        ("click>=1000; extra != 'docs'", f"click>=1000 ({CLICK} is installed)"),
        ("two words", "'two words' is not a requirement"),
    ],
)
def test_a_requirement_that_is_not_met_is_reported_with_what_is_installed(
    requirement: str, reported: str, tmp_path: Path
) -> None:
    assert unmet(tmp_path, f"Requires-Dist: {requirement}") == [reported]


def test_an_extra_counts_with_what_it_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also an extra of an extra, and two that refer to each other."""
    site = tmp_path / "site"
    info = site / "withextras-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: withextras\nVersion: 1.0\n"
        "Provides-Extra: more\nProvides-Extra: all\n"
        "Requires-Dist: no-such-base\n"
        'Requires-Dist: no-such-addition>=2; extra == "more"\n'
        'Requires-Dist: withextras[more, all]; extra == "all"\n'
    )
    monkeypatch.syspath_prepend(str(site))
    assert unmet(tmp_path / "a", "Requires-Dist: withextras[all]") == ["no-such-addition>=2"]
    assert unmet(tmp_path / "b", "Requires-Dist: withextras") == []


@pytest.mark.parametrize(("needed", "is_met"), [(f">={THIS}", True), (">=99", False), ("<3", False)])
def test_the_python_that_it_needs_counts(needed: str, is_met: bool, tmp_path: Path) -> None:
    found = unmet(tmp_path, f"Requires-Python: {needed}")
    assert found == [] if is_met else found[0].startswith(f"Python {needed} (this is {THIS}.")


def test_each_is_reported_once_and_no_control_character_is_shown(tmp_path: Path) -> None:
    twice = ["Requires-Dist: no-such-package", "Requires-Dist: no-such-package"]
    assert unmet(tmp_path, *twice, "Requires-Dist: bad\x1b[31m name") == [
        "no-such-package",
        "'bad\\x1b[31m name' is not a requirement",
    ]
