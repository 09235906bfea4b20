"""Which request goes on with which conversation? Told by what was said before, and remembered for a while.

For upstreams that keep sessions of their own. The name of a conversation is random and means nothing. A request gets
the name of the one that it goes on with, once, if all that was said in that one stands in it as it was; every other
request begins a conversation. So two that begin with the same words never share a session: a proxy that resumes by the
first words alone, or by a name that is made of them, may answer one of them out of the other (read in the source of
@rynfar/meridian, "modified continuation"). It keeps no words, only keyed hashes of them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

_ABOUT = ("metadata", "user", "system")
_MOST = 4096


class _Turn(msgspec.Struct):
    role: str = ""


_turns = msgspec.json.Decoder(list[msgspec.Raw])
_turn = msgspec.json.Decoder(_Turn)


class SessionTracker:
    """Of the last ``most`` requests."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._key = secrets.token_bytes(16)
        self._names: OrderedDict[bytes, str] = OrderedDict()

    def name(self, provider: str, members: Mapping[str, msgspec.Raw]) -> str:
        """The name for a request with this body; empty where nothing is said."""
        turns = _read(members)
        if not turns:
            return ""
        about = [provider.encode(), *(bytes(members.get(name, b"")) for name in _ABOUT)]
        answered = _last_answer(turns)
        name = self._names.pop(self._hash(about, turns[:answered]), "") if answered else ""
        name = name or secrets.token_hex(16)
        self._names[self._hash(about, turns)] = name
        if len(self._names) > self._most:
            self._names.popitem(last=False)
        return name

    def _hash(self, about: Iterable[bytes], turns: Iterable[msgspec.Raw]) -> bytes:
        found = hmac.new(self._key, digestmod=hashlib.sha256)
        for piece in (*about, *map(bytes, turns)):
            found.update(b"%d:" % len(piece))
            found.update(piece)
        return found.digest()


def _read(members: Mapping[str, msgspec.Raw]) -> Sequence[msgspec.Raw]:
    try:
        return _turns.decode(members.get("messages", b"[]"))
    except msgspec.MsgspecError:
        return ()


def _last_answer(turns: Sequence[msgspec.Raw]) -> int:
    """Where the model spoke last; 0 where it has not, or where that cannot be read."""
    for at in range(len(turns) - 1, 0, -1):
        try:
            if _turn.decode(turns[at]).role == "assistant":
                return at
        except (msgspec.MsgspecError, RecursionError):
            return 0
    return 0
