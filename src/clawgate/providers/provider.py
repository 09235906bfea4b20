"""A configured model provider: its address, dialect, one credential, models, and its problem where it cannot be used.

A value without I/O. Must not show a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clawgate.policy.egress.policy import NO_RULES, EgressPolicy, NetworkRules
from clawgate.providers.credential import Basic, Credential, HeaderToken, NoCredential
from clawgate.settings.fields import MAX_UPSTREAM_CONNECTIONS, UPSTREAM_WAIT_SECONDS
from clawgate.wire.http.url import Origin, split_proxy_url, userinfo_secrets
from clawgate.wire.translate.compat import NO_COMPAT, Compat

_SHORTEST_MASKED = 8


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the config lists. ``max_tokens`` and ``context_window`` in tokens, None where it does not say."""

    id: str
    name: str
    max_tokens: int | None = None
    context_window: int | None = None
    input: tuple[str, ...] = ("text",)
    reasoning: bool = False
    compat: Compat = NO_COMPAT
    api: str | None = None
    """The only API that it has, where that is another one of OpenAI's than its provider's."""
    unsupported_setting: str | None = None
    """A setting of this model alone that would need another request than its provider's; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One of ``models.providers``, or a built-in.

    ``api`` is the API that it speaks, ``further_apis`` are others that it speaks as well.
    ``path`` replaces ``/v1`` in a target, so it holds the ``v1`` itself where the API has one. ``headers`` are the
    operator's, without a credential. ``allow_private``: loopback and private addresses may be dialled;
    ``allow_private_setting`` is the key path of that setting, ``address_setting`` that of its address (or its
    variable). ``trusts_loopback``: it is a service of our own, whose
    loopback address needs none. ``network`` has the rules of the whole gateway. ``timeouts`` are seconds by the name
    of their limit, ``timeout_seconds`` is for those that it lacks. ``ca``, ``certificate`` and ``key`` are PEM files
    or texts. ``max_connections_setting`` is the key path of ``max_connections``. ``discovers_models``: the provider's
    own list of models is used where the config has none. ``proxy`` is ``http://[user:password@]host:port``.
    ``problem`` is why no request can be sent, with the next step; None where requests can be sent. ``origin`` is None
    only with a problem. ``notes`` are for the operator.
    """

    id: str
    api: str
    origin: Origin | None
    further_apis: tuple[str, ...] = ()
    path: str = ""
    credential: Credential = field(default_factory=NoCredential)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    allow_private: bool = False
    allow_private_setting: str = ""
    address_setting: str = ""
    trusts_loopback: bool = False
    network: NetworkRules = NO_RULES
    timeout_seconds: float | None = None
    timeouts: Mapping[str, float] = field(default_factory=dict)
    max_connections: int = MAX_UPSTREAM_CONNECTIONS
    connection_wait_seconds: float = UPSTREAM_WAIT_SECONDS
    max_connections_setting: str = ""
    discovers_models: bool = True
    models: tuple[Model, ...] = ()
    ca: str | None = None
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    server_name: str | None = None
    insecure: bool = False
    proxy: str | None = field(default=None, repr=False)
    built_in: bool = False
    problem: str | None = None
    notes: tuple[str, ...] = ()

    def model_problem(self, model: str) -> str | None:
        """Return why no request for ``model`` can be sent, with the next step; None where it can."""
        if self.problem is not None:
            return self.problem
        listed = next((known for known in self.models if known.id == model), None)
        if listed is None or listed.unsupported_setting is None:
            return None
        return (
            f"the model '{self.id}/{model}' has its own {listed.unsupported_setting}, which is not supported; "
            "configure it as a separate provider"
        )

    @property
    def allows_private(self) -> bool:
        """Whether its name may resolve to any private address."""
        return self.allow_private or self.network.private

    def egress_policy(self) -> EgressPolicy:
        return EgressPolicy(
            requester=f"provider:{self.id}",
            private=self.allow_private,
            loopback=self.trusts_loopback,
            setting=self.allow_private_setting,
            origin=self.origin,
            address_setting=self.address_setting,
            path=self.path,
            network=self.network,
        )

    def apis_of(self, model: Model | None, of_plugin: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the APIs that requests for ``model`` may use, the preferred one first."""
        if model is not None and model.api is not None:
            return (model.api,)
        return (self.api, *self.further_apis, *of_plugin)

    @property
    def base_url(self) -> str:
        return "" if self.origin is None else f"{self.origin}{self.path}"

    @property
    def auth_kind(self) -> str:
        """``bearer``, ``basic``, ``x-api-key``, ``header <Name>`` or ``none``."""
        credential = self.credential
        if isinstance(credential, Basic):
            return "basic" if credential.name.lower() == "authorization" else f"header {credential.name}"
        if isinstance(credential, HeaderToken):
            name, scheme = credential.name.lower(), credential.scheme.lower()
            if name == "authorization" and scheme == "bearer":
                return "bearer"
            return "x-api-key" if name == "x-api-key" else f"header {credential.name}"
        return "none"

    def masked(self) -> str:
        """Return the credential's ends, ``b...e``: enough to recognise it, too little to use. Empty for none."""
        if isinstance(self.credential, Basic):
            return mask(self.credential.encoded)
        spellings = self.credential.secrets()
        return mask(spellings[0].decode("ascii", "replace")) if spellings else ""

    def secrets(self) -> tuple[str, ...]:
        """Return what no log and no response may show: spellings of the credential, the proxy's user info, a key."""
        secrets = [secret.decode("utf-8", "replace") for secret in self.credential.secrets()]
        secrets += userinfo_secrets(split_proxy_url(self.proxy or "")[1])
        if self.key is not None and "-----BEGIN" in self.key:
            secrets.append(self.key)
        return tuple(text for text in secrets if text)


def mask(secret: str) -> str:
    """Return the first and last character of a secret; of a short one nothing at all."""
    return f"{secret[0]}...{secret[-1]}" if len(secret) >= _SHORTEST_MASKED else "..."
