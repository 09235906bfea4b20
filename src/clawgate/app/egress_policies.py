"""Finds the egress policy of a requester by its name, and what it decides of a URL, as requests have it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from clawgate.app.egress_recorder import EgressRecorder
from clawgate.app.upstreams import parse_proxy
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.policy.egress_ledger import LedgerQuery, Listing
from clawgate.policy.typos import typo_of
from clawgate.providers.catalog import Catalog
from clawgate.relay.upstream.dial import Resolver
from clawgate.relay.upstream.explain import Explanation, explain
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.mcp_servers import McpServerEntry, mcp_servers
from clawgate.settings.openclaw.own_settings import network_rules
from clawgate.settings.openclaw.web_tools import NEEDS, tool_policy
from clawgate.wire.http.url import Origin, parse_fetch_url

UNPRIVILEGED = "tool:web_fetch"
"""Whose policy a URL of no provider is explained by."""
_KINDS = ("mcp", "plugin", "provider", "tool")


def policy_of(requester: str, catalog: Catalog, file: ConfigFile) -> EgressPolicy:
    """Return the policy of ``requester``, of a plugin whether it exists or not. Raises ValueError for no other."""
    kind, _, name = requester.partition(":")
    if kind not in _KINDS or not name:
        raise ValueError(f"'{requester}' is no requester; use {', '.join(f'{one}:NAME' for one in _KINDS)}")
    if kind == "provider":
        if name not in catalog.providers:
            raise unknown_requester(kind, name, catalog.providers)
        return catalog.providers[name].egress_policy()
    network = network_rules(file.config)
    if kind == "mcp":
        servers = {server.name: server for server in http_servers(file)}
        if name not in servers:
            raise unknown_requester("MCP server over HTTP", name, servers)
        return servers[name].egress_policy(network)
    if kind == "tool":
        if name not in NEEDS:
            raise unknown_requester(kind, name, NEEDS)
        return tool_policy(name, file.config, network)
    return EgressPolicy(requester=requester, network=network)


def unknown_requester(kind: str, name: str, known: Collection[str]) -> ValueError:
    near = typo_of(name, known)
    meant = f"did you mean '{near}'? " if near else ""
    return ValueError(
        f"there is no {kind} '{name}'; {meant}use one of: {', '.join(sorted(known)) or '(none)'}"
    )


def http_servers(file: ConfigFile) -> Sequence[McpServerEntry]:
    """Return the MCP servers that have an address of their own."""
    servers = mcp_servers(file.config, file.unset)
    return [one for one in servers if one.problem is None and one.transport != "stdio"]


def requester_of(origin: Origin, catalog: Catalog, file: ConfigFile) -> str:
    """Return the provider or MCP server whose address ``origin`` is; without one, a tool."""
    network = network_rules(file.config)
    policies = [
        *(one.egress_policy() for one in catalog.providers.values()),
        *(one.egress_policy(network) for one in http_servers(file)),
    ]
    return next((one.requester for one in policies if one.origin == origin), UNPRIVILEGED)


async def explain_url(
    url: str, requester: str, catalog: Catalog, file: ConfigFile, resolver: Resolver | None
) -> Explanation:
    """Return what ``requester``, "" for the likeliest one, gets for ``url``. Raises ValueError."""
    origin, _ = parse_fetch_url(url)
    policy = policy_of(requester or requester_of(origin, catalog, file), catalog, file)
    kind, _, name = policy.requester.partition(":")
    proxy, _ = parse_proxy(catalog.providers[name].proxy if kind == "provider" else None)
    return await explain(origin, policy, resolver, proxy)


class EgressDesk:
    """What a running gateway knows of egress, for commands of this user."""

    def __init__(
        self,
        recorder: EgressRecorder,
        catalog: Callable[[], Catalog],
        file: Callable[[], ConfigFile],
        resolver: Resolver,
    ) -> None:
        self._recorder = recorder
        self._catalog = catalog
        self._file = file
        self._resolver = resolver

    async def find(self, query: LedgerQuery) -> Listing:
        return await self._recorder.find(query)

    async def explain(self, url: str, requester: str, *, resolve: bool) -> dict[str, object]:
        resolver = self._resolver if resolve else None
        found = await explain_url(url, requester, self._catalog(), self._file(), resolver)
        return found.to_json()
