"""Translates the events of a Responses stream into a stream of chat completion chunks.

`finish_reason`, usage and `[DONE]` are sent only with the response in its last state (`response.completed`,
`response.incomplete`): a cut stream never looks finished. A text may come in pieces, complete, or both, in any of its
events: what was not sent yet is sent. The words of a message wait for the one in front of it; calls may mix, as in chat
completions. Events of other types, of tools that the service itself runs or of a newer version, add nothing.
"""

from __future__ import annotations

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.responses.types import RESPONSES_EVENT
from clawgate.wire.responses.types import Event as ResponsesEvent
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.chat_to_responses import response
from clawgate.wire.translate.chat_to_responses.chunk_writer import ChunkWriter
from clawgate.wire.translate.chat_to_responses.output_items import CALLS, Channel, OutputItem, OutputItems
from clawgate.wire.translate.exchange import TranslatedStream

KEEP_ALIVE = b": keep-alive\n\n"

_TEXTS = {
    "response.output_text": ("message", "text"),
    "response.refusal": ("message", "refusal"),
    "response.function_call_arguments": ("function_call", "arguments"),
    "response.custom_tool_call_input": ("custom_tool_call", "input"),
    "response.reasoning_summary_text": ("reasoning", "summary"),
    "response.reasoning_text": ("reasoning", "reasoning"),
    "response.reasoning": ("reasoning", "reasoning"),
}
"""By an event's type without `.delta` or `.done`: the kind of item that it belongs to, and which of its texts.

The last one is the OpenResponses specification's name.
"""
_DELTAS = {f"{name}.delta": text for name, text in _TEXTS.items()}
_WHOLE = {f"{name}.done": text for name, text in _TEXTS.items()}
_PARTS = {
    "output_text": ("message", "text", "text"),
    "text": ("message", "text", "text"),
    "refusal": ("message", "refusal", "refusal"),
    "reasoning_text": ("reasoning", "reasoning", "text"),
    "summary_text": ("reasoning", "summary", "text"),
}
"""By the type of a part: the kind of its item, which text it is, and the member that has it."""
_ITEMS = ("response.output_item.added", "response.output_item.done")
_PARTS_DONE = ("response.content_part.done", "response.reasoning_summary_part.done")
_ENDS = ("response.completed", "response.incomplete")
_FAILS = ("response.failed", "response.cancelled")
_NO_PART = ("", "", "")


