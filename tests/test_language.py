"""The house speaks plain technical English: banned words of the style guide (docs/style.md), counted per folder.

`python tests/test_language.py [FOLDER ...]` lists each place: the words of identifiers, comments and strings.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "clawgate"

BANNED = frozenset(
    """
    told tell tells telling untold said asked asks answer answers answered answering unanswered judge judges judged
    judging judgement judgements nobody somebody whoever mend mends mended mending shall gently heard unheard blot
    blots blotted
    """.split()  # noqa: SIM905 - a list of words reads better than quotes
)
PHRASES = re.compile(r"\b(stands? there|goes on|is there already|way out|let go of)\b")

PROMPTS = frozenset({"answer", "answers", "answered", "asked", "asks"})
"""A person answers a prompt; elsewhere the field says request and response."""
MAY_PROMPT = (
    "cli/auth/",
    "cli/terminal/",
    "plugins/api/questions.py",
    "plugins/api/__init__.py",
    "bundled/",
    "plugins/api/plugin.py",
    "plugins/api/provider.py",
    "plugins/host/loader.py",
    "testing/plugins/",
)

ALLOWED: dict[str, int] = {
    "__main__.py": 1,
    "app": 63, "bundled": 111, "cli": 177, "control": 35, "errors.py": 8, "plugins": 74, "policy": 67,
    "processes": 272, "providers": 17, "relay": 368, "routing": 72, "settings": 84, "testing": 274, "wire": 527,
}  # fmt: skip
"""Banned words that a folder still has. May only shrink."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def words_of(text: str) -> Iterator[str]:
    """Split identifiers and prose alike: `upstreamAnswers_head` has upstream, answers, head."""
    for match in _WORD.finditer(text):
        yield match[0].lower()


def findings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the word of each banned word or phrase in a module."""
    module = path.relative_to(PACKAGE).as_posix()
    banned = BANNED - PROMPTS if module.startswith(MAY_PROMPT) else BANNED
    with path.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type in (tokenize.ENCODING, tokenize.OP, tokenize.NEWLINE, tokenize.NL):
                continue
            for offset, line in enumerate(token.string.splitlines()):
                for word in words_of(line):
                    if word in banned:
                        yield token.start[0] + offset, word
                if token.type != tokenize.NAME:
                    yield from ((token.start[0] + offset, m[0]) for m in PHRASES.finditer(line.lower()))


MODULES = sorted(PACKAGE.rglob("*.py"))


def folder_of(path: Path) -> str:
    """Return the folder that the allowlist counts by: the first below the package, or the file at its top."""
    return path.relative_to(PACKAGE).parts[0]


def test_no_folder_has_more_banned_words_than_the_allowlist_says() -> None:
    found = Counter[str]()
    for path in MODULES:
        found[folder_of(path)] += sum(1 for _ in findings(path))
    more = {name: count for name, count in found.items() if count > ALLOWED.get(name, 0)}
    assert not more, f"list them with: python tests/test_language.py FOLDER; more than allowed in {more}"


if __name__ == "__main__":
    chosen = sys.argv[1:] or [""]
    for module in MODULES:
        name = module.relative_to(PACKAGE).as_posix()
        if any(name.startswith(folder) for folder in chosen):
            lines = io.StringIO(module.read_text(encoding="utf-8")).readlines()
            for number, word in findings(module):
                sys.stdout.write(f"{name}:{number}: {word}: {lines[number - 1].strip()[:120]}\n")
