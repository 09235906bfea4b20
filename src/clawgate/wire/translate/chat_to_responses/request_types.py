"""Types of a chat request whose upstream is OpenAI's Responses API: it knows more of the fields than Anthropic's."""

from __future__ import annotations

import msgspec

from clawgate.wire.openai import types as chat


class FunctionMessage(msgspec.Struct, tag_field="role", tag="function"):
    """The result of a call of the old form."""

    name: str
    content: str | None = None


class ChatRequest(chat.ChatRequest, kw_only=True):
    messages: list[chat.Message | FunctionMessage]  # type: ignore[assignment]  # the old form is one message more
    functions: list[chat.FunctionDefinition] | None = None  # type: ignore[assignment]  # read, not rejected
    function_call: str | chat.FunctionName | None = None  # type: ignore[assignment]  # read, not rejected
    store: bool | None = None
    verbosity: str | None = None
    metadata: chat.Json | None = None


CHAT_REQUEST = msgspec.json.Decoder(ChatRequest)
