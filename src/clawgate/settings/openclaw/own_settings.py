"""Declares the gateway's settings for which OpenClaw's schema has no key: ``plugins.entries.clawgate.config``.

OpenClaw keeps the entries of plugins that it does not have, so one file serves both programs (decision 0004). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StrictBool,
    ValidationError,
)

from clawgate.policy.egress.policy import NetworkRules
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.fields import (
    MAX_UPSTREAM_CONNECTIONS,
    OWN_BLOCK,
    UPSTREAM_WAIT_SECONDS,
    ConnectionCount,
    Count,
    HostNames,
    Port,
    Seconds,
    Secret,
    reject_bool,
    setting,
    suggestion,
)
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.network_settings import NetworkSettings
from clawgate.settings.problems import SettingsInvalid, format_message
from clawgate.settings.references import resolve_references
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.settings.schema.walk import models_in

ENTRY = "clawgate"
"""The id under ``plugins.entries``; no plugin has it."""
SECTION: KeyPath = ("plugins", "entries", ENTRY, "config")

DATABASE_VARIABLE = "CLAWGATE_DATABASE_URL"
_DATABASE = "postgresql://<user>:<password>@<host>/<database>, or the path of a SQLite file from / or ~"

APPROVE = "approveTools"
DEFAULTS = "defaults"
"""What is under ``agents`` for all of them."""
_Settings = TypeVar("_Settings", bound=BaseModel)
MAX_PROMPT = 60_000
"""Characters of a system prompt: as many as OpenClaw takes from all files of a workspace."""


def check_database(value: str) -> str:
    """Return ``value`` if it can be the place of a database. Raises ValueError, without any part of it."""
    scheme, is_url, rest = value.partition("://")
    if not value.isprintable() or value != value.strip():
        raise ValueError("has a space or a control character at its ends or within")
    if (not is_url and value.startswith(("/", "~/", "${"))) or (scheme == "sqlite" and rest.startswith("/")):
        return value
    if scheme not in ("postgresql", "postgres"):
        raise ValueError(f"must be {_DATABASE}")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        parts = None
    if parts is None or not (parts.hostname or "host=" in parts.query) or not parts.path.strip("/"):
        raise ValueError(f"cannot be read; it must be {_DATABASE}, special characters of the password as %XX")
    if "password" in parse_qs(parts.query):
        raise ValueError("has its password behind '?'; write it before the '@'")
    return value


class ProviderTimeouts(BaseModel):
    """The time limits of requests to one provider; what is not set follows from its ``timeoutSeconds``."""

    model_config = OWN_BLOCK

    connect: Seconds | None = setting("Seconds for a connection.")
    first_byte: Seconds | None = setting("Seconds from the whole request to the first byte.")
    idle: Seconds | None = setting("Seconds of silence within a response.")
    total: Seconds | None = setting("Seconds for one exchange from head to end.")

    def by_limit(self) -> dict[str, float]:
        """Return those that are set, by the name of their limit."""
        return self.model_dump(exclude_none=True)


class ProviderSettings(BaseModel):
    """The settings of one provider; what is not set has the value of all."""

    model_config = OWN_BLOCK

    max_upstream_connections: ConnectionCount | None = setting(
        "Connections to this provider, idle ones included."
    )
    upstream_wait_timeout: Seconds | None = setting("Seconds that a request waits for one of them.")
    discover_models: StrictBool | None = setting(
        "Whether /v1/models has this provider's own list, if the config has none."
    )
    timeouts: ProviderTimeouts = setting("Its time limits.", ProviderTimeouts)


def _every_tool(value: object) -> object:
    """Read ``"all"``, in a list, too: as the name of a tool, which none has, it would have no call wait."""
    entries = value if isinstance(value, list) else [value]
    is_all = any(isinstance(entry, str) and entry.strip().lower() == "all" for entry in entries)
    return ["*"] if is_all else value


ToolNames = Annotated[
    tuple[str, ...],
    BeforeValidator(_every_tool, json_schema_input_type=Literal["all"] | tuple[str, ...]),
]


class AgentSettings(BaseModel):
    """The settings of one agent; what is not set has the value of ``agents.defaults`` here."""

    model_config = OWN_BLOCK

    system_prompt: Annotated[str, Field(max_length=MAX_PROMPT)] | None = setting(
        "What the agent is, in place of AGENTS.md and SOUL.md in its workspace."
    )
    disconnect: Literal["cancel", "detach"] | None = setting(
        "What becomes of a run whose client disconnects: cancel, unless it is set, or detach: it runs on."
    )
    timeout: Seconds | None = setting(
        "Seconds that a run may take, in place of agents.defaults.timeoutSeconds."
    )
    max_turns: Count | None = setting("Model calls of one run; 50 unless it is set.")
    max_tool_calls: Count | None = setting("Tool calls of one run; 200 unless it is set.")
    max_tokens: Count | None = setting("Tokens of all model calls of one run, in and out.")
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(reject_bool)] | None = (
        setting("US dollars of all model calls of one run; a model without a known price is not used.")
    )
    approve_tools: ToolNames | None = setting(
        'Tools whose calls wait for the caller\'s approval, by names, patterns and groups as in tools.allow, or "all".'
    )
    history_turns: Count | None = setting(
        "Stored messages of a session that a run begins with; 200 unless it is set."
    )
    history_characters: Count | None = setting("Characters of these messages; 400000 unless it is set.")


class SessionSettings(BaseModel):
    """What is kept of sessions and of the requests of agents, and for how long."""

    model_config = OWN_BLOCK

    max_age_days: Count = setting("Days after its last run that a session is kept.", 90)
    max_turns: Count = setting("Messages of a session that are kept; the oldest go first.", 2000)
    max_megabytes: Count = setting("Size of a session's messages that are kept, in MB.", 50)
    max_sessions: Count = setting(
        "Sessions of a caller that are kept; those used least recently go first.", 10_000
    )
    usage_days: Count = setting(
        "Days that the record of a request, its usage and its tool calls are kept.", 400
    )


class ResponseSettings(BaseModel):
    """What is kept of stored responses, and for how long."""

    model_config = OWN_BLOCK

    max_age_days: Count = setting("Days that a stored response is kept.", 30)
    max_responses: Count = setting("Stored responses of a caller that are kept; the oldest go first.", 10_000)
    max_megabytes: Count = setting("Size of a caller's stored responses that is kept, in MB.", 1000)


class McpOAuthSettings(BaseModel):
    """The client of OAuth that is registered for this gateway, where one is."""

    model_config = OWN_BLOCK

    grant: Literal["authorization_code", "client_credentials"] = setting(
        "Who logs in: a person (clawgate mcp login), or the client itself.", "authorization_code"
    )
    issuer: str | None = setting("The authorization server that knows the client; it alone gets the secret.")
    client_id: str | None = setting("The client's id there.")
    client_secret: Secret | None = setting("Its secret; a reference such as ${NAME}.")
    private_key_file: str | None = setting("A PEM file with the key that it signs with, instead of a secret.")


class McpServerSettings(BaseModel):
    """What OpenClaw's ``mcp.servers.<name>`` has no key for."""

    model_config = OWN_BLOCK

    allow_private_network: StrictBool = setting(
        "Whether its url may have a private or loopback address.", False
    )
    oauth: McpOAuthSettings = setting("The client of OAuth, where auth is oauth.", McpOAuthSettings)


