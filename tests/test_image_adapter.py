"""The adapter for pictures, what it notes of them, and the facts that are in their pixels."""

import io
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.ExifTags
import PIL.Image
import pytest
from bad_media import encoded_image, encoded_sound, mp4, noise, photo, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from octant.adapters.adapter import File, Piece
from octant.adapters.image import ImageAdapter
from octant.encoding import Budget
from octant.errors import MediaError
from octant.media import Frame, Image, Limits, Page, Region, decode_image, describe
from octant.media.facts import dominant_colours, exif_facts, perceptual_hash
from octant.media.signature import mime_of

ORIGINAL, OFFSET, DIGITIZED, EDITED = 0x9003, 0x9011, 0x9004, 0x0132
MAKE, MODEL = 0x010F, 0x0110
BERN = {1: "N", 2: (46.0, 56.0, 52.8), 3: "E", 4: (7.0, 26.0, 51.0)}


def noted(
    tags: dict[int, Any] | None = None,
    exif: dict[int, Any] | None = None,
    gps: dict[int, Any] | None = None,
    kind: str = "JPEG",
) -> bytes:
    """Encode a picture with these EXIF tags: those of the image, of the shot, and of the place."""
    written = PIL.Image.Exif()
    for tag, value in (tags or {}).items():
        written[tag] = value
    if exif:
        written.get_ifd(PIL.ExifTags.IFD.Exif).update(exif)
    if gps:
        written.get_ifd(PIL.ExifTags.IFD.GPSInfo).update(gps)
    file = io.BytesIO()
    photo().save(file, kind, exif=written.tobytes())
    return file.getvalue()


def facts(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return exif_facts(Image(noted(*args, **kwargs)))


# --- EXIF


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_camera_says_when_where_and_what(kind: str, tmp_path: Path) -> None:
    exif = {ORIGINAL: "2024:05:03 17:20:09", OFFSET: "+02:00"}
    content = noted({MAKE: "Canon", MODEL: "Canon EOS R5"}, exif, BERN, kind)
    path = tmp_path / "a"
    path.write_bytes(content)
    for given_as in (Image(content), Image(path), Image(path, part=Region(0, 0, 2, 2))):
        assert exif_facts(given_as) == {
            "taken": "2024-05-03T17:20:09+02:00",
            "location": {"lon": pytest.approx(7.4475, abs=1e-6), "lat": pytest.approx(46.948, abs=1e-6)},
            "camera": "Canon EOS R5",
        }


@pytest.mark.parametrize(
    ("lat_ref", "lon_ref", "signs"),
    [("N", "E", (1, 1)), ("N", "W", (1, -1)), ("S", "E", (-1, 1)), ("S", "W", (-1, -1)), ("s\0", "w", (-1, -1))],
)
def test_every_quadrant_of_the_globe(lat_ref: str, lon_ref: str, signs: tuple[int, int]) -> None:
    location = facts(gps={**BERN, 1: lat_ref, 3: lon_ref})["location"]
    assert location == {"lon": pytest.approx(7.4475 * signs[1]), "lat": pytest.approx(46.948 * signs[0])}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({1: None}, "no direction"),
        ({3: "X"}, "no such direction"),
        ({3: "N"}, "a direction of the other axis"),
        ({3: "EW"}, "two directions"),
        ({2: (90.0, 0.0, 1.0)}, "beyond the pole"),
        ({4: (180.0, 0.0, 1.0)}, "beyond the date line"),
        ({4: (7.0, 61.0, 0.0)}, "61 minutes"),
        ({4: (7.0, 26.0)}, "no seconds"),
        ({4: None}, "half a place"),
        ({9: "V"}, "a void measurement"),
        ({2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}, "a receiver without a fix"),
    ],
)
def test_a_place_that_makes_no_sense_is_left_out(changes: dict[int, Any], why: str) -> None:
    gps = {tag: value for tag, value in {**BERN, **changes}.items() if value is not None}
    assert facts({MODEL: "X100"}, gps=gps) == {"camera": "X100"}, why


