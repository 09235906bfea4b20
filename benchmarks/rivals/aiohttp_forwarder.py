"""The forwarder as people write it in Python: aiohttp's server and client, streaming both ways, on uvloop.

`python -m benchmarks.rivals.aiohttp_forwarder PORT UPSTREAM_PORT`; the token comes in PROXY_TOKEN.
"""

from __future__ import annotations

import asyncio
import os
import sys

import aiohttp
import uvloop
from aiohttp import web

_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "authorization"}


async def serve(port: int, upstream_port: int) -> None:
    token = os.environ["PROXY_TOKEN"]
    connector = aiohttp.TCPConnector(limit=0)
    unlimited = aiohttp.ClientTimeout(total=None)
    session = aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=unlimited)
    async with session:

        async def forward(request: web.BaseRequest) -> web.StreamResponse:
            headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
            headers.append(("X-Proxy-Token", token))
            url = f"http://127.0.0.1:{upstream_port}{request.path_qs}"
            body = request.content
            async with session.request(request.method, url, headers=headers, data=body) as incoming:
                answer = web.StreamResponse(status=incoming.status)
                for name, value in incoming.headers.items():
                    if name.lower() not in _HOP:
                        answer.headers.add(name, value)
                await answer.prepare(request)
                async for chunk in incoming.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
                return answer

        runner = web.ServerRunner(web.Server(forward, access_log=None, handler_cancellation=True))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
