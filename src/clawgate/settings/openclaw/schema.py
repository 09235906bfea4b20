"""Declares the parts of OpenClaw's config file that clawgate reads, and which values they may have.

Pure. Keys are OpenClaw's, with OpenClaw's meaning, so that one file serves both programs. What clawgate does not read
is kept and ignored (``extra="allow"``), and no value that OpenClaw accepts is rejected for its type. Sources: the
configuration schema that OpenClaw 2026.9.6 prints, and its recorded behaviour.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictBool

from clawgate.settings.fields import ParsedUrl, Port, Secret, env_var, reject_text, reject_text_for_whole
from clawgate.settings.openclaw.block import Block
from clawgate.settings.openclaw.model_compat import ModelCompat
from clawgate.settings.secrets import PLACEHOLDERS

Api = Literal["openai-completions", "openai-responses", "anthropic-messages"]
"""The dialects that clawgate speaks to a provider. The file may name others; such a provider is not ready."""

MAX_SECONDS = 86_400.0
"""OpenClaw accepts any number of seconds; a larger one is read as this."""


def _round_down(value: object) -> object:
    """OpenClaw accepts fractions where only whole numbers mean something."""
    reject_text_for_whole(value)
    return math.floor(value) if isinstance(value, float) and math.isfinite(value) else value


def _check_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    _check_not_placeholder(text)
    if not text.isascii() or not text.isprintable() or text != text.strip() or not text:
        raise ValueError(
            "is empty or contains a character that is not allowed in a header (line break, non-ASCII)"
        )
    return value


def _check_text(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise ValueError("is empty")
    _check_not_placeholder(text)
    return value


def _check_not_placeholder(text: str) -> None:
    if any(placeholder in text for placeholder in PLACEHOLDERS[:2]) or text in PLACEHOLDERS:
        raise ValueError("is a redaction placeholder, not a secret; enter the real value")


def _primary_only(value: object) -> object:
    return {"primary": value} if isinstance(value, str) else value


NonNegativeInt = Annotated[int, BeforeValidator(_round_down), Field(ge=1)]
Duration = Annotated[
    float,
    BeforeValidator(reject_text),
    Field(gt=0, allow_inf_nan=False),
    AfterValidator(lambda seconds: min(seconds, MAX_SECONDS)),
]
HeaderSecret = Annotated[SecretStr, AfterValidator(_check_header)]
"""The value of a header: like a secret, but it may contain blanks (``Basic dXNlcg==``)."""

LongSecret = Annotated[SecretStr, AfterValidator(_check_text)]
"""A secret that is never sent in a header and may have several lines, as a PEM key has."""


class RateLimit(Block):
    """``gateway.auth.rateLimit``: the lockout of addresses that present wrong tokens."""

    max_attempts: NonNegativeInt = Field(
        default=10, description="Wrong tokens before an address is locked out."
    )
    window_ms: NonNegativeInt = Field(default=60_000, description="Milliseconds within which they count.")
    lockout_ms: NonNegativeInt = Field(default=300_000, description="Milliseconds of the lockout.")
    exempt_loopback: StrictBool = Field(
        default=True, description="Whether callers on this machine are never locked out."
    )


class GatewayAuth(Block):
    """``gateway.auth``: who may use the gateway."""

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
    """A feature that is on or off."""

    enabled: StrictBool | None = Field(default=None, description="Whether it is on.")


class HttpEndpoints(Block):
    """``gateway.http.endpoints``."""

    chat_completions: Toggle = Field(
        default_factory=Toggle, description="POST /v1/chat/completions and GET /v1/models."
    )


class GatewayHttp(Block):
    """``gateway.http``."""

    endpoints: HttpEndpoints = Field(
        default_factory=HttpEndpoints, description="The endpoints of the HTTP API."
    )


class GatewayBlock(Block):
    """``gateway``: where to listen, who may use it."""

    mode: Literal["local", "remote"] | None = Field(
        default=None, description="local: this machine runs the gateway."
    )
    port: Annotated[Port, BeforeValidator(reject_text_for_whole)] = Field(
        default=18789, description="Port to listen on.", json_schema_extra=env_var("OPENCLAW_GATEWAY_PORT")
    )
    bind: Literal["loopback", "lan", "auto", "tailnet", "custom"] = Field(
        default="loopback", description="Addresses to listen on."
    )
    custom_bind_host: str | None = Field(default=None, description="The address of bind custom.")
    auth: GatewayAuth = Field(default_factory=GatewayAuth, description="Who may use the gateway.")
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="Addresses of reverse proxies whose X-Forwarded-For is believed."
    )
    http: GatewayHttp = Field(default_factory=GatewayHttp, description="The HTTP endpoints.")


class RequestAuth(Block):
    """``request.auth``: the credential, in any header."""

    mode: Literal["provider-default", "authorization-bearer", "header"] = Field(
        description="How the credential is sent to the provider."
    )
    token: Secret | None = Field(
        default=None, description="The token of mode authorization-bearer; a reference."
    )
    header_name: str | None = Field(
        default=None, description="The header of mode header, such as X-Proxy-Token."
    )
    value: HeaderSecret | None = Field(default=None, description="Its value; a reference.")
    prefix: str | None = Field(default=None, description="The scheme before the value, such as Basic.")


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
        default=False, description="Accept any certificate: the server is not authenticated."
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
    reasoning: StrictBool = Field(default=False, description="Whether it reasons before it responds.")
    input: tuple[str, ...] = Field(default=("text",), description="Its inputs: text, image, video, audio.")
    context_window: NonNegativeInt | None = Field(default=None, description="Tokens of its context window.")
    max_tokens: NonNegativeInt | None = Field(default=None, description="Tokens that one response may have.")
    headers: dict[str, HeaderSecret] = Field(
        default_factory=dict, description="Further headers for it alone."
    )
    compat: ModelCompat = Field(default_factory=ModelCompat, description="How it differs from its dialect.")


class ProviderBlock(Block):
    """``models.providers.<id>``."""

    base_url: ParsedUrl | None = Field(
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
    timeout_seconds: Duration | None = Field(default=None, description="Seconds that one response may take.")
    models: tuple[ModelEntry, ...] = Field(default=(), description="The models that it has.")


class ModelsBlock(Block):
    """``models``."""

    mode: Literal["merge", "replace"] = Field(
        default="merge", description="merge: besides the built-in providers."
    )
    providers: dict[str, ProviderBlock] = Field(default_factory=dict, description="Providers by their id.")


class ModelChoice(Block):
    """The default model and its fallbacks."""

    primary: str | None = Field(default=None, description="provider/model, or an alias.")
    fallbacks: tuple[str, ...] = Field(
        default=(), description="The models tried after it, each as provider/model."
    )


class ModelSettings(Block):
    """``agents.defaults.models."provider/model"``."""

    alias: str | None = Field(default=None, description="A short name for the model.")


class AgentDefaults(Block):
    """``agents.defaults``."""

    model: Annotated[
        ModelChoice, BeforeValidator(_primary_only, json_schema_input_type=str | ModelChoice)
    ] = Field(default_factory=ModelChoice, description="The model; a plain text is its primary.")
    models: dict[str, ModelSettings] = Field(
        default_factory=dict, description="Settings of models, by provider/model."
    )


class AgentsBlock(Block):
    """``agents``."""

    defaults: AgentDefaults = Field(default_factory=AgentDefaults, description="Settings of every agent.")
    list: tuple[dict[str, Any], ...] = Field(default=(), description="Agents, as in files before 2026.9.")
    entries: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Agents by their id.")


class PluginEntry(Block):
    """``plugins.entries.<id>``."""

    enabled: StrictBool | None = Field(default=None, description="Whether it is on.")
    config: dict[str, Any] = Field(default_factory=dict, description="The plugin's own settings.")


class PluginsBlock(Block):
    """``plugins``."""

    enabled: StrictBool | None = Field(default=None, description="Whether any plugin is on.")
    allow: tuple[str, ...] = Field(
        default=(), description="The only plugins that may be on; absent or empty: any."
    )
    deny: tuple[str, ...] = Field(
        default=(), description="Plugins that are off, whatever other settings are."
    )
    entries: dict[str, PluginEntry] = Field(default_factory=dict, description="Plugins by their id.")


class OpenClawConfig(Block):
    """The file, as far as clawgate reads it."""

    gateway: GatewayBlock = Field(
        default_factory=GatewayBlock, description="Where to listen, who may use the gateway."
    )
    models: ModelsBlock = Field(default_factory=ModelsBlock, description="The providers and their models.")
    agents: AgentsBlock = Field(default_factory=AgentsBlock, description="The agents and their models.")
    plugins: PluginsBlock = Field(default_factory=PluginsBlock, description="Plugins and their settings.")
    tools: dict[str, Any] = Field(default_factory=dict, description="What agents may use.")


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file for editors: OpenClaw's keys are allowed, secrets may be references."""
    document = OpenClawConfig.model_json_schema(by_alias=True, mode="validation")
    document |= {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "OpenClaw's config, as clawgate reads it",
    }
    reference = {
        "type": "object",
        "description": "A reference to a secret.",
        "properties": {"source": {"enum": ["env", "file", "exec", "store"]}, "id": {"type": "string"}},
        "required": ["source", "id"],
    }
    document["$defs"]["SecretRef"] = reference
    return {key: _with_references(part) for key, part in document.items()}


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
