"""Hits look right in a terminal, in a notebook and on a page, and nothing of a payload can break out of them."""

import base64
import copy
import io
import json
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image as Pillow
from rich.console import Console

from octant.item import Hit, Item
from octant.media import Audio, Frame, Image, Limits, Media, Page, Region, Span, Text, data_url, describe, thumbnail
from octant.payload import item_from_payload, payload_of, with_facts
from octant.show import Hits, Section, page

NASTY = "<script>alert('x')</script> \"&\" [red]"


def stored(
    name: str,
    media: Mapping[str, Media],
    score: float = 0.5,
    metadata: Mapping[str, Any] | None = None,
    thumbnails: Mapping[str, str] | None = None,
    colours: Mapping[str, list[str]] | None = None,
) -> Hit:
    """A hit as a store gives it back."""
    item = Item(name, media, metadata or {})
    payload = payload_of(item, {key: describe(medium) for key, medium in media.items()})
    payload = with_facts(payload, {key: {"thumbnail": small} for key, small in (thumbnails or {}).items()})
    facts = {key: {"colours": names, "perceptual_hash": "0123456789abcdef"} for key, names in (colours or {}).items()}
    payload = with_facts(payload, facts)
    return Hit(item_from_payload(payload, "point"), score, payload)


def photo(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    Pillow.new("RGB", size, (200, 30, 30)).save(path)
    return path


def sound(path: Path, seconds: float = 0.5, rate: int = 8_000) -> Path:
    time = np.arange(int(seconds * rate)) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * time), rate)
    return path


def pdf(path: Path) -> Path:
    """Two pages: the first is red, the second blue."""
    pages = [Pillow.new("RGB", (72, 96), colour) for colour in ("red", "blue")]
    pages[0].save(path, "PDF", save_all=True, append_images=pages[1:], resolution=72)
    return path


def siren(path: Path) -> Path:
    """Forty seconds, in tens: silence, 440 Hz, 1,760 Hz, silence."""
    time = np.arange(80_000) / 8_000
    tones = [0 * time, np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 1_760 * time), 0 * time]
    soundfile.write(path, 0.5 * np.concatenate(tones), 8_000)
    return path


def heard(shown: str) -> tuple[float, float]:
    """Seconds and the loudest frequency, in Hz, of the one sound on a page."""
    [encoded] = re.findall(r"<audio[^>]*src='data:audio/[a-z]*;base64,([^']*)'", shown)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded)))
    spectrum = np.abs(np.fft.rfft(samples))
    return len(samples) / rate, float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


def seen(shown: str) -> tuple[int, int, int]:
    """The colour in the middle of the one picture on a page."""
    [encoded] = re.findall(r"<img[^>]*src='data:image/webp;base64,([^']*)'", shown)
    picture = Pillow.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    middle = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(middle, tuple)
    return (round(middle[0]), round(middle[1]), round(middle[2]))


def html_of(hits: Hits) -> str:
    return hits._repr_html_()  # pyright: ignore[reportPrivateUsage]  # IPython chose the name


def drawn(hits: Hits, width: int) -> list[str]:
    sheet = io.StringIO()
    Console(file=sheet, width=width, color_system=None).print(hits)
    return sheet.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_a_table_fits_its_terminal_and_names_every_hit_in_order(tmp_path: Path, width: int) -> None:
    texts = [stored(f"t{i}", {"text": Text("many words " * 50)}, 1 - i / 20, {"mood": "calm"}) for i in range(11)]
    hits = Hits([stored("p", {"image": Image(photo(tmp_path / "red.png"))}, 1.0), *texts], Text("words"))
    lines = drawn(hits, width)
    assert max(map(len, lines)) <= width
    assert [m.group(1) for line in lines if (m := re.match(r"\s*(\d+) ", line))] == [str(i) for i in range(1, 13)]
    assert "red.png" in lines[2]
    assert "image" in lines[2]
    assert ("mood=calm" in "".join(lines)) == (width == 140)


def test_small_scores_keep_the_digits_that_tell_them_apart() -> None:
    shown = str(Hits([stored("a", {"text": Text("a")}, 0.0167), stored("b", {"text": Text("b")}, 0.0164)]))
    assert "0.0167" in shown
    assert "0.0164" in shown


def test_nothing_found_is_said() -> None:
    assert str(Hits()) == "no hits"
    assert "no hits" in html_of(Hits())


