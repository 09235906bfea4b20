"""Writes a tiny model with random weights as a GGUF file: llama.cpp loads it in milliseconds and it talks nonsense.

The same seed is the same file. A model that ``reasons`` begins inside of a thought, as Qwen3 and DeepSeek R1 do; one
that ``calls`` prefers to call a tool where the request has one. Format: GGUF 3, github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

WIDTH, INNER, CONTEXT = 32, 64, 4096
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9

START, END = "<|im_start|>", "<|im_end|>"
WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "house",
    "runs",
    "sees",
    "blue",
    "red",
    "big",
    "small",
    "and",
    "über",
    "漢字",
]
_CHARACTERS = [*map(chr, range(33, 127)), "▁", "ü", "é"]
_SPOKEN = [*(f"▁{word}" for word in WORDS), "</think>", "<tool_call>"]
TOKENS = ["<unk>", START, END, *(f"<0x{byte:02X}>" for byte in range(256)), *_CHARACTERS, *_SPOKEN]
_UNKNOWN, _CONTROL, _BYTE, _NORMAL = 2, 3, 6, 1
_TYPES = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * (len(_CHARACTERS) + len(_SPOKEN))]
_SCORES = [
    *[0.0] * 259,
    *(-1000.0 - rank for rank in range(len(_CHARACTERS))),
    *(-float(rank) for rank in range(len(_SPOKEN))),
]

_TEMPLATE = """{%- if tools %}<|im_start|>system
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>
For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call><|im_end|>
{% endif %}{% for message in messages %}{% if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else %}<|im_start|>{{ message.role }}
{% if message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content or '' }}{% for call in message.tool_calls or [] %}{% set called = call.function -%}
<tool_call>{"name": "{{ called.name }}", "arguments": {{ called.arguments | tojson }}}</tool_call>{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
THOUGHT{% endif %}"""


def _loudness(token: str, *, reasons: bool, calls: bool) -> float:
    """Return how readily the model writes the token; what it never writes are bytes and single characters."""
    wanted = {END: 4.2, "</think>": 4.6 if reasons else -9.0, "<tool_call>": 9.0 if calls else -9.0}
    return wanted.get(token, 4.0 if token in _SPOKEN else -9.0)


def write_model(path: Path, *, seed: int = 4, reasons: bool = False, calls: bool = False) -> Path:
    """Write the model and return its path."""
    chance = random.Random(seed)

    def noise(*shape: int, scale: float = 0.1) -> tuple[tuple[int, ...], array[float]]:
        return shape, array("f", (chance.gauss(0, scale) for _ in range(prod(shape))))

    ones = (WIDTH,), array("f", [1.0]) * WIDTH
    block = "blk.0."
    tensors = {
        "token_embd.weight": noise(WIDTH, len(TOKENS), scale=1.0),
        "output.weight": noise(WIDTH, len(TOKENS), scale=1.0),
        "output_norm.weight": ones,
        f"{block}attn_norm.weight": ones,
        f"{block}ffn_norm.weight": ones,
        **{f"{block}attn_{part}.weight": noise(WIDTH, WIDTH) for part in ("q", "k", "v", "output")},
        f"{block}ffn_gate.weight": noise(WIDTH, INNER),
        f"{block}ffn_up.weight": noise(WIDTH, INNER),
        f"{block}ffn_down.weight": noise(INNER, WIDTH),
    }
    for row, token in enumerate(
        TOKENS
    ):  # the first feature is the same for all: it makes tokens loud or silent
        tensors["token_embd.weight"][1][row * WIDTH] = 4.0
        tensors["output.weight"][1][row * WIDTH] = _loudness(token, reasons=reasons, calls=calls)
    path.write_bytes(_encoded(_metadata("<think>\n" if reasons else ""), tensors))
    return path


def _metadata(thought: str) -> dict[str, object]:
    return {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // 2,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.scores": _SCORES,
        "tokenizer.ggml.token_type": _TYPES,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.chat_template": _TEMPLATE.replace("THOUGHT", thought),
    }


def _encoded(
    metadata: Mapping[str, object], tensors: Mapping[str, tuple[tuple[int, ...], array[float]]]
) -> bytes:
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for name, value in metadata.items():
        head += _text(name) + _value(value)
    data = bytearray()
    for name, (shape, numbers) in tensors.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += numbers.tobytes()
        data += bytes(-len(data) % 32)
    return bytes(head + bytes(-len(head) % 32) + data)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _value(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", _BOOL, value)
        case int():
            return struct.pack("<II", _UINT32, value)
        case float():
            return struct.pack("<If", _FLOAT32, value)
        case str():
            return struct.pack("<I", _STRING) + _text(value)
        case list():
            return struct.pack("<I", _ARRAY) + _items(value)
    raise TypeError(value)


def _items(values: Sequence[object]) -> bytes:
    size = len(values)
    if isinstance(values[0], str):
        return struct.pack("<IQ", _STRING, size) + b"".join(_text(str(each)) for each in values)
    if isinstance(values[0], float):
        return struct.pack(f"<IQ{size}f", _FLOAT32, size, *values)
    return struct.pack(f"<IQ{size}i", _INT32, size, *values)
