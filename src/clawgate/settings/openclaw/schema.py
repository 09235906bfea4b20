"""Which parts of OpenClaw's config file does clawgate read, and what may stand there? No file, no environment.

Keys are OpenClaw's, with OpenClaw's meaning, so that one file serves both. What OpenClaw owns and clawgate does not
read is kept and ignored (``extra="allow"``); only what clawgate reads is judged, and no value that OpenClaw takes is
refused for its type. Sources: the configuration schema that OpenClaw 2026.9.6 prints, and its recorded behaviour.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StrictBool
from pydantic.alias_generators import to_camel

from clawgate.settings.fields import Port, Secret, Url, env_var, reject_bool
from clawgate.settings.secrets import REDACTION_MARKS

Api = Literal["openai-completions", "openai-responses", "anthropic-messages"]
"""The dialects that clawgate speaks to a provider. The file may name others; such a provider is not ready."""

LONGEST_WAIT = 86_400.0
"""Seconds; OpenClaw takes any number, and a longer one is read as this."""


def _whole(value: object) -> object:
    """OpenClaw takes numbers with a fraction where only whole ones mean something."""
    reject_bool(value)
    return math.floor(value) if isinstance(value, float) and math.isfinite(value) else value


def _header_text(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if any(mark in text for mark in REDACTION_MARKS[:2]) or text in REDACTION_MARKS:
        raise ValueError("is the mark that stands for a hidden secret, not the secret")
    if not text.isascii() or not text.isprintable() or text != text.strip() or not text:
        raise ValueError(
            "is empty or holds a character that cannot stand in a header (line break, non-ASCII)"
        )
    return value


def _no_mark(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise ValueError("is empty")
    if any(mark in text for mark in REDACTION_MARKS[:2]) or text in REDACTION_MARKS:
        raise ValueError("is the mark that stands for a hidden secret, not the secret")
    return value


def _primary_alone(value: object) -> object:
    return {"primary": value} if isinstance(value, str) else value


NonNegativeInt = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
Duration = Annotated[
    float,
    BeforeValidator(reject_bool),
    Field(gt=0, allow_inf_nan=False),
    AfterValidator(lambda seconds: min(seconds, LONGEST_WAIT)),
]
HeaderSecret = Annotated[SecretStr, AfterValidator(_header_text)]
"""The value of a header: like a secret, but blanks may stand in it (``Basic dXNlcg==``)."""

LongSecret = Annotated[SecretStr, AfterValidator(_no_mark)]
"""A secret that never stands in a header and may have several lines, as a PEM key has."""


class Block(BaseModel):
    """A part of OpenClaw's file: keys in camelCase, unknown ones OpenClaw's own."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,  # the whole is built once, where it is first used, and not each part on its own
    )


class RateLimit(Block):
    """``gateway.auth.rateLimit``: wrong tokens from one address."""

    max_attempts: NonNegativeInt = Field(
        default=10, description="Wrong tokens before an address is locked out."
    )
    window_ms: NonNegativeInt = Field(default=60_000, description="Milliseconds within which they count.")
    lockout_ms: NonNegativeInt = Field(default=300_000, description="Milliseconds of the lockout.")
    exempt_loopback: StrictBool = Field(
        default=True, description="Whether callers on this machine are never locked out."
    )


class GatewayAuth(Block):
    """``gateway.auth``: who may come in."""

    mode: Literal["token", "password", "none", "trusted-proxy"] | None = Field(
        default=None, description="What callers must present."
    )
    token: Secret | None = Field(
        default=None,
        description="The token of mode token; a reference such as ${NAME}.",
        json_schema_extra=env_var("OPENCLAW_GATEWAY_TOKEN"),
    )
    password: Secret | None = Field(
        default=None,
        description="The password of mode password; a reference.",
        json_schema_extra=env_var("OPENCLAW_GATEWAY_PASSWORD"),
    )
    rate_limit: RateLimit | None = Field(
        default=None, description="Lockout of addresses that present wrong ones."
    )


class Toggle(Block):
    """Something that can be on or off."""

    enabled: StrictBool | None = Field(default=None, description="Whether it is on.")


class HttpEndpoints(Block):
    """``gateway.http.endpoints``."""

    chat_completions: Toggle = Field(
        default_factory=Toggle, description="POST /v1/chat/completions and GET /v1/models."
    )


