"""How does a shell learn to complete ``clawgate``? With click's own scripts, put where the shell looks for them."""

from __future__ import annotations

import os
from pathlib import Path

import click

PROGRAM = "clawgate"
VARIABLE = "_CLAWGATE_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
DETECT = "detect"


def show(context: click.Context, option: click.Parameter, shell: str | None) -> None:
    """The callback of ``--show-completion``: print the script and end."""
    if shell is not None and not context.resilient_parsing:
        click.echo(script(_chosen(shell), context.command))
        context.exit()


def install(context: click.Context, option: click.Parameter, shell: str | None) -> None:
    """The callback of ``--install-completion``: write the script, say what is to be done next, and end."""
    if shell is None or context.resilient_parsing:
        return
    name = _chosen(shell)
    path = place(name)
    content = script(name, context.command) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        click.echo(f"Completion for {name} is already installed: {path}")
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
        click.echo(f"Completion for {name} installed: {path}")
    click.echo(_next_step(name, path))
    context.exit()


def script(shell: str, command: click.Command) -> str:
    """What the shell has to read."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:  # click knows the three
        raise click.UsageError(f"there is no completion for {shell}")
    return str(kind(command, {}, PROGRAM, VARIABLE).source())


def place(shell: str) -> Path:
    """Where the shell, or its package of completions, looks for the script by itself."""
    if shell == "fish":
        return _folder("XDG_CONFIG_HOME", ".config") / "fish" / "completions" / f"{PROGRAM}.fish"
    if shell == "zsh":
        return Path.home() / ".zfunc" / f"_{PROGRAM}"
    return _folder("XDG_DATA_HOME", ".local/share") / "bash-completion" / "completions" / PROGRAM


def detected(parent: str, login_shell: str) -> str | None:
    """The shell that we were called from: by the name of the parent process, else the login shell."""
    for name in (parent.lstrip("-"), Path(login_shell).name):
        if name in SHELLS:
            return name
    return None


def _chosen(shell: str) -> str:
    if shell != DETECT:
        return shell
    found = detected(_parent(), os.environ.get("SHELL", ""))
    if found is None:
        raise click.UsageError(f"which shell this is cannot be told; name one of {', '.join(SHELLS)}")
    return found


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
            "  next: have these two lines in ~/.zshrc, then open a new shell:\n"
            f"    fpath+=({path.parent})\n"
            "    autoload -Uz compinit && compinit"
        )
    if shell == "bash":
        return (
            "  next: open a new shell. It is read by the package bash-completion; "
            f"without that, add to ~/.bashrc:\n    source {path}"
        )
    return "  next: open a new shell"
