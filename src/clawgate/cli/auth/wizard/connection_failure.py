"""Says why a connection test failed, and what to do: a wrong secret, path, kind of credential, certificate or network.

Pure. Must not show a secret, nor a text of the server but its address for a redirect.
"""

from __future__ import annotations

from clawgate.app.provider_probe import ProviderProbeResult
from clawgate.plugins.api.provider import CheckResult
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.fetch import FetchResponse
from clawgate.settings.secrets import basic_login

_PATH_STEP = "check the base URL; most end in /v1"
_NO_CONNECTION_STEP = "check the base URL, and that the server is running"
_NO_PAGE = "use the address of the API, not that of a web page; most end in /v1"
_PROXY_STATUSES = frozenset({502, 503, 504})


def explain(provider: Provider, probe: ProviderProbeResult, response: FetchResponse | None) -> CheckResult:
    """Return the failure of a test; ``response`` is None where there was none."""
    state, message, step = probe.state, probe.message, ""
    ask: tuple[str, ...] = ()
    match probe.state:
        case "blocked" if provider.allow_private_setting in message:
            step = "if the server is yours: --private-network"
            ask = ("private_network",)
        case "untrusted":
            step = "if the server is yours, name the file of the authority that signed its certificate: --ca-file FILE"
            ask = ("ca_file",)
        case "unreachable" | "timed out":
            step = _NO_CONNECTION_STEP
        case _ if response is not None:
            state, message, step = _of_response(provider, probe, response)
    return CheckResult(ok=False, message=f"{provider.base_url}: {state}: {message}", next_step=step, ask=ask)


def _of_response(
    provider: Provider, probe: ProviderProbeResult, response: FetchResponse
) -> tuple[str, str, str]:
    """Return the state, the reason and the next step."""
    status, is_page = response.status, is_web_page(response.body)
    if probe.state == "unauthorized":
        return (probe.state, *_of_rejection(provider, probe, response))
    if 300 <= status < 400:
        target = response.headers.get(b"location", b"").decode("ascii", "replace")
        to = f" to {target}" if target.isprintable() and 0 < len(target) <= 200 else ""
        return "not_found", f"it redirects{to} (status {status}), which is not followed", _PATH_STEP
    if is_page and status in _PROXY_STATUSES:
        message = (
            f"a proxy in front responds with a web page (status {status}): what is behind it does not respond"
        )
        return "failing", message, "check that the server behind the proxy is running"
    if is_page:
        return "not_found", f"it responds with a web page (HTML, status {status}), not as an API", _NO_PAGE
    if status == 404:
        return "not_found", f"it has no list of models at {provider.base_url}/models", _PATH_STEP
    if probe.state == "reachable":
        return "not_found", "it responds, but not with a list of models", _PATH_STEP
    return probe.state, probe.message, ""


def _of_rejection(provider: Provider, probe: ProviderProbeResult, response: FetchResponse) -> tuple[str, str]:
    """Return the reason and the next step for 401 and 403: which kind of credential the server wants, if it says so."""
    challenge = response.headers.get(b"www-authenticate", b"").decode("latin-1").partition(" ")[0].lower()
    sent = provider.auth_kind
    if response.status == 403:
        return (
            "it forbids the list of models to this credential or address (403)",
            "check the rules of the server",
        )
    if challenge == "basic" and sent != "basic":
        what = "no credential" if sent == "none" else "another credential"
        return f"it wants user and password (Basic), and got {what}", "user and password: --auth basic"
    if sent == "none":
        return (
            "it wants a credential, and got none",
            "a token: --auth bearer; user and password: --auth basic",
        )
    if sent == "basic" and challenge not in ("", "basic"):
        return f"it wants {challenge.capitalize()}, and got Basic", f"another credential: --auth {challenge}"
    if sent == "basic":
        return "it rejects this user and password (401)", "check the user name and the password"
    step = "check the secret and the kind of credential"
    if any(basic_login(secret.decode("latin-1")) is not None for secret in provider.credential.secrets()):
        step += "; it has the form of user:password, which is --auth basic"
    return probe.message, step


def is_web_page(body: bytes) -> bool:
    """Return whether a body is HTML, whatever its label is."""
    return body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<?xml"))
