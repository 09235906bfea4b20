"""The server: tokens in, the one real key out, and only what the operator allowed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clawgate.errors import InvalidToken, MethodNotAllowed, UnknownRoute
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.server import ServerSettings
from tests.app.callers import ALICE, BOB, ask, ask_anew, bearer, code, write_tokens
from tests.app.roles import sent, server
from tests.e2e.stand import CLIENT_TOKEN, OPENAI_KEY, PATH, PATIENCE, serving
from tests.peers import faults
from tests.peers.throwaway_ca import make_throwaway
from tests.peers.upstream import FakeUpstream
from tests.private_file import write_private
from tests.settings.canary import KEY, TOKEN


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://h", b"GET /v1/models HTTP/1.1"),
        ("http://h/v1/", b"GET /v1/models HTTP/1.1"),
        ("http://h/api/v3", b"GET /api/v3/models HTTP/1.1"),
    ],
)
def test_the_base_url_replaces_v1(url: str, line: bytes) -> None:
    assert sent(server(baseUrl=url)).partition(b"\r\n")[0] == line


def test_exactly_the_key_leaves() -> None:
    head = sent(server(organization="org-1", project="p-1"))
    assert head.count(f"authorization: Bearer {KEY}\r\n".encode()) == 1 and TOKEN.encode() not in head
    assert b"openai-organization: org-1\r\n" in head and b"openai-project: p-1\r\n" in head


@pytest.mark.parametrize("own", [{}, {"organization": "org-own", "project": "proj-own"}])
async def test_the_account_headers_are_the_operators(own: dict[str, Any]) -> None:
    """What the client says of organisation and project is dropped, whether the operator says something or not."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("server", upstream.url, **own) as stand,
    ):
        foreign = (("OpenAI-Organization", "org-foreign"), ("OpenAI-Project", "proj-foreign"))
        assert (await stand.fresh(fields=foreign)).status == 200
        (request,) = upstream.requests
        assert request.header_all("openai-organization") == ([own["organization"]] if own else [])
        assert request.header_all("openai-project") == ([own["project"]] if own else [])
        assert request.header_all("authorization") == [f"Bearer {OPENAI_KEY}"]
        assert b"foreign" not in request.raw and CLIENT_TOKEN.encode() not in request.raw


def test_every_server_requires_tokens_and_counts_failures() -> None:
    admission = server(maxAuthFailures=2, authLockout=7).connections.admission
    assert admission.tokens is not None and admission.failures is not None
    assert admission.tokens.authenticate(TOKEN.encode()) == "default"
    with pytest.raises(InvalidToken):
        admission.tokens.authenticate(KEY.encode())
    admission.failures.record_failure("a", 0)
    admission.failures.record_failure("a", 0)
    assert admission.failures.locked_for("a", 0) == 7


def test_only_what_the_models_need_is_relayed() -> None:
    """Files, fine-tunes and the key owner's account stay out of reach."""
    routes = server().connections.admission.routes
    routes.check(b"POST", b"/v1/chat/completions")
    for path in (b"/v1/files", b"/v1/organization/users", b"/v1/fine_tuning/jobs", b"/v1/models/"):
        with pytest.raises(UnknownRoute):
            routes.check(b"GET", path)
    for method, path in ((b"GET", b"/v1/chat/completions"), (b"DELETE", b"/v1/models/a")):
        with pytest.raises(MethodNotAllowed):
            routes.check(method, path)


def test_without_limits_nothing_is_counted() -> None:
    """A request on the short way costs no look at the limits."""
    admission = server().connections.admission
    assert admission.rates is None and admission.model_allowlist is None
    limited = server(maxConcurrent=1, models="a").connections.admission
    assert limited.rates is not None and limited.model_allowlist is not None


