from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.errors import StoreUnavailable
from clawgate.state.database import open_database, sqlite_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (Path("/a/b.db"), "/a/b.db"),
        ("/a/b.db", "/a/b.db"),
        ("b.db", "b.db"),
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite:///b.db", "b.db"),
        ("postgresql://h/d", None),
        ("sqlite://", None),
    ],
)
def test_a_path_and_its_url_name_the_same_file(url: str | Path, path: str | None) -> None:
    assert sqlite_path(url) == (None if path is None else Path(path))


@pytest.mark.parametrize("url", ["mysql://ann:s3cret@h/d", "http://s3cret@h", "sqlite://"])
async def test_a_url_of_another_kind_is_refused_without_printing_it(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="postgresql://") as caught:
        await open_database(url)
    assert "s3cret" not in str(caught.value)