class GatewayHttp(Block):
    """``gateway.http``."""

    endpoints: HttpEndpoints = Field(
        default_factory=HttpEndpoints, description="What is answered over plain HTTP."
    )


class GatewayBlock(Block):
    """``gateway``: where to listen, who may come in."""

    mode: Literal["local", "remote"] | None = Field(
        default=None, description="local: this machine runs the gateway."
    )
    port: Port = Field(
        default=18789, description="Port to listen on.", json_schema_extra=env_var("OPENCLAW_GATEWAY_PORT")
    )
    bind: Literal["loopback", "lan", "auto", "tailnet", "custom"] = Field(
        default="loopback", description="Addresses to listen on."
    )
    custom_bind_host: str | None = Field(default=None, description="The address of bind custom.")
    auth: GatewayAuth = Field(default_factory=GatewayAuth, description="Who may come in.")
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="Addresses of reverse proxies whose X-Forwarded-For is believed."
    )
    http: GatewayHttp = Field(default_factory=GatewayHttp, description="The HTTP endpoints.")


class RequestAuth(Block):
    """``request.auth``: the credential in any header."""

    mode: Literal["provider-default", "authorization-bearer", "header"] = Field(
        description="How the credential is shown to the provider."
    )
    token: Secret | None = Field(
        default=None, description="The token of mode authorization-bearer; a reference."
    )
    header_name: str | None = Field(
        default=None, description="The header of mode header, such as X-Proxy-Token."
    )
    value: HeaderSecret | None = Field(default=None, description="What stands in it; a reference.")
    prefix: str | None = Field(default=None, description="What stands before the value, such as Basic.")


class RequestTls(Block):
    """``request.tls``: PEM texts or files."""

    ca: str | None = Field(
        default=None, description="The only authorities that the server is checked against."
    )
    cert: str | None = Field(default=None, description="The certificate shown to it.")
    key: LongSecret | None = Field(default=None, description="That certificate's key; a reference.")
    passphrase: LongSecret | None = Field(default=None, description="The passphrase of the key; a reference.")
    server_name: str | None = Field(default=None, description="The name that its certificate must be for.")
    insecure_skip_verify: StrictBool = Field(
        default=False, description="Take any certificate: whoever answers is believed."
    )


class RequestProxy(Block):
    """``request.proxy``."""

    mode: Literal["env-proxy", "explicit-proxy"] = Field(description="Which proxy, if any, is used.")
    url: LongSecret | None = Field(default=None, description="The proxy of mode explicit-proxy; a reference.")
    tls: RequestTls | None = Field(default=None, description="TLS to the proxy itself.")


class ProviderRequest(Block):
    """``models.providers.<id>.request``."""

    headers: dict[str, HeaderSecret] = Field(
        default_factory=dict, description="Headers of every request; they win over the provider's headers."
    )
    auth: RequestAuth | None = Field(
        default=None, description="The credential, where it is not a Bearer token."
    )
    tls: RequestTls | None = Field(default=None, description="TLS to the provider.")
    proxy: RequestProxy | None = Field(default=None, description="A proxy on the way to it.")
    allow_private_network: StrictBool | None = Field(
        default=None, description="Whether it may have a private or loopback address."
    )


class ModelEntry(Block):
    """One of ``models.providers.<id>.models[]``."""

    id: Annotated[str, Field(min_length=1)] = Field(description="The model's name at the provider.")
    name: str | None = Field(default=None, description="Its name for people.")
    api: str | None = Field(default=None, description="Its dialect, where it is not the provider's.")
    base_url: str | None = Field(default=None, description="Its address, where it is not the provider's.")
    reasoning: StrictBool = Field(default=False, description="Whether it thinks before it answers.")
    input: tuple[str, ...] = Field(default=("text",), description="What it takes: text, image, video, audio.")
    context_window: NonNegativeInt | None = Field(default=None, description="Tokens that it can hold.")
    max_tokens: NonNegativeInt | None = Field(default=None, description="Tokens that one answer may have.")
    headers: dict[str, HeaderSecret] = Field(
        default_factory=dict, description="Further headers for it alone."
    )
    compat: dict[str, Any] = Field(default_factory=dict, description="How it differs from its dialect.")


