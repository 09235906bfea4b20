"""A body that could name two models is refused by the decision, and a log line never fails on any body."""

from __future__ import annotations

import json

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.json.model_field import peek_model, require_model

DEEP = b"[" * 100_000 + b"]" * 100_000

GOOD = [
    (b'{"model":"a"}', "a", "the plain case"),
    (b' \t\r\n{ "model" : "a" } \n', "a", "white space anywhere"),
    (b'{"x":1,"model":"a"}', "a", "not the first field"),
    (b'{"model":"a/b:c-1"}', "a/b:c-1", "a name with a provider"),
    (b'{"model":"\xc3\xbc"}', "ü", "a name that is not ASCII"),
    (b'{"model":"\\u00fc"}', "ü", "the same, escaped"),
    (b'{"model":"\\u0061"}', "a", "an escaped letter in the value"),
    (b'{"mod\\u0065l":"a"}', "a", "an escaped letter in the one key"),
    (b'{"model":"a","messages":[{"role":"user","content":"\\"model\\""}]}', "a", "the word in a message"),
    (b'{"model":"a","x":"model"}', "a", "the word as a value"),
    (b'{"model":"a","x":{"model":"b"}}', "a", "a nested one behind"),
    (b'{"x":{"model":"b"},"model":"a"}', "a", "a nested one in front"),
    (b'{"x":[{"model":"b"},{"Model":"c"}],"model":"a"}', "a", "nested ones in a list"),
    (b'{"model":"a","x":{"model":"b","model":"c"}}', "a", "a nested one twice"),
    (b'{"model":"a","x":1' + b"0" * 5000 + b"}", "a", "a number of 5,000 digits"),
    (b'{"model":"a","x":1e999999}', "a", "a number beyond floats"),
    (b'{"model":"a","x":"' + b"y" * 1_000_000 + b'"}', "a", "a megabyte"),
    (b'{"model":"model"}', "model", "a model of that name"),
    (rb'{"model":"a","x":"half \ud83d"}', "a", "half an emoji"),
    (rb'{"x":["\uDE00 half"],"model":"a"}', "a", "the other half, in front"),
    (rb'{"\ud83d":1,"model":"a"}', "a", "half an emoji as a name"),
    (rb'{"model":"a\ud83d"}', "a\ufffd", "half an emoji in the model"),
    (b'{"model":"a","models":"b","model_":"c"," model":"d"}', "a", "keys that only look alike"),
]
BAD = [
    (b"", "empty"),
    (b"{", "cut off"),
    (b"null", "null"),
    (b'"model"', "a string"),
    (b'["model"]', "a list"),
    (b'[{"model":"a"}]', "an object in a list"),
    (b"{}", "no model"),
    (b'{"model":null}', "null for a model"),
    (b'{"model":""}', "an empty one"),
    (b'{"model":1}', "a number"),
    (b'{"model":["a"]}', "a list of them"),
    (b'{"model":{"model":"a"}}', "an object"),
    (b'{"Model":"a"}', "only in another case: some readers would not find it"),
    (b'{"x":{"model":"a"}}', "only a nested one"),
    (b'{"model":"a","model":"b"}', "two"),
    (b'{"model":"a","model":"a"}', "the same twice"),
    (b'{"model":"a","x":{"model":"c"},"model":"b"}', "two, a nested one between"),
    (b'{"model":"a","Model":"b"}', "two for a reader that folds case"),
    (b'{"MODEL":"a","model":"b"}', "the same, in front"),
    (b'{"model":"a","\\u006dodel":"b"}', "two, one with an escaped letter"),
    (b'{"\\u006D\\u006F\\u0064\\u0065\\u006C":"a","model":"b"}', "two, one escaped through and through"),
    (b'{"model":"a","\\u004dODEL":"b"}', "two, escaped and in another case"),
    (b'{"model":"a","mod\\u0065l":null}', "two, the other one null"),
    (b'{"model":"a"}{"model":"b"}', "two bodies"),
    (b'{"model":"a"} x', "something behind"),
    (rb'{"model":"a","x":"\ud83d","model":"b"}', "two, and half an emoji"),
    (rb'{"model":"a","x":"\ud83d","mod\u0065l":"b"}', "two, one escaped, and half an emoji"),
    (rb'{"model":"a","x":"\ud83d"', "half an emoji, cut off"),
    (b'{"model":"a",}', "a comma too many"),
    (b"{'model':'a'}", "single quotes"),
    (b'{model:"a"}', "no quotes"),
    (b'{"model":"a"/**/}', "a comment"),
    (b'{"model":"a","x":NaN}', "NaN"),
    (b'{"model":"a","x":-Infinity}', "Infinity"),
    (b'{"model":"a","x":01}', "a leading zero"),
    (b'{"model":"a","x":"\n"}', "a raw line break in a string"),
    (b'{"model":"\xff"}', "a name that is not UTF-8"),
    (b'\xef\xbb\xbf{"model":"a"}', "a byte order mark"),
    ('{"model":"a"}'.encode("utf-16"), "UTF-16"),
    (b'{"model":"a","x":' + DEEP + b"}", "100,000 lists deep"),
    (b'{"model":"a","model":"b","x":' + DEEP + b"}", "the same with two"),
    (b"model=a", "a form"),
]


@pytest.mark.parametrize(("body", "model", "why"), GOOD, ids=[row[2] for row in GOOD])
def test_the_one_model_is_found(body: bytes, model: str, why: str) -> None:
    assert require_model(body) == model, why
    assert peek_model(body) == model, why


@pytest.mark.parametrize(("body", "why"), BAD, ids=[row[1] for row in BAD])
def test_a_body_without_exactly_one_model_is_rejected(body: bytes, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_model(body)
    assert len(caught.value.message) < 300, why
    assert "more than once" in caught.value.message or caught.value.param in ("model", None), why
    peek_model(body)  # and the log line does not fail


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_model(b"{}")
    assert caught.value.param == "model"


def test_no_refusal_repeats_the_body() -> None:
    """A prompt does not come back in an error, and so cannot come into a log."""
    for body in (b'{"model":5,"prompt":"canary"}', b'{"model":"a","model":"b","x":"canary"}', b'"canary" x'):
        with pytest.raises(InvalidRequest) as caught:
            require_model(body)
        assert "canary" not in caught.value.message


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_the_decision_agrees_with_a_reader_that_keeps_every_pair(copies: int) -> None:
    """One model passes, two or more do not, wherever they stand among other fields."""
    fields = ['"a":1', '"b":{"model":"n"}', '"c":[1,2]']
    for at in range(4):
        body = "{" + ",".join([*fields[:at], *['"model":"m"'] * copies, *fields[at:]]) + "}"
        pairs = json.loads(body, object_pairs_hook=lambda found: found)
        assert sum(key == "model" for key, _ in pairs) == copies
        if copies == 1:
            assert require_model(body.encode()) == "m"
        else:
            with pytest.raises(InvalidRequest):
                require_model(body.encode())
