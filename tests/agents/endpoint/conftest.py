"""A PostgreSQL that two gateways share."""

from tests.state.conftest import postgres

__all__ = ["postgres"]
