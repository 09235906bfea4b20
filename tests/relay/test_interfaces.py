"""The parts of the relay fit together through `relay.interfaces` alone. mypy checks the assignments below."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clawgate.relay import interfaces
from clawgate.relay.downstream.protocol import RelayProtocol
from clawgate.relay.downstream.response_side import ResponseSide
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.interfaces import ClientConnection, ResponseHandler, ResponseWriter
from clawgate.relay.upstream.fetch import Reply

if TYPE_CHECKING:
    from clawgate.relay.response.buffered import BufferedWriter
    from clawgate.relay.response.event_stream import EventStreamWriter
    from clawgate.relay.response.passthrough import PassthroughWriter

    def handlers(exchange: Exchange, reply: Reply) -> tuple[ResponseHandler, ...]:
        return exchange, reply

    def clients(protocol: RelayProtocol) -> tuple[ClientConnection, ...]:
        return (protocol,)

    def writers(
        passed: PassthroughWriter, stream: EventStreamWriter, buffered: BufferedWriter
    ) -> tuple[ResponseWriter, ...]:
        return passed, stream, buffered


def callbacks(protocol: type) -> list[str]:
    return sorted(
        name for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"
    )


@pytest.mark.parametrize("handler", [Exchange, Reply])
@pytest.mark.parametrize("callback", callbacks(ResponseHandler))
def test_a_response_handler_implements_every_callback(handler: type, callback: str) -> None:
    """Itself, not by inheriting the Protocol's empty body."""
    assert callable(getattr(handler, callback)) and ResponseHandler not in handler.__mro__


def test_a_client_connection_writes_to_its_transport_directly() -> None:
    """``write`` is the transport's own method: one call less for every chunk."""
    assert not any("write" in vars(one) for one in (RelayProtocol, ResponseSide))
    assert "write" in ResponseSide.__annotations__


def test_interfaces_import_no_implementation() -> None:
    tree = ast.parse(Path(str(interfaces.__file__)).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any((module or "").startswith("clawgate.relay") for module in imported)
