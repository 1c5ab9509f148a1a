"""Documents become blocks within bounds, from allowed files alone; blocks become media; answers cite documents."""

from __future__ import annotations

import base64
import io
import json
import os
import wave
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.block_translators.openai import convert_to_openai_data_block
from langchain_octant.blocks import cited_documents, cited_ids, documents_of, media_in, media_of, to_content_blocks

from octant import Audio, Image, Limits, MediaError, Text


def blocks_of(docs: Iterable[Document], **options: Any) -> list[Any]:
    """Blocks as plain mappings: what is in them is checked at run time."""
    return list(to_content_blocks(docs, **options))


def photo(path: Path, size: tuple[int, int] = (64, 48), colour: str = "red", **saved: Any) -> Path:
    PIL.Image.new("RGB", size, colour).save(path, **saved)
    return path


def tone(path: Path, seconds: float, rate: int = 8000) -> Path:
    """A sound whose loudness is its second: what is heard tells from where it was cut."""
    at = np.arange(int(seconds * rate)) / rate
    soundfile.write(path, (np.floor(at) / 100 + 0.005) * np.sign(np.sin(2 * np.pi * 440 * at)), rate)
    return path


def image_doc(path: Path, id: str = "p", **part: Any) -> Document:
    entry = {"name": "photo", "modality": "image", "uri": path.absolute().as_uri(), **part}
    return Document(id=id, page_content="a photo", metadata={"octant": {"media": [entry]}})


def audio_doc(path: Path, id: str = "s", **part: Any) -> Document:
    entry = {"name": "sound", "modality": "audio", "uri": path.absolute().as_uri(), **part}
    return Document(id=id, page_content="a sound", metadata={"octant": {"media": [entry]}})


def picture_in(block: Any) -> PIL.Image.Image:
    assert block["type"] == "image"
    assert block["mime_type"] == "image/jpeg"
    return PIL.Image.open(io.BytesIO(base64.b64decode(block["base64"], validate=True)))


def sound_in(block: Any) -> tuple[np.ndarray, int]:
    assert block["type"] == "audio"
    assert block["mime_type"] == "audio/wav"
    with wave.open(io.BytesIO(base64.b64decode(block["base64"], validate=True))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767, file.getframerate()


def texts(blocks: Any) -> list[str]:
    return [block["text"] for block in blocks if block["type"] == "text"]


def sent(blocks: Any) -> int:
    return sum(len(block.get("base64", "")) + len(block.get("text", "").encode()) for block in blocks)


# what is sent


def test_a_document_is_a_text_with_its_id_and_then_its_media(tmp_path: Path) -> None:
    doc = image_doc(photo(tmp_path / "red shoe.jpg"), "sku-1")
    doc.metadata["title"] = "A  red\nshoe"
    text, image = blocks_of([doc], roots=[tmp_path])
    assert text["type"] == "text"
    assert text["text"] == "[sku-1] A red shoe; red shoe.jpg\na photo"
    picture = picture_in(image).convert("RGB")
    assert picture.size == (64, 48)
    assert np.abs(np.asarray(picture, int) - (255, 0, 0)).max() < 8


def test_no_path_is_sent(tmp_path: Path) -> None:
    doc = image_doc(photo(tmp_path / "a.jpg"))
    doc.metadata["source"] = str(tmp_path / "private" / "a.jpg")
    for roots in ([tmp_path], [], [tmp_path / "elsewhere"]):
        assert str(tmp_path) not in json.dumps(blocks_of([doc], roots=roots))


def test_a_picture_is_made_smaller_in_its_proportions_and_stands_upright(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0)}
    path = photo(tmp_path / "a.jpg", (800, 400), exif=exif, comment=b"where I live")
    _, image = blocks_of([image_doc(path)], roots=[tmp_path], max_pixels=20_000)
    picture = picture_in(image)
    assert picture.size == (100, 200)
    assert not picture.getexif()
    assert b"where I live" not in base64.b64decode(image["base64"])


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (4000, 3), (997, 991), (10, 10)])
@pytest.mark.parametrize("most", [1, 100, 5000])
def test_no_picture_has_more_pixels_than_allowed(tmp_path: Path, size: tuple[int, int], most: int) -> None:
    _, image = blocks_of([image_doc(photo(tmp_path / "a.png", size))], roots=[tmp_path], max_pixels=most)
    width, height = picture_in(image).size
    assert 1 <= width * height <= most


