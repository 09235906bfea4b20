from __future__ import annotations

import pytest

from clawgate.settings.litellm.deployment import reference_or_text, seconds_of
from tests.settings.litellm.yaml_text import SECRET, entry, models, notes, plan

HOME = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("params", "base_url", "api"),
    [
        ("model: openai/m", HOME, "openai-completions"),
        ("model: m, custom_llm_provider: openai", HOME, "openai-completions"),
        ("model: openai/m, api_base: 'https://up.example.com/v1/'", "https://up.example.com/v1", "openai-completions"),
        ("model: openai/m, base_url: 'https://up.example.com'", "https://up.example.com/v1", "openai-completions"),
        ("model: openai/m, api_base: 'https://up.example.com/x/chat/completions'", "https://up.example.com/x",
         "openai-completions"),
        ("model: ollama/m", "http://localhost:11434/v1", "openai-completions"),
        ("model: ollama_chat/m, api_base: 'http://gpu:11434'", "http://gpu:11434/v1", "openai-completions"),
        ("model: ollama_chat/m, api_base: 'http://gpu:11434/v1'", "http://gpu:11434/v1", "openai-completions"),
        ("model: anthropic/m", "https://api.anthropic.com", "anthropic-messages"),
        ("model: anthropic/m, api_base: 'https://up.example.com/v1/messages'", "https://up.example.com/v1",
         "anthropic-messages"),
        ("model: azure/m, api_base: 'https://x.openai.azure.com'", "https://x.openai.azure.com/openai/v1",
         "openai-completions"),
        ("model: openai/m, api_base: os.environ/BASE", "${BASE}", "openai-completions"),
        ("model: ollama/m, api_base: os.environ/BASE", "${BASE}/v1", "openai-completions"),
    ],
)  # fmt: skip
def test_the_address_is_where_litellm_sends_requests(params: str, base_url: str, api: str) -> None:
    (block,) = plan(models(entry("x", params))).providers.values()
    assert (block["baseUrl"], block["api"]) == (base_url, api)


@pytest.mark.parametrize(
    ("params", "key", "reason"),
    [
        ("model: bedrock/m", "model", "a key of AWS"),
        ("model: vertex_ai/m", "model", "tokens of Google"),
        ("model: somebody/m", "model", "does not know its prefix"),
        ("model: m", "model", "has no prefix"),
        ("model: hosted_vllm/m", "api_base", "needs an address"),
        ("model: openai/m, api_base: localhost", "api_base", "the address must look like"),
        (f"model: openai/m, api_base: 'https://u:{SECRET}@x.example.com'", "api_base", "must not carry a user name"),
        ("model: azure/m, api_base: 'https://x.example.com'", "api_base", "its host is none of *.openai.azure.com"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_reached_is_left_out_with_its_reason(
    params: str, key: str, reason: str
) -> None:
    found = plan(models(entry("x", params), entry("y", "model: groq/m")))
    assert list(found.providers) == ["groq"] and SECRET not in str(found.notes)
    assert reason in notes(found)[f"model_list[0].litellm_params.{key}"]


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ("model: openai/m, api_key: os.environ/MY_KEY", "${MY_KEY}"),
        (f"model: openai/m, api_key: {SECRET}", SECRET),
        ("model: openai/m, api_key: none", "none"),
        ("model: openai/m, api_key: 'a${b'", "a$${b"),
        ("model: openai/m", "${OPENAI_API_KEY}"),
        ("model: groq/m", "${GROQ_API_KEY}"),
        ("model: hosted_vllm/m, api_base: 'https://up.example.com/v1'", None),
        ("model: openai/m, api_base: 'https://up.example.com/v1'", None),
        ("model: openai/m, api_key: '<my-key>'", None),
        ("model: openai/m, api_key: 'sk-...'", None),
    ],
)
def test_a_key_becomes_a_reference_and_no_vendors_key_goes_to_another_address(
    params: str, key: str | None
) -> None:
    found = plan(models(entry("x", params)))
    (block,) = found.providers.values()
    assert block.get("apiKey") == key
    assert SECRET not in repr(found) and SECRET not in str(found.notes)


def test_headers_and_the_organization_are_headers_of_the_provider() -> None:
    text = entry(
        "x", "model: openai/m, organization: os.environ/ORG, extra_headers: {X-Team: a, X-N: 3, X-L: [1]}"
    )
    found = plan(models(text))
    assert found.providers["openai"]["headers"] == {
        "X-Team": "a",
        "X-N": "3",
        "OpenAI-Organization": "${ORG}",
    }
    assert "the header is left out" in str(found.notes)


@pytest.mark.parametrize(
    ("host", "private"),
    [("localhost", True), ("127.0.0.1", True), ("10.0.0.7", True), ("vllm", True), ("nas.local", True),
     ("[::1]", True), ("up.example.com", False), ("8.8.8.8", False)],
)  # fmt: skip
def test_a_private_address_is_allowed_on_request_alone(host: str, private: bool) -> None:
    text = models(entry("x", f"model: openai/m, api_base: 'http://{host}:8000/v1'"))
    refused, allowed = plan(text), plan(text, allow_private=True)
    assert ["request" in block for block in refused.providers.values()] == [False]
    assert ("--allow-private-network" in str(refused.notes)) is private
    assert ["request" in block for block in allowed.providers.values()] == [private]
    assert allowed.notes == []


def test_what_a_model_can_is_taken_from_model_info() -> None:
    info = "max_input_tokens: 8000, max_output_tokens: 900, supports_vision: true, supports_reasoning: true, id: x"
    found = plan(models(entry("x", "model: openai/responses/m", info)))
    assert found.providers["openai"]["models"] == [
        {"id": "m", "name": "m", "api": "openai-responses", "contextWindow": 8000, "maxTokens": 900,
         "input": ["text", "image"], "reasoning": True}
    ]  # fmt: skip
    assert notes(found) == {"model_list[0].model_info.id": "clawgate has no setting for it"}


@pytest.mark.parametrize("mode", ["image_generation", "audio_transcription", "rerank"])
def test_a_model_of_another_kind_is_left_out(mode: str) -> None:
    found = plan(models(entry("x", "model: openai/m", f"mode: {mode}")))
    assert found.is_empty and "does not serve this mode" in str(found.notes)


@pytest.mark.parametrize(
    "key", ["rpm", "temperature", "stream_timeout", "max_retries", "mock_response", "api_version"]
)
def test_no_parameter_is_skipped_in_silence(key: str) -> None:
    found = plan(models(entry("x", f"model: openai/m, {key}: 3")))
    assert list(notes(found)) == [f"model_list[0].litellm_params.{key}"]


def test_an_entry_without_a_model_is_named() -> None:
    found = plan("model_list:\n- model_name: x\n- 3\n- model_name: y\n  litellm_params: {model: openai/m}\n")
    assert [note.text for note in found.notes] == ["the entry names no model", "an entry is not a mapping"]
    assert list(found.aliases) == ["y"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(30, 30), ("2.5", 2.5), (0, None), (-1, None), ("x", None), (None, None), (True, None),
     ("inf", None), ([], None)],
)  # fmt: skip
def test_seconds_are_a_positive_number(value: object, seconds: float | None) -> None:
    assert seconds_of(value) == seconds


@pytest.mark.parametrize(
    ("value", "written"), [("os.environ/A_b1", "${A_b1}"), ("os.environ/", "os.environ/"), ("x", "x")]
)
def test_a_variable_of_litellm_is_a_reference_of_ours(value: str, written: str) -> None:
    assert reference_or_text(value) == written
