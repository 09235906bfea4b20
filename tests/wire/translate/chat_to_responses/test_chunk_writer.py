"""A chunk has what the OpenAI SDK needs to add it up, whatever it is of."""

from __future__ import annotations

from typing import Any

from clawgate.wire.openai.chunks import DONE
from clawgate.wire.translate.chat_to_responses.chunk_writer import ChunkWriter
from clawgate.wire.translate.chat_to_responses.output_items import OutputItem
from clawgate.wire.translate.chat_to_responses.reasoning import kept_items
from tests.wire.exchanges import events


def deltas(writer: ChunkWriter) -> list[dict[str, Any]]:
    chunks = [chunk for chunk in events(b"".join(writer.out)) if chunk != "[DONE]"]
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]][1:]


def new(**members: Any) -> ChunkWriter:
    return ChunkWriter(model="m", created=1, include_usage=False, **members)


def test_an_entry_of_reasoning_is_named_in_its_first_piece_alone() -> None:
    """The SDK joins all texts of the entries of one index."""
    writer, item = new(tag="t"), OutputItem("reasoning", "rs_1")
    for piece in ("a", "b"):
        writer.reasoning(item, ("summary", 0), piece)
    writer.reasoning(item, ("summary", 1), "c")
    writer.encrypted(item, "sealed")
    writer.encrypted(item, "again")
    named = {"id": "rs_1", "format": "openai-responses-v1", "provider": "t"}
    summary = {"type": "reasoning.summary"}
    shown = [(delta.get("reasoning_content"), delta["reasoning_details"]) for delta in deltas(writer)]
    assert shown == [
        ("a", [{**summary, "summary": "a", **named, "index": 0}]),
        ("b", [{**summary, "summary": "b", "index": 0}]),
        ("\n\nc", [{**summary, "summary": "c", **named, "index": 1}]),
        (None, [{"type": "reasoning.encrypted", "data": "sealed", **named, "index": 2}]),
    ]


def test_the_next_call_carries_what_is_encrypted() -> None:
    writer = new(tag="t")
    writer.encrypted(OutputItem("reasoning", "rs_1"), "sealed")
    for call_id in ("call_1", "call_2"):
        writer.begin_call(OutputItem("function_call", name="f", call_id=call_id))
    [own], [carried] = (
        delta["reasoning_details"] for delta in deltas(writer) if "reasoning_details" in delta
    )
    assert (own["index"], carried["index"], carried["id"], carried["provider"]) == (0, 1, "call_1", "t")
    item = {"type": "reasoning", "summary": [], "id": "rs_1", "encrypted_content": "sealed"}
    assert kept_items([carried], "t") == kept_items([own], "t") == [item]
    assert kept_items([carried], "u") == []


def test_a_client_of_the_old_form_gets_the_first_call_in_it() -> None:
    writer = new(has_old_form=True)
    for name in ("f", "g"):
        item = OutputItem("function_call", name=name)
        writer.begin_call(item)
        writer.arguments(item, "{}")
    writer.finish("tool_calls", {}, None)
    assert deltas(writer) == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    assert b'"finish_reason":"function_call"' in writer.out[-2] and writer.out[-1] == DONE


def test_the_service_tier_comes_with_the_usage() -> None:
    writer = ChunkWriter(model="m", created=1, include_usage=True)
    writer.finish("stop", {"input_tokens": 1}, "flex")
    *_, last, _ = events(b"".join(writer.out))
    assert last["service_tier"] == "flex" and last["usage"]["prompt_tokens"] == 1