def test_division_by_zero_is_no_place() -> None:
    rational = PIL.TiffImagePlugin.IFDRational(0, 0)  # type: ignore[attr-defined]
    assert facts(gps={**BERN, 2: (rational, rational, rational)}) == {}


def test_the_poles_and_the_date_line_are_places() -> None:
    gps = {1: "S", 2: (90.0, 0.0, 0.0), 3: "W", 4: (180.0, 0.0, 0.0)}
    assert facts(gps=gps) == {"location": {"lon": -180.0, "lat": -90.0}}
    assert facts(gps={**BERN, 2: (0.0, 0.0, 0.0)})["location"]["lat"] == 0


@pytest.mark.parametrize(
    ("exif", "taken"),
    [
        ({ORIGINAL: "2024:05:03 17:20:09"}, "2024-05-03T17:20:09"),
        ({ORIGINAL: "2024:05:03 17:20:09\0"}, "2024-05-03T17:20:09"),
        ({ORIGINAL: "2024-05-03T17:20:09.25"}, "2024-05-03T17:20:09"),
        ({ORIGINAL: "2024:05:03 17:20:09", OFFSET: "-03:30"}, "2024-05-03T17:20:09-03:30"),
        ({ORIGINAL: "2024:05:03 17:20:09", OFFSET: "Z"}, "2024-05-03T17:20:09+00:00"),
        ({ORIGINAL: "2024:05:03 17:20:09", OFFSET: "+25:00"}, "2024-05-03T17:20:09"),
        ({ORIGINAL: "2024:05:03 17:20:09", OFFSET: "   :  "}, "2024-05-03T17:20:09"),
        ({ORIGINAL: "2024:05:03 17:20"}, "2024-05-03T17:20"),
        ({ORIGINAL: "2024:05:03   :  :  "}, "2024-05-03"),
        ({ORIGINAL: "2024:05:03", OFFSET: "+02:00"}, "2024-05-03"),
        ({ORIGINAL: "0000:00:00 00:00:00"}, None),
        ({ORIGINAL: "    :  :     :  :  "}, None),
        ({ORIGINAL: "2024:02:30 12:00:00"}, None),
        ({ORIGINAL: "2024:05:03 25:00:00"}, None),
        ({ORIGINAL: "yesterday"}, None),
        ({ORIGINAL: ""}, None),
        ({OFFSET: "+02:00"}, None),
        ({DIGITIZED: "2024:05:03 17:20:09"}, None),
    ],
)
def test_a_time_is_taken_as_it_is_noted_and_never_invented(exif: dict[int, Any], taken: str | None) -> None:
    # when it was edited is not when it was taken
    assert facts({EDITED: "2001:01:01 01:01:01"}, exif) == ({} if taken is None else {"taken": taken})


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Apple", "iPhone 15", "Apple iPhone 15"),
        ("NIKON CORPORATION", "NIKON D850", "NIKON D850"),
        ("Canon\0\0", "  Canon EOS R5 \0junk", "Canon EOS R5"),
        ("FUJIFILM", None, "FUJIFILM"),
        (None, "X100", "X100"),
        ("", " ", None),
        ("a\x07b", None, None),
        ("x" * 5000, None, None),
    ],
)
def test_a_camera_has_one_name(make: str | None, model: str | None, camera: str | None) -> None:
    tags = {tag: value for tag, value in ((MAKE, make), (MODEL, model)) if value is not None}
    assert facts(tags) == ({} if camera is None else {"camera": camera})


def test_one_damaged_tag_spoils_none_of_the_others() -> None:
    got = facts({MAKE: "Apple"}, {ORIGINAL: "2024:05:03 17:20:09"}, {**BERN, 2: (46.0,)})
    assert got == {"camera": "Apple", "taken": "2024-05-03T17:20:09"}


