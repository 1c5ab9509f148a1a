"""Texts are cut along their structure, into spans that fit, and nothing of them is lost."""

import itertools
import re
import time
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octant.adapters.chunks import Chunk, Document, cut, estimate
from octant.adapters.markdown import read_markdown
from octant.adapters.plaintext import paragraphs
from octant.backends.starter import TextEncoder
from octant.encoding import Budget, TokenSpans


def words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def pieces_of_words(text: str) -> list[tuple[int, int]]:
    """Like byte-level BPE: the space before a word is part of it, and long words are in pieces."""
    return [match.span() for match in re.finditer(r" ?\w{1,4}|\s+| ?[^\w\s]", text)]


ENCODER = TextEncoder()
TOKENIZERS: list[TokenSpans] = [words, pieces_of_words, ENCODER.token_spans, estimate]


def plain(text: str) -> Document:
    return Document(text, paragraphs(text))


def check(document: Document, chunks: Sequence[Chunk], tokens: int, spans: TokenSpans) -> None:
    """What holds for every text: in order, within the budget, and nothing left out."""
    text = document.text
    covered = 0
    for chunk in chunks:
        assert chunk.start <= covered or not text[covered : chunk.start].strip(), "something was left out"
        assert covered < chunk.end, "a chunk repeats only"
        assert len(spans(text[chunk.start : chunk.end])) <= tokens
        covered = chunk.end
    assert not text[covered:].strip()
    assert [chunk.start for chunk in chunks] == sorted({chunk.start for chunk in chunks})


