"""What does a provider of a plugin bring: its questions, its config, and how it differs from its dialect?

Part of `clawgate.plugins.api`. Everything here is data or a pure function of data but for `check`, which may fetch. It
never sees the text of a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from clawgate.plugins.api.questions import Answers, Question
from clawgate.plugins.api.service import SetupContext
from clawgate.settings.key_path import KeyPath

Dialect = Literal["openai-completions", "anthropic-messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Whether the answers work. ``message`` says what was found or what is wrong, ``next_step`` what to do about it."""

    ok: bool
    message: str
    next_step: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """What the answers mean for the config file. Whoever writes it shows it first, and keeps all else as it is.

    ``plugin_config`` becomes ``plugins.entries.<plugin>.config`` (what it does not name stays), ``provider`` becomes
    ``models.providers.<provider>`` (of a model that is there already, what the file says of it stays: somebody may have
    set it by hand). ``aliases``: from the alias to provider/model. ``default_model`` counts only where
    the user asks for it (``--set-default``), and then with ``fallbacks`` (none: if it fails, the request fails).
    ``secrets`` are the paths within ``plugin_config`` that must not be shown; ``notes`` are told at the end.
    """

    plugin_config: Mapping[str, object] = field(repr=False)
    provider: Mapping[str, object] = field(repr=False)
    aliases: Mapping[str, str] = field(default_factory=dict)
    default_model: str | None = None
    fallbacks: tuple[str, ...] = ()
    secrets: tuple[KeyPath, ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class ProviderPlugin(Protocol):
    """Something that models are asked at. Its address and its models are in ``models.providers.<id>`` of the config."""

    @property
    def id(self) -> str:
        """The part before the slash of ``provider/model``."""
        ...

    @property
    def label(self) -> str: ...

    @property
    def dialect(self) -> Dialect: ...

    def previous(self, config: Mapping[str, Any]) -> Answers:
        """What the config file says already, as answers: what an earlier run of the wizard or a person wrote."""
        ...

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        """In their order; the defaults come from ``previous``, then ``environment``."""
        ...

    async def check(self, answers: Answers, context: SetupContext) -> CheckResult:
        """Try the connection, before anything is written."""
        ...

    def config_change(self, answers: Answers) -> ConfigChange: ...

    def owned(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        """Everything in ``config`` that `config_change` wrote: what logout and uninstall take away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """A request for a model that is about to leave, without its conversation.

    ``fields`` are the top-level fields of the body but for ``model``, ``messages``, ``system`` and ``tools``, in the
    provider's own dialect. ``conversation`` is the same for requests that go on with one another, never for others, and
    says nothing about them; empty where nothing is said. ``headers`` are added to those that the gateway sends; none of
    them may carry a credential. ``dialect`` is the one that the provider is spoken to in, as its ``api`` says in the
    config: to look at, not to change.
    """

    model: str
    fields: Mapping[str, object] = field(default_factory=dict)
    conversation: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    dialect: str = ""


@runtime_checkable
class TransformsRequests(Protocol):
    """A provider that wants requests other than its dialect has them. Optional; pure, and called for each request."""

    def shape(self, request: UpstreamRequest) -> UpstreamRequest:
        """The same request as it should leave. If this raises, the request fails and nothing is sent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedError:
    """What a failure of the provider really is: the status that the client should see, and words for people."""

    status: int
    message: str
    retry_after: int | None = None


@runtime_checkable
class MapsErrors(Protocol):
    """A provider that wraps its failures. Optional; pure."""

    def judge(self, status: int, body: bytes) -> MappedError | None:
        """Called for answers from 400 on, with the first 64 kB, and with status 200 for the data of an event of a
        stream that tells a failure. None: it is what it says it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """Something in the config file that does not fit: where, what, and what to do. No secret is in it."""

    path: KeyPath
    message: str
    next_step: str = ""


@runtime_checkable
class ChecksConfig(Protocol):
    """A provider that knows which settings have to fit together. Optional; pure."""

    def config_notes(self, config: Mapping[str, Any], settings: BaseModel) -> Sequence[Diagnostic]:
        """What does not fit in ``config``, the config file; ``settings`` are the plugin's, as it would get them."""
        ...