WHOLE = noted({MAKE: "Apple", MODEL: "iPhone"}, {ORIGINAL: "2024:05:03 17:20:09", OFFSET: "+02:00"}, BERN)
EXIF_AT, EXIF_END = WHOLE.index(b"Exif\0\0") + 6, WHOLE.index(b"\xff\xdb")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(EXIF_AT, EXIF_END - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_damaged_exif_is_never_an_error(damage: list[tuple[int, int]]) -> None:
    content = bytearray(WHOLE)
    for at, value in damage:
        content[at] = value
    got = exif_facts(Image(bytes(content)))
    assert set(got) <= {"taken", "location", "camera"}
    if "location" in got:
        assert abs(got["location"]["lat"]) <= 90
        assert abs(got["location"]["lon"]) <= 180


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 30, 60, 100])
def test_exif_that_is_cut_off_is_never_an_error(length: int) -> None:
    opened = PIL.Image.open(io.BytesIO(WHOLE))
    file = io.BytesIO()
    photo().save(file, "JPEG", exif=opened.info["exif"][: 6 + length])
    assert set(exif_facts(Image(file.getvalue()))) <= {"camera"}


def test_whatever_pillow_makes_of_exif_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: PIL.Image.Image) -> PIL.Image.Exif:
        raise SyntaxError("not a TIFF file (header b'' not valid)")

    monkeypatch.setattr(PIL.Image.Image, "getexif", failing)
    assert exif_facts(Image(WHOLE)) == {}


def test_what_has_no_exif_has_no_facts() -> None:
    assert exif_facts(Image(encoded_image(photo(), "PNG"))) == {}
    assert exif_facts(Image(encoded_image(photo(), "GIF"))) == {}
    assert exif_facts(Image(photo())) == {}
    assert exif_facts(Image(np.zeros((4, 4), np.uint8))) == {}
    for part in (Page(1), Frame(0)):
        assert exif_facts(Image(b"whatever", part=part)) == {}
    assert exif_facts(Image(PIL.Image.open(io.BytesIO(WHOLE))))["camera"] == "Apple iPhone"


def test_what_cannot_be_opened_is_an_error_and_not_an_image_without_exif() -> None:
    for content in (b"", noise(), encoded_sound(tone())):
        with pytest.raises(MediaError):
            exif_facts(Image(content))


# --- colours


@pytest.mark.parametrize(
    ("pixel", "name"),
    [
        ("#000000", "black"),
        ("#141414", "black"),
        ("#404040", "grey"),
        ("#808080", "grey"),
        ("#d0d0d0", "grey"),
        ("#fafafa", "white"),
        ("#ffffff", "white"),
        ("#fdf9f3", "white"),
        ("red", "red"),
        ("crimson", "red"),
        ("darkred", "red"),
        ("orange", "orange"),
        ("darkorange", "orange"),
        ("yellow", "yellow"),
        ("gold", "yellow"),
        ("lime", "green"),
        ("green", "green"),
        ("forestgreen", "green"),
        ("darkgreen", "green"),
        ("olivedrab", "green"),
        ("palegreen", "green"),
        ("blue", "blue"),
        ("navy", "blue"),
        ("skyblue", "blue"),
        ("steelblue", "blue"),
        ("royalblue", "blue"),
        ("purple", "purple"),
        ("indigo", "purple"),
        ("mediumpurple", "purple"),
        ("pink", "pink"),
        ("hotpink", "pink"),
        ("deeppink", "pink"),
        ("saddlebrown", "brown"),
        ("sienna", "brown"),
        ("#3d2314", "brown"),
    ],
)
def test_a_colour_has_the_name_that_people_give_it(pixel: str, name: str) -> None:
    assert dominant_colours(PIL.Image.new("RGB", (30, 20), pixel)) == [name]


