"""Maps the ids of tool calls between a client of another dialect and its upstream.

OpenAI accepts 40 characters, others more. A long id keeps its beginning and ends in a digest, so the same id always
becomes the same one, for the call and for its result. The client's id of a call may carry what the upstream wants back,
see `opaque_state`; the upstream finds that where it had put it. Ids that the upstream or the client leaves out, or
repeats in one message, are made, unique in the conversation; results of calls with one id are in their order.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque

from clawgate.wire.json import lenient
from clawgate.wire.translate.chat_upstream import opaque_state
from clawgate.wire.translate.chat_upstream.opaque_state import OpaqueState

LONGEST = 40
WITHOUT_ID = "call_without_id"
"""The id of a result that names no call, where no call of the request waits for it."""
_KEPT = 27
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9]")


def shortened(call_id: str, longest: int = LONGEST) -> str:
    """Return an id of at most ``longest`` characters; a digest distinguishes ids that begin alike."""
    if len(call_id) <= longest:
        return call_id
    digest = hashlib.sha256(call_id.encode()).hexdigest()
    return f"{call_id[:_KEPT]}_{digest[: longest - _KEPT - 1]}"


class CallIds:
    """The ids of one exchange. ``unique`` is of this exchange alone, ``provider`` the upstream's id.

    ``longest`` is how many characters the upstream accepts, None for any number.
    """

    __slots__ = ("_longest", "_made", "_number", "_open", "_provider", "_unique", "_used")

    def __init__(self, *, unique: str = "", provider: str = "", longest: int | None = LONGEST) -> None:
        self._longest = longest
        self._unique = _NOT_IN_ID.sub("", unique)
        self._provider = opaque_state.provider_tag(provider)
        self._used: set[str] = set()
        self._number = 0
        self._made = 0
        self._open: dict[str, deque[str]] = {}  # calls of the latest message with the same id of the client

    def message_id(self, sent: object) -> str:
        """Return the id of the response: the upstream's, or one that is made."""
        return (lenient.as_word(sent) or "").strip() or f"msg_{self._unique or 'unnamed'}"

    def to_upstream(self, client_id: str) -> str:
        """Return the id of a call for the upstream."""
        plain, _ = opaque_state.split(client_id)
        return plain if self._longest is None else shortened(plain, self._longest)

    def begin_message(self) -> None:
        """A message with calls begins: results belong to its calls from now on."""
        self._open.clear()

    def of_call(self, client_id: str) -> str:
        """Return the id of the next call for the upstream."""
        own = self.to_upstream(client_id)
        if not own or client_id in self._open:
            self._made += 1
            own = f"{WITHOUT_ID}_{self._made}"
        self._open.setdefault(client_id, deque()).append(own)
        return own

    def of_result(self, client_id: str) -> str:
        """Return the id, for the upstream, of the call to which the next result belongs."""
        waiting = self._open.get(client_id)
        return waiting.popleft() if waiting else self.to_upstream(client_id) or WITHOUT_ID

    def state_in(self, text: str) -> OpaqueState | None:
        """Return the state that an id or a signature of the client carries, if the upstream's provider made it."""
        state = opaque_state.split(text)[1]
        return state if state is not None and state.provider == self._provider else None

    def to_client(
        self,
        sent: object,
        response: object,
        *,
        call: dict[str, object] | None = None,
        message: dict[str, object] | None = None,
    ) -> str:
        """Return the client's id of a call that the upstream names ``sent`` in a ``response`` of that id.

        It is unique among the calls of the response, and carries the opaque members of the call and the message.
        """
        own = sent if isinstance(sent, str) else ""
        if not own.strip() or own in self._used:
            own = lenient.call_id(None, lenient.as_word(response) or self._unique, self._number)
        self._number += 1
        self._used.add(own)
        state = opaque_state.pack(OpaqueState(self._provider, call=call, message=message))
        return own + state if len(state) <= opaque_state.MAX_IN_ID else own

    @staticmethod
    def carries_state(client_id: str) -> bool:
        """Whether an id that `to_client` made carries opaque members; some are too long for an id."""
        return opaque_state.MARK in client_id

    def signature(
        self, *, message: dict[str, object] | None = None, calls: dict[str, dict[str, object]] | None = None
    ) -> str:
        """Return the signature of a thinking block that carries these; empty for nothing."""
        return opaque_state.pack(OpaqueState(self._provider, message=message, calls=calls))

    def seal(self) -> str:
        """Return a signature that carries nothing but whose it is, for clients that return no reasoning without one."""
        return opaque_state.seal(OpaqueState(self._provider))
