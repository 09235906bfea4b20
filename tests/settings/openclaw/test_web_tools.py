from __future__ import annotations

from typing import Any

import pytest

from clawgate.policy.egress.policy import NO_RULES, check_host
from clawgate.settings.openclaw.web_tools import offered_tools, tool_policy
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.wire.http.url import parse_fetch_url

FETCH: dict[str, Any] = {"web": {"fetch": {}}}
IMAGE: dict[str, Any] = {"media": {"image": {"enabled": True}}}


def config(image_model: Any = None, **tools: Any) -> OpenClawConfig:
    defaults = {} if image_model is None else {"imageModel": image_model}
    return OpenClawConfig.model_validate({"tools": tools, "agents": {"defaults": defaults}})


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (config(), []),
        (config(web={"search": {}}), []),
        (config(**FETCH), ["web_fetch"]),
        (config(web={"fetch": {"enabled": True}}), ["web_fetch"]),
        (config(web={"fetch": {"enabled": False, "allowPrivateNetwork": True}}), []),
        (config("up/vision"), ["image"]),
        (config({"primary": "up/vision", "timeoutMs": 1000}, **FETCH), ["web_fetch", "image"]),
        (config(**IMAGE), ["image"]),
        (config("up/vision", media={"image": {"enabled": False}}), []),
    ],
)
def test_a_tool_is_off_until_the_config_says_something_of_it(made: OpenClawConfig, names: list[str]) -> None:
    assert list(offered_tools(made)) == names


@pytest.mark.parametrize(
    ("block", "is_private"),
    [
        ({}, False),
        ({"allowPrivateNetwork": True}, True),
        ({"ssrfPolicy": {"dangerouslyAllowPrivateNetwork": True}}, True),
        ({"allowPrivateNetwork": False, "ssrfPolicy": {}}, False),
    ],
)
def test_either_key_opens_the_private_network_and_neither_the_metadata(
    block: dict[str, Any], is_private: bool
) -> None:
    policy = tool_policy("web_fetch", config(web={"fetch": block}), NO_RULES)
    assert check_host(parse_fetch_url("http://10.0.0.1/")[0], policy).allowed is is_private
    assert not check_host(parse_fetch_url("http://169.254.169.254/")[0], policy).allowed
    assert policy.setting == "tools.web.fetch.allowPrivateNetwork"


def test_hosts_are_blocked_and_allowed_by_their_names() -> None:
    ssrf = {"allowedHostnames": ["10.0.0.1"], "blockedHostnames": ["bad.example", "*.bad.example"]}
    policy = tool_policy("image", config(web={"fetch": {"ssrfPolicy": ssrf}}), NO_RULES)
    assert policy.requester == "tool:image"
    for url, allowed in (
        ("http://10.0.0.1:8080/", True),
        ("http://10.0.0.2/", False),
        ("https://bad.example/", False),
        ("https://a.bad.example/", False),
        ("https://good.example/", True),
    ):
        assert check_host(parse_fetch_url(url)[0], policy).allowed is allowed, url
