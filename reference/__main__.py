"""Writes every page of docs/reference anew: `scripts/reference`."""

from __future__ import annotations

import sys

from reference.pages import pages

for path, text in pages().items():
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{path}\n")