async def test_a_revoked_token_is_rejected_at_once_and_others_are_not_affected(tmp_path: Path) -> None:
    """On connections that are open too, whose head was known; so is a new token in."""
    path = write_tokens(tmp_path / "tokens", alice=ALICE, bob=BOB)
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving(
            "server", upstream.url, proxy_token=None, proxy_tokens_file=str(path), max_concurrent=None
        ) as stand,
        await stand.client() as alice,
        await stand.client() as bob,
        await stand.client() as stranger,
    ):
        ((_, look), *_) = stand.role.periodic_tasks
        for _ in range(3):
            assert (await ask(alice, ALICE)).status == (await ask(bob, BOB)).status == 200
        write_tokens(path, alice=ALICE, carol=CLIENT_TOKEN)
        look()
        assert code(await ask(bob, BOB)) == (401, "invalid_token")
        assert (await ask(stranger, CLIENT_TOKEN)).status == 200
        for _ in range(2):
            assert (await ask(alice, ALICE)).status == 200
        assert len(upstream.requests) == 9 and alice.how_ended is None


def test_a_tokens_file_that_cannot_be_used_admits_no_caller_until_it_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Broken, empty, open to others or gone: which of the earlier tokens are revoked cannot be known."""
    caplog.set_level(logging.INFO, "clawgate")
    path = write_tokens(tmp_path / "tokens", alice=ALICE, bob=BOB)
    learnt: list[str] = []
    role = _with_file(path, learnt)
    ((_, look), *_) = role.periodic_tasks
    admission = role.connections.admission

    def holders() -> list[str]:
        assert admission.tokens is not None
        return [name for name, _ in admission.tokens.entries]

    def logged() -> list[str]:
        for _ in range(4):
            look()
        found = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        caplog.clear()
        return found

    assert logged() == [] and learnt == [ALICE, BOB]
    write_tokens(path, alice="short")
    (error,) = logged()
    assert "no caller is admitted" in error and f"{path}:1" in error and "short\n" not in error
    assert holders() == []
    unusable: list[Callable[[], object]] = [
        lambda: write_tokens(path),
        lambda: write_tokens(path, bob=BOB).chmod(0o644),
        path.unlink,
        lambda: path.rename(tmp_path / "elsewhere"),
        lambda: path.write_bytes(b"\xff"),
    ]
    for make_unusable in unusable:
        write_tokens(path, alice=ALICE)
        assert logged() == [] and holders() == ["alice"]
        make_unusable()
        assert len(logged()) == 1 and holders() == [], make_unusable
    write_tokens(path, carol=CLIENT_TOKEN)
    assert logged() == [] and holders() == ["carol"] and CLIENT_TOKEN in learnt


async def test_an_unusable_tokens_file_rejects_every_token_and_locks_no_address_out(tmp_path: Path) -> None:
    """Also on connections that are open; once it is usable again, who has a token needs no patience."""
    path = write_tokens(tmp_path / "tokens", alice=ALICE)
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving(
            "server", upstream.url, proxy_token=None, proxy_tokens_file=str(path), max_auth_failures=2
        ) as stand,
        await stand.client() as client,
    ):
        ((_, look), *_) = stand.role.periodic_tasks
        assert (await ask(client, ALICE)).status == 200
        path.write_text("garbage")
        look()
        assert (await ask(client, ALICE)).status == 200, "an editor may be writing it at this moment"
        look()
        for _ in range(4):
            response = await ask(client, ALICE)
            assert code(response) == (401, "invalid_token")
            assert "log" in response.json()["error"]["message"]
        write_tokens(path, alice=ALICE)
        look()
        assert (await ask(client, ALICE)).status == 200


def _with_file(path: Path, learnt: list[str]) -> Any:
    from clawgate.app.server import build_server

    settings = {"openaiApiKey": KEY, "proxyTokensFile": str(path)}
    return build_server(ServerSettings.model_validate(settings), add_secrets=learnt.extend)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"model":"gpt-b"}', "model_not_found"),
        (b'{"model":"gpt-a","model":"gpt-b"}', "invalid_request"),
        (b'{"model":"gpt-b","model":"gpt-a"}', "invalid_request"),
        (b'{"model":"gpt-a","mod\\u0065l":"gpt-b"}', "invalid_request"),
        (b'{"model":"gpt-a","Model":"gpt-b"}', "invalid_request"),
        (b'{"model":["gpt-a"]}', "invalid_request"),
        (b'{"messages":[]}', "invalid_request"),
        (b"model=gpt-a", "invalid_request"),
        (b"", "invalid_request"),
    ],
)
async def test_only_allowed_models_may_be_requested(body: bytes, error: str) -> None:
    """However the body names another one, the upstream hears nothing, and the connection can go on."""
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("server", upstream.url, models="gpt-a,gpt-c", max_concurrent=None) as stand,
        await stand.client() as client,
    ):
        for _ in range(2):
            assert (await ask(client, CLIENT_TOKEN, b'{"model":"gpt-a"}')).status == 200
            before = len(upstream.requests)
            response = await ask(client, CLIENT_TOKEN, body)
            assert response.status in (400, 404) and code(response)[1] == error
            assert response.json()["error"]["param"] == "model"
            assert len(upstream.requests) == before
            named = "gpt-a, gpt-c" in response.json()["error"]["message"]
            assert named is (error == "model_not_found")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/models/gpt-a", 200), ("/v1/models/gpt-b", 404), ("/v1/models/gpt%2Da", 200),
        ("/v1/models/gpt%2Db", 404), ("/v1/models/org/gpt", 200), ("/v1/models/gpt-a/x", 404), ("/v1/models", 200),
    ],
)  # fmt: skip
async def test_only_allowed_models_may_be_read(target: str, status: int) -> None:
    async with (
        FakeUpstream(faults.json_response({})) as upstream,
        serving("server", upstream.url, models=["gpt-a", "org/gpt"]) as stand,
    ):
        assert (await ask_anew(stand.url, CLIENT_TOKEN, None, target=target)).status == status
        assert len(upstream.requests) == (status == 200)


async def test_the_server_serves_tls(tmp_path: Path) -> None:
    """A streamed response arrives complete over TLS, and plain HTTP gets nothing there."""
    throwaway = make_throwaway(tmp_path)
    file = str(tmp_path / "server.pem")
    async with (
        FakeUpstream(faults.sse_response()) as upstream,
        serving("server", upstream.url, tls_certificate=file, tls_key=file) as stand,
    ):
        assert stand.url.startswith("https:")
        async with await stand.client(tls=throwaway.client) as client:
            for _ in range(2):
                response = await stand.ask(client)
                assert response.complete and response.anomalies == ()
                assert response.body == b"".join(faults.CHAT_FRAMES)
        async with await stand.client() as plain:
            await plain.request(PATH, b"{}", fields=(bearer(CLIENT_TOKEN),))
            await plain.ended(within=PATIENCE)
            assert b"HTTP/" not in plain.received
        assert len(upstream.requests) == 2


def test_a_key_that_others_can_read_is_rejected_at_start(tmp_path: Path) -> None:
    make_throwaway(tmp_path)
    file = tmp_path / "server.pem"
    file.chmod(0o640)
    with pytest.raises(SettingsInvalid) as caught:
        server(tlsCertificate=str(file), tlsKey=str(file))
    message = f"tlsKey ({file}): other users have access to it (mode 0640); run: chmod 600 {file}"
    assert str(caught.value) == message


@pytest.mark.parametrize("which", ["missing", "empty", "no key", "another's key"])
def test_an_unusable_certificate_is_rejected_at_start(which: str, tmp_path: Path) -> None:
    make_throwaway(tmp_path)
    certificate = tmp_path / "server.pem"
    end = b"-----END CERTIFICATE-----\n"
    chain, key = certificate.read_bytes().split(end)
    write_private(tmp_path / "chain.pem", chain + end)
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "other").mkdir()
    make_throwaway(tmp_path / "other")
    files = {
        "missing": ("none.pem", "none.pem"),
        "empty": ("empty.pem", "server.pem"),
        "no key": ("chain.pem", "chain.pem"),
        "another's key": ("chain.pem", "other/server.pem"),
    }[which]
    reason = f"{tmp_path}/none.pem cannot be read: No such file" if which == "missing" else "cannot be used: "
    with pytest.raises(SettingsInvalid, match=f"tlsCertificate, tlsKey: {reason}"):
        server(tlsCertificate=str(tmp_path / files[0]), tlsKey=str(tmp_path / files[1]))
    assert key