class ProviderBlock(Block):
    """``models.providers.<id>``."""

    base_url: Url | None = Field(
        default=None, description="Its API, with /v1 where it has that; no user, no password."
    )
    api_key: Secret | None = Field(default=None, description="Its key; a reference such as ${NAME}.")
    auth: str | None = Field(default=None, description="Kind of credential: api-key, token, oauth, aws-sdk.")
    api: str | None = Field(
        default=None, description="Its dialect: openai-completions, anthropic-messages and others."
    )
    headers: dict[str, HeaderSecret] = Field(default_factory=dict, description="Headers of every request.")
    auth_header: StrictBool | None = Field(
        default=None, description="For Anthropic's dialect: the key as Authorization: Bearer."
    )
    request: ProviderRequest = Field(
        default_factory=ProviderRequest, description="How requests to it are made."
    )
    timeout_seconds: Duration | None = Field(default=None, description="Seconds that one answer may take.")
    models: tuple[ModelEntry, ...] = Field(default=(), description="The models that it has.")


class ModelsBlock(Block):
    """``models``."""

    mode: Literal["merge", "replace"] = Field(
        default="merge", description="merge: besides the built-in providers."
    )
    providers: dict[str, ProviderBlock] = Field(default_factory=dict, description="Providers by their id.")


class ModelChoice(Block):
    """What answers when nothing else is asked for, and what may stand in for it."""

    primary: str | None = Field(default=None, description="provider/model, or an alias.")
    fallbacks: tuple[str, ...] = Field(
        default=(), description="What may stand in for it, each as provider/model."
    )


class ModelSettings(Block):
    """``agents.defaults.models."provider/model"``."""

    alias: str | None = Field(default=None, description="A short name for the model.")


class AgentDefaults(Block):
    """``agents.defaults``."""

    model: Annotated[
        ModelChoice, BeforeValidator(_primary_alone, json_schema_input_type=str | ModelChoice)
    ] = Field(default_factory=ModelChoice, description="The model; a plain text is its primary.")
    models: dict[str, ModelSettings] = Field(
        default_factory=dict, description="Settings of models, by provider/model."
    )


class AgentsBlock(Block):
    """``agents``."""

    defaults: AgentDefaults = Field(default_factory=AgentDefaults, description="What holds for every agent.")
    list: tuple[dict[str, Any], ...] = Field(
        default=(), description="Agents, as files before 2026.9 have them."
    )
    entries: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Agents by their id.")


class PluginEntry(Block):
    """``plugins.entries.<id>``."""

    enabled: StrictBool | None = Field(default=None, description="Whether it is on.")
    config: dict[str, Any] = Field(default_factory=dict, description="The plugin's own settings.")


class PluginsBlock(Block):
    """``plugins``."""

    enabled: StrictBool | None = Field(default=None, description="Whether any plugin is on.")
    allow: tuple[str, ...] = Field(
        default=(), description="The only plugins that may be on; nothing, or an empty list: any."
    )
    deny: tuple[str, ...] = Field(default=(), description="Plugins that are off, whatever else says so.")
    entries: dict[str, PluginEntry] = Field(default_factory=dict, description="Plugins by their id.")


class OpenClawConfig(Block):
    """The file, as far as clawgate reads it."""

    gateway: GatewayBlock = Field(
        default_factory=GatewayBlock, description="Where to listen, who may come in."
    )
    models: ModelsBlock = Field(default_factory=ModelsBlock, description="The providers and their models.")
    agents: AgentsBlock = Field(default_factory=AgentsBlock, description="Who answers, and with which model.")
    plugins: PluginsBlock = Field(default_factory=PluginsBlock, description="Plugins and their settings.")
    tools: dict[str, Any] = Field(default_factory=dict, description="What agents may use.")


def schema() -> dict[str, Any]:
    """JSON schema of the file for editors. What OpenClaw owns may stand everywhere; secrets may be references."""
    found = OpenClawConfig.model_json_schema(by_alias=True, mode="validation")
    found |= {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "OpenClaw's config, as clawgate reads it",
    }
    reference = {
        "type": "object",
        "description": "A reference to a secret.",
        "properties": {"source": {"enum": ["env", "file", "exec", "store"]}, "id": {"type": "string"}},
        "required": ["source", "id"],
    }
    found["$defs"]["SecretRef"] = reference
    return {key: _with_references(part) for key, part in found.items()}


def _with_references(part: object) -> object:
    if isinstance(part, list):
        return [_with_references(one) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == "password":
        rest = {key: value for key, value in part.items() if key not in ("type", "format", "writeOnly")}
        return rest | {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SecretRef"}]}
    return {
        key: _with_references(value) for key, value in part.items() if (key, type(value)) != ("env", list)
    }
