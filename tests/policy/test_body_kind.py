"""A body at the wrong endpoint is an error that names the right one, and no other body is."""

from __future__ import annotations

import pytest

from clawgate.errors import InvalidRequest
from clawgate.policy.body_kind import check_body_kind

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"
COUNT = "/v1/messages/count_tokens"


@pytest.mark.parametrize(
    ("path", "names", "meant"),
    [
        (CHAT, "model input", RESPONSES),
        (CHAT, "model input instructions stream", RESPONSES),
        (CHAT, "model input encoding_format", EMBEDDINGS),
        (CHAT, "model prompt max_tokens", COMPLETIONS),
        (CHAT, "model messages max_tokens system", MESSAGES),
        (RESPONSES, "model messages", CHAT),
        (RESPONSES, "model messages max_tokens stream", CHAT),
        (RESPONSES, "model messages max_tokens system", MESSAGES),
        (MESSAGES, "model input", RESPONSES),
        (MESSAGES, "model messages max_completion_tokens", CHAT),
        (MESSAGES, "model messages response_format", CHAT),
        (COMPLETIONS, "model messages", CHAT),
        (COMPLETIONS, "model input", RESPONSES),
    ],
)
def test_a_body_of_another_endpoint_names_it(path: str, names: str, meant: str) -> None:
    with pytest.raises(
        InvalidRequest, match=f"is a request of {meant}, and {path} cannot serve it; send it to {meant}"
    ):
        check_body_kind(path.encode(), frozenset(names.split()))


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (CHAT, "model messages"),
        (CHAT, "model messages input prompt"),
        (CHAT, "model messages system"),
        (CHAT, "model messages system max_tokens seed"),
        (CHAT, "model messages max_tokens thinking"),
        (CHAT, "model"),
        (CHAT, ""),
        (RESPONSES, "model input"),
        (RESPONSES, "model input messages"),
        (RESPONSES, "model prompt"),
        (RESPONSES, "model previous_response_id messages"),
        (MESSAGES, "model messages max_tokens"),
        (MESSAGES, "model messages"),
        (MESSAGES, "model messages max_tokens response_format"),
        (COUNT, "model messages tools"),
        (COMPLETIONS, "model prompt"),
        (EMBEDDINGS, "model input"),
        (EMBEDDINGS, "model messages"),
    ],
)
def test_every_other_body_passes(path: str, names: str) -> None:
    """Also one with fields too many, and one whose error is the provider's or the translation's to find."""
    check_body_kind(path.encode(), frozenset(names.split()))
