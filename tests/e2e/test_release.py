"""What scripts/build makes of a commit, and what it does where nothing else is installed.

pip is tried wherever its index can be reached; pipx and uv where they are on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate import __version__
from demo.models import openai_server as model
from demo.models.openai_server import build_model
from tests.e2e.gateway_stand import CHAT, CHAT_KEY, GATEWAY_TOKEN, chat_provider, config_of, write_config
from tests.e2e.processes import ROOT, post_chat, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / ".git").exists() or shutil.which("git") is None, reason="this is no clone"
    ),
]
NAME = f"clawgate-{__version__}"
VARIABLES = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CLAWGATE"))}


def build(folder: Path, **more: str) -> Path:
    command = [ROOT / "scripts" / "build", folder]
    variables = os.environ | {"CLAWGATE_VENV": sys.prefix} | more
    subprocess.run(command, check=True, capture_output=True, env=variables, timeout=120)
    return folder


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("release") / "dist")


def committed(*folders: str) -> set[str]:
    command = ["git", "ls-tree", "-r", "--name-only", "HEAD", *folders]
    return set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split())


def test_the_wheel_has_the_package_the_licence_and_nothing_else(dist: Path) -> None:
    """Every committed file below src/clawgate, so with the manifests of plugins and the migrations."""
    with zipfile.ZipFile(dist / f"{NAME}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
    info = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert names == {name.removeprefix("src/") for name in committed("src/clawgate")} | {
        f"{NAME}.dist-info/{name}" for name in info
    }
    assert {"clawgate/py.typed", "clawgate/bundled/owl/clawgate-plugin.toml"} <= names


def test_the_sdist_has_what_the_wheel_is_built_of(dist: Path) -> None:
    with tarfile.open(dist / f"{NAME}.tar.gz") as sdist:
        names = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}
    expected = committed("src", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", ".gitignore")
    assert names == expected | {"PKG-INFO"}


def test_the_same_commit_gives_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    """Whatever the umask, the locale and the time zone."""
    before = os.umask(0o077)
    try:
        again = build(tmp_path / "dist", TZ="Asia/Tokyo", LC_ALL="C", SOURCE_DATE_EPOCH="1")
    finally:
        os.umask(before)
    assert (again / "SHA256SUMS").read_text() == (dist / "SHA256SUMS").read_text()
    assert len(list(dist.iterdir())) == 4


@pytest.fixture(scope="module", params=["pip", "pipx", "uv"])
def program(request: pytest.FixtureRequest, dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `clawgate`, installed into an empty environment."""
    folder = tmp_path_factory.mktemp(request.param)
    wheel = dist / f"{NAME}-py3-none-any.whl"
    tools = {"PIPX_HOME": "home", "PIPX_BIN_DIR": "bin", "UV_TOOL_DIR": "home", "UV_TOOL_BIN_DIR": "bin"}
    variables = VARIABLES | {name: str(folder / part) for name, part in tools.items()}
    if request.param == "pip":
        venv.create(folder, with_pip=True)
        command = [str(folder / "bin" / "pip"), "install", "--quiet"]
    else:
        if (installer := shutil.which(request.param)) is None:
            pytest.skip(f"there is no {request.param}")
        command = [installer, *(["tool"] if request.param == "uv" else []), "install"]
    done = subprocess.run(
        [*command, wheel], check=False, capture_output=True, text=True, env=variables, timeout=240
    )
    if "No matching distribution" in done.stderr or "Could not find a version" in done.stderr:
        pytest.skip(f"no index that has the dependencies: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "clawgate"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder with one provider, the built-in model on this machine."""
    state = tmp_path / ".openclaw"
    state.mkdir(mode=0o700)
    with model.running(build_model(api_key=CHAT_KEY)) as url:
        write_config(state / "openclaw.json", config_of({CHAT: chat_provider(url)}))
        yield tmp_path


def test_the_installed_command_names_its_version_and_streams(program: Path, home: Path) -> None:
    variables = {"HOME": str(home), "PATH": "/usr/bin:/bin"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=variables,
            cwd=home,
            timeout=60,
        )

    assert run("--version").stdout == f"clawgate {__version__}\n"
    doctor = run("doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    with started([str(program), "gateway", "run", "--port", "0"], home / "gateway", variables) as gateway:
        status, text = post_chat(gateway.port, f"{CHAT}/gpt-4o-mini", GATEWAY_TOKEN)
    assert status == 200 and text.count("data: {") > 2 and text.endswith("data: [DONE]\n\n"), text
