"""The gateway as a whole: who is admitted, and that no forbidden address is dialled."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from clawgate.app.gateway import BODY_LIMIT, build_gateway
from clawgate.errors import ProviderNotConfigured
from clawgate.policy.authentication import TokenStore
from clawgate.policy.egress_ledger import LedgerRow
from clawgate.settings.openclaw.config_file import read_config
from clawgate.settings.openclaw.gateway import GatewayFlags
from clawgate.state.store import Store
from tests.e2e.stand import run
from tests.peers import faults
from tests.peers.script import Send
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import RecordingDialer
from tests.relay.upstream.test_dial import Recorder
from tests.routing.gateway_server import (
    CHAT,
    CLIENT_TOKEN,
    KEY,
    MESSAGES,
    GatewayStand,
    config_of,
    own_config,
    provider,
    question,
    serving_gateway,
    write,
)

GOOD = faults.json_response({"next": "fine"})
OTHER_TOKEN = "gt-another-Wm4yRb8TqLz6Hd1s"
NOWHERE = "http://127.0.0.1:9"
SHUT = {"allowPrivateNetwork": False}


def auth(**more: Any) -> dict[str, Any]:
    return {"auth": {"mode": "token", "token": CLIENT_TOKEN, **more}}


async def test_rules_of_the_network_count_from_the_next_request(tmp_path: Path) -> None:
    """Without a restart; deny wins, and a placeholder of a fake-IP DNS is refused until that is configured."""

    async def resolver(name: str, port: int) -> list[str]:
        return ["198.18.0.7" if name == "faked.lan" else "127.0.0.1"]

    Recorder().install()  # so that no packet leaves loopback
    async with FakeUpstream(faults.json_response({})) as upstream:
        dialer, here = RecordingDialer(resolver), f"inside.lan:{upstream.port}"
        blocks = {
            "x": provider(f"http://{here}", request=SHUT),
            "faked": provider("http://faked.lan:9", request=SHUT),
        }
        config = config_of(blocks)

        def configured(**network: object) -> dict[str, Any]:
            return own_config(config, network=network)

        async with serving_gateway(tmp_path, config, dialer=dialer) as stand:

            async def code(model: str = "x/m") -> str | None:
                found = await stand.ask(question(model))
                return None if found.status == 200 else str(found.json()["error"]["code"])

            assert await code() == "private_network_blocked"
            for network, expected in (
                ({"allow": [here]}, None),
                ({"allow": [here], "deny": ["127.0.0.0/8"]}, "egress_denied"),
                ({"allow": ["other.lan"]}, "private_network_blocked"),
                ({"mode": "report"}, None),
            ):
                stand.rewrite(configured(**network))
                assert await code() == expected, network
            assert await code("faked/m") == "private_network_blocked"
            assert [dial.dialled for dial in dialer.ledger[-1:]] == [None]
            stand.rewrite(configured(fakeIp={}))
            assert await code("faked/m") not in ("private_network_blocked", None)
            assert dialer.ledger[-1].dialled == "198.18.0.7"
            stand.rewrite(config | {"gateway": config["gateway"] | {"allowPrivateNetwork": True}})
            assert await code() is None


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(
    ("host", "switch"),
    [("127.0.0.1", False), ("localhost", False), ("[::1]", False), ("127.9.9.9", None), ("10.1.2.3", False),
     ("192.168.0.9", None), ("inside.example", False)],
)  # fmt: skip
async def test_a_private_address_without_the_switch_is_never_dialled(
    host: str, switch: bool | None, path: str, tmp_path: Path
) -> None:
    """403 with the name of the setting, and the ledger says that no address was dialled."""
    block = {"baseUrl": f"http://{host}:9/v1", "api": "openai-completions", "apiKey": KEY}
    if switch is not None:
        block["request"] = {"allowPrivateNetwork": switch}  # type: ignore[assignment]

    async def resolver(name: str, port: int) -> list[str]:
        return {"localhost": ["127.0.0.1"], "inside.example": ["93.184.216.34", "10.0.0.1"]}.get(name, [name])

    dialer = RecordingDialer(resolver)
    async with serving_gateway(tmp_path, config_of({"x": block}), dialer=dialer) as stand:
        answer = await stand.ask(question("x/m"), target=path)
        assert answer.status == 403 and answer.json()["error"]["code"] == "private_network_blocked"
        assert "models.providers.x.request.allowPrivateNetwork" in answer.json()["error"]["message"]
        assert not [entry for entry in dialer.ledger if entry.dialled is not None]


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "fe80::1", "100.100.100.200"])
async def test_some_addresses_are_never_dialled_whatever_the_config_allows(
    address: str, tmp_path: Path
) -> None:
    """As a literal it is refused before anything is dialed; a name is checked when it is resolved."""

    async def resolver(name: str, port: int) -> list[str]:
        return [address]

    dialer = RecordingDialer(resolver)
    host = f"[{address}]" if ":" in address else address
    blocks = {"plain": provider(f"http://{host}:9"), "named": provider("http://inside.example:9")}
    async with serving_gateway(tmp_path, config_of(blocks), dialer=dialer) as stand:
        for name in blocks:
            answer = await stand.ask(question(f"{name}/m"))
            assert (answer.status, answer.json()["error"]["code"]) == (403, "private_network_blocked")
        assert all(entry.dialled is None for entry in dialer.ledger)


async def test_a_refusal_waits_for_no_name_and_no_row_and_does_little(tmp_path: Path) -> None:
    """Counted, not timed: no look-up, no dial, a store that never returns, and what one response costs in calls."""

    async def resolver(name: str, port: int) -> list[str]:
        raise AssertionError("resolved")

    class Stuck:
        name = "stuck"

        async def save_connections(self, rows: Sequence[LedgerRow]) -> None:
            await gate.wait()

    gate = asyncio.Event()
    dialer = RecordingDialer(resolver)
    blocks = {
        name: provider(f"http://{name}:9") | {"request": SHUT}
        for name in ("10.0.0.9", "0.0.0.0", "localhost")
    }
    calls: list[str] = []

    def count(frame: FrameType, event: str, argument: object) -> None:
        calls.append(event)

    async with serving_gateway(tmp_path, config_of(blocks), dialer=dialer) as stand:
        stand.role.recorder.use(cast(Store, cast(Any, Stuck())))
        storing = asyncio.create_task(stand.role.recorder.run())
        for name in blocks:
            async with await stand.client() as client:
                assert (await stand.ask(question(f"{name}/m"), client=client)).status == 403
                await stand.send(client, question(f"{name}/m"))
                sys.setprofile(count)
                try:
                    response = await client.response()
                finally:
                    sys.setprofile(None)
                assert response.status == 403
            assert 0 < calls.count("call") < 1000, name
            calls.clear()
        assert dialer.ledger == []
        storing.cancel()
        gate.set()


async def test_a_gateway_does_not_dial_itself(tmp_path: Path) -> None:
    """A provider at its own place is not ready; one that leads back is found by the Via line."""
    path = write(
        tmp_path / "openclaw.json",
        config_of({"x": provider("http://127.0.0.1:4711")}, gateway={"port": 4711, **auth()}),
    )
    own = {"HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(tmp_path)}
    role = build_gateway(read_config(path, own, required=True), GatewayFlags(), own, instance="i")
    provider_x = role.router.catalog.providers["x"]
    with pytest.raises(ProviderNotConfigured, match="is this gateway itself"):
        role.router.connect(provider_x)
    async with serving_gateway(tmp_path, config_of({})) as stand:
        config = config_of({"x": provider(stand.url)})
        stand.rewrite(config)
        answer = await stand.ask(question("x/x/x/m"))
        assert answer.status == 401  # its token is not one of the gateway's own

        for block in config["models"]["providers"].values():
            block["apiKey"] = CLIENT_TOKEN
        stand.rewrite(config)
        answer = await stand.ask(question("x/x/x/m"))
        assert answer.status == 508 and answer.json()["error"]["code"] == "loop_detected"


@pytest.mark.parametrize("exempt", [True, False])
async def test_wrong_tokens_lock_out_unless_this_machine_is_exempt(exempt: bool, tmp_path: Path) -> None:
    """After ``maxAttempts``: 429 with Retry-After, also for the right token; /health still responds."""
    limit = {"maxAttempts": 2, "windowMs": 60_000, "lockoutMs": 120_000, "exemptLoopback": exempt}
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)}, gateway=auth(rateLimit=limit))
        async with serving_gateway(tmp_path, config) as stand:
            for _ in range(2):
                assert (await stand.ask(question("x/m"), token="wrong")).status == 401
            answer = await stand.ask(question("x/m"))
            if exempt:
                assert answer.status == 200
            else:
                assert answer.status == 429 and answer.json()["error"]["code"] == "auth_locked"
                assert 100 < int(answer.header("retry-after") or "0") <= 120 and upstream.connections == []
            assert (await stand.ask(None, target="/health", token=None)).status == 200


async def test_of_a_thousand_parallel_guesses_only_as_many_as_are_allowed_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On connections of all kinds of routes at once: one limiter counts for every door."""
    compared: list[bytes | None] = []
    authenticate = TokenStore.authenticate

    def counted(store: TokenStore, token: bytes | None) -> str:
        compared.append(token)
        return authenticate(store, token)

    monkeypatch.setattr(TokenStore, "authenticate", counted)
    targets = (CHAT, MESSAGES, "/v1/models", "/v1/embeddings", "/v1/nope")
    limit = {"maxAttempts": 10, "exemptLoopback": False}

    async def guess(stand: GatewayStand, start: int) -> list[int]:
        statuses = []
        async with await stand.client() as client:
            for number in range(start, start + 10):
                target = targets[number % len(targets)]
                body = None if target.startswith("/v1/m") and target != MESSAGES else question("x/m")
                await stand.send(client, body, target=target, token=f"gt-guess-{number}")
                statuses.append((await client.response()).status)
        return statuses

    async with serving_gateway(tmp_path, config_of({}, gateway=auth(rateLimit=limit))) as stand:
        found = await asyncio.gather(*(guess(stand, 10 * start) for start in range(100)))
        statuses = [status for one in found for status in one]
        assert len(compared) == statuses.count(401) == 10 and statuses.count(429) == 990
        assert (await stand.ask(None, target="/v1/models")).status == 429
        assert (await stand.ask(None, target="/health", token=None)).status == 200


