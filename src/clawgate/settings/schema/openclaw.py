"""Declares the parts of OpenClaw's config file that clawgate reads, and which values they may have.

Pure. Keys are OpenClaw's, with OpenClaw's meaning, so that one file serves both programs. What clawgate does not read
is kept and ignored (``extra="allow"``), and no value that OpenClaw accepts is rejected for its type. Sources: the
configuration schema that OpenClaw 2026.9.6 prints, and its recorded behaviour.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, StrictBool

from clawgate.settings.fields import ParsedUrl, Port, Secret, reject_text, reject_text_for_whole, setting
from clawgate.settings.schema.agents import AgentsBlock, Memory, Tools
from clawgate.settings.schema.block import Block, NonNegativeInt
from clawgate.settings.schema.header_secret import HeaderSecret, check_is_real
from clawgate.settings.schema.mcp import McpBlock
from clawgate.settings.schema.model_compat import ModelCompat

Api = Literal["openai-completions", "openai-responses", "anthropic-messages"]
"""The dialects that clawgate speaks to a provider. The file may name others; such a provider is not ready."""

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/heic", "image/heif")
"""Of a request's images, unless configured otherwise."""

MAX_SECONDS = 86_400.0
"""OpenClaw accepts any number of seconds; a larger one is read as this."""


def _check_text(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise ValueError("is empty")
    check_is_real(text)
    return value


Duration = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(reject_text),
    AfterValidator(lambda seconds: min(seconds, MAX_SECONDS)),
]
LongSecret = Annotated[SecretStr, AfterValidator(_check_text)]
"""A secret that is never sent in a header and may have several lines, as a PEM key has."""


class RateLimit(Block):
    """``gateway.auth.rateLimit``: the lockout of addresses that present wrong tokens."""

    max_attempts: NonNegativeInt = setting("Wrong tokens before an address is locked out.", 10)
    window_ms: NonNegativeInt = setting("Milliseconds within which they count.", 60_000)
    lockout_ms: NonNegativeInt = setting("Milliseconds of the lockout.", 300_000)
    exempt_loopback: StrictBool = setting("Whether callers on this machine are never locked out.", True)


class TrustedProxyAuth(Block):
    """``gateway.auth.trustedProxy``: how a reverse proxy names the user whom it has authenticated."""

    user_header: str | None = setting("The header that names the user.")
    required_headers: tuple[str, ...] = setting("Further headers that a request must have.", ())
    allow_users: tuple[str, ...] = setting("The users that are admitted; without any, all.", ())
    allow_loopback: StrictBool = setting("Whether the proxy may be on this machine.", False)


class GatewayAuth(Block):
    """``gateway.auth``: who may use the gateway."""

    mode: Literal["token", "password", "none", "trusted-proxy"] | None = setting("What callers must present.")
    token: Secret | None = setting(
        "The token of mode token; a reference such as ${NAME}.", variable="OPENCLAW_GATEWAY_TOKEN"
    )
    password: Secret | None = setting(
        "The password of mode password; a reference.", variable="OPENCLAW_GATEWAY_PASSWORD"
    )
    trusted_proxy: TrustedProxyAuth = setting("Of mode trusted-proxy.", TrustedProxyAuth)
    rate_limit: RateLimit | None = setting("Lockout of addresses that present wrong ones.")


class ChatImages(Block):
    """``gateway.http.endpoints.chatCompletions.images``."""

    allow_url: StrictBool = setting("Whether a request may name the address of an image.", False)
    url_allowlist: tuple[str, ...] = setting("The only hosts of such addresses, '*.' for any within.", ())
    allowed_mimes: tuple[str, ...] = setting("The types of images that a request may contain.", IMAGE_TYPES)
    max_bytes: NonNegativeInt = setting("Bytes of one image.", 10 * 1024 * 1024)


