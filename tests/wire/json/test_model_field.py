"""The model's place in a body: found where every reader would find it, replaced without touching a byte beside it."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest
from clawgate.wire.json.model_field import MAX_FIELDS, MAX_NESTED, ModelField, find_model, require_model

BLANKS = st.text(" \t\r\n", max_size=3)


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> str:
    """``value`` as JSON in one of its many spellings: white space, escapes, the forms of numbers."""

    def around(text: str) -> str:
        return draw(BLANKS) + text + draw(BLANKS)

    if isinstance(value, dict):
        members = [around(draw(spelled(key))) + ":" + draw(spelled(one)) for key, one in value.items()]
        return around("{" + (",".join(members) or draw(BLANKS)) + "}")
    if isinstance(value, list):
        return around("[" + (",".join(draw(spelled(one)) for one in value) or draw(BLANKS)) + "]")
    if isinstance(value, str):
        return around('"' + "".join(_letter(draw, letter) for letter in value) + '"')
    return around(json.dumps(value))


def _letter(draw: st.DrawFn, letter: str) -> str:
    plain = json.dumps(letter, ensure_ascii=False)[1:-1]
    units = letter.encode("utf-16-be")
    escaped = "".join(f"\\u{units[at]:02x}{units[at + 1]:02X}" for at in range(0, len(units), 2))
    spellings = [plain, escaped] + (["\\/"] if letter == "/" else [])
    return draw(st.sampled_from(spellings))


TEXT = st.text(max_size=12).filter(lambda text: not any("\ud800" <= one <= "\udfff" for one in text))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | TEXT | st.sampled_from(["model", '"model":', "{", "},", "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("model"), inner, max_size=3),
    max_leaves=8,
)
NAMES = TEXT.filter(lambda name: name.lower() != "model")


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes, bytes, str | None]:
    """Bytes before the model's value, the value, bytes behind it, and the name it spells."""
    before = draw(st.dictionaries(NAMES, VALUES, max_size=3))
    behind = draw(st.dictionaries(NAMES.filter(lambda name: name not in before), VALUES, max_size=3))
    name = draw(st.none() | TEXT)

    def member(key: str, value: Any) -> str:
        return draw(spelled(key)) + ":" + draw(spelled(value))

    head = "".join(member(key, value) + "," for key, value in before.items())
    tail = "".join("," + member(key, value) for key, value in behind.items())
    value = draw(spelled(name))
    core = value.strip(" \t\r\n")
    start = value.index(core)
    first = draw(BLANKS) + "{" + head + draw(spelled("model")) + ":" + value[:start]
    last = value[start + len(core) :] + tail + draw(BLANKS) + "}" + draw(BLANKS)
    return first.encode(), core.encode(), last.encode(), name


@given(body=bodies(), name=TEXT)
def test_only_the_models_value_is_replaced(body: tuple[bytes, bytes, bytes, str | None], name: str) -> None:
    """Every other byte stays, however the body was written; the new value reads as the new name."""
    first, core, last, old = body
    whole = first + core + last
    found = find_model(whole)
    assert (found.name, found.start, found.end) == (old, len(first), len(first) + len(core))
    assert found.names == json.loads(whole).keys()
    changed = found.replaced(whole, name)
    assert changed.startswith(first) and changed.endswith(last)
    assert json.loads(changed[len(first) : len(changed) - len(last)]) == name
    assert json.loads(changed) == json.loads(whole) | {"model": name}


@pytest.mark.parametrize(
    ("body", "streams"),
    [
        (b'{"model":"a","stream":true}', True),
        (b'{ "stream" : true , "model" : "a" }', True),
        (b'{"stream":true}', True),
        (b'{"model":"a","stre\\u0061m":true}', True),
        (b'{"model":"a","stream":false}', False),
        (b'{"model":"a","stream":null}', False),
        (b'{"model":"a","stream":"true"}', False),
        (b'{"model":"a","x":{"stream":true}}', False),
        (b'{"model":"a"}', False),
    ],
)
def test_a_body_says_whether_it_requests_a_stream(body: bytes, streams: bool) -> None:
    assert find_model(body).streams is streams


@given(members=st.dictionaries(NAMES, VALUES, max_size=4), data=st.data(), name=TEXT)
def test_a_body_without_a_model_gets_one(members: dict[str, Any], data: st.DataObject, name: str) -> None:
    """Nothing is lost and nothing else is added."""
    body = data.draw(spelled(members)).encode()
    found = find_model(body)
    assert found == ModelField(None, streams=found.streams, names=frozenset(members))
    changed = found.replaced(body, name)
    assert json.loads(changed) == members | {"model": name}
    assert find_model(changed).name == name


