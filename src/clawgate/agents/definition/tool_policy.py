"""Decides which tools an agent may use, by the rules of the config for all agents and for this one.

Law: fail closed. A tool has to pass the profile, both lists of what is allowed, and no list of what is denied; a denied
group that is not known denies everything. Names are compared without regard to case. Source of profiles and groups:
OpenClaw 2026.9.6, its documentation of tool policies.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clawgate.agents.request.refusal import shown
from clawgate.policy.typos import typo_of
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.mcp_servers import FAMILY, SEPARATOR
from clawgate.settings.openclaw.own_settings import APPROVE, approval_lists
from clawgate.settings.schema.agents import ToolRules
from clawgate.settings.schema.openclaw import OpenClawConfig

GROUPS: dict[str, frozenset[str]] = {
    name: frozenset(tools.split())
    for name, tools in {
        "runtime": "exec process code_execution bash",
        "fs": "read write edit apply_patch",
        "sessions": "sessions sessions_list sessions_history sessions_search conversations_list conversations_send "
        "conversations_turn sessions_send sessions_spawn sessions_yield subagents session_status suggest_task "
        "dismiss_task",
        "memory": "memory_search memory_get",
        "web": "web_search x_search web_fetch",
        "ui": "browser screen theme dashboard terminal portal canvas show_widget",
        "automation": "heartbeat_respond automations cron gateway plugins openclaw",
        "messaging": "message",
        "nodes": "nodes computer",
        "agents": "agents_list get_goal create_goal update_goal progress_card ask_user skill_workshop",
        "media": "image view_image image_generate music_generate video_generate tts pdf",
    }.items()
}
"""OpenClaw's own tools, by their group. A plugin's tool of the same name belongs to that group."""

_OTHER_NAMES = {"image": "view_image"}
"""What OpenClaw calls a tool of ours: rules for either name count for it."""
_NOT_OF_OPENCLAW = GROUPS["fs"] | {"exec", "process", "canvas"}
_PLUGINS = "plugins"

_PROFILES = {
    "minimal": "session_status gateway",
    "coding": "group:fs group:runtime group:web group:sessions group:memory cron gateway get_goal create_goal "
    "update_goal progress_card ask_user skill_workshop view_image image_generate music_generate video_generate theme "
    f"{FAMILY}",
    "messaging": "message sessions sessions_list sessions_history sessions_search conversations_list "
    "conversations_send conversations_turn sessions_send sessions_spawn sessions_yield subagents session_status "
    f"gateway ask_user theme {FAMILY}",
    "full": "*",
}
"""What a profile begins with."""


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """``of_all`` are the rules of ``tools``, ``own`` those of the agent.

    ``approve`` lists the tools whose calls wait for the caller's approval.
    """

    of_all: ToolRules = field(default_factory=ToolRules)
    own: ToolRules = field(default_factory=ToolRules)
    approve: tuple[str, ...] = ()

    def permits(self, tool: str, plugin: str = "", family: str = "") -> bool:
        """Whether the agent may use ``tool``, which ``plugin`` registered, or the MCP server of that prefix has."""
        if _not_applied(self.of_all) or _not_applied(self.own):
            return False
        names, owners = _names_of(tool, plugin, family)
        profile = _PROFILES[self.own.profile or self.of_all.profile or "full"].split()
        # An agent's own list, even an empty one, takes the place of that of all (OpenClaw's docs, "config migrations").
        also = self.own if "also_allow" in self.own.model_fields_set else self.of_all
        if not _list_any((*profile, *also.also_allow), names, owners):
            return False
        for rules in (self.of_all, self.own):
            if _list_any(rules.deny, names, owners, unknown=True):
                return False
            if rules.allow and not _list_any((*rules.allow, *rules.also_allow), names, owners):
                return False
        return True

    def needs_approval(self, tool: str, plugin: str = "", family: str = "") -> bool:
        """Whether ``approve`` names ``tool``. An entry that is not `KnownTools` makes every call wait, beside it."""
        return _list_any(self.approve, *_names_of(tool, plugin, family))


@dataclass(frozen=True, slots=True)
class KnownTools:
    """What an entry of a list may mean. OpenClaw's own tools and groups are known: both may read the file.

    ``plugins`` maps each plugin to its tools, ``servers`` each prefix of an MCP server, to none before it was reached.
    """

    plugins: Mapping[str, Collection[str]] = field(default_factory=dict)
    servers: Mapping[str, Collection[str]] = field(default_factory=dict)

    def has(self, entry: str) -> bool:
        """Whether there is anything that ``entry`` of a list means."""
        name = entry.strip().lower()
        unreached = tuple(f"{one}{SEPARATOR}".lower() for one, tools in self.servers.items() if not tools)
        return (
            name in self.words
            or name.startswith(unreached)
            or any(_matches(name, *tool, unknown=False) for tool in self._tools())
        )

    def beside(self, registered: Iterable[tuple[str, str]]) -> KnownTools:
        """Return what is known with the tools that are ``registered`` now, each with its plugin or prefix."""
        plugins = {owner: set(names) for owner, names in self.plugins.items()}
        servers = {owner: set(names) for owner, names in self.servers.items()}
        for name, owner in registered:
            (servers if owner in servers else plugins).setdefault(owner, set()).add(name)
        return KnownTools(plugins, servers)

    def typo_of(self, entry: str) -> str | None:
        """Return what ``entry`` is probably meant to be."""
        known = self.words.union(name for name, _ in self._tools())
        return typo_of(entry.strip().lower(), sorted(known - {"*"}))

    def unknown(self, entries: Iterable[str]) -> list[str]:
        return [entry for entry in entries if not self.has(entry)]

    @property
    def words(self) -> frozenset[str]:
        """What stands for many tools."""
        groups = (f"group:{name}" for name in (*GROUPS, _PLUGINS, "openclaw"))
        owners = (owner.lower() for owner in (*self.plugins, *self.servers))
        return frozenset({"*", FAMILY, *groups, *owners} - {""})

    def _tools(self) -> Iterator[tuple[str, set[str]]]:
        for owner, names in (*self.plugins.items(), *self.servers.items()):
            yield from ((name.lower(), {owner.lower()} - {""}) for name in names)
        for names in GROUPS.values():
            yield from ((name, set()) for name in names)


def _names_of(tool: str, plugin: str, family: str) -> tuple[set[str], set[str]]:
    """Return the names by which lists mean a tool, and those of its owners."""
    name = tool.lower()
    return {name} if plugin else {name, _OTHER_NAMES.get(name, name)}, {plugin.lower(), family.lower()} - {""}


def _not_applied(rules: ToolRules) -> list[str]:
    """Return the keys whose restrictions are not applied here. Without them an agent might get what they take away."""
    named = (("byProvider", rules.by_provider), ("toolsBySender", rules.tools_by_sender))
    return [key for key, entries in named if entries]


def _list_any(
    entries: Iterable[str], names: Collection[str], owners: Collection[str], *, unknown: bool = False
) -> bool:
    return any(
        _matches(entry.strip().lower(), name, owners, unknown=unknown) for entry in entries for name in names
    )


def _matches(entry: str, name: str, owners: Collection[str], *, unknown: bool) -> bool:
    if not entry.startswith("group:"):
        pattern = ".*".join(map(re.escape, entry.split("*")))
        return entry in owners or re.fullmatch(pattern, name) is not None
    group = entry.removeprefix("group:")
    if group == _PLUGINS:
        return bool(owners)
    if group == "openclaw":
        return name not in _NOT_OF_OPENCLAW and any(name in tools for tools in GROUPS.values())
    return name in GROUPS[group] if group in GROUPS else unknown


NOTHING_KNOWN = KnownTools()


def rule_problems(config: OpenClawConfig, known: KnownTools) -> Iterator[Diagnostic]:
    """Yield the names in lists of tools that nothing has, and the rules that are not applied."""
    for path, rules in _all_rules(config):
        for key in _not_applied(rules):
            yield Diagnostic(
                (*path, key),
                "clawgate does not apply it, so no tool is allowed where it counts",
                Severity.WARNING,
                f"remove it, and restrict tools by {'.'.join(map(str, path))}.deny",
            )
    for path, entries in _all_lists(config):
        for number, entry in enumerate(entries):
            if known.has(entry):
                continue
            effect = _EFFECTS.get((str(path[-1]), entry.strip().lower().startswith("group:")), "")
            near = known.typo_of(entry)
            yield Diagnostic(
                (*path, number),
                f"'{shown(entry)}' is neither a tool nor a plugin nor a group of tools{effect}",
                Severity.WARNING,
                f"did you mean '{near}'?" if near else "remove it, or install the plugin that has it",
            )


_ALL_WAIT = "so every call waits for approval"
_EFFECTS = {
    ("deny", True): ", so it denies every tool",
    (APPROVE, True): f", {_ALL_WAIT}",
    (APPROVE, False): f", {_ALL_WAIT}",
}
"""Of an entry that means nothing, in a list: a group or not."""


def _all_lists(config: OpenClawConfig) -> Iterator[tuple[KeyPath, Sequence[str]]]:
    for path, rules in _all_rules(config):
        yield (*path, "allow"), rules.allow
        yield (*path, "alsoAllow"), rules.also_allow
        yield (*path, "deny"), rules.deny
    yield from approval_lists(config)


def _all_rules(config: OpenClawConfig) -> Iterator[tuple[KeyPath, ToolRules]]:
    yield ("tools",), config.tools
    for name, entry in config.agents.entries.items():
        yield ("agents", "entries", name, "tools"), entry.tools
    for number, listed in enumerate(config.agents.list):
        yield ("agents", "list", number, "tools"), listed.tools
