"""Hits look right in a terminal, in a notebook and on a page, and nothing of a payload can break out of them."""

import base64
import copy
import io
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image as Pillow
from rich.console import Console

from octant.item import Hit, Item
from octant.media import Audio, Image, Media, Text, data_url, describe, thumbnail
from octant.payload import item_from_payload, payload_of
from octant.show import Hits, Section, page

NASTY = "<script>alert('x')</script> \"&\" [red]"


def stored(
    name: str,
    media: Mapping[str, Media],
    score: float = 0.5,
    metadata: Mapping[str, Any] | None = None,
    thumbnails: Mapping[str, str] | None = None,
) -> Hit:
    """A hit as a store gives it back."""
    item = Item(name, media, metadata or {})
    payload = payload_of(item, {key: describe(medium) for key, medium in media.items()}, thumbnails or {})
    return Hit(item_from_payload(payload, "point"), score, payload)


def photo(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    Pillow.new("RGB", size, (200, 30, 30)).save(path)
    return path


def sound(path: Path, seconds: float = 0.5, rate: int = 8_000) -> Path:
    time = np.arange(int(seconds * rate)) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * time), rate)
    return path


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