@given(members=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), data=st.data())
def test_a_field_that_comes_twice_is_rejected(members: dict[str, Any], data: st.DataObject) -> None:
    """Whichever it is, wherever the second stands, whatever its value: two readers could take different ones."""
    again = data.draw(st.sampled_from(sorted(members)))
    values = list(members.items())
    values.insert(
        data.draw(st.integers(0, len(values))), (again, data.draw(st.just(members[again]) | VALUES))
    )
    text = ",".join(data.draw(spelled(key)) + ":" + data.draw(spelled(value)) for key, value in values)
    with pytest.raises(InvalidRequest, match="more than once"):
        find_model(b"{" + text.encode() + b"}")


@given(body=st.binary(max_size=60) | st.text('{}[]":,\\ model0e.-', max_size=40).map(str.encode))
def test_bytes_of_any_kind_are_read_or_rejected(body: bytes) -> None:
    """No other exception; what is read is what the standard library reads."""
    found: ModelField | None = None
    with contextlib.suppress(InvalidRequest):
        found = find_model(body)
    if found is None:
        return
    read = json.loads(body)
    assert read.get("model") == found.name and len(read) == len(json.loads(body, object_pairs_hook=list))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'"model"', "not a JSON object"),
        (b"\xef\xbb\xbf{}", "not a JSON object"),
        (b'{"a":NaN}', "not a JSON object"),
        (b'{"a":' + b"[" * 200_000, "not a JSON object"),
        (b'{"\xff":1}', "not a JSON object"),
        (b'{"model":"a","model":"b"}', "more than once"),
        (b'{"model":"a","mod\\u0065l":"a"}', "more than once"),
        (b'{"a":1,"a":12}', "more than once"),
        (b'{"a":12,"a":1}', "more than once"),
        (b'{"a":{},"a":{}}', "more than once"),
        (b'{"":1,"":1}', "more than once"),
        (b'{"MODEL":"a"}', "lower case"),
        (b'{"model":"a","Model":"a"}', "lower case"),
        (b'{"model":1}', "must be a string"),
        (b'{"model":["a"]}', "must be a string"),
        (b'{"model":"\xff"}', "must be a string"),
    ],
)
def test_what_could_be_taken_otherwise_is_rejected(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        find_model(body)
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":1}', "model"),
        (b'{"MODEL":1}', "model"),
        (b'{"b":1,"a":2,"a":3}', "a"),
        (b'{"%b":1,"%b":2}' % (b"n" * 500, b"n" * 500), "n" * 64),
    ],
)
def test_the_field_at_fault_is_named(body: bytes, param: str) -> None:
    """Shortened: it is the client's own text."""
    with pytest.raises(InvalidRequest) as caught:
        find_model(body)
    assert caught.value.param == param


def test_nested_models_are_ignored() -> None:
    """Only the top of the body names the model."""
    body = b'{"metadata":{"model":"x","model":"y"},"model":"a"}'
    assert find_model(body).replaced(body, "b") == b'{"metadata":{"model":"x","model":"y"},"model":"b"}'


def test_a_large_body_is_not_searched_with_a_pattern() -> None:
    """Megabytes of quotes and backslashes before the model take one pass."""
    body = b'{"a":"' + b'\\"' * 2_000_000 + b'","model":"m"}'
    assert find_model(body) == ModelField("m", len(body) - 4, len(body) - 1, names=frozenset({"a", "model"}))


