"""PDF documents become the text of their pages, and the pages where asked for."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from octant.adapters.adapter import File, Piece
from octant.adapters.pdf import PdfAdapter
from octant.encoding import Budget
from octant.errors import MediaError, MissingExtra
from octant.media import DEFAULT_LIMITS, Image, Limits, Page, Text
from octant.media.signature import HEAD, mime_of

pytest.importorskip("pypdfium2")

SHIPS = "The ship left the harbour early in the morning, and nobody on the quay waved."
DRAWN = "0 0 100 100 re f"
LOCKED = (
    "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + "41" * 32 + "> /U <" + "42" * 32 + "> >> /ID [<00> <00>]"
)


def written(*lines: str) -> str:
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    return f"BT /F 12 Tf 14 TL 50 750 Td {shown} ET"


def pdf(*pages: str, info: str = "", trailer: str = "") -> bytes:
    """A document of pages that hold these drawing commands."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    objects.append(f"<< {info} >>")
    kids: list[str] = []
    for content in pages:
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F 3 0 R >> >> "
            f"/Contents {len(objects) + 2} 0 R >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    data, places = "%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R {trailer} >>\nstartxref\n{len(data)}\n%%EOF\n"
    return (data + table + end).encode("latin-1")


def file_of(folder: Path, data: bytes, name: str = "a.pdf", limits: Limits = DEFAULT_LIMITS) -> File:
    path = folder / name
    path.write_bytes(data)
    return File(path, data[:HEAD], mime_of(data[:HEAD]), len(data), limits)


def read(adapter: PdfAdapter, file: File, tokens: int | None = 256) -> list[Piece | MediaError]:
    return list(adapter.pieces(file, Budget(tokens)))


def seen(found: list[Piece | MediaError]) -> list[Any]:
    return [
        one.reason if isinstance(one, MediaError) else (one.metadata["page"], *one.media, *one.media.values())
        for one in found
    ]


def text_of(piece: Piece | MediaError) -> str:
    assert isinstance(piece, Piece)
    medium = piece.media["text"]
    assert isinstance(medium, Text)
    return medium.content


def test_each_page_is_a_piece_that_knows_where_it_is_from(tmp_path: Path) -> None:
    data = pdf(written(SHIPS), written("And it came", "back."), info="/Title (Of  ships) /Author (A. Sailor)")
    first, second = read(PdfAdapter(), file_of(tmp_path, data))
    assert isinstance(first, Piece)
    assert text_of(first) == SHIPS
    known = {"pages": 2, "title": "Of ships", "author": "A. Sailor", "language": "en"}
    assert first.metadata == {**known, "page": 1}
    assert text_of(second) == "And it came\nback."


def test_chunks_never_cross_pages(tmp_path: Path) -> None:
    data = pdf(written(*[SHIPS] * 8), written("short page"))
    found = read(PdfAdapter(tokens=100), file_of(tmp_path, data))
    assert len(found) > 3
    whole = "\n".join([SHIPS] * 8)
    for piece in found[:-1]:
        assert isinstance(piece, Piece)
        assert piece.metadata["page"] == 1
        start, end = piece.metadata["start_character"], piece.metadata["end_character"]
        assert text_of(piece) == whole[start:end]
    assert text_of(found[-1]) == "short page"
    assert isinstance(found[-1], Piece)
    assert "start_character" not in found[-1].metadata


def test_pages_can_be_pictures_too_and_nothing_else(tmp_path: Path) -> None:
    file = file_of(tmp_path, pdf(written(SHIPS), DRAWN))
    image = Image(file.path, part=Page(1)), Image(file.path, part=Page(2))
    both = read(PdfAdapter(pages=True), file)
    assert seen(both) == [(1, "text", Text(SHIPS)), (1, "image", image[0]), (2, "image", image[1])]
    assert seen(read(PdfAdapter(text=False, pages=True), file)) == [(1, "image", image[0]), (2, "image", image[1])]


