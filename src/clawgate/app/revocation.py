"""Decides what a changed config file revokes although the file as a whole cannot be used.

Law: a credential that the file no longer has, or that cannot be read from it, is not used any more: not to admit
callers, and not to be sent to a provider. Where its replacement can be used, that counts. Everything else of the file
waits until the file can be used. Pure: takes what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from clawgate.policy.proxy_identity import ProxyIdentity
from clawgate.providers.catalog import Catalog, build_catalog
from clawgate.providers.credential import NoCredential
from clawgate.providers.provider import Provider
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.openclaw.config_file import ConfigFile, PartialConfig
from clawgate.settings.openclaw.gateway import GatewayFlags, admitted_tokens
from clawgate.settings.openclaw.proxy_auth import TRUSTED_PROXY, proxy_identity
from clawgate.settings.problems import SettingsInvalid

_OF_IDENTITY = (("gateway", "auth"), ("gateway", "trustedProxies"))


def tokens_left(
    partial: PartialConfig,
    flags: GatewayFlags,
    in_force: Mapping[str, str] | None,
    *,
    listening_on: str,
) -> dict[str, str] | None:
    """Return what still admits callers: empty for no caller, None for every caller on this machine.

    Of a file that cannot be read only tokens stay that something else gives and that are ``in_force``: those of flags
    and variables, which win over the file.
    """
    try:
        tokens = admitted_tokens(partial.file, flags, listening_on=listening_on)
    except SettingsInvalid:
        return {}
    if not partial.is_readable:
        kept = (in_force or {}).items()
        return {name: token for name, token in kept if tokens.get(name) == token}
    if partial.problems_of(("gateway", "auth")):
        return {}
    # No token is no admission where a proxy names the caller.
    return tokens or ({} if partial.file.config.gateway.auth.mode == TRUSTED_PROXY else None)


def identity_left(partial: PartialConfig, in_force: ProxyIdentity | None) -> ProxyIdentity | None:
    """Return how a proxy still names callers: as before, or not at all where the file says anything else."""
    if not partial.is_readable or any(map(partial.problems_of, _OF_IDENTITY)):
        return None
    return in_force if proxy_identity(partial.file) == in_force else None


def catalog_left(partial: PartialConfig, current: Catalog, reason: str) -> Catalog:
    """Return ``current`` without the credentials that the file revokes; ``reason`` is why the file cannot be used."""
    file = partial.file
    changed = build_catalog(file.config, file.unset, file.environment).providers
    providers: dict[str, Provider] = {}
    for name, provider in current.providers.items():
        new = changed.get(name)
        if _credentials(provider) == (_credentials(new) if new is not None else _credentials(None)):
            providers[name] = provider
        elif new is None or partial.problems_of(("models", "providers", name)):
            providers[name] = replace(
                provider,
                problem=f"its credential was changed or removed in a config that cannot be used; {reason}",
                credential=NoCredential(),
                headers=(),
                proxy=None,
                certificate=None,
                key=None,
            )
        else:
            providers[name] = new
    return replace(current, providers=providers)


def _credentials(provider: Provider | None) -> tuple[object, ...]:
    """Everything of a provider that may hold a secret."""
    if provider is None:
        return NoCredential(), (), None, None, None
    return provider.credential, provider.headers, provider.proxy, provider.certificate, provider.key


def plugins_left(partial: PartialConfig, current: ConfigFile) -> set[str]:
    """Return the plugins that must stop: those whose secrets were changed or removed."""
    names = current.config.plugins.entries
    return {name for name in names if current.secrets_of_plugin(name) != partial.file.secrets_of_plugin(name)}


def why_unusable(problems: Iterable[Diagnostic]) -> str:
    """Return all problems as one text."""
    return "; ".join(map(str, problems))