class ChatCompletions(Block):
    """``gateway.http.endpoints.chatCompletions``."""

    enabled: StrictBool | None = setting(
        "Whether agents are served at /v1/chat/completions and /v1/messages; off by default."
    )
    images: ChatImages = setting("The images of requests to agents.", ChatImages)


class Responses(Block):
    """``gateway.http.endpoints.responses``."""

    enabled: StrictBool | None = setting("Whether agents are served at /v1/responses; off by default.")


class HttpEndpoints(Block):
    """``gateway.http.endpoints``."""

    chat_completions: ChatCompletions = setting(
        "Agents, at /v1/chat/completions and /v1/messages; off by default.", ChatCompletions
    )
    responses: Responses = setting("Agents, at /v1/responses; off by default.", Responses)


class GatewayHttp(Block):
    """``gateway.http``."""

    endpoints: HttpEndpoints = setting("The endpoints of the HTTP API.", HttpEndpoints)


class ControlUi(Block):
    """``gateway.controlUi``."""

    allowed_origins: tuple[str, ...] = setting(
        "Web origins whose pages may send requests; their hosts are accepted, too.", ()
    )


class GatewayBlock(Block):
    """``gateway``: where to listen, who may use it."""

    mode: Literal["local", "remote"] | None = setting(
        "For OpenClaw, whose gateway starts with local alone; clawgate starts with any."
    )
    port: Annotated[Port, BeforeValidator(reject_text_for_whole)] = setting(
        "Port to listen on.", 18789, "OPENCLAW_GATEWAY_PORT"
    )
    bind: Literal["loopback", "lan", "auto", "tailnet", "custom"] = setting(
        "Addresses to listen on; lan: all, custom: customBindHost; tailnet is not supported.", "loopback"
    )
    custom_bind_host: str | None = setting("The address of bind custom.")
    auth: GatewayAuth = setting("Who may use the gateway.", GatewayAuth)
    trusted_proxies: tuple[str, ...] = setting(
        "Addresses of reverse proxies whose X-Forwarded-For is believed.", ()
    )
    allow_real_ip_fallback: StrictBool = setting("Whether their X-Real-IP may take its place.", False)
    control_ui: ControlUi = setting("OpenClaw's web interface.", ControlUi)
    public_origin: str | None = setting("The origin at which a reverse proxy serves the gateway.")
    http: GatewayHttp = setting("The HTTP endpoints.", GatewayHttp)
    allow_private_network: StrictBool = setting(
        "Whether all that the gateway dials may have a private or loopback address; a key of clawgate alone.",
        False,
    )


class RequestAuth(Block):
    """``request.auth``: the credential, in any header."""

    mode: Literal["provider-default", "authorization-bearer", "header"] = Field(
        description="How the credential is sent to the provider."
    )
    token: Secret | None = setting("The token of mode authorization-bearer; a reference.")
    header_name: str | None = setting("The header of mode header, such as X-Proxy-Token.")
    value: HeaderSecret | None = setting("Its value; a reference.")
    prefix: str | None = setting("The scheme before the value, such as Basic.")


class RequestTls(Block):
    """``request.tls``: PEM texts or files."""

    ca: str | None = setting("The only authorities that the server is checked against.")
    cert: str | None = setting("The certificate shown to it.")
    key: LongSecret | None = setting("That certificate's key; a reference.")
    passphrase: LongSecret | None = setting("The passphrase of the key; a reference.")
    server_name: str | None = setting("The name that its certificate must be for.")
    insecure_skip_verify: StrictBool = setting(
        "Accept any certificate: the server is not authenticated.", False
    )


class RequestProxy(Block):
    """``request.proxy``."""

    mode: Literal["env-proxy", "explicit-proxy"] = Field(
        description="Which proxy is used; env-proxy is not supported."
    )
    url: LongSecret | None = setting("The proxy of mode explicit-proxy; a reference.")
    tls: RequestTls | None = setting("TLS to the proxy itself.")