def test_brackets_in_names_are_not_markup() -> None:
    hits = Hits([stored("[bold]a[/bold]", {"text": Text("[red]text[/red]")}, 0.5, {"k": "[dim]v"})])
    assert "[bold]a[/bold]" in str(hits)
    assert "[red]text[/red]" in str(hits)


def test_a_slice_of_hits_is_hits_and_copies_keep_the_query() -> None:
    hits = Hits((stored(str(i), {"text": Text(str(i))}) for i in range(4)), Text("q"))
    assert isinstance(hits[0], Hit)
    assert isinstance(hits[:2], Hits)
    for copied in (hits[:2], copy.copy(hits), pickle.loads(pickle.dumps(hits))):
        assert copied.query == Text("q")
    assert "3" in repr(hits)[-20:] or "…" in repr(hits)


def test_hits_as_plain_data_go_through_json_without_thumbnails(tmp_path: Path) -> None:
    image = Image(photo(tmp_path / "a.png"))
    small = {"image": data_url("image/webp", thumbnail(image, 32))}
    [plain] = json.loads(json.dumps(Hits([stored("id", {"image": image}, 0.25, {"n": 1}, small)]).as_dicts()))
    assert (plain["rank"], plain["score"], plain["id"], plain["metadata"]) == (1, 0.25, "id", {"n": 1})
    assert plain["media"]["image"]["width"] == 64
    assert "thumbnail" not in plain["media"]["image"]


def test_html_escapes_whatever_comes_from_outside(tmp_path: Path) -> None:
    gone = Hit(Item(NASTY, {"i": Image(tmp_path / f"{NASTY.replace('/', '')}.png")}), 0.5)
    hits = Hits([stored(NASTY, {"text": Text(NASTY)}, 0.5, {NASTY: NASTY}), gone], Text(NASTY))
    shown = page(NASTY, [Section(NASTY, hits, NASTY)], lead=NASTY)
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 8


def test_a_page_is_self_contained(tmp_path: Path) -> None:
    media: dict[str, Media] = {
        "photo": Image(photo(tmp_path / "a.png")),
        "sound": Audio(sound(tmp_path / "a.wav")),
        "title": Text("see https://example.org/x.png"),
    }
    shown = page("all", [Section("one", Hits([stored("id", media)], Text("q")))])
    assert shown.count("<img") == shown.count("<audio") == shown.count("<blockquote") == 1
    assert all(link.startswith("data:") for link in re.findall(r"(?:src|href)=['\"]([^'\"]*)", shown))
    assert "url(" not in shown
    assert "@import" not in shown


