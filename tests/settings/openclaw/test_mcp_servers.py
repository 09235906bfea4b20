"""Each server of the config is used or has a reason, and its tools have the names that OpenClaw gives them."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.settings.openclaw.mcp_servers import McpServerEntry, mcp_servers
from clawgate.settings.openclaw.validate import problems
from clawgate.settings.schema.openclaw import OpenClawConfig

OWN = "plugins.entries.clawgate.config.mcp.servers"


def config(servers: dict[str, Any], **own: Any) -> OpenClawConfig:
    entries = {"clawgate": {"config": {"mcp": {"servers": own}}}} if own else {}
    return OpenClawConfig.model_validate({"mcp": {"servers": servers}, "plugins": {"entries": entries}})


def only(block: dict[str, Any], name: str = "docs", unset: tuple[str, ...] = ()) -> McpServerEntry:
    (found,) = mcp_servers(config({name: block}), unset)
    return found


@pytest.mark.parametrize(
    ("block", "transport"),
    [
        ({"command": "npx"}, "stdio"),
        ({"command": "npx", "url": "https://example.com/mcp"}, "stdio"),
        ({"url": "https://example.com/sse"}, "sse"),
        ({"url": "https://example.com/mcp", "transport": "streamable-http"}, "streamable-http"),
        ({"url": "https://example.com/mcp", "type": "http"}, "streamable-http"),
        ({"url": "https://example.com/mcp", "type": "HTTP", "transport": "sse"}, "sse"),
        ({"url": "https://example.com/mcp?key=1", "transport": "streamable-http"}, "streamable-http"),
    ],
)
def test_a_server_is_reached_as_openclaw_reaches_it(block: dict[str, Any], transport: str) -> None:
    found = only(block)
    assert (found.transport, found.problem, found.is_used) == (transport, None, True)


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({}, "mcp.servers.docs: has neither command nor url"),
        ({"transport": "stdio"}, "mcp.servers.docs.command: is missing"),
        ({"transport": "stdio", "url": "https://example.com"}, "mcp.servers.docs.command: is missing"),
        ({"command": " "}, "mcp.servers.docs.command: is missing"),
        ({"url": "ftp://example.com"}, "mcp.servers.docs.url: "),
        ({"url": "https://u:p@example.com"}, "mcp.servers.docs.url: "),
        ({"url": "https://example.com", "clientCert": "c.pem"}, "has only one of clientCert and clientKey"),
    ],
)
def test_a_server_that_cannot_be_used_has_a_reason_and_a_next_step(block: dict[str, Any], text: str) -> None:
    found = only(block)
    assert not found.is_used and text in str(found.problem)
    assert "so the server is not used; " in str(found.problem)
    assert list(problems(config({"docs": block}), ())) == []  # OpenClaw accepts it: the gateway starts


def test_a_reference_without_a_variable_is_not_sent() -> None:
    block = {"url": "https://example.com", "headers": {"Authorization": "Bearer ${NO}"}}
    found = only(block, unset=("mcp.servers.docs.headers.Authorization",))
    assert "mcp.servers.docs.headers.Authorization refers to a variable that is not set" in str(found.problem)
    assert only(block, unset=("mcp.servers.docs2.headers.Authorization",)).is_used


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("docs", "docs"), ("My Docs", "My-Docs"), ("9lives", "mcp-9lives"), ("a" * 40, "a" * 30), ("ä", "mcp--"),
        ("", "mcp"), ("_x", "mcp-_x"),
    ],
)  # fmt: skip
def test_the_names_of_tools_begin_as_in_openclaw(name: str, prefix: str) -> None:
    assert only({"command": "x"}, name).prefix == prefix


@pytest.mark.parametrize("name", ["a__b", "a_", "x___"])
def test_a_server_whose_tools_could_pass_for_those_of_another_is_not_used(name: str) -> None:
    assert not only({"command": "x"}, name).is_used


def test_of_two_servers_with_one_prefix_the_first_is_used() -> None:
    first, second = mcp_servers(config({"my docs": {"command": "x"}, "My-Docs": {"command": "y"}}), ())
    assert first.is_used and not second.is_used and "those of 'my docs'" in str(second.problem)


def test_a_server_that_is_off_has_no_problem() -> None:
    found = only({"command": "x", "enabled": False})
    assert not found.is_used and found.problem is None


def test_a_private_address_is_allowed_for_each_server_by_its_own_setting() -> None:
    block = {"url": "http://10.0.0.5/mcp"}
    found = mcp_servers(config({"docs": block, "b": block}, docs={"allowPrivateNetwork": True}), ())
    assert [one.own.allow_private_network for one in found] == [True, False]
    assert found[0].allow_private_setting == f"{OWN}.docs.allowPrivateNetwork"


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ({"dosc": {"allowPrivateNetwork": True}}, "did you mean 'docs'?"),
        ({"zebra": {}}, "use one of docs"),
        ({"docs": {"allowPrivate": True}}, "did you mean 'allowPrivateNetwork'?"),
        ({"docs": {"allowPrivateNetwork": 1}}, "must be"),
    ],
)
def test_an_own_setting_that_means_nothing_is_an_error(own: dict[str, Any], text: str) -> None:
    (problem,) = problems(config({"docs": {"command": "x"}}, **own), ())
    assert problem.is_error and str(problem).startswith(f"{OWN}.") and text in str(problem)


def test_a_header_that_cannot_be_sent_is_an_error() -> None:
    found = list(problems(config({"docs": {"url": "https://example.com", "headers": {"a b": "x"}}}), ()))
    assert "the name of header 1 contains a character that is not allowed there" in str(found[0])