def test_colours_are_listed_by_what_they_cover() -> None:
    picture = PIL.Image.new("RGB", (100, 100), "white")
    picture.paste("blue", (0, 0, 100, 60))
    picture.paste("red", (0, 0, 100, 15))
    picture.paste("yellow", (0, 0, 100, 5))
    assert dominant_colours(picture) == ["blue", "white", "red"]
    assert dominant_colours(picture.resize((1000, 700))) == ["blue", "white", "red"]


def test_every_picture_has_a_colour() -> None:
    names = ["black", "white", "#808080", "red", "orange", "yellow", "lime", "blue", "purple", "pink", "saddlebrown"]
    picture = PIL.Image.new("RGB", (11, 1))
    for x, name in enumerate(names):
        picture.putpixel((x, 0), PIL.ImageColor.getrgb(name))  # type: ignore[attr-defined]
    assert sorted(dominant_colours(picture)) == sorted(
        ["black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"]
    )
    assert dominant_colours(PIL.Image.new("RGB", (1, 1), "red")) == ["red"]
    assert dominant_colours(PIL.Image.new("RGB", (5000, 1), "red")) == ["red"]


# --- the perceptual hash


def scene(seed: int = 0) -> PIL.Image.Image:
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return PIL.Image.fromarray(rough).resize((640, 480), PIL.Image.Resampling.BICUBIC)


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_the_hash_says_where_it_gets_lighter() -> None:
    ramp = np.tile(np.linspace(0, 255, 90).astype(np.uint8), (80, 1))
    assert perceptual_hash(PIL.Image.fromarray(ramp).convert("RGB")) == "f" * 16
    assert perceptual_hash(PIL.Image.fromarray(ramp[:, ::-1].copy()).convert("RGB")) == "0" * 16
    half = np.concatenate([ramp[:40], ramp[:40, ::-1]])
    assert perceptual_hash(PIL.Image.fromarray(half).convert("RGB")) == "ffffffff00000000"


def test_copies_are_near_and_others_far() -> None:
    picture = scene()
    file = io.BytesIO()
    picture.resize((200, 150)).save(file, "JPEG", quality=40)
    copy = decode_image(Image(file.getvalue()))
    assert distance(perceptual_hash(picture), perceptual_hash(copy)) <= 4
    assert all(distance(perceptual_hash(picture), perceptual_hash(scene(seed))) > 12 for seed in range(1, 20))


# --- the adapter


def found(path: Path, content: bytes, limits: Limits | None = None) -> File:
    path.write_bytes(content)
    return File(path, content[:4096], mime_of(content[:4096]), len(content), limits or Limits())


def cut(adapter: ImageAdapter, file: File) -> list[Piece]:
    pieces: Iterable[Piece | MediaError] = adapter.pieces(file, Budget())
    got = list(pieces)
    assert all(isinstance(piece, Piece) for piece in got)
    return [piece for piece in got if isinstance(piece, Piece)]


def test_an_image_is_one_piece_with_what_its_camera_noted(tmp_path: Path) -> None:
    file = found(tmp_path / "a.jpg", WHOLE, Limits(pixels=10_000))
    (piece,) = cut(ImageAdapter(), file)
    assert piece.media == {"image": Image(file.path, file.limits)}
    assert set(piece.metadata) == {"taken", "location", "camera"}
    (bare,) = cut(ImageAdapter(exif=False), file)
    assert (bare.media, bare.metadata) == (piece.media, {})


