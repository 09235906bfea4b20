"""The machine-readable contract of OpenClaw's WebSocket protocol, from its npm package: no part of it is kept here.

CLAWGATE_TEST_PROTOCOL names a folder where the package is installed; without it `npm` installs it into a temporary one.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

PACKAGE = "@openclaw/gateway-protocol"
CLIENT = "@openclaw/gateway-client"
VERSION = "2026.9.1"

PARAMS = {
    "connect": "ConnectParams", "models.list": "ModelsListParams", "agents.list": "AgentsListParams",
    "logs.tail": "LogsTailParams", "config.get": "ConfigGetParams", "sessions.list": "SessionsListParams",
    "sessions.subscribe": "SessionsListParams", "sessions.preview": "SessionsPreviewParams",
    "sessions.describe": "SessionsDescribeParams", "sessions.resolve": "SessionsResolveParams",
    "sessions.patch": "SessionsPatchParams", "sessions.create": "SessionsCreateParams",
    "chat.inject": "ChatInjectParams", "sessions.reset": "SessionsResetParams",
    "sessions.delete": "SessionsDeleteParams", "sessions.send": "SessionsSendParams",
    "sessions.abort": "SessionsAbortParams", "chat.send": "ChatSendParams", "chat.abort": "ChatAbortParams",
    "chat.history": "ChatHistoryParams", "agent": "AgentParams", "agent.wait": "AgentWaitParams",
    "plugin.approval.resolve": "PluginApprovalResolveParams",
}  # fmt: skip
"""The definition of each method's params; for the others the contract has none."""
RESULTS = {
    "connect": "HelloOk", "models.list": "ModelsListResult", "agents.list": "AgentsListResult",
    "logs.tail": "LogsTailResult", "sessions.resolve": "SessionsResolveResult",
    "sessions.delete": "SessionsDeleteResult", "sessions.create": "SessionsCreateResult",
}  # fmt: skip
EVENTS = {"chat": "ChatEvent", "agent": "AgentEvent", "tick": "TickEvent", "shutdown": "ShutdownEvent"}


@functools.cache
def installed() -> Path:
    """The folder with the two packages. Skips the test where they cannot be had."""
    if named := os.environ.get("CLAWGATE_TEST_PROTOCOL"):
        return Path(named) / "node_modules"
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, and CLAWGATE_TEST_PROTOCOL names no folder with the contract")
    folder = Path(tempfile.gettempdir()) / f"clawgate-protocol-{VERSION}-{os.getuid()}"
    if not folder.exists():
        made = Path(tempfile.mkdtemp(prefix=f"{folder.name}."))
        command = [npm, "install", "--prefix", str(made), "--ignore-scripts", "--no-audit", "--no-fund"]
        names = [f"{PACKAGE}@{VERSION}", f"{CLIENT}@{VERSION}"]
        done = subprocess.run([*command, *names], check=False, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            shutil.rmtree(made)
            pytest.skip(f"npm cannot install {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
        try:
            made.rename(folder)
        except OSError:  # another process of this run was first
            shutil.rmtree(made)
    assert folder.stat().st_uid == os.getuid(), f"{folder}: it belongs to another user"
    return folder / "node_modules"


@functools.cache
def contract() -> dict[str, Any]:
    text = (installed() / PACKAGE / "protocol.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@functools.cache
def validator(name: str) -> Callable[[Any], Any]:
    """What raises for a value that the definition does not have."""
    schema = {"$schema": contract()["$schema"], **contract()["definitions"][name]}
    checked: Callable[[Any], Any] = fastjsonschema.compile(schema, use_default=False)
    return checked


def is_valid(name: str, value: object) -> bool:
    try:
        validator(name)(value)
    except fastjsonschema.JsonSchemaException:
        return False
    return True
