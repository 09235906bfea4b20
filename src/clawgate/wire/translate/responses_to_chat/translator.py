"""Translates one exchange of a Responses client with an upstream that speaks chat completions.

What both APIs know is translated. What would change the meaning of the response and has no counterpart is rejected with
the field's name (`request_fields.check_supported`, `tools`); hints are left out and listed in ``ignored``. Usage is
always requested with a stream, since every response of this API has it, unless the upstream rejects that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import strict
from clawgate.wire.openai.types import CHAT_RESPONSE
from clawgate.wire.responses import types as responses
from clawgate.wire.translate import chat_compat, thinking_format
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.chat_upstream.call_ids import LONGEST, CallIds
from clawgate.wire.translate.chat_upstream.instructions import lead_with_developer
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import Translation, read_response, reject
from clawgate.wire.translate.responses_to_chat import request_fields, response, tools
from clawgate.wire.translate.responses_to_chat.conversation import ConversationTranslator
from clawgate.wire.translate.responses_to_chat.stream import ResponsesStream
from clawgate.wire.translate.responses_to_chat.writer import ResponseWriter


class ResponsesToChat(Translation):
    """A Responses client, a chat upstream."""

    target = b"/v1/chat/completions"

    def __init__(
        self,
        *,
        requested_model: str,
        upstream_model: str,
        created: int,
        unique_id: str = "unnamed",
        compat: Compat = NO_COMPAT,
        max_tokens_field: str = "max_tokens",
        provider: str = "",
        longest_call_id: int | None = LONGEST,
        kept: Mapping[str, object] | None = None,
    ) -> None:
        """``kept`` are members of the response that say how it is kept, in place of those of one that is not."""
        self._requested = requested_model
        self._model = upstream_model
        self._created = created
        self._kept = kept or {}
        self._unique = unique_id
        self._compat = compat
        self._max_tokens_field = compat.max_tokens_field or max_tokens_field
        self._tools = tools.ToolTable()
        self._ids = CallIds(unique=unique_id, provider=provider, longest=longest_call_id)
        self._stream = self._new_stream(responses.ResponsesRequest(), response.Repeated())

    def translate_request(self, body: bytes) -> bytes:
        request = strict.parse_request(body, responses.RESPONSES_REQUEST)
        request_fields.check_supported(request)
        if not request.input and not request.instructions:
            reject("input", "is missing" if request.input is None else "is empty")
        compat = self._compat
        self._tools.add_all(request.tools or (), "tools")
        conversation = ConversationTranslator(
            tools=self._tools, ids=self._ids, all_thinking=compat.requires_thinking_as_text is True
        )
        fields: dict[str, Any] = {
            "model": self._model,
            "messages": conversation.translate(request.instructions, request.input or []),
            **request_fields.sampling_fields(request, self._max_tokens_field),
            **request_fields.cache_fields(request, compat),
        }
        tools.set_tools(self._tools, request, fields)
        self.streams = bool(request.stream)
        if self.streams:
            fields["stream"] = True
            fields["stream_options"] = {"include_usage": True}
        present = [name for name in strict.member_names(body) if name not in fields]
        ignored = request_fields.ignored_fields(request, present)
        ignored += sorted(self._tools.ignored | conversation.ignored)
        effort = request_fields.effort_of(request)
        enabled = effort not in (None, "none")
        takes = compat.reasoning or compat.thinking_format not in (None, "openai")
        taken = takes and thinking_format.set_thinking(fields, compat, enabled=enabled, effort=effort)
        if enabled and not taken:
            ignored.append("reasoning.effort")
        dropped = chat_compat.adapt_fields(fields, compat)
        self.ignored = (*ignored, *(name for name in dropped if name != "stream_options"))
        if compat.supports_developer_role and compat.reasoning:
            lead_with_developer(fields["messages"])
        self._stream = self._new_stream(request, strict.decode(body, response.REPEATED))
        return strict.encode_request(fields)

    def translate_response(self, body: bytes) -> bytes:
        self._complete(body)
        return strict.encode_response(self._stream.response)

    def response_as_stream(self, body: bytes) -> bytes:
        return self._complete(body)

    def _complete(self, body: bytes) -> bytes:
        """Return the client's stream for a complete response: the response itself is what that ends with."""
        completion = read_response(body, CHAT_RESPONSE)
        if not completion.choices:
            if (error := upstream_errors.find_error(body)) is not None:
                raise error.as_failure()
            raise UpstreamMalformed("the upstream's response has no choices")
        choice = completion.choices[0]
        if not (choice.finish_reason or choice.error):
            raise UpstreamMalformed("the upstream's response has no finish_reason: it may be incomplete")
        for number, call in enumerate(choice.message.tool_calls or ()):
            call.index = number
        chunk = {
            "id": completion.id,
            "choices": [{"index": 0, "delta": choice.message, "finish_reason": choice.finish_reason}],
            "usage": completion.usage or choice.usage,
            "error": choice.error or None,
        }
        return self._as_stream([chunk])

    def translate_error(self, status: int, body: bytes) -> bytes:
        return upstream_errors.chat_body(upstream_errors.parse_error(body, status), status)

    def error_event(self) -> bytes:
        error = self._stream.error
        if error is None:
            return b""
        fields = error.for_chat()
        return self.failure_event(
            message=error.message, kind=fields["type"] or "api_error", code=fields["code"], param=error.param
        )

    def failure_event(self, *, message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
        return self._stream.failure(message=message, kind=kind, code=code, param=param)

    @property
    def _streamed(self) -> ResponsesStream:
        return self._stream

    def _new_stream(self, request: responses.ResponsesRequest, sent: response.Repeated) -> ResponsesStream:
        head = response.head_of(
            request, sent, model=self._requested, created=self._created, unique=self._unique
        )
        writer = ResponseWriter({**head, **self._kept}, self._unique)
        seals = request_fields.ENCRYPTED in (request.include or ())
        return ResponsesStream(writer, table=self._tools, ids=self._ids, compat=self._compat, seals=seals)
