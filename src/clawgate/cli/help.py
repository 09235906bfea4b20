"""``clawgate help``: the help of a command, for those who type it that way round."""

from __future__ import annotations

import click


@click.command(short_help="Show the help of a command.")
@click.argument("command", nargs=-1)
@click.pass_context
def help(context: click.Context, command: tuple[str, ...]) -> None:  # noqa: A001  # the command's name
    """Show the help of COMMAND, as `clawgate COMMAND --help` does; without COMMAND that of clawgate."""
    root = context.find_root()
    root.command.main(args=[*command, "--help"], prog_name=root.info_name, standalone_mode=False)
