"""PDF documents: pages as pictures, as large as they are asked for, from any thread."""

import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from bad_media import encoded_image, mp4, noise, photo

from octant.errors import MediaError, MissingExtra
from octant.media import Image, Limits, Page, decode_image, describe, fingerprint, thumbnail
from octant.media.document import open_document

pytest.importorskip("pypdfium2")

COLOURS = ["red", "lime", "blue"]


def refusal(decode: Callable[[], object]) -> str:
    with pytest.raises(MediaError) as caught:
        decode()
    return caught.value.reason


def scanned(*sizes: tuple[int, int]) -> bytes:
    """Write a document of full-page pictures, by Pillow at 72 dpi: pixels are points."""
    pages = [PIL.Image.new("RGB", size, COLOURS[n % 3]) for n, size in enumerate(sizes)]
    file = io.BytesIO()
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:], resolution=72)
    return file.getvalue()


def written(*objects: str) -> bytes:
    """Write a document of these objects, of which the first is its catalogue."""
    body, offsets = b"%PDF-1.7\n", list[int]()
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF"
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}"
    return body + tail.encode()


def drawn(operators: str, size: str = "0 0 200 100", more: str = "", *objects: str) -> bytes:
    """Write a document of one page that these operators draw."""
    return written(
        f"<</Type/Catalog/Pages 2 0 R{more if 'AcroForm' in more else ''}>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{size}]/Contents 4 0 R{'' if 'AcroForm' in more else more}"
        f"{'/Annots[5 0 R]' if objects else ''}>>",
        f"<</Length {len(operators)}>>stream\n{operators}\nendstream",
        *objects,
    )


def mean(picture: PIL.Image.Image) -> list[int]:
    return np.asarray(picture).mean(axis=(0, 1)).round().astype(int).tolist()


def test_every_page_is_a_picture(tmp_path: Path) -> None:
    content = scanned((200, 100), (100, 300), (150, 150))
    (tmp_path / "a.pdf").write_bytes(content)
    for given in (content, tmp_path / "a.pdf"):
        for number, colour in enumerate(([255, 0, 0], [0, 255, 0], [0, 0, 255]), 1):
            decoded = decode_image(Image(given, part=Page(number)))
            assert decoded.mode == "RGB"
            assert np.abs(np.array(mean(decoded)) - colour).max() <= 2


@pytest.mark.parametrize("size", [(200, 100), (100, 300), (595, 842), (612.5, 791.3)])
def test_a_page_is_described_as_it_is_decoded_at_150_dpi(size: tuple[float, float]) -> None:
    content = drawn("1 0 0 rg 0 0 900 900 re f", f"0 0 {size[0]} {size[1]}")
    image = Image(content, part=Page(1))
    described = describe(image)
    assert decode_image(image).size == (described.width, described.height)
    assert (described.width, described.height) == pytest.approx([side * 150 / 72 for side in size], abs=1)
    assert (described.mime, described.bytes) == ("application/pdf", len(content))
    assert described.fingerprint == fingerprint(image)


@pytest.mark.parametrize("shortest", [1, 50, 224, 1000])
def test_the_shorter_side_of_a_page_is_as_long_as_asked(shortest: int) -> None:
    for size in ((200, 100), (100, 300), (97, 61)):
        decoded = decode_image(Image(scanned(size), part=Page(1)), shortest=shortest)
        assert shortest <= min(decoded.size) <= shortest + 1
        assert decoded.width / decoded.height == pytest.approx(size[0] / size[1], abs=4 / shortest)


def test_a_page_is_no_larger_than_its_limit() -> None:
    limits = Limits(pixels=10_000)
    image = Image(scanned((2000, 1000)), limits, Page(1))
    described = describe(image)
    for decoded in (decode_image(image), decode_image(image, shortest=500)):
        assert 9000 < decoded.width * decoded.height <= 10_000
        assert decoded.size == (described.width, described.height)
        assert mean(decoded) == pytest.approx([255, 0, 0], abs=2)
    assert decode_image(image, shortest=20).size == (40, 20)
    thin = Image(drawn("", "0 0 14400 1"), Limits(pixels=50), Page(1))
    assert decode_image(thin).height == 1
    assert "too long" in refusal(lambda: decode_image(Image(thin.source, Limits(pixels=1), Page(1))))


