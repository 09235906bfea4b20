from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.policy.shown_path import LONGEST, shown_path

PLAIN = [
    "",
    "/",
    "/v1/chat/completions",
    "/v1/models/llama-3.1-8b-instruct-q4_k_m.gguf",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    "/models/gpt-oss:20b",
    "/meta-llama/Meta-Llama-3.1-70B-Instruct",
    "/docs/2026-11-30/page.html",
    "/archive/20261130/a",
    "/%7Euser/caf%C3%A9",
    "/a//b/../c",
    "/@user/statuses",
    "/authors/jane/monkeys/5",
]


@pytest.mark.parametrize("path", PLAIN)
def test_a_path_of_words_is_shown_as_it_was_sent(path: str) -> None:
    assert shown_path(path) == path
    assert shown_path(f"{path}?key=hunter2#fragment") == path, "without its query"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/sendMessage", "/***/sendMessage"),  # Telegram
        (
            "/services/T024BE7LH/B024BE7LH/9xK2mQp8vR4tYw7zA1bC3dE5",
            "/services/T024BE7LH/B024BE7LH/***",
        ),  # Slack
        ("/api/webhooks/1184/short", "/api/webhooks/***/short"),
        ("/api/webhooks/118412345678901234/aB3_short", "/api/webhooks/***/aB3_short"),  # Discord
        ("/token/hunter2/x", "/token/***/x"),
        ("/api-key/hunter2", "/api-key/***"),
        ("/API_KEY/hunter2", "/API_KEY/***"),
        ("/reset/abc", "/reset/***"),
        ("/f/550e8400-e29b-41d4-a716-446655440000", "/f/***"),
        ("/f/9F86D081884C7D659A2FEAA0C55AD015", "/f/***"),
        ("/k/sk-abcdefghijklmnop", "/k/***"),
        ("/k/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "/k/***"),
        ("/page;jsessionid=AB12/x", "/***/x"),
        ("/a/key=hunter2", "/a/***"),
        ("/proxy/http://user:pw@host/x", "/proxy/http://***/x"),
        ("/user%40mail.example/inbox", "/***/inbox"),
        ("/%68%75%6Eter%3Dtwo", "/***"),
        ("/%2574oken/hunter2", "/%2574oken/***"),  # encoded twice
        ("/a%252525252541", "/***"),  # so often that nobody should read it
        ("/x%2Ftoken%2Fhunter2", "/***"),
        ("/a%00b", "/***"),
        ("/" + "A" * 40, "/***"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(path: str, shown: str) -> None:
    assert shown_path(path) == shown


@given(st.from_regex(r"[a-fA-F0-9]{10,30}[0-9][a-fA-F]{10,30}", fullmatch=True))
def test_no_spelling_of_a_token_is_shown(token: str) -> None:
    everything = "".join(f"%{ord(letter):02X}" for letter in token)
    for spelling in (token, everything, quote(everything, safe="")):
        assert shown_path(f"/v1/{spelling}/x?y") == "/v1/***/x"


def test_a_path_is_bounded() -> None:
    assert shown_path("/word" * 1500) == ("/word" * 1500)[:LONGEST] + "..."
    assert shown_path("/" + "%41" * 5000) == "/***"
