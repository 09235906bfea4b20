"""Adds tokens to the server's tokens file and removes them; comments and the other lines stay as they are.

Law: what is added is stored as its SHA-256, never as the token. A file that cannot be used is not changed.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from clawgate.policy.authentication import digest_of
from clawgate.settings.atomic_write import locked, read_optional, replace
from clawgate.settings.key_path import KeyPath
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.regular_file import exposure, read_regular
from clawgate.settings.roles.server import TOKEN_NAME, TOKEN_NAME_RULE
from clawgate.settings.roles.tokens_file import hashed_line, parse_tokens
from clawgate.settings.secrets import token_problem

_NAME: KeyPath = ("name",)


class Added(Enum):
    ADDED = "added"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


def add_token(path: Path, name: str, token: str, *, may_replace: bool) -> Added:
    """Store ``token`` under ``name``; the file is made, mode 0600, if there is none.

    Raises `SettingsInvalid` for what cannot be added, `WriteFailed` if it cannot be written.
    """
    if not TOKEN_NAME.match(name):
        raise SettingsInvalid.at(name, "it cannot be the name of a token", TOKEN_NAME_RULE)
    if reason := token_problem(token):
        raise SettingsInvalid.at(name, f"its token {reason}", "make one with: clawgate server new-token")
    with locked(path):
        old = read_optional(path)
        digests = {} if old is None else _digests(path, old)
        owner = next((one for one, digest in digests.items() if digest == digest_of(token)), name)
        if owner != name:
            raise SettingsInvalid.at(name, f"the token is that of '{owner}'", "give each caller its own")
        if digests.get(name) == digest_of(token):
            return Added.UNCHANGED
        if name in digests and not may_replace:
            raise SettingsInvalid.at(
                path, f"it has a token '{name}'", "replace it with --replace, or choose another name"
            )
        replace(path, _with_line(old or b"", name, hashed_line(name, token)), old=old)
    return Added.REPLACED if name in digests else Added.ADDED


def revoke_token(path: Path, name: str) -> int:
    """Remove the token ``name`` and return how many are left. Raises `SettingsInvalid`, `WriteFailed`."""
    with locked(path):
        old = read_optional(path)
        digests = {} if old is None else _digests(path, old)
        if name not in digests:
            raise SettingsInvalid.at(
                path,
                f"it has no token '{name}'",
                f"it has: {', '.join(digests) or 'none'}; one that is set elsewhere is removed there",
            )
        replace(path, _with_line(old or b"", name, None), old=old)
    return len(digests) - 1


def _digests(path: Path, data: bytes) -> dict[str, bytes]:
    """Return the SHA-256 of each token by name, of a file that the server could use."""
    found = read_regular(path)
    problem = exposure(path, found[1]) if found is not None else None
    tokens = parse_tokens(path, data, [problem] if problem is not None else [])
    return {name: digest_of(token) for name, token in tokens.items()}


def _with_line(content: bytes, name: str, line: str | None) -> bytes:
    """Return ``content`` with ``line`` for that of ``name``, or at the end; None removes it."""
    lines, is_placed = [], False
    for old in content.decode("utf-8-sig").splitlines():
        if old.strip().startswith("#") or old.partition(":")[0].strip() != name:
            lines.append(old)
        elif line is not None:
            lines.append(line)
            is_placed = True
    if line is not None and not is_placed:
        lines.append(line)
    return "".join(f"{one}\n" for one in lines).encode()
