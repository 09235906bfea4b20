"""The rows of `clawgate agents`, made of the config and of what is known of the providers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clawgate.agents.definition.spec import AgentSpec, read_agents
from clawgate.agents.definition.tool_diagnostics import known_tools
from clawgate.agents.definition.tool_list import ListedTool, listed_tools, tools_of_agent
from clawgate.cli.context import LoadedConfig
from clawgate.cli.outcome import outcome_json
from clawgate.errors import GatewayError
from clawgate.policy.model_routing import DEFAULT_AGENT
from clawgate.policy.printable import escape_controls
from clawgate.providers.availability import chain_error
from clawgate.routing.gateway_router import agents_off
from clawgate.settings.openclaw.gateway import agent_paths_of
from clawgate.settings.openclaw.own_settings import own_settings
from clawgate.settings.schema.agents import ToolRules


@dataclass(frozen=True, slots=True)
class AgentRow:
    """``error`` is that of a request to this agent, None if it is sent to a model.

    ``unknown`` are the names to approve that mean nothing, so every call waits.
    """

    spec: AgentSpec
    is_default: bool
    error: GatewayError | None
    unknown: Sequence[str] = ()

    @property
    def model(self) -> str:
        """What a request names it by."""
        return f"{DEFAULT_AGENT}/{self.spec.id}"

    def needs_approval(self, tool: ListedTool) -> bool:
        return bool(self.unknown) or self.spec.tools.needs_approval(tool.name, tool.plugin, tool.family)

    def to_json(self) -> dict[str, object]:
        spec = self.spec
        chain = [str(ref) for ref in spec.chain]
        return {
            "id": spec.id,
            "name": spec.name,
            "description": spec.description or None,
            "default": self.is_default,
            "requestAs": self.model,
            "model": chain[0] if chain else None,
            "fallbacks": chain[1:],
            "workspace": spec.workspace,
            "tools": {"ofAll": _rules_json(spec.tools.of_all), "own": _rules_json(spec.tools.own)},
            "approveTools": list(spec.tools.approve),
            "approveToolsUnknown": list(self.unknown),
            **outcome_json(self.error),
        }

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what there is to know of it, for people."""
        spec, limits = self.spec, self.spec.limits
        yield "Agent", f"{spec.id}{' (default)' if self.is_default else ''}"
        if spec.name != spec.id:
            yield "Name", spec.name
        if spec.description:
            yield "About", spec.description
        yield "Request", f'"model": "{self.model}"'
        yield "Model", str(spec.chain[0]) if spec.chain else "(none)"
        yield "Fallbacks", ", ".join(map(str, spec.chain[1:])) or "(none)"
        yield "Tools", tools_text(spec)
        if self.unknown:
            yield (
                "Approval",
                f"the caller approves every call, since nothing has the name {', '.join(map(repr, self.unknown))}",
            )
        elif spec.tools.approve:
            yield "Approval", f"the caller approves each call of: {', '.join(spec.tools.approve)}"
        yield "Workspace", spec.workspace
        yield "Prompt", prompt_text(spec)
        counts = [
            (limits.max_turns, "model calls"),
            (limits.max_tool_calls, "tool calls"),
            (limits.max_tokens, "tokens"),
            (limits.max_cost, "US dollars"),
            (spec.timeout_seconds, "seconds"),
        ]
        yield "Limits", ", ".join(f"{number:,g} {unit}" for number, unit in counts if number is not None)


def agent_rows(loaded: LoadedConfig) -> list[AgentRow]:
    config = loaded.file.config
    agents = read_agents(config, own_settings(config), loaded.catalog, str(loaded.paths.state))
    known = known_tools(loaded.file, loaded.paths.state)
    return [
        AgentRow(spec, spec.id == agents.default, _error(loaded, spec), known.unknown(spec.tools.approve))
        for spec in agents.specs.values()
    ]


def _error(loaded: LoadedConfig, spec: AgentSpec) -> GatewayError | None:
    if not agent_paths_of(loaded.file):
        return agents_off(f"{DEFAULT_AGENT}/{spec.id}")
    availability = loaded.known.availability
    if not spec.chain:
        return availability.request_error()
    return chain_error((str(ref), availability.model_error(ref)) for ref in spec.chain)


def agent_tools(loaded: LoadedConfig, spec: AgentSpec) -> list[ListedTool]:
    """Return each tool that the agent could have."""
    listed = listed_tools(loaded.file, loaded.paths.state)
    return tools_of_agent(listed, loaded.file, spec.id, spec.tools)


def tool_json(tool: ListedTool, row: AgentRow) -> dict[str, object]:
    return {
        "name": tool.name,
        "plugin": tool.plugin or None,
        "on": not tool.reason,
        "reason": tool.reason or None,
        "fix": tool.fix or None,
        "approval": row.needs_approval(tool),
    }


def tool_cells(tool: ListedTool, row: AgentRow) -> tuple[str, str, str]:
    name = escape_controls(tool.name)
    if tool.reason:
        return name, "off", escape_controls("; ".join(filter(None, (tool.reason, tool.fix))))
    return name, "on", "the caller approves each call" if row.needs_approval(tool) else ""


def tools_text(spec: AgentSpec) -> str:
    """Return the rules in one line: a tool has to pass those of all agents and its own."""
    rules = [("all agents", spec.tools.of_all), ("this one", spec.tools.own)]
    texts = [f"{name}: {text}" for name, one in rules if (text := _rules_text(one))]
    return "; ".join(texts) or "every tool that is registered"


def _rules_text(rules: ToolRules) -> str:
    parts = [f"profile {rules.profile}"] if rules.profile else []
    for name, tools in (("only", rules.allow), ("also", rules.also_allow), ("not", rules.deny)):
        parts += [f"{name} {', '.join(tools)}"] if tools else []
    return ", ".join(parts)


def prompt_text(spec: AgentSpec) -> str:
    if spec.system_prompt is not None:
        return f"of the config, {len(spec.system_prompt):,} characters"
    return "AGENTS.md and SOUL.md of the workspace" if spec.reads_files else "(none)"


def _rules_json(rules: ToolRules) -> dict[str, object]:
    return {
        "profile": rules.profile,
        "allow": list(rules.allow),
        "alsoAllow": list(rules.also_allow),
        "deny": list(rules.deny),
    }
