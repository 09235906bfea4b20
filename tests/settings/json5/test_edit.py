"""One value changes, and not a byte of the rest: comments, order, quotes, indentation, line ends, commas."""

from __future__ import annotations

import pytest

from clawgate.settings.json5.document import EditNotSupported, NoSuchPath
from clawgate.settings.json5.edit import EditVerificationFailed, set_value, unset_value
from clawgate.settings.json5.source_map import DuplicateKey, InvalidJson5
from clawgate.settings.key_path import KeyPath

HAND_WRITTEN = """// my gateway
{
  gateway: { mode: 'local', port: 18789 }, // keep
  models: {
    providers: {
      owl: {
        baseUrl: "http://x", // the big one
        models: [{ id: 'a' }, { id: "b" },],
      },
    }, /* after */
  },
  // the end
}
"""
AS_OPENCLAW_WRITES = '{\n  "meta": {\n    "lastTouchedVersion": "2026.9.6"\n  },\n  "empty": {}\n}\n'


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("gateway", "port"), 18800, "port: 18789", "port: 18800"),
        (("gateway", "mode"), "remote", "'local'", "'remote'"),
        (("models", "providers", "owl", "baseUrl"), "https://y", '"http://x"', '"https://y"'),
        (("models", "providers", "owl", "models", 1, "id"), "c", '"b"', '"c"'),
        (("models", "providers", "owl", "models", "1", "id"), "c", '"b"', '"c"'),
        (("gateway", "bind"), "lan", "port: 18789 }", "port: 18789, bind: 'lan' }"),
        (
            ("gateway", "auth", "token"),
            "abc",
            "port: 18789 }",
            "port: 18789, auth: { token: 'abc' } }",
        ),
        (
            ("models", "providers", "owl", "models", 2),
            {"id": "it's"},
            '{ id: "b" },]',
            "{ id: \"b\" }, { id: 'it\\'s' },]",
        ),
        (
            ("models", "providers", "owl", "timeoutSeconds"),
            5,
            '{ id: "b" },],\n',
            '{ id: "b" },],\n        timeoutSeconds: 5,\n',
        ),
        (
            ("agents", "defaults", "model", "primary"),
            "owl/a",
            "  // the end\n",
            "  // the end\n  agents: {\n    defaults: {\n      model: { primary: 'owl/a' },\n    },\n  },\n",
        ),
        (
            ("models", "providers", "a.b/c"),
            {},
            "      },\n    }, /*",
            "      },\n      'a.b/c': {},\n    }, /*",
        ),
    ],
)
def test_a_value_is_set_in_place(path: KeyPath, value: object, old: str, new: str) -> None:
    """A changed value, a new member, a new entry and new objects on the way; all else stays, byte for byte."""
    assert HAND_WRITTEN.count(old) == 1
    assert set_value(HAND_WRITTEN, path, value) == HAND_WRITTEN.replace(old, new)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (("gateway", "port"), ", port: 18789", ""),
        (("gateway", "mode"), "mode: 'local', ", ""),
        (("gateway",), "gateway: { mode: 'local', port: 18789 }, // keep", "// keep"),
        (("models", "providers", "owl", "models", 0), "{ id: 'a' }, ", ""),
        (("models", "providers", "owl", "models"), "\n        models: [{ id: 'a' }, { id: \"b\" },],", ""),
        (("models", "providers", "owl", "baseUrl"), 'baseUrl: "http://x", // the', "// the"),
    ],
)
def test_a_value_is_unset_in_place(path: KeyPath, old: str, new: str) -> None:
    """With its comma and its line; comments beside it stay."""
    assert HAND_WRITTEN.count(old) == 1
    assert unset_value(HAND_WRITTEN, path) == HAND_WRITTEN.replace(old, new)


