from __future__ import annotations

from pathlib import Path

import click
import pytest

from clawgate.cli import hosted
from clawgate.cli.hosted import Host, claim, find_hosted, host_of

HOST = Host("http://127.0.0.1:18789", "an-instance")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    return tmp_path


def test_a_hosted_process_is_found_with_its_host_and_the_id_that_it_was_given(state: Path) -> None:
    held = claim(HOST, "proxy-bridge", None)
    found = find_hosted(state / "clawgate", "proxy-bridge")
    held.release()
    assert found is not None
    assert (found.url, found.instance) == (HOST.url, HOST.instance)
    assert find_hosted(state / "clawgate", "proxy-bridge") is None


def test_plugins_do_not_find_each_others_processes(state: Path) -> None:
    held = claim(HOST, "proxy-bridge", None)
    assert find_hosted(state / "clawgate", "anthropic-claude-proxy") is None
    held.release()


def test_a_second_process_of_the_same_plugin_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = claim(HOST, "proxy-bridge", None)
    with pytest.raises(SystemExit) as exit_:
        claim(HOST, "proxy-bridge", None)
    held.release()
    assert exit_.value.code == 1
    assert "proxy-bridge runs already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "instance"), [("http://127.0.0.1:1", None), (None, "a"), ("http://127.0.0.1:1", "a b")]
)
def test_half_a_host_is_a_usage_error(url: str | None, instance: str | None) -> None:
    with pytest.raises(click.UsageError):
        host_of(url, instance)


def test_without_a_host_nothing_is_hosted() -> None:
    assert host_of(None, None) is None
    assert hosted.host_of(HOST.url, HOST.instance) == HOST
