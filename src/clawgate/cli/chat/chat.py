"""``clawgate chat``: a conversation with an agent of the running gateway, line by line.

Ctrl-C cancels the run and not the program; Ctrl-D ends it. Commands with a slash are the agent's, but for /exit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from clawgate.cli.chat.conversation import Conversation, open_conversation
from clawgate.cli.chat.line_input import LineInput
from clawgate.cli.chat.options import conversation_options
from clawgate.cli.chat.output import MarkdownOutput, Output, PlainOutput, is_rich_terminal
from clawgate.cli.errors import print_error
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import find_paths
from clawgate.processes.instance.chat_client import ChatFailed

_EXIT = ("/exit", "/quit")
_HISTORY = "chat-history"


@click.command(short_help="Talk with an agent in this terminal.")
@conversation_options
def chat(
    agent: str, session: str, model: str | None, local: bool, config: str | None, env_file: str | None
) -> None:
    """Talk with an agent of the running gateway in this terminal.

    Ctrl-C cancels a reply, Ctrl-D or /exit ends the chat; the session stays. /help lists the commands of the agent,
    such as /new and /model. Without a terminal each line of standard input is a message.
    """
    paths = find_paths(config)
    lines = LineInput(paths.folder / _HISTORY)
    new_output: Callable[[], Output] = MarkdownOutput if is_rich_terminal() else PlainOutput
    with (
        open_conversation(paths, env_file, agent, session, model, local=local) as conversation,
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
    while True:
        try:
            message = lines.read("> ").strip()
            if message in _EXIT:
                return failed
            if message:
                failed |= not _show_reply(conversation, message, new_output)
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


def _show_reply(conversation: Conversation, message: str, new_output: Callable[[], Output]) -> bool:
    """Return whether there was a reply."""
    try:
        with new_output() as output:
            conversation.send(message, output.write, lambda name: output.note(f"-> {name}"))
    except ChatFailed as failure:
        print_error(failure.message)
        return False
    return True
