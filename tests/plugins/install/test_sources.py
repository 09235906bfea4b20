"""Where a plugin comes from, and that nothing of it runs on the way. pip and git are the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from clawgate.plugins.install.sources import fetch, own_environment, parse_source
from clawgate.plugins.install.unpack import SourceRejected
from tests.plugins.samples import plugin_folder, sample_wheel, write_files


def environment(**more: str) -> dict[str, str]:
    """What pip and git need, and nothing of this user's settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **more,
    }


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@t.test", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *who, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("some-plugin", "pypi", "package index, some-plugin"),
        ("some_plugin==1.0.2", "pypi", "package index, some_plugin==1.0.2"),
        ("https://git.test/x.git", "git", "git https://git.test/x.git"),
        ("git+https://me:canary@git.test/x.git#v1", "git", "git https://git.test/x.git"),
        ("git@git.test:me/x.git", "git", "git git@git.test:me/x.git"),
        ("ssh://git.test/x", "git", "git ssh://git.test/x"),
    ],
)
def test_what_is_meant(text: str, kind: str, name: str) -> None:
    source = parse_source(text)
    assert (source.kind, source.name) == (kind, name)


@pytest.mark.parametrize(
    "text",
    [
        "./nowhere", "/nowhere/at/all", "", "-e", "--index-url=x", "a b", "x>=1", "x[extra]", "x @ https://a.test/x.whl",
        "http://git.test/x.git", "ext::sh -c touch% /tmp/x", "git+ext::sh", "file:/x", "https://git.test/x.git#-x",
        "git+https://git.test/x y", "ftp://x", "nowhere.whl", "x.tar.gz",
    ],
)  # fmt: skip
def test_what_nobody_means_is_refused(text: str) -> None:
    with pytest.raises(SourceRejected):
        parse_source(text)


def test_a_refused_url_is_shown_without_its_password() -> None:
    with pytest.raises(SourceRejected) as caught:
        parse_source("http://me:canary@git.test/x.git")
    assert "canary" not in str(caught.value)


def test_a_folder_and_a_wheel_are_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is there is meant, also where an index may have a package of its name."""
    plugin_folder(tmp_path / "mine")
    path = sample_wheel(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert parse_source("mine").kind == "folder" and parse_source("./mine").location == str(tmp_path / "mine")
    assert parse_source(path.name).kind == "wheel"


@pytest.mark.parametrize("name", ["x-1.0.tar.gz", "x.zip"])
def test_a_source_archive_is_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(SourceRejected, match="unpack it and use its folder, or use a wheel"):
        parse_source(str(tmp_path / name))


def test_a_folder_and_a_wheel_are_fetched(tmp_path: Path) -> None:
    for number, source in enumerate((plugin_folder(tmp_path / "mine"), sample_wheel(tmp_path))):
        into = tmp_path / f"into{number}"
        into.mkdir()
        found = fetch(parse_source(str(source)), into, {})
        assert list(found.tree.rglob("clawgate-plugin.toml")) and len(found.digest) == 64


def test_a_wheel_that_needs_more_than_is_there_is_refused_with_the_way_out(tmp_path: Path) -> None:
    needs = (
        "Requires-Dist: pydantic>=2\nRequires-Dist: no-such-package (>=1)\nRequires-Dist: other; extra == 'x'"
    )
    path = sample_wheel(tmp_path, metadata=needs)
    (tmp_path / "into").mkdir()
    with pytest.raises(SourceRejected) as caught:
        fetch(parse_source(str(path)), tmp_path / "into", {})
    assert "missing packages: no-such-package>=1. A plugin" in str(caught.value) and "pip install" in str(
        caught.value
    )


def from_index(folder: Path, name: str, more: Mapping[str, str]) -> Path:
    (folder / "into").mkdir()
    return fetch(parse_source(name), folder / "into", environment(**more)).tree


def test_a_name_gets_the_wheel_from_the_users_index(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    path = sample_wheel(tmp_path / "wheels")
    name = path.name.partition("-")[0]
    tree = from_index(tmp_path, name, {"PIP_FIND_LINKS": str(tmp_path / "wheels")})
    assert (tree / name / "clawgate-plugin.toml").is_file()


def test_a_source_archive_on_the_index_is_never_built(tmp_path: Path) -> None:
    """What builds it would leave a mark, and needs nothing that is not in it."""
    import tarfile

    mark = tmp_path / "mark"
    system = '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    info = "Metadata-Version: 2.1\nName: evilplugin\nVersion: 1.0\n"
    folder = write_files(
        tmp_path / "sdist" / "evilplugin-1.0",
        {"pyproject.toml": system, "evil.py": f"open({str(mark)!r}, 'w').close()\n", "PKG-INFO": info},
    )
    (tmp_path / "wheels").mkdir()
    with tarfile.open(tmp_path / "wheels" / "evilplugin-1.0.tar.gz", "w:gz") as archive:
        archive.add(folder, "evilplugin-1.0")
    with pytest.raises(
        SourceRejected, match=r"found no wheel of 'evilplugin'.*a source archive is never built here"
    ):
        from_index(tmp_path, "evilplugin", {"PIP_FIND_LINKS": str(tmp_path / "wheels")})
    assert not mark.exists()


def test_a_python_without_pip_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(SourceRejected, match="this Python has no pip"):
        from_index(tmp_path, "some-plugin", {})


def repository(folder: Path) -> tuple[Path, str]:
    plugin_folder(folder)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "branch", "v1")
    commit = git(folder, "rev-parse", "HEAD")
    write_files(folder, {"later.txt": ""})
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "second")
    return folder, commit


def test_a_git_repository_is_cloned_at_the_branch_that_was_asked_for(tmp_path: Path) -> None:
    folder, commit = repository(tmp_path / "repository")
    (tmp_path / "into").mkdir()
    found = fetch(parse_source(f"file://{folder}#v1"), tmp_path / "into", environment())
    assert (
        found.revision == commit
        and not (found.tree / "later.txt").exists()
        and not (found.tree / ".git").exists()
    )


def test_links_in_a_repository_are_refused(tmp_path: Path) -> None:
    folder = plugin_folder(tmp_path / "repository")
    (folder / "link").symlink_to("/etc/passwd")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "x")
    (tmp_path / "into").mkdir()
    with pytest.raises(SourceRejected, match="'link' is a link"):
        fetch(parse_source(f"git+file://{folder}"), tmp_path / "into", environment())


def test_what_git_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    with pytest.raises(
        SourceRejected, match=r"git could not get git file:///nowhere: fatal: .*(not appear to be|not exist)"
    ):
        fetch(parse_source("file:///nowhere"), tmp_path / "into", environment())
    with pytest.raises(SourceRejected, match="git is not installed"):
        fetch(parse_source("file:///nowhere"), _fresh(tmp_path), environment(PATH="/nonexistent"))


def _fresh(folder: Path) -> Path:
    (folder / "fresh").mkdir()
    return folder / "fresh"


def test_pip_and_git_do_not_see_the_gateways_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENCLAW_GATEWAY_TOKEN",
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "PROXY_BRIDGE_TOKEN",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.test")
    found = own_environment()
    assert "canary" not in found.values() and found["PIP_INDEX_URL"] == "https://index.test"
