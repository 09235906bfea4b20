"""The proxy gets what it needs, and no key of ours."""

from __future__ import annotations

import pytest

from clawgate.bundled.anthropic_claude_proxy.environment import child_environment


def of(**environment: str) -> dict[str, str]:
    return child_environment(environment, {}, host="127.0.0.1", port=4567, is_root=False)


def test_port_and_host_are_said_to_old_and_new_proxies() -> None:
    found = of(CLAUDE_PROXY_PORT="1", MERIDIAN_HOST="0.0.0.0")
    assert {found["CLAUDE_PROXY_PORT"], found["MERIDIAN_PORT"]} == {"4567"}
    assert {found["CLAUDE_PROXY_HOST"], found["MERIDIAN_HOST"]} == {"127.0.0.1"}


def test_claude_never_gets_a_shell_of_this_machine() -> None:
    """Without passthrough the proxy lets it use one; no setting of the operator's changes that by accident."""
    found = of(MERIDIAN_PASSTHROUGH="0", CLAUDE_PROXY_PASSTHROUGH="0")
    assert found["MERIDIAN_PASSTHROUGH"] == found["CLAUDE_PROXY_PASSTHROUGH"] == "1"


def test_retries_of_the_program_are_bounded_unless_somebody_says_otherwise() -> None:
    assert of()["CLAUDE_CODE_MAX_RETRIES"] == "1"
    assert of(CLAUDE_CODE_MAX_RETRIES="3")["CLAUDE_CODE_MAX_RETRIES"] == "3"


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "OPENCLAW_GATEWAY_TOKEN",
        "PROXY_BRIDGE_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "NODE_OPTIONS", "LD_PRELOAD", "IS_SANDBOX",
    ],
)  # fmt: skip
def test_what_is_not_its_own_stays_here(name: str) -> None:
    assert name not in of(**{name: "secret"})


@pytest.mark.parametrize(
    "name",
    [
        "HOME", "PATH", "LC_ALL", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN",
        "MERIDIAN_API_KEY", "MERIDIAN_MAX_CONCURRENT", "NODE_EXTRA_CA_CERTS", "HTTPS_PROXY",
    ],
)  # fmt: skip
def test_what_it_needs_it_gets(name: str) -> None:
    assert of(**{name: "value"})[name] == "value"


def test_only_root_is_called_a_sandbox() -> None:
    assert child_environment({}, {}, host="h", port=1, is_root=True)["IS_SANDBOX"] == "1"


def test_variables_of_the_config_win_over_the_gateways_and_not_over_host_port_and_mode() -> None:
    extra = {"HTTPS_PROXY": "http://a", "OWN": "b", "MERIDIAN_PASSTHROUGH": "0", "MERIDIAN_PORT": "1"}
    found = child_environment({"HTTPS_PROXY": "http://gateway"}, extra, host="h", port=2, is_root=False)
    assert (found["HTTPS_PROXY"], found["OWN"]) == ("http://a", "b")
    assert (found["MERIDIAN_PASSTHROUGH"], found["MERIDIAN_PORT"]) == ("1", "2")
