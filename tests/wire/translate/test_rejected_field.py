"""An error about a field that a server does not know names the setting that helps; other errors stay as they are."""

from __future__ import annotations

import json

import pytest

from clawgate.settings.schema.model_compat import ModelCompat
from clawgate.wire.translate.errors import parse_error
from clawgate.wire.translate.rejected_field import KEYS, compat_key, with_compat_key


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("Unrecognized request argument supplied: max_completion_tokens", ("maxTokensField", '"max_tokens"')),
        ("[{'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra inputs are not permitted'}]",
         ("maxTokensField", '"max_tokens"')),
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
         ("maxTokensField", '"max_completion_tokens"')),
        ("unknown field `stream_options`, expected one of `model`", ("supportsUsageInStreaming", "false")),
        ("property 'store' is unsupported", ("supportsStore", "false")),
        ("Additional properties are not allowed ('prompt_cache_key' was unexpected)",
         ("supportsPromptCacheKey", "false")),
        ("This model does not support reasoning_effort.", ("supportsReasoningEffort", "false")),
        ("Unexpected role 'developer'", ("supportsDeveloperRole", "false")),
        ("tools param requires --jinja flag: not supported", ("supportsTools", "false")),
        ("messages.0.content: Input should be a valid string", ("requiresStringContent", "true")),
        ("response_format type json_schema is not supported", ("supportsJsonSchemaResponseFormat", "false")),
        ("max_completion_tokens is too large: 100000. This model supports at most 4096", None),
        ("temperature must be between 0 and 2", None),
        ("unknown model 'strict-7b'", None),
        ("the model 'store' does not exist", None),
        ("Context length exceeded", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_setting_follows_from_the_words(message: str, found: tuple[str, str] | None) -> None:
    assert compat_key(message) == found


def test_each_key_is_one_that_the_config_has() -> None:
    keys = {key for _, key, _ in KEYS} | {"requiresStringContent"}
    aliases = {field.alias for field in ModelCompat.model_fields.values()}
    assert keys <= aliases


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Unknown field: stream_options", "type": "bad", "param": "stream_options", "code": 7}},
        {"object": "error", "message": "Unknown field: stream_options", "type": "BadRequestError", "code": 400},
        {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
        {"error": "Unknown field: stream_options"},
    ],
)  # fmt: skip
def test_the_message_of_every_form_of_error_ends_with_the_setting(body: dict[str, object]) -> None:
    found = with_compat_key(json.dumps(body).encode(), 400, "owl")
    message = json.loads(found)["error"]["message"]
    assert message.endswith(
        "set compat.supportsUsageInStreaming to false for this model in models.providers.owl.models"
    )
    assert "stream_options" in message and parse_error(found, 400).message == message
    if isinstance(body.get("error"), dict):
        kept = json.loads(found)["error"]
        assert (kept["type"], kept["param"], kept["code"]) == ("bad", "stream_options", 7)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>", b"null", b'{"error":{"message":"too large"}}', b"[" * 10_000]
)
def test_every_other_body_stays_as_it_is(body: bytes) -> None:
    assert with_compat_key(body, 400, "owl") == body
