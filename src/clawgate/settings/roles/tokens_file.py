"""Who holds a token of the server's? Gathers them from all places, and reads the tokens file again when it changes."""

from __future__ import annotations

import stat
from pathlib import Path

from clawgate.policy.authentication import TokenStore
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.roles.bridge import TOKEN_NAME, ServerSettings
from clawgate.settings.roles.loader import SettingsInvalid
from clawgate.settings.secrets import token_problem


def read_tokens_file(path: Path) -> dict[str, str]:
    """``name:TOKEN`` on each line, '#' for comments. Raises `SettingsInvalid` with every problem, by line."""
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsInvalid(
            [Diagnostic(("proxyTokensFile",), f"it cannot be read: {reason}", location=str(path))]
        ) from error
    problems = []
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        problems.append(
            Diagnostic(("proxyTokensFile",), f"others may read it; run: chmod 600 {path}", location=str(path))
        )
    tokens: dict[str, str] = {}
    for number, text in enumerate(lines, 1):
        content = text.strip()
        if not content or content.startswith("#"):
            continue
        name, colon, token = (part.strip() for part in content.partition(":"))
        where = f"{path}:{number}"
        if not colon or not TOKEN_NAME.match(name):
            problems.append(Diagnostic(("proxyTokensFile",), "must be name:TOKEN", location=where))
        elif name in tokens:
            problems.append(
                Diagnostic(("proxyTokensFile",), f"the name '{name}' stands there twice", location=where)
            )
        elif reason := token_problem(token):
            problems.append(Diagnostic(("proxyTokensFile",), f"its token {reason}", location=where))
        else:
            tokens[name] = token
    if problems:
        raise SettingsInvalid(problems)
    return tokens


def gather_tokens(settings: ServerSettings) -> dict[str, str]:
    """Every holder's token by name; a name or a token that comes twice is a problem."""
    tokens = {name: token.get_secret_value() for name, token in settings.proxy_tokens.items()}
    if settings.proxy_token is not None:
        tokens["default"] = settings.proxy_token.get_secret_value()
    if settings.proxy_tokens_file is not None:
        path = Path(settings.proxy_tokens_file)
        from_file = read_tokens_file(path)
        if twice := sorted(tokens.keys() & from_file.keys()):
            raise SettingsInvalid(
                [
                    Diagnostic(
                        ("proxyTokensFile",), f"the name '{name}' is also set elsewhere", location=str(path)
                    )
                    for name in twice
                ]
            )
        tokens |= from_file
    by_token: dict[str, str] = {}
    for name, token in tokens.items():
        if token in by_token:
            raise SettingsInvalid(
                [Diagnostic(("tokens",), f"'{by_token[token]}' and '{name}' have the same token")]
            )
        by_token[token] = name
    if not tokens:
        raise SettingsInvalid(
            [Diagnostic(("proxyTokensFile",), "it holds no token", location=str(settings.proxy_tokens_file))]
        )
    return tokens


class TokenSource:
    """The present book of tokens, and a newer one when the file has changed."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._path = Path(settings.proxy_tokens_file) if settings.proxy_tokens_file else None
        self._seen = self._stamp()
        self.tokens = gather_tokens(settings)

    def _stamp(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def book(self) -> TokenStore:
        """The holders by hash."""
        return TokenStore.of(self.tokens)

    def changed(self) -> bool:
        """Whether the file has changed and was read again; raises `SettingsInvalid` once for a broken one."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        self.tokens = gather_tokens(self._settings)
        return True
