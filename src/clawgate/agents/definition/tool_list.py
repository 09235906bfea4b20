"""Lists the tools that an agent could have, and why it does not have one of them.

Law: what decides in a run decides here. Must not run code of a plugin or of a server: what a plugin registers is in its
manifest, and what a server had when it was reached is in the state folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clawgate.agents.definition.tool_policy import ToolPolicy
from clawgate.agents.tools.mcp.definitions import named, passes, tool_name
from clawgate.agents.tools.mcp.logins import missing_login
from clawgate.agents.tools.mcp.pins import Pins, PinStore, pins_folder
from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason, find_plugins
from clawgate.settings.extras import install_command, missing_packages
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.agent_ids import agent_entries
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.mcp_servers import FAMILY, SDK, SEPARATOR, McpServerEntry, mcp_servers
from clawgate.settings.openclaw.web_tools import KEYS, NEEDS, off_reason
from clawgate.settings.schema.agents import ToolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTool:
    """One tool. ``reason`` is why it is off, empty where it is on; ``fix`` is what turns it on.

    ``plugin`` is the plugin or, for the tool of an MCP server, its prefix, as in `RegisteredTool`.
    """

    name: str
    plugin: str = ""
    family: str = ""
    reason: str = ""
    fix: str = ""


def listed_tools(file: ConfigFile, state_dir: Path) -> list[ListedTool]:
    """Return the tools that there are for all agents. Of a server without a list there is one row for all."""
    entries = mcp_servers(file.config, file.unset)
    of_servers = (tool for entry in entries for tool in _of_server(entry, state_dir))
    of_plugins = (tool for plugin in find_plugins(state_dir) for tool in _of_plugin(plugin, file))
    return [*_own(file), *of_servers, *of_plugins]


def tools_of_agent(
    known: Iterable[ListedTool], file: ConfigFile, agent: str, policy: ToolPolicy
) -> list[ListedTool]:
    """Return ``known`` by the rules of one agent, where the last of a name takes the place of those before it."""
    paths = [path for path, name, _ in agent_entries(file.config) if name.strip().lower() == agent]
    own: KeyPath = (*(paths[-1] if paths else ("agents", "entries", agent)), "tools")
    tools = [_by_rules(tool, policy, own) for tool in known]
    last = {tool.name: tool.plugin for tool in tools if not tool.reason}
    return [
        replace(tool, reason=f"the plugin '{owner}' has a tool of this name")
        if not tool.reason and (owner := last[tool.name]) != tool.plugin
        else tool
        for tool in tools
    ]


def _by_rules(tool: ListedTool, policy: ToolPolicy, own: KeyPath) -> ListedTool:
    """Return ``tool`` with the rule that takes it away, found by applying each rule alone."""
    if tool.reason or policy.permits(tool.name, tool.plugin, tool.family):
        return tool
    both: tuple[tuple[KeyPath, ToolRules], ...] = (("tools",), policy.of_all), (own, policy.own)
    for path, rules in both:
        for field, key, reason, fix in _RULES:
            alone = ToolRules().model_copy(
                update={name: getattr(rules, name) for name in (field, "also_allow")}
            )
            if not ToolPolicy(alone).permits(tool.name, tool.plugin, tool.family):
                return replace(tool, reason=f"{format_key_path((*path, key))} {reason}", fix=fix)
    place, _ = both[bool(policy.own.profile)]
    also, _ = both["also_allow" in policy.own.model_fields_set]
    reason = f"the profile of {format_key_path((*place, 'profile'))} does not have it"
    return replace(tool, reason=reason, fix=f"add it to {format_key_path((*also, 'alsoAllow'))}")


_RULES = (
    ("by_provider", "byProvider", "is not applied, so no tool is allowed", "remove it"),
    ("tools_by_sender", "toolsBySender", "is not applied, so no tool is allowed", "remove it"),
    ("deny", "deny", "takes it away", "remove it from that list"),
    ("allow", "allow", "does not list it", "add it to that list"),
)


def _own(file: ConfigFile) -> Iterator[ListedTool]:
    for name, packages in NEEDS.items():
        reason, fix = off_reason(name, file.config), ""
        if reason:
            fix = f"run: clawgate config set {format_key_path((*KEYS[name], 'enabled'))} true"
        elif missing := missing_packages(packages):
            reason, fix = f"{', '.join(missing)} is not installed", f"run: {install_command('web')}"
        yield ListedTool(name=name, reason=reason, fix=fix)


def _of_plugin(plugin: DiscoveredPlugin, file: ConfigFile) -> Iterator[ListedTool]:
    config = file.config
    is_enabled, why = enabled_reason(plugin, config.plugins, config.models.providers, file.environment)
    reason, fix = plugin.problem or "", f"run: clawgate plugins inspect {plugin.id}"
    if not reason and not is_enabled:
        reason, fix = why, f"run: clawgate plugins enable {plugin.id}"
    for name in plugin.manifest.tools if plugin.manifest else ():
        yield ListedTool(name=name, plugin=plugin.id, reason=reason, fix=fix if reason else "")


def _of_server(entry: McpServerEntry, state_dir: Path) -> Iterator[ListedTool]:
    pins = PinStore(pins_folder(state_dir), time.time).read(entry.prefix)
    reason, fix = _server_problem(entry, pins, state_dir)
    tools = sorted({*pins.accepted, *pins.waiting})
    passing = [one for one in pins.accepted.values() if passes(entry.block.tool_filter, one.name)]
    names, doubled = named(entry.prefix, passing)
    if not tools:
        yield ListedTool(name=f"{entry.prefix}{SEPARATOR}*", plugin=entry.prefix, reason=reason, fix=fix)
    for tool in tools:
        name = tool_name(entry.prefix, tool)
        of_tool, to_do = reason, fix
        if not reason and (tool in pins.waiting or tool in doubled):
            new = "it is new" if tool not in pins.accepted else "the server changed it"
            of_tool = doubled.get(tool) or f"{new}, and it was not accepted yet"
            to_do = f"run: clawgate mcp show {entry.name}"
        elif not reason and name not in names:
            of_tool = f"{format_key_path((*entry.path, 'toolFilter'))} does not let it pass"
            to_do = "change it there"
        yield ListedTool(name=name, plugin=entry.prefix, family=FAMILY, reason=of_tool, fix=to_do)


def _server_problem(entry: McpServerEntry, pins: Pins, state_dir: Path) -> tuple[str, str]:
    """Return why none of its tools is on, and what to do, or twice nothing."""
    key = format_key_path(entry.path)
    if not entry.block.enabled:
        switch = format_key_path((*entry.path, "enabled"))
        return f"{switch} is false", f"run: clawgate config set {switch} true"
    if entry.problem is not None:
        return f"{entry.problem.key} {entry.problem.message}", entry.problem.fix
    if missing_packages(SDK):
        return "the MCP SDK is not installed", f"run: {install_command('mcp')}"
    if pins.problem:
        return f"{key}: {pins.problem}", ""
    if pins.accepted or pins.waiting:
        return "", ""
    missing = missing_login(pins_folder(state_dir), entry)
    return (
        (f"{key}: {missing[0]}", missing[1])
        if missing
        else (f"{key} was not reached yet", f"run: clawgate mcp test {entry.name}")
    )
