"""Decides whether a request for a model would be sent to its provider, and if not, why and what to do.

Law: requests and every command that speaks of them decide here, and the result is the error that a request gets. Pure:
what only the running gateway knows, such as the state of a plugin's service, is passed in by provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from clawgate.errors import (
    EgressDenied,
    GatewayError,
    ModelNotFound,
    PrivateNetworkBlocked,
    ProviderNotConfigured,
    ProviderUnavailable,
    UpstreamTimedOut,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
from clawgate.policy.egress.policy import check_behind_proxy, check_host
from clawgate.policy.egress.refusal import denied
from clawgate.policy.fallback import should_fall_back
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import Catalog
from clawgate.providers.endpoint import never_dialled
from clawgate.providers.provider import Provider

_REPORTED = (
    ProviderNotConfigured,
    ProviderUnavailable,
    EgressDenied,
    PrivateNetworkBlocked,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
_BY_CODE: dict[str, Callable[..., GatewayError]] = {error.code: error for error in _REPORTED}
_BY_CODE[UpstreamTimedOut.code] = partial(
    UpstreamTimedOut, limit="connect", seconds=0
)  # no other limit is reported

ErrorOf = Callable[[Provider], GatewayError | None]
"""The error of every request to a provider, None if requests are sent."""


@dataclass(frozen=True, slots=True)
class Availability:
    """The providers of a catalog, and whether requests are sent to them: by ``error_of``."""

    catalog: Catalog
    error_of: ErrorOf

    def model_error(self, ref: ModelRef) -> GatewayError | None:
        """Return the error of a request to this model alone, None if it is sent."""
        provider = self.catalog.providers.get(ref.provider)
        if provider is None:
            return ModelNotFound(f"there is no provider '{ref.provider}'")
        return self.error_of(provider) or model_error(provider, ref.model)

    def request_error(self, name: str = "") -> GatewayError | None:
        """Return the error of a request whose model is ``name``, after its fallbacks; None if it is sent."""
        try:
            chain = self.catalog.resolve(name).chain
        except GatewayError as error:
            return error
        return chain_error((str(ref), self.model_error(ref)) for ref in chain)

    def serving_error(self) -> GatewayError | None:
        """Return why the gateway serves nothing: the default model's error or, without one, that of all providers.

        A built-in provider is the reason only where there is no other.
        """
        if self.catalog.primary is not None:
            return self.request_error()
        providers = sorted(self.catalog.providers.values(), key=lambda one: one.built_in)
        errors = [self.error_of(one) for one in providers]
        return errors[0] if errors and all(errors) else None

    def failing(self) -> dict[str, GatewayError]:
        """Return the error of each provider that requests are not sent to, without built-in ones that are not used."""
        used = self.catalog.used_providers()
        return {one.id: error for one in used if (error := self.error_of(one)) is not None}


def provider_error(provider: Provider) -> GatewayError | None:
    """Return the error of every request to ``provider`` as far as the config shows it."""
    if (never := never_dialled(provider)) is not None:
        return never
    if provider.problem is not None:
        return not_configured(provider, provider.problem)
    return egress_error(provider)


def egress_error(provider: Provider) -> EgressDenied | None:
    """Return the error where the address is private and not allowed; a name is checked when it is dialled."""
    origin, policy = provider.origin, provider.egress_policy()
    if origin is None:
        return None
    decision = (check_host if provider.proxy is None else check_behind_proxy)(origin, policy)
    return None if decision.allowed else denied(origin, origin.host, decision, policy)


def model_error(provider: Provider, model: str) -> GatewayError | None:
    """Return the error of a request to this model of a provider that has none itself."""
    problem = provider.model_problem(model) if provider.problem is None else None
    return ProviderNotConfigured(problem) if problem is not None else None


def not_configured(provider: Provider, problem: str) -> ProviderNotConfigured:
    return ProviderNotConfigured(f"the provider '{provider.id}' is not configured: {problem}")


def unreachable(provider: Provider, error: UpstreamUnreachable) -> ProviderUnavailable:
    """Return the error that a request gets where no connection to ``provider`` can be opened."""
    return ProviderUnavailable(
        f"the provider '{provider.id}' is not available: {error.message} "
        f"(its address: models.providers.{provider.id}.baseUrl)",
        retry_after=error.retry_after,
    )


def chain_error(outcomes: Iterable[tuple[str, GatewayError | None]]) -> GatewayError | None:
    """Return the error of a request whose models are tried in this order; None if it is sent to one of them."""
    failed: list[str] = []
    last: GatewayError | None = None
    for name, error in outcomes:
        if error is None:
            return None
        last = with_earlier(error, failed)
        if (reason := should_fall_back(None, error)) is None:
            break
        failed.append(f"{name} {reason}")
    return last


def with_earlier(error: GatewayError, failed: Sequence[str]) -> GatewayError:
    """Return the error of the last attempt with those that ``failed`` before, as "provider/model status 503"."""
    return error.with_message(f"{error.message} (also: {', '.join(failed)})") if failed else error


def encode(availability: Availability) -> dict[str, object]:
    """Return what a running gateway reports of its providers to commands, as JSON."""
    errors = {one.id: availability.error_of(one) for one in availability.catalog.providers.values()}
    return {name: error and encode_error(error) for name, error in errors.items()}


def encode_error(error: GatewayError) -> dict[str, object]:
    return {"code": error.code, "message": error.message, "retryAfter": error.retry_after}


def reported(document: Mapping[str, object]) -> ErrorOf:
    """Return the errors that a gateway reports (`encode`)."""

    def error_of(provider: Provider) -> GatewayError | None:
        if provider.id not in document:
            return ModelNotFound(
                f"the running gateway has no provider '{provider.id}': it does not use the present config; "
                "see: clawgate doctor"
            )
        return _decode(document[provider.id])

    return error_of


def _decode(error: object) -> GatewayError | None:
    if not isinstance(error, dict):
        return None
    made = _BY_CODE.get(str(error.get("code")), ProviderUnavailable)
    seconds = error.get("retryAfter")
    return made(str(error.get("message")), retry_after=seconds if isinstance(seconds, int) else None)