TEXTS = st.text(
    st.one_of(
        st.sampled_from("aaabbc é.,!\n\n  \t\r日本語。שלוم😀\u0301\u200d🇩🇪क्षि한\u1100\u1161"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=600,
)
LINES = ["# One\n", "## Two\n", "### Three\n", "Some words here. And more of them!\n", "\n", "- item\n", "> quoted\n"]
PARTS = [
    "```\ncode = 1\n```\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "[ref]: http://x.y\n",
    "Title\n===\n",
    "super" * 20,
]
MARKDOWN = st.lists(st.sampled_from(LINES + PARTS), max_size=40).map("".join)


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.integers(8, 60), st.sampled_from(TOKENIZERS), st.sampled_from([0, 0.125, 0.5]))
def test_any_text_is_covered_in_order_within_the_budget(
    text: str, tokens: int, spans: TokenSpans, overlap: float
) -> None:
    document = plain(text)
    chunks = cut(document, Budget(tokens, token_spans=spans), overlap)
    check(document, chunks, tokens, spans)
    assert chunks == cut(document, Budget(tokens, token_spans=spans), overlap)
    if text.strip() and len(spans(text)) <= tokens:
        assert chunks == [Chunk(0, len(text))]


@settings(deadline=None, max_examples=150)
@given(MARKDOWN, st.integers(8, 60), st.sampled_from(TOKENIZERS))
def test_any_markdown_is_covered_and_keeps_its_headings(text: str, tokens: int, spans: TokenSpans) -> None:
    document = read_markdown(text)
    assert [block.start for block in document.blocks] == sorted({block.start for block in document.blocks})
    chunks = cut(document, Budget(tokens, token_spans=spans))
    check(document, chunks, tokens, spans)
    for chunk in chunks:
        within = [b for b in document.blocks if chunk.start <= b.start < chunk.end and not b.opens]
        assert all(block.headings[: len(chunk.headings)] == chunk.headings for block in within)


def test_no_budget_and_a_budget_that_suffices_leave_a_text_as_it_is() -> None:
    text = "  # One\n\nwords\n\n\n# Two\n\nmore  \n"
    assert cut(read_markdown(text), Budget()) == [Chunk(0, len(text))]
    assert cut(read_markdown(text), Budget(256, token_spans=words)) == [Chunk(0, len(text))]
    assert cut(plain(" \n\t "), Budget(256)) == []


def test_a_text_of_fewer_letters_than_the_budget_has_tokens_is_not_tokenized() -> None:
    def spans(text: str) -> list[tuple[int, int]]:
        raise AssertionError(f"{text!r} was tokenized")

    text = "A short title"
    document = Document(text, paragraphs(text))
    assert cut(document, Budget(tokens=64, token_spans=spans)) == [Chunk(0, len(text))]
    emoji = "🙂" * 20  # tokenizers of bytes make four tokens of one
    with pytest.raises(AssertionError, match="was tokenized"):
        cut(Document(emoji, paragraphs(emoji)), Budget(tokens=64, token_spans=spans))


def test_a_long_text_that_just_fits_is_one_chunk() -> None:
    text = "word " * 5000
    assert cut(plain(text), Budget(5000, token_spans=pieces_of_words)) != [Chunk(0, len(text))]  # a last space is one
    text = text.strip()
    exact = len(pieces_of_words(text))
    assert cut(plain(text), Budget(exact, token_spans=pieces_of_words)) == [Chunk(0, len(text))]
    assert len(cut(plain(text), Budget(exact - 1, token_spans=pieces_of_words))) == 2


def test_a_section_that_fits_is_kept_whole_with_what_is_below_it() -> None:
    text = "# Book\n\n" + "intro " * 20 + "\n\n## A\n\nwords of A\n\n### B\n\nwords of B\n\n## C\n\n" + "long " * 30
    found = cut(read_markdown(text), Budget(40, token_spans=words))
    assert [(chunk.headings, text[chunk.start : chunk.end].split()[0]) for chunk in found] == [
        (("Book",), "#"),
        (("Book", "A"), "##"),
        (("Book", "C"), "##"),
    ]
    assert text[found[1].start : found[1].end].endswith("words of B")


def test_a_bare_heading_goes_with_the_section_below_it() -> None:
    text = "# Book\n\n## A\n\n" + "alpha " * 20 + "\n\n## B\n\n" + "beta " * 20
    found = cut(read_markdown(text), Budget(30, token_spans=words))
    assert [text[chunk.start : chunk.end][:12] for chunk in found] == ["# Book\n\n## A", "## B\n\nbeta b"]
    assert [chunk.headings for chunk in found] == [("Book", "A"), ("Book", "B")]


def test_no_chunk_is_a_bare_heading() -> None:
    text = "# Book\n\n## A\n\none two three four five six seven eight nine"
    chunks = cut(read_markdown(text), Budget(10, token_spans=words), 0)
    assert text[chunks[0].start : chunks[0].end] == "# Book\n\n## A\n\none two three four five"


@pytest.mark.parametrize("text", ["some words " * 40, "日本" * 40])
def test_a_chunk_fits_although_its_tokens_are_others_by_itself(text: str) -> None:
    def dearer_at_the_beginning(text: str) -> list[tuple[int, int]]:
        found = [match.span() for match in re.finditer(r"[a-z]+|[^a-z\s]", text)]
        return found[:1] * 2 + found

    chunks = cut(plain(text), Budget(10, token_spans=dearer_at_the_beginning), 0)
    check(plain(text), chunks, 10, dearer_at_the_beginning)


def test_paragraphs_are_packed_and_split_at_sentences_then_words_then_anywhere() -> None:
    budget = Budget(10, token_spans=words)
    text = "one two.\n\nthree four.\n\nfive six seven eight.\n\n"
    assert [text[c.start : c.end] for c in cut(plain(text), budget, 0)] == [
        "one two.\n\nthree four.",
        "five six seven eight.",
    ]
    text = "One two three four five. Six seven eight nine ten eleven twelve."
    assert [text[c.start : c.end] for c in cut(plain(text), budget, 0)] == [
        "One two three four five.",
        "Six seven eight nine ten eleven twelve.",
    ]
    text = " ".join("abcdefghijklmno")
    assert [text[c.start : c.end] for c in cut(plain(text), budget, 0)] == ["a b c d e f g h i j", "k l m n o"]
    long = cut(plain("x" * 10_000), Budget(100, token_spans=pieces_of_words), 0.125)
    assert [(c.start, c.end) for c in long] == [(i, i + 400) for i in range(0, 10_000, 400)]


def test_a_short_word_before_a_very_long_one_is_no_chunk_by_itself() -> None:
    chunks = cut(plain("a " + "x" * 2000), Budget(100, token_spans=pieces_of_words))
    assert chunks[0].end > 300


def test_code_is_cut_between_lines_and_only_where_it_does_not_fit() -> None:
    fits = "```python\n# no heading\n" + "a = 1\n" * 5 + "```\n"
    text = "Before it. " * 6 + "\n\n" + fits + "\n" + "After it. " * 6
    found = cut(read_markdown(text), Budget(30, token_spans=words), 0)
    assert fits.strip() in [text[c.start : c.end] for c in found]
    assert all(c.headings == () for c in found)
    text = "```\n" + "alpha beta. gamma\n" * 50 + "```\n"
    found = cut(read_markdown(text), Budget(30, token_spans=words))
    assert all(text[c.end] == "\n" for c in found[:-1])


def test_the_overlap_is_whole_sentences_of_the_same_section() -> None:
    sentences = [f"Sentence number {i} is here." for i in range(40)]
    text = " ".join(sentences)
    chunks = cut(plain(text), Budget(48, token_spans=words), 0.25)
    for before, after in itertools.pairwise(chunks):
        repeated = text[after.start : before.end]
        assert repeated.startswith("Sentence number")
        assert repeated.endswith("here.")
        assert 0 < len(words(repeated)) <= 12
    none = cut(plain(text), Budget(48, token_spans=words), 0)
    assert all(before.end < after.start for before, after in itertools.pairwise(none))
    two = "# A\n\n" + text + "\n\n# B\n\n" + text
    sections = cut(read_markdown(two), Budget(48, token_spans=words), 0.25)
    first = next(c for c in sections if c.headings == ("B",))
    assert two[first.start :].startswith("# B")


def test_a_paragraph_that_fits_is_not_split_for_the_sake_of_overlap() -> None:
    text = "\n\n".join(" ".join(["word"] * 44) + ". Last words here." for _ in range(6))
    chunks = cut(plain(text), Budget(50, token_spans=words), 0.25)
    assert len(chunks) == 6


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301", "👨\u200d👩\u200d👧", "👍🏽", "🇩🇪", "क्षि", "\u1112\u1161\u11ab", "ก\u0e49", "☀\ufe0f"],
)
def test_what_is_read_as_one_character_is_not_cut(cluster: str) -> None:
    text = cluster * 200
    for tokens in (8, 9, 10, 11):
        for chunk in cut(plain(text), Budget(tokens, token_spans=lambda t: [(i, i + 1) for i in range(len(t))])):
            assert chunk.start % len(cluster) == chunk.end % len(cluster) == 0