def test_a_small_sound_is_embedded_as_it_is(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")
    shown = html_of(Hits([stored("id", {"sound": Audio(path)})]))
    [(mime, encoded)] = re.findall(r"<audio[^>]*src='data:([^;]*);base64,([^']*)'", shown)
    assert mime == "audio/wav"
    assert base64.b64decode(encoded) == path.read_bytes()
    assert "the first" not in shown


def test_a_long_sound_is_cut_and_the_page_says_so(tmp_path: Path) -> None:
    shown = html_of(Hits([stored("id", {"sound": Audio(sound(tmp_path / "a.wav", 75.0))})]))
    [encoded] = re.findall(r"data:audio/ogg;base64,([^']*)", shown)
    with soundfile.SoundFile(io.BytesIO(base64.b64decode(encoded))) as cut:
        assert cut.frames / cut.samplerate == pytest.approx(15.0, abs=0.1)
    assert "the first 15 s of 1:15" in shown


@pytest.mark.parametrize("channels", [1, 2])
def test_a_query_in_memory_is_shown_too(tmp_path: Path, channels: int) -> None:
    samples = np.zeros((4_000, channels), np.float32)
    heard = html_of(Hits([], Audio(samples, rate=8_000)))
    assert "data:audio/ogg" in heard
    assert "data:audio/wav" in html_of(Hits([], Audio(sound(tmp_path / "a.wav").read_bytes())))
    assert "data:image/" in html_of(Hits([], Image(photo(tmp_path / "a.png"))))
    assert "data:image/" in html_of(Hits([], Image(Pillow.new("RGB", (8, 8)))))


def test_media_that_vanished_leave_a_calm_note(tmp_path: Path) -> None:
    media: dict[str, Media] = {
        "photo": Image(photo(tmp_path / "a.png")),
        "sound": Audio(sound(tmp_path / "a.wav")),
        "memory": Image(photo(tmp_path / "b.png").read_bytes()),
    }
    hit = stored("id", media)
    for path in tmp_path.iterdir():
        path.unlink()
    shown = html_of(Hits([hit], Image(tmp_path / "a.png")))
    assert shown.count("can no longer be read") == 3
    assert "was given in memory" in shown
    assert "a.png" in str(Hits([hit]))


def test_a_kept_thumbnail_outlives_its_file(tmp_path: Path) -> None:
    image = Image(photo(tmp_path / "a.png"))
    small = data_url("image/webp", thumbnail(image, 32))
    hit = stored("id", {"image": image}, thumbnails={"image": small})
    (tmp_path / "a.png").unlink()
    assert f"src='{small}'" in html_of(Hits([hit]))


def test_a_hit_made_by_hand_is_shown_without_a_payload(tmp_path: Path) -> None:
    hits = Hits([Hit(Item("mine", {"t": Text("hello"), "i": Image(photo(tmp_path / "a.png"))}), 1.0)])
    assert "hello" in str(hits)
    assert "hello" in html_of(hits)
    assert "text image" in str(hits)


def test_sections_in_a_row_share_their_heading() -> None:
    sections = [Section("a → b", Hits()), Section("a → b", Hits()), Section("b → a", Hits())]
    assert page("t", sections).count("<h2>") == 2


def test_a_place_is_told_from_here_or_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    hits = Hits(
        stored(path.name, {"image": Image(photo(path))})
        for path in (tmp_path / "here" / "sub" / "a.png", tmp_path / "pictures" / "b.png")
    )
    lines = drawn(hits, 120)
    assert re.search(r"a\.png +sub ", lines[2])
    assert re.search(r"b\.png +~/pictures ", lines[3])


def of_file(name: str, **more: Any) -> dict[str, Any]:
    """What octant notes of a file that has several pieces."""
    path = f"/shelf/{name}"
    own = {"path": path, "name": name, "folder": "shelf", "root": "/shelf", "modified": "2026-01-01T00:00:00+00:00"}
    return {**own, "parent": f"file://{path}", **more}


HEADED = {"headings": ["Setup", "Linux"], "title": "Setup", "start_character": 100, "end_character": 200}


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        (of_file("guide.md", **HEADED), "guide.md › Setup › Linux"),
        (of_file("manual.pdf", page=3, pages=12, start_character=0, end_character=90), "manual.pdf p. 3"),
        (of_file("long.txt", start_character=1_200, end_character=2_000), "long.txt character 1,200"),
        (of_file("talk.mp3", start_second=10.0, end_second=20.0), "talk.mp3 0:10–0:20"),
        (of_file("plain.txt"), "plain.txt"),
    ],
)
def test_a_text_is_named_with_its_place_and_nothing_is_said_twice(metadata: dict[str, Any], named: str) -> None:
    hits = Hits([stored(f"{metadata['parent']}#4", {"text": Text("words")}, 0.5, {**metadata, "language": "en"})])
    [line] = [line for line in drawn(hits, 200) if "0.500" in line]
    assert re.search(rf"  {re.escape(named)}  ", line + "  "), line
    assert line.endswith("5 characters  language=en")
    shown = html_of(hits)
    assert f"<b title='{named}'>" in shown
    assert all(word in re.sub(r"<b title.*?>", "", shown) for word in named.split())
    assert ">5 characters · language: en · /shelf<" in shown


def test_parts_name_their_seconds_pages_frames_and_regions(tmp_path: Path) -> None:
    large = photo(tmp_path / "photo.png", (1_000, 400))
    tone = siren(tmp_path / "talk.wav")
    hits = Hits(
        [
            stored("a", {"sound": Audio(tone, span=Span(10, 20))}, 0.5, {"start_second": 10, "end_second": 20}),
            stored("b", {"sound": Audio(tone, span=Span(0.5, 7.96))}),
            stored("c", {"image": Image(large, part=Region(800, 0, 200, 300))}),
            stored("d", {"image": Image(large)}, 0.5, {"page": 7}),
            Hit(Item("e", {"frame": Image(tmp_path / "film.mp4", part=Frame(3_725.0))}, {"second": 3_725.0}), 0.5),
            Hit(Item("f", {"sheet": Image(tmp_path / "m.pdf", part=Page(3))}, {"page": 3, "pages": 9}), 0.5),
            Hit(Item("g", {"text": Text("no file")}, {"page": 3, "headings": ["x"]}), 0.5),
        ]
    )
    lines = [" ".join(line.split()) for line in drawn(hits, 200)[2:]]
    texts = [re.sub(r"^.*(image|audio|text) ", "", line).replace(f" {tmp_path.name}", "") for line in lines if line]
    expected = [
        ("talk.wav 0:10–0:20", ""),
        ("talk.wav 0:00.5–0:08", ""),
        ("photo.png (800, 0)", "200×300"),
        ("photo.png p. 7", "1000×400"),
        ("film.mp4 1:02:05", ""),
        ("m.pdf p. 3", ""),
        ("g", "page=3 headings=x"),
    ]
    for text, (named, about) in zip([one for one in texts if one != "no file"], expected, strict=True):
        assert text.startswith(f"{named} ")
        assert text.endswith(about)
        assert "=" not in text or about
        assert "10.0 s" not in text


