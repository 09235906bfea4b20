"""What the parts around an exchange owe each other is all written down, and each of them does its part."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clawgate.relay import interfaces as sides
from clawgate.relay.downstream.protocol import RelayProtocol
from clawgate.relay.exchange import exchange
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.interfaces import ClientConnection, ResponseHandler
from clawgate.relay.response import sender as delivery
from clawgate.relay.upstream import connection, fetch


def calls_of(side: type) -> set[str]:
    """The names of the calls that a protocol class lists."""
    return {name for name, value in vars(side).items() if inspect.isfunction(value) and name[0] != "_"}


def tree_of(module: Any) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def called_on(module: Any, is_it: Callable[[str], bool]) -> set[str]:
    """The attributes that a module uses of expressions whose text is that of the other side."""
    return {
        node.attr
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Attribute) and is_it(ast.unparse(node.value))
    }


def takes(function: Any) -> list[tuple[str, Any]]:
    """Names and kinds of what a call takes, without itself."""
    return [(each.name, each.kind) for each in inspect.signature(function).parameters.values()][1:]


@pytest.mark.parametrize("who", [Exchange, fetch._Reply])
@pytest.mark.parametrize("call", sorted(calls_of(ResponseHandler)))
def test_whoever_waits_for_an_answer_takes_every_call(who: type, call: str) -> None:
    """With the names that the upstream's side passes them by."""
    assert takes(getattr(who, call)) == takes(getattr(ResponseHandler, call))


@pytest.mark.parametrize("call", sorted(calls_of(ClientConnection) - {"write"}))
def test_the_clients_side_takes_every_call(call: str) -> None:
    assert takes(getattr(RelayProtocol, call)) == takes(getattr(ClientConnection, call))


def test_the_clients_side_writes_without_a_detour() -> None:
    """``write`` is the transport's own: one call less on the way of every piece."""
    assert "write" not in vars(RelayProtocol) and "write" in RelayProtocol.__annotations__


def test_an_exchange_uses_nothing_else_of_its_clients_side() -> None:
    used = set[str]()
    for module in (exchange, delivery):
        used |= called_on(module, lambda text: text in ("client", "self._client"))
    assert used == calls_of(ClientConnection) | {"http10"}


def test_an_upstream_connection_uses_nothing_else_of_its_consumer() -> None:
    used = called_on(connection, lambda text: text in ("consumer", "self.consumer"))
    assert used == calls_of(ResponseHandler)


def test_it_knows_no_part_of_the_relay() -> None:
    """So that nothing has to be imported in a circle."""
    imported = {node.module for node in ast.walk(tree_of(sides)) if isinstance(node, ast.ImportFrom)}
    assert not any((module or "").startswith("clawgate.relay") for module in imported)
