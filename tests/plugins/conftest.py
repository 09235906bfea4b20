from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugins.samples import imports_undone


@pytest.fixture(autouse=True)
def _forget_plugins() -> Iterator[None]:
    with imports_undone():
        yield
