"""The Dockerfile: what it says, and the image that comes of it, built and run in a Debian root folder without Docker.

`tests.deploy.debian` makes that root, of the release that the Dockerfile names.
"""

from __future__ import annotations

import os
import shutil
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.container import VOLUME, Builder, Container, Image, container
from tests.deploy.debian import debian_root, why_no_debian
from tests.deploy.dockerfile import EXEC_FORMS, pairs, read
from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY
from tests.test_references import parse

ROOT = Path(__file__).parents[2]
FILE = read(ROOT / "deploy" / "Dockerfile")
TARGETS = ("server", "gateway")
SECRETS = {
    "OPENAI_API_KEY": OPENAI_KEY,
    "OPENAI_PROXY_TOKEN": CLIENT_TOKEN,
    "OPENCLAW_GATEWAY_TOKEN": f"{CLIENT_TOKEN}-gateway",
}
CONFIG = ROOT / "deploy" / "config"

builds = pytest.mark.skipif(bool(why_no_debian()), reason=why_no_debian())


@pytest.mark.parametrize("word", sorted(EXEC_FORMS))
@pytest.mark.parametrize("target", TARGETS)
def test_what_a_container_runs_has_no_shell_and_is_a_command_that_exists(target: str, word: str) -> None:
    words = FILE.command(target, word)
    if word == "ENTRYPOINT":
        assert words == ["clawgate"]
    else:
        parse(words if word == "CMD" else words[1:])


def test_the_server_is_what_is_built_without_a_target() -> None:
    assert FILE.stages[-1].name == "server"


@pytest.mark.parametrize("target", TARGETS)
def test_the_user_is_a_number_and_not_root(target: str) -> None:
    """Kubernetes refuses a name for runAsNonRoot."""
    user, group = FILE.last(target, "USER").split(":")
    assert int(user) > 0 and int(group) > 0


def test_what_is_copied_is_sent_to_the_builder_and_nothing_else_is() -> None:
    sent = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    build = next(stage for stage in FILE.stages if stage.name == "build")
    copied = [name for word, text in build.steps if word == "COPY" for name in text.split()[:-1]]
    assert sorted(f"!{name}" for name in copied) == sorted(line for line in sent if line.startswith("!"))
    assert sent[0] == "*" and all((ROOT / name).exists() for name in copied)


def test_the_extras_that_are_chosen_exist_and_are_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    build = next(stage for stage in FILE.stages if stage.name == "build")
    chosen = next(pairs(text)["EXTRAS"] for word, text in build.steps if word == "ARG")
    assert set(chosen.split(",")) <= set(project["optional-dependencies"])
    assert any("--require-hashes -r requirements/all.lock" in text for _, text in build.steps)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    work = tmp_path_factory.mktemp("images")
    release = FILE.arguments["DEBIAN"].removeprefix("debian:").removesuffix("-slim")
    base = debian_root("image", suite=release)
    yield Builder(FILE, ROOT, base, work, {"EXTRAS": "postgres"})
    shutil.rmtree(work)  # some hundred megabytes


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """As Docker makes one: with the mode of the image's folder."""
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def image_of(images: Builder, target: str) -> tuple[Image, list[str]]:
    return images.build(target), FILE.command(target, "ENTRYPOINT") + FILE.command(target, "CMD")


def runs_and_is_healthy(running: Container, target: str) -> None:
    running.wait_for("listening on")
    found = running.execute(*FILE.command(target, "HEALTHCHECK"))
    assert found.returncode == 0, found.stdout + found.stderr


@builds
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("user", [65532, 1_000_830_000])
def test_it_serves_as_any_user_with_a_read_only_root_and_is_healthy(
    images: Builder, target: str, user: int, volume: Path, tmp_path: Path
) -> None:
    image, command = image_of(images, target)
    with container(
        image, volume, tmp_path / "log", *command, user=user, env=SECRETS, config=CONFIG
    ) as running:
        runs_and_is_healthy(running, target)
        assert running.execute("sh", "-c", "touch /opt/x || touch /x || touch /usr/x").returncode != 0
        os.kill(running.pid, signal.SIGTERM)
        assert running.popen.wait(120) == 0
    assert "Traceback" not in running.text
    assert not any(secret in running.text for secret in SECRETS.values())


@builds
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", TARGETS)
def test_one_that_was_killed_is_followed_by_another_on_its_volume(
    images: Builder, target: str, volume: Path, tmp_path: Path
) -> None:
    """Each is process 1: what the first left behind must not pass for one that runs."""
    image, command = image_of(images, target)
    for number in range(3):
        with container(
            image, volume, tmp_path / f"log{number}", *command, user=54321, env=SECRETS, config=CONFIG
        ) as running:
            runs_and_is_healthy(running, target)


@builds
@pytest.mark.timeout(900)
def test_the_config_of_the_compose_file_serves_agents_to_a_user_who_does_not_own_it(
    images: Builder, volume: Path, tmp_path: Path
) -> None:
    image, command = image_of(images, "gateway")
    env = {**SECRETS, "OPENCLAW_CONFIG_PATH": "/mnt/openclaw.json"}
    with container(image, volume, tmp_path / "log", *command, user=54321, env=env, config=CONFIG) as running:
        runs_and_is_healthy(running, "gateway")
        found = running.execute("clawgate", "doctor")
        assert found.returncode == 0 and "0 error(s)" in found.stdout, found.stdout + found.stderr
        found = running.execute("clawgate", "config", "set", "gateway.port", "1")
        assert found.returncode == 1 and "Read-only file system; nothing was changed" in found.stderr


@builds
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", TARGETS)
def test_a_container_that_does_not_serve_is_unhealthy(
    images: Builder, target: str, volume: Path, tmp_path: Path
) -> None:
    image, _ = image_of(images, target)
    with container(
        image, volume, tmp_path / "log", "sleep", "60", user=54321, env=SECRETS, config=CONFIG
    ) as running:
        found = running.execute(*FILE.command(target, "HEALTHCHECK"))
        assert found.returncode == 1 and "Traceback" not in found.stderr


@builds
@pytest.mark.timeout(900)
def test_nothing_to_build_with_is_in_the_image(images: Builder) -> None:
    root = images.build("server").root
    names = {
        path.name for folder in ("bin", "usr/bin", "opt/clawgate/bin") for path in (root / folder).iterdir()
    }
    assert not names & {"pip", "pip3", "gcc", "cc", "make", "git", "curl", "wget"}
    assert not [
        *root.glob("**/site-packages/pip"),
        *root.glob("**/dist-packages/pip"),
        *root.glob("**/ensurepip"),
    ]
    assert not [*root.glob("**/*.whl")] and (root / VOLUME).stat().st_mode & 0o7777 == 0o1777


@builds
@pytest.mark.timeout(900)
def test_every_module_is_compiled_since_nothing_can_be_written_later(images: Builder) -> None:
    """Else every start, and every health check, compiles them again."""
    for package in images.build("server").root.glob("opt/clawgate/lib/*/site-packages/clawgate"):
        modules = {path.stem for path in package.glob("*.py")}
        assert modules == {path.name.partition(".")[0] for path in package.glob("__pycache__/*.pyc")}
        break
    else:
        pytest.fail("clawgate is not installed")


@builds
@pytest.mark.timeout(900)
def test_only_the_extras_that_were_chosen_are_installed(images: Builder) -> None:
    root = images.build("server").root
    installed = {
        path.name.partition("-")[0] for path in root.glob("opt/clawgate/lib/*/site-packages/*.dist-info")
    }
    assert "asyncpg" in installed and not installed & {"mcp", "pillow", "trafilatura", "hatchling"}
