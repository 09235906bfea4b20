"""Serves in place of a role that another gateway started and that cannot run: every request gets what is to be fixed.

A gateway such as OpenClaw tries a refused connection again for 80 s, and shows this at once.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from clawgate.cli.errors import CommandFailed
from clawgate.cli.hosted import SHOWN_AT_ONCE, Host
from clawgate.cli.listener import open_sockets
from clawgate.cli.terminal.standard_streams import keep_serving
from clawgate.policy.redaction import Redactor


def refuse(
    failure: CommandFailed, gateway: Host, name: str, address: tuple[str, int], *, exit_on_stdin_eof: bool
) -> NoReturn:
    """Listen at ``address`` until stopped, for the role ``name`` that ended with ``failure``."""
    from clawgate.app.factory import raise_fd_limit
    from clawgate.app.log_setup import set_up_logging
    from clawgate.app.refusing_role import build_refusing_role
    from clawgate.app.run import serve

    keep_serving()
    raise_fd_limit()
    os.umask(0o077)  # every file that this process writes is for its owner alone
    set_up_logging(Redactor(), verbose=False, role=name)
    role = build_refusing_role(
        f"{failure.message} {'; '.join(failure.problems)}".rstrip(),
        name=name,
        address=address,
        instance=gateway.instance,
        operator_status=SHOWN_AT_ONCE,
        parent_fd=0 if exit_on_stdin_eof else None,
    )
    sockets, url = open_sockets(role)
    line = f"clawgate {name} listening on {url} -> nothing: every request gets the reason above"
    sys.exit(serve(role, sockets, lambda: click.echo(line, err=True)))
