from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.settings.litellm.source import read_source
from clawgate.settings.problems import SettingsInvalid


def test_included_files_add_their_models_and_replace_other_keys(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text("include: [more.yaml]\nmodel_list: [{model_name: a}]\nx: 1\n")
    (tmp_path / "more.yaml").write_text("model_list:\n- model_name: b\nx: 2\n")
    found = read_source(tmp_path / "main.yaml")
    assert [one["model_name"] for one in found["model_list"]] == ["a", "b"]
    assert found["x"] == 2 and "include" not in found
    assert found["model_list"][1].at("model_name") == f"{tmp_path / 'more.yaml'}:2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("include: gone.yaml\n", "gone.yaml: there is no such file"),
        ("include: [3]\n", "main.yaml:1: include: an entry is no path"),
        ("- a\n", "there is no mapping at its top"),
        ("", "there is no mapping at its top"),
    ],
)
def test_what_is_no_config_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "main.yaml").write_text(text)
    with pytest.raises(SettingsInvalid, match=expected):
        read_source(tmp_path / "main.yaml")
