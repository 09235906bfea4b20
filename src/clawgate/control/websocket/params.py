"""Reads the params of a method, and says what is wrong with them in the words that OpenClaw has for it.

Pure. Law: a member that the contract does not know is refused, as is one that would change the result and that this
gateway cannot honour; what has no effect here is accepted in the type that the contract gives it. Texts: recorded at
OpenClaw 2026.9.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.wire.json.strict import abbreviated, decode

P = TypeVar("P", bound=msgspec.Struct)

NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
_MOST = 2**53 - 1
"""The largest number of which JavaScript knows every one; no database is given a larger one."""
Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
Text = str | None
"""A text that null clears."""

_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")
_FORMS = (
    (re.compile(r"Object missing required field `(.*)`"), "must have required property '{0}'"),
    (re.compile(r"Object contains unknown field `(.*)`", re.DOTALL), "unexpected property '{0}'"),
    (re.compile(r"Invalid enum value .*", re.DOTALL), "must be equal to one of the allowed values"),
    (re.compile(r"Expected `str` of length >= (\d+)"), "must not have fewer than {0} characters"),
    (re.compile(r"Expected `str` of length <= (\d+)"), "must not have more than {0} characters"),
    (re.compile(r"Expected `array` of length >= (\d+)"), "must not have fewer than {0} items"),
    (re.compile(r"Expected `array` of length <= (\d+)"), "must not have more than {0} items"),
    (re.compile(r"Expected `(?:int|float)` (>=|<=) (\S+)"), "must be {0} {1}"),
    (re.compile(r"Expected `([^`]*)`, got `.*`"), "must be {0}"),
)
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The params that a method reads; by itself those of a method without any."""


class ParamsReader(Generic[P]):
    """Reads the params of one method.

    ``ignored`` and ``refused`` are further members by their type: the names, with spaces between them.
    """

    def __init__(
        self,
        shape: type[P],
        ignored: Mapping[Any, str] | None = None,
        refused: Mapping[Any, str] | None = None,
    ) -> None:
        self._refused = [(name, name) for names in (refused or {}).values() for name in names.split()]
        extra = [
            (name, kind | msgspec.UnsetType, msgspec.UNSET)
            for table in (ignored or {}, refused or {})
            for kind, names in table.items()
            for name in names.split()
        ]
        whole = (
            msgspec.defstruct(shape.__name__, extra, bases=(shape,), frozen=True, kw_only=True)
            if extra
            else shape
        )
        self._decoder: msgspec.json.Decoder[P] = msgspec.json.Decoder(whole)

    def read(self, params: msgspec.Raw | bytes) -> P:
        """Raises `InvalidRequest` with the params' place, without the method's name."""
        try:
            found = decode(bytes(params), self._decoder)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidRequest(problem_of(error)) from None
        for attribute, name in self._refused:
            if getattr(found, attribute) not in (msgspec.UNSET, None, False, "", [], {}):
                raise InvalidRequest(f"at /{name}: not available here; leave it out")
        return found


def problem_of(error: Exception) -> str:
    """Return the decoder's complaint as OpenClaw has it, with the place: ``at /limit: must be >= 1``."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = str(error)
    place = _PLACE.search(text)
    path = "/" + _INDEX.sub(r".\1", place[1]).strip(".").replace(".", "/") if place and place[1] else ""
    text = _PLACE.sub("", text)
    for form, meaning in _FORMS:
        if match := form.fullmatch(text):
            parts = [
                abbreviated(" or ".join(_type(one) for one in part.split(" | "))) for part in match.groups()
            ]
            text = meaning.format(*parts)
            if form is _FORMS[1][0] and not path:
                path = "root"
            break
    where = f"at {path}: " if path.startswith("/") else "at root: " if path else ""
    return f"{where}{abbreviated(text)}"


def _type(name: str) -> str:
    return _TYPES.get(name, name)
