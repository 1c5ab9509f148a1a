"""Text, Markdown and HTML files become pieces; what is none of them is told so."""

import codecs
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octant.adapters import language as language_module
from octant.adapters.adapter import Adapter, File, Piece
from octant.adapters.html import read_html
from octant.adapters.language import language_of
from octant.adapters.markdown import read_markdown
from octant.adapters.text import SUFFIXES, HtmlAdapter, MarkdownAdapter, TextAdapter
from octant.backends.starter import TextEncoder
from octant.encoding import Budget
from octant.errors import MediaError
from octant.media import DEFAULT_LIMITS, Limits, Text
from octant.media.signature import HEAD, mime_of

ENCODER = TextEncoder()
BUDGET = Budget(64, token_spans=ENCODER.token_spans)
ENGLISH = "The ship left the harbour early in the morning, and nobody on the quay waved. "
GERMAN = "Das Schiff verließ früh am Morgen den Hafen, und niemand am Kai winkte ihm nach. "


def file_of(folder: Path, name: str, content: str | bytes, limits: Limits = DEFAULT_LIMITS) -> File:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data)
    return File(path, data[:HEAD], mime_of(data[:HEAD]), len(data), limits)


def pieces(adapter: Adapter, file: File, budget: Budget = BUDGET) -> list[Piece]:
    found = list(adapter.pieces(file, budget))
    assert all(isinstance(piece, Piece) for piece in found)
    return [piece for piece in found if isinstance(piece, Piece)]


def text_of(piece: Piece) -> str:
    (medium,) = piece.media.values()
    assert isinstance(medium, Text)
    return medium.content


def test_a_short_text_is_one_piece_unchanged(tmp_path: Path) -> None:
    (piece,) = pieces(TextAdapter(), file_of(tmp_path, "a.txt", f"  {ENGLISH}\r\n\r\n "))
    assert text_of(piece) == f"  {ENGLISH}\r\n\r\n "
    assert list(piece.media) == ["text"]
    assert piece.metadata == {"language": "en"}


def test_a_long_text_is_several_pieces_that_say_where_they_lie(tmp_path: Path) -> None:
    content = (ENGLISH * 3 + "\r\n\r\n") * 8
    found = pieces(TextAdapter(), file_of(tmp_path, "a.txt", content))
    assert len(found) > 3
    for piece in found:
        start, end = piece.metadata["start_character"], piece.metadata["end_character"]
        assert text_of(piece) == content[start:end]
        assert piece.metadata["language"] == "en"
        assert len(ENCODER.token_spans(text_of(piece))) <= 64


def test_utf_16_is_read_by_its_mark(tmp_path: Path) -> None:
    (piece,) = pieces(TextAdapter(), file_of(tmp_path, "a.txt", codecs.BOM_UTF16_LE + "Grüße 😀".encode("utf-16-le")))
    assert text_of(piece) == "Grüße 😀"


