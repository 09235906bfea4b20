"""Pages that hang readers: each of 750 kB, as large as one may be."""

from __future__ import annotations

SIZE = 750_000


def _filled(piece: str) -> str:
    return (piece * (SIZE // len(piece) + 1))[:SIZE]


PAGES = {
    "nested": _filled("<div>"),
    "nested inline": _filled("<b><i>"),
    "open paragraphs": _filled("<p>"),
    "open paragraphs with text": _filled("<p>x"),
    "closing tags": _filled("</p>"),
    "spaces": "<p>" + " " * SIZE,
    "entities": "<p>" + _filled("&amp;"),
    "a number of many digits": "<p>&#" + "1" * SIZE,
    "equal attributes": "<div " + _filled("a=1 ") + ">x</div>",
    "many attributes": "<div " + " ".join(f"a{number}=1" for number in range(70_000)) + ">x</div>",
    "comments": _filled("<!--"),
    "tables": _filled("<table><tr><td>"),
    "lists": _filled("<ul><li>"),
    "forms": _filled("<form><input>"),
    "scripts": _filled("<script>"),
    "line breaks": _filled("<br>"),
    "links": _filled('<a href="x">y</a> '),
    "one line": "<p>" + "x" * SIZE,
    "NULs": "<p>" + "\0" * SIZE,
    "angle brackets": "<" * SIZE,
    "new lines": "<pre>" + _filled(" \n"),
    "a title without end": _filled("<title>"),
    "meta without end": _filled("<meta charset"),
}
