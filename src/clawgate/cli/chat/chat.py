"""``clawgate chat``: a conversation with an agent of the running gateway, line by line.

Ctrl-C cancels the run and not the program; Ctrl-D ends it. Commands with a slash are the agent's, but for /exit and
/resume.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import click

from clawgate.cli.chat.approval import is_approved
from clawgate.cli.chat.conversation import Conversation, Reply, open_conversation
from clawgate.cli.chat.line_input import LineInput
from clawgate.cli.chat.options import conversation_options
from clawgate.cli.chat.output import MarkdownOutput, Output, PlainOutput, is_rich_terminal
from clawgate.cli.errors import print_error
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import find_paths
from clawgate.cli.remote import Remote
from clawgate.processes.instance.gateway_client import GatewayCallFailed, GatewayLost

_EXIT = ("/exit", "/quit")
_RESUME = "/resume"
_HISTORY = "chat-history"


@click.command(short_help="Talk with an agent in this terminal.")
@conversation_options
def chat(
    agent: str,
    session: str,
    model: str | None,
    local: bool,
    config: str | None,
    env_file: str | None,
    remote: Remote | None,
) -> None:
    """Talk with an agent of the running gateway in this terminal.

    Ctrl-C cancels a reply, Ctrl-D or /exit ends the chat; the session stays. /help lists the commands of the agent,
    such as /new and /model. Without a terminal each line of standard input is a message.
    """
    paths = find_paths(config)
    lines = LineInput(paths.folder / _HISTORY)
    new_output: Callable[[], Output] = MarkdownOutput if is_rich_terminal() else PlainOutput
    with (
        open_conversation(paths, env_file, agent, session, model, local=local, remote=remote) as conversation,
        lines.with_history(),
    ):
        if lines.is_terminal:
            name = agent or "(default)"
            click.echo(f"Agent {name}, session {session}. Ctrl-C cancels a reply, Ctrl-D ends.")
        failed = _converse(conversation, lines, new_output)
    if failed and not lines.is_terminal:
        sys.exit(ExitCode.FAILED)


def _converse(conversation: Conversation, lines: LineInput, new_output: Callable[[], Output]) -> bool:
    """Return whether a message failed. At a terminal, Ctrl-C ends what is under way and nothing else."""
    failed = False
    lost: Reply | None = None
    while True:
        try:
            message = lines.read("> ").strip()
            if message in _EXIT:
                return failed
            if message == _RESUME and lost is None:
                print_error(f"{_RESUME}: no reply was lost")
            elif message:
                reply = lost if message == _RESUME and lost is not None else Reply(message)
                done, lost = _show_reply(conversation, reply, new_output)
                failed |= not done
        except EOFError:
            if lines.is_terminal:
                click.echo("")
            return failed
        except UnicodeDecodeError:
            print_error("a line is not UTF-8; send text in that encoding")
            return True
        except KeyboardInterrupt:
            if not lines.is_terminal:
                sys.exit(ExitCode.INTERRUPTED)
            click.echo("\n(cancelled; Ctrl-D ends)", err=True)


def _show_reply(
    conversation: Conversation, reply: Reply, new_output: Callable[[], Output]
) -> tuple[bool, Reply | None]:
    """Return whether there was a reply, and the one that can be resumed."""
    try:
        with new_output() as output:
            conversation.send(
                reply, output.write, lambda name: output.note(f"-> {name}"), partial(is_approved, output)
            )
    except GatewayLost as failure:
        print_error(f"{failure.message}; its run may continue: to get the rest of the reply, type {_RESUME}")
        return False, reply
    except GatewayCallFailed as failure:
        print_error(failure.message)
        return False, None
    return True, None