async def test_loopback_is_exempt_from_the_lockout_by_default(tmp_path: Path) -> None:
    """As in OpenClaw: the owner's own programs cannot lock the owner out."""
    limit = {"maxAttempts": 2}  # each wrong token is answered later than the one before
    async with serving_gateway(tmp_path, config_of({}, gateway=auth(rateLimit=limit))) as stand:
        for _ in range(4):
            assert (await stand.ask(None, target="/v1/models", token="wrong")).status == 401
        assert (await stand.ask(None, target="/v1/models")).status == 200


async def test_a_change_of_another_setting_keeps_lockouts(tmp_path: Path) -> None:
    """Who is locked out stays so when the file is written again."""
    limit = {"maxAttempts": 1, "exemptLoopback": False}
    async with serving_gateway(tmp_path, config_of({}, gateway=auth(rateLimit=limit))) as stand:
        assert (await stand.ask(None, target="/v1/models", token="wrong")).status == 401
        stand.rewrite(config_of({"x": provider(NOWHERE)}, gateway=auth(rateLimit=limit)))
        assert (await stand.ask(None, target="/v1/models")).status == 429


@pytest.mark.parametrize(
    ("gateway", "opens", "shut"),
    [
        ({"auth": {"mode": "password", "password": OTHER_TOKEN, "token": CLIENT_TOKEN}}, (OTHER_TOKEN,),
         (CLIENT_TOKEN,)),
        ({"auth": {"mode": "token", "password": OTHER_TOKEN, "token": CLIENT_TOKEN}}, (CLIENT_TOKEN,), (OTHER_TOKEN,)),
        ({"auth": {"password": OTHER_TOKEN}}, (OTHER_TOKEN,), (CLIENT_TOKEN, "x")),
        ({"auth": {"mode": "none"}}, ("anything", None), ()),
    ],
    ids=["password", "token", "either", "none"],
)  # fmt: skip
async def test_the_accepted_credentials_are_those_of_the_mode(
    gateway: dict[str, Any], opens: tuple[str | None, ...], shut: tuple[str | None, ...], tmp_path: Path
) -> None:
    async with serving_gateway(tmp_path, config_of({}, gateway=gateway)) as stand:
        for token in opens:
            assert (await stand.ask(None, target="/v1/models", token=token)).status == 200
        for token in (*shut, *(() if None in opens else (None,))):
            assert (await stand.ask(None, target="/v1/models", token=token)).status == 401