def test_tokens_make_chunks_smaller_but_never_larger(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a.txt", ENGLISH * 20)
    small = pieces(TextAdapter(tokens=20), file)
    assert all(len(ENCODER.token_spans(text_of(piece))) <= 20 for piece in small)
    assert pieces(TextAdapter(tokens=5000), file) == pieces(TextAdapter(), file)
    assert len(pieces(TextAdapter(), file, Budget())) == 1
    assert len(pieces(TextAdapter(tokens=20), file, Budget())) > 5


def test_overlap_can_be_had_and_left(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a.txt", ENGLISH * 20)
    with_overlap, without = pieces(TextAdapter(overlap=0.5), file), pieces(TextAdapter(overlap=0), file)
    assert sum(len(text_of(piece)) for piece in without) <= len(ENGLISH * 20)
    assert sum(len(text_of(piece)) for piece in with_overlap) > len(ENGLISH * 25)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b" \n\t ", "nothing but white space"),
        (b"a\0b", "NUL at character 1"),
        ("Grüße".encode("latin-1"), "is not UTF-8 (byte 0xFC at offset 2)"),
        (b"PK\x03\x04\xff\xff", "is a ZIP archive"),
    ],
)
@pytest.mark.parametrize(("adapter", "name"), [(TextAdapter(), "a.txt"), (MarkdownAdapter(), "a.md")])
def test_what_is_no_text_is_told_so(adapter: Adapter, name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    file = file_of(tmp_path, name, content)
    assert adapter.takes(file)
    with pytest.raises(MediaError) as caught:
        list(adapter.pieces(file, BUDGET))
    assert reason in caught.value.reason
    assert caught.value.media == file.path


def test_the_limit_of_characters_is_kept(tmp_path: Path) -> None:
    limits = Limits(characters=100)
    for adapter, name, content in (
        (TextAdapter(), "a.txt", "x" * 101),
        (MarkdownAdapter(), "a.md", "x" * 101),
        (HtmlAdapter(), "a.html", f"<p>{'x' * 101}"),
    ):
        with pytest.raises(MediaError, match="more than the limit of 100"):
            list(adapter.pieces(file_of(tmp_path, name, content, limits), BUDGET))
    page = f"<style>{'x' * 500}</style><p>short"  # what is not shown is not counted
    assert text_of(*pieces(HtmlAdapter(), file_of(tmp_path, "b.html", page, limits))) == "short"


@pytest.mark.parametrize(
    ("name", "content", "taker"),
    [
        ("a.TXT", b"text", TextAdapter),
        ("a.rst", b"text", TextAdapter),
        ("a.md", b"# text", MarkdownAdapter),
        ("a.html", b"<p>fragment", HtmlAdapter),
        ("a.xhtml", b"<?xml version='1.0'?><html/>", HtmlAdapter),
        ("page", b"<!doctype html><p>x", HtmlAdapter),
        ("a.txt", b"<!doctype html><p>x", TextAdapter),
        ("a.txt", b"BM is how these begin, and P3 4 too", TextAdapter),
        ("a.txt", b"GIF89a is a text too", TextAdapter),
        ("a.txt", "%PDF-1.4 is how they begin: é".encode(), TextAdapter),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0\0", None),
        ("a.html", b"\xff\xd8\xff\xe0", None),
        ("a.txt", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3", None),
        ("a.jpg", b"<!doctype html><p>x", None),
        ("a.csv", b"a,b", None),
        ("README", b"text", None),
    ],
)
def test_who_takes_what(name: str, content: bytes, taker: type | None, tmp_path: Path) -> None:
    file = file_of(tmp_path, name, content)
    adapters: list[Adapter] = [TextAdapter(), MarkdownAdapter(), HtmlAdapter()]
    assert [type(adapter) for adapter in adapters if adapter.takes(file)] == [taker] * (taker is not None)


def test_a_character_on_the_edge_of_the_head_is_still_text(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a.txt", b"GIF89a" + b"x" * (HEAD - 7) + "é".encode())
    assert file.head.endswith(b"\xc3")
    assert TextAdapter().takes(file)


def test_suffixes_and_identities() -> None:
    assert {".txt", ".md", ".html"} <= SUFFIXES
    made = [TextAdapter(), TextAdapter(tokens=9), TextAdapter(overlap=0), TextAdapter(language=False)]
    assert len({adapter.identity for adapter in [*made, MarkdownAdapter(), HtmlAdapter()]}) == 6
    assert TextAdapter().identity == "text@1 tokens=None overlap=0.125 language=True"


@pytest.mark.parametrize("options", [{"tokens": 7}, {"overlap": -0.1}, {"overlap": 0.6}])
@pytest.mark.parametrize("adapter", [TextAdapter, MarkdownAdapter, HtmlAdapter])
def test_impossible_options_are_refused(adapter: type[TextAdapter], options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        adapter(**options)  # pyright: ignore[reportArgumentType]


# Markdown


def headings(text: str) -> list[tuple[str, ...]]:
    return [block.headings for block in read_markdown(text).blocks if block.opens]


def test_markdown_headings_of_both_kinds_make_a_path() -> None:
    text = "Book\n====\n\n## A *b* `c` [d](e)\n\n#### Deep\n\nB\n---\n\ntext\n"
    assert headings(text) == [("Book",), ("Book", "A b c d"), ("Book", "A b c d", "Deep"), ("Book", "B")]
    assert read_markdown(text).title == "Book"


def test_a_hash_in_code_is_no_heading() -> None:
    text = "# Real\n\n```sh\n# not one\n```\n\n    # nor this\n\n> # nor this\n"
    assert headings(text) == [("Real",)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_markdown_blocks_lie_where_their_lines_begin(newline: str) -> None:
    text = "---\ntitle: 'Of ships'\n---\n# One\n\nwörds \u2028 of\x0cit\n\n- a\n- b\n".replace("\n", newline)
    document = read_markdown(text)
    assert document.title == "Of ships"
    begins = [text[block.start :].lstrip()[:3] for block in document.blocks]
    assert begins == ["---", "# O", "wör", "- a", "- b"]


def test_front_matter_is_kept_and_two_rules_are_none(tmp_path: Path) -> None:
    text = '+++\ntitle = "Of ships"\n+++\nText.'
    (piece,) = pieces(MarkdownAdapter(language=False), file_of(tmp_path, "a.md", text))
    assert text_of(piece) == text
    assert piece.metadata == {"title": "Of ships"}
    assert read_markdown("---\nno entries\n---\n").title is None
    assert headings("---\n# not front matter\n\nname: x\n") == [("not front matter",)]
    assert headings("---\nname: [\n---\n# A\n") == [("A",)]


def test_markdown_pieces_know_their_headings(tmp_path: Path) -> None:
    text = f"# Ships\n\n{ENGLISH * 2}\n\n## Old\n\n{ENGLISH * 2}\n\n[link]: http://x.y\n\n# Boats\n\n{ENGLISH * 2}"
    found = pieces(MarkdownAdapter(), file_of(tmp_path, "a.md", text))
    assert [piece.metadata["headings"] for piece in found] == [["Ships"], ["Ships", "Old"], ["Boats"]]
    assert {piece.metadata["title"] for piece in found} == {"Ships"}
    assert text_of(found[1]).endswith("http://x.y")


# HTML


def shown(page: str) -> str:
    return read_html(page).text


def test_html_shows_what_a_reader_sees() -> None:
    page = """<!doctype html><html lang="de-CH"><head><title>Of &amp; ships</title><style>p{}</style></head>
    <body><nav><a>Home</a></nav><h1>Old <b>ships</b></h1><p>One&nbsp;two<br>three</p>
    <ul><li>a<li>b</ul><table><tr><th>x<th>y<tr><td>1<td>2</table><div hidden>no</div>
    <p style="display: none">no</p><script>if (a < b) "</p>"</script><template>no</template>
    <img src="x" alt="a brig"><pre>\n  code\n    more</pre><!-- no --></body></html>"""
    document = read_html(page)
    assert document.title == "Of & ships"
    assert document.language == "de"
    assert document.text == ("Old ships\n\nOne\xa0two\nthree\n\n- a\n- b\n\nx | y\n1 | 2\n\na brig\n\n  code\n    more")
    begins = [document.text[block.start :].split()[0] for block in document.blocks]
    assert begins == ["Old", "One\xa0two"[:3], "-", "-", "x", "a", "code"]


def test_html_headings_make_a_path_even_if_nobody_closes_them() -> None:
    page = "<h1>A<p>one<h3>B</h3>two<h2>C<div>three</div><h1></h1><p>four"
    document = read_html(page)
    assert [(b.headings, b.opens) for b in document.blocks] == [
        (("A",), True),
        (("A",), False),
        (("A", "B"), True),
        (("A", "B"), False),
        (("A", "C"), True),
        (("A", "C"), False),
        (("A", "C"), False),
    ]
    assert document.title == "A"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a<p>b", "a\n\nb"),
        ("a <b>b</i> c", "a b c"),
        ("<div><p hidden>no<p>yes", "yes"),
        ("<table><tr><td><b>a<td>b<tr><td>c</table>d", "a | b\nc\n\nd"),
        ("<title>never closed<p>text", "text"),
        ("text <!-- never closed", "text <!-- never closed"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("text <b", "text <b"),
        ("a<![CDATA[x]]>b<![if !y]>c<![foo[>d", "abcd"),
        ("&#xD800;&bogus;&lt;b&gt;", "\ufffd&bogus;<b>"),
        ("</p></div></nav>text", "text"),
        ("<br/><p/>a<script/>no</script>b", "ab"),
        ("a<br><br>b", "a\n\nb"),
        ("<ul><li><p>a</p></li><li></li></ul><p>b</p>", "- a\n\nb"),
    ],
)
def test_broken_html_is_read_as_browsers_do(page: str, text: str) -> None:
    assert shown(page) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (codecs.BOM_UTF8 + "<p>Grüße".encode(), "Grüße"),
        (codecs.BOM_UTF16_LE + "<p>Grüße".encode("utf-16-le"), "Grüße"),
        ("<meta charset=iso-8859-1><p>Grüße „so“".encode("cp1252"), "Grüße „so“"),
        (b"<meta charset=latin1><p>a\x81b", "a\x81b"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS"><p>日本'.encode("cp932"), "日本"),
        ('<?xml version="1.0" encoding="koi8-r"?><p>мир'.encode("koi8-r"), "мир"),
        ("<meta charset=latin1><p>Grüße".encode(), "Grüße"),  # it is UTF-8, whatever it says
    ],
)
def test_html_is_decoded_as_it_declares(data: bytes, text: str, tmp_path: Path) -> None:
    assert text_of(*pieces(HtmlAdapter(), file_of(tmp_path, "a.html", data))) == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("<p>Grüße".encode("latin-1"), "is not UTF-8"),
        (b"<meta charset=nonsense><p>x", "declares the charset 'nonsense'"),
        (b"<meta charset=hex><p>x", "declares the charset 'hex'"),
        (b"<meta charset=unicode_escape><p>\\ud800", "declares the charset"),
        (b"<p>a\0b", "has a NUL"),
        (b"<script>all()</script>", "shows no text"),
        (b"", "is empty"),
        (b"PK\x03\x04", "is a ZIP archive"),
    ],
)
def test_a_page_that_cannot_be_read_is_told_so(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        list(HtmlAdapter().pieces(file_of(tmp_path, "a.html", data), BUDGET))
    assert reason in caught.value.reason


def test_html_pieces_are_spans_of_the_shown_text(tmp_path: Path) -> None:
    page = f"<html lang=en><h1>Ships</h1><p>{ENGLISH * 2}</p><h2>Old</h2><p>{ENGLISH * 2}</p>"
    found = pieces(HtmlAdapter(), file_of(tmp_path, "a.html", page))
    whole = shown(page)
    assert [whole[p.metadata["start_character"] : p.metadata["end_character"]] for p in found] == [
        text_of(p) for p in found
    ]
    assert [p.metadata["headings"] for p in found] == [["Ships"], ["Ships", "Old"]]
    assert all(p.metadata["language"] == "en" and p.metadata["title"] == "Ships" for p in found)


TAGS = (
    "<p> </p> <h1> </h2> <li> <ul> </ul> <td> <table> </table> <!-- --> <![ ]]> <script> </script> <nav> </nav> <pre> "
    'words &#0; &amp " <? <br/>'
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([*TAGS.split(" "), "<h2 ", "\n"]), max_size=60).map("".join))
def test_no_page_breaks_the_reader(page: str) -> None:
    document = read_html(page)
    starts = [block.start for block in document.blocks]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] < max(1, len(document.text))


