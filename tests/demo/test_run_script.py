"""scripts/run sets up and then becomes the demo, wherever it is started from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "scripts" / "run"


def clone(folder: Path, setup: str) -> Path:
    """A folder with the real scripts/run, and a setup that only makes an interpreter which echoes.

    It has no execute bit, as after a download that was unpacked by Python's zipfile.
    """
    scripts = folder / "a clone" / "scripts"
    scripts.mkdir(parents=True)
    shutil.copy(RUN, scripts / "run")
    (scripts / "setup").write_text(f"#!/usr/bin/env bash\nset -eu\n{setup}\n")
    return scripts / "run"


FAKE = """bin=${{CLAWGATE_VENV:-{default}}}/bin; mkdir -p "$bin"
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$0" "$@"\\n' > "$bin/python"; chmod +x "$bin/python"
echo "set up $*" >&2"""


@pytest.mark.parametrize("own", [False, True])
def test_it_sets_up_and_runs(tmp_path: Path, own: bool) -> None:
    """`setup run` first, then the clone's Python (or CLAWGATE_VENV's) with the arguments as they were."""
    run = clone(tmp_path, FAKE.format(default='$(dirname "$0")/../.venv'))
    venv = tmp_path / "own" if own else run.parents[1] / ".venv"
    env = {"PATH": "/usr/bin:/bin", **({"CLAWGATE_VENV": str(venv)} if own else {})}
    done = subprocess.run(
        [run, "--once", "two words"], cwd="/", env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "set up run\n"
    assert done.stdout.splitlines() == [
        f"{venv}/bin/python",
        "-P",
        "-m",
        "demo",
        "--once",
        "two words",
    ]


def test_a_failed_setup_is_the_end(tmp_path: Path) -> None:
    """When setup fails nothing is run, and its exit code is ours."""
    run = clone(tmp_path, "exit 3")
    assert subprocess.run([run], capture_output=True, timeout=60, check=False).returncode == 3


@pytest.mark.parametrize("script", ["setup", "run", "test", "check", "bench", "lock"])
def test_a_script_that_is_started_with_sh_runs_in_bash(script: str, tmp_path: Path) -> None:
    """Where sh is not bash it goes on as bash before the first line that sh cannot read."""
    shutil.copy(RUN.with_name(script), tmp_path / script)
    (tmp_path / "bash").write_text("#!/bin/sh\necho bash $*\n")
    (tmp_path / "bash").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    sh = shutil.which("dash") or pytest.skip("sh is bash here")
    done = subprocess.run(
        [sh, tmp_path / script, "x"], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"bash {tmp_path / script} x\n" and not done.stderr