class ChatStream(TranslatedStream):
    """One stream: events of the Responses API in, chat completion chunks out."""

    __slots__ = ("_items", "_speaker", "_writer")

    def __init__(self, writer: ChunkWriter) -> None:
        super().__init__()
        self._writer = writer
        self._items = OutputItems()
        self._speaker: OutputItem | None = None  # the message whose words are sent as they come

    def feed(self, event: Event, out: list[bytes]) -> None:
        data = event.data
        if not data or data.isspace():
            if event.raw.strip() and not self._over:
                out.append(KEEP_ALIVE)
            return
        self._writer.out = out
        if data.startswith(b"[DONE]"):
            if not self._over:
                raise UpstreamMalformed("the upstream's stream has [DONE] without a completed response")
            return
        try:
            read = strict.parse_response(data, RESPONSES_EVENT, self._halves)
        except UpstreamMalformed:
            self._fail_if_error(data)
            if self._over:
                return
            raise
        kind = lenient.as_word(read.type) or event.name.decode("ascii", "replace")
        if kind in _FAILS:
            self._fail(response.failure(read.response))
        elif kind == "error":
            self._fail(upstream_errors.find_error(data) or upstream_errors.UNSPECIFIED)
        elif not kind.startswith("response."):
            self._fail_if_error(data)
            if not (kind or self._over):
                raise UpstreamMalformed("the upstream's stream has an event without a type")
        elif not self._over:
            self._event(kind, read)

    def end(self, out: list[bytes]) -> None:
        if not self._over:
            raise UpstreamClosed("the upstream's stream ended before the response was completed")

    def finish_with(self, given: dict[str, object], out: list[bytes]) -> None:
        """Append everything of a complete response that was not sent yet, and the end.

        Raises `UpstreamFailed` for one that failed.
        """
        if given.get("status") in response.FAILED or given.get("error"):
            self._fail(response.failure(given))
        self._writer.out = out
        self._writer.start(given.get("id"))
        output = given.get("output")
        entries = [one for one in output if isinstance(one, dict)] if isinstance(output, list) else []
        names = [(lenient.as_text(entry.get("type")), entry.get("id")) for entry in entries]
        for item, entry in zip(self._items.of_output(names), entries, strict=True):
            self._complete(item, entry)
        for item in self._items.all:
            if not item.is_done:
                self._complete(item, {"status": given.get("status")})
            if item.kind in CALLS and item.number < 0:
                raise UpstreamMalformed("the upstream's response calls a tool without a name")
        self._writer.citations(self._items.all)
        lenient.merge_counts(self._usage, given.get("usage"))
        called = self._writer.calls > 0
        reason = response.finish_reason(given.get("status"), given.get("incomplete_details"), called=called)
        self._writer.finish(reason, self._usage, given.get("service_tier"))
        self._over = self.finished = True

    def _event(self, kind: str, read: ResponsesEvent) -> None:
        if (text := _DELTAS.get(kind)) is not None:
            if isinstance(read.delta, str) and read.delta:
                item, channel = self._place(text, read)
                if not (item.is_done or channel in item.whole):
                    self._add(item, channel, read.delta, read.logprobs)
        elif (text := _WHOLE.get(kind)) is not None:
            self._text_done(text, read)
        elif kind in _ENDS:
            self._last(kind, read.response)
        elif kind in _ITEMS:
            if isinstance(read.item, dict):
                self._item(read.item, read.output_index, is_done=kind.endswith("done"))
        elif kind in _PARTS_DONE:
            name, part, _ = _PARTS.get(lenient.as_text(lenient.as_member(read.part, "type")), _NO_PART)
            if name:
                item, (_, number) = self._place((name, part), read)
                self._part(item, number, read.part)
        elif kind == "response.output_text.annotation.added":
            item, (_, number) = self._place(("message", "text"), read)
            at = lenient.as_int(read.annotation_index)
            self._annotate(item, (number, len(item.annotations) if at is None else at), read.annotation)
        elif read.error:
            self._fail(upstream_errors.error_in_json({"error": read.error}) or upstream_errors.UNSPECIFIED)
        elif isinstance(read.response, dict):
            self._writer.start(read.response.get("id"))
            lenient.merge_counts(self._usage, read.response.get("usage"))

    def _last(self, kind: str, given: object) -> None:
        last = dict(given) if isinstance(given, dict) else {}
        if last.get("status") not in (*response.FINISHED, *response.FAILED):
            last["status"] = kind.removeprefix("response.")
        self.finish_with(last, self._writer.out)

    def _place(self, text: tuple[str, str], read: ResponsesEvent) -> tuple[OutputItem, Channel]:
        """Return which text of which item an event is about."""
        kind, name = text
        index = read.summary_index if name == "summary" else read.content_index
        item = self._items.of(kind, read.item_id, read.output_index)
        return item, (name, lenient.as_int(index) or 0)

    def _text_done(self, text: tuple[str, str], read: ResponsesEvent) -> None:
        item, channel = self._place(text, read)
        name = channel[0]
        whole = getattr(read, name) if name in ("refusal", "arguments", "input") else read.text
        self._whole(item, channel, response.text_of(whole), read.logprobs)
        item.whole.add(channel)
        item.name = item.name or lenient.as_word(read.name)
        if name == "text":
            self._release(item)

    def _item(self, entry: dict[str, object], index: object, *, is_done: bool) -> None:
        kind, item_id = lenient.as_text(entry.get("type")), entry.get("id")
        if is_done:
            self._complete(self._items.of(kind, item_id, index), entry)
        else:
            item = self._items.added(kind, item_id, index, entry.get("call_id"))
            if kind in CALLS:
                self._begin_call(item, entry)

    def _complete(self, item: OutputItem, entry: dict[str, object]) -> None:
        """Send what was not sent yet of an item that is complete."""
        item.id = item.id or lenient.as_word(entry.get("id"))
        if item.kind in CALLS:
            self._begin_call(item, entry)
            name = CALLS[item.kind][0]
            whole = response.text_of(entry.get(name))
            if not (whole or item.sent) and name == "arguments" and entry.get("status") != "incomplete":
                whole = "{}"
            self._whole(item, (name, 0), whole, None)
        for member in ("summary", "content"):
            parts = entry.get(member)
            for number, part in enumerate(parts if isinstance(parts, list) else ()):
                self._part(item, number, part)
        if item.kind == "message":
            self._release(item)
        elif item.kind == "reasoning" and (data := entry.get("encrypted_content")):
            self._writer.encrypted(item, lenient.as_text(data))
        item.is_done = True

    def _part(self, item: OutputItem, number: int, part: object) -> None:
        """Send what was not sent yet of a part that is complete."""
        kind, name, member = _PARTS.get(lenient.as_text(lenient.as_member(part, "type")), _NO_PART)
        if kind != item.kind:
            return
        text = lenient.as_text(lenient.as_member(part, member))
        self._whole(item, (name, number), text, lenient.as_member(part, "logprobs"))
        cited = lenient.as_member(part, "annotations")
        for at, annotation in enumerate(cited if isinstance(cited, list) else ()):
            self._annotate(item, (number, at), annotation)

    def _whole(self, item: OutputItem, channel: Channel, whole: str, logprobs: object) -> None:
        sent = item.sent.get(channel, 0)
        if len(whole) > sent:
            self._add(item, channel, whole[sent:], None if sent else logprobs)

    def _add(self, item: OutputItem, channel: Channel, piece: str, logprobs: object) -> None:
        """Pass on a piece of one of an item's texts: at once, or when its turn comes."""
        item.sent[channel] = item.sent.get(channel, 0) + len(piece)
        match channel[0]:
            case "text":
                self._speak(item, channel, piece, logprobs)
            case "refusal":
                self._writer.refusal(piece)
            case "arguments" | "input" if item.number < 0:
                self._hold(item, channel, piece, None)
            case "arguments" | "input":
                self._writer.arguments(item, piece)
            case _:
                self._writer.reasoning(item, channel, piece)

    def _speak(self, item: OutputItem, channel: Channel, piece: str, logprobs: object) -> None:
        speaker = self._speaker
        if speaker is None or speaker is item or speaker.has_spoken:
            self._speaker = item
            self._writer.text(item, channel[1], piece, logprobs)
        else:
            self._hold(item, channel, piece, logprobs)

    def _release(self, item: OutputItem) -> None:
        """Let the next message speak, once this one is complete."""
        item.has_spoken = True
        if item is not self._speaker:
            return
        for other in self._items.all:
            if other.kind == "message" and other.held:
                held, other.held = other.held, []
                for channel, piece, logprobs in held:
                    self._speak(other, channel, piece, logprobs)

    def _begin_call(self, item: OutputItem, entry: dict[str, object]) -> None:
        """Send what is called, as soon as it is known, and the arguments that came in front of it."""
        item.call_id = item.call_id or entry.get("call_id")
        item.name = item.name or lenient.as_word(entry.get("name"))
        if item.number >= 0 or item.name is None:
            return
        self._writer.begin_call(item)
        held, item.held = item.held, []
        for _, piece, _ in held:
            self._writer.arguments(item, piece)

    def _hold(self, item: OutputItem, channel: Channel, piece: str, logprobs: object) -> None:
        item.held.append((channel, piece, logprobs))
        self._count(len(piece) + 64)  # about what a piece costs besides its text

    def _annotate(self, item: OutputItem, place: tuple[int, int], annotation: object) -> None:
        if place not in item.annotations:
            self._count(256)  # about the size of one
        item.annotations[place] = annotation

    def _count(self, size: int) -> None:
        self.held_bytes += size
        if self.held_bytes > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the upstream mixes more than {MAX_EVENT_BYTES} bytes of several items")
