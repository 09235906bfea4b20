"""A reference is followed once, or told; it never becomes an empty value."""

from __future__ import annotations

import pytest

from clawgate.settings.references import resolve_references

VARIABLES = {"QUOTED": "'x'", "A": "one", "B_2": "two", "C": "${A}", "EMPTY": ""}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("${A}", "one"),
        ("x${A}y${B_2}z", "xoneytwoz"),
        ("${C}", "${A}"),
        ("$A", "$A"),
        ("$${A}", "${A}"),
        ("$${NONE}", "${NONE}"),
        ({"source": "env", "provider": "default", "id": "A"}, "one"),
        ({"k": ["${A}", 1, None, True]}, {"k": ["one", 1, None, True]}),
        (1.5, 1.5),
    ],
)
def test_what_can_be_followed_is_replaced_once(value: object, found: object) -> None:
    assert resolve_references(value, VARIABLES) == (found, [])


@pytest.mark.parametrize(
    ("value", "name", "kind"),
    [
        ("${NONE}", "NONE", "unset"),
        ("a${EMPTY}", "EMPTY", "unset"),
        ({"source": "env", "id": "NONE"}, "NONE", "unset"),
        ({"source": "env", "provider": "default", "id": "EMPTY"}, "EMPTY", "unset"),
        ("${QUOTED}", "QUOTED", "quoted"),
        ({"source": "env", "id": "QUOTED"}, "QUOTED", "quoted"),
        ("${my-key}", "${my-key}", "malformed"),
        ("${", "${", "malformed"),
        ("${}", "${}", "malformed"),
        ({"source": "exec", "provider": "vault", "id": "x"}, "exec:vault", "unsupported"),
        ({"source": "file", "provider": "f", "id": "/x"}, "file:f", "unsupported"),
    ],
)
def test_an_unresolvable_reference_is_reported_with_its_path_and_kept(
    value: object, name: str, kind: str
) -> None:
    found, (missing,) = resolve_references({"k": [value]}, VARIABLES)
    assert found == {"k": [value]}
    assert (missing.path, missing.name, missing.kind) == (("k", 0), name, kind)
    says = {"unset": "is not set", "malformed": "is not a reference", "unsupported": "are not supported"}
    says["quoted"] = "QUOTED is wrapped in quotes"
    assert says[kind] in missing.message and missing.fix


def test_every_reference_of_one_text_is_told() -> None:
    _, missing = resolve_references("${X}${Y}", {})
    assert [one.name for one in missing] == ["X", "Y"]


def test_what_only_looks_a_little_like_a_secret_reference_is_an_object() -> None:
    value = {
        "source": "file",
        "id": "x",
        "more": {"source": "env", "id": 5},
        "list": {"source": [], "id": "x"},
    }
    assert resolve_references(value, {}) == (value, [])
