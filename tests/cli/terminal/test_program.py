"""What is printed to be copied works in another shell: the name if that finds this installation, else its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.terminal.program import local_curl, names_proxy, program


def installed(folder: Path) -> Path:
    path = folder / "bin" / "clawgate"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_name_is_enough_where_another_shell_finds_it(tmp_path: Path) -> None:
    path = installed(tmp_path / "usr")
    assert program(str(path), {"PATH": str(path.parent)}) == "clawgate"
    (tmp_path / "link").symlink_to(path)
    assert program(str(path), {"PATH": f"/nowhere:{path.parent}"}) == "clawgate"


@pytest.mark.parametrize("activated", [True, False])
def test_a_virtual_environment_is_named_by_its_path(activated: bool, tmp_path: Path) -> None:
    """Also one that is activated here: the other shell has not activated it."""
    path = installed(tmp_path / "my venv")
    environment = (
        {"PATH": str(path.parent), "VIRTUAL_ENV": str(tmp_path / "my venv")} if activated else {"PATH": "/x"}
    )
    assert program(str(path), environment) == f"'{path}'"


def test_another_installation_of_that_name_is_not_meant(tmp_path: Path) -> None:
    ours, theirs = installed(tmp_path / "ours"), installed(tmp_path / "theirs")
    assert program(str(ours), {"PATH": str(theirs.parent)}) == str(ours)
    assert (
        program(str(tmp_path / "gone" / "clawgate"), {"PATH": str(theirs.parent)})
        == f"{tmp_path}/gone/clawgate"
    )


def test_a_module_is_run_with_its_python() -> None:
    assert (
        program("/x/clawgate/__main__.py", {"PATH": "/x"}, "/opt/my python") == "'/opt/my python' -m clawgate"
    )


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_curl_sends_to_this_machine_past_a_proxy_of_the_environment(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert not names_proxy() and local_curl() == "curl"
    monkeypatch.setenv(variable, "http://proxy.example:3128")
    assert names_proxy() and local_curl() == "curl --noproxy '*'"
