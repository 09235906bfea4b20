"""Shows a call of a tool that waits for approval, and reads the decision of the person at the terminal.

Law: what a model wrote must not steer the terminal, and what was typed before the question was shown approves nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import click

from clawgate.cli.chat.output import Output
from clawgate.policy.printable import escape_controls

REQUESTED = "plugin.approval.requested"
RESOLVE = "plugin.approval.resolve"
_MOST = 4000
"""Characters of the arguments that are shown: a screen or two."""
_NO_TERMINAL = (
    "the call was refused: it needs approval, and there is no terminal to give it; use clawgate chat, or leave the "
    "tool out of approveTools (plugins.entries.clawgate.config.agents)"
)


@dataclass(frozen=True, slots=True)
class WaitingCall:
    id: str
    tool: str
    arguments: str

    @property
    def shown(self) -> str:
        """Return the call on one line."""
        text = escape_controls(self.arguments)
        if len(text) > _MOST:
            left = len(text) - _MOST
            text = f"{text[: _MOST // 2]} [{left} characters are not shown] {text[-_MOST // 2 :]}"
        return f"{escape_controls(self.tool)} {text}"


def waiting_call(event: str, payload: dict[str, Any], run: str) -> WaitingCall | None:
    """Return the call of ``run`` that an event is about, None for another event."""
    request = payload.get("request")
    if event != REQUESTED or not isinstance(request, dict) or request.get("runId") != run:
        return None
    arguments = request.get("detail") or request.get("description")
    return WaitingCall(str(payload.get("id")), str(request.get("toolName")), str(arguments or ""))


def is_approved(output: Output, call: WaitingCall) -> bool:
    """Return the decision, read below what ``output`` has shown; without a terminal, and with Ctrl-C, it is no."""
    with output.paused():
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            click.echo(f"{call.shown}\n{_NO_TERMINAL}", err=True)
            return False
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        try:
            click.echo(f"The agent calls a tool: {call.shown}\nRun it? [y/N] ", err=True, nl=False)
            typed = sys.stdin.readline()
        except (KeyboardInterrupt, UnicodeDecodeError):
            typed = ""
        if typed.strip().lower() in ("y", "yes"):
            return True
        click.echo("(refused)" if typed else "\n(refused)", err=True)
        return False
