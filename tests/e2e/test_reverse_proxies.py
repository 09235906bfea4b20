"""What docs/reverse-proxies.md says works: with the headers that each proxy sends, and through a real nginx."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from clawgate.policy.client_ip import TrustedProxies
from clawgate.policy.cross_origin import CrossOriginPolicy
from tests.e2e.processes import environment, is_listening, started
from tests.e2e.stand import PATIENCE
from tests.e2e.waiting import poll
from tests.e2e.websocket_stand import EchoStand, serving_echo
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.upstream import FakeUpstream
from tests.ports import free_port
from tests.relay.websocket_frames import TEXT, frame
from tests.routing.gateway_server import CLIENT_TOKEN, config_of, provider, question, serving_gateway

PAGE = (Path(__file__).parents[2] / "docs" / "reverse-proxies.md").read_text(encoding="utf-8")
NAME = "gw.example.com"
CLIENT = "203.0.113.7"

PROXIES = {
    "Tailscale Serve": {
        "Host": NAME, "X-Forwarded-For": "100.101.102.103", "X-Forwarded-Host": NAME, "X-Forwarded-Proto": "https",
        "Tailscale-User-Login": "alice@example.com", "Tailscale-User-Name": "Alice",
        "Tailscale-User-Profile-Pic": "https://example.com/a.png", "Tailscale-Headers-Info": "https://tailscale.com/s/h",
    },
    "Caddy": {
        "Host": NAME, "X-Forwarded-For": CLIENT, "X-Forwarded-Host": NAME, "X-Forwarded-Proto": "https",
        "Via": "2.0 Caddy",
    },
    "nginx": {"Host": NAME, "X-Forwarded-For": CLIENT},
    "cloudflared": {
        "Host": NAME, "X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "Cf-Connecting-Ip": CLIENT,
        "Cf-Ray": "8f0c-FRA", "Cf-Visitor": '{"scheme":"https"}', "Cf-Ipcountry": "DE",
        "Cdn-Loop": "cloudflare; loops=1", "Cf-Warp-Tag-Id": "6e2c4b7a",
    },
    "host.docker.internal": {"Host": "host.docker.internal:18789"},
}  # fmt: skip


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found, language
    return found[1]


def documented(upstream_url: str, host: str = NAME) -> dict[str, Any]:
    """A config with the settings of the page; ``host`` replaces the name there, as the page says."""
    config = config_of({"x": provider(upstream_url)})
    settings: Any = pyjson5.decode(block("json5").replace(NAME, host))
    return {**config, **settings, "gateway": {**config["gateway"], **settings["gateway"]}}


def fields(headers: dict[str, str], token: str = CLIENT_TOKEN) -> bytes:
    lines = {**headers, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()


async def ask(url: str, headers: dict[str, str], token: str = CLIENT_TOKEN) -> tuple[int, str]:
    body = question("x/m")
    async with await RawClient.open(url, limit=PATIENCE) as client:
        await client.send(
            b"POST /v1/chat/completions HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b"
            % (fields(headers, token), len(body), body)
        )
        response = await client.response()
    return response.status, response.body.decode()


@pytest.mark.parametrize("proxy", PROXIES)
async def test_each_proxy_works_with_the_documented_settings_and_not_without(
    proxy: str, tmp_path: Path
) -> None:
    assert f"\n## {proxy}\n" in PAGE
    headers = PROXIES[proxy]
    host = headers["Host"].partition(":")[0]
    async with FakeUpstream(faults.json_response({"ok": True})) as upstream:
        plain = config_of({"x": provider(upstream.url)})
        async with serving_gateway(tmp_path, plain) as stand:
            status, text = await ask(stand.url, headers)
            assert status == 421 and "--allow-host" in text and ".config.allowHost" in text
            direct = {**headers, "Host": "127.0.0.1"}
            status, text = await ask(stand.url, direct)
            if "X-Forwarded-For" in headers:
                assert (
                    status == 403
                    and "proxy_attribution_required" in text
                    and "gateway.trustedProxies" in text
                )
            stand.rewrite(documented(upstream.url, host))
            assert (await ask(stand.url, headers))[0] == 200
            assert (await ask(stand.url, {**headers, "Host": "evil.example"}))[0] == 421
            stand.rewrite(plain)
            assert (await ask(stand.url, headers))[0] == 421


async def test_a_client_behind_the_proxy_is_locked_out_alone(tmp_path: Path) -> None:
    """Ten wrong tokens from one forwarded address; what it writes itself in front of that does not count."""
    async with (
        FakeUpstream(faults.json_response({"ok": True})) as upstream,
        serving_gateway(tmp_path, documented(upstream.url)) as stand,
    ):
        for number in range(10):
            forged = {"Host": NAME, "X-Forwarded-For": f"198.51.100.{number}, {CLIENT}"}
            assert (await ask(stand.url, forged, token="wrong"))[0] == 401
        assert (await ask(stand.url, {"Host": NAME, "X-Forwarded-For": CLIENT}))[0] == 429
        assert (await ask(stand.url, {"Host": NAME, "X-Forwarded-For": "203.0.113.8"}))[0] == 200
        assert (await ask(stand.url, {"Host": "127.0.0.1"}))[0] == 200


with_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx on PATH")


@contextlib.contextmanager
def nginx(folder: Path, url: str) -> Iterator[int]:
    """Run nginx with the snippet of the page in front of ``url``, on the port that is returned."""
    port = free_port()
    conf = folder / "nginx.conf"
    location = block("nginx").replace("http://127.0.0.1:18789", url)
    conf.write_text(
        f"daemon off; master_process off; pid {folder}/pid; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"server {{ listen 127.0.0.1:{port};\n{location}}} }}\n"
    )
    command = [shutil.which("nginx") or "", "-p", str(folder), "-c", str(conf), "-e", str(folder / "log")]
    command += ["-g", "user root;"] if os.getuid() == 0 else []
    with started(command, folder / "nginx", environment(folder), listens=False):
        poll(lambda: is_listening(port), "nginx to listen")
        yield port


@with_nginx
async def test_a_stream_through_nginx_arrives_event_by_event(tmp_path: Path) -> None:
    """With the snippet of the page: the second event is sent only when the client has the first."""
    gates = [asyncio.Event() for _ in faults.CHAT_FRAMES]
    gates[0].set()
    async with (
        FakeUpstream(faults.sse_gated(gates)) as upstream,
        serving_gateway(tmp_path, documented(upstream.url)) as stand,
    ):
        with nginx(tmp_path, stand.url) as port:
            body = question("x/m", stream=True)
            async with await RawClient.open(f"http://127.0.0.1:{port}", limit=PATIENCE) as client:
                await client.send(
                    b"POST /v1/chat/completions HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b"
                    % (fields({"Host": NAME, "X-Forwarded-For": "1.1.1.1"}), len(body), body)
                )
                for gate, event in zip(gates, faults.CHAT_FRAMES, strict=True):
                    gate.set()
                    await client.saw(event)
                response = await client.response()
            assert response.status == 200 and response.complete


@with_nginx
async def test_a_websocket_through_nginx_is_one_of_its_client(tmp_path: Path) -> None:
    """Each is counted under the address that nginx adds, and a refused one stays refused for what comes behind it."""
    async with serving_echo(EchoStand()) as stand:
        admission = stand.connections.admission
        admission.browser, admission.proxies = CrossOriginPolicy(hosts=None), TrustedProxies.of(["127.0.0.1"])
        with nginx(tmp_path, f"http://127.0.0.1:{stand.port}") as stand.port:
            client = await stand.client(local="127.0.0.2")
            client.writer.write(frame(TEXT, b"hello"))
            assert client.is_open and await client.frame() == (TEXT, b"hello")
            assert stand.handlers[0].socket.peer == "127.0.0.2"
            refused = await stand.client(b"Sec-WebSocket-Version: 8")
            assert refused.head.startswith(b"HTTP/1.1 426 ")
            for each in (client, refused):
                await each.close()
