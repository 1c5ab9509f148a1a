"""Where to cut a text: along its structure, and never longer than an encoder reads well.

A document is a text and its blocks (paragraphs, headings, tables). What fits is left whole: the text, else a section
with all below it, else paragraphs together, else sentences, lines, words; a word is cut only where it alone is too
long. Chunks are spans of the text, in order, and leave out nothing but white space between them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from octant.encoding import Budget, TokenSpans

__all__ = ["Block", "Chunk", "Document", "cut", "estimate"]


@dataclass(frozen=True, slots=True)
class Block:
    """Where a paragraph, a heading, a list item, a table begins. It ends where the next one begins."""

    start: int
    headings: tuple[str, ...] = ()
    """The headings that it stands under, outer to inner; a heading stands under itself."""
    opens: bool = False
    """Whether it is a heading: a section begins, and no chunk shall end right behind it."""
    lines: bool = False
    """Whether it is made of lines and not of sentences, as code and tables are."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text and its structure. The blocks are in order, the first at 0."""

    text: str
    blocks: Sequence[Block]
    title: str | None = None
    language: str | None = None
    """As the document itself declares it, in ISO 639-1."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a text, in characters, and the headings that all of it stands under."""

    start: int
    end: int
    headings: tuple[str, ...] = ()


_SEGMENT = 4096
"""Characters that are tokenized at a time: tokenizers are slower on one long text than on its parts."""
_WHOLE = 64
"""The longest cluster of code points that is kept together, and the longest word that is measured by itself."""
_ENOUGH = 4
"""A cut that would fill less than this part of the budget is passed over for a finer one."""

_CLOSING = "[\"'”’»)\\]」』）》】]*"
_SENTENCE = re.compile(rf"[.!?…؟۔।॥።]+{_CLOSING}\s+|[。！？｡．।။។]+{_CLOSING}\s*")
_LINE = re.compile(r"[^\S\n]*\n\s*")
_WORD = re.compile(r"\s+")
_SHOWN = re.compile(r"\S")
_BETWEEN = re.compile(r"\s(?=\S)")
_PIECE = re.compile(r"[A-Za-z]{1,3}|\S")


def cut(document: Document, budget: Budget, overlap: float = 0.125) -> list[Chunk]:
    """Cut a text into chunks of at most `budget.tokens`, by `budget.token_spans` or by `estimate`.

    A text within the budget is one chunk, unchanged; others lose the white space at their ends. A chunk repeats up to
    `overlap` of the budget from the end of the one before it, in whole sentences, where both are of one section.
    Tokens are counted on the whole and at the edges of chunks: white space is taken to end a token, and where a chunk
    has none around it, it is tokenized again by itself.
    """
    if not 0 <= overlap <= 0.5:
        raise ValueError(f"overlap is a part of the budget from 0 to 0.5, not {overlap}")
    if not document.text.strip():
        return []
    if budget.tokens is None:
        return [Chunk(0, len(document.text), _common(document.blocks))]
    if budget.tokens < 1:
        raise ValueError(f"a budget has at least one token, not {budget.tokens}")
    if len(document.text) < budget.tokens and document.text.isascii():
        # a token is one letter or more, but for what a tokenizer may put before the first: need not be counted
        return [Chunk(0, len(document.text), _common(document.blocks))]
    return list(_Cutter(document, budget.tokens, budget.token_spans or estimate, int(budget.tokens * overlap)).chunks())


def estimate(text: str) -> list[tuple[int, int]]:
    """Guess at tokens without a tokenizer, rather too many than too few.

    Three Latin letters are a token; every other character is one by itself, two in scripts beyond the first few of
    Unicode (Indic, Chinese), three where it takes four bytes (emoji), as tokenizers of bytes have it.
    """
    spans: list[tuple[int, int]] = []
    for match in _PIECE.finditer(text):
        first = match.group()[0]
        spans.extend([match.span()] * (1 + (first >= "\u0800") + (first >= "\U00010000")))
    return spans


