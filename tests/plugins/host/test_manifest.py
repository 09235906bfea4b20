"""A manifest is read without running anything, and what is wrong with it is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.plugins.api import API_VERSION
from clawgate.plugins.host.manifest import (
    RENAMED_HOOKS,
    ManifestInvalid,
    find_manifest,
    import_root,
    parse_manifest,
    read_manifest,
)
from tests.plugins.samples import DOCS, docs_files, manifest, write_files


def test_the_manifest_of_the_docs_is_one() -> None:
    found = parse_manifest(docs_files()["clawgate-plugin.toml"])
    assert (found.id, found.package, found.providers, found.api_problem()) == (
        "house-model", "house_model", ("house-model",), None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"id": '"A"'}, "id must be 1 to 63 lower-case letters"),
        ({"id": '"../../x"'}, "id must be"),
        ({"id": '""'}, "id must be"),
        ({"id": '"a--b"'}, "id must be"),
        ({"name": '"two\\nlines"'}, "name must be one line"),
        ({"description": '"\\u001b[2Jgone"'}, "description must be one line"),
        ({"description": '"right\\u202eleft"'}, "description must be one line"),
        ({"version": "1"}, "version must be"),
        ({"requires_api": '"1"'}, "requires_api must be"),
        ({"requires_api": "true"}, "requires_api must be"),
        ({"module": '"os:system"'}, "'os' is the name of another Python module"),
        ({"module": '"pydantic.x:y"'}, "'pydantic' is the name"),
        ({"module": '"a b:c"'}, "must look like package.module:plugin"),
        ({"module": '"a"'}, "must look like package.module:plugin"),
        ({"registers": "[]"}, "'registers' is empty"),
        ({"registers": '["hook"]'}, "registers.0"),
        ({"registers": '["service", "provider"]'}, "list each one in providers"),
        ({"registers": '["tool"]'}, "list each one in tools"),
        ({"registers": '["tool"]', "tools": '["a b"]'}, "tools.0 must be 1 to 64 ASCII letters"),
        ({"registers": '["tool"]', "tools": f'["{"a" * 65}"]'}, "tools.0 must be 1 to 64 ASCII letters"),
        ({"registers": '["tool"]', "tools": '["a\\n"]'}, "tools.0 must be 1 to 64 ASCII letters"),
        ({"registers": '["tool"]', "tools": '["find", "Find"]'}, "'tools' lists a name twice"),
        ({"tools": '["x"]'}, "'registers' does not list 'tool'"),
        ({"providers": '["x"]'}, "'registers' does not list 'provider'"),
        ({"registers": '["provider"]', "providers": '["anthropic"]'}, "'anthropic' is a built-in provider"),
        ({"registers": '["provider"]', "providers": '["custom"]'}, "'custom' is a built-in provider"),
        ({"registers": '["command"]', "commands": '["doctor"]'}, "'doctor' is a command of clawgate"),
        ({"surprise": "1"}, "surprise"),
        ({"config": '{ a = "two\\nlines" }'}, "config.a must be one line"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(more: dict[str, str], says: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(manifest(**more))
    text = str(caught.value)
    assert says in text and text.isprintable()


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(manifest(id='"A"', module='"x"'))
    assert "id must be" in str(caught.value) and "module must" in str(caught.value)


@pytest.mark.parametrize("text", ["", "= 1", "a = ", "[" * 5000, "\x00", f"a = {'9' * 5000}"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(text)


@given(st.text(max_size=60))
def test_any_text_is_a_manifest_or_refused_in_printable_words(text: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(text)
    assert str(caught.value).isprintable()


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    large, odd = tmp_path / "large", tmp_path / "odd"
    large.write_text("#" * 70_000)
    odd.write_bytes(b"\xff\xfe")
    for path, says in ((large, "larger than"), (odd, "not UTF-8"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(ManifestInvalid, match=says):
            read_manifest(path)


def test_a_manifest_knows_whether_its_api_version_is_ours() -> None:
    assert parse_manifest(manifest()).api_problem() is None
    assert "API 1" in str(parse_manifest(manifest(requires_api="1")).api_problem())


@pytest.mark.parametrize(
    ("place", "code", "root"),
    [
        ("clawgate-plugin.toml", "pack/__init__.py", "."),
        ("clawgate-plugin.toml", "pack.py", "."),
        ("clawgate-plugin.toml", "src/pack/__init__.py", "src"),
        ("pack/clawgate-plugin.toml", "pack/__init__.py", "."),
        ("src/pack/clawgate-plugin.toml", "src/pack/__init__.py", "src"),
    ],
)
def test_a_tree_is_understood_as_people_lay_them_out(
    tmp_path: Path, place: str, code: str, root: str
) -> None:
    write_files(tmp_path, {place: manifest(package="pack"), code: ""})
    path = find_manifest(tmp_path)
    assert path == tmp_path / place
    assert import_root(tmp_path, path, read_manifest(path)) == (tmp_path / root)


def test_no_manifest_two_and_one_without_its_code_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="it has no"):
        find_manifest(tmp_path)
    write_files(
        tmp_path, {"a/clawgate-plugin.toml": manifest(package="outside"), "b/clawgate-plugin.toml": ""}
    )
    with pytest.raises(ManifestInvalid, match="more than one"):
        find_manifest(tmp_path)
    (tmp_path.parent / "outside.py").write_text("")
    path = tmp_path / "a" / "clawgate-plugin.toml"
    with pytest.raises(ManifestInvalid, match="neither outside/__init__"):
        import_root(tmp_path / "a", path, read_manifest(path))


def api_problem(requires_api: int) -> str | None:
    return parse_manifest(manifest(requires_api=str(requires_api))).api_problem()


def test_this_version_is_accepted() -> None:
    assert api_problem(API_VERSION) is None


@pytest.mark.parametrize(
    ("version", "says"), [(API_VERSION + 1, "a newer clawgate"), (0, "an older clawgate")]
)
def test_another_version_is_rejected_with_a_remedy(version: int, says: str) -> None:
    assert f"use {says}" in str(api_problem(version))


def test_version_1_is_rejected_with_what_changed_and_where_to_read() -> None:
    problem, docs = str(api_problem(1)), DOCS.read_text(encoding="utf-8")
    assert "docs/writing-a-plugin.md" in problem and "## From API 1 to 2" in docs
    for old, new in RENAMED_HOOKS.items():
        assert f"{old} is {new}" in problem and f"`{new}`" in docs.replace(f".{new}`", f" `{new}`")
