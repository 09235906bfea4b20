"""Gathers the server's tokens from all sources, and reads the tokens file again when it changes.

Invariant: while the file cannot be used there is no token at all, because it is not known which ones were revoked.
"""

from __future__ import annotations

import re
from pathlib import Path

from clawgate.policy.authentication import KnownToken, TokenStore, digest_of
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
_CREATE = "create it with: clawgate server token add"
_HASH_PREFIX = "sha256:"
_HASH = re.compile(r"[0-9a-f]{64}\Z")


def hashed_line(name: str, token: KnownToken) -> str:
    """Return the line that admits ``token`` and does not show it."""
    return f"{name}:{_HASH_PREFIX}{digest_of(token).hex()}"


def read_tokens_file(path: Path) -> dict[str, KnownToken]:
    """Return the tokens by name: ``name:TOKEN`` or ``name:sha256:HEX`` on each line, '#' for comments.

    Raises `SettingsInvalid` with every problem, by line.
    """
    found = read_regular(path)
    if found is None:
        raise _invalid("there is no such file", fix=_CREATE, location=path)
    data, status = found
    problem = exposure(path, status, _FILE)
    return parse_tokens(path, data, [problem] if problem is not None else [])


def parse_tokens(path: Path, data: bytes, problems: list[Diagnostic]) -> dict[str, KnownToken]:
    """Return the tokens in ``data``, the content of ``path``, which has ``problems`` already.

    Raises `SettingsInvalid` with every problem.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _invalid("it cannot be read: it is not UTF-8 text", location=path) from error
    tokens: dict[str, KnownToken] = {}
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
        elif token.startswith(_HASH_PREFIX):
            digest = token.removeprefix(_HASH_PREFIX)
            if _HASH.match(digest):
                tokens[name] = bytes.fromhex(digest)
            else:
                message = f"its token must be {_HASH_PREFIX} and 64 of 0-9 a-f"
                problems.append(Diagnostic(_FILE, message, fix=_CREATE, location=location))
        elif reason := token_problem(token):
            problems.append(Diagnostic(_FILE, f"its token {reason}", fix=_MAKE_ONE, location=location))
        else:
            tokens[name] = token
    if problems:
        raise SettingsInvalid(problems)
    return tokens


def gather_tokens(settings: ServerSettings) -> dict[str, KnownToken]:
    """Return every token by name. Raises `SettingsInvalid` for a name or a token that is not unique."""
    tokens: dict[str, KnownToken] = {
        name: token.get_secret_value() for name, token in settings.proxy_tokens.items()
    }
    if settings.proxy_token is not None:
        tokens["default"] = settings.proxy_token.get_secret_value()
    if settings.proxy_tokens_file is not None:
        path = Path(settings.proxy_tokens_file)
        from_file = read_tokens_file(path)
        if shared := sorted(tokens.keys() & from_file.keys()):
            names = ", ".join(f"'{redact_name(name)}'" for name in shared)
            raise _invalid(f"also set elsewhere: {names}", fix="choose other names", location=path)
        tokens |= from_file
    names_by_digest: dict[bytes, str] = {}
    for name, token in tokens.items():
        digest = digest_of(token)
        if digest in names_by_digest:
            one, other = map(redact_name, (names_by_digest[digest], name))
            message = f"'{one}' and '{other}' have the same token"
            raise SettingsInvalid([Diagnostic(("proxyTokens",), message, fix=_MAKE_ONE)])
        names_by_digest[digest] = name
    owner = names_by_digest.get(digest_of(settings.openai_api_key.get_secret_value()))
    if owner is not None:
        message = (
            f"the token '{redact_name(owner)}' is the upstream's key itself, which its caller would know"
        )
        raise SettingsInvalid([Diagnostic(("proxyTokens",), message, fix=_MAKE_ONE)])
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

    def secrets(self) -> list[str]:
        """Return the tokens that are known in plain text: what must never be shown."""
        return [token for token in self.tokens.values() if isinstance(token, str)]

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
