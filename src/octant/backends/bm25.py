"""BM25 as sparse vectors: what a document says of a term in its own vector, how rare the term is in the store's IDF.

For a field whose sparse vector has Qdrant's IDF modifier: the store then weighs each term of a query by
ln((N - df + 0.5) / (df + 0.5) + 1) over the points that have the vector, and the dot product is BM25.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.metadata import version
from itertools import pairwise
from threading import Lock
from typing import Any

from pydantic import Field

from octant.encoding import EncoderSpec, Role
from octant.errors import EncoderError
from octant.family import Family, Known, Options
from octant.media import Modality, Text
from octant.vectors import Kind, Sparse, Vector

__all__ = ["FAMILY", "Bm25", "Bm25Options", "words"]

Stem = Callable[[str], str]

REMEMBERED = 1 << 17
"""Words whose term is remembered: stemming is what takes the time, and texts repeat their words."""


class Bm25:
    """Term frequencies of texts in any script, saturated by `k` and evened out for length by `b`.

    A term is the stem of a word, and its index the first 32 bits of its hash: of 100,000 terms two share one, of a
    million some hundred pairs do, and then count as the same word.
    """

    def __init__(
        self, language: str | None = "english", *, k: float = 1.2, b: float = 0.75, average_length: float = 256.0
    ) -> None:
        """Stem words as in this language; None leaves them as they are, which suits texts in several.

        `average_length` is that of the texts, in `terms`: a point's vector cannot know the others. Where it is far off
        (titles have ten, and 256 is usual for passages) lengths count for less than `b` says, or for more.
        """
        if k < 0 or not 0 <= b <= 1 or average_length <= 0:
            raise ValueError(f"BM25 needs k >= 0, 0 <= b <= 1 and average_length > 0, not {k}, {b}, {average_length}")
        stemming = "none" if language is None else f"{language}-snowball-{_snowball_version()}"
        identity = f"bm25@1:{stemming}:k={k:g}:b={b:g}:average_length={average_length:g}"
        self.spec = EncoderSpec(identity=identity, modality=Modality.TEXT, dim=None, kind=Kind.SPARSE, idf=True)
        self._k = k
        self._b = b
        self._average_length = average_length
        stem = _stemmer(language)
        self._term = lru_cache(REMEMBERED)(stem)

        def index(word: str) -> int:
            return _index(stem(word))

        self._index = lru_cache(REMEMBERED)(index)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        """Encode a batch: of a document the weights of its terms, of a query 1 for each of its terms."""
        counted = [Counter(map(self._index, words(text.content))) for text in batch]
        if role is Role.QUERY:
            return [Sparse(tuple(counts), (1.0,) * len(counts)) for counts in counted]
        return [self._weighed(counts) for counts in counted]

    def terms(self, text: str) -> list[str]:
        """Cut a text into its terms, in order; their number is its length."""
        return [self._term(word) for word in words(text)]

    def _weighed(self, counts: Counter[int]) -> Sparse:
        k, b = self._k, self._b
        evened = k * (1 - b + b * counts.total() / self._average_length)
        return Sparse(tuple(counts), tuple(count * (k + 1) / (count + evened) for count in counts.values()))


def words(text: str) -> list[str]:
    """Cut a text into words: runs of letters, digits and their marks, without regard to case and width.

    Scripts that do not part their words with spaces (Chinese, Japanese, Korean particles, Thai, Lao, Khmer, Burmese)
    give each character and each two neighbours.
    """
    if text.isascii():
        return _ASCII.findall(text.lower())
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_IGNORED)
    return [word for run in _pattern().finditer(plain) for word in _words_of(run)]


def _words_of(run: re.Match[str]) -> Iterator[str]:
    if run["word"] is not None:
        yield run["word"]
        return
    characters = _character().findall(run["unspaced"])
    yield from characters
    yield from map("".join, pairwise(characters))


_ASCII = re.compile(r"[a-z0-9]+")
_IGNORED: dict[int, None] = dict.fromkeys((0xAD, 0x200C, 0x200D, 0x2060, 0xFEFF))
"""Soft hyphens, joiners and their like: they stand within words and are not seen."""
_UNSPACED = (
    *((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Lao; Burmese; Khmer
    *((0x3005, 0x3007), (0x3040, 0x312F), (0x31F0, 0x31FF)),  # kana, Bopomofo
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x3FFFF)),  # Han
    (0xAC00, 0xD7AF),  # Hangul
)


@cache
def _pattern() -> re.Pattern[str]:
    unspaced, marks = _classes()
    word = rf"[^\W_{unspaced}]"
    return re.compile(rf"(?P<unspaced>(?:[{unspaced}][{marks}]*)+)|(?P<word>{word}(?:{word}|[{marks}])*)")


@cache
def _character() -> re.Pattern[str]:
    unspaced, marks = _classes()
    return re.compile(rf"[{unspaced}][{marks}]*")


@cache
def _classes() -> tuple[str, str]:
    """Spell the letters of unspaced scripts, and all marks, which Python's \\w lacks, for a class of a pattern."""
    kind = unicodedata.category
    unspaced = [c for first, last in _UNSPACED for c in range(first, last + 1) if kind(chr(c))[0] == "L" or c == 0x3007]
    marks = [c for c in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)) if kind(chr(c))[0] == "M"]
    return _ranges(unspaced), _ranges(marks)