class McpSettings(BaseModel):
    """The settings of MCP servers."""

    model_config = OWN_BLOCK

    servers: dict[str, McpServerSettings] = setting("Servers by their name in mcp.servers.", dict)


class OwnSettings(BaseModel):
    model_config = OWN_BLOCK

    max_upstream_connections: ConnectionCount = setting(
        "Connections to each provider, idle ones included; further requests wait for one.",
        MAX_UPSTREAM_CONNECTIONS,
    )
    upstream_wait_timeout: Seconds = setting(
        "Seconds that a request waits for a connection when all are in use.", UPSTREAM_WAIT_SECONDS
    )
    discover_models: StrictBool = setting(
        "Whether /v1/models has the list of each provider for which the config lists no models.", True
    )
    direct_models: StrictBool | None = setting(
        "Whether requests may name a model of a provider; on by default where only this machine reaches the gateway."
    )
    ollama_tags: StrictBool = setting(
        "Whether /api/tags and /api/version are served, for clients that list models as Ollama does.", False
    )
    allow_host: HostNames = setting("Further names to accept in Host, '*' for any.", ())
    metrics_port: Port | None = setting(
        "Port on 127.0.0.1 for Prometheus (/metrics), none by default; a change needs a restart."
    )
    drain_timeout: Seconds | None = setting(
        "Seconds that responses in progress get to finish when the gateway stops; unless it is set 30, "
        "or 300 as a service of the whole machine; a change needs a restart."
    )
    database: Annotated[str, AfterValidator(check_database)] | None = setting(
        "Where the state of agents is: a path, or the URL of a PostgreSQL that several gateways may share.",
        variable=DATABASE_VARIABLE,
    )
    sessions: SessionSettings = setting("What is kept of sessions, and for how long.", SessionSettings)
    responses: ResponseSettings = setting(
        "What is kept of stored responses, and for how long.", ResponseSettings
    )
    providers: dict[str, ProviderSettings] = setting("What differs for one provider, by its id.", dict)
    agents: dict[str, AgentSettings] = setting(
        "The runs of agents, by their id; 'defaults' is for all.", dict
    )
    mcp: McpSettings = setting("The servers whose tools agents use.", McpSettings)
    network: NetworkSettings = setting("Which addresses may be dialled, beyond public ones.", NetworkSettings)

    def connections_of(self, provider: str) -> tuple[int, float, str]:
        """Return how many connections ``provider`` may have, how long a request waits, and the key of the first."""
        own = self.providers.get(provider, ProviderSettings())
        seconds = own.upstream_wait_timeout or self.upstream_wait_timeout
        key: KeyPath = (*SECTION, "maxUpstreamConnections")
        if own.max_upstream_connections is not None:
            key = (*SECTION, "providers", provider, "maxUpstreamConnections")
        return own.max_upstream_connections or self.max_upstream_connections, seconds, format_key_path(key)

    def discovers_models_of(self, provider: str) -> bool:
        own = self.providers.get(provider, ProviderSettings()).discover_models
        return self.discover_models if own is None else own

    def agent(self, name: str) -> AgentSettings:
        """Return the settings of an agent: its own, and for what it lacks those of all."""
        of_all = self.agents.get(DEFAULTS, AgentSettings()).model_dump(exclude_none=True)
        return AgentSettings(**of_all | self.agents.get(name, AgentSettings()).model_dump(exclude_none=True))


