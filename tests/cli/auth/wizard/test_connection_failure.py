"""Each way in which a test fails is told from the others, with what to do; no secret and no foreign text is shown."""

from __future__ import annotations

import pytest

from clawgate.app.provider_probe import ProviderProbeResult
from clawgate.cli.auth.wizard.connection_failure import explain, is_web_page
from clawgate.providers.credential import Basic, Credential, HeaderToken, NoCredential, bearer
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.fetch import FetchResponse
from clawgate.wire.http.url import parse_url

PAGE = b"\n<!DOCTYPE html><html><title>canary-page</title>"
TOKEN = bearer("canary-token-1")
LOGIN = Basic("me:canary-pass")


def provider(credential: Credential) -> Provider:
    origin, path = parse_url("https://owl.test/v1")
    setting = "models.providers.owl.request.allowPrivateNetwork"
    return Provider(
        id="owl",
        api="openai-completions",
        origin=origin,
        path=path,
        credential=credential,
        allow_private_setting=setting,
    )


@pytest.mark.parametrize(
    ("credential", "status", "challenge", "says", "step"),
    [
        (LOGIN, 401, 'Basic realm="x"', "rejects this user and password", "the password"),
        (LOGIN, 401, "", "rejects this user and password", "the password"),
        (LOGIN, 401, "Bearer", "it wants Bearer, and got Basic", "--auth bearer"),
        (TOKEN, 401, "Basic", "wants user and password (Basic), and got another", "--auth basic"),
        (TOKEN, 401, "Bearer", "the server's word", "check the secret"),
        (bearer("me:pass"), 401, "", "the server's word", "has the form of user:password"),
        (HeaderToken("X-Key", "canary-token-1"), 401, "basic", "got another credential", "--auth basic"),
        (NoCredential(), 401, "Basic", "got no credential", "--auth basic"),
        (NoCredential(), 401, "", "wants a credential, and got none", "--auth bearer"),
        (TOKEN, 403, "", "forbids the list of models", "rules of the server"),
    ],
)
def test_a_wrong_secret_is_told_from_a_wrong_kind(
    credential: Credential, status: int, challenge: str, says: str, step: str
) -> None:
    headers = {b"www-authenticate": challenge.encode()} if challenge else {}
    probe = ProviderProbeResult("unauthorized", "the server's word")
    found = explain(provider(credential), probe, FetchResponse(status, PAGE, headers))
    assert "unauthorized" in found.message and says in found.message and step in found.next_step
    assert "canary" not in found.message + found.next_step and not found.ask


@pytest.mark.parametrize(
    ("state", "response", "says", "step"),
    [
        ("not_found", FetchResponse(404, b"{}"), "no list of models at https://owl.test/v1/models", "base URL"),
        ("not_found", FetchResponse(404, PAGE), "a web page (HTML, status 404)", "address of the API"),
        ("reachable", FetchResponse(200, PAGE), "a web page (HTML, status 200)", "address of the API"),
        ("failing", FetchResponse(502, PAGE), "a proxy in front responds", "behind the proxy"),
        ("failing", FetchResponse(301, PAGE, {b"location": b"https://a.test/login"}), "to https://a.test/login", "URL"),
        ("failing", FetchResponse(302, b"", {b"location": b"\x1b[1m"}), "it redirects (status 302)", "URL"),
        ("reachable", FetchResponse(200, b"[]"), "not with a list of models", "base URL"),
        ("failing", FetchResponse(500, b"{}"), "the server's word", ""),
        ("unreachable", None, "the server's word", "is running"),
        ("timed out", None, "the server's word", "is running"),
        ("not ready", None, "the server's word", ""),
    ],
)  # fmt: skip
def test_a_wrong_path_is_told_from_a_network_that_fails(
    state: str, response: FetchResponse | None, says: str, step: str
) -> None:
    found = explain(provider(TOKEN), ProviderProbeResult(state, "the server's word"), response)
    assert not found.ok and says in found.message and step in found.next_step
    assert "canary" not in found.message and not found.ask


def test_what_one_more_answer_would_help_asks_for_it() -> None:
    setting = "set models.providers.owl.request.allowPrivateNetwork to true"
    assert explain(provider(TOKEN), ProviderProbeResult("blocked", setting), None).ask == ("private_network",)
    never = explain(provider(TOKEN), ProviderProbeResult("blocked", "metadata: never"), None)
    assert never.ask == () and never.next_step == ""
    assert explain(provider(TOKEN), ProviderProbeResult("untrusted", "self-signed"), None).ask == ("ca_file",)


def test_a_web_page_is_known_by_its_bytes() -> None:
    assert (
        is_web_page(PAGE)
        and is_web_page(b"<HTML>")
        and not is_web_page(b'{"a":"<html>"}')
        and not is_web_page(b"")
    )
