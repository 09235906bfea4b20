"""The smallest thing that lives as a gateway does: it claims, listens, announces, drains, starts again.

`GET /health` tells its instance; `GET /hold` is not answered before the file ``hold`` in its folder is gone.
STAND_IN_FAILS makes it end with that status instead; STAND_IN_HANGS keeps it from ever serving.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from clawgate import __version__
from clawgate.cli.gateway_options import plain_flags
from clawgate.cli.places import places
from clawgate.policy.redaction import Redactor
from clawgate.processes.instance import HeldByAnother, Instance
from clawgate.processes.log_file import file_handler
from clawgate.processes.reexec import Succession, inherited_sockets
from clawgate.relay.host import listen


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    instance = ""
    folder = Path()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        if self.path == "/hold":
            (self.server.folder / "held").touch()
            while (self.server.folder / "hold").exists():
                time.sleep(0.01)
        said = {"ok": True, "status": "live", "version": __version__, "instance": self.server.instance}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        logging.getLogger("clawgate.http").info(format, *arguments)


def run_gateway(**given: Any) -> None:
    if status := os.environ.get("STAND_IN_FAILS"):
        print("it cannot be done, and this is why", file=sys.stderr)
        sys.exit(int(status))
    while os.environ.get("STAND_IN_HANGS"):
        signal.pause()
    where = places(given["config"])
    try:
        instance = Instance.claim(where.folder)
    except HeldByAnother as error:
        print(f"clawgate: {error}", file=sys.stderr)
        sys.exit(78)
    secret = os.environ.get("OPENCLAW_GATEWAY_TOKEN", "")
    log = Path(given["log_file"]) if given["log_file"] else None
    if log:
        logging.getLogger().handlers[:] = [file_handler(log, Redactor([secret]))]
        logging.getLogger().setLevel(logging.INFO)
    sockets = inherited_sockets() or listen("127.0.0.1", given["port"] or 0)
    succession = Succession(sockets)
    server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = sockets[0]
    server.instance, server.folder = instance.id, where.folder

    def drain(sig: int, frame: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGINT, drain)
    succession.install()
    port = sockets[0].getsockname()[1]
    logging.getLogger("clawgate").info("serving with the secret %s", secret)
    instance.announce(f"http://127.0.0.1:{port}", port, where.config, log, flags=plain_flags(given))
    print(f"listening on http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    server.serve_forever(poll_interval=0.02)
    server.server_close()
    if succession.wanted:
        succession.exec_again(instance.hand_over())
    succession.drop()
    instance.release()
