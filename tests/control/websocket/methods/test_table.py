"""The table is the one list of methods, and the page of the documentation says the same."""

from __future__ import annotations

import re
from pathlib import Path

from clawgate.control.websocket.methods.table import METHODS
from clawgate.policy.proxy_identity import READ

PAGE = Path(__file__).parents[4] / "docs" / "websocket.md"


def test_the_page_lists_every_method_with_its_right() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `operator\.(\w+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    of_code = [
        (name, method.scope.removeprefix("operator."), method.about) for name, method in METHODS.items()
    ]
    assert [(name, scope, about.strip()) for name, scope, about in rows] == of_code


def test_what_only_reads_may_be_called_while_the_gateway_stops() -> None:
    for method in METHODS.values():
        assert not (method.has_effect and method.scope == READ), method.name
    stops = {"chat.abort", "sessions.abort", "agent.wait"}
    writes = {name for name, method in METHODS.items() if method.scope != READ}
    begins = {name for name in writes if METHODS[name].has_effect and not METHODS[name].ends_runs}
    assert writes - begins == stops


def test_what_has_an_effect_is_done_without_its_client() -> None:
    writes = {name for name, method in METHODS.items() if method.scope != READ}
    assert {name for name, method in METHODS.items() if method.has_effect} == writes - {"agent.wait"}
