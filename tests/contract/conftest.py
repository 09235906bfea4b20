"""The roles that the tables are run against: each is started once and serves all tests of a pytest process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.live_role import LiveRole, RoleName, live


@pytest.fixture(scope="session")
def bridge() -> Iterator[LiveRole]:
    with live("bridge") as role:
        yield role


@pytest.fixture(scope="session")
def server() -> Iterator[LiveRole]:
    with live("server") as role:
        yield role


@pytest.fixture
def role(request: pytest.FixtureRequest, role_name: RoleName) -> LiveRole:
    found: LiveRole = request.getfixturevalue(role_name)
    return found
