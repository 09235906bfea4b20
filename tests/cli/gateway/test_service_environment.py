"""An installed gateway lacks what only the shell has; where it could not start it is not installed."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from clawgate.cli.errors import CommandFailed
from clawgate.cli.gateway.service_environment import check_service
from clawgate.cli.paths import Paths, find_paths
from clawgate.settings.openclaw.gateway import GatewayFlags
from tests.cli.catalogs import alone
from tests.private_file import write_private

OWL = {"baseUrl": "https://owl.test/v1", "apiKey": "${OWL_KEY}", "models": [{"id": "m", "name": "m"}]}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    alone(tmp_path, monkeypatch)
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    return find_paths(None)


def write(paths: Paths, *, gateway: dict[str, Any] | None = None, **providers: Any) -> dict[str, str]:
    document = {"gateway": {"port": 0, **(gateway or {})}, "models": {"providers": providers}}
    paths.config.write_text(json.dumps(document))
    paths.config.chmod(0o600)
    return {"HOME": str(paths.state), "OPENCLAW_STATE_DIR": str(paths.state), "PATH": "/usr/bin"}


def check(paths: Paths, shell: dict[str, str], *, is_active: bool = False) -> str:
    return "\n".join(
        check_service(paths, GatewayFlags(), shell, is_active=is_active, log_file=str(paths.log))
    )


def test_a_variable_that_only_the_shell_has_is_named_and_where_it_belongs(paths: Paths) -> None:
    shell = write(paths, owl=OWL, other=OWL | {"apiKey": "${OTHER_KEY}"})
    notes = check(
        paths, shell | {"OWL_KEY": "canary-key", "OPENAI_API_KEY": "canary-key-2", "UNRELATED": "x"}
    )
    assert "OWL_KEY is set in this shell only" in notes and "OTHER_KEY is not set" in notes
    assert "OPENAI_API_KEY is set in this shell only" in notes and str(paths.state / ".env") in notes
    assert "UNRELATED" not in notes and "canary" not in notes


def test_what_the_state_folder_or_the_config_has_is_not_lacking(paths: Paths) -> None:
    shell = write(paths, owl=OWL)
    write_private(paths.state / ".env", "OWL_KEY=canary-key\n")
    assert check(paths, shell | {"OWL_KEY": "canary-key"}) == ""


@pytest.mark.parametrize(
    "gateway", [{"auth": {"mode": "token", "token": "${ONLY_HERE}"}}, {"bind": "lan"}, {"port": 70_000}]
)
def test_a_gateway_that_could_not_start_is_refused(paths: Paths, gateway: dict[str, Any]) -> None:
    shell = write(paths, gateway=gateway)
    with pytest.raises(CommandFailed) as failed:
        check(paths, shell | {"ONLY_HERE": "canary-token-0123456789abcdef"})
    assert failed.value.code == 2 and "do not reach it" in failed.value.message


def test_a_taken_port_is_refused_unless_the_service_itself_has_it(paths: Paths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shell = write(paths, gateway={"port": taken.getsockname()[1]})
        with pytest.raises(CommandFailed) as failed:
            check(paths, shell)
        assert failed.value.code == 78
        check(paths, shell, is_active=True)