def test_a_page_lies_on_white_and_upright() -> None:
    quarter = "1 0 0 rg 0 50 100 50 re f"  # red top left; PDF counts from below
    plain = np.asarray(decode_image(Image(drawn(quarter), part=Page(1)), shortest=100))
    assert plain.shape == (100, 200, 3)
    assert plain[25, 50].tolist() == [255, 0, 0]
    assert plain[25, 150].tolist() == plain[75, 50].tolist() == [255, 255, 255]
    turned = np.asarray(decode_image(Image(drawn(quarter, more="/Rotate 90"), part=Page(1)), shortest=100))
    assert turned.shape == (200, 100, 3)
    assert turned[50, 75].tolist() == [255, 0, 0]
    assert turned[50, 25].tolist() == turned[150, 75].tolist() == [255, 255, 255]


def test_what_was_filled_into_a_form_is_seen() -> None:
    field = "<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/F 4/Rect[0 0 200 100]/P 3 0 R/AP<</N 6 0 R>>>>"
    look = "0 0 1 rg 0 0 200 100 re f"
    form = f"<</Type/XObject/Subtype/Form/BBox[0 0 200 100]/Length {len(look)}>>stream\n{look}\nendstream"
    content = drawn("", "0 0 200 100", "/AcroForm<</Fields[5 0 R]>>", field, form)
    blue = np.asarray(decode_image(Image(content, part=Page(1)), shortest=100))[50, 100]
    assert blue[2] > 200
    assert blue[0] < 230


def test_a_page_that_does_not_exist_is_refused() -> None:
    content = scanned((200, 100), (100, 300))
    for decode in (decode_image, describe):
        assert refusal(lambda decode=decode: decode(Image(content, part=Page(3)))).startswith(
            "has 2 pages, no page 3; "
        )
    assert "has 1 page, no page 2" in refusal(lambda: describe(Image(scanned((9, 9)), part=Page(2))))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b"%PDF-1.7\nand nothing else", "damaged PDF document"),
        (scanned((200, 100))[:300], "damaged PDF document"),
        (noise(), "damaged PDF document, or none"),
        (encoded_image(photo(), "PNG"), "holds image/png, not a PDF document"),
        (mp4(b"isom"), "holds video/mp4, not a PDF document"),
        (b"<html>404", "web page"),
    ],
)
def test_what_is_no_document_is_refused_with_a_remedy(content: bytes, reason: str) -> None:
    for decode in (decode_image, describe):
        assert reason in refusal(lambda decode=decode: decode(Image(content, part=Page(1))))


def test_a_locked_document_is_refused() -> None:
    """Encrypted with a key that no one has."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        f"<</Filter/Standard/V 1/R 2/P -4/O<{'11' * 32}>/U<{'22' * 32}>>>",
    ]
    locked = written(*objects).replace(b"/Root 1 0 R", b"/Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]")
    assert "locked with a password" in refusal(lambda: decode_image(Image(locked, part=Page(1))))


def test_a_mark_behind_some_junk_still_begins_a_document(tmp_path: Path) -> None:
    content = b"\n\n" + scanned((200, 100))
    assert decode_image(Image(content, part=Page(1)), shortest=10).size == (20, 10)


def test_a_page_is_not_a_view_of_freed_memory() -> None:
    content = scanned((500, 500), (500, 500))
    kept = [decode_image(Image(content, part=Page(1))) for _ in range(5)]
    before = [picture.tobytes() for picture in kept]
    for _ in range(5):
        decode_image(Image(content, part=Page(2)))
    assert [picture.tobytes() for picture in kept] == before


def test_threads_render_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(scanned(*[(200, 100 + n) for n in range(12)]))
    images = [Image(path, part=Page(1 + n % 12)) for n in range(96)]
    expected = [decode_image(image, shortest=60).tobytes() for image in images[:12]]

    def decoded(image: Image) -> bytes:
        return decode_image(image, shortest=60).tobytes()

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(decoded, images))
        described = list(pool.map(describe, images))
    assert seen == expected * 8
    assert len({one.fingerprint for one in described}) == 12


def test_one_thread_at_a_time_has_a_document() -> None:
    content = scanned((200, 100))
    with ThreadPoolExecutor(1) as pool:
        with open_document(content, "held", Limits()) as document:
            waiting = pool.submit(decode_image, Image(content, part=Page(1)))
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            assert len(document) == 1
        assert waiting.result(30).mode == "RGB"


def test_a_page_has_a_thumbnail() -> None:
    small = PIL.Image.open(io.BytesIO(thumbnail(Image(scanned((200, 100)), part=Page(1)), 64)))
    assert small.size == (64, 32)


def test_without_pypdfium2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(MissingExtra, match=r"pypdfium2 is not installed; pip install 'octant-search\[pdf\]'"):
        decode_image(Image(scanned((9, 9)), part=Page(1)))


def test_pdfium_is_loaded_with_the_first_page() -> None:
    code = "import sys, octant.media, octant.media.document; sys.exit('pypdfium2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
