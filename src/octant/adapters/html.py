"""HTML: what a reader of the page sees, and its headings."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from octant.adapters.chunks import Block, Document
from octant.adapters.plaintext import require_text
from octant.errors import MediaError
from octant.media import Limits
from octant.media.source import read_bytes

__all__ = ["html_from_file", "read_html"]

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)|\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 4096
_READ_AS = {
    # as browsers read these names
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "utf-16": "utf-8",  # else the declaration could not have been read
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
_NO_CHARSETS = {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_UNSEEN = frozenset(
    {"audio", "canvas", "iframe", "nav", "noscript", "object", "script", "select", "style", "svg", "template", "video"}
)
_CLOSE = frozenset({"caption", "dd", "dt", "figcaption", "li", "summary", "tbody", "tfoot", "thead", "tr"})
"""Blocks that stand on lines of their own, without a blank line around them."""
_APART = frozenset(
    {"address", "article", "aside", "blockquote", "body", "center", "details", "dialog", "div", "dl", "fieldset"}
    | {"figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "main", "menu", "ol"}
    | {"p", "pre", "search", "section", "table", "ul"}
)
"""Blocks with a blank line around them."""
_BLOCKS = _CLOSE | _APART
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_ENDED_BY = {
    # which open elements end where this one begins, and within which they are looked for
    "li": ({"li"}, {"ul", "ol", "menu"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "tr": ({"tr", "td", "th"}, {"table"}),
    "td": ({"td", "th"}, {"table", "tr"}),
    "th": ({"td", "th"}, {"table", "tr"}),
}
_CELLS = {"td", "th"}
_AROUND_CELLS = {"table", "tr", "tbody", "thead", "tfoot", "body", "html"}
_GAPS = ("", " ", " | ", "\n", "\n\n")
"""What may part words, ever wider; of several the widest stands."""
_DEEPEST = 512
"""Elements within one another, as in browsers; of those still deeper only the words count."""
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_LANGUAGE = re.compile(r"\s*([a-z]{2})(?:[-_]|\s*$)", re.IGNORECASE)
_NEWLINE = re.compile(r"\r\n?")
_SPACE = re.compile(r"[ \t\n\r\f]+")


def html_from_file(path: Path, limits: Limits) -> Document:
    """Read a web page: by its byte order mark, by the charset it declares, or as UTF-8.

    MediaError about `path` for what cannot be decoded, shows no text, or exceeds the limits.
    """
    page = _decoded(path, read_bytes(path, path, limits.bytes))
    if "\0" in page:
        raise MediaError(path, f"has a NUL at character {page.index(chr(0)):,}: it is not HTML; leave it out")
    try:
        document = read_html(page, limits.characters)
    except (AssertionError, ValueError, LookupError, RecursionError) as error:  # what html.parser lets out
        raise MediaError(path, f"is broken HTML ({error}); save the page again, as text") from error
    if not document.text.strip():
        raise MediaError(path, "shows no text: it is empty, or filled by scripts; save the page as a browser shows it")
    require_text(document.text, path, limits)
    return document


def read_html(page: str, most: int = 1_000_000) -> Document:
    """Extract what a page shows: paragraphs parted by blank lines, items and rows on lines, cells by `|`.

    Reading ends soon after `most` characters of text.
    """
    reader = _Reader(most)
    reader.feed(_finished(page))
    reader.close()
    return reader.document()


def _finished(page: str) -> str:
    """The page with the tags and comments that nobody finished as text: html.parser seeks the end of each anew."""
    closed = page.rfind("-->") + 3 if "-->" in page else 0
    page = page[:closed] + page[closed:].replace("<!--", "&lt;!--")
    ended = page.rfind(">") + 1
    return page[:ended] + page[ended:].replace("<", "&lt;")


def _decoded(path: Path, data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strictly(path, data.removeprefix(mark), encoding, len(mark))
    declared = _DECLARED.search(data[:_DECLARED_WITHIN])
    if declared is None:
        return _strictly(path, data, "utf-8", 0)
    name = (declared.group(1) or declared.group(2)).decode("ascii", "replace")
    try:
        known = codecs.lookup(name).name
        if known in _NO_CHARSETS:
            raise LookupError(name)
        "a".encode(known)  # some are no encodings of text
    except (LookupError, ValueError) as error:
        remedy = "correct its charset, or convert it: iconv -f <its encoding> -t UTF-8"
        raise MediaError(path, f"declares the charset {name!r}, which is none that octant knows; {remedy}") from error
    try:
        return data.decode("utf-8")  # hardly any other text is UTF-8 by accident, whatever it declares
    except UnicodeDecodeError:
        encoding = _READ_AS.get(known, known)
        if encoding == "cp1252":  # which has holes; browsers read them as Latin-1
            return data.decode("cp1252", "surrogateescape").translate({0xDC00 + byte: byte for byte in range(128, 256)})
        return _strictly(path, data, encoding, 0)


def _strictly(path: Path, data: bytes, encoding: str, before: int) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise MediaError(
            path,
            f"is not {encoding.upper()} (byte 0x{data[error.start]:02X} at offset {error.start + before:,}); "
            "declare its charset (<meta charset=...>) or convert it: iconv -f <its encoding> -t UTF-8",
        ) from error


class _Reader(HTMLParser):
    """Writes down what is shown, while it follows which elements are open, as far as pages close them."""

    def __init__(self, most: int) -> None:
        super().__init__(convert_charrefs=True)
        self._most = most
        self._open: list[tuple[str, bool]] = []  # and whether they hide what is in them
        self._names = Counter[str]()  # of the open ones
        self._hidden = self._preformatted = self._tables = 0  # how many of the open ones are such
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""  # what comes before the next words
        self._item = ""  # the mark of an item of a list, of which nothing was written yet
        self._begins = True  # whether the next words begin a block
        self._blocks: list[Block] = []
        self._path: list[tuple[int, str]] = []
        self._heading: tuple[int, int, int] | None = None  # its level, and where it stands in _blocks and _parts
        self._title: list[str] | None = None
        self._in_title = False
        self._language: str | None = None

    def document(self) -> Document:
        self._end_heading()
        title = " ".join("".join(self._title or ()).split()) or self._first_heading()
        return Document("".join(self._parts), self._blocks or [Block(0)], title, self._language)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._in_title = tag == "title" and self._title is None
        if self._in_title:
            self._title = []
        if tag == "html":
            declared = _LANGUAGE.match(given.get("lang") or given.get("xml:lang") or "")
            self._language = declared.group(1).lower() if declared else self._language
        if tag in _BLOCKS:
            self._end(tag="p")
        if tag in _ENDED_BY:
            self._end_inner(*_ENDED_BY[tag])
        self._part(tag)
        if tag == "img" and (given.get("alt") or "").strip():
            self.handle_data(f" {given['alt']} ")
        if tag in _VOID or len(self._open) >= _DEEPEST:
            return
        hides = tag in _UNSEEN or "hidden" in given or bool(_HIDING.search(given.get("style") or ""))
        self._open.append((tag, hides))
        self._names[tag] += 1
        self._hidden += hides
        self._preformatted += tag in ("pre", "textarea")
        self._tables += tag == "table"
        if self._hidden:
            return
        if tag in _HEADINGS:
            self._heading = (_HEADINGS[tag], len(self._blocks), len(self._parts))
        elif tag == "li":
            self._item = "- "

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # the slash closes nothing in HTML

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if tag in _HEADINGS:
            self._end_heading()
        self._end(tag)
        self._part(tag)

    def handle_data(self, data: str) -> None:
        if self._in_title and self._title is not None:
            self._title.append(data)
        elif self._hidden or self._length > self._most:
            return
        elif self._preformatted:
            words = _NEWLINE.sub("\n", data)
            words = words.lstrip("\n") if self._begins else words
            if words.strip() or not self._begins:
                self._write(words)
        else:
            words = _SPACE.sub(" ", data)
            if words.startswith(" "):
                self._widen(" ")
            if words.strip(" "):
                self._write(words.strip(" "))
                if words.endswith(" "):
                    self._widen(" ")

    def parse_html_declaration(self, i: int) -> int:
        """Take `<![...]>` for the comment that it is in HTML; html.parser would stumble over some."""
        if self.rawdata.startswith("<![", i):
            return self.parse_bogus_comment(i)
        return super().parse_html_declaration(i)

    def _part(self, tag: str) -> None:
        """Part what comes before and behind an element as its kind asks for."""
        if self._hidden:
            return
        if tag == "br":
            self._widen("\n\n" if self._gap == "\n" else "\n")
            self._begins = self._begins or self._gap == "\n\n"
        elif tag in _CELLS:
            self._widen(" | ")
        elif tag in _BLOCKS:
            if self._heading is not None and len(self._parts) > self._heading[2]:
                self._end_heading()  # that nobody closed
            if self._tables and tag != "table" and tag not in _HEADINGS:  # a table is one block
                self._widen("\n" if tag in _CLOSE else " ")
            else:
                self._widen("\n" if tag in _CLOSE else "\n\n")
                self._begins = True

    def _widen(self, gap: str) -> None:
        self._gap = max(self._gap, gap, key=_GAPS.index)

    def _write(self, words: str) -> None:
        if self._parts:
            self._parts.append(self._gap)
            self._length += len(self._gap)
        if self._begins:
            opens = self._heading is not None and self._heading[1] == len(self._blocks)
            path = tuple(name for _, name in self._path)
            self._blocks.append(Block(self._length, path, opens, bool(self._preformatted or self._tables)))
        self._parts.append(self._item + words)
        self._length += len(self._item) + len(words)
        self._gap = self._item = ""
        self._begins = False

    def _end_heading(self) -> None:
        """Name the section that a heading opens, now that its words are known."""
        if self._heading is None:
            return
        level, block, part = self._heading
        self._heading = None
        name = " ".join("".join(self._parts[part:]).split())
        if not name:
            return
        self._path = [(above, words) for above, words in self._path if above < level] + [(level, name)]
        path = tuple(words for _, words in self._path)
        self._blocks[block:] = [replace(noted, headings=path) for noted in self._blocks[block:]]

    def _first_heading(self) -> str | None:
        return next((block.headings[0] for block in self._blocks if block.opens and len(block.headings) == 1), None)

    def _end(self, tag: str) -> None:
        """Close the innermost element of this name, with all that was left open in it."""
        if not self._names[tag]:
            return
        for place in range(len(self._open) - 1, -1, -1):
            name = self._open[place][0]
            if name == tag:
                self._close(place)
                return
            if name in ("table", *_CELLS) and tag not in _AROUND_CELLS:
                return

    def _end_inner(self, ended: set[str], within: set[str]) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            name = self._open[place][0]
            if name in within:
                return
            if name in ended:
                self._close(place)

    def _close(self, place: int) -> None:
        for name, hides in self._open[place:]:
            self._names[name] -= 1
            self._hidden -= hides
            self._preformatted -= name in ("pre", "textarea")
            self._tables -= name == "table"
            if name == "li":
                self._item = ""
        del self._open[place:]
