"""Gathers the server's tokens from all sources, and reads the tokens file again when it changes.

Invariant: while the file cannot be used there is no token at all, because it is not known which ones were revoked.
"""

from __future__ import annotations

from pathlib import Path

from clawgate.policy.authentication import TokenStore
from clawgate.policy.printable import is_quoted
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.file_watch import FileWatch
from clawgate.settings.key_path import KeyPath
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.redaction import redact_name
from clawgate.settings.regular_file import exposure, read_regular
from clawgate.settings.roles.server import TOKEN_NAME, TOKEN_NAME_RULE, ServerSettings
from clawgate.settings.secrets import QUOTED, token_problem

_FILE: KeyPath = ("proxyTokensFile",)
_MAKE_ONE = "make one with: clawgate server new-token"
_CREATE = "create it with mode 0600 and a name:TOKEN on each line"


def read_tokens_file(path: Path) -> dict[str, str]:
    """Return the tokens by name: ``name:TOKEN`` on each line, '#' for comments.

    Raises `SettingsInvalid` with every problem, by line.
    """
    found = read_regular(path)
    if found is None:
        raise _invalid("there is no such file", fix=_CREATE, location=path)
    data, status = found
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _invalid("it cannot be read: it is not UTF-8 text", location=path) from error
    problem = exposure(path, status, _FILE)
    problems = [problem] if problem is not None else []
    tokens: dict[str, str] = {}
    for number, text in enumerate(lines, 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, token = (part.strip() for part in line.partition(":"))
        location = f"{path}:{number}"
        if is_quoted(line):
            problems.append(Diagnostic(_FILE, QUOTED, fix="remove them", location=location))
        elif not colon or not TOKEN_NAME.match(name):
            problems.append(Diagnostic(_FILE, "must be name:TOKEN", fix=TOKEN_NAME_RULE, location=location))
        elif name in tokens:
            message = f"the name '{redact_name(name)}' is not unique"
            problems.append(Diagnostic(_FILE, message, fix="choose another", location=location))
        elif reason := token_problem(token):
            problems.append(Diagnostic(_FILE, f"its token {reason}", fix=_MAKE_ONE, location=location))
        else:
            tokens[name] = token
    if problems:
        raise SettingsInvalid(problems)
    return tokens


def gather_tokens(settings: ServerSettings) -> dict[str, str]:
    """Return every token by name. Raises `SettingsInvalid` for a name or a token that is not unique."""
    tokens = {name: token.get_secret_value() for name, token in settings.proxy_tokens.items()}
    if settings.proxy_token is not None:
        tokens["default"] = settings.proxy_token.get_secret_value()
    if settings.proxy_tokens_file is not None:
        path = Path(settings.proxy_tokens_file)
        from_file = read_tokens_file(path)
        if shared := sorted(tokens.keys() & from_file.keys()):
            names = ", ".join(f"'{redact_name(name)}'" for name in shared)
            raise _invalid(f"also set elsewhere: {names}", fix="choose other names", location=path)
        tokens |= from_file
    names_by_token: dict[str, str] = {}
    for name, token in tokens.items():
        if token in names_by_token:
            one, other = map(redact_name, (names_by_token[token], name))
            message = f"'{one}' and '{other}' have the same token"
            raise SettingsInvalid([Diagnostic(("proxyTokens",), message, fix=_MAKE_ONE)])
        names_by_token[token] = name
    if not tokens:
        raise _invalid("it contains no token", fix=_MAKE_ONE, location=settings.proxy_tokens_file)
    return tokens


def _invalid(message: str, *, fix: str = "", location: Path | str | None) -> SettingsInvalid:
    return SettingsInvalid([Diagnostic(_FILE, message, fix=fix, location=str(location))])


class TokenSource:
    """The current tokens, read again when their file has changed."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._watch = FileWatch(Path(settings.proxy_tokens_file)) if settings.proxy_tokens_file else None
        self.tokens = gather_tokens(settings)

    def store(self) -> TokenStore:
        """Return the tokens by hash, as admission checks them."""
        return TokenStore.of(self.tokens) if self.tokens else TokenStore.closed()

    def reload_if_changed(self) -> bool:
        """Read a changed file again, and return whether that led to new tokens.

        Raises `SettingsInvalid` if it cannot be used and was not being written just now: at the second call, and once.
        There is no token then.
        """
        if self._watch is None or not self._watch.changed():
            return False
        try:
            self.tokens = gather_tokens(self._settings)
        except SettingsInvalid:
            if self._watch.in_doubt():
                return False
            self.tokens = {}
            raise
        self._watch.settle()
        return True