def test_a_mountain_of_marks_is_cut_all_the_same() -> None:
    text = "a" + "\u0301" * 5000
    check(plain(text), cut(plain(text), Budget(50)), 50, estimate)


SENTENCES = [
    "これは日本語の文です。",
    "这是一个中文句子。",
    "यह एक वाक्य है। ",
    "هذه جملة بالعربية، أليس كذلك؟ ",
    "זה משפט בעברית. ",
]
OTHERS = ["Это предложение на русском языке. ", "นี่คือประโยคภาษาไทย ", "이것은 한국어 문장입니다. "]


@pytest.mark.parametrize("sentence", SENTENCES + OTHERS)
def test_sentences_of_many_scripts(sentence: str) -> None:
    text = (sentence * 60).strip()
    spans = ENCODER.token_spans
    chunks = cut(plain(text), Budget(64, token_spans=spans))
    check(plain(text), chunks, 64, spans)
    assert all(text[c.start : c.end].startswith(sentence.strip()) for c in chunks)
    assert all(text[c.start : c.end].endswith(sentence.strip()) for c in chunks)


def test_windows_lines_part_paragraphs_and_are_not_cut() -> None:
    text = "One two three.\r\n\r\nFour five six.\r\n" * 20
    chunks = cut(plain(text), Budget(12, token_spans=words), 0)
    check(plain(text), chunks, 12, words)
    assert all(text[c.start : c.end].endswith(".") for c in chunks)


def test_the_estimate_counts_rather_too_many_than_too_few() -> None:
    for text in (
        "The quick brown fox jumps over the lazy dog, unbelievably.",
        "Ein Überfall auf die Straßenbahn",
        "日本語",
    ):
        assert len(estimate(text)) >= len(ENCODER.token_spans(text))
    assert len(estimate("😀")) == 3
    assert estimate("a b") == [(0, 1), (2, 3)]


def test_tokens_are_counted_once() -> None:
    given = 0

    def counted(text: str) -> list[tuple[int, int]]:
        nonlocal given
        given += len(text)
        return words(text)

    text = "\n\n".join("Some words that make a sentence of this text. " * (i % 7 + 1) for i in range(400))
    chunks = cut(plain(text), Budget(64, token_spans=counted))
    assert len(chunks) > 100
    assert given < 1.3 * len(text)


def test_a_million_characters_take_seconds_at_most() -> None:
    text = "word " * 200_000
    before = time.perf_counter()
    chunks = cut(plain(text), Budget(256, token_spans=words))
    assert len(chunks) == 782
    assert time.perf_counter() - before < 10


def test_a_single_character_of_many_tokens_is_a_chunk_by_itself() -> None:
    chunks = cut(plain("😀😀"), Budget(2))
    assert [(c.start, c.end) for c in chunks] == [(0, 1), (1, 2)]


@pytest.mark.parametrize(("tokens", "overlap"), [(0, 0.1), (8, -0.1), (8, 0.6)])
def test_impossible_budgets_are_refused(tokens: int, overlap: float) -> None:
    with pytest.raises(ValueError, match=r"token|overlap"):
        cut(plain("words"), Budget(tokens), overlap)


def test_the_starter_tells_where_its_tokens_lie() -> None:
    text = "Hello, Wörld 日本 \u0041\u030a"
    spans = ENCODER.token_spans(text)
    assert [text[start:end] for start, end in spans][:2] == ["Hello", ","]
    assert unicodedata.normalize("NFC", "".join(text[a:b] for a, b in spans)).startswith("Hello,W")
    assert ENCODER.spec.tokens == 256
