"""The facts: what a folder and a config hold is seen as it is, and nothing is changed by looking."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clawgate.app.doctor.checks import Facts, check_modes
from clawgate.app.doctor.facts import gather, provider_facts
from clawgate.errors import (
    EgressDenied,
    GatewayError,
    ModelNotFound,
    PrivateNetworkBlocked,
    UpstreamTimedOut,
    UpstreamUnauthorized,
)
from clawgate.policy.redaction import SHORTEST_SECRET
from clawgate.processes.instance.instance_lock import Instance
from clawgate.providers.availability import Availability
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Provider
from clawgate.wire.http.url import Origin
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import docs_plugin, imports_undone
from tests.private_file import write_private

LOCAL = {
    "gateway": {"mode": "local", "port": 0, "auth": {"token": "0123456789abcdef0123456789abcdef"}},
    "models": {"providers": {"owl": {"baseUrl": "https://owl.example/v1", "models": [{"id": "m"}]}}},
    "agents": {"defaults": {"model": {"primary": "owl/m"}}},
    "plugins": {"entries": {"telegram": {}}},
}


def facts(home: Path, config: dict[str, Any] | str | None, **environment: str) -> Facts:
    state = home / ".openclaw"
    state.mkdir(mode=0o700, exist_ok=True)
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (state / "openclaw.json").write_text(text)
        (state / "openclaw.json").chmod(0o600)
    before = sorted(state.rglob("*"))
    found = gather({"HOME": str(home), **environment})
    assert sorted(state.rglob("*")) == before
    return found


def test_what_a_config_says(tmp_path: Path) -> None:
    found = facts(tmp_path, LOCAL)
    assert (found.config_exists, found.config_problems, found.start_problems) == (True, (), ())
    assert (found.mode, found.auth_is_set, found.primary) == ("local", True, "owl/m")
    assert found.plugins == ("telegram",) and found.running is None
    used = {provider.name: (provider.problem, provider.is_used) for provider in found.providers}
    assert used["owl"] == (None, True) and not used["openai"][1] and used["openai"][0]


@pytest.mark.parametrize(
    ("key", "shortest"),
    [
        ("x", SHORTEST_SECRET),
        ("k" * (SHORTEST_SECRET - 1), SHORTEST_SECRET),
        ("k" * SHORTEST_SECRET, 0),
        (None, 0),
    ],
)
def test_a_key_too_short_to_be_masked_is_seen(tmp_path: Path, key: str | None, shortest: int) -> None:
    """Masking it would blot out words of every log line that happen to hold it."""
    owl = {"baseUrl": "https://owl.example/v1", **({"apiKey": key} if key else {})}
    found = facts(tmp_path, {"models": {"providers": {"owl": owl}}})
    (provider,) = [provider for provider in found.providers if provider.name == "owl"]
    assert provider.shortest_masked == shortest
    assert provider.allow_private_setting == "models.providers.owl.request.allowPrivateNetwork"


def test_the_placeholder_of_a_service_of_ours_is_nothing_to_tell(tmp_path: Path) -> None:
    """Every user of proxy-bridge has it."""
    bridge = {"baseUrl": "http://127.0.0.1:18800/v1", "apiKey": "bridge"}
    found = facts(tmp_path, {"models": {"providers": {"proxy-bridge": bridge}}})
    (provider,) = [provider for provider in found.providers if provider.name == "proxy-bridge"]
    assert provider.shortest_masked == 0


def test_what_openclaw_would_refuse_is_a_fact(tmp_path: Path) -> None:
    warnings = facts(tmp_path, LOCAL).config_warnings
    assert [warning.key for warning in warnings] == ["gateway.port", "models.providers.owl.models[0].name"]


def test_without_a_config_a_token_is_made_at_the_start(tmp_path: Path) -> None:
    found = facts(tmp_path, None)
    assert not found.config_exists and not found.auth_is_set and not found.start_problems


def test_where_others_reach_it_the_token_is_a_problem_of_the_start(tmp_path: Path) -> None:
    (problem,) = facts(tmp_path, {"gateway": {"bind": "lan"}}).start_problems
    assert problem.path == ("gateway", "auth") and "every request would be rejected" in problem.message


@pytest.mark.parametrize("name", ["OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"])
def test_a_token_in_the_environment_counts(tmp_path: Path, name: str) -> None:
    found = facts(tmp_path, None, **{name: "0123456789abcdef0123456789abcdef"})
    assert found.auth_is_set and not found.start_problems


def test_a_config_that_cannot_be_read_is_a_fact_too(tmp_path: Path) -> None:
    found = facts(tmp_path, "{gateway: ")
    assert found.config_problems and found.providers == ()


def test_modes_of_the_config_its_backups_its_variables_and_our_folder(tmp_path: Path) -> None:
    state = tmp_path / ".openclaw"
    (state / "clawgate").mkdir(parents=True, mode=0o750)
    (state / "openclaw.json.bak").write_text("")
    (state / "openclaw.json.bak").chmod(0o644)
    (state / "unrelated").write_text("")
    write_private(state / ".env", "TOKEN=1", 0o640)
    found = {
        Path(file.path).name: (file.mode, file.is_folder, file.is_ours) for file in facts(tmp_path, {}).files
    }
    assert found == {
        "openclaw.json": (0o600, False, True),
        "openclaw.json.bak": (0o644, False, True),
        ".env": (0o640, False, True),
        "clawgate": (0o750, True, True),
    }


@pytest.mark.parametrize("is_read_only", [True, False])
def test_variables_of_a_mounted_secret_are_seen_as_such(
    tmp_path: Path, is_read_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = tmp_path / ".openclaw" / ".env"
    variables.parent.mkdir(mode=0o700)
    write_private(variables, "TOKEN=1", 0o444)
    flags = os.ST_RDONLY if is_read_only else 0
    monkeypatch.setattr(
        os,
        "statvfs",
        lambda path: SimpleNamespace(f_flag=flags, f_bavail=9, f_frsize=9, f_blocks=9, f_bfree=9),
    )
    found = facts(tmp_path, {})
    (one,) = [file for file in found.files if file.path == str(variables)]
    assert one.is_mounted is is_read_only and bool(found.config_problems) is not is_read_only


@pytest.mark.parametrize("is_read_only", [True, False])
@pytest.mark.parametrize("token", ["${TOKEN}", "written-out-in-it-17"])
def test_a_mounted_config_without_a_secret_may_be_read_by_all(
    tmp_path: Path, is_read_only: bool, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a ConfigMap of Kubernetes is; one with a secret may not, nor one that OpenClaw may write a secret into."""
    config = tmp_path / ".openclaw" / "openclaw.json"
    config.parent.mkdir(mode=0o700)
    write_private(config, json.dumps({"gateway": {"mode": "local", "auth": {"token": token}}}), 0o644)
    flags = os.ST_RDONLY if is_read_only else 0
    monkeypatch.setattr(
        os,
        "statvfs",
        lambda path: SimpleNamespace(f_flag=flags, f_bavail=9, f_frsize=9, f_blocks=9, f_bfree=9),
    )
    found = gather({"HOME": str(tmp_path), "TOKEN": "written-out-in-it-17"})
    assert found.config_problems == ()
    (one,) = [file for file in found.files if file.path == str(config)]
    assert one.is_private is not (is_read_only and token.startswith("$"))
    assert bool(list(check_modes(found))) is one.is_private