def test_tiles_cover_an_image_row_by_row(tmp_path: Path) -> None:
    content = encoded_image(photo(1000, 450), "JPEG", orientation=3)
    file = found(tmp_path / "a.jpg", content)
    whole, *tiles = cut(ImageAdapter(tiles=300, overlap=0.2), file)
    assert whole.media == {"image": Image(file.path, file.limits)}
    regions = [image.part for piece in tiles if isinstance(image := piece.media["image"], Image)]
    seen = np.zeros((450, 1000), int)
    for region in regions:
        assert isinstance(region, Region)
        assert (region.width, region.height) == (300, 300)
        seen[region.top : region.top + 300, region.left : region.left + 300] += 1
    assert seen.min() == 1
    lefts = sorted({r.left for r in regions if isinstance(r, Region)})
    tops = sorted({r.top for r in regions if isinstance(r, Region)})
    assert regions == [Region(left, top, 300, 300) for top in tops for left in lefts]
    assert (lefts[0], lefts[-1], tops[0], tops[-1]) == (0, 700, 0, 150)
    assert all(after - before <= 240 for before, after in itertools.pairwise(lefts))
    assert len(lefts) == 4  # and no more than it takes


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 300), st.floats(0, 0.9))
def test_tiles_of_any_size_cover_any_image(width: int, height: int, side: int, overlap: float) -> None:
    starts = {
        length: ImageAdapter(tiles=side, overlap=overlap)._starts(length, side)  # pyright: ignore[reportPrivateUsage]
        for length in (width, height)
    }
    for length, begins in starts.items():
        assert begins[0] == 0
        assert begins[-1] == max(0, length - side)
        assert begins == sorted(set(begins))
        assert all(b - a <= max(1, side * (1 - overlap) + 1) for a, b in itertools.pairwise(begins))


def test_tiles_are_cut_upright_and_only_from_larger_images(tmp_path: Path) -> None:
    lying = found(tmp_path / "a.jpg", encoded_image(photo(400, 100), "JPEG", orientation=6))
    _, *tiles = cut(ImageAdapter(tiles=200, overlap=0), lying)
    assert [piece.media["image"] for piece in tiles] == [
        Image(lying.path, lying.limits, Region(0, 0, 100, 200)),
        Image(lying.path, lying.limits, Region(0, 200, 100, 200)),
    ]
    for piece in tiles:
        decode_image(next(image for image in piece.media.values() if isinstance(image, Image)))
    assert len(cut(ImageAdapter(tiles=400), lying)) == 1
    assert len(cut(ImageAdapter(tiles=399), lying)) == 3


def test_every_tile_knows_when_and_where(tmp_path: Path) -> None:
    pieces = cut(ImageAdapter(tiles=48), found(tmp_path / "a.jpg", WHOLE))
    assert len(pieces) > 2
    assert all(piece.metadata == pieces[0].metadata != {} for piece in pieces)


@pytest.mark.parametrize(
    ("name", "content", "taken"),
    [
        ("a.jpg", encoded_image(photo(), "PNG"), True),
        ("a", encoded_image(photo(), "GIF"), True),
        ("a.txt", encoded_image(photo(), "JPEG"), True),
        ("a.heic", mp4(b"heic"), True),
        ("a.JPG", noise(), True),
        ("a.png", b"<html>404", True),
        ("a.png", b"", True),
        ("a.txt", b"words", False),
        ("a", noise(), False),
        ("a.jpg", encoded_sound(tone()), False),
        ("a.jpg", mp4(b"isom"), False),
        ("a.wav", encoded_sound(tone()), False),
    ],
)
def test_bytes_decide_and_names_promise(name: str, content: bytes, taken: bool, tmp_path: Path) -> None:
    assert ImageAdapter().takes(found(tmp_path / name, content)) is taken


@pytest.mark.parametrize(
    ("content", "limits", "reason"),
    [
        (noise(), Limits(), "begins like no image that octant knows: it is damaged, or not what its name says"),
        (b"<html>404", Limits(), "web page"),
        (b"version https://git-lfs.github.com/spec/v1", Limits(), "git lfs pull"),
        (b"", Limits(), "is empty (0 bytes)"),
        (WHOLE, Limits(bytes=100), "more than the limit of 100"),
    ],
)
def test_a_promise_that_is_not_kept_is_reported(content: bytes, limits: Limits, reason: str, tmp_path: Path) -> None:
    file = found(tmp_path / "a.jpg", content, limits)
    with pytest.raises(MediaError) as caught:
        list(ImageAdapter().pieces(file, Budget()))
    assert caught.value.media == file.path
    assert reason in caught.value.reason


