"""Reads which MCP servers the config has, and why one of them cannot be used.

Pure: no program is looked for and nothing is dialled. One server that cannot be used is a warning, and the others are
used: OpenClaw accepts more kinds of them. Source of the names and defaults: OpenClaw 2026.9.6, `agent-bundle-mcp-names`
and `mcp-transport-config`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from clawgate.policy.egress.policy import EgressPolicy, NetworkRules
from clawgate.policy.typos import typo_of
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.mcp_oauth import McpOAuthClient, oauth_client, oauth_problem
from clawgate.settings.openclaw.own_settings import SECTION as OWN_SECTION
from clawgate.settings.openclaw.own_settings import McpServerSettings, own_settings
from clawgate.settings.schema.mcp import McpServer
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.wire.http.url import parse_url

SECTION: KeyPath = ("mcp", "servers")
SEPARATOR = "__"
"""Between the names of a server and its tool."""
FAMILY = "bundle-mcp"
"""OpenClaw's name for the tools of all servers, in lists of tools."""
SDK = ("mcp",)
"""What its extra installs."""

Transport = Literal["stdio", "sse", "streamable-http"]

_OF_TYPE: dict[str, Transport] = {
    "http": "streamable-http",
    "streamable-http": "streamable-http",
    "sse": "sse",
}
_LONGEST_NAME = 30
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServerEntry:
    """One server of the config. ``prefix`` begins the names of its tools; ``problem`` is why it is not used.

    ``own`` is what OpenClaw has no key for.
    """

    name: str
    prefix: str
    block: McpServer
    own: McpServerSettings = field(default_factory=McpServerSettings)
    problem: Diagnostic | None = None

    @property
    def path(self) -> KeyPath:
        return (*SECTION, self.name)

    @property
    def own_path(self) -> KeyPath:
        return (*OWN_SECTION, *self.path)

    @property
    def allow_private_setting(self) -> str:
        return format_key_path((*self.own_path, "allowPrivateNetwork"))

    @property
    def oauth(self) -> McpOAuthClient | None:
        """What gets its tokens, if that is done by OAuth."""
        return oauth_client(self.name, self.block, self.own.oauth)

    def egress_policy(self, network: NetworkRules) -> EgressPolicy:
        """Return what a server that is reached over HTTP may be. Raises ValueError for what is no URL."""
        origin, path = parse_url(str(self.block.url).partition("?")[0])
        return EgressPolicy(
            requester=f"mcp:{self.name}",
            private=self.own.allow_private_network,
            setting=self.allow_private_setting,
            origin=origin,
            address_setting=format_key_path((*self.path, "url")),
            path=path,
            network=network,
        )

    @property
    def transport(self) -> Transport:
        block = self.block
        if block.command:
            return "stdio"
        return block.transport or _OF_TYPE.get((block.type or "").lower(), "sse")

    def enabled(self) -> McpServerEntry:
        """Return the same server as one that is on."""
        return replace(self, block=self.block.model_copy(update={"enabled": True}))

    @property
    def is_used(self) -> bool:
        return self.block.enabled and self.problem is None


def mcp_servers(config: OpenClawConfig, unset: Collection[str]) -> tuple[McpServerEntry, ...]:
    """Return every server, in the order of the file. ``unset``: the key paths of references that lead nowhere."""
    own = own_settings(config).mcp.servers
    found: list[McpServerEntry] = []
    for name, block in config.mcp.servers.items():
        prefix = _prefix(name)
        entry = McpServerEntry(
            name=name,
            prefix=prefix,
            block=block,
            own=own.get(name, McpServerSettings()),
        )
        same = next((one.name for one in found if one.prefix.lower() == prefix.lower()), None)
        problem = _name_problem(entry, same) or _reference_problem(entry, unset) or _problem(entry)
        found.append(replace(entry, problem=problem))
    return tuple(found)


def problems(config: OpenClawConfig) -> Iterator[Diagnostic]:
    """Yield own settings of servers that there are not."""
    servers = config.mcp.servers
    for name in own_settings(config).mcp.servers:
        if name not in servers:
            near = typo_of(name, servers)
            known = f"use one of {', '.join(servers)}" if servers else "remove it"
            fix = f"did you mean '{near}'?" if near else known
            path = (*OWN_SECTION, *SECTION, name)
            yield Diagnostic(path, "there is no server of this name in mcp.servers", fix=fix)


def _prefix(name: str) -> str:
    """Return what OpenClaw makes of the name, so that lists of tools mean the same in both programs."""
    text = _NOT_IN_A_NAME.sub("-", name.strip()) or "mcp"
    return (text if text[0].isascii() and text[0].isalpha() else f"mcp-{text}")[:_LONGEST_NAME]


def _name_problem(entry: McpServerEntry, same: str | None) -> Diagnostic | None:
    if SEPARATOR in entry.prefix or entry.prefix.endswith("_"):
        reason = (
            f"its name contains '{SEPARATOR}' or ends with '_', so a tool could pass for another server's"
        )
        return _warning(entry.path, reason, "rename it")
    if same is not None:
        reason = (
            f"its tools would have the names of those of '{same}': both begin with {entry.prefix}{SEPARATOR}"
        )
        return _warning(entry.path, reason, "rename it")
    return None


def _reference_problem(entry: McpServerEntry, unset: Collection[str]) -> Diagnostic | None:
    paths = format_key_path(entry.path), format_key_path(entry.own_path)
    for key in unset:
        if key.startswith(tuple(f"{path}{mark}" for path in paths for mark in ".[")):
            reason = f"{key} refers to a variable that is not set"
            return _warning(entry.path, reason, "set it, or enter the value itself")
    return None


def _problem(entry: McpServerEntry) -> Diagnostic | None:
    block, path = entry.block, entry.path
    if entry.transport == "stdio":
        if not (block.command or "").strip():
            return _warning((*path, "command"), "is missing", "enter the program to start")
        return None
    if not block.url:
        return _warning(path, "has neither command nor url", "enter one of them")
    try:
        parse_url(block.url.partition("?")[0])
    except ValueError as error:
        return _warning(
            (*path, "url"), str(error), "enter an http or https URL; a credential belongs into headers"
        )
    if bool(block.client_cert) != bool(block.client_key):
        return _warning(path, "has only one of clientCert and clientKey", "enter both")
    if block.auth is not None and (wrong := oauth_problem(block, entry.own.oauth, path, entry.own_path)):
        return _warning(*wrong)
    return None


def _warning(path: KeyPath, reason: str, fix: str) -> Diagnostic:
    return Diagnostic(path, f"{reason}, so the server is not used", Severity.WARNING, fix)
