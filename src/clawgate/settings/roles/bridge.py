"""What can be set, with its default, its unit and its names. No file, no environment, nothing that dials.

One declaration per option: the flag (``--remote-url``), the key of the config file (``remoteUrl``) and the
variable of the environment (``PROXY_BRIDGE_URL``) are all derived from the field.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from clawgate.settings.fields import Port, Seconds, Secret, Url, env_var, reject_bool
from clawgate.settings.problems import DOCUMENT
from clawgate.settings.secrets import token_problem
from clawgate.wire.http.url import parse_url


def _strong_token(value: SecretStr) -> SecretStr:
    if reason := token_problem(value.get_secret_value()):
        raise ValueError(f"{reason}; make a good one with: clawgate server new-token")
    return value


def _header_value(value: str) -> str:
    if not value.isascii() or not value.isprintable() or value != value.strip() or not value:
        raise ValueError("holds a character that cannot stand in a header")
    return value


def _proxy_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    _, _, place = text.removeprefix("http://").rpartition("@")
    try:
        _, path = parse_url(f"http://{place}")
    except ValueError as error:
        raise ValueError(f"its place {error}") from None
    if path or not text.startswith("http://"):
        raise ValueError("must look like http://[user:password@]host:port")
    return value


def _words(value: object) -> object:
    """A list, or comma lists as flags and environment variables have them; one that names nothing is a mistake."""
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        words = [word.strip() for part in value for word in part.split(",") if word.strip()]
        if value and not words:
            raise ValueError("names nothing")
        return words
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"'{text}' is neither an address nor a network such as 172.16.0.0/12") from None
    return value


def _named_tokens(value: object) -> object:
    """``alice:token,bob:token``, as environment variables have it."""
    if isinstance(value, dict) and not all(
        isinstance(name, str) and TOKEN_NAME.match(name) for name in value
    ):
        raise ValueError("a name is up to 32 of A-Z a-z 0-9 . _ -")
    if not isinstance(value, str):
        return value
    named: dict[str, str] = {}
    for pair in (part.strip() for part in value.split(",") if part.strip()):
        name, colon, token = pair.partition(":")
        if not colon or not TOKEN_NAME.match(name) or name in named:
            raise ValueError(
                "must look like alice:TOKEN,bob:TOKEN; a name is up to 32 of A-Z a-z 0-9 . _ -, and unique"
            )
        named[name] = token
    return named


TOKEN_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")

HeaderValue = Annotated[str, AfterValidator(_header_value)]
Token = Annotated[SecretStr, AfterValidator(_strong_token)]
StringList = Annotated[tuple[str, ...], BeforeValidator(_words)]
NamedTokens = Annotated[dict[str, Token], BeforeValidator(_named_tokens)]


class RelaySettings(BaseModel):
    """What bridge and server have in common."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    connect_timeout: Seconds = Field(10, description="Seconds for a connection to the upstream.")
    first_byte_timeout: Seconds = Field(
        600,
        description="Seconds from the whole request to the first byte; comments that keep a stream warm do not count.",
    )
    idle_timeout: Seconds = Field(300, description="Seconds of silence within an answer.")
    total_timeout: Seconds = Field(3600, description="Seconds for one exchange from head to end.")
    drain_timeout: Seconds = Field(
        30, description="Seconds that answers under way get to finish when we stop."
    )
    max_body_mb: Annotated[float, BeforeValidator(reject_bool), Field(gt=0, le=1024)] = Field(
        20, description="Largest request body, in MB (2^20 bytes)."
    )
    ca_file: str | None = Field(
        None, description="PEM file of the only authorities that the upstream is checked against."
    )
    client_certificate: str | None = Field(
        None, description="PEM file of the certificate shown to the upstream."
    )
    client_key: str | None = Field(
        None, description="PEM file of that certificate's key, if it is a file of its own."
    )
    upstream_proxy: Annotated[SecretStr, AfterValidator(_proxy_url)] | None = Field(
        None,
        description="HTTP proxy (http://[user:password@]host:port) asked to CONNECT to the upstream; "
        "variables such as HTTPS_PROXY are never read.",
    )
    allow_host: StringList = Field(
        (),
        description="Further names in Host to answer for, '*' for any; repeat it, or give a comma list.",
    )
    allow_origin: StringList = Field(
        (), description="Web origins whose pages may call this; repeat it, or give a comma list."
    )
    exit_on_stdin_eof: bool = Field(
        False, description="Stop when standard input ends: for programs that start us."
    )

    @model_validator(mode="after")
    def _key_needs_certificate(self) -> Self:
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("clientKey is set without clientCertificate")
        return self

    @property
    def upstream_url(self) -> str:
        """Where everything is sent; empty where that is not a setting."""
        return ""

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Self:
        if self.upstream_url.lower().startswith("http://"):
            for name, value in (("caFile", self.ca_file), ("clientCertificate", self.client_certificate)):
                if value is not None:
                    raise ValueError(
                        f"{name} is set, and the upstream's URL begins with http://, where no certificate is "
                        "shown or checked; use https://"
                    )
        return self

    def secrets(self) -> tuple[str, ...]:
        """Every secret among the settings, as text: for those who have to know what never to show."""
        found: list[str] = []
        for value in self.__dict__.values():
            parts = value.values() if isinstance(value, dict) else (value,)
            found += [part.get_secret_value() for part in parts if isinstance(part, SecretStr)]
        if self.upstream_proxy is not None:
            userinfo = self.upstream_proxy.get_secret_value().removeprefix("http://").rpartition("@")[0]
            found += [text for text in (userinfo, userinfo.partition(":")[2]) if text]
        return tuple(found)