async def test_without_a_token_web_pages_are_still_rejected(tmp_path: Path) -> None:
    """Mode none trusts this machine, not what its browser shows."""
    async with FakeUpstream(GOOD) as upstream:
        config = config_of({"x": provider(upstream.url)}, gateway={"auth": {"mode": "none"}})
        async with serving_gateway(tmp_path, config) as stand:
            assert (await stand.ask(question("x/m"), token=None)).status == 200
            for line in (("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")):
                assert (await stand.ask(question("x/m"), line, token=None)).status == 403
            async with await stand.client() as client:
                await client.request(CHAT, question("x/m"), host="evil.example")
                assert (await client.response()).status == 421
            assert len(upstream.requests) == 1


@pytest.mark.parametrize("own", ["", "cache-control: public, max-age=600\r\n", "Cache-Control: no-cache\r\n"])
@pytest.mark.parametrize(
    ("target", "stream"), [(CHAT, False), (CHAT, True), (MESSAGES, False), (MESSAGES, True)]
)
async def test_no_response_to_a_caller_may_be_stored(
    own: str, target: str, stream: bool, tmp_path: Path
) -> None:
    """Whatever the upstream says, translated or not, and with a head that is known: a cache in front is shared."""
    complete = {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    }  # fmt: skip
    part = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    chunk = json.dumps(
        part | {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}
    )
    body = f"data: {chunk}\n\ndata: [DONE]\n\n".encode() if stream else json.dumps(complete).encode()
    kind = "text/event-stream" if stream else "application/json"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{own}Content-Length: {len(body)}\r\n\r\n".encode()
    async with FakeUpstream([Send(head + body)]) as upstream:
        config = config_of({"x": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand, await stand.client() as client:
            for _ in range(3):
                response = await stand.ask(question("x/m", stream=stream), target=target, client=client)
                found = response.header_all("cache-control")
                assert (response.status, found) == (200, ["no-store"])
                assert (response.header("content-type") or "").startswith(kind)


def test_verbose_logs_every_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise those that failed; never a body, never a token."""
    caplog.set_level(logging.INFO, "clawgate")

    async def work(verbose: bool) -> None:
        async with FakeUpstream(GOOD) as upstream:
            config = config_of({"x": provider(upstream.url)})
            async with serving_gateway(tmp_path, config, verbose=verbose) as stand:
                assert (await stand.ask(question("x/m"))).status == 200
                assert (await stand.ask(question("gone/m"))).status == 404

    for verbose, statuses in ((False, ["404"]), (True, ["200", "404"])):
        caplog.clear()
        run(work(verbose))
        logged = [one.getMessage() for one in caplog.records if one.getMessage().startswith("POST ")]
        assert [text.split(": ")[1][:3] for text in logged] == statuses
        assert not any(CLIENT_TOKEN in text or KEY in text or '"hi"' in text for text in logged)


async def test_the_limits_of_the_listener(tmp_path: Path) -> None:
    """A body of 20 MB in memory at most, and a look at the config every half second, at runs every second."""
    async with serving_gateway(tmp_path, config_of({})) as stand:
        role = stand.role
        assert (
            role.connections.limits.body_bytes
            == role.connections.admission.body_limit
            == BODY_LIMIT
            == 20 * 2**20
        )
        assert [every for every, _ in role.periodic_tasks] == [0.5, 1.0] and (role.name, role.workers) == (
            "gateway",
            1,
        )
        assert json.loads(stand.config.read_text())["gateway"]["port"] == role.port == 0
