"""docker-compose.yml is valid, closed to the network, and made of commands and settings that exist."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from tests.deploy.tools import json_of, needs_tools, run_tool
from tests.test_references import parse

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "docker-compose.yml"
EXAMPLE = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (DEPLOY / ".env.example").read_text(), flags=re.MULTILINE))

pytestmark = needs_tools


@pytest.fixture(scope="module")
def compose() -> Any:
    return json_of("compose_program.py", str(FILE), *(f"{name}={value}" for name, value in EXAMPLE.items()))


@pytest.fixture(scope="module")
def services(compose: Any) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def test_a_profile_starts_the_services_that_belong_together(services: dict[str, Any]) -> None:
    started = {name: tuple(service["profiles"]) for name, service in services.items()}
    assert started == {
        "server": ("server",), "gateway": ("gateway",), "postgres": ("gateway",), "caddy": ("tls",)
    }  # fmt: skip


def test_every_service_can_do_only_what_it_needs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"] and service["mem_limit"], name
        assert name == "postgres" or (service["read_only"] is True and service["cap_drop"] == ["ALL"]), name
    assert services["caddy"]["cap_add"] == ["NET_BIND_SERVICE"]


def test_only_caddy_is_reached_from_other_machines(services: dict[str, Any]) -> None:
    for name, service in services.items():
        ports = service.get("ports", [])
        assert name == "caddy" or all(port.startswith("127.0.0.1:") for port in ports), name
    assert "ports" not in services["postgres"] and services["postgres"]["networks"] == ["back"]


def test_the_database_is_on_a_network_that_leads_nowhere(compose: Any) -> None:
    assert compose["networks"]["back"]["internal"] is True


@pytest.mark.parametrize("name", ["server", "gateway"])
def test_the_image_is_built_from_this_clone_by_a_target_that_exists(
    name: str, services: dict[str, Any]
) -> None:
    build = services[name]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert f"AS {build['target']}" in (DEPLOY / "Dockerfile").read_text()
    parse(services[name].get("command", ["server", "run"]))


def test_a_service_outlives_the_responses_that_it_drains(services: dict[str, Any]) -> None:
    """Compose kills after 10 s by default; responses in progress have 30."""
    for name in ("server", "gateway"):
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > 30


def test_caddy_is_the_only_proxy_that_both_roles_believe(compose: Any) -> None:
    address = compose["services"]["caddy"]["networks"]["front"]["ipv4_address"]
    subnet = compose["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert ip_address(address) in ip_network(subnet)
    command = compose["services"]["server"]["command"]
    assert command[command.index("--trusted-proxy") + 1] == address
    config: Any = pyjson5.decode((DEPLOY / "config" / "openclaw.json").read_text())
    assert config["gateway"]["trustedProxies"] == [address]


def test_what_is_mounted_or_waited_for_exists(compose: Any) -> None:
    for name, service in compose["services"].items():
        for source in (volume.partition(":")[0] for volume in service.get("volumes", ())):
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"], (
                name
            )
        assert set(service.get("depends_on", ())) <= set(compose["services"])


def test_the_password_of_the_database_is_the_same_on_both_sides() -> None:
    found = json_of("compose_program.py", str(FILE), "POSTGRES_PASSWORD=0123abcd")["services"]
    url = found["gateway"]["environment"]["CLAWGATE_DATABASE_URL"]
    own = found["postgres"]["environment"]
    assert url == f"postgresql://{own['POSTGRES_USER']}:0123abcd@postgres/{own['POSTGRES_DB']}"


@pytest.mark.parametrize(
    ("old", "new"),
    [("read_only:", "readonly:"), ("networks: [front]", "networks: [frnt]"), ("service_healthy", "healthy")],
)
def test_a_mistake_is_found(old: str, new: str, tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text().replace(old, new))
    assert run_tool("compose_program.py", str(wrong)).returncode != 0