class _Cutter:
    """One document with its tokens counted."""

    def __init__(self, document: Document, tokens: int, spans: TokenSpans, repeated: int) -> None:
        self._text = document.text
        self._blocks = document.blocks
        self._begins = [block.start for block in document.blocks]
        self._tokens = tokens
        self._spans = spans
        self._repeated = repeated
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._segments = 0
        at = 0
        while at < len(self._text):
            between = _BETWEEN.search(self._text, at + _SEGMENT)
            end = between.end() if between else len(self._text)
            found = spans(self._text[at:end])
            self._starts += [start + at for start, _ in found]
            self._ends += [end + at for _, end in found]
            self._segments += 1
            at = end
        self._starts.sort()  # in order as a rule, and then this costs nothing
        self._ends.sort()

    def chunks(self) -> Iterator[Chunk]:
        total = len(self._starts)
        if self._segments > 1 and total - 2 * self._segments <= self._tokens:
            total = len(self._spans(self._text))
        if total <= self._tokens:
            yield Chunk(0, len(self._text), _common(self._blocks))
            return
        first = next((i for i, block in enumerate(self._blocks) if block.opens), len(self._blocks))
        yield from self._packed(0, first)
        yield from self._sections(first, first, len(self._blocks))

    def _sections(self, lead: int, begin: int, stop: int) -> Iterator[Chunk]:
        """Cut the sections of the blocks from `begin`; bare headings from `lead` on belong to the first of them."""
        while begin < stop:
            depth = len(self._blocks[begin].headings)
            end = self._next(begin + 1, stop, depth)
            start, until = self._trimmed(self._begins[lead], self._end(end - 1))
            if self._measure(start, until) <= self._tokens:
                yield Chunk(start, until, _common(self._blocks[begin:end]))
            else:
                own = self._next(begin + 1, end, None)
                if own == begin + 1 and own < end:  # nothing but a heading before the sections below it
                    yield from self._sections(lead, own, end)
                else:
                    yield from self._packed(lead, own, self._blocks[begin].headings)
                    yield from self._sections(own, own, end)
            lead = begin = end

    def _next(self, begin: int, stop: int, depth: int | None) -> int:
        """The next heading that is not below `depth`, or any at all."""
        for i in range(begin, stop):
            if self._blocks[i].opens and (depth is None or len(self._blocks[i].headings) <= depth):
                return i
        return stop

    def _packed(self, begin: int, stop: int, headings: tuple[str, ...] = ()) -> Iterator[Chunk]:
        """Fill chunks with the blocks of one section."""
        if begin == stop:
            return
        until = self._end(stop - 1)
        fresh = start = self._shown(self._begins[begin], until)
        while fresh < until:
            start, end = self._chunk(start, fresh, until)
            yield Chunk(*self._trimmed(start, end), headings)
            fresh = self._shown(end, until)
            start = self._again(start, end, fresh) if fresh < until else fresh

    def _chunk(self, start: int, fresh: int, until: int) -> tuple[int, int]:
        """From where to where the next chunk reaches. It must reach beyond `fresh`, and may repeat what is before."""
        room = self._tokens
        while room > 0:
            end = self._best(start, fresh, until, room)
            over = self._measure(*self._trimmed(start, end)) - self._tokens
            if over <= 0:
                return start, end
            room -= over
        if start < fresh:
            return self._chunk(fresh, fresh, until)
        end = self._best(start, fresh, until, 1)
        while end > fresh + 1 and self._measure(start, end) > self._tokens:
            end = fresh + (end - fresh) // 2
        return start, end

    def _best(self, start: int, fresh: int, until: int, room: int) -> int:
        """The best place to cut within `room` tokens from `start`, and behind `fresh`."""
        limit = self._reach(start, room)
        if limit >= until:
            return until
        enough = max(fresh, self._reach(start, room // _ENOUGH))
        at = max(0, bisect_right(self._begins, limit) - 1)
        before = at
        while self._begins[before] > fresh and self._blocks[before - 1].opens:
            before -= 1
        whole = self._begins[before]
        if whole > fresh and (whole > enough or self._count(whole, self._end(at)) <= self._tokens):
            return whole
        enough = max(enough, self._begins[at])
        for pattern in (_LINE, _WORD) if self._blocks[at].lines else (_SENTENCE, _LINE, _WORD):
            last = max((match.end() for match in pattern.finditer(self._text, enough, limit)), default=0)
            if last > fresh:
                return last
        return self._between_letters(fresh, limit)

    def _between_letters(self, fresh: int, limit: int) -> int:
        """The last place up to `limit` that cuts through no letter with its marks; the first one, if none is left."""
        for place in range(limit, max(fresh, limit - _WHOLE), -1):
            if not _joined(self._text, place):
                return place
        for place in range(fresh + 1, min(fresh + _WHOLE, len(self._text))):
            if limit <= place and not _joined(self._text, place):
                return place
        return max(fresh + 1, limit)

    def _again(self, start: int, end: int, fresh: int) -> int:
        """Where the next chunk begins: with the last sentences of the one before it, or else where that one ended."""
        if not self._repeated:
            return fresh
        first = max(0, bisect_left(self._starts, end) - self._repeated)
        least = max(start + 1, self._starts[first])
        at = bisect_right(self._begins, fresh) - 1
        most = self._tokens
        rest = self._end(at)
        fits = self._begins[at] >= end and self._count(fresh, rest) <= most  # then it shall stay in one chunk
        own = bisect_right(self._begins, end - 1) - 1
        for pattern in (_LINE,) if self._blocks[own].lines else (_SENTENCE, _LINE):
            for match in pattern.finditer(self._text, max(start, least - _WHOLE), end):
                place = match.end()
                if least <= place < fresh and (not fits or self._count(place, rest) <= most):
                    return place
        return fresh

    def _count(self, start: int, end: int) -> int:
        """How many tokens lie within a span of the text, in whole or in part."""
        return bisect_left(self._starts, end) - bisect_right(self._ends, start)

    def _reach(self, start: int, tokens: int) -> int:
        """How far a number of tokens reaches from a place."""
        after = bisect_right(self._ends, start) + tokens
        return self._starts[after] if after < len(self._starts) else len(self._text)

    def _measure(self, start: int, end: int) -> int:
        """How many tokens the encoder will count in a span by itself; or, above the budget, about how many."""
        text, count = self._text, self._count(start, end)
        if count > self._tokens:
            return count
        if (start == 0 or text[start - 1].isspace()) and (end == len(text) or text[end].isspace()):
            # tokenizers may see a word otherwise where nothing stands before it
            space = _WORD.search(text, start, min(end, start + _WHOLE))
            if space:
                word = space.start()
                return count + max(0, len(self._spans(text[start:word])) - self._count(start, word))
        return len(self._spans(text[start:end]))

    def _end(self, block: int) -> int:
        return self._begins[block + 1] if block + 1 < len(self._begins) else len(self._text)

    def _shown(self, start: int, until: int) -> int:
        """The first place from `start` that is not white."""
        found = _SHOWN.search(self._text, start, until)
        return found.start() if found else until

    def _trimmed(self, start: int, end: int) -> tuple[int, int]:
        start = self._shown(start, end)
        while end > start and self._text[end - 1].isspace():
            end -= 1
        return start, end


def _common(blocks: Sequence[Block]) -> tuple[str, ...]:
    """The headings that all blocks stand under."""
    shared = blocks[0].headings if blocks else ()
    for block in blocks:
        same = 0
        for ours, theirs in zip(shared, block.headings, strict=False):
            if ours != theirs:
                break
            same += 1
        shared = shared[:same]
    return shared


_JOINER = "\u200d"


def _joined(text: str, place: int) -> bool:
    """Tell whether a cut at this place would go through what is read as one character."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if after <= "\u02ff":
        return before == "\r" and after == "\n"
    if before == _JOINER or after == _JOINER or unicodedata.category(after)[0] == "M":
        return True
    if unicodedata.combining(before) == 9:  # a virama binds the letter behind it
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":  # skin tones, tags of flags
        return True
    if "\u1160" <= after <= "\u11ff":  # Hangul in parts: vowels and finals
        return True
    if _is_flag(before) and _is_flag(after):
        first = place
        while first > 0 and place - first < _SEGMENT and _is_flag(text[first - 1]):
            first -= 1
        return (place - first) % 2 == 1
    return False


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
