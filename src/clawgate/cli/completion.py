"""Installs shell completion: click's own script, in the place where the shell looks for it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from clawgate.cli.errors import fail
from clawgate.settings.private_folder import make_private_folder

PROGRAM = "clawgate"
VARIABLE = "_CLAWGATE_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
DETECT = "detect"


@click.command(short_help="Print or install the completion script of a shell.")
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--shell", "-s", "named", type=click.Choice(SHELLS), help="The shell, as an option.")
@click.option("--install", "-i", "then_install", is_flag=True, help="Install the script for this user.")
@click.pass_context
def completion(context: click.Context, shell: str | None, named: str | None, then_install: bool) -> None:
    """Print the completion script of SHELL, or install it.

    Without SHELL, the shell that runs the command is used.
    """
    root = context.find_root()
    name = _chosen(shell or named or DETECT)
    if then_install:
        _install(name, root.command)
    else:
        click.echo(script(name, root.command))


def show(context: click.Context, option: click.Parameter, shell: str | None) -> None:
    """The callback of ``--show-completion``: print the script and exit."""
    if shell is not None and not context.resilient_parsing:
        click.echo(script(_chosen(shell), context.command))
        context.exit()


def install(context: click.Context, option: click.Parameter, shell: str | None) -> None:
    """The callback of ``--install-completion``: write the script, print the next step, and exit."""
    if shell is None or context.resilient_parsing:
        return
    _install(_chosen(shell), context.command)
    context.exit()


def _install(name: str, command: click.Command) -> None:
    path = script_path(name)
    content = script(name, command) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        click.echo(f"Completion for {name} is already installed: {path}")
    else:
        try:
            make_private_folder(path.parent)
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            fail(f"{path} cannot be written: {error.strerror}")
        click.echo(f"Completion for {name} installed: {path}")
    click.echo(_next_step(name, path))


def script(shell: str, command: click.Command) -> str:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:  # click knows the three
        raise click.UsageError(f"there is no completion for {shell}")
    return str(kind(command, {}, PROGRAM, VARIABLE).source())


def script_path(shell: str) -> Path:
    """Return where the shell, or its bash-completion package, looks for the script by itself."""
    if shell == "fish":
        return _folder("XDG_CONFIG_HOME", ".config") / "fish" / "completions" / f"{PROGRAM}.fish"
    if shell == "zsh":
        return Path.home() / ".zfunc" / f"_{PROGRAM}"
    return _folder("XDG_DATA_HOME", ".local/share") / "bash-completion" / "completions" / PROGRAM


def detect_shell(parent: str, login_shell: str) -> str | None:
    """Return the calling shell: by the name of the parent process, else the login shell."""
    for name in (parent.lstrip("-"), Path(login_shell).name):
        if name in SHELLS:
            return name
    return None


def _chosen(shell: str) -> str:
    if shell != DETECT:
        return shell
    name = detect_shell(_parent(), os.environ.get("SHELL", ""))
    if name is None:
        raise click.UsageError(f"the shell cannot be detected; name one of: {', '.join(SHELLS)}")
    return name


def _parent() -> str:
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default)


def _next_step(shell: str, path: Path) -> str:
    if shell == "zsh":
        return (
            "  next: add these two lines to ~/.zshrc, then open a new shell:\n"
            f"    fpath+=({path.parent})\n"
            "    autoload -Uz compinit && compinit"
        )
    if shell == "bash":
        return (
            "  next: open a new shell. This needs the package bash-completion; "
            f"without it, add this line to ~/.bashrc:\n    source {path}"
        )
    return "  next: open a new shell"
