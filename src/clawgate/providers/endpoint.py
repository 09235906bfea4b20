"""Where is a provider, through which proxy, and what is wrong with that before anything is dialled?

Judges what can be read off the config; names are resolved, and their addresses judged, by whoever dials. Each reason
names the key to mend.
"""

from __future__ import annotations

from collections.abc import Mapping

from clawgate.policy.egress import NEVER_ALLOWED, Reason, classify_host
from clawgate.providers.credential_selection import CredentialSelection, how_to_set
from clawgate.settings.openclaw.schema import ProviderBlock, RequestProxy
from clawgate.wire.http.url import Origin, parse_url


def endpoint_of(
    base_url: str | None, api: str, where: str, unset: Mapping[str, str]
) -> tuple[Origin | None, str, str | None]:
    """Origin, the path that takes the place of ``/v1``, and what is wrong."""
    if not base_url:
        variable = unset.get("baseUrl")
        way = how_to_set(f"{where}.baseUrl", variable) if variable else f"set {where}.baseUrl"
        return None, "", f"its address is not set: {way}"
    try:
        origin, path = parse_url(base_url)
    except ValueError as error:
        return None, "", f"{where}.baseUrl cannot be used: {error}"
    if api == "anthropic-messages":
        path = path.removesuffix("/v1") + "/v1"
    return origin, path or "/v1", _never_dialled(origin, where)


def _never_dialled(origin: Origin, where: str) -> str | None:
    reason = address_kind(origin)
    if reason in NEVER_ALLOWED:
        return f"{where}.baseUrl: the address {origin.host} is never dialled ({reason})"
    return None


def address_kind(origin: Origin) -> Reason:
    """What can be said of a place before its name is resolved; NOT_AN_ADDRESS for a name."""
    if origin.host == "localhost" or origin.host.endswith(".localhost"):
        return Reason.LOOPBACK
    return classify_host(origin.host)


def address_notes(
    origin: Origin, chosen: CredentialSelection, trusted: bool, trust_setting: str, through_proxy: bool
) -> list[str]:
    notes: list[str] = []
    kind = address_kind(origin)
    if kind in (Reason.LOOPBACK, Reason.PRIVATE) and not trusted and not through_proxy:
        notes.append(f"egress: blocked until {trust_setting} is true ({origin.host} is {kind})")
    open_wire = origin.scheme == "http" and kind not in (Reason.LOOPBACK, Reason.PRIVATE)
    if open_wire and chosen.credential.line():
        notes.append(f"its credential travels unencrypted to {origin}")
    return notes


def proxy_of(
    proxy: RequestProxy | None, where: str, unset: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """The proxy's URL, and what is wrong with it; the URL is never part of what is said."""
    if proxy is None:
        return None, None
    place = f"{where}.request.proxy"
    if "request.proxy.url" in unset:
        return None, f"its proxy is not set: {how_to_set(f'{place}.url', unset['request.proxy.url'])}"
    if proxy.mode == "env-proxy":
        return (
            None,
            f"{place}.mode 'env-proxy' is not supported: name the proxy in {place}.url, mode explicit-proxy",
        )
    if proxy.tls is not None:
        return None, f"{place}.tls is not supported: a proxy is spoken to in plain HTTP"
    if proxy.url is None:
        return None, f"its proxy is not set: set {place}.url"
    text = proxy.url.get_secret_value()
    authority = text.removeprefix("http://").rpartition("@")[2].removesuffix("/")
    try:
        _, path = parse_url(f"http://{authority}")
    except ValueError:
        path = "?"
    if path or not text.startswith("http://"):
        return None, f"{place}.url must look like http://[user:password@]host:port"
    return text.removesuffix("/"), None


def tls_trouble(block: ProviderBlock, where: str, unset: Mapping[str, str]) -> str | None:
    tls = block.request.tls
    for key in ("request.tls.key", "request.tls.passphrase", "request.tls.ca", "request.tls.cert"):
        if key in unset:
            return f"its TLS setting is not set: {how_to_set(f'{where}.{key}', unset[key])}"
    if tls is None:
        return None
    if tls.passphrase is not None:
        return f"{where}.request.tls.passphrase is not supported: give the key without one, in a file of mode 0600"
    if tls.key is not None and tls.cert is None:
        return f"{where}.request.tls.key is set without request.tls.cert"
    return None
