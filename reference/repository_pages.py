"""A hook of MkDocs: makes pages of what the documentation links to outside of docs/, and corrects the links.

A link in the sources is one that the repository's own pages follow. One to a file that is no page becomes plain text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = (
    "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "RELEASING.md", "benchmarks/README.md", "changes/README.md",
    "deploy/README.md",
)  # fmt: skip
"""What becomes a page, as far as it exists."""
FOLDER = "repository"
_LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\(([^()#\s:]+)(#[^()\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name in PAGES:
        if (ROOT / name).is_file():
            text = (ROOT / name).read_text(encoding="utf-8")
            files.append(File.generated(config, f"{FOLDER}/{name}", content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, files: Files, **_: Any) -> str:
    return relinked(markdown, page.file.src_uri, {file.src_uri for file in files})


def relinked(markdown: str, page: str, pages: set[str]) -> str:
    """Return the text of ``page`` with each link as it is within the site."""
    is_outside = page.startswith(f"{FOLDER}/")
    folder = posixpath.dirname(page.removeprefix(f"{FOLDER}/") if is_outside else f"docs/{page}")

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(folder, target))
        wanted = path.removeprefix("docs/") if path.startswith("docs/") else f"{FOLDER}/{path}"
        is_known = path in PAGES or (ROOT / path).exists()
        if wanted in pages or not is_known:  # one to nothing stays, and is a warning
            return f"[{text}]({posixpath.relpath(wanted, posixpath.dirname(page) or '.')}{anchor})"
        return text

    return _LINK.sub(link, markdown)