class ProviderRequest(Block):
    """``models.providers.<id>.request``."""

    headers: dict[str, HeaderSecret] = setting(
        "Headers of every request; they win over the provider's headers.", dict
    )
    auth: RequestAuth | None = setting("The credential, where it is not a Bearer token.")
    tls: RequestTls | None = setting("TLS to the provider.")
    proxy: RequestProxy | None = setting("A proxy on the way to it.")
    allow_private_network: StrictBool | None = setting("Whether it may have a private or loopback address.")


class ModelEntry(Block):
    """One of ``models.providers.<id>.models[]``."""

    id: Annotated[str, Field(min_length=1)] = Field(description="The model's name at the provider.")
    name: str | None = setting("Its name for people.")
    api: str | None = setting("Its dialect, where it is not the provider's.")
    base_url: str | None = setting("Its address, where it is not the provider's.")
    reasoning: StrictBool = setting("Whether it reasons before it responds.", False)
    input: tuple[str, ...] = setting("Its inputs: text, image, video, audio.", ("text",))
    context_window: NonNegativeInt | None = setting("Tokens of its context window.")
    max_tokens: NonNegativeInt | None = setting("Tokens that one response may have.")
    headers: dict[str, HeaderSecret] = setting("Further headers for it alone.", dict)
    compat: ModelCompat = setting("How it differs from its dialect.", ModelCompat)


class ProviderBlock(Block):
    """``models.providers.<id>``."""

    base_url: ParsedUrl | None = setting("Its API, with /v1 where it has that; no user, no password.")
    api_key: Secret | None = setting("Its key; a reference such as ${NAME}.")
    auth: str | None = setting("Kind of credential: api-key, token, oauth, aws-sdk.")
    api: str | None = setting("Its dialect: openai-completions, anthropic-messages and others.")
    headers: dict[str, HeaderSecret] = setting("Headers of every request.", dict)
    auth_header: StrictBool | None = setting("For Anthropic's dialect: the key as Authorization: Bearer.")
    request: ProviderRequest = setting("How requests to it are made.", ProviderRequest)
    timeout_seconds: Duration | None = setting("Seconds that one response may take.")
    models: tuple[ModelEntry, ...] = setting("The models that it has.", ())
    _problem: str | None = PrivateAttr(None)

    @property
    def problem(self) -> str | None:
        """Why the block in the file cannot be used; None if it can."""
        return self._problem

    def with_problem(self, problem: str) -> ProviderBlock:
        block = self.model_copy()
        block._problem = problem
        return block


class ModelsBlock(Block):
    """``models``."""

    mode: Literal["merge", "replace"] = setting(
        "Whether the built-in providers stay (merge) or only those of the file exist (replace).", "merge"
    )
    providers: dict[str, ProviderBlock] = setting("Providers by their id.", dict)


class PluginEntry(Block):
    """``plugins.entries.<id>``."""

    enabled: StrictBool | None = setting("Whether it is on.")
    config: dict[str, Any] = setting("The plugin's own settings.", dict)


class PluginsBlock(Block):
    """``plugins``."""

    enabled: StrictBool | None = setting("Whether any plugin is on.")
    allow: tuple[str, ...] = setting("The only plugins that may be on; absent or empty: any.", ())
    deny: tuple[str, ...] = setting("Plugins that are off, whatever other settings are.", ())
    entries: dict[str, PluginEntry] = setting("Plugins by their id.", dict)


class OpenClawConfig(Block):
    """The file, as far as clawgate reads it."""

    gateway: GatewayBlock = setting("Where to listen, who may use the gateway.", GatewayBlock)
    models: ModelsBlock = setting("The providers and their models.", ModelsBlock)
    agents: AgentsBlock = setting("The agents and their models.", AgentsBlock)
    plugins: PluginsBlock = setting("Plugins and their settings.", PluginsBlock)
    tools: Tools = setting("What agents may use.", Tools)
    mcp: McpBlock = setting("Servers whose tools agents may use.", McpBlock)
    memory: Memory = setting("The memory of agents.", Memory)


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
