"""Whatever stands in the config file: it is read or refused, by name, and both readers of JSON5 see the same in it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyjson5
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawgate.settings.json5.source_map import InvalidJson5, source_map, spans_of
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.config_file import read_config
from clawgate.settings.problems import SettingsInvalid

KEYS = st.sampled_from(
    ["gateway", "models", "agents", "plugins", "tools", "env", "vars", "auth", "token", "port", "providers", "owl",
     "apiKey", "baseUrl", "headers", "request", "mode", "headerName", "value", "defaults", "model", "primary",
     "fallbacks", "alias", "entries", "config", "list", "id", "source", "$include", "base_url", "x y", "", "a.b"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=8),
    st.sampled_from(["${A}", "${", "$${A}", "env", "exec", "header", "http://u:canary@h", "a/b", "owl/m", "***"]),
)  # fmt: skip
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=25,
)
PIECES = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ":", ",", '"', "'", "\\", "/*", "*/", "//", "\n", "\r", " ", "a", "models", "1", "-", ".",
         "e", "0x", "u00", "NaN", "true", "\ufeff", "\0", "\u2028", "\u00e9", '"a"', "{a:1}", "\\u0061", "\\x41"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


def paths_of(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from paths_of(part, (*path, key))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from paths_of(part, (*path, at))


def value_at(document: Any, path: KeyPath) -> object:
    for key in path:
        document = document[key]
    return document


def read(data: bytes) -> None:
    """Read it as a config file; only the deliberate refusal may come of it, and every part of it has a place."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openclaw.json"
        path.write_bytes(data)
        try:
            file = read_config(path, {"OPENCLAW_STATE_DIR": folder, "A": "1"}, required=True)
        except SettingsInvalid as error:
            found = error.problems
        else:
            found = []
            assert file.secrets() is not None and file.origins is not None
            assert file.config.model_dump_json() is not None
        for problem in found:
            assert problem.location.startswith(str(path)) and problem.text
            assert "canary" not in str(problem)


@given(PIECES)
@example("{a:1,a:2}")
@example("[1_0]")
def test_what_both_readers_take_means_the_same_to_both(text: str) -> None:
    try:
        found = source_map(text)
    except InvalidJson5:
        return
    try:
        value = pyjson5.decode(text)
    except pyjson5.Json5Exception:
        return
    if not found.duplicates:
        assert set(found.spans) == set(paths_of(value))
        for path, span in found.spans.items():
            part = text[span.value_start : span.value_end]
            assert repr(pyjson5.decode(part)) == repr(value_at(value, path))


@given(DOCUMENTS, st.sampled_from([None, 1, "\t"]))
def test_all_that_json_can_write_is_read_with_its_places(document: object, indent: int | str | None) -> None:
    text = json.dumps(document, indent=indent)
    spans = spans_of(text)
    assert list(spans) == list(paths_of(json.loads(text)))
    for path, span in spans.items():
        found = json.loads(text[span.value_start : span.value_end])
        assert repr(found) == repr(value_at(json.loads(text), path))
        assert text.split("\n")[span.line - 1][span.column - 1 :][:1] == text[span.key_start]


@settings(deadline=None)
@given(st.dictionaries(KEYS, DOCUMENTS, max_size=6))
def test_a_document_is_read_or_refused(document: object) -> None:
    read(json.dumps(document).encode("utf-8", "replace"))


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), PIECES.map(lambda text: text.encode("utf-8", "replace"))))
def test_a_text_is_read_or_refused(data: bytes) -> None:
    read(data)
