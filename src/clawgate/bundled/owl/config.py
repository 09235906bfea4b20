"""Defines and validates the settings of the provider, and selects its one credential. Must not do I/O.

The credential is what ``auth`` names. Without ``auth`` it follows from what is set, and what could mean two of them is
rejected: a credential must not be chosen by chance.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictBool, model_validator

from clawgate.plugins.api import (
    PluginConfig,
    Seconds,
    Url,
    base_url,
    basic_login,
    env_var,
    login_problem,
    secret_problem,
)

ID = "owl"
"""The id of the plugin and of its provider."""

ENABLING_VARIABLE = "OWL_BASE_URL"
Kind = Literal["bearer", "basic", "header", "none"]


def _base_url(value: object) -> object:
    return base_url(value) if isinstance(value, str) else value


def _login_part(value: SecretStr) -> SecretStr:
    if problem := login_problem(value.get_secret_value()):
        raise ValueError(problem)
    return value


def _user_name(value: str) -> str:
    if ":" in value:
        raise ValueError("contains a colon, which Basic ends a user name with; set another user name")
    if problem := login_problem(value):
        raise ValueError(problem)
    return value


def _key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if problem := login_problem(text) if ":" in text else secret_problem(text):
        raise ValueError(problem)
    return value


LoginPart = Annotated[SecretStr, AfterValidator(_login_part)]
"""Text as RFC 7617 allows it: with blanks, colons and any letter."""


class Timeouts(PluginConfig):
    """The time limits of requests, in seconds."""

    connect: Seconds | None = Field(default=None, description="Seconds for a connection.")
    first_byte: Seconds | None = Field(
        default=None, description="Seconds from the whole request to the first byte."
    )
    idle: Seconds | None = Field(default=None, description="Seconds of silence within a response.")
    total: Seconds | None = Field(default=None, description="Seconds for one exchange from head to end.")


@dataclass(frozen=True, slots=True)
class OwlCredential:
    """``value`` is the token, the value of the header, or ``user:password`` in base64.

    ``is_recognized``: it is Basic by its own form, not by a setting. ``unsent`` are settings that have no effect.
    """

    kind: Kind
    value: str = field(default="", repr=False)
    is_recognized: bool = False
    unsent: tuple[str, ...] = ()


class OwlSettings(PluginConfig):
    """``plugins.entries.owl.config``."""

    base_url: Annotated[Url, BeforeValidator(_base_url)] | None = Field(
        None,
        description="The API of the server, with /v1 where it has that.",
        json_schema_extra=env_var(ENABLING_VARIABLE),
    )
    auth: Kind | None = Field(
        None, description="Kind of credential: bearer, basic, header or none; without it, by what is set."
    )
    api_key: Annotated[SecretStr, AfterValidator(_key)] | None = Field(
        None,
        description="The token of bearer or header; of basic user:password, or that in base64.",
        json_schema_extra=env_var("OWL_API_KEY"),
    )
    username: Annotated[str, AfterValidator(_user_name)] | None = Field(
        None, description="The user name of basic.", json_schema_extra=env_var("OWL_USERNAME")
    )
    password: LoginPart | None = Field(
        None, description="The password of basic.", json_schema_extra=env_var("OWL_PASSWORD")
    )
    header_name: str | None = Field(None, description="The header of auth header, such as X-Api-Key.")
    allow_private_network: StrictBool | None = Field(
        None, description="Whether the server may have a private or loopback address."
    )
    ca_file: str | None = Field(
        None, description="PEM file of the only authorities that the server is checked against."
    )
    models: tuple[Any, ...] = Field(
        (), description="Ids of its models, or entries as in models.providers; without any, its own list."
    )
    timeouts: Timeouts = Field(Timeouts(), description="Time limits of requests, in seconds.")

    @model_validator(mode="after")
    def _has_one_credential(self) -> Self:
        self.credential()
        return self

    def credential(self) -> OwlCredential:
        """Return the one credential. Raises ValueError if it is incomplete, or could be two."""
        key = self.api_key.get_secret_value() if self.api_key is not None else None
        has_login = self.username is not None or self.password is not None
        kind = self.auth or self._implied_kind(key, has_login=has_login)
        login = ("username", self.username), ("password", self.password)
        unsent = [name for name, value in login if value is not None and kind != "basic"]
        if kind == "none" or (kind == "basic" and has_login):
            unsent += ["apiKey"] if key is not None else []
        if kind == "none":
            return OwlCredential(kind, unsent=tuple(unsent))
        if kind == "basic":
            return OwlCredential(
                kind,
                _encoded(self._login(key)),
                is_recognized=self.auth is None and not has_login,
                unsent=tuple(unsent),
            )
        if key is None:
            raise ValueError(f"auth is {kind}, and there is no key; set apiKey, or OWL_API_KEY")
        if problem := secret_problem(key):
            raise ValueError(f"apiKey {problem}; for user:password set auth to basic")
        if kind == "header" and not self.header_name:
            raise ValueError("auth is header, and there is no name for it; set headerName")
        return OwlCredential(kind, key, unsent=tuple(unsent))

    def _implied_kind(self, key: str | None, *, has_login: bool) -> Kind:
        if has_login and (key is not None or self.header_name):
            raise ValueError(
                "it has a user or a password and another credential; set auth to the one to send"
            )
        if self.header_name:
            return "header"
        if has_login or (key is not None and basic_login(key) is not None):
            return "basic"
        return "none" if key is None else "bearer"

    def _login(self, key: str | None) -> str:
        """Return ``user:password``. Raises ValueError if it is incomplete."""
        if self.username is not None or self.password is not None:
            for name, value in (("username", self.username), ("password", self.password)):
                if value is None:
                    raise ValueError(f"its {name} is not set; set {name}, or OWL_{name.upper()}")
            assert self.password is not None
            return f"{self.username}:{self.password.get_secret_value()}"
        login = basic_login(key) if key is not None else None
        if login is None:
            what = (
                "apiKey is neither user:password nor that in base64" if key is not None else "it has no login"
            )
            raise ValueError(f"auth is basic, and {what}; set username and password")
        return login


def _encoded(login: str) -> str:
    """Return it as RFC 7617 wants it, in UTF-8."""
    return base64.b64encode(login.encode()).decode("ascii")
