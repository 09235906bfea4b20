"""Declares the settings of the server.

Pure: no file, no environment, nothing is dialled. See `settings.roles.relay` for what is derived from a field.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from clawgate.settings.fields import Port, Seconds, Secret, StringList, Url, env_var, reject_bool, setting
from clawgate.settings.problems import DOCUMENT
from clawgate.settings.roles.relay import RelaySettings, Token

TOKEN_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")
TOKEN_NAME_RULE = "a name is up to 32 of A-Z a-z 0-9 . _ -"


def _check_header(value: str) -> str:
    if not value.isascii() or not value.isprintable() or value != value.strip() or not value:
        raise ValueError("contains a character that is not allowed in a header")
    return value


def _parse_tokens(value: object) -> object:
    """Parse ``alice:token,bob:token``, as environment variables have it."""
    if isinstance(value, dict) and not all(
        isinstance(name, str) and TOKEN_NAME.match(name) for name in value
    ):
        raise ValueError(TOKEN_NAME_RULE)
    if not isinstance(value, str):
        return value
    tokens: dict[str, str] = {}
    for pair in (part.strip() for part in value.split(",") if part.strip()):
        name, colon, token = pair.partition(":")
        if not colon or not TOKEN_NAME.match(name) or name in tokens:
            raise ValueError(f"must be alice:TOKEN,bob:TOKEN with unique names; {TOKEN_NAME_RULE}")
        tokens[name] = token
    return tokens


HeaderValue = Annotated[str, AfterValidator(_check_header)]
Count = Annotated[int, Field(ge=1), BeforeValidator(reject_bool)]
NamedTokens = Annotated[dict[str, Token], BeforeValidator(_parse_tokens)]


class ServerSettings(RelaySettings):
    """``clawgate server run``; in the config file: ``plugins.entries.<ENTRY>.config``."""

    ENTRY: ClassVar[str] = "openai-proxy"

    openai_api_key: Secret = Field(
        description="The key that the upstream wants; it never leaves in any other direction.",
        json_schema_extra=env_var("OPENAI_API_KEY"),
    )
    base_url: Url = setting(
        "The upstream's API; /v1 is added where the URL has no path.",
        "https://api.openai.com/v1",
        "OPENAI_BASE_URL",
    )
    proxy_token: Token | None = setting(
        "A token that clients may present; its name in logs is 'default'.", variable="OPENAI_PROXY_TOKEN"
    )
    proxy_tokens: NamedTokens = setting(
        "Named tokens, as alice:TOKEN,bob:TOKEN.", dict, "OPENAI_PROXY_TOKENS"
    )
    proxy_tokens_file: str | None = Field(
        None,
        validate_default=True,
        description="File (mode 0600) of the tokens that `clawgate server token` keeps; changes count within a second.",
        json_schema_extra=env_var("OPENAI_PROXY_TOKENS_FILE"),
    )
    host: str = setting("Address to listen on.", "127.0.0.1", "OPENAI_PROXY_HOST")
    port: Port = setting("Port to listen on; 0 takes a free one.", 8089, "OPENAI_PROXY_PORT")
    workers: Annotated[Count, Field(le=64)] = setting(
        "Processes that share the port. Each counts its limits and its metrics on its own.",
        1,
        "OPENAI_PROXY_WORKERS",
    )
    models: StringList = setting(
        "The only models that may be requested; empty allows all; repeat it, or give a comma list.",
        (),
        "OPENAI_PROXY_MODELS",
    )
    max_concurrent: Count | None = setting(
        "Requests that one token may have in progress.", variable="OPENAI_PROXY_MAX_CONCURRENT"
    )
    requests_per_minute: Annotated[Count, Field(le=100_000)] | None = setting(
        "Requests that one token may begin within any minute.", variable="OPENAI_PROXY_REQUESTS_PER_MINUTE"
    )
    max_auth_failures: Count = setting("Wrong tokens from one address before it is locked out.", 10)
    auth_failure_window: Seconds = setting("Seconds within which they count.", 60)
    auth_lockout: Seconds = setting("Seconds of the lockout.", 300)
    organization: HeaderValue | None = setting(
        "OpenAI-Organization of every request.", variable="OPENAI_ORG_ID"
    )
    project: HeaderValue | None = setting("OpenAI-Project of every request.", variable="OPENAI_PROJECT_ID")
    tls_certificate: str | None = setting("PEM file of this listener's certificate chain: serve HTTPS.")
    tls_key: str | None = setting("PEM file of its key (mode 0600).")
    metrics_port: Port | None = setting(
        "Port on 127.0.0.1 for Prometheus (/metrics), none by default; further workers take the next ones.",
        variable="OPENAI_PROXY_METRICS_PORT",
    )
    access_log: bool = setting("One line a request on standard output.", True)

    @property
    def upstream_url(self) -> str:
        return self.base_url

    @field_validator("proxy_tokens_file")
    @classmethod
    def _some_token_is_set(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Checked with the last field that tokens come from: a check of the whole would not run without the key."""
        if (
            value is None
            and info.data.get("proxy_token", "bad") is None
            and info.data.get("proxy_tokens") == {}
        ):
            raise PydanticCustomError(
                DOCUMENT,
                "no token is set: every request would be rejected; set OPENAI_PROXY_TOKEN "
                "(make one with: clawgate server new-token), OPENAI_PROXY_TOKENS or --proxy-tokens-file",
            )
        return value

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if "default" in self.proxy_tokens and self.proxy_token is not None:
            raise ValueError(
                "proxyTokens has the name 'default', which is that of proxyToken; give that token another name"
            )
        key = self.openai_api_key.get_secret_value()
        tokens = [*self.proxy_tokens.values(), *([self.proxy_token] if self.proxy_token else [])]
        if any(token.get_secret_value() == key for token in tokens):
            raise ValueError(
                "a proxy token is the upstream's key itself, which would give the key to its clients; "
                "make one with: clawgate server new-token"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("one of tlsCertificate and tlsKey is missing; set both or neither")
        return self
