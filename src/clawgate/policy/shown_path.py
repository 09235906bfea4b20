"""Returns the path of a URL for the egress ledger: without its query, and without what may be a secret in it.

A name that is taken for a secret by mistake is a nuisance; a secret that is not recognised is a leak. So a segment goes
where it could be one: by its shape, by the word before it, and by what follows ``;``, ``=`` or comes before ``@``. Must
take linear time: models choose the URLs.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from clawgate.policy.redaction import REDACTED, Redactor
from clawgate.policy.secret_names import is_secret_key

LONGEST = 200
_LONGEST_READ = 8000
_MOST_ESCAPES = 3
"""How often a segment may be percent-encoded; one that is encoded more often is not shown."""
_LONGEST_WORD = 31
_SHORTEST_CODE = 12
_SHORTEST_NUMBER = 12
_CODE = re.compile(r"[A-Za-z0-9]+")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_DATE = re.compile(r"(?:19|20)\d{2}[01]\d[0-3]\d(?:\d{2}){0,3}")
_BEFORE_SECRETS = re.compile(
    r"(?:web)?hooks?|invites?|reset|verify|confirm|magic|otp|pins?|signin|login|sso|oauth2?|sessions?|sid|signed|sign|sig"
    r"|signature|share|shared|unsubscribe|bot|auth|keys?|pass|pwd",
    re.IGNORECASE,
)
_REDACTOR = Redactor()


def shown_path(target: str) -> str:
    """Return the path of a request's ``target`` as it is shown, at most `LONGEST` characters of it."""
    path = re.split(r"[?#]", target[:_LONGEST_READ], maxsplit=1)[0]
    shown: list[str] = []
    before = ""
    for segment in path.split("/"):
        plain = _decoded(segment)
        is_secret = plain is None or (segment != "" and _names_secret(before)) or _may_be_secret(plain)
        shown.append(REDACTED if is_secret else segment)
        before = plain or ""
    text = "/".join(shown)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _decoded(segment: str) -> str | None:
    for _ in range(_MOST_ESCAPES):
        plain = unquote(segment)
        if plain == segment:
            return plain
        segment = plain
    return None


def _names_secret(word: str) -> bool:
    return len(word) <= _LONGEST_WORD and (_BEFORE_SECRETS.fullmatch(word) is not None or is_secret_key(word))


def _may_be_secret(plain: str) -> bool:
    if not plain.isprintable() or re.search(r"[;=/\\?#&]|.@", plain):
        return True
    return (
        _UUID.search(plain) is not None
        or _REDACTOR.redact(plain) != plain
        or any(map(_is_code, _CODE.findall(plain)))
    )


def _is_code(word: str) -> bool:
    """Return whether ``word`` is too long and mixed to be a word of a language, a version or a date."""
    if word.isdecimal():
        return len(word) >= _SHORTEST_NUMBER and _DATE.fullmatch(word) is None
    has_digit = any(map(str.isdecimal, word))
    return len(word) >= _SHORTEST_CODE if has_digit else len(word) > _LONGEST_WORD
