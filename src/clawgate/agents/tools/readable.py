"""Makes Markdown or plain text of a web page: its main content, by trafilatura, or all of its text.

Runs in the sandbox. `stripped` takes linear time for any page, and stands in where trafilatura finds nothing or would
take too long. Characters are read as browsers do (WHATWG Encoding): a byte order mark, the response's charset, the
page's own, UTF-8, and windows-1252 for what is none of these.
"""

from __future__ import annotations

import codecs
import contextlib
import encodings.aliases
import functools
import html
import re
from typing import Any

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta\s[^<>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_META_BYTES = 1024
_ENCODINGS = frozenset(
    """
    utf_8 utf_16 utf_16_le utf_16_be cp866 cp874 cp932 cp949 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257
    cp1258 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_10 iso8859_13 iso8859_14
    iso8859_15 iso8859_16 koi8_r koi8_u mac_roman mac_cyrillic gbk gb18030 big5hkscs euc_jp iso2022_jp euc_kr
    """.split()  # noqa: SIM905 - a list of words reads better than quotes
)
"""Those of the web, by Python's names. They are imported ahead: a process of the sandbox opens no file."""
_AS_BROWSERS = {
    "ascii": "cp1252", "latin_1": "cp1252", "iso8859_1": "cp1252", "iso8859_9": "cp1254", "iso8859_11": "cp874",
    "gb2312": "gbk", "shift_jis": "cp932", "big5": "big5hkscs", "euc_kr": "cp949",
}  # fmt: skip
"""WHATWG Encoding: the larger one that is meant."""

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_HIDDEN = re.compile(r"<(title|script|style|noscript|template|svg|head|iframe|object|textarea)(?=[\s/>])")
_BREAK = re.compile(
    r"</?(?:address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|header|hr|li|main|nav|"
    r"ol|p|pre|section|table|td|th|tr|ul)(?=[\s/>])[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]*(?:>|\Z)")
_HUGE_NUMBER = re.compile(r"&#[xX]?[0-9A-Fa-f]{8,};?")
_BLANKS = re.compile(r"[ \t\f\v\r\xa0]+")
_BLANK_LINES = re.compile(r"(?:\n ?){3,}")
_TITLE = re.compile(r"<title[^<>]*>([^<]{0,2000})", re.IGNORECASE)
_MAX_TITLE = 300
_MAIN = re.compile(r"<(?:main|article)[\s>]", re.IGNORECASE)
_BODY = re.compile(r"(<body[^<>]*>)", re.IGNORECASE)
_HTML = re.compile(r"<html[\s>]", re.IGNORECASE)
_SHORT_PAGE = 10_000
"""Characters of a page all of which is content: of some of these, trafilatura keeps a single paragraph."""
_MOST = 0.9
"""Of the words of such a page: the rest is navigation."""
_WORD = re.compile(r"\w+")


def prepare() -> None:
    """Import trafilatura with all that it imports late, and what decodes."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    with contextlib.suppress(ImportError):
        for form in ("markdown", "txt"):
            extracted(
                "<html><body><main><h1>Some</h1><p>Some words.</p></main></body></html>",
                "http://a.example/",
                form,
            )


@functools.cache
def _options() -> dict[str, Any]:
    from trafilatura.settings import use_config

    config = use_config()
    for name in ("MIN_EXTRACTED_SIZE", "MIN_OUTPUT_SIZE"):
        config.set("DEFAULT", name, "1")  # else the structure of a short page is lost
    return {
        "config": config,
        "fast": True,
        "include_links": True,
        "include_tables": True,
        "include_comments": True,
    }


def read(job: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return the title and the text of a page, and whether its text was cut at ``max_chars``.

    ``kind`` is html, or text for what stays as it is; ``mode`` is markdown or text. ``plain``: without trafilatura.
    """
    page = decode(body, job.get("charset") or "")
    title = text = ""
    if job["kind"] == "text":
        text = page
    else:
        found = _TITLE.search(page)
        title = " ".join(unescaped(found[1]).split())[:_MAX_TITLE] if found else ""
        if not job.get("plain"):
            text = extracted(page, job["url"], "markdown" if job["mode"] == "markdown" else "txt")
        text = text.strip() or stripped(page)
    most = job["max_chars"]
    return {"title": title, "text": text[:most], "truncated": len(text) > most}


def extracted(page: str, url: str, form: str) -> str:
    """Return the main content; empty where there is none that trafilatura finds."""
    import trafilatura

    page = page if _BODY.search(page) else f"<body>{page}"
    page = page if _HTML.search(page) else f"<html>{page}"
    if not _MAIN.search(page):
        # Else trafilatura keeps paragraphs alone, and no heading.
        page = _BODY.sub(r"\1<main>", page, count=1)
    is_short = len(page) < _SHORT_PAGE
    found = trafilatura.extract(
        page,
        output_format=form,
        include_formatting=form == "markdown",
        url=url,
        favor_recall=is_short,
        **_options(),
    )
    if not found or not is_short:
        return found or ""
    words, kept = _WORD.findall(stripped(page)), set(_WORD.findall(found))
    return found if sum(word in kept for word in words) >= _MOST * len(words) else ""


def decode(body: bytes, charset: str) -> str:
    """Return the characters of ``body``, without NULs."""
    return _decoded(body, charset).replace("\0", "")


def _decoded(body: bytes, charset: str) -> str:
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    own = _META.search(body[:_META_BYTES])
    for label in (charset, own[1].decode("ascii", "replace") if own else "", "utf-8"):
        encoding = _encoding(label)
        if encoding == "utf_8":
            with contextlib.suppress(UnicodeDecodeError):
                return body.decode(encoding)
        elif encoding:
            return body.decode(encoding, "replace")
    return body.decode("utf_8" if _encoding(charset) == "utf_8" else "cp1252", "replace")


def _encoding(label: str) -> str:
    """Return Python's name of an encoding that pages have; empty for others."""
    name = encodings.normalize_encoding(label.strip("\"' ")).lower()
    name = encodings.aliases.aliases.get(name, name)
    name = _AS_BROWSERS.get(name, name)
    return name if name in _ENCODINGS else ""


def stripped(page: str) -> str:
    """Return all text of a page, without its markup, in linear time."""
    text = _BREAK.sub("\n", _without_hidden(page))
    text = _BLANKS.sub(" ", unescaped(_TAG.sub("", text)))
    return _BLANK_LINES.sub("\n\n", text.replace(" \n", "\n").replace("\n ", "\n")).strip()


def unescaped(text: str) -> str:
    return html.unescape(_HUGE_NUMBER.sub("�", text))


def _without_hidden(page: str) -> str:
    """Leave out comments and what a browser does not show as text; what has no end takes the rest of the page."""
    lower = page.translate(_LOWER)
    pieces, at = [], 0
    starts = re.compile(rf"<!--|{_HIDDEN.pattern}")
    while (found := starts.search(lower, at)) is not None:
        pieces.append(page[at : found.start()])
        close = lower.find("--" if found[1] is None else f"</{found[1]}", found.end())
        at = lower.find(">", close) + 1 if close >= 0 else 0
        at = at or len(page)
    pieces.append(page[at:])
    return "".join(pieces)
