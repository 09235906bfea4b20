"""Translates one exchange of a Messages client with an upstream that speaks chat completions.

What both APIs know is translated. What would change the meaning of the response and has no counterpart is rejected with
the field's name (`request_fields.check_supported`); hints are left out and listed in ``ignored``. Usage is always
requested with a stream, since Anthropic's clients expect it, unless the upstream rejects that. Names and ids that are
too long for OpenAI are shortened.
"""

from __future__ import annotations

from typing import Any

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import strict
from clawgate.wire.openai.types import CHAT_RESPONSE, ChatCompletion
from clawgate.wire.translate import chat_compat, thinking_format
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.anthropic_to_openai import request_fields, response, tools
from clawgate.wire.translate.anthropic_to_openai.foreign_blocks import read_request
from clawgate.wire.translate.anthropic_to_openai.messages import TurnTranslator
from clawgate.wire.translate.anthropic_to_openai.stream import MessagesStream
from clawgate.wire.translate.chat_upstream.call_ids import LONGEST, CallIds
from clawgate.wire.translate.chat_upstream.completion import HTML_ENTITIES
from clawgate.wire.translate.chat_upstream.instructions import lead_with_developer
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import Translation, read_response


class MessagesToChat(Translation):
    """A Messages client, a chat upstream."""

    target = b"/v1/chat/completions"

    def __init__(
        self,
        *,
        requested_model: str,
        upstream_model: str,
        compat: Compat = NO_COMPAT,
        max_tokens_field: str = "max_tokens",
        unique_id: str = "unnamed",
        provider: str = "",
        longest_call_id: int | None = LONGEST,
    ) -> None:
        self._requested = requested_model
        self._model = upstream_model
        self._compat = compat
        self._max_tokens_field = compat.max_tokens_field or max_tokens_field
        self._names = ToolNames()
        self._ids = CallIds(unique=unique_id, provider=provider, longest=longest_call_id)
        self._stream = MessagesStream(model=requested_model, names=self._names, ids=self._ids, compat=compat)

    def translate_request(self, body: bytes) -> bytes:
        request = read_request(body)
        request_fields.check_supported(request)
        compat = self._compat
        keeps_marks = compat.cache_control_format == "anthropic"
        turns = TurnTranslator(
            names=self._names,
            ids=self._ids,
            all_thinking=compat.requires_thinking_as_text is True,
            keeps_cache_control=keeps_marks,
        )
        fields: dict[str, Any] = {
            "model": self._model,
            "messages": turns.translate(request.system, request.messages),
            self._max_tokens_field: request.max_tokens,
            **request_fields.sampling_fields(request),
        }
        available = tools.tools_at_the_end(request.tools, request.messages)
        if translated := tools.chat_tools(available, self._names, keeps_cache_control=keeps_marks):
            fields["tools"] = translated
            tools.set_tool_choice(request.tool_choice, fields, self._names)
        if (output := request_fields.response_format(request)) is not None:
            fields["response_format"] = output
        self.streams = bool(request.stream)
        if self.streams:
            fields["stream"] = True
            fields["stream_options"] = {"include_usage": True}
        ignored = request_fields.ignored_fields(request, strict.member_names(body))
        ignored += sorted(turns.ignored - {*ignored})
        effort = request_fields.requested_effort(request)
        enabled = request_fields.thinks(request)
        takes = compat.reasoning or compat.thinking_format not in (None, "openai")
        if not (takes and thinking_format.set_thinking(fields, compat, enabled=enabled, effort=effort)):
            ignored += request_fields.thinking_fields(request)
        dropped = chat_compat.adapt_fields(fields, compat)
        self.ignored = (*ignored, *(name for name in dropped if name != "stream_options"))
        if compat.supports_developer_role and compat.reasoning:
            lead_with_developer(fields["messages"])
        return strict.encode_request(fields)

    def translate_response(self, body: bytes) -> bytes:
        message = response.message(
            self._read(body),
            model=self._requested,
            names=self._names,
            ids=self._ids,
            visible=self._compat.visible_reasoning_detail_types,
            decode_entities=self._compat.tool_call_arguments_encoding == HTML_ENTITIES,
        )
        return strict.encode_response(message)

    def response_as_stream(self, body: bytes) -> bytes:
        completion = self._read(body)
        if not completion.choices:
            raise UpstreamMalformed("the upstream's response has no choices")
        choice = completion.choices[0]
        for number, call in enumerate(choice.message.tool_calls or ()):
            call.index = number
        streamed = {"index": 0, "delta": choice.message, "finish_reason": choice.finish_reason}
        chunk = {
            "id": completion.id,
            "choices": [streamed],
            "usage": completion.usage or choice.usage,
            "error": choice.error or None,
        }
        return self._as_stream([chunk])

    def _read(self, body: bytes) -> ChatCompletion:
        """Return the completion; raises `UpstreamFailed` with the upstream's message if it is an error instead."""
        completion = read_response(body, CHAT_RESPONSE)
        if not completion.choices and (error := upstream_errors.find_error(body)) is not None:
            raise error.as_failure()
        return completion

    def translate_error(self, status: int, body: bytes) -> bytes:
        return upstream_errors.messages_body(upstream_errors.parse_error(body, status), status)

    @property
    def _streamed(self) -> MessagesStream:
        return self._stream

    def error_event(self) -> bytes:
        return upstream_errors.messages_event(self._stream.error) if self._stream.error is not None else b""
