"""Writes what a response consists of as chunks of a chat completion, with the numbers and ids that those need.

Entries of `reasoning_details` have an `index`, which the OpenAI SDK needs to add lists up, and are named in their first
piece alone, since it joins all texts. Citations point into the joined content.
"""

from __future__ import annotations

import msgspec

from clawgate.wire.json import lenient, strict
from clawgate.wire.openai.chunks import DONE, ChunkEncoder
from clawgate.wire.translate.chat_to_responses import reasoning, response
from clawgate.wire.translate.chat_to_responses.output_items import CALLS, Channel, OutputItem

_json = msgspec.json.Encoder().encode


class ChunkWriter:
    """The chunks of one response, appended to ``out``.

    With ``has_old_form`` the client knows the one call of the old form. Without ``is_streamed`` the chunks are put
    together again: the message begins without content.
    """

    __slots__ = (
        "_call_ids", "_characters", "_chunks", "_created", "_entries", "_has_old_form", "_id", "_is_streamed",
        "_model", "_reasons", "_sealed", "_tag", "_with_usage", "calls", "out",
    )  # fmt: skip

    def __init__(
        self,
        *,
        model: str,
        created: int,
        include_usage: bool,
        made_id: str = "chatcmpl-unnamed",
        tag: str = "",
        has_old_form: bool = False,
        is_streamed: bool = True,
    ) -> None:
        self._model = model
        self._created = created
        self._with_usage = include_usage
        self._id = made_id  # of the response, unless the upstream sends one in time
        self._tag = tag
        self._has_old_form = has_old_form
        self._is_streamed = is_streamed
        self._chunks: ChunkEncoder | None = None  # once the id of the response is known
        self._characters = 0  # of the content so far
        self._entries = 0  # of `reasoning_details`
        self._reasons: tuple[OutputItem, Channel] | None = None  # the text of reasoning that came last
        self._sealed: list[dict[str, object]] = []  # what the next call carries
        self._call_ids: set[str] = set()
        self.calls = 0
        """How many calls have begun."""
        self.out: list[bytes] = []

    def start(self, sent_id: object = None) -> None:
        """Begin the client's stream, with the upstream's id of the response."""
        if self._chunks is not None:
            return
        self._id = lenient.as_word(sent_id) or self._id
        self._chunks = ChunkEncoder(self._id, self._created, self._model)
        empty = b'""' if self._is_streamed else b'null,"refusal":null'
        self._chunk(b'{"role":"assistant","content":%b}' % empty)

    def text(self, item: OutputItem, part: int, piece: str, logprobs: object) -> None:
        item.starts.setdefault(part, self._characters)
        self._characters += len(piece)
        known = None
        if logprobs and (entries := response.logprobs(logprobs)):
            known = strict.encode_response({"content": entries, "refusal": None})
        self._chunk(b'{"content":' + _json(piece) + b"}", logprobs=known)

    def refusal(self, piece: str) -> None:
        self._chunk(b'{"refusal":' + _json(piece) + b"}")

    def reasoning(self, item: OutputItem, channel: Channel, piece: str) -> None:
        """Write reasoning for people and, in the same chunk, for the way back: a client reads the one or the other."""
        kind, member = reasoning.MEMBERS[channel[0]]
        entry: dict[str, object] = {"type": kind, member: piece}
        if channel not in item.entries:
            item.entries[channel] = self._entries
            self._entries += 1
            entry |= self._carrier(item)
        apart = "\n\n" if self._reasons not in (None, (item, channel)) else ""
        self._reasons = (item, channel)
        entry["index"] = item.entries[channel]
        self._chunk(_json({"reasoning_content": apart + piece, "reasoning_details": [entry]}))

    def encrypted(self, item: OutputItem, data: str) -> None:
        channel = (reasoning.ENCRYPTED, 0)
        if channel in item.entries:
            return
        item.entries[channel] = self._entries
        self._sealed.append({"encrypted_content": data, **({"id": item.id} if item.id else {})})
        detail = {"type": reasoning.ENCRYPTED, "data": data, **self._carrier(item), "index": self._entries}
        self._entries += 1
        self._chunk(b'{"reasoning_details":[' + _json(detail) + b"]}")

    def _carrier(self, item: OutputItem) -> dict[str, object]:
        known = {"id": item.id, "format": reasoning.FORMAT, "provider": self._tag}
        return {name: value for name, value in known.items() if value}

    def begin_call(self, item: OutputItem) -> None:
        call_id = lenient.call_id(item.call_id or item.id, self._id, self.calls)
        if call_id in self._call_ids:
            call_id = lenient.call_id(None, self._id, self.calls)
        self._call_ids.add(call_id)
        item.number = self.calls
        self.calls += 1
        argument, kind = CALLS[item.kind]
        called = {"name": item.name, argument: ""}
        if not self._has_old_form:
            call = {"index": item.number, "id": call_id, "type": kind, kind: called}
            self._chunk(b'{"tool_calls":[' + _json(call) + b"]" + self._carried(call_id) + b"}")
        elif item.number == 0:
            self._chunk(b'{"function_call":' + _json(called) + b"}")

    def _carried(self, call_id: str) -> bytes:
        """Return the member of a call's chunk that carries the encrypted reasoning in front of it."""
        if not self._sealed:
            return b""
        named = {"provider": self._tag} if self._tag else {}
        detail = reasoning.carried_by_call(call_id, self._sealed) | named | {"index": self._entries}
        self._entries += 1
        self._sealed = []
        return b',"reasoning_details":[' + _json(detail) + b"]"

    def arguments(self, item: OutputItem, piece: str) -> None:
        argument, kind = (name.encode() for name in CALLS[item.kind])
        added = b'{"%b":%b}' % (argument, _json(piece))
        if not self._has_old_form:
            self._chunk(b'{"tool_calls":[{"index":%d,"%b":%b}]}' % (item.number, kind, added))
        elif item.number == 0:
            self._chunk(b'{"function_call":%b}' % added)

    def citations(self, items: list[OutputItem]) -> None:
        cited = [
            citation
            for item in items
            for place, annotation in sorted(item.annotations.items())
            if (citation := response.url_citation(annotation, item.starts.get(place[0], 0))) is not None
        ]
        if cited:
            self._chunk(b'{"annotations":' + strict.encode_response(cited) + b"}")

    def finish(self, reason: str, usage: dict[object, object], tier: object) -> None:
        """Write the end: nothing may follow."""
        if self._has_old_form and reason == "tool_calls":
            reason = "function_call"
        self._chunk(b"{}", finish=_json(reason))
        if self._with_usage:
            last: dict[str, object] = {"usage": response.usage(usage)}
            if lenient.as_word(tier) is not None:
                last["service_tier"] = tier
            self.out.append(self._encoder().last(last))
        self.out.append(DONE)

    def _chunk(self, delta: bytes, *, finish: bytes = b"null", logprobs: bytes | None = None) -> None:
        self.out.append(self._encoder().chunk(delta, finish=finish, logprobs=logprobs))

    def _encoder(self) -> ChunkEncoder:
        if self._chunks is None:
            self.start()
        assert self._chunks is not None, "it was started"
        return self._chunks
