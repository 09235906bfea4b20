from __future__ import annotations

import json
from pathlib import Path

import pytest

from clawgate.app.egress_policies import UNPRIVILEGED, explain_url, policy_of, requester_of
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.wire.http.url import Origin
from tests.routing.gateway_server import config_of, provider


def read(folder: Path) -> tuple[Catalog, ConfigFile]:
    path = folder / "openclaw.json"
    servers = {"files": {"url": "http://127.0.0.1:9000/mcp?x=1"}, "local": {"command": "true"}}
    config = config_of({"owl": provider("http://127.0.0.1:8000")}) | {"mcp": {"servers": servers}}
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    file = read_config(path, {}, required=True)
    return build_catalog(file.config, file.unset, file.environment), file


def test_a_provider_has_the_policy_of_its_requests(tmp_path: Path) -> None:
    catalog, file = read(tmp_path)
    assert policy_of("provider:owl", catalog, file) == catalog.providers["owl"].egress_policy()


@pytest.mark.parametrize("requester", ["tool:web_fetch", "tool:image", "mcp:files", "plugin:x"])
def test_others_have_no_private_address_of_their_own(tmp_path: Path, requester: str) -> None:
    policy = policy_of(requester, *read(tmp_path))
    assert (policy.requester, policy.private) == (requester, False)


@pytest.mark.parametrize(
    "requester", ["", "owl", "provider:", "provider:none", "server:x", "mcp:none", "mcp:local"]
)
def test_an_unknown_requester_is_said(tmp_path: Path, requester: str) -> None:
    with pytest.raises(ValueError, match=r"is no requester|there is no (provider|MCP server)"):
        policy_of(requester, *read(tmp_path))


def test_the_address_of_a_provider_is_its_own(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert requester_of(Origin("http", "127.0.0.1", 8000), *found) == "provider:owl"
    assert requester_of(Origin("http", "127.0.0.1", 9000), *found) == "mcp:files"
    assert requester_of(Origin("http", "127.0.0.1", 8001), *found) == UNPRIVILEGED


async def test_behind_the_proxy_of_a_provider_its_own_name_is_not_ours_to_resolve(tmp_path: Path) -> None:
    path = tmp_path / "openclaw.json"
    block = provider("http://owl.internal") | {
        "request": {"proxy": {"mode": "explicit-proxy", "url": "http://u:p@proxy.example:3128"}}
    }
    path.write_text(json.dumps(config_of({"owl": block})))
    path.chmod(0o600)
    file = read_config(path, {}, required=True)
    catalog = build_catalog(file.config, file.unset, file.environment)
    found = (await explain_url("http://owl.internal", "", catalog, file, None)).to_json()
    assert (found["verdict"], found["proxy"]) == ("undecided", "http://proxy.example:3128")
