"""Items of other services leave their words, never their encoded data."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.responses_to_chat.foreign_items import as_text


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"type": "web_search_call", "id": "x", "status": "completed",
          "action": {"type": "search", "query": "q", "queries": ["q"]}}, "[web search call]\nq\nq\nsearch"),
        ({"type": "file_search_call", "queries": ["a"], "results": [{"filename": "f", "text": "t", "score": 0.5}]},
         "[file search call]\na\nf\nt"),
        ({"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}", "output": "o", "id": "x"},
         "[mcp call]\ns\nn\n{}\no"),
        ({"type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
         "[code interpreter call]\n1+1\nlogs\n2"),
        ({"type": "shell_call_output", "output": [{"stdout": "a", "stderr": "b"}]},
         "[shell call output]\na\nstderr: b"),
        ({"type": "image_generation_call", "result": "iVBORw0K", "id": "i"},
         "[image generation call: left out, since this model cannot read it]"),
        ({"type": "compaction", "encrypted_content": "gAAA"},
         "[compaction: left out, since this model cannot read it]"),
        ({"type": "mcp_approval_response", "approve": False}, "[The call was refused.]"),
        ({"type": "mcp_list_tools", "tools": [{"name": "n"}]}, ""),
    ],
)  # fmt: skip
def test_an_item_is_its_words(item: dict[str, Any], text: str) -> None:
    assert as_text(item) == text
