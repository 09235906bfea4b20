"""``clawgate agent``: sends one message to an agent of the running gateway, and prints its reply."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import NoReturn

import click

from clawgate.cli.chat.approval import is_approved
from clawgate.cli.chat.conversation import Reply, open_conversation
from clawgate.cli.chat.options import conversation_options
from clawgate.cli.chat.output import PlainOutput
from clawgate.cli.errors import CommandFailed, fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import find_paths, json_option
from clawgate.cli.remote import Remote
from clawgate.processes.instance.gateway_client import GatewayCallFailed, GatewayLost

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
    remote: Remote | None,
) -> None:
    """Send one message to an agent of the running gateway, or of one at --url, and print its reply.

    Ctrl-C cancels the run. The exit status is 1 where there is no reply.
    """
    if stream and as_json:
        raise click.UsageError("--stream and --json exclude each other: JSON is printed at the end")
    text = _read_stdin() if message == _STDIN else message
    if not text.strip():
        fail("the message is empty; give a text, or - and a text on standard input")
    started_at = time.monotonic()
    reply = Reply(text)
    try:
        with (
            open_conversation(
                find_paths(config), env_file, agent, session, model, local=local, remote=remote
            ) as conversation,
            PlainOutput() as output,
        ):
            conversation.send(
                reply, output.write if stream else lambda text: None, approves=partial(is_approved, output)
            )
            if not (stream or as_json):
                output.write(reply.text)
    except GatewayCallFailed as failure:
        _fail(failure, reply, session)
    except KeyboardInterrupt:
        click.echo("Cancelled.", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    if as_json:
        milliseconds = round((time.monotonic() - started_at) * 1000)
        click.echo(json.dumps(_result(reply, milliseconds), indent=2))


def _read_stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        fail("standard input is not UTF-8; send text in that encoding")


def _result(reply: Reply, milliseconds: int) -> dict[str, object]:
    """Return the object of OpenClaw's own ``agent --json``. ``sessionId`` is the key, with which a client continues."""
    usage = reply.meta.get("usage") or dict.fromkeys(("input", "output", "cacheRead", "total"), 0)
    return {
        "runId": reply.run,
        "status": "ok",
        "summary": "completed",
        "result": {
            "payloads": [{"text": reply.text, "mediaUrl": None}],
            "meta": {
                "durationMs": milliseconds,
                "agentMeta": {
                    "sessionId": reply.session or reply.meta.get("sessionId"),
                    "provider": reply.meta.get("provider") or None,
                    "model": reply.meta.get("model") or None,
                    "usage": usage,
                },
            },
        },
    }


def _fail(failure: GatewayCallFailed, reply: Reply, session: str) -> NoReturn:
    """End the command; its object has the keys of a run's result, too."""
    message = failure.message
    if isinstance(failure, GatewayLost):
        message += (
            f"; its run may continue: its reply is then in: clawgate sessions show {reply.session or session}"
        )
    try:
        fail(message)
    except CommandFailed as ended:
        ended.facts = {"status": "error", "code": failure.code or None}
        raise
