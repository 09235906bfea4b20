"""The Helm chart, linted and rendered by Helm's code and held against Kubernetes' schemas and its own promises."""

from __future__ import annotations

import functools
import json
import re
import shutil
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from clawgate import __version__
from clawgate.policy.egress.ranges import ROWS, AddressKind
from clawgate.settings.roles.relay import RelaySettings
from tests.cli.command import command
from tests.deploy.tools import json_of, needs_tools, run_tool
from tests.test_references import parse

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "clawgate"
BUNDLED = {"postgresql": {"bundled": True}}
EVERYTHING = {
    **BUNDLED,
    "image": {"repository": "registry.example/clawgate", "tag": "1", "pullSecrets": ["pull"]},
    "networkPolicy": {"from": [{"namespaceSelector": {"matchLabels": {"ingress": "yes"}}}]},
    "service": {"type": "LoadBalancer", "port": 80},
    "ingress": {"enabled": True, "host": "llm.example.com", "tlsSecretName": "llm-tls"},
    "drainSeconds": 1200,
}
VALUES = pytest.mark.parametrize(
    "values", [{}, BUNDLED, EVERYTHING], ids=["external", "bundled", "everything"]
)

pytestmark = needs_tools


def render(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """What is made of the values, by kind and name."""
    return _rendered(json.dumps(values))


@functools.cache
def _rendered(values: str) -> dict[tuple[str, str], Any]:
    found = json_of("helm_program.py", "render", str(CHART), stdin=values)
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


@VALUES
def test_helm_finds_nothing_to_complain_about(values: dict[str, Any]) -> None:
    report = json_of("helm_program.py", "lint", str(CHART), stdin=json.dumps(values))
    said = [one for one in report["messages"] if one["severity"] > 1]
    assert report["total_charts_linted"] == 1 and not report["errors"] and not said


@VALUES
def test_every_pod_is_what_the_restricted_standard_asks_for(values: dict[str, Any]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a read-only root."""
    workloads = [one for (kind, _), one in render(values).items() if kind in {"Deployment", "StatefulSet"}]
    assert len(workloads) == (2 if values else 1)
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in pod["containers"]:
            own = one["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]} and one["resources"]["limits"]["memory"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all({"configMap", "emptyDir"} & set(volume) for volume in pod["volumes"])


@VALUES
def test_secrets_are_references(values: dict[str, Any]) -> None:
    rendered = render(values)
    assert not [kind for kind, _ in rendered if kind == "Secret"]
    gateway = container_of(rendered)
    literal = {one["name"]: one["value"] for one in gateway["env"] if "value" in one}
    assert set(literal) <= {"OPENCLAW_CONFIG_PATH", "CLAWGATE_DATABASE_URL"}
    assert "$(POSTGRES_PASSWORD)@" in literal.get("CLAWGATE_DATABASE_URL", "$(POSTGRES_PASSWORD)@")
    names = [one["name"] for one in gateway["env"]]
    assert "CLAWGATE_DATABASE_URL" in names
    if values:  # $(NAME) is replaced only by what stands in front of it
        assert names.index("POSTGRES_PASSWORD") < names.index("CLAWGATE_DATABASE_URL")


def container_of(rendered: dict[tuple[str, str], Any]) -> Any:
    return rendered["Deployment", "demo-clawgate"]["spec"]["template"]["spec"]["containers"][0]


def test_the_gateway_is_probed_where_it_responds_and_drains_before_it_is_killed() -> None:
    rendered = render({})
    gateway = container_of(rendered)
    parse(gateway["args"])
    paths = {
        name: gateway[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
    }
    assert paths == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}
    spec = rendered["Deployment", "demo-clawgate"]["spec"]
    sleep = gateway["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(gateway["args"][-1])
    assert drain == 300 and gateway["args"][-2] == "--drain-timeout"
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > sleep + drain
    assert spec["replicas"] == 3 and spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@VALUES
def test_what_selects_the_gateways_selects_all_of_them_and_nothing_else(values: dict[str, Any]) -> None:
    rendered = render(values)
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for (kind, name), one in rendered.items()
        if kind in {"Deployment", "StatefulSet"}
    }
    selectors = {
        "Service": rendered["Service", "demo-clawgate"]["spec"]["selector"],
        "PodDisruptionBudget": rendered["PodDisruptionBudget", "demo-clawgate"]["spec"]["selector"][
            "matchLabels"
        ],
        "NetworkPolicy": rendered["NetworkPolicy", "demo-clawgate"]["spec"]["podSelector"]["matchLabels"],
    }
    for kind, selector in selectors.items():
        chosen = [name for name, own in labels.items() if selector.items() <= own.items()]
        assert chosen == ["demo-clawgate"], kind


@VALUES
def test_no_metadata_address_can_be_reached(values: dict[str, Any]) -> None:
    egress = render(values)["NetworkPolicy", "demo-clawgate"]["spec"]["egress"]
    blocks = [to["ipBlock"] for rule in egress for to in rule.get("to", ()) if "ipBlock" in to]
    assert blocks
    for row in ROWS:
        if row.kind not in {AddressKind.METADATA, AddressKind.LINK_LOCAL}:
            continue
        for block in blocks:
            if row.network.version == ip_network(block["cidr"]).version:
                excepted = map(ip_network, block["except"])
                assert any(row.network.subnet_of(one) for one in excepted), row.network  # type: ignore[arg-type]
    everywhere = [rule for rule in egress if "to" not in rule]
    assert [{port["port"] for port in rule["ports"]} for rule in everywhere] == [{53}]


def test_the_database_is_reached_by_the_gateways_alone() -> None:
    rendered = render(BUNDLED)
    policy = rendered["NetworkPolicy", "demo-clawgate-postgres"]["spec"]
    gateway = rendered["Deployment", "demo-clawgate"]["spec"]["template"]["metadata"]["labels"]
    ((source,),) = [rule["from"] for rule in policy["ingress"]]
    assert source["podSelector"]["matchLabels"].items() <= gateway.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"] and "egress" not in policy
    url = next(
        one["value"] for one in container_of(rendered)["env"] if one["name"] == "CLAWGATE_DATABASE_URL"
    )
    assert url == "postgresql://clawgate:$(POSTGRES_PASSWORD)@demo-clawgate-postgres/clawgate"
    assert ("Service", "demo-clawgate-postgres") in rendered


def test_an_ingress_is_there_only_where_it_is_wanted() -> None:
    """With TLS, to the gateways alone; events pass as they come, and no request is repeated or ended early."""
    assert not [kind for kind, _ in render({}) if kind == "Ingress"]
    rendered = render(EVERYTHING)
    ingress, service = rendered["Ingress", "demo-clawgate"], rendered["Service", "demo-clawgate"]
    (rule,) = ingress["spec"]["rules"]
    assert ingress["spec"]["tls"] == [{"hosts": ["llm.example.com"], "secretName": "llm-tls"}]
    assert rule["host"] == "llm.example.com"
    (backend,) = [path["backend"]["service"] for path in rule["http"]["paths"]]
    assert backend == {"name": "demo-clawgate", "port": {"name": service["spec"]["ports"][0]["name"]}}
    for_nginx = {
        key.removeprefix("nginx.ingress.kubernetes.io/"): value
        for key, value in ingress["metadata"]["annotations"].items()
    }
    assert for_nginx["proxy-buffering"] == "off" and for_nginx["proxy-next-upstream"] == "off"
    limit = RelaySettings.model_fields["total_timeout"].default
    assert int(for_nginx["proxy-read-timeout"]) >= limit and int(for_nginx["proxy-send-timeout"]) >= limit
    assert (
        int(for_nginx["proxy-body-size"].removesuffix("m"))
        > RelaySettings.model_fields["max_body_mb"].default
    )


def test_the_config_is_one_that_the_gateway_takes(tmp_path: Path) -> None:
    text = render({})["ConfigMap", "demo-clawgate"]["data"]["openclaw.json"]
    file = tmp_path / "openclaw.json"
    file.touch(0o600)
    file.write_text(text)
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "a-value-of-the-chart-17")
    found = command("config", "validate", "--config", str(file), folder=tmp_path, environment=variables)
    assert found.returncode == 0 and "arning" not in found.stdout + found.stderr, found.stdout + found.stderr


def test_the_config_is_that_of_the_compose_file_but_for_its_proxy() -> None:
    chart = json.loads(render({})["ConfigMap", "demo-clawgate"]["data"]["openclaw.json"])
    compose: Any = pyjson5.decode((CHART.parents[1] / "config" / "openclaw.json").read_text())
    assert chart["gateway"].pop("trustedProxies") == [] and compose["gateway"].pop("trustedProxies")
    assert chart == compose


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 0},
        {"replica": 3},
        {"config": {"gateway": {"bind": "loopback"}}},
        {"config": {"gateway": {"port": 8080}}},
        {"secretName": ""},
        {"postgresql": {"bundled": "yes"}},
        {"service": {"type": "ExternalName"}},
        {"networkPolicy": {"enable": True}},
        {"ingress": {"enabled": True}},
        {"ingress": {"enabled": True, "host": "llm.example.com"}},
        {"ingress": {"enabled": True, "host": "https://llm.example.com", "tlsSecretName": "llm-tls"}},
        {"ingress": {"annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": 3600}}},
        {"drainSeconds": 0},
    ],
    ids=json.dumps,
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any]) -> None:
    assert run_tool("helm_program.py", "render", str(CHART), stdin=json.dumps(values)).returncode != 0


def test_a_field_that_kubernetes_does_not_know_is_found(tmp_path: Path) -> None:
    copy = tmp_path / "clawgate"
    shutil.copytree(CHART, copy)
    template = copy / "templates" / "deployment.yaml"
    template.write_text(template.read_text().replace("enableServiceLinks", "enableServiceLink"))
    assert run_tool("helm_program.py", "render", str(copy), stdin="{}").returncode != 0


def test_the_chart_is_of_this_version() -> None:
    text = (CHART / "Chart.yaml").read_text()
    assert f"\nversion: {__version__}\n" in text and f'\nappVersion: "{__version__}"\n' in text