def test_what_a_killed_gateway_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / ".openclaw" / "clawgate"
    folder.mkdir(parents=True)
    (folder / "gateway.json").write_text("{}")
    assert facts(tmp_path, None).leftovers == (str(folder / "gateway.json"),)
    instance = Instance.claim(folder)
    instance.announce("http://127.0.0.1:1", 1, folder / "c.json", None)
    found = facts(tmp_path, None)
    instance.release()
    assert found.leftovers == () and found.running is not None and f"pid {os.getpid()}" in found.running
    assert found.health_problem == "nothing listens there"


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the owner of a port is seen on Linux only")
def test_who_has_the_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = facts(tmp_path, LOCAL, OPENCLAW_GATEWAY_PORT=str(port))
    assert found.port == port and found.port_owner is not None and f"pid {os.getpid()}" in found.port_owner


def test_a_file_that_a_variable_names_may_still_be_made(tmp_path: Path) -> None:
    """Only one that `--config` names has to be there."""
    named = tmp_path / "elsewhere.json"
    found = facts(tmp_path, None, OPENCLAW_CONFIG_PATH=str(named))
    assert (found.config_path, found.config_exists, found.config_problems) == (str(named), False, ())
    assert gather({"HOME": str(tmp_path)}, str(named)).config_problems != ()


