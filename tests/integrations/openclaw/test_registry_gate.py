"""ClawHub's own gate accepts the packages.

Skipped without it: `npm install clawhub@0.23.3` somewhere, set CLAWGATE_TEST_CLAWHUB to its package folder, and let it
reach npm's registry, from which it takes the host's own package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ROOT / "integrations" / "openclaw"
NAMES = ("proxy-bridge", "anthropic-claude-proxy", "owl")
CLAWHUB = Path(os.environ.get("CLAWGATE_TEST_CLAWHUB", "/nonexistent"))
HOST = "2026.9.6"
pytestmark = pytest.mark.skipif(
    not CLAWHUB.is_dir(), reason="CLAWGATE_TEST_CLAWHUB does not name the folder of an installed ClawHub"
)


def clawhub(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["node", str(CLAWHUB / "bin" / "clawdhub.js"), "package", *words],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("package", NAMES)
def test_a_package_has_no_finding(tmp_path: Path, package: str) -> None:
    folder = shutil.copytree(PACKAGES / package, tmp_path / package)
    words = ("validate", str(folder), "--openclaw-version", HOST, "--runtime", "--allow-execute")
    shown = clawhub(tmp_path, *words)
    for line in ("Plugin Inspector: PASS", "Breakages: 0", "Warnings: 0", "Findings: none"):
        assert line in shown


@pytest.mark.parametrize("package", NAMES)
def test_a_package_could_be_published(tmp_path: Path, package: str) -> None:
    source = ("--source-repo", "clawgate/clawgate", "--source-commit", "0" * 40)
    plan = json.loads(clawhub(tmp_path, "publish", str(PACKAGES / package), "--dry-run", "--json", *source))
    assert plan["name"] == package
