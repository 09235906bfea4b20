"""Translates one exchange of a chat client with an upstream that speaks OpenAI's Responses API.

Nothing is stored upstream unless the client requests it (`store`): reasoning comes encrypted, and the client carries it
(`reasoning`). A complete response is made of the same chunks as a stream.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.errors import InvalidRequest, UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import strict
from clawgate.wire.openai.assembly import ChatAssembler
from clawgate.wire.sse.reader import EventReader
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.chat_client import ChatClientTranslation
from clawgate.wire.translate.chat_to_responses import reasoning, request_fields, response
from clawgate.wire.translate.chat_to_responses.chunk_writer import ChunkWriter
from clawgate.wire.translate.chat_to_responses.messages import InputItems, split_instructions
from clawgate.wire.translate.chat_to_responses.request_types import CHAT_REQUEST
from clawgate.wire.translate.chat_to_responses.stream import ChatStream
from clawgate.wire.translate.chat_to_responses.tools import set_tools
from clawgate.wire.translate.chat_upstream.opaque_state import provider_tag
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import read_response
from clawgate.wire.translate.responses_compat import adapt_responses_request

_object = msgspec.json.Decoder(dict[str, Any])


class ChatToResponses(ChatClientTranslation[ChatStream]):
    """A chat client, a Responses upstream."""

    target = b"/v1/responses"

    def __init__(
        self,
        *,
        requested_model: str,
        upstream_model: str,
        created: int,
        unique_id: str = "unnamed",
        compat: Compat = NO_COMPAT,
        provider: str = "",
    ) -> None:
        self._requested = requested_model
        self._model = upstream_model
        self._created = created
        self._made_id = f"chatcmpl-{unique_id}"  # of a response that came without one
        self._compat = compat
        self._tag = provider_tag(provider) if provider else ""
        self._has_old_form = False

    def translate_request(self, body: bytes) -> bytes:
        request = strict.parse_request(body, CHAT_REQUEST)
        request_fields.check_supported(request)
        items = InputItems(tag=self._tag)
        instructions, first = None, 0
        if self._compat.supports_instructions:
            instructions, first = split_instructions(request.messages)
        for number, message in enumerate(request.messages[first:], first):
            items.add(message, f"messages[{number}]")
        if not items.items:
            raise InvalidRequest(
                "'messages' has no content for a model; add a user message", param="messages"
            )
        fields: dict[str, Any] = {"model": self._model, "input": items.items}
        if instructions is not None:
            fields["instructions"] = instructions
        request_fields.set_fields(request, fields)
        set_tools(request, fields)
        ignored = [*request_fields.ignored_fields(strict.member_names(body)), *sorted(items.ignored)]
        if not request_fields.set_reasoning(request, fields, self._compat):
            ignored.append("reasoning_effort")
        if reasoning.gives_encrypted(self._model, self._compat):
            fields["include"] = [*fields.get("include", ()), "reasoning.encrypted_content"]
        dropped = adapt_responses_request(fields, self._compat)
        self.ignored = (*ignored, *(name for name in dropped if name != "store" or request.store))
        self._has_old_form = request.functions is not None
        self._begin_stream(request)
        return strict.encode_request(fields)

    def translate_response(self, body: bytes) -> bytes:
        stream = self._new_stream(include_usage=True, is_streamed=False)
        assembler = ChatAssembler()
        for event in EventReader().feed(self._streamed_body(body, stream)):
            assembler.feed(event)
        return assembler.complete()

    def response_as_stream(self, body: bytes) -> bytes:
        return self._streamed_body(body, self._streamed)

    def _streamed_body(self, body: bytes, stream: ChatStream) -> bytes:
        """Return the chunks of a complete response."""
        given = read_response(body, _object)
        status = given.get("status")
        if status in response.FAILED:
            raise response.failure(given).as_failure()
        if status not in response.FINISHED:
            if (error := upstream_errors.find_error(body)) is not None:
                raise error.as_failure()
            if "output" not in given:
                raise UpstreamMalformed("the upstream's response has no output")
            raise UpstreamClosed(
                f"the upstream's response is not finished: its status is {strict.abbreviated(repr(status))}"
            )
        out: list[bytes] = []
        stream.finish_with(given, out)
        return b"".join(out)

    def _new_stream(self, *, include_usage: bool, is_streamed: bool = True) -> ChatStream:
        return ChatStream(
            ChunkWriter(
                model=self._requested,
                created=self._created,
                made_id=self._made_id,
                include_usage=include_usage,
                tag=self._tag,
                has_old_form=self._has_old_form,
                is_streamed=is_streamed,
            )
        )
