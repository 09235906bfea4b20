"""Reads what the config says about each agent: its model, its prompt, its tools, and the limits of its runs.

Pure: files of a workspace are passed in as texts. Keys have OpenClaw's meaning; what it has no key for is under
``plugins.entries.clawgate.config.agents``. A config that is not valid does not come here: `config validate` reports it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from clawgate.agents.definition.tool_policy import ToolPolicy
from clawgate.agents.request.target import AgentNames
from clawgate.agents.run.history import HistoryLimit
from clawgate.agents.run.step import RunLimits
from clawgate.policy.model_routing import ModelRef
from clawgate.settings.openclaw.agent_ids import MAIN, agent_entries, default_agent
from clawgate.settings.openclaw.own_settings import MAX_PROMPT, AgentSettings, OwnSettings
from clawgate.settings.schema.agents import AgentDefaults, AgentEntry
from clawgate.settings.schema.openclaw import OpenClawConfig

PROMPT_FILES = ("AGENTS.md", "SOUL.md")
"""What of a workspace becomes the prompt, in this order."""
FILE_CHARACTERS = 20_000
"""Of one of them; OpenClaw's default, as is `MAX_PROMPT` for all."""
TIMEOUT_SECONDS = 172_800.0
"""OpenClaw's default for a run."""

_EFFORTS = {"off": "none", "ultra": "max", "adaptive": None}
"""Levels of thinking whose name is not OpenAI's effort; with adaptive, the provider decides."""


class Models(Protocol):
    """What a spec needs to know of the catalog."""

    @property
    def providers(self) -> Collection[str]: ...
    @property
    def aliases(self) -> Mapping[str, ModelRef]: ...
    @property
    def primary(self) -> ModelRef | None: ...
    @property
    def fallbacks(self) -> Sequence[ModelRef]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """One agent. ``chain`` is its model and fallbacks, empty where no default model is configured.

    ``system_prompt`` is None where the files of ``workspace`` are the prompt; ``reads_files`` is whether they are read.
    ``workspace`` may begin with ``~``. ``reasoning_effort`` is that of requests without one. ``choices`` are the
    models that a request may choose, as in ``modelPolicy.allow``; empty for any.
    """

    id: str
    name: str
    description: str = ""
    chain: tuple[ModelRef, ...]
    choices: tuple[str, ...] = ()
    tools: ToolPolicy = field(default_factory=ToolPolicy)
    workspace: str
    system_prompt: str | None = None
    reads_files: bool = True
    file_characters: int = FILE_CHARACTERS
    files_characters: int = MAX_PROMPT
    reasoning_effort: str | None = None
    detaches: bool = False
    timeout_seconds: float | None = TIMEOUT_SECONDS
    limits: RunLimits = field(default_factory=RunLimits)
    history: HistoryLimit = field(default_factory=HistoryLimit)

    def may_choose(self, ref: ModelRef, aliases: Mapping[str, ModelRef]) -> bool:
        """Whether a request may run this agent with the model ``ref``."""
        if not self.choices or ref in self.chain:
            return True
        full = {str(aliases.get(choice, choice)) for choice in self.choices}
        prefixes = tuple(choice[:-1] for choice in self.choices if choice.endswith("/*"))
        return str(ref) in full or str(ref).startswith(prefixes)

    def prompt(self, files: Mapping[str, str]) -> str:
        """Return the system prompt; ``files`` are those of `PROMPT_FILES` that the workspace has."""
        if self.system_prompt is not None:
            return self.system_prompt
        left, parts = self.files_characters, []
        for name in PROMPT_FILES if self.reads_files else ():
            text = files.get(name, "").strip()
            shown = text[: min(left, self.file_characters)]
            left -= len(shown)
            if shown:
                note = "" if shown == text else f"\n\n[{name} is longer: it was cut here.]"
                parts.append(f"# {name}\n\n{shown}{note}")
        return "\n\n".join(parts)


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents of a config, by their ids."""

    specs: Mapping[str, AgentSpec]
    default: str

    @property
    def names(self) -> AgentNames:
        return AgentNames(self.specs.keys(), self.default)


def read_agents(config: OpenClawConfig, own: OwnSettings, models: Models, state_folder: str) -> Agents:
    """Return the agents of ``config``; without any there is one, main."""
    entries = {name.strip().lower(): entry for _, name, entry in agent_entries(config)} or {
        MAIN: AgentEntry()
    }
    specs = {
        name: _spec(
            name, entry, config, own.agent(name), models, _workspace(name, entry, config, state_folder)
        )
        for name, entry in entries.items()
    }
    return Agents(MappingProxyType(specs), default_agent(config))


def _spec(
    name: str, entry: AgentEntry, config: OpenClawConfig, own: AgentSettings, models: Models, workspace: str
) -> AgentSpec:
    defaults = config.agents.defaults
    policy = entry.model_policy or defaults.model_policy
    thinking = entry.thinking_default or defaults.thinking_default
    limits, history = RunLimits(), HistoryLimit()
    return AgentSpec(
        id=name,
        name=entry.name or name,
        description=entry.description or "",
        chain=_chain(entry, models),
        choices=policy.allow if policy is not None else (),
        tools=ToolPolicy(config.tools, entry.tools, own.approve_tools or ()),
        workspace=workspace,
        system_prompt=own.system_prompt,
        reads_files=(entry.context_injection or defaults.context_injection) != "never",
        file_characters=entry.bootstrap_max_chars or defaults.bootstrap_max_chars or FILE_CHARACTERS,
        files_characters=entry.bootstrap_total_max_chars or defaults.bootstrap_total_max_chars or MAX_PROMPT,
        reasoning_effort=_EFFORTS.get(thinking, thinking) if thinking is not None else None,
        detaches=own.disconnect == "detach",
        timeout_seconds=own.timeout or _timeout(defaults),
        limits=RunLimits(
            max_turns=own.max_turns or limits.max_turns,
            max_tool_calls=own.max_tool_calls or limits.max_tool_calls,
            max_tokens=own.max_tokens,
            max_cost=None if own.max_cost is None else Decimal(str(own.max_cost)),
        ),
        history=HistoryLimit(
            own.history_turns or history.turns, own.history_characters or history.characters
        ),
    )


def _timeout(defaults: AgentDefaults) -> float | None:
    """Return the seconds that a run may take; 0 is any number, in OpenClaw."""
    seconds = defaults.timeout_seconds
    return TIMEOUT_SECONDS if seconds is None else float(seconds) or None


def _chain(entry: AgentEntry, models: Models) -> tuple[ModelRef, ...]:
    """Return the model and its fallbacks. An agent's own model has its own fallbacks alone, as in OpenClaw."""
    primary, fallbacks = models.primary, tuple(models.fallbacks)
    if entry.model is not None:
        named = entry.model.primary
        primary = (ModelRef.parse(named) or models.aliases.get(named)) if named else models.primary
        fallbacks = tuple(filter(None, map(ModelRef.parse, entry.model.fallbacks)))
    if primary is None:
        return ()
    usable = (ref for ref in fallbacks if ref.provider in models.providers)
    return tuple(dict.fromkeys((primary, *usable)))


def _workspace(name: str, entry: AgentEntry, config: OpenClawConfig, state_folder: str) -> str:
    """Return the folder: an agent beside others has one of its own, as in OpenClaw."""
    root = config.agents.defaults.workspace
    if entry.workspace:
        return entry.workspace
    if len(list(agent_entries(config))) > 1:
        return f"{root}/{name}" if root else f"{state_folder}/workspace-{name}"
    return root or f"{state_folder}/workspace"
