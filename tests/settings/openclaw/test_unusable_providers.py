"""What is wrong with one provider stops that one alone, when the file is read; no writer leaves it so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawgate.providers.catalog import build_catalog
from clawgate.settings.openclaw.config_file import read_config
from clawgate.settings.openclaw.unusable_providers import problems_by_provider
from clawgate.settings.problems import SettingsInvalid
from tests.private_file import write_private

GOOD = '"good": {"baseUrl": "https://good.test/v1", "apiKey": "canary-good"}'


def read(folder: Path, bad: str, more: str = "") -> Any:
    path = write_private(
        folder / "openclaw.json", f'{{"models": {{"providers": {{{GOOD}, {bad}}}}}{more}}}'.encode()
    )
    file = read_config(path, {"HOME": str(folder)}, required=True)
    return file, build_catalog(file.config, file.unset, file.environment).providers


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ('"bad": {"baseUrl": "no url", "apiKey": "canary-bad"}', "models.providers.bad.baseUrl"),
        ('"bad": {"baseUrl": "https://bad.test", "apiKey": "canary bad"}', "models.providers.bad.apiKey"),
        (
            '"bad": {"baseUrl": "https://bad.test", "request": {"auth": {"mode": 5}}}',
            "models.providers.bad.request",
        ),
        (
            '"bad": {"baseUrl": "https://bad.test", "request": {"auth": "x"}}',
            "models.providers.bad.request.auth",
        ),
        ('"bad": {"baseUrl": "https://bad.test", "models": "qwen"}', "models.providers.bad.models"),
        (
            '"bad": {"baseUrl": "https://bad.test", "headers": {"X-A": "line\\nbreak"}}',
            "models.providers.bad.headers",
        ),
        ('"bad": []', "models.providers.bad"),
    ],
)
def test_the_others_are_not_affected(tmp_path: Path, bad: str, path: str) -> None:
    file, providers = read(tmp_path, bad)
    problem = providers["bad"].problem
    assert problem is not None and path in problem and "canary" not in problem
    assert providers["good"].problem is None and b"canary-good" in providers["good"].credential.line()
    assert any(path in str(warning) for warning in file.warnings)


def test_with_anything_else_wrong_the_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read(tmp_path, '"bad": []', ', "gateway": {"port": "x"}')
    assert len(caught.value.problems) == 2


def test_problems_of_two_providers_are_told_apart() -> None:
    one: Any = "first"
    paths = (
        ("models", "providers", "a", "baseUrl"),
        ("models", "providers", "b"),
        ("models", "providers", "a", "api"),
    )
    assert problems_by_provider([(path, one) for path in paths]) == {"a": "first; first", "b": "first"}
    assert problems_by_provider([(paths[0], one), (("models", "mode"), one)]) == {}
    assert problems_by_provider([]) == {}