def test_only_the_span_is_played(tmp_path: Path) -> None:
    path = siren(tmp_path / "a.wav")
    for span, frequency in ((Span(10, 20), 440), (Span(20, 30), 1_760)):
        shown = html_of(Hits([stored("id", {"sound": Audio(path, span=span)})]))
        seconds, loudest = heard(shown)
        assert (seconds, loudest) == (pytest.approx(10, abs=0.1), pytest.approx(frequency, abs=2))
        assert "the first" not in shown
    shown = html_of(Hits([stored("id", {"sound": Audio(path, span=Span(12, 40))})]))
    assert heard(shown)[0] == pytest.approx(15, abs=0.1)
    assert "the first 15 s of 28.0 s" in shown
    beyond = html_of(Hits([stored("id", {"sound": Audio(path, span=Span(30, 90))})]))
    assert heard(beyond)[0] == pytest.approx(10, abs=0.1)
    assert "the first" not in beyond


def test_a_sound_is_played_beyond_the_limits_it_is_read_back_with(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(901 * 1_000, np.float32), 1_000)
    media = Audio(path, limits=Limits(bytes=1_000, seconds=20))
    shown = html_of(Hits([Hit(Item("long", {"sound": media}), 0.5)]))
    assert "the first 15 s of 15:01" in shown
    assert len(shown) < 200_000


def test_a_query_says_which_part_of_its_file_it_is(tmp_path: Path) -> None:
    shown = html_of(Hits([], Audio(siren(tmp_path / "a.wav"), span=Span(10, 20))))
    assert "<b>a.wav 0:10–0:20</b>" in shown
    assert heard(shown)[1] == pytest.approx(440, abs=2)
    pixels = np.zeros((8, 8, 3), np.uint8)
    assert "<b>(4, 2)</b>" in html_of(Hits([], Image(pixels, part=Region(4, 2, 4, 4))))


