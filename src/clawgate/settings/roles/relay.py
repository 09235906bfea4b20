"""Declares the settings that the bridge and the server have in common.

Pure: no file, no environment, nothing is dialled. One declaration per option: the flag (``--remote-url``), the key in
the config file (``remoteUrl``) and the environment variable (``PROXY_BRIDGE_URL``) are all derived from the field.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

from clawgate.settings.fields import (
    MAX_UPSTREAM_CONNECTIONS,
    UPSTREAM_WAIT_SECONDS,
    ConnectionCount,
    HostNames,
    Origins,
    Seconds,
    StringList,
    reject_bool,
    setting,
)
from clawgate.settings.secrets import token_problem
from clawgate.wire.http.url import parse_url, split_proxy_url, userinfo_secrets


def flag_of(name: str) -> str:
    return "--" + {"bridge_port": "port"}.get(name, name).replace("_", "-")


def _check_token(value: SecretStr) -> SecretStr:
    if reason := token_problem(value.get_secret_value()):
        raise ValueError(f"{reason}; make one with: clawgate server new-token")
    return value


def _check_proxy_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    url, _ = split_proxy_url(text)
    try:
        _, path = parse_url(url)
    except ValueError as error:
        raise ValueError(f"its address {error}") from None
    if path or not text.startswith("http://"):
        raise ValueError("must be http://[user:password@]host:port")
    return value


def _check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise ValueError(
                f"'{text}' is neither an address nor a network; write it like 172.16.0.0/12"
            ) from None
    return value


Token = Annotated[SecretStr, AfterValidator(_check_token)]
"""A secret that admits callers."""


class RelaySettings(BaseModel):
    ENTRY: ClassVar[str]
    """The id under ``plugins.entries`` in the config file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    connect_timeout: Seconds = setting("Seconds for a connection to the upstream.", 10)
    first_byte_timeout: Seconds = setting(
        "Seconds from the whole request to the first byte; comments that keep a stream warm do not count.",
        600,
    )
    idle_timeout: Seconds = setting("Seconds of silence within a response.", 300)
    total_timeout: Seconds = setting("Seconds for one exchange from head to end.", 3600)
    max_upstream_connections: ConnectionCount = setting(
        "Connections to the upstream, idle ones included; further requests wait for one.",
        MAX_UPSTREAM_CONNECTIONS,
    )
    upstream_wait_timeout: Seconds = setting(
        "Seconds that a request waits for a connection when all are in use.", UPSTREAM_WAIT_SECONDS
    )
    drain_timeout: Seconds = setting(
        "Seconds that responses in progress get to finish when the role stops.", 30
    )
    max_body_mb: Annotated[float, Field(gt=0, le=1024), BeforeValidator(reject_bool)] = setting(
        "Largest request body, in MB (2^20 bytes).", 20
    )
    ca_file: str | None = setting("PEM file of the only authorities that the upstream is checked against.")
    client_certificate: str | None = setting("PEM file of the certificate shown to the upstream.")
    client_key: str | None = setting("PEM file of that certificate's key, if it is a file of its own.")
    upstream_proxy: Annotated[SecretStr, AfterValidator(_check_proxy_url)] | None = setting(
        "HTTP proxy (http://[user:password@]host:port) that CONNECTs to the upstream; "
        "variables such as HTTPS_PROXY are never read."
    )
    allow_host: HostNames = setting(
        "Further names to accept in Host, '*' for any; repeat it, or give a comma list.", ()
    )
    allow_origin: Origins = setting(
        "Web origins whose pages may call this; repeat it, or give a comma list.", ()
    )
    trusted_proxy: Annotated[StringList, AfterValidator(_check_networks)] = setting(
        "Addresses or networks of reverse proxies whose X-Forwarded-For is believed; repeat it, "
        "or give a comma list.",
        (),
    )
    exit_on_stdin_eof: bool = setting(
        "Stop when standard input ends: for programs that start clawgate.", False
    )

    @model_validator(mode="after")
    def _key_needs_certificate(self) -> Self:
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("clientKey is set without clientCertificate; set both or neither")
        return self

    @property
    def upstream_url(self) -> str:
        """The URL that all requests are sent to; empty where that is not a setting."""
        return ""

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Self:
        if self.upstream_url.lower().startswith("http://"):
            for name, value in (("caFile", self.ca_file), ("clientCertificate", self.client_certificate)):
                if value is not None:
                    raise ValueError(
                        f"{name} is set, but the upstream's URL begins with http://, where no certificate is shown or "
                        "checked; use https://"
                    )
        return self

    def secrets(self) -> tuple[str, ...]:
        """Return every secret among the settings, as text: what must never be shown."""
        secrets: list[str] = []
        for value in self.__dict__.values():
            parts = value.values() if isinstance(value, dict) else (value,)
            secrets += [part.get_secret_value() for part in parts if isinstance(part, SecretStr)]
        if self.upstream_proxy is not None:
            secrets += userinfo_secrets(split_proxy_url(self.upstream_proxy.get_secret_value())[1])
        return tuple(secrets)