def test_a_scan_is_told_so_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no text on any of its 2 pages.*PdfAdapter\(pages=True\).*ocrmypdf"):
        read(PdfAdapter(), file_of(tmp_path, pdf(DRAWN, "")))


def test_scanned_pages_among_others_are_told_and_empty_ones_are_not(tmp_path: Path) -> None:
    data = pdf(written("one"), DRAWN, "", DRAWN, DRAWN, DRAWN)
    text, error = read(PdfAdapter(), file_of(tmp_path, data))
    assert text_of(text) == "one"
    assert isinstance(error, MediaError)
    assert error.reason.startswith("holds no text on pages 2, 4-6, as scans do; index its pages as pictures")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdf(written("x"), trailer=LOCKED), "locked with a password"),
        (b"%PDF-1.4\n" + b"garbage " * 50, "is a damaged PDF document"),
        (b"", "is empty"),
        (b"PK\x03\x04", "is a ZIP archive"),
        (b"<!doctype html><p>Not found", "is a web page"),
    ],
)
def test_what_cannot_be_read_is_told_so(data: bytes, reason: str, tmp_path: Path) -> None:
    file = file_of(tmp_path, data)
    assert PdfAdapter().takes(file)
    with pytest.raises(MediaError) as caught:
        read(PdfAdapter(), file)
    assert reason in caught.value.reason
    assert caught.value.media == file.path


def test_every_cut_off_document_is_read_or_told(tmp_path: Path) -> None:
    data = pdf(written(SHIPS), written(SHIPS))
    for length in range(9, len(data), 37):
        try:
            assert read(PdfAdapter(), file_of(tmp_path, data[:length]))
        except MediaError:
            continue


def test_a_damaged_page_loses_no_other(tmp_path: Path) -> None:
    data = pdf(written("one"), written("two")).replace(b"/Kids [5 0 R", b"/Kids [9 0 R")
    error, second = read(PdfAdapter(), file_of(tmp_path, data))
    assert isinstance(error, MediaError)
    assert error.reason.startswith("cannot be read on page 1")
    assert text_of(second) == "two"


def test_a_page_with_too_many_characters_is_refused(tmp_path: Path) -> None:
    file = file_of(tmp_path, pdf(written(SHIPS), written("short")), limits=Limits(characters=20))
    error, second = read(PdfAdapter(), file)
    assert isinstance(error, MediaError)
    assert "on page 1, more than the limit of 20" in error.reason
    assert text_of(second) == "short"


def test_who_is_taken(tmp_path: Path) -> None:
    data = pdf(written("x"))
    assert PdfAdapter().takes(file_of(tmp_path, data, "a.jpg"))
    assert PdfAdapter().takes(file_of(tmp_path, b"junk first\n" + data, "b.pdf"))
    assert text_of(read(PdfAdapter(), file_of(tmp_path, b"junk first\n" + data, "b.pdf"))[0]) == "x"
    assert not PdfAdapter().takes(file_of(tmp_path, b"\xff\xd8\xff\xe0", "c.pdf"))
    assert not PdfAdapter().takes(file_of(tmp_path, b"text", "d.txt"))


def test_impossible_options_are_refused_and_others_are_in_the_identity() -> None:
    with pytest.raises(ValueError, match="would read nothing"):
        PdfAdapter(text=False)
    with pytest.raises(ValueError, match="tokens is 3"):
        PdfAdapter(tokens=3)
    made = [PdfAdapter(), PdfAdapter(pages=True), PdfAdapter(overlap=0), PdfAdapter(language=False)]
    assert len({adapter.identity for adapter in made}) == 4


def test_without_pypdfium2_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name == "pypdfium2":
            raise ModuleNotFoundError(name)
        return genuine(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingExtra, match=r"octant-search\[pdf\]"):
        read(PdfAdapter(), file_of(tmp_path, pdf(written("x"))))