def test_thumbnails_show_the_part(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    picture = Pillow.new("RGB", (200, 100), "red")
    picture.paste("lime", (100, 0, 200, 100))
    picture.save(tmp_path / "a.png")
    document = pdf(tmp_path / "a.pdf")
    for path, part, colour in (
        (tmp_path / "a.png", Region(0, 0, 100, 100), (255, 0, 0)),
        (tmp_path / "a.png", Region(100, 0, 100, 100), (0, 255, 0)),
        (document, Page(1), (255, 0, 0)),
        (document, Page(2), (0, 0, 255)),
    ):
        shown = seen(html_of(Hits([stored("id", {"image": Image(path, part=part)})])))
        assert shown == pytest.approx(colour, abs=12)


def test_frames_and_sound_of_a_film_are_shown_however_large_it_is(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from moving_media import chirp, film

    path = tmp_path / "film.mp4"
    path.write_bytes(film(8, chirp(8, 48_000)))
    small = Limits(bytes=100)
    blue = html_of(Hits([Hit(Item("f", {"frame": Image(path, small, Frame(2.5))}), 0.5)]))
    assert seen(blue) == pytest.approx((0, 0, 255), abs=30)
    shown = html_of(Hits([Hit(Item("s", {"sound": Audio(path, limits=small, span=Span(4, 5))}), 0.5)]))
    seconds, loudest = heard(shown)
    assert seconds == pytest.approx(1, abs=0.1)
    assert 400 < loudest < 550  # it rises by 60 Hz a second from 200


def test_what_is_not_installed_is_named_calmly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "talk.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0M4A isom" + bytes(200))
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    monkeypatch.setitem(sys.modules, "av", None)
    sheet, sound = Image(pdf(tmp_path / "a.pdf"), part=Page(1)), Audio(path, span=Span(10, 20))
    hits = Hits([Hit(Item("p", {"sheet": sheet}), 0.5), Hit(Item("s", {"sound": sound}), 0.5)])
    shown = html_of(hits)
    assert shown.count("<p class='gone'>") == 2
    assert "octant-search[pdf]" in shown
    assert "octant-search[video]" in shown
    assert "can no longer be read" not in shown
    assert "a.pdf p. 1" in str(hits)


def test_parts_of_what_vanished_or_shrank_leave_a_calm_note(tmp_path: Path) -> None:
    gone: dict[str, Media] = {
        "page": Image(tmp_path / "a.pdf", part=Page(1)),
        "frame": Image(tmp_path / "a.mp4", part=Frame(1)),
        "region": Image(tmp_path / "a.png", part=Region(0, 0, 9, 9)),
        "sound": Audio(tmp_path / "a.mp3", span=Span(1, 2)),
    }
    assert html_of(Hits([Hit(Item("gone", gone), 0.5)])).count("can no longer be read") == 4
    short = Audio(sound(tmp_path / "b.wav"), span=Span(10, 20))
    assert "before its span begins" in html_of(Hits([Hit(Item("short", {"sound": short}), 0.5)]))


def test_nothing_of_a_part_breaks_out(tmp_path: Path) -> None:
    headings = of_file("x.md", headings=[NASTY, "\x1b[31mred\nline"], start_character=0)
    image = Image(photo(tmp_path / "a.png"))
    nasty = ["red", "blue;background:url(https://example.org)", NASTY]
    hits = Hits(
        [
            stored("a#1", {"text": Text("t \x1b[2J")}, 0.5, {**headings, "k": "\x1b[31m"}),
            stored("b", {"image": image}, 0.5, {"url": NASTY, "title": NASTY}, colours={"image": nasty}),
        ]
    )
    shown = page("t", [Section("s", hits)])
    assert "<script" not in shown
    assert "url(" not in shown
    assert "example.org" not in shown
    assert "\x1b" not in str(hits)
    assert "[red]" in str(hits)


def test_colours_are_swatches_and_hashes_are_never_shown(tmp_path: Path) -> None:
    image = Image(photo(tmp_path / "a.png"))
    hit = stored(
        "a", {"image": image}, 0.5, {"perceptual_hash": "0123456789abcdef"}, colours={"image": ["red", "grey"]}
    )
    shown = html_of(Hits([hit]))
    assert re.findall(r"style='background:(\w+)'", shown) == ["red", "grey"]
    assert "0123456789abcdef" not in shown + str(Hits([hit]))
    [plain] = Hits([hit]).as_dicts()
    assert plain["media"]["image"]["perceptual_hash"] == "0123456789abcdef"


def test_numbers_and_places_are_said_shortly_and_what_is_known_of_a_song_stays(tmp_path: Path) -> None:
    metadata = {"loudness": -23.456789, "location": {"lon": 2.294481, "lat": 48.85837}, "title": "Blue", "tiny": 1e-7}
    [line] = drawn(Hits([stored("a", {"sound": Audio(sound(tmp_path / "a.wav"))}, 0.5, metadata)]), 400)[2:]
    shown = html_of(Hits([stored("a", {"sound": Audio(tmp_path / "a.wav")}, 0.5, metadata)]))
    assert "loudness: -23.457 · location: 48.8584, 2.2945 · title: Blue · tiny: 1e-07" in shown
    assert "loudness=-23.457" in line


def test_what_was_read_from_the_web_is_named_by_its_address() -> None:
    url = "https://example.org/pets/dog.jpg"
    payload = payload_of(Item(url, {"image": Image(b"x")}, {"url": url}), {"image": describe(Text("x"))})
    hits = Hits([Hit(item_from_payload(payload, "point"), 0.5, payload)])
    [line] = drawn(hits, 200)[2:]
    assert "dog.jpg  https://example.org/pets" in re.sub("  +", "  ", line)
    assert "url=" not in line


def test_a_part_is_plain_data(tmp_path: Path) -> None:
    hits = Hits([stored("a", {"sound": Audio(siren(tmp_path / "a.wav"), span=Span(10, 20))})])
    [plain] = json.loads(json.dumps(hits.as_dicts()))
    assert plain["media"]["sound"]["part"] == {"start": 10, "end": 20}
