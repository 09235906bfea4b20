"""Declares the MCP servers of OpenClaw's config file, whose tools agents may use.

Pure. Source: the configuration schema that OpenClaw 2026.9.6 prints, and its `mcp-transport-config` for the defaults.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool

from clawgate.settings.fields import reject_text, setting
from clawgate.settings.schema.block import Block
from clawgate.settings.schema.header_secret import HeaderSecret

_MAX_MILLISECONDS = 86_400_000.0
"""OpenClaw accepts any number; a larger one is read as this."""


def _as_text(value: object) -> object:
    """OpenClaw accepts numbers and booleans here, and passes on what JavaScript makes of them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]
Milliseconds = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(reject_text),
    AfterValidator(lambda value: min(value, _MAX_MILLISECONDS)),
]
Pattern = Annotated[str, Field(min_length=1)]


class ToolFilter(Block):
    """``mcp.servers.<name>.toolFilter``: names of its tools, ``*`` for any characters."""

    include: tuple[Pattern, ...] = setting("The only tools that are offered; absent: all.", ())
    exclude: tuple[Pattern, ...] = setting("Tools that are not offered.", ())


class McpOAuth(Block):
    """``mcp.servers.<name>.oauth``: how a login by OAuth is made, as far as OpenClaw has keys for it."""

    scope: Pattern | None = setting("The scope of the login; absent: what the server wants.")
    redirect_url: Pattern | None = setting("Where the browser returns to: an address of this machine.")
    client_metadata_url: Pattern | None = setting("The https URL of a document that describes the client.")
    identity: Literal["shared", "per-requester"] = setting(
        "Whose login it is; only shared is used here.", "shared"
    )
    auth_profile_id: Pattern | None = setting("A login of OpenClaw; such a server is not used here.")


class McpServer(Block):
    """``mcp.servers.<name>``: a program that is started, or an address."""

    enabled: StrictBool = setting("Whether its tools are offered.", True)
    command: str | None = setting("The program to start; it wins over url.")
    args: tuple[str, ...] = setting("Its arguments.", ())
    env: dict[str, Text] = setting("Its environment, beside PATH, HOME and a few more.", dict)
    cwd: str | None = setting("The folder that it is started in.")
    working_directory: str | None = setting("The same, where cwd is not set.")
    url: str | None = setting("The address of a server over HTTP.")
    transport: Literal["stdio", "sse", "streamable-http"] | None = setting(
        "How to speak with url; sse unless it is set."
    )
    type: str | None = setting("The same, where transport is not set: http, sse, stdio.")
    headers: dict[str, Annotated[HeaderSecret, BeforeValidator(_as_text)]] = setting(
        "Headers of every request to url.", dict
    )
    connection_timeout_ms: Milliseconds = setting(
        "Milliseconds from the start to its list of tools.", 30_000.0
    )
    request_timeout_ms: Milliseconds = setting("Milliseconds that one call may take.", 60_000.0)
    ssl_verify: StrictBool = setting("Whether the certificate of url is checked.", True)
    client_cert: str | None = setting("A file with the certificate shown to url.")
    client_key: str | None = setting("The file with its key.")
    auth: Literal["oauth"] | None = setting("A token is gotten by OAuth, instead of a header Authorization.")
    oauth: McpOAuth = setting("How it is gotten.", McpOAuth)
    tool_filter: ToolFilter = setting("Which of its tools are offered.", ToolFilter)


class McpBlock(Block):
    """``mcp``."""

    servers: dict[str, McpServer] = setting("Servers by their name.", dict)
