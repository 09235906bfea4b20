"""Requests JSON from an Anthropic model as OpenAI's `response_format` and strict tools do.

A schema is enforced where model and schema allow it. Otherwise, and for `json_object`, which Anthropic's API does not
have, the system prompt says what the response has to be: a client that parses it must not get prose.
"""

from __future__ import annotations

from clawgate.wire.json import strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate import claude_models
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.openai_to_anthropic.json_schema import (
    Schema,
    SchemaTooDeep,
    accepted_schema,
    is_expressible,
)

JSON_ONLY = (
    "Respond with a single JSON object, and with nothing else: no text in front of it or behind it, "
    "no code fence."
)
BY_SCHEMA = JSON_ONLY + " It has to be valid against this JSON schema:\n"


def requested_format(request: chat.ChatRequest, model: str) -> tuple[dict[str, object] | None, str | None]:
    """Return the `output_config.format` of a request, or what the system prompt has to say instead.

    Raises `InvalidRequest` for a format that OpenAI does not know either.
    """
    wanted = request.response_format
    if wanted is None or wanted.type == "text":
        return None, None
    if wanted.type == "json_object":
        return None, JSON_ONLY
    named = wanted.json_schema
    if wanted.type != "json_schema" or named is None or named.schema is None:
        reject("response_format", "must be text, json_object, or json_schema with a 'schema'")
    schema = named.schema
    if not (claude_models.accepts_schemas(model) and is_expressible(schema)):
        return None, BY_SCHEMA + strict.encode_request(schema).decode()
    if named.description is not None:
        schema = {"description": named.description, **schema}
    return {"type": "json_schema", "schema": _accepted(schema, "response_format")}, None


def strict_parameters(parameters: Schema, model: str, path: str) -> Schema | None:
    """Return the schema of a strict tool as Anthropic enforces it, None where it cannot be enforced."""
    if not (claude_models.accepts_schemas(model) and is_expressible(parameters)):
        return None
    return _accepted(parameters, path)


def _accepted(schema: Schema, path: str) -> Schema:
    try:
        return accepted_schema(schema)
    except SchemaTooDeep:
        reject(path, "contains a JSON schema that is nested too deeply")
