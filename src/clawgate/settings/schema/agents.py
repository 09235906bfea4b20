"""Declares the agents of OpenClaw's config file: their models, their workspaces, and the tools that they may use.

Pure. Sources: the configuration schema that OpenClaw 2026.9.6 prints and its documentation of `agents` and `tools`;
``agents.list`` is the form of versions before it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictBool

from clawgate.settings.fields import reject_text_for_whole, setting
from clawgate.settings.schema.block import Block, NonNegativeInt
from clawgate.settings.schema.web_tools import MediaTools, Positive, WebTools

Thinking = Literal["off", "minimal", "low", "medium", "high", "xhigh", "adaptive", "max", "ultra"]
Injection = Literal["always", "continuation-skip", "never"]
Profile = Literal["minimal", "coding", "messaging", "full"]


def _primary_only(value: object) -> object:
    return {"primary": value} if isinstance(value, str) else value


class ModelChoice(Block):
    """A model and its fallbacks."""

    primary: str | None = setting("provider/model, or an alias.")
    fallbacks: tuple[str, ...] = setting("The models tried after it, each as provider/model.", ())


Choice = Annotated[ModelChoice, BeforeValidator(_primary_only, json_schema_input_type=str | ModelChoice)]


class ImageModel(ModelChoice):
    """``agents.defaults.imageModel``."""

    timeout_ms: Positive | None = setting("Milliseconds that it may take.")


ImageChoice = Annotated[ImageModel, BeforeValidator(_primary_only, json_schema_input_type=str | ImageModel)]


class ModelSettings(Block):
    """``agents.defaults.models."provider/model"``."""

    alias: str | None = setting("A short name for the model.")


class ModelPolicy(Block):
    """``agents.defaults.modelPolicy`` and that of one agent."""

    allow: tuple[str, ...] = setting(
        "What a request may choose in place of the agent's model: provider/model, an alias, or provider/*; "
        "empty for any.",
        (),
    )


class ToolRules(Block):
    """``tools`` and ``agents.entries.<id>.tools``."""

    profile: Profile | None = setting("A set of tools to begin with; full or absent: all.")
    allow: tuple[str, ...] = setting(
        "The only tools that are allowed; absent or empty: all of the profile.", ()
    )
    also_allow: tuple[str, ...] = setting("Tools that are allowed beside those of the profile.", ())
    deny: tuple[str, ...] = setting("Tools that are not allowed, whatever else is set.", ())
    by_provider: dict[str, object] = setting("OpenClaw's; while it has an entry, no tool is allowed.", dict)
    tools_by_sender: dict[str, object] = setting("As byProvider.", dict)


class Tools(ToolRules):
    """``tools``: the rules of all agents, and the settings of single tools."""

    web: WebTools = setting("Tools that read the web.", WebTools)
    media: MediaTools = setting("Tools that read images.", MediaTools)


class MemorySearch(Block):
    """``memory.search`` and that of one agent: with what texts are embedded."""

    provider: str | None = setting("The provider of embeddings.")
    model: str | None = setting("Its model for them.")


class Memory(Block):
    """``memory`` and that of one agent."""

    search: MemorySearch = setting("Its search.", MemorySearch)


class AgentDefaults(Block):
    """``agents.defaults``."""

    model: Choice = setting("The model; a plain text is its primary.", ModelChoice)
    models: dict[str, ModelSettings] = setting("Settings of models, by provider/model.", dict)
    model_policy: ModelPolicy | None = setting("Which models a request may choose.")
    image_model: ImageChoice | None = setting("The model that describes images; a plain text is its primary.")
    image_max_dimension_px: Positive = setting(
        "Pixels of the longer side of an image that is sent to it.", 1200
    )
    workspace: str | None = setting("The folder with the agents' files.")
    thinking_default: Thinking | None = setting("How much the model thinks, unless a request says otherwise.")
    timeout_seconds: Annotated[int, Field(ge=0), BeforeValidator(reject_text_for_whole)] | None = setting(
        "Seconds that a run may take; 0 for any number."
    )
    context_injection: Injection | None = setting("Whether AGENTS.md and SOUL.md are a part of the prompt.")
    bootstrap_max_chars: NonNegativeInt | None = setting("Characters of one such file.")
    bootstrap_total_max_chars: NonNegativeInt | None = setting("Characters of all such files.")


class AgentEntry(Block):
    """``agents.entries.<id>``."""

    name: str | None = setting("Its name for people.")
    description: str | None = setting("What it is for.")
    default: StrictBool = setting("Whether it is the agent of requests that name none.", False)
    model: Choice | None = setting("Its model in place of the default; a plain text has no fallbacks.")
    model_policy: ModelPolicy | None = setting(
        "Which models a request may choose, in place of the defaults'."
    )
    tools: ToolRules = setting("What it may use, within what all may.", ToolRules)
    memory: Memory = setting("What differs in its memory from that of all.", Memory)
    workspace: str | None = setting("The folder with its files.")
    thinking_default: Thinking | None = setting("How much the model thinks, unless a request says otherwise.")
    context_injection: Injection | None = setting("Whether AGENTS.md and SOUL.md are a part of the prompt.")
    bootstrap_max_chars: NonNegativeInt | None = setting("Characters of one such file.")
    bootstrap_total_max_chars: NonNegativeInt | None = setting("Characters of all such files.")


class ListedAgent(AgentEntry):
    """One of ``agents.list[]``, which has its id beside its other keys."""

    id: Annotated[str, Field(min_length=1)] = Field(description="Its id.")


class AgentsBlock(Block):
    """``agents``."""

    defaults: AgentDefaults = setting("Settings of every agent.", AgentDefaults)
    list: tuple[ListedAgent, ...] = setting("Agents, as in files before 2026.9.", ())
    entries: dict[str, AgentEntry] = setting("Agents by their id.", dict)