class BridgeSettings(RelaySettings):
    """``clawgate bridge run``; in the config file: ``plugins.entries."proxy-bridge".config``."""

    remote_url: Url = Field(
        description="The remote proxy, without /v1.", json_schema_extra=env_var("PROXY_BRIDGE_URL")
    )
    proxy_token: Secret = Field(
        description="What the remote proxy wants to see as X-Proxy-Token.",
        json_schema_extra=env_var("PROXY_BRIDGE_TOKEN"),
    )
    bridge_port: Port = Field(
        18800,
        description="Port to listen on; 0 takes a free one.",
        json_schema_extra=env_var("PROXY_BRIDGE_PORT"),
    )
    host: str = Field(
        "127.0.0.1", description="Address to listen on.", json_schema_extra=env_var("PROXY_BRIDGE_HOST")
    )
    bridge_token: Token | None = Field(
        None,
        description="Token that clients of the bridge must present.",
        json_schema_extra=env_var("PROXY_BRIDGE_LOCAL_TOKEN"),
    )
    models: tuple[Any, ...] = Field(
        (), description="Model ids for the wizard and for OpenClaw; the bridge relays them all.", exclude=True
    )
    verbose: bool = Field(False, description="Log every request, not only those that fail.")

    @property
    def upstream_url(self) -> str:
        """The remote proxy."""
        return self.remote_url