MEGABYTES = 2 * 1024 * 1024
HOSTILE = {
    "a long name": b'{"%b":0,"model":"m"}' % (b"k" * MEGABYTES),
    "a long name in escapes": b'{"%b":0,"model":"m"}' % (b"\\n" * (MEGABYTES // 2)),
    "a long name behind white space": b'{ "%b" : 0 , "model" : "m" }' % (b"k" * MEGABYTES),
    "one field again and again": b"{%b" % (b'"a":0,' * (MEGABYTES // 6)) + b'"model":"m"}',
    "the model again and again": b"{%b" % (b'"model":"m",' * (MEGABYTES // 12)) + b'"model":"m"}',
    "many fields": b"{%b" % b"".join(b'"%x":0,' % number for number in range(MEGABYTES // 9))
    + b'"model":"m"}',
    "many objects": b'{"model":"m", "x":[%b0]}' % (b'{"":1},' * (MEGABYTES // 7)),
    "many lists": b'{"model":"m", "x":[%b0]}' % (b"[[[[]]]]," * (MEGABYTES // 9)),
    "many numbers": b'{"model":"m", "x":[%b0]}' % (b"0," * (MEGABYTES // 2)),
    "many surrogates": b'{"model":"m","x":"%b"}' % (b"\\ud800ab" * (MEGABYTES // 8)),
    "escaped letters": b'{"x":"%b","model":"m"}' % (b"\\u0064ab" * (MEGABYTES // 8)),
}


@pytest.mark.parametrize("read", [find_model, require_model])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_body_takes_more_than_a_few_times_its_size(read: Callable[[bytes], object], body: bytes) -> None:
    """Whatever is in it: a body of 20 MB took 2.8 GB when each of its bytes could be worth an object."""
    tracemalloc.start()
    with contextlib.suppress(InvalidRequest):
        read(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(body)


def fields(count: int, filler: bytes = b"") -> bytes:
    """A body with ``count`` fields, the last of them the model."""
    return b'{"x":"%b",' % filler + b"".join(b'"%d":[{}],' % n for n in range(count - 2)) + b'"model":"m"}'


COLONS = b":" * 300_000
"""So many that the fields are counted."""


@pytest.mark.parametrize("spaces", [b"", b" "])
def test_a_body_with_as_many_fields_as_may_be_is_read(spaces: bytes) -> None:
    body = fields(MAX_FIELDS, COLONS).replace(b",", b"," + spaces)
    assert find_model(body).name == "m"


@pytest.mark.parametrize("read", [find_model, require_model])
def test_one_field_more_is_rejected(read: Callable[[bytes], object]) -> None:
    with pytest.raises(InvalidRequest, match="over 1000 fields"):
        read(fields(MAX_FIELDS + 1, COLONS + b"\\u0064"))


def test_a_body_of_many_nested_lists_is_rejected() -> None:
    """Only where its fields have to be counted."""
    lists = b"[" + b"[[0]]," * MAX_NESTED + b"0]"
    assert find_model(b'{"model":"m","x":%b}' % lists).name == "m"
    with pytest.raises(InvalidRequest, match="over 500000 lists"):
        find_model(b'{"model":"m","x":%b,"y":"%b"}' % (lists, COLONS))


@given(
    members=st.dictionaries(TEXT, VALUES, min_size=1, max_size=4).map(lambda some: some | {"model": "m"}),
    data=st.data(),
)
def test_the_fields_are_counted_however_they_are_written(
    members: dict[str, Any], data: st.DataObject
) -> None:
    """A name given twice is found by the count as well, at the top and nowhere else."""
    if any(name != "model" and name.casefold() == "model" for name in members):
        return
    copies = data.draw(st.integers(1, 2))
    parts = [data.draw(spelled(key)) + ":" + data.draw(spelled(value)) for key, value in members.items()]
    parts += [data.draw(spelled("model")) + ":" + data.draw(spelled("m"))] * (copies - 1)
    body = ("{" + ",".join(data.draw(st.permutations(parts))) + "}").encode()
    if copies == 1:
        assert require_model(body) == "m"
    else:
        with pytest.raises(InvalidRequest):
            require_model(body)


LONG = b"\\n" * 50_000 + b'\\"}],' * 10
"""In parts, as a string that is longer than one match."""


@pytest.mark.parametrize("spaces", [b"", b" "])
@pytest.mark.parametrize(
    "value",
    [b'"%b"' % LONG, b'["%b"]' % LONG, b'{"%b":["%b",{"a":"%b"}]}' % (LONG, LONG, LONG), b"[%b1]" % (b"1," * 50_000),
     b"[%b{}]" % (b'{"":[{}]},' * 3000), b"[[[[[[]]]]]]", b"-1.5e3", b"null"],
    ids=["string", "in a list", "in objects", "long list", "objects", "deep", "number", "word"],
)  # fmt: skip
def test_what_is_behind_a_long_or_deep_value_is_found(value: bytes, spaces: bytes) -> None:
    """At the top, behind a name that is long itself."""
    body = b'{"%b":%b%b,"x":1,"mod\\u0065l":"m","y":[2]}' % (LONG, spaces, value)
    assert find_model(body).replaced(body, "n").endswith(b'"mod\\u0065l":"n","y":[2]}')
    assert require_model(body) == "m"
    with pytest.raises(InvalidRequest, match="more than once"):
        require_model(body[:-1] + b',"model":"m"}')
