"""The house speaks plain technical English: no module has a banned word of the style guide (docs/style.md).

`python tests/test_language.py [FOLDER ...]` lists each place: the words of identifiers, comments and strings.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

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

PUBLIC_NAME = "# a public name"
"""Ends a line whose word is part of an interface, such as the label of a metric."""

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
            if token.line.rstrip().endswith(PUBLIC_NAME):
                continue
            for offset, line in enumerate(token.string.splitlines()):
                for word in words_of(line):
                    if word in banned:
                        yield token.start[0] + offset, word
                if token.type != tokenize.NAME:
                    yield from ((token.start[0] + offset, m[0]) for m in PHRASES.finditer(line.lower()))


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_uses_no_banned_word(path: Path) -> None:
    """Names, comments, docstrings and messages; `python tests/test_language.py` lists the places."""
    assert [f"line {line}: {word}" for line, word in findings(path)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_begins_with_a_statement(path: Path) -> None:
    """A question as the first line makes the reader read on to learn what was meant."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = text.partition("\n")[0]
    assert first and not re.search(r"\?(\s|$)", first)


if __name__ == "__main__":
    chosen = sys.argv[1:] or [""]
    for module in MODULES:
        name = module.relative_to(PACKAGE).as_posix()
        if any(name.startswith(folder) for folder in chosen):
            lines = io.StringIO(module.read_text(encoding="utf-8")).readlines()
            for number, word in findings(module):
                sys.stdout.write(f"{name}:{number}: {word}: {lines[number - 1].strip()[:120]}\n")