def test_what_openclaw_wrote_stays_strict_json() -> None:
    """Quoted keys, no comma behind the last, two spaces."""
    grown = set_value(AS_OPENCLAW_WRITES, ("empty", "list"), ["a", {"b": None}])
    assert grown == AS_OPENCLAW_WRITES.replace(
        "{}", '{\n    "list": [\n      "a",\n      {\n        "b": null\n      }\n    ]\n  }'
    )
    assert set_value(AS_OPENCLAW_WRITES, ("x",), 1.5) == AS_OPENCLAW_WRITES.replace("{}", '{},\n  "x": 1.5')
    assert unset_value(AS_OPENCLAW_WRITES, ("empty",)) == AS_OPENCLAW_WRITES.replace(',\n  "empty": {}', "")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_the_byte_order_mark_stay(line_end: str, mark: str) -> None:
    text = mark + "{\n  a: 1,\n}\n".replace("\n", line_end)
    grown = set_value(text, ("b", "c"), [])
    assert grown == mark + "{\n  a: 1,\n  b: {\n    c: [],\n  },\n}\n".replace("\n", line_end)
    assert unset_value(grown, ("b",)) == text


@pytest.mark.parametrize(
    ("text", "path", "value", "new"),
    [
        ("{}", ("a",), 1, '{\n  "a": 1\n}'),
        ("{ }", ("a",), 1, '{\n  "a": 1\n}'),
        ("{\n}", ("a",), 1, '{\n  "a": 1\n}'),
        ("{ // why\n}", ("a",), 1, '{ // why\n  "a": 1\n}'),
        ("{/* why */}", ("a",), 1, '{/* why */\n  "a": 1\n}'),
        ("{a:{}}", ("a", "b"), 1, "{a:{b: 1}}"),
        ("{a:{/**/}}", ("a", "b"), 1, "{a:{/**/ b: 1}}"),
        ("{a:1}", ("b",), {"c": [1]}, "{a:1, b: { c: [1] }}"),
        ("{a:1/*x*/}", ("b",), 2, "{a:1,/*x*/ b: 2}"),
        ("{a:1 // x\n}", ("b",), 2, "{a:1, // x\n  b: 2\n}"),
        ("{a:1 // x\n,}", ("b",), 2, "{a:1 // x\n, b: 2,}"),
        ("{a:null}", ("a", "b"), 2, "{a:{ b: 2 }}"),
        ("[]", (0,), 2, "[\n  2\n]"),
        ("{a:[]}", ("a", 0, "b"), 2, "{a:[{ b: 2 }]}"),
        ("{a:1,\n\tb:2}", ("c",), 3, "{a:1,\n\tb:2, c: 3}"),
        ("{\n\ta:1}", ("c", "d"), 3, "{\n\ta:1,\n\tc: {\n\t\td: 3\n\t}}"),
        ("{'a': \"x\"}", ("b",), "y", "{'a': \"x\", 'b': \"y\"}"),
        ("{a: [1, 2]}", ("a",), [1, 2, 3], "{a: [1, 2, 3]}"),
        ("{a: [1, /* two */ 2, 3]}", ("a",), [1, 3], "{a: [1, /* two */ 3]}"),
        ("{a: [1, /* two */ 2]}", ("a",), [1, 4], "{a: [1, /* two */ 4]}"),
        ("{a: {b: 1, /* c */ c: 2}}", ("a",), {"c": 2}, "{a: {/* c */ c: 2}}"),
        ("{a: {b: 1}}", ("a",), {"c": 2}, "{a: { c: 2 }}"),
        ("{a: {b: 1}}", ("a",), "x", '{a: "x"}'),
        ("{a: 0x10}", ("a",), 17, "{a: 17}"),
    ],
)
def test_texts_of_every_shape(text: str, path: KeyPath, value: object, new: str) -> None:
    assert set_value(text, path, value) == new


@pytest.mark.parametrize(
    ("text", "path", "new"),
    [
        ("{a:1}", ("a",), "{}"),
        ("{\n  a:1,\n}", ("a",), "{}"),
        ("{ a: 1 /* x */ , b: 2 }", ("a",), "{  /* x */ b: 2 }"),
        ("{ a: 1, b: 2 /* x */ }", ("b",), "{ a: 1 /* x */ }"),
        ("{\n  a: 1, // one\n  b: 2 // two\n}", ("b",), "{\n  a: 1 // one\n  // two\n}"),
        ("{\n  a: 1, // one\n  b: 2 }", ("b",), "{\n  a: 1 // one\n  }"),
        ("{\n  a: 1 // one\n  , b: 2 }", ("a",), "{\n   // one\n  b: 2 }"),
        ("[1, 2, 3]", (1,), "[1, 3]"),
        ("{a: 1, b: 2,}", ("b",), "{a: 1,}"),
    ],
)
def test_comments_outlive_what_they_stood_beside(text: str, path: KeyPath, new: str) -> None:
    assert unset_value(text, path) == new