class ServerSettings(RelaySettings):
    """``clawgate server run``; in the config file: ``plugins.entries."openai-proxy".config``."""

    openai_api_key: Secret = Field(
        description="The key that the upstream wants; it never leaves in any other direction.",
        json_schema_extra=env_var("OPENAI_API_KEY"),
    )
    base_url: Url = Field(
        "https://api.openai.com/v1",
        description="The upstream's API; /v1 is added where the URL has no path.",
        json_schema_extra=env_var("OPENAI_BASE_URL"),
    )
    proxy_token: Token | None = Field(
        None,
        description="A token that clients may present; its name in logs is 'default'.",
        json_schema_extra=env_var("OPENAI_PROXY_TOKEN"),
    )
    proxy_tokens: NamedTokens = Field(
        default_factory=dict,
        description="Named tokens, as alice:TOKEN,bob:TOKEN.",
        json_schema_extra=env_var("OPENAI_PROXY_TOKENS"),
    )
    proxy_tokens_file: str | None = Field(
        None,
        validate_default=True,
        description="File (mode 0600) with a name:TOKEN on each line; changes count within a second.",
        json_schema_extra=env_var("OPENAI_PROXY_TOKENS_FILE"),
    )
    host: str = Field(
        "127.0.0.1", description="Address to listen on.", json_schema_extra=env_var("OPENAI_PROXY_HOST")
    )
    port: Port = Field(
        8089,
        description="Port to listen on; 0 takes a free one.",
        json_schema_extra=env_var("OPENAI_PROXY_PORT"),
    )
    workers: Annotated[int, BeforeValidator(reject_bool), Field(ge=1, le=64)] = Field(
        1,
        description="Processes that share the port. Each counts its limits and its metrics on its own.",
        json_schema_extra=env_var("OPENAI_PROXY_WORKERS"),
    )
    models: StringList = Field(
        (),
        description="The only models that may be asked for; empty allows all; repeat it, or give a comma list.",
        json_schema_extra=env_var("OPENAI_PROXY_MODELS"),
    )
    max_concurrent: Annotated[int, BeforeValidator(reject_bool), Field(ge=1)] | None = Field(
        None,
        description="Requests that one token may have under way.",
        json_schema_extra=env_var("OPENAI_PROXY_MAX_CONCURRENT"),
    )
    requests_per_minute: Annotated[int, BeforeValidator(reject_bool), Field(ge=1, le=100_000)] | None = Field(
        None,
        description="Requests that one token may begin within any minute.",
        json_schema_extra=env_var("OPENAI_PROXY_REQUESTS_PER_MINUTE"),
    )
    max_auth_failures: Annotated[int, BeforeValidator(reject_bool), Field(ge=1)] = Field(
        10, description="Wrong tokens from one address before it is locked out."
    )
    auth_failure_window: Seconds = Field(60, description="Seconds within which they count.")
    auth_lockout: Seconds = Field(300, description="Seconds of the lockout.")
    trusted_proxy: Annotated[StringList, AfterValidator(_networks)] = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed; repeat it, "
        "or give a comma list.",
    )
    organization: HeaderValue | None = Field(
        None, description="OpenAI-Organization of every request.", json_schema_extra=env_var("OPENAI_ORG_ID")
    )
    project: HeaderValue | None = Field(
        None, description="OpenAI-Project of every request.", json_schema_extra=env_var("OPENAI_PROJECT_ID")
    )
    tls_certificate: str | None = Field(
        None, description="PEM file of this listener's certificate chain: serve HTTPS."
    )
    tls_key: str | None = Field(None, description="PEM file of its key.")
    metrics_port: Port | None = Field(
        None,
        description="Port on 127.0.0.1 for Prometheus (/metrics), none by default; further workers take the next ones.",
        json_schema_extra=env_var("OPENAI_PROXY_METRICS_PORT"),
    )
    access_log: bool = Field(True, description="One line a request on standard output.")

    @property
    def upstream_url(self) -> str:
        """The upstream's API."""
        return self.base_url

    @field_validator("proxy_tokens_file")
    @classmethod
    def _somebody_may_come_in(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Checked with the last place that tokens come from, and not with the whole: that would wait for the key."""
        if (
            value is None
            and info.data.get("proxy_token", "bad") is None
            and info.data.get("proxy_tokens") == {}
        ):
            raise PydanticCustomError(
                DOCUMENT,
                "no token is set, so nobody could use this server: set OPENAI_PROXY_TOKEN "
                "(make one with: clawgate server new-token), OPENAI_PROXY_TOKENS or --proxy-tokens-file",
            )
        return value

    @model_validator(mode="after")
    def _what_belongs_together(self) -> Self:
        if "default" in self.proxy_tokens and self.proxy_token is not None:
            raise ValueError(
                "the name 'default' is taken by OPENAI_PROXY_TOKEN; give the other token another name"
            )
        key = self.openai_api_key.get_secret_value()
        tokens = [*self.proxy_tokens.values(), *([self.proxy_token] if self.proxy_token else [])]
        if any(token.get_secret_value() == key for token in tokens):
            raise ValueError(
                "a proxy token is the upstream's key itself, which would hand the key out; make another"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tlsCertificate and tlsKey belong together; one of them is missing")
        return self