def test_a_region_is_cut_out(tmp_path: Path) -> None:
    picture = PIL.Image.new("RGB", (100, 100), "red")
    picture.paste("blue", (50, 0, 100, 50))
    picture.save(tmp_path / "a.png")
    region = {"left": 50, "top": 0, "width": 50, "height": 50}
    text, image = blocks_of([image_doc(tmp_path / "a.png", region=region)], roots=[tmp_path])
    assert "a.png, a region of it" in text["text"]
    cut = picture_in(image).convert("RGB")
    assert cut.size == (50, 50)
    assert np.abs(np.asarray(cut, int) - (0, 0, 255)).max() < 12


def test_a_page_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    first, second = (PIL.Image.new("RGB", (200, 300), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.pdf", save_all=True, append_images=[second])
    text, image = blocks_of([image_doc(tmp_path / "a.pdf", page=2)], roots=[tmp_path], max_pixels=30_000)
    assert "a.pdf, page 2" in text["text"]
    drawn = picture_in(image).convert("RGB")
    assert drawn.width * drawn.height <= 30_000
    assert np.abs(np.asarray(drawn, int)[20, 20] - (0, 0, 255)).max() < 20


def test_a_sound_is_cut_to_its_span(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", 10)
    text, audio = blocks_of([audio_doc(path, start=4.0, end=6.0)], roots=[tmp_path])
    assert "a.wav, 4 to 6 s" in text["text"]
    samples, rate = sound_in(audio)
    assert (len(samples), rate) == (2 * 16_000, 16_000)
    loudness = [np.median(np.abs(second)) for second in samples.reshape(2, -1)]
    assert loudness == pytest.approx([0.045, 0.055], abs=0.004)


def test_a_long_sound_is_cut_and_that_is_said(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", 5)
    blocks = blocks_of([audio_doc(path), audio_doc(path, "t", start=1.0, end=4.0)], roots=[tmp_path], max_seconds=2)
    assert [block["type"] for block in blocks] == ["text", "audio", "text", "text", "audio", "text"]
    for block in (blocks[1], blocks[4]):
        assert len(sound_in(block)[0]) == 2 * 16_000
    assert blocks[2]["text"] == "(audio a.wav of [s]: from 0 s on, cut after 2 s)"
    assert blocks[5]["text"] == "(audio a.wav of [t]: from 1 s on, cut after 2 s)"


@pytest.mark.parametrize("seconds", [1.9, 2.0])
def test_a_sound_that_fits_is_sent_whole(tmp_path: Path, seconds: float) -> None:
    path = tone(tmp_path / "a.wav", seconds)
    blocks = blocks_of([audio_doc(path)], roots=[tmp_path], max_seconds=2)
    assert [block["type"] for block in blocks] == ["text", "audio"]
    assert len(sound_in(blocks[1])[0]) == round(seconds * 16_000)


def test_samples_beyond_full_scale_do_not_wrap(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(1600, 1.5), 16_000, subtype="FLOAT")
    samples, _ = sound_in(blocks_of([audio_doc(tmp_path / "a.wav")], roots=[tmp_path])[1])
    assert samples.min() == samples.max() == 1.0


# budgets


def test_the_bytes_of_all_blocks_stay_below_the_bound(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    docs: list[Document] = []
    for i in range(6):
        PIL.Image.fromarray(rng.integers(0, 255, (60, 60, 3), np.uint8)).save(tmp_path / f"{i}.png")
        docs.append(image_doc(tmp_path / f"{i}.png", f"doc {i}"))
        docs.append(Document(id=f"text {i}", page_content="ä" * 500))
    whole = blocks_of(docs, roots=[tmp_path])
    assert len(texts(whole)) == 12
    for bound in (1024, 2000, 5000, 12_000, sent(whole) + 10_000):
        blocks = blocks_of(docs, roots=[tmp_path], max_bytes=bound)
        assert sent(blocks) <= bound
        said = "\n".join(texts(blocks))
        for doc in docs:  # every document is shown or spoken of
            shown = any(text.startswith(f"[{doc.id}]") for text in texts(blocks))
            assert shown or "left out" in said
        pictures = [block for block in blocks if block["type"] == "image"]
        lost = sum(text.startswith("(image") and "left out" in text for text in texts(blocks))
        assert len(pictures) + lost == sum(text.startswith("[doc ") for text in texts(blocks))
    assert blocks == whole


@pytest.mark.parametrize("bound", range(1024, 3200, 64))
def test_what_is_said_of_media_stays_within_the_bound_too(bound: int) -> None:
    missing = [{"name": str(n), "modality": "image", "uri": f"file:///{'x' * 60}{n}.png"} for n in range(3)]
    docs = [Document(id=str(n), page_content="y" * 300, metadata={"octant": {"media": missing}}) for n in range(3)]
    assert sent(blocks_of(docs, max_bytes=bound)) <= bound


def test_a_document_that_does_not_fit_does_not_keep_out_the_next() -> None:
    docs = [Document(id="long", page_content="x" * 5000), Document(id="short", page_content="y")]
    assert texts(blocks_of(docs, max_bytes=2000)) == [
        "[short]\ny",
        "(1 document left out, max_bytes=2,000 being spent: long)",
    ]


def test_what_was_left_out_is_said_within_the_bound_even_of_many() -> None:
    docs = [Document(id=f"{i:04}-{'x' * 50}", page_content="y" * 900) for i in range(500)]
    blocks = blocks_of(docs, max_bytes=1024)
    assert sent(blocks) <= 1024
    assert texts(blocks)[-1].startswith("(500 documents left out")


@pytest.mark.parametrize(
    "bad", [{"max_bytes": 10}, {"max_pixels": 0}, {"max_seconds": 0}, {"max_seconds": float("nan")}]
)
def test_bounds_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        blocks_of([], **bad)


def test_a_document_without_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be cited"):
        blocks_of([Document(page_content="x")])


# files


def test_without_roots_no_file_is_read_and_that_is_said(tmp_path: Path) -> None:
    blocks = blocks_of([image_doc(photo(tmp_path / "a.jpg"))])
    assert [block["type"] for block in blocks] == ["text", "text"]
    assert "no roots are allowed" in blocks[1]["text"]
    assert blocks[1]["text"].startswith("(image a.jpg of [p] is left out")


WAYS = {
    "elsewhere": "{out}/secret.png",
    "traversal": "{base}/../out/secret.png",
    "encoded traversal": "{base}/%2e%2e/out/secret.png",
    "encoded slash": "{base}/..%2fout%2fsecret.png",
    "twice encoded": "{base}/%252e%252e/out/secret.png",
    "link to a file": "{base}/link.png",
    "link to a folder": "{base}/folder/secret.png",
    "a link to itself": "{base}/loop.png",
    "pipe": "{base}/pipe.png",
    "folder": "{base}/sub.png",
    "the root": "{base}",
    "a sibling whose name begins alike": "{base}-other/secret.png",
    "missing": "{base}/none.png",
    "null": "{base}/a.png%00",
    "no scheme": "{path}/a.png",
    "relative": "file:a.png",
    "another machine": "file://server{path}/a.png",
    "http": "http://localhost{path}/a.png",
    "query": "{base}/a.png?x",
    "fragment": "{base}/a.png#x",
    "broken": "file://[::1/a.png",
    "device": "file:///dev/zero",
    "too long": "{base}/" + "x" * 5000 + ".png",
    "empty": "",
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_but_regular_files_under_a_root_is_read(tmp_path: Path, way: str) -> None:
    inside, outside, other = tmp_path / "in", tmp_path / "out", tmp_path / "in-other"
    for folder in (inside, outside, other):
        folder.mkdir()
    secret = photo(outside / "secret.png")
    photo(other / "secret.png")
    photo(inside / "a.png")
    (inside / "link.png").symlink_to(secret)
    (inside / "folder").symlink_to(outside)
    (inside / "loop.png").symlink_to(inside / "loop.png")
    os.mkfifo(inside / "pipe.png")
    (inside / "sub.png").mkdir()
    uri = WAYS[way].format(base=inside.as_uri(), out=outside.as_uri(), path=inside)
    doc = image_doc(inside / "a.png")
    doc.metadata["octant"]["media"][0]["uri"] = uri
    with pytest.raises(MediaError) as raised:
        media_in(doc, [inside])
    assert str(outside) not in str(raised.value)
    blocks = blocks_of([doc], roots=[inside])
    assert [block["type"] for block in blocks] == ["text", "text"]
    assert "left out" in blocks[1]["text"]
    with pytest.raises(MediaError):
        media_of([{"type": "image", "url": uri}], roots=[inside])


def test_nothing_tells_whether_a_file_outside_exists(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    photo(tmp_path / "there.png")
    said: set[str] = set()
    for name in ("there.png", "not-there.png", "in", "no-folder/x.png"):
        uri = (tmp_path / name).as_uri() if name != "in" else tmp_path.as_uri()
        with pytest.raises(MediaError) as raised:
            media_of({"type": "image", "url": uri}, roots=[tmp_path / "in"])
        said.add(str(raised.value))
    assert len(said) == 1


def test_odd_names_links_within_a_root_and_linked_roots_are_read(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    photo(inside / "grün & [1]%20#?.png")
    (inside / "link.png").symlink_to(inside / "grün & [1]%20#?.png")
    (tmp_path / "root").symlink_to(inside)
    for path in inside.iterdir():
        for roots in ([inside], [tmp_path / "none", inside], [tmp_path / "root"]):
            assert media_in(image_doc(path), roots) == {"photo": Image((inside / "grün & [1]%20#?.png").resolve())}
            assert media_of({"type": "image", "url": path.as_uri()}, roots=roots)


def test_a_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    photo(path)
    assert media_in(image_doc(path), [tmp_path]) == {"photo": Image(path)}
    blocks_of([image_doc(path)], roots=[tmp_path])


@pytest.mark.parametrize("roots", ["/", Path("/"), ["/"]])
def test_roots_are_folders_as_paths(roots: Any) -> None:
    with pytest.raises(TypeError, match="root"):
        blocks_of([], roots=roots)


def test_what_cannot_be_read_is_said_and_the_rest_is_sent(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    docs = [image_doc(tmp_path / "broken.png", "b"), image_doc(photo(tmp_path / "a.png"), "a")]
    docs.append(image_doc(tmp_path / "a.png", "c", region={"left": "x"}))
    docs.append(image_doc(tmp_path / "a.png", "d", page=0))
    docs.append(audio_doc(tmp_path / "a.png", "e", start=3, end=1))
    del docs[0].metadata["octant"]["media"][0]["name"]
    memory = Document(id="f", page_content="", metadata={"octant": {"media": [{"name": "x", "modality": "image"}]}})
    blocks = blocks_of([*docs, memory], roots=[tmp_path])
    assert [block["type"] for block in blocks] == ["text", "text", "text", "image", *["text"] * 8]
    assert sum("left out" in text for text in texts(blocks)) == 5


ODD: list[Any] = [None, 3, [], {"media": None}, {"media": "x"}, {"media": [None, 3, {}, {"modality": []}]}]


@pytest.mark.parametrize(
    "part", [{"start": "1", "end": None}, {"start": 1, "end": [2]}, {"second": "x"}, {"second": None}, {"page": {}}]
)
def test_parts_of_another_making_cost_no_other_document(part: dict[str, Any], tmp_path: Path) -> None:
    uri = photo(tmp_path / "a.jpg").as_uri()
    for modality in ("image", "audio"):
        media = [{"name": "m", "modality": modality, "uri": uri, **part}]
        odd = Document(id="odd", page_content="b", metadata={"octant": {"media": media}})
        blocks = blocks_of([odd, image_doc(photo(tmp_path / "a.jpg"))], roots=[tmp_path])
        assert any(one.startswith("[odd]") for one in texts(blocks))
        assert any(one["type"] == "image" for one in blocks)


@pytest.mark.parametrize("octant", ODD)
def test_metadata_of_another_making_is_no_error(octant: Any) -> None:
    doc = Document(id="a", page_content="b", metadata={"octant": octant})
    assert texts(blocks_of([doc])) == ["[a]\nb"]


# models read them


def test_langchain_and_openai_take_the_blocks(tmp_path: Path) -> None:
    docs = [image_doc(photo(tmp_path / "a.jpg")), audio_doc(tone(tmp_path / "a.wav", 0.5))]
    blocks = blocks_of(docs, roots=[tmp_path])
    message = HumanMessage(content_blocks=blocks)
    assert message.content_blocks == blocks
    model = FakeMessagesListChatModel(responses=[AIMessage("it is red [p]")])
    assert model.invoke([message]).content == "it is red [p]"
    image, audio = (convert_to_openai_data_block(dict(blocks[i])) for i in (1, 3))
    assert image["image_url"]["url"] == f"data:image/jpeg;base64,{blocks[1]['base64']}"
    assert audio == {"type": "input_audio", "input_audio": {"data": blocks[3]["base64"], "format": "wav"}}
    json.dumps(blocks)


# citations and back


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda one: one.strip() == one))
@example("%5B")
@example("%255b[%0A")
@example("a[1]%20]\r\nb")
@settings(max_examples=300, deadline=None)
def test_any_id_is_cited_as_it_stands_in_its_block(id: str) -> None:
    doc = Document(id=id, page_content="x\n[y] z")
    blocks = blocks_of([doc])
    head = texts(blocks)[0].split("]")[0] + "]"
    assert cited_ids(f"So it is {head}.") == [id]
    assert cited_ids(f"So it is {head}.", [doc]) == [id]
    assert documents_of(blocks) == [doc]


def test_citations_are_read_once_each_and_in_order() -> None:
    answer = "First [b], then [a][b]; see [the site](https://x.org) and [made up]."
    assert cited_ids(answer) == ["b", "a", "made up"]
    docs = [Document(id=one, page_content=one) for one in ("a", "b", "c, d")]
    assert cited_ids(answer, docs) == ["b", "a"]
    assert cited_documents(answer, docs) == [docs[1], docs[0]]
    assert cited_ids("[a, b] or [c, d] or [b; x]", docs) == ["a", "b", "c, d"]
    assert cited_ids("none") == []


def test_documents_come_back_from_a_message_with_other_blocks(tmp_path: Path) -> None:
    docs = [Document(id="a", page_content="one\n\ntwo", metadata={"title": "T"}), image_doc(photo(tmp_path / "p.jpg"))]
    message = HumanMessage(
        content_blocks=[{"type": "text", "text": "What is\nthis?"}, *blocks_of(docs, roots=[tmp_path])]
    )
    found = documents_of(message.content_blocks)
    assert [(doc.id, doc.page_content) for doc in found] == [("a", "one\n\ntwo"), ("p", "a photo")]
    assert [type(medium) for medium in media_of(message)] == [Text, Text, Text, Image]


# blocks -> media


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture
def red(tmp_path: Path) -> str:
    return encoded(photo(tmp_path / "red.png"))


def test_every_usual_form_of_a_block_becomes_a_medium(tmp_path: Path, red: str) -> None:
    sound = encoded(tone(tmp_path / "a.wav", 0.1))
    image, audio = Image(base64.b64decode(red)), Audio(base64.b64decode(sound))
    forms: list[tuple[Any, Any]] = [
        ("a cup", Text("a cup")),
        ({"type": "text", "text": "a cup"}, Text("a cup")),
        ({"type": "text-plain", "mime_type": "text/plain", "text": "a cup"}, Text("a cup")),
        ({"type": "image", "base64": red, "mime_type": "image/png"}, image),
        ({"type": "audio", "base64": sound, "mime_type": "audio/wav"}, audio),
        ({"type": "image", "url": f"data:image/png;base64,{red}"}, image),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{red}"}}, image),
        ({"type": "image_url", "image_url": f"data:image/png;base64,{red}"}, image),
        ({"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}}, audio),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": red}}, image),
        ({"type": "image", "source_type": "base64", "data": red, "mime_type": "image/png"}, image),
    ]
    for block, medium in forms:
        assert media_of(block) == [medium], block
        assert media_of([block]) == [medium]
        assert media_of(HumanMessage(content=[block])) == [medium]
    assert media_of([block for block, _ in forms]) == [medium for _, medium in forms]
    assert media_of(HumanMessage("a cup")) == [Text("a cup")]
    assert media_of(["  ", "", {"type": "text", "text": "\n"}]) == []


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ({"type": "image", "url": "https://example.org/a.png"}, "nothing is fetched"),
        ({"type": "image_url", "image_url": {"url": "http://localhost/a.png"}}, "nothing is fetched"),
        ({"type": "image", "url": "/etc/passwd"}, "nothing is fetched"),
        ({"type": "image", "url": "file:///etc/hostname"}, "no roots are allowed"),
        ({"type": "image", "base64": "AAAA"}, "without a mime_type"),
        ({"type": "image", "base64": "AAAA", "mime_type": ""}, "without a mime_type"),
        ({"type": "image", "base64": "AAAA", "mime_type": "image/png;x,y"}, "without a mime_type"),
        ({"type": "image", "base64": "AAAA", "mime_type": "audio/wav"}, "not image/"),
        ({"type": "audio", "base64": "AAAA", "mime_type": "image/png"}, "not audio/"),
        ({"type": "image", "base64": "A*AA", "mime_type": "image/png"}, "base64"),
        ({"type": "image", "base64": "AAA", "mime_type": "image/png"}, "base64"),
        ({"type": "image", "base64": b"AAAA", "mime_type": "image/png"}, "of type bytes"),
        ({"type": "image", "file_id": "file-1"}, "no files of a provider"),
        ({"type": "image"}, "neither base64 nor a url"),
        ({"type": "video", "base64": "AAAA", "mime_type": "video/mp4"}, "frame of a film"),
        ({"type": "file", "base64": "AAAA", "mime_type": "application/pdf"}, "a page, as an image"),
        ({"type": "weird"}, "'weird'"),
        ({}, "None"),
        ({"type": "text"}, "without its text"),
        ({"type": "text", "text": 3}, "without its text"),
    ],
)
def test_other_blocks_are_refused_with_a_remedy(block: dict[str, Any], why: str) -> None:
    with pytest.raises(MediaError, match=why):
        media_of([block])


@pytest.mark.parametrize("given", [3, None, [3], [None], b"x", [b"x"]])
def test_what_is_no_block_is_refused(given: Any) -> None:
    with pytest.raises(TypeError):
        media_of(given)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "url", "base64", "mime_type", "source", "image_url", "data", "input_audio", "text"]
            )
            | st.text(max_size=4),
            inner
            | st.sampled_from(["image", "audio", "text", "image_url", "input_audio", "base64", "file", "url", "video"]),
            max_size=5,
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "type",
                "url",
                "base64",
                "mime_type",
                "source",
                "source_type",
                "image_url",
                "input_audio",
                "text",
                "data",
                "file",
                "value",
                "document",
                "inline_data",
            ]
        ),
        JUNK
        | st.sampled_from(
            ["image", "audio", "text", "image_url", "input_audio", "non_standard", "base64", "document", "file"]
        ),
    )
)
@settings(max_examples=400, deadline=None)
def test_malformed_blocks_are_media_errors_and_nothing_else(block: dict[str, Any]) -> None:
    with suppress(MediaError):
        media_of([block])


def test_limits_hold_before_anything_is_decoded(red: str) -> None:
    with pytest.raises(MediaError, match="more than the limit of 10"):
        media_of({"type": "image", "base64": red, "mime_type": "image/png"}, limits=Limits(bytes=10))
    with pytest.raises(MediaError, match="more than the limit of 3"):
        media_of("four", limits=Limits(characters=3))
    [image] = media_of({"type": "image", "base64": red, "mime_type": "image/png"}, limits=Limits(pixels=5))
    assert image.limits == Limits(pixels=5)


def test_errors_do_not_quote_the_content(red: str) -> None:
    with pytest.raises(MediaError) as raised:
        media_of({"type": "image", "base64": red + "*", "mime_type": "image/png"})
    assert red[:12] not in str(raised.value)
    assert raised.value.__suppress_context__
