"""Serves a model with llama.cpp's own HTTP server, on a free port of loopback.

Run by a Python with `xllamacpp` (the server of llama.cpp as a library), not by the one of the tests.
Usage: llama_server_program.py MODEL ALIAS [API_KEY]
"""

from __future__ import annotations

import sys
import threading

import xllamacpp  # type: ignore[import-not-found]  # it is in another environment, see .ci/run

model, alias, *keys = sys.argv[1:]
parameters = xllamacpp.CommonParams()
parameters.model.path = model
parameters.model_alias = {alias}
parameters.api_keys = keys
parameters.hostnames = ["127.0.0.1"]
parameters.port = 0
parameters.n_ctx, parameters.n_parallel, parameters.warmup = 2048, 2, False
parameters.cpuparams.n_threads = 1
server = xllamacpp.Server(parameters)
print(f"listening on {server.listening_address}", flush=True)  # noqa: T201  # how the test learns the address
threading.Event().wait()