def own_settings(config: OpenClawConfig) -> OwnSettings:
    return _checked(OwnSettings, _block(config))


def _checked(model: type[_Settings], block: object) -> _Settings:
    """Raises `ValidationError`. Keys count as they are documented alone: the commands read and name them so."""
    return model.model_validate(block, by_alias=True, by_name=False)


def network_rules(config: OpenClawConfig) -> NetworkRules:
    return own_settings(config).network.rules(private=config.gateway.allow_private_network)


def network_rules_of(raw: Mapping[str, Any], environment: Mapping[str, str]) -> NetworkRules:
    """Return the rules of a config as it was parsed. Raises `SettingsInvalid`: without them nothing may be dialled."""
    own: object = raw
    path = (*SECTION, "network")
    for depth, key in enumerate(path):
        if not isinstance(own, Mapping):
            raise SettingsInvalid([Diagnostic(path[:depth], "must be an object")])
        own = own.get(key, {})
    gateway = raw.get("gateway")
    private = gateway.get("allowPrivateNetwork") if isinstance(gateway, Mapping) else None
    resolved, wrong = resolve_references(own, environment, path)
    if wrong:
        raise SettingsInvalid([Diagnostic(one.path, one.message, fix=one.fix) for one in wrong])
    try:
        return _checked(NetworkSettings, resolved).rules(private=private is True)
    except ValidationError as error:
        raise SettingsInvalid(list(_problems(error, path))) from None