def test_an_image_that_cannot_be_opened_is_left_to_be_reported(tmp_path: Path) -> None:
    file = found(tmp_path / "a.png", encoded_image(photo(), "PNG")[:20])
    (piece,) = cut(ImageAdapter(tiles=10), file)
    image = piece.media["image"]
    with pytest.raises(MediaError):
        describe(image)


def test_options_are_checked_and_are_its_identity() -> None:
    adapters = [ImageAdapter(), ImageAdapter(exif=False), ImageAdapter(tiles=512), ImageAdapter(tiles=512, overlap=0)]
    assert len({adapter.identity for adapter in adapters}) == 4
    assert ImageAdapter().identity == ImageAdapter().identity
    with pytest.raises(ValueError, match="1 pixel or more"):
        ImageAdapter(tiles=0)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        ImageAdapter(overlap=1.0)


# --- HEIC and AVIF


def heic() -> bytes:
    """A phone's picture: HEIC that was held sideways, so that it is turned by its container and by its EXIF."""
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif[MAKE], exif[MODEL] = "Apple", "iPhone 15"
    exif.get_ifd(PIL.ExifTags.IFD.GPSInfo).update(BERN)
    file = io.BytesIO()
    pillow_heif.from_pillow(photo(192, 128)).save(file, quality=90, exif=exif.tobytes())
    return file.getvalue()


def test_heic_is_read_without_further_ado(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(heic())
    code = (
        "import sys; from pathlib import Path; from octant.media import Image, Region, decode_image, describe\n"
        "from octant.media.facts import exif_facts\n"
        "image = Image(Path(sys.argv[1]))\n"
        "described = describe(image)\n"
        "decoded = decode_image(image)\n"
        "print(described.mime, described.width, described.height, decoded.mode, decoded.size)\n"
        "print(*(max(range(3), key=decoded.getpixel(at).__getitem__) for at in ((32, 48), (96, 48), (32, 144))))\n"
        "print(decode_image(Image(Path(sys.argv[1]), part=Region(0, 0, 5, 9))).size, exif_facts(image)['camera'])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, path], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["image/heif 128 192 RGB (128, 192)", "2 0 0", "(5, 9) Apple iPhone 15"]


def without(monkeypatch: pytest.MonkeyPatch, kind: str, plugin: str) -> None:
    PIL.Image.init()
    monkeypatch.delitem(PIL.Image.OPEN, kind, raising=False)
    monkeypatch.setitem(sys.modules, plugin, None)


def refusal(decode: Callable[[], object]) -> str:
    with pytest.raises(MediaError) as caught:
        decode()
    return caught.value.reason


def test_without_the_plugin_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "HEIF", "pillow_heif")
    for decode in (decode_image, describe, exif_facts):
        reason = refusal(lambda decode=decode: decode(Image(mp4(b"heic"))))
        assert reason.startswith("is HEIF, which this Pillow cannot decode; pip install 'octant-search[heif]'")


def test_damaged_heic_is_reported() -> None:
    content = heic()
    assert "again" in refusal(lambda: decode_image(Image(content[: len(content) // 2])))
    assert "again" in refusal(lambda: decode_image(Image(mp4(b"heic"))))
    assert "more than the limit" in refusal(lambda: decode_image(Image(content, Limits(pixels=100))))


def test_a_pillow_without_avif_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "AVIF", "pillow_avif")

    def nothing(feature: str) -> bool:
        return False

    monkeypatch.setattr("PIL.features.check", nothing)
    assert "pillow-avif-plugin" in refusal(lambda: decode_image(Image(mp4(b"avif"))))
