"""``clawgate server token``: adds, lists and revokes tokens of the server's tokens file.

The file has the SHA-256 of each token, so a token is printed once, when it is made. A running server reads a changed
file within a second: a revoked token is refused from then on.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from clawgate.cli.action_output import ActionOutput, action_output
from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.cli.paths import config_option, env_file_option, json_option
from clawgate.settings.atomic_write import WriteFailed
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.loader import SettingsSources, origin_of, read_sources, text_setting
from clawgate.settings.roles.server import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_MAX_STDIN = 4096
_SET_ELSEWHERE = ("proxy_token", "proxy_tokens")


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that locate the file."""
    file = click.option(
        "--proxy-tokens-file",
        "file",
        metavar="FILE",
        help="The server's tokens file.  [env var: OPENAI_PROXY_TOKENS_FILE; default: the config's]",
    )
    return config_option(env_file_option(file(json_option(command))))


@click.group()
def token() -> None:
    """Tokens of callers: add, list, revoke.

    A running server follows within a second.
    """


@token.command(short_help="Add a token, and print it once.")
@click.argument("name")
@click.option(
    "--stdin-secret", is_flag=True, help="Read the token from standard input instead of making one."
)
@click.option(
    "--replace", is_flag=True, help="Replace the token of this name, which is refused from then on."
)
@_options
def add(name: str, stdin_secret: bool, replace: bool, as_json: bool, **places: str | None) -> None:
    """Add a token for the caller NAME, and print it: the file keeps only its SHA-256.

    NAME is what the access log shows. The file is made, mode 0600, if there is none.
    """
    from clawgate.settings.roles.tokens_edit import Added, add_token

    with action_output("add", as_json=as_json) as output:
        path = _tokens_file(places)[0]
        made = _read_token() if stdin_secret else secrets.token_urlsafe(32)
        done = _changed(lambda: add_token(path, name, made, may_replace=replace))
        output.line(f"Token '{name}' {done.value}: {path}" if stdin_secret else made)
        if not stdin_secret:
            _note(
                output,
                f"token '{name}' {done.value} in {path}; it is printed this once, only its SHA-256 is kept",
            )
        if done is Added.REPLACED:
            _note(output, "the token before it is refused within a second")
        shown = {} if stdin_secret else {"token": made}
        output.finish(done.value, name=name, file=str(path), **shown)


@token.command(short_help="Show the names, not the tokens.")
@_options
def list(as_json: bool, **places: str | None) -> None:  # noqa: A001  # the command is called so
    """Show the names of the tokens in the file, and how each is kept."""
    from clawgate.cli.terminal.table import print_table
    from clawgate.settings.roles.tokens_file import read_tokens_file

    path, sources = _tokens_file(places)
    try:
        tokens = read_tokens_file(path)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    rows = [(name, "sha256" if isinstance(one, bytes) else "plain text") for name, one in tokens.items()]
    elsewhere = [one for name in _SET_ELSEWHERE if (one := origin_of(ServerSettings, name, sources))]
    if as_json:
        listed = [{"name": name, "kept": kept} for name, kept in rows]
        click.echo(
            json.dumps({"ok": True, "file": str(path), "tokens": listed, "elsewhere": elsewhere}, indent=2)
        )
        return
    if rows:
        print_table(("Name", "Kept as"), rows)
    else:
        click.echo(f"No token in {path}; add one with: clawgate server token add")
    for origin in elsewhere:
        click.echo(f"Also admitted: what is set by {origin}", err=True)


@token.command(short_help="Remove a token: it is refused within a second.")
@click.argument("name")
@_options
def revoke(name: str, as_json: bool, **places: str | None) -> None:
    """Remove the token NAME: a running server refuses it within a second.

    Requests that it has begun may finish.
    """
    from clawgate.settings.roles.tokens_edit import revoke_token

    with action_output("revoke", as_json=as_json) as output:
        path = _tokens_file(places)[0]
        left = _changed(lambda: revoke_token(path, name))
        output.line(f"Token '{name}' revoked: {path}")
        if not left:
            output.warn(
                "clawgate: no token is left in the file: unless one is set elsewhere, no caller is admitted and the "
                "server does not start again; add one with: clawgate server token add"
            )
        output.finish("revoked", name=name, file=str(path), left=left)


def _note(output: ActionOutput, text: str) -> None:
    """Print a line on standard error, so that standard output has the token alone."""
    if not output.as_json:
        click.echo(f"clawgate: {text}", err=True)


def _tokens_file(places: dict[str, str | None]) -> tuple[Path, SettingsSources]:
    """Return the file that the server reads, or end the command with where it can be named."""
    config, env_file, file = places["config"], places["env_file"], places["file"]
    try:
        sources = read_sources(entry=ServerSettings.ENTRY, config=config, env_file=env_file)
        found = text_setting(ServerSettings, "proxy_tokens_file", file, sources)
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    if found is None:
        fail(
            "no tokens file is set; name it with --proxy-tokens-file FILE, OPENAI_PROXY_TOKENS_FILE or "
            f'plugins.entries."{ServerSettings.ENTRY}".config.proxyTokensFile, for the server as for this command'
        )
    return Path(str(found.value)).absolute(), sources


def _changed(change: Callable[[], _T]) -> _T:
    """Change the file, or end the command; the file is the old version then."""
    try:
        return change()
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    except WriteFailed as error:
        fail(str(error))


def _read_token() -> str:
    if sys.stdin.isatty():
        raise click.UsageError("--stdin-secret reads from a pipe; without it a token is made and printed")
    return sys.stdin.readline(_MAX_STDIN).strip()
