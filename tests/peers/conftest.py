"""Fixtures of the tests of the fakes."""

from __future__ import annotations

import pytest

from tests.peers.throwaway_ca import Throwaway, make_throwaway


@pytest.fixture(scope="session")
def throwaway(tmp_path_factory: pytest.TempPathFactory) -> Throwaway:
    return make_throwaway(tmp_path_factory.mktemp("tls"))