@pytest.mark.parametrize(
    "part",
    ["<a ", "<!-- >", "<div>", "<b></i>", "<![", "<ul><li>", "</", "<a x='", "&", "<h1>", "<table><td>", "<script>"],
)
def test_hostile_pages_take_no_longer_than_others(part: str) -> None:
    before = time.process_time()
    read_html(part * 30_000 + ">")
    assert time.process_time() - before < 5


# languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (GERMAN, "de"),
        ("Le navire a quitté le port tôt le matin.", "fr"),
        ("これは日本語で書かれた文章です。", "ja"),
        ("Корабль вышел из гавани рано утром.", "ru"),
        ("غادرت السفينة الميناء في الصباح الباكر ولم يلوح لها أحد على الرصيف، وكان الجو باردا جدا", "ar"),
        ("ok", None),
        ("12345 67890 12345 67890 !!!", None),
        ("xqzt wvbn qrtp zxcv mnbv", None),
    ],
)
def test_the_language_is_told_where_it_is_certain(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_the_middle_of_a_long_text_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Detector:
        def classify(self, text: str) -> tuple[str, float]:
            seen.append(text)
            return "en", 1.0

    monkeypatch.setattr(language_module, "_loaded", [Detector()])
    assert language_of("a" * 500_000 + "b" * 500_000) == "en"
    assert len(seen[0]) <= 2001
    assert "b" in seen[0]


def test_the_detector_is_loaded_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from py3langid.langid import LanguageIdentifier  # pyright: ignore[reportMissingTypeStubs]

    loads: list[object] = []
    genuine = LanguageIdentifier.from_model_file  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def counted(*given: object, **options: object) -> object:
        loads.append(given)
        return genuine(*given, **options)  # pyright: ignore[reportArgumentType, reportUnknownVariableType]

    monkeypatch.setattr(LanguageIdentifier, "from_model_file", counted)
    monkeypatch.setattr(language_module, "_loaded", [])
    threads = [threading.Thread(target=language_of, args=(ENGLISH,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_a_language_can_be_left_out(tmp_path: Path) -> None:
    (piece,) = pieces(TextAdapter(language=False), file_of(tmp_path, "a.txt", ENGLISH))
    assert piece.metadata == {}