def test_a_value_that_stands_there_already_changes_nothing() -> None:
    """However it is written."""
    text = "{a: 0x10, b: {c: 'x', d: [1, +2.0]}, }"
    assert set_value(text, ("a",), 16) == text
    assert set_value(text, ("b",), {"d": [1, 2], "c": "x"}) == text


def test_true_is_not_one() -> None:
    assert set_value("{a: 1}", ("a",), True) == "{a: true}"


@pytest.mark.parametrize(
    ("text", "path", "value", "said"),
    [
        ("{a: 'x'}", ("a", "b"), 1, "not an object"),
        ("{a: []}", ("a", "b"), 1, "a list"),
        ("{a: [1]}", ("a", 2), 1, "too large"),
        ("{}", ("a", 1), 1, "too large"),
        ("{}", ("a",), float("nan"), "finite"),
        ("{}", ("a",), float("inf"), "finite"),
        ("{}", ("a",), "\ud800", "lone surrogate"),
        ("{}", ("a",), {1: 2}, "must be text"),
        ("{}", ("a",), object(), "cannot be written as JSON"),
        ("{}", ("a",), "__OPENCLAW_REDACTED__", "redaction placeholder"),
        ("{}", ("a",), ["x", {"b": "[REDACTED]"}], r"a\[1\]\.b: .*redaction placeholder"),
        ("{}", ("a", "apiKey"), "sk-...b12e", "redaction placeholder"),
        ("{}", ("a", "apiKey"), "***", "redaction placeholder"),
    ],
)
def test_what_cannot_be_set_is_refused(text: str, path: KeyPath, value: object, said: str) -> None:
    with pytest.raises(EditNotSupported, match=said):
        set_value(text, path, value)


def test_dots_are_no_mark_where_no_secret_stands() -> None:
    """Somebody may want to be greeted with them."""
    assert set_value("{}", ("greeting",), "Well...") == '{\n  "greeting": "Well..."\n}'


def test_a_value_nested_without_end_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(EditNotSupported, match="nested more than"):
        set_value("{}", ("a",), value)


def test_what_is_not_there_cannot_be_unset() -> None:
    for path in [
        ("a",),
        ("gateway", "x"),
        ("models", "providers", "owl", "models", 7),
        ("gateway", "port", "x"),
    ]:
        with pytest.raises(NoSuchPath):
            unset_value(HAND_WRITTEN, path)
    with pytest.raises(EditNotSupported, match="whole file"):
        unset_value(HAND_WRITTEN, ())


@pytest.mark.parametrize("text", ["", "{a: }", "{a: 1", "{a: 1} x"])
def test_what_cannot_be_read_is_not_edited(text: str) -> None:
    with pytest.raises(InvalidJson5):
        set_value(text, ("a",), 1)


def test_a_key_that_is_there_twice_is_not_edited() -> None:
    """Readers differ in which of the two counts."""
    with pytest.raises(DuplicateKey):
        set_value("{a: 1, a: 2}", ("a",), 3)


def test_a_text_that_would_say_something_else_is_never_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong in the splicing: the new text is read again and compared."""
    monkeypatch.setattr("clawgate.settings.json5.edit._set", lambda text, *_: text.replace("1", "3"))
    with pytest.raises(EditVerificationFailed, match="another value"):
        set_value("{a: 1}", ("a",), 2)
    monkeypatch.setattr("clawgate.settings.json5.edit._set", lambda *_: "{a: ")
    with pytest.raises(EditVerificationFailed, match="could not be read"):
        set_value("{a: 1}", ("a",), 2)