def problems(config: OpenClawConfig) -> Iterator[Diagnostic]:
    """Yield what is wrong with them, by their key paths. An unknown key is an error, with a suggestion."""
    for name in config.plugins.entries:
        if name != ENTRY and name.strip().lower() == ENTRY:
            yield Diagnostic((*SECTION[:2], name), "is not read", fix=f"did you mean '{ENTRY}'?")
    try:
        own_settings(config)
    except ValidationError as error:
        yield from _problems(error, SECTION)


def _problems(error: ValidationError, section: KeyPath) -> Iterator[Diagnostic]:
    for detail in error.errors(include_url=False):
        path = (*section, *detail["loc"])
        if detail["type"] == "extra_forbidden":
            model = _model_at(path[len(SECTION) :])
            yield misplaced(path, model) or Diagnostic(
                path, "is not a setting", fix=suggestion(str(path[-1]), model)
            )
        else:
            yield Diagnostic(path, format_message(detail))


def agents_with_settings(config: OpenClawConfig) -> Collection[str]:
    """Return the ids of agents that have settings here, which may be of wrong types."""
    found = _block(config).get("agents")
    return [name for name in found if name != DEFAULTS] if isinstance(found, dict) else []


def approval_lists(config: OpenClawConfig) -> Iterator[tuple[KeyPath, Sequence[str]]]:
    """Yield the lists of tools whose calls wait for approval, of those that can be read."""
    agents = _block(config).get("agents")
    for name, settings in agents.items() if isinstance(agents, dict) else ():
        entries = _every_tool(settings.get(APPROVE)) if isinstance(settings, dict) else None
        if isinstance(entries, list) and all(isinstance(entry, str) for entry in entries):
            yield (*SECTION, "agents", name, APPROVE), entries


def wants_approval(path: KeyPath) -> bool:
    """Whether calls of tools were meant to wait for an approval by a key, however it is spelled."""
    letters = str(path[-1]).replace("_", "").replace("-", "").lower()
    return bool(_APPROVES.match(letters) or (path[0] in _TOOLS_IN and _CONFIRMS.match(letters)))


_APPROVES = re.compile(r"(?!auto|no|skip)\w*approv")
_CONFIRMS = re.compile(r"(?!auto|no|skip)\w*(confirm|consent)|ask(user|tools?|before\w*)?\Z")
_TOOLS_IN = ("agents", "mcp", "tools")


def misplaced(path: KeyPath, model: type[BaseModel] | None = None) -> Diagnostic | None:
    """Return what is wrong with a key that nothing reads, where it was meant for these settings.

    ``model`` is what it is in, if that is a part of these settings.
    """
    if wants_approval(path):
        place = format_key_path((*SECTION, "agents", DEFAULTS, APPROVE))
        fix = f"did you mean '{APPROVE}'?" if model is AgentSettings else f"set {place}"
        return Diagnostic(path, "is not read here, so no call would wait for approval", fix=fix)
    if model is None and path[: len(SECTION) - 1] == SECTION[:-1]:
        return Diagnostic(path, "is not read here", fix=f"put it into {format_key_path(SECTION)}")
    return None


def _model_at(path: KeyPath) -> type[BaseModel]:
    """Return the model whose key ends ``path``."""
    model: type[BaseModel] = OwnSettings
    keys = iter(path[:-1])
    for key in keys:
        fields = model.model_fields.items()
        annotation = next(field.annotation for name, field in fields if key in (name, field.alias))
        steps, model = next(models_in(annotation))
        for _ in steps:  # behind it comes a name that the operator chose
            next(keys)
    return model


def _block(config: OpenClawConfig) -> dict[str, Any]:
    entry = config.plugins.entries.get(ENTRY)
    return entry.config if entry is not None else {}
