"""``clawgate agent``: sends one message to an agent of the running gateway, and prints its reply."""

from __future__ import annotations

import json
import sys
import time
from typing import NoReturn

import click

from clawgate.cli.chat.conversation import Reply, open_conversation
from clawgate.cli.chat.options import conversation_options
from clawgate.cli.chat.output import PlainOutput
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.errors import CommandFailed, fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import find_paths, json_option
from clawgate.cli.state_database import read_store
from clawgate.errors import GatewayError
from clawgate.processes.instance.chat_client import ChatFailed

_STDIN = "-"


@click.command(short_help="Send one message to an agent.")
@click.option("--message", "-m", required=True, metavar="TEXT", help="The message; - reads standard input.")
@click.option("--stream", is_flag=True, help="Print the reply as it comes.")
@json_option
@conversation_options
def agent(
    message: str,
    agent: str,
    session: str,
    model: str | None,
    local: bool,
    stream: bool,
    as_json: bool,
    config: str | None,
    env_file: str | None,
) -> None:
    """Send one message to an agent of the running gateway, and print its reply.

    Ctrl-C cancels the run. The exit status is 1 where there is no reply.
    """
    if stream and as_json:
        raise click.UsageError("--stream and --json exclude each other: JSON is printed at the end")
    text = _read_stdin() if message == _STDIN else message
    if not text.strip():
        fail("the message is empty; give a text, or - and a text on standard input")
    paths = find_paths(config)
    started_at = time.monotonic()
    try:
        with (
            open_conversation(paths, env_file, agent, session, model, local=local) as conversation,
            PlainOutput() as output,
        ):
            reply = conversation.send(text, output.write if stream else lambda text: None)
            if not (stream or as_json):
                output.write(reply.text)
    except ChatFailed as failure:
        _fail(failure)
    except KeyboardInterrupt:
        click.echo("Cancelled.", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    if as_json:
        milliseconds = round((time.monotonic() - started_at) * 1000)
        click.echo(json.dumps(_result(load_config(config), reply, milliseconds), indent=2))


def _read_stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        fail("standard input is not UTF-8; send text in that encoding")


def _result(loaded: LoadedConfig, reply: Reply, milliseconds: int) -> dict[str, object]:
    """Return the object of OpenClaw's own ``agent --json``."""
    usage = reply.usage
    provider, model = _served_by(loaded, reply.run)
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return {
        "runId": reply.run,
        "status": "ok",
        "summary": "completed",
        "result": {
            "payloads": [{"text": reply.text, "mediaUrl": None}],
            "meta": {
                "durationMs": milliseconds,
                "agentMeta": {
                    "sessionId": reply.session,
                    "provider": provider,
                    "model": model,
                    "usage": {
                        "input": usage.get("prompt_tokens", 0),
                        "output": usage.get("completion_tokens", 0),
                        "cacheRead": cached,
                        "total": usage.get("total_tokens", 0),
                    },
                },
            },
        },
    }


def _served_by(loaded: LoadedConfig, run: str) -> tuple[str | None, str | None]:
    """Return the provider and model of a run; None where the database is not to be read from here."""
    unknown: tuple[str | None, str | None] = (None, None)
    try:
        return read_store(loaded, lambda store: store.served_by(run), absent=unknown)
    except GatewayError:
        return unknown


def _fail(failure: ChatFailed) -> NoReturn:
    """End the command; its object has the keys of a run's result, too."""
    try:
        fail(failure.message)
    except CommandFailed as ended:
        ended.facts = {"status": "error", "code": failure.code or None}
        raise