def test_plugins_are_known_and_their_settings_judged(tmp_path: Path) -> None:
    with imports_undone():
        state = tmp_path / ".openclaw"
        state.mkdir(mode=0o700)
        installed(state, docs_plugin(tmp_path / "b"))
        entry = {
            "enabled": True,
            "config": {"baseUrl": "https://a.test/v1", "apiKey": "k" * 20, "checkIntervl": 1},
        }
        path = state / "openclaw.json"
        tools = {"deny": ["web_fech"]}
        path.write_text(json.dumps({"plugins": {"entries": {"house-model": entry}}, "tools": tools}))
        found = gather({"HOME": str(tmp_path)})
    assert {"house-model", "proxy-bridge", "anthropic-claude-proxy", "openai-proxy"} <= set(
        found.known_plugins
    )
    one, other = found.plugin_diagnostics
    assert other.key == "tools.deny[0]" and not other.is_error
    assert one.is_error and one.text == "is not a setting; did you mean 'checkInterval'?"
    assert one.location.startswith(f"{path}:1:") and one.key.endswith("config.checkIntervl")


@pytest.mark.parametrize(("hard", "open_files"), [(4096, 4096), (resource.RLIM_INFINITY, sys.maxsize)])
def test_the_limit_of_open_files_is_the_one_that_the_gateway_can_reach(
    hard: int, open_files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises the soft limit itself."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, hard))
    assert gather({"HOME": str(tmp_path)}).open_files == open_files


def test_without_a_gateway_a_server_of_this_machine_that_is_down_is_seen(tmp_path: Path) -> None:
    """But for one that the gateway would start: it is down because no gateway runs."""

    def block(url: str) -> dict[str, Any]:
        return {"baseUrl": f"{url}/v1", "request": {"allowPrivateNetwork": True}}

    with socket.create_server(("127.0.0.1", 0)) as listener:
        up = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with socket.create_server(("127.0.0.1", 0)) as gone:
            down = f"http://127.0.0.1:{gone.getsockname()[1]}"
        providers = {
            "up": block(up),
            "down": block(down),
            "untrusted": {"baseUrl": f"{down}/v1"},
            "proxy-bridge": block(down),
        }
        config = {
            "models": {"providers": providers},
            "agents": {"defaults": {"model": {"primary": "down/m"}}},
        }
        found = facts(tmp_path, config)
    (one,) = [one for one in found.providers if one.unreached is not None]
    assert one.name == "down" and "connection refused" in str(one.unreached)
    assert (one.problem, found.serving_problem) == (None, None)


@pytest.mark.parametrize(
    ("host", "error", "problem", "is_down"),
    [
        ("owl.test", EgressDenied("metadata"), "metadata", True),
        ("owl.test", UpstreamTimedOut("late", limit="connect", seconds=5), "late", True),
        ("owl.test", UpstreamUnauthorized("expired"), "expired", True),
        ("owl.test", ModelNotFound("another config"), "another config", False),
        ("10.0.0.1", PrivateNetworkBlocked("private"), None, True),
        ("10.0.0.1", EgressDenied("network.deny"), "network.deny", True),
    ],
)
def test_what_a_request_gets_is_a_problem_unless_a_note_of_the_config_names_it(
    host: str, error: GatewayError, problem: str | None, is_down: bool
) -> None:
    owl = Provider(id="owl", api="openai-completions", origin=Origin("http", host, 80))
    (found,) = provider_facts(
        Availability(Catalog({"owl": owl}, {}, None, ()), lambda _: error), {}, lambda hosts: {}
    )
    assert (found.problem, found.is_down) == (problem, is_down)
