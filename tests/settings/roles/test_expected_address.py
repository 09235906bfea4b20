"""Where the clients of a bridge expect it is found whatever else is wrong with the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.settings.roles.expected_address import expected_address
from tests.private_file import write_private


def found(
    folder: Path, block: object, *, base_url: object = None, variables: Any = None, **flags: Any
) -> tuple[str, int]:
    document = {
        "plugins": {"entries": {"proxy-bridge": {"config": block}}},
        "models": {"providers": {"proxy-bridge": {"baseUrl": base_url}}},
    }
    (folder / "openclaw.json").write_text(json.dumps(document))
    return expected_address(flags, {"OPENCLAW_STATE_DIR": str(folder)} | (variables or {}))


@pytest.mark.parametrize(
    ("block", "address"),
    [
        ({}, ("127.0.0.1", 18800)),
        ({"bridgePort": 1801, "remoteUrl": "nowhere", "typo": 1}, ("127.0.0.1", 1801)),
        ({"bridgePort": "1801"}, ("127.0.0.1", 1801)),
        ({"bridgePort": "${PORT}"}, ("127.0.0.1", 1802)),
        ({"host": "::1"}, ("::1", 18800)),
        ({"host": "localhost"}, ("localhost", 18800)),
        ({"host": "0.0.0.0"}, ("127.0.0.1", 18800)),
        ({"host": "192.0.2.1"}, ("127.0.0.1", 18800)),
        ({"host": 5, "bridgePort": 0}, ("127.0.0.1", 0)),
        (None, ("127.0.0.1", 18800)),
        ([], ("127.0.0.1", 18800)),
    ],
)
def test_it_is_that_of_the_settings_on_this_machine(
    tmp_path: Path, block: object, address: tuple[str, int]
) -> None:
    assert found(tmp_path, block, variables={"PORT": "1802"}) == address


@pytest.mark.parametrize("port", [70_000, -1, "x", True, None, [], "${UNSET}", 1.5])
@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://127.0.0.1:1803/v1", 1803),
        ("http://localhost:1803/v1", 1803),
        ("https://remote.test:1803/v1", 18800),
        ("${URL}", 18800),
        ("http://127.0.0.1:x", 18800),
        (None, 18800),
        ({}, 18800),
    ],
)
def test_for_an_invalid_port_it_is_the_one_that_the_host_calls(
    tmp_path: Path, port: object, base_url: object, expected: int
) -> None:
    assert found(tmp_path, {"bridgePort": port}, base_url=base_url) == ("127.0.0.1", expected)


def test_flags_and_variables_count_as_they_do_for_the_bridge(tmp_path: Path) -> None:
    variables = {"PROXY_BRIDGE_PORT": "1804"}
    assert found(tmp_path, {"bridgePort": 1801}, variables=variables)[1] == 1804
    assert found(tmp_path, {"bridgePort": 1801}, variables=variables, bridge_port="1805")[1] == 1805


def test_the_file_of_variables_that_a_flag_names_counts_too(tmp_path: Path) -> None:
    file = write_private(tmp_path / "my.env", "PROXY_BRIDGE_PORT=1806\n")
    assert found(tmp_path, {}, env_file=str(file))[1] == 1806
    assert found(tmp_path, {"bridgePort": 1801}, env_file=str(tmp_path / "none"))[1] == 1801


@pytest.mark.parametrize("text", ["{", "[]", "", "5", '{"plugins": 1, "models": [], "env": 2}'])
def test_a_file_that_cannot_be_used_leaves_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / "openclaw.json").write_text(text)
    variables = {"OPENCLAW_STATE_DIR": str(tmp_path)}
    assert expected_address({}, variables) == ("127.0.0.1", 18800)
    assert expected_address({"config": str(tmp_path / "none")}, variables) == ("127.0.0.1", 18800)


def test_variables_that_may_not_be_read_do_not_hide_the_file(tmp_path: Path) -> None:
    write_private(tmp_path / ".env", "PROXY_BRIDGE_PORT=1806\n", 0o644)
    assert found(tmp_path, {"bridgePort": 1801}) == ("127.0.0.1", 1801)
