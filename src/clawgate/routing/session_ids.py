"""Assigns a session id to each conversation, for upstreams that keep sessions.

A session id is random and means nothing. A request gets the id of the conversation that it continues, once: every turn
of that conversation must be in the request as it was, from the same caller, and no other conversation may have the same
turns. Every other request starts a conversation. So two that begin with the same words never share a session: a proxy
that resumes by the first words alone, or by an id that is made of them, may continue one with the words of the other
(read in the source of @rynfar/meridian, "modified continuation"). A `previous_response_id` starts a conversation, too:
which one it is of cannot be seen here.
Must not keep words, only keyed hashes of them. May be used from several threads.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec

_CONTEXT_FIELDS = (
    "metadata", "user", "system", "instructions", "previous_response_id", "prompt", "prompt_cache_key",
)  # fmt: skip
_MAX_SESSIONS = 4096
_MAX_TURNS = 10_000
_MAX_BRACES = 100_000


class _Turn(msgspec.Struct):
    role: str


class _Item(msgspec.Struct):
    """An item of a Responses request."""

    role: str = ""
    type: str = "message"


_is_empty = re.compile(rb"\[[ \t\r\n]*+\]").fullmatch
_marks = re.compile(rb',\s*"cache_control"\s*:\s*\{[^{}]*\}')
"""Marks move with the end of a conversation: they are no part of it."""
_turns = msgspec.json.Decoder(list[_Turn])
_items = msgspec.json.Decoder(list[_Item])
_raw_turns = msgspec.json.Decoder(list[msgspec.Raw])


class SessionTracker:
    """The sessions of the last ``max_sessions`` requests."""

    def __init__(self, max_sessions: int = _MAX_SESSIONS) -> None:
        self._max_sessions = max_sessions
        self._key = secrets.token_bytes(16)
        self._ids: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def session_id(self, provider: str, caller: str, members: Mapping[str, msgspec.Raw]) -> str:
        """Return the session id of a request whose body has these ``members``; empty where it has no conversation."""
        messages, given = (bytes(members.get(name, b"")) for name in ("messages", "input"))
        if given.startswith(b'"') and given != b'""':
            given = b'[{"role":"user","content":%b}]' % given
        listed = messages if messages.startswith(b"[") else given
        if not listed.startswith(b"[") or _is_empty(listed):
            return ""
        turns = _read(listed, _roles_of_turns if listed is messages else _roles_of_items)
        if turns is None:
            return secrets.token_hex(16)  # a conversation that nothing can continue
        hashed = hmac.new(self._key, digestmod=hashlib.sha256)
        context = (_marks.sub(b"", bytes(members.get(name, b""))) for name in _CONTEXT_FIELDS)
        for part in (provider.encode(), caller.encode(), *context):
            _add(hashed, part)
        continued = b""
        for index, turn in enumerate(turns.raw):
            if index and index == turns.last_response:
                continued = hashed.digest()
            _add(hashed, _marks.sub(b"", bytes(turn)))
        begun = hashed.digest()
        with self._lock:
            found = self._ids.pop(continued, "") or secrets.token_hex(16)
            if continued:
                self._ids[continued] = ""  # what continues the same words next is another conversation
            self._ids[begun] = "" if self._ids.pop(begun, None) is not None else found
            while len(self._ids) > self._max_sessions:
                self._ids.popitem(last=False)
        return found

    def of_caller(self, provider: str, caller: str, own: str) -> str:
        """Return the session id of the conversation that ``caller`` calls ``own``; no other caller has it."""
        hashed = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (b"own", provider.encode(), caller.encode(), own.encode()):
            _add(hashed, part)
        return hashed.hexdigest()[:32]


class _Turns(msgspec.Struct):
    """``last_response`` is the index where the model's last turn begins, 0 where there is none to continue."""

    raw: Sequence[msgspec.Raw]
    last_response: int


def _read(listed: bytes, is_models: Callable[[bytes], list[bool] | None]) -> _Turns | None:
    """None for a list that cannot be read, or is longer than any conversation."""
    try:
        made = is_models(listed)
        if made is None:
            return None
        raw = _raw_turns.decode(listed)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    last = next((index for index in range(len(made) - 1, 0, -1) if made[index]), 0)
    while last > 1 and made[last - 1]:
        last -= 1
    return _Turns(raw, last)


def _roles_of_turns(messages: bytes) -> list[bool] | None:
    # Each turn that can be read has the text "role" in quotes, which no string can hold: there its quotes are escaped.
    if messages.count(b'"role"') > _MAX_TURNS:
        return None
    return [turn.role == "assistant" for turn in _turns.decode(messages)]


def _roles_of_items(items: bytes) -> list[bool] | None:
    """The model makes messages of its role, calls and reasoning; the client outputs, and what has another role."""
    if items.count(b"{") > _MAX_BRACES:  # each item has one
        return None
    return [
        item.role == "assistant"
        if item.type == "message"
        else not item.type.endswith(("_output", "_reference"))
        for item in _items.decode(items)
    ]


def _add(hashed: hmac.HMAC, part: bytes) -> None:
    hashed.update(b"%d:" % len(part))
    hashed.update(part)
