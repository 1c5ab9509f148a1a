"""Markdown: its headings, and what they stand over. The text stays as it is written."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from octant.adapters.chunks import Block, Document

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["read_markdown"]

_NEWLINE = re.compile(r"\r\n?|\n")  # as CommonMark counts lines
_FRONT = re.compile(
    r"\A(---|\+\+\+)[ \t]*(?:\r\n?|\n)(?=[ \t]*[\w\"'#-])(?:[^\r\n]*(?:\r\n?|\n))*?\1[ \t]*(?:\r\n?|\n|\Z)"
)
_ENTRY = re.compile(r"^[\w\"'][\w \"'.-]*[:=]", re.MULTILINE)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(\S.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_LINES = {"fence", "code_block", "table_open", "html_block"}


def read_markdown(text: str) -> Document:
    """Find the blocks of a Markdown text, CommonMark with tables.

    The title is that of the front matter (YAML or TOML between `---` or `+++`), else the first heading of level 1.
    """
    front = _FRONT.match(text)
    if front is not None and not _ENTRY.search(_NEWLINE.sub("\n", front.group())):
        front = None  # two rules with a paragraph between them
    # lines keep their numbers where the front matter is blanked
    body = text if front is None else "\n" * len(_NEWLINE.findall(front.group())) + text[front.end() :]
    starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]
    blocks = [Block(0)] if front is None else [Block(0, lines=True)]
    path: list[tuple[int, str]] = []
    title = _title(front.group()) if front is not None else None
    for token, content in _tokens(body):
        assert token.map is not None
        if token.type == "heading_open":
            level = int(token.tag[1:])
            words = _plain(content)
            path = [(above, name) for above, name in path if above < level] + [(level, words)]
            if level == 1:
                title = title or words or None
        block = Block(
            starts[token.map[0]], tuple(name for _, name in path), token.type == "heading_open", token.type in _LINES
        )
        if block.start > blocks[-1].start:
            blocks.append(block)
        elif len(blocks) == 1 and front is None:
            blocks = [Block(0, block.headings, block.opens, block.lines)]
    return Document(text, blocks, title)


def _tokens(body: str) -> list[tuple[Token, str]]:
    """What begins a block: everything at the top, and items of lists there; a heading with its content."""
    tokens = _parser().parse(body)
    found: list[tuple[Token, str]] = []
    for i, token in enumerate(tokens):
        if token.map is None or token.nesting < 0 or token.type == "inline":
            continue
        if token.level == 0 or (token.level == 1 and token.type == "list_item_open"):
            found.append((token, tokens[i + 1].content if token.type == "heading_open" else ""))
    return found


def _plain(heading: str) -> str:
    """The words of a heading, without its markup."""
    inline = _inline().parseInline(heading)
    children = [child for token in inline for child in token.children or ()]
    words = "".join(
        " " if "break" in child.type else child.content for child in children if child.type != "html_inline"
    )
    return " ".join(words.split())


def _title(front: str) -> str | None:
    found = _TITLE.search(_NEWLINE.sub("\n", front))
    return found.group(1).strip("\"'").strip() or None if found else None


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")  # where words are bold does not matter here


@cache
def _inline() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