def _ranges(codes: Sequence[int]) -> str:
    starts = [c for c, before in zip(codes, (-1, *codes), strict=False) if c != before + 1]
    ends = [c for c, after in zip(codes, (*codes[1:], -1), strict=True) if c + 1 != after]
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in zip(starts, ends, strict=True))


def _index(term: str) -> int:
    return int.from_bytes(blake2b(term.encode(), digest_size=4).digest(), "little")


def _stemmer(language: str | None) -> Stem:
    if language is None:
        return str
    package: Any = importlib.import_module("snowballstemmer")
    known = sorted(
        m.name.removesuffix("_stemmer") for m in pkgutil.iter_modules(package.__path__) if "_stemmer" in m.name
    )
    if language not in known:
        raise ValueError(f"there is no stemmer for {language!r}; there are {', '.join(known)}, and None")
    # not snowballstemmer.stemmer: it takes PyStemmer where that is installed, whose stems are those of its own version
    module: Any = importlib.import_module(f"snowballstemmer.{language}_stemmer")
    stemmer: Any = getattr(module, "".join(part.title() for part in language.split("_")) + "Stemmer")()
    lock = Lock()  # a stemmer keeps the word that it is at in itself

    def stem(word: str) -> str:
        with lock:
            stemmed: str = stemmer.stemWord(word)
        return stemmed

    return stem


def _snowball_version() -> str:
    return ".".join(version("snowballstemmer").split(".")[:2])


class Bm25Options(Options):
    """How texts are weighed; see `Bm25`."""

    k: float = Field(default=1.2, ge=0)
    """How soon a term that comes again stops to count."""
    b: float = Field(default=0.75, ge=0, le=1)
    """How much the length of a text counts."""
    average_length: float = Field(default=256.0, gt=0)
    """The usual number of terms of a text."""


def _made(language: str, options: Bm25Options) -> list[Bm25]:
    stemmed = None if language == "none" else language
    try:
        return [Bm25(stemmed, k=options.k, b=options.b, average_length=options.average_length)]
    except ValueError as error:
        raise EncoderError(f"bm25:{language}", f"{error} (which is bm25:none)") from error


FAMILY = Family(
    name="bm25",
    summary="words weighed by BM25, stemmed as in a language, or as they stand: bm25:none",
    modules=("snowballstemmer",),
    install="pip install octant-search",
    options=Bm25Options,
    load=_made,
    known=(
        Known("english", (Modality.TEXT,), None, "Apache-2.0", Kind.SPARSE, note="or another language of Snowball"),
        Known("none", (Modality.TEXT,), None, "Apache-2.0", Kind.SPARSE, note="any language, without stems"),
    ),
    roles=True,
)
