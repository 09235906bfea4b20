"""Defines a plugin's provider: setup questions, config, and deviations from its dialect.

Part of `clawgate.plugins.api`. All methods are pure functions of their arguments except `check_connection`, which may
fetch. No method sees the text of a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from clawgate.plugins.api.questions import Answers, Question
from clawgate.plugins.api.service import SetupContext
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import KeyPath

Dialect = Literal["openai-completions", "openai-responses", "anthropic-messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of trying a provider's answers: what was found or what is wrong, and what to do about it.

    ``ask`` are the questions whose other answer would help. ``corrected`` are answers that take the place of the tried
    ones: with them it worked.
    """

    ok: bool
    message: str
    next_step: str = ""
    models: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    corrected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """The change to the config file that follows from a provider's answers.

    The wizard shows the change before it writes it and keeps everything else. ``plugin_config`` is merged into
    ``plugins.entries.<plugin>.config``; ``provider`` becomes ``models.providers.<provider>``, where the settings of a
    model that the file already lists are kept. ``aliases`` maps an alias to ``provider/model``. ``default_model``
    applies only with ``--set-default``, and then with ``fallbacks`` (empty: a failed request fails). ``secrets`` are
    paths within ``plugin_config`` whose values must not be shown; ``notes`` are printed at the end. ``removes`` are
    paths of the file that this change takes the place of; ``own`` is what the provider gets below
    ``plugins.entries.clawgate.config.providers``, where it has no such setting yet.
    """

    plugin_config: Mapping[str, object] = field(repr=False)
    provider: Mapping[str, object] = field(repr=False)
    aliases: Mapping[str, str] = field(default_factory=dict)
    default_model: str | None = None
    fallbacks: tuple[str, ...] = ()
    secrets: tuple[KeyPath, ...] = ()
    notes: tuple[str, ...] = ()
    removes: tuple[KeyPath, ...] = ()
    own: Mapping[str, object] = field(default_factory=dict)


@runtime_checkable
class DeclaredProvider(Protocol):
    """A provider. Its address and models are in ``models.providers.<id>`` of the config.

    One without questions of its own is set up by those for any server.
    """

    @property
    def id(self) -> str:
        """The part before the slash of ``provider/model``."""

    @property
    def label(self) -> str: ...

    @property
    def dialect(self) -> Dialect: ...


@runtime_checkable
class ProviderPlugin(DeclaredProvider, Protocol):
    """A provider with its own questions, connection test and config."""

    def previous_answers(self, config: Mapping[str, Any]) -> Answers:
        """Return the answers that the config file already holds, written by the wizard or by hand."""

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        """Return the questions in order, with defaults from ``previous``, then from ``environment``."""

    async def check_connection(self, answers: Answers, context: SetupContext) -> CheckResult:
        """Try the connection. Called before anything is written."""

    def config_change(self, answers: Answers) -> ConfigChange: ...

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        """Return the paths in ``config`` that `config_change` wrote: what logout and uninstall remove."""


@runtime_checkable
class SpeaksDialects(Protocol):
    """Optional attribute of a provider whose upstream speaks other dialects, too: their clients are not translated."""

    @property
    def further_dialects(self) -> tuple[Dialect, ...]:
        """The dialects beside ``dialect``, which is the ``api`` of its block in the config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """A model request that is about to be sent, without its conversation.

    ``fields`` are the top-level fields of the JSON body, in the provider's dialect, except ``model``, ``tools`` and the
    conversation (``messages`` and ``system``, ``input``, ``instructions`` and ``prompt``). ``session_id`` is equal for
    requests that continue one conversation, and different otherwise; it reveals nothing about them and is empty if
    there is none. ``headers`` are added to those of the gateway; they must not hold a credential. ``ignored`` are
    fields that have no effect there, tools included: those of them that the client set are named to it. ``dialect`` is
    the one of this request: the ``api`` of the provider in the config, or one of its `SpeaksDialects`.
    ``client_headers`` are those of the client that a hook may read, names in lower case; both are read-only.
    """

    model: str
    fields: Mapping[str, object] = field(default_factory=dict)
    session_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    dialect: str = ""
    client_headers: Mapping[str, str] = field(default_factory=dict)


class RequestRefused(Exception):
    """Raised by `transform_request` for what the client may not request: the text is its error, with status 400."""


@runtime_checkable
class TransformsRequests(Protocol):
    """Optional hook of a provider whose requests differ from its dialect. Pure; called for each request."""

    def transform_request(self, request: UpstreamRequest) -> UpstreamRequest:
        """Return the request to send. If this raises, the request fails and nothing is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedError:
    """The real meaning of an upstream failure: the client's status (400 to 599), a message, seconds for Retry-After."""

    status: int
    message: str
    retry_after: int | None = None


@runtime_checkable
class MapsErrors(Protocol):
    """Optional hook of a provider that wraps its errors. Pure."""

    def map_error(self, status: int, body: bytes) -> MappedError | None:
        """Map an upstream failure, or return None to keep status and body.

        Called for responses with status 400 and above, with the first 64 kB of the body; and with status 200 for the
        data of an error event in a stream.
        """


@runtime_checkable
class ImpliesProvider(Protocol):
    """Optional hook of a bundled plugin's provider that needs no block in ``models.providers``. Pure."""

    def implied_block(self, settings: BaseModel, environment: Mapping[str, str]) -> Mapping[str, object]:
        """Return the block that the plugin's validated config implies; empty if it implies none.

        ``own`` in it is what the provider has below ``plugins.entries.clawgate.config.providers``.
        """


@runtime_checkable
class ChecksConfig(Protocol):
    """Optional hook of a provider whose settings depend on each other. Pure."""

    def check_config(self, config: Mapping[str, Any], settings: BaseModel) -> Sequence[Diagnostic]:
        """Return what does not fit. ``config`` is the config file, ``settings`` the plugin's validated config."""
