"""The interface of WebSockets has no implementation of either side."""

from __future__ import annotations

import ast
from pathlib import Path

from clawgate.relay import websocket


def test_the_interface_imports_no_implementation() -> None:
    tree = ast.parse(Path(str(websocket.__file__)).read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in imported if module.startswith("clawgate")}
    assert ours == {"clawgate.relay.interfaces"}


def test_an_unauthenticated_client_gets_a_small_part_of_what_others_get() -> None:
    """In memory that it can claim: what it sends and what it leaves unread."""
    claimed = websocket.UNAUTHENTICATED_MESSAGE_BYTES + websocket.UNAUTHENTICATED_UNSENT_BYTES
    assert claimed * 100 < websocket.MESSAGE_BYTES + websocket.UNSENT_BYTES
