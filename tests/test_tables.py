"""Tables: a row becomes an item, is left out, or is reported by its number and its column; the others go on."""

import base64
import csv
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_media import encoded_image, encoded_sound, photo, tone

from octant.adapters.tables import Table
from octant.errors import ItemError, MediaError, MissingExtra
from octant.item import Item, Origin, Skipped
from octant.media import Audio, Image, Limits, Text, decode_audio, decode_image

posix = pytest.mark.skipif(os.name != "posix", reason="links are POSIX's")


@dataclass
class Found:
    items: list[Item] = field(default_factory=list[Item])
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    rows: dict[str, str] = field(default_factory=dict[str, str])
    """Reasons of ItemErrors, by what follows the table's name; several of the table itself are joined."""
    broken: list[MediaError] = field(default_factory=list[MediaError])

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.items]


def read(table: Table) -> Found:
    found = Found()
    for one in table.items():
        match one:
            case Item():
                assert one.origin is not None
                assert one.origin.source.startswith(table.scope)
                found.items.append(one)
            case Skipped():
                found.skipped.append(one)
            case ItemError():
                key = one.item_id.removeprefix(table.scope[:-1])
                found.rows[key] = "\n".join(filter(None, (found.rows.get(key), one.reason)))
            case MediaError():
                found.broken.append(one)
    return found


def rows(*given: Any, **options: Any) -> Found:
    options = {"id": "id", "text": ("title",), "name": "shop", **options}
    return read(Table(list(given), **options))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_row_becomes_an_item(tmp_path: Path) -> None:
    picture = tmp_path / "photos" / "a.png"
    picture.parent.mkdir()
    picture.write_bytes(encoded_image(photo(), "PNG"))
    path = written(tmp_path / "shop.csv", "sku,title,photo,price,note\nA-1,A red chair,photos/a.png,10,\n")
    table = Table(path, id="sku", text=("title",), image=("photo",))
    (item,) = read(table).items
    uri = path.resolve().as_uri()
    assert table.scope == f"{uri}#"
    assert item == Item(
        "A-1",
        {"title": Text("A red chair"), "photo": Image(picture.resolve())},
        {"sku": "A-1", "price": "10"},
        Origin(f"{uri}#A-1"),
    )


def test_metadata_is_what_is_named(tmp_path: Path) -> None:
    given = {"id": 1, "title": "x", "a": 1, "b": 2, "c": None}
    assert rows(given).items[0].metadata == {"id": 1, "a": 1, "b": 2}
    assert rows(given, metadata=("a", "c")).items[0].metadata == {"a": 1}
    assert rows(given, metadata=()).items[0].metadata == {}
    assert rows(given, metadata=("title",)).items[0].metadata == {"title": "x"}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), [1, 2]),
        (Decimal("1.5"), 1.5),
        ((1, {"x": math.nan}), [1, {"x": None}]),
        (date(2026, 1, 2), date(2026, 1, 2)),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        (True, True),
    ],
)
def test_metadata_is_made_plain(value: object, plain: object) -> None:
    metadata = rows({"id": 1, "title": "x", "m": value}).items[0].metadata
    assert metadata["m"] == plain
    assert type(metadata["m"]) is type(plain)


@pytest.mark.parametrize("value", [None, math.nan, np.float64("nan"), np.datetime64("NaT"), Decimal("nan")])
def test_what_is_missing_is_left_out(value: object) -> None:
    (item,) = rows({"id": 1, "title": "x", "m": value, "photo": value}, image=("photo",)).items
    assert set(item.metadata) == {"id"}
    assert set(item.media) == {"title"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"bytes", "holds a bytes"),
        (math.inf, "is inf"),
        (2**63, "beyond 64 bits"),
        (object(), "holds an object"),
        ("\ud800", "lone surrogate"),
        ("x" * 101, "more than the limit of 100"),
    ],
)
def test_metadata_that_cannot_be_plain_names_row_and_column(value: object, reason: str) -> None:
    good = {"id": "b", "title": "y"}
    found = rows({"id": "a", "title": "x", "m": value}, good, limits=Limits(characters=100))
    assert found.rows["#a"].startswith("row 1, column 'm' ")
    assert reason in found.rows["#a"]
    assert found.ids == ["b"]


def test_metadata_that_nests_without_end_is_one_bad_row() -> None:
    deep: list[Any] = []
    deep.append(deep)
    found = rows({"id": 1, "title": "x", "m": deep}, {"id": 2, "title": "x"})
    assert "levels deep" in found.rows["#1"]
    assert found.ids == ["2"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("", "is empty"), (" ", "is empty"), (None, "is empty"), (1.5, "a float"), (True, "a bool"), ([1], "a list")],
)
def test_a_row_without_a_proper_id_is_reported_by_its_number(value: object, reason: str) -> None:
    found = rows({"id": "a", "title": "x"}, {"id": value, "title": "y"}, {"id": 7, "title": "z"})
    assert found.ids == ["a", "7"]
    assert found.rows[""].startswith("row 2, column 'id' ")  # the error is about the table: which row it was is unknown
    assert reason in found.rows[""]


def test_of_two_rows_of_one_id_the_first_is_kept() -> None:
    found = rows({"id": "1", "title": "first"}, {"id": 1, "title": "second"})
    assert [item.media for item in found.items] == [{"title": Text("first")}]
    assert found.rows["#1"].startswith("row 2, column 'id' is '1', which an earlier row has")


def test_what_is_no_row_is_reported() -> None:
    found = rows("a text", {"id": 1, "title": "x"})
    assert found.rows[""].startswith("row 1 is a str, not a mapping")
    assert found.ids == ["1"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(3, "an int, not a text"), (["a"], "a list, not a text"), ("a\0b", "NUL"), ("x" * 101, "limit of 100")],
)
def test_a_text_that_is_none(value: object, reason: str) -> None:
    found = rows({"id": 1, "title": value}, {"id": 2, "title": "x"}, limits=Limits(characters=100))
    assert found.rows["#1"].startswith("row 1, column 'title' ")
    assert reason in found.rows["#1"]
    assert found.ids == ["2"]


def test_a_row_with_nothing_to_search_is_left_out() -> None:
    found = rows({"id": 1, "title": " "}, {"id": 2, "title": None}, {"id": 3, "title": "x"})
    assert found.ids == ["3"]
    assert [(one.source, one.reason) for one in found.skipped] == [
        ("shop#1", "row 1 has nothing to search: 'title' is empty"),
        ("shop#2", "row 2 has nothing to search: 'title' is empty"),
    ]


# columns


def test_a_missing_column_is_told_once_and_up_front(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id,title\n1,x\n2,y\n")
    found = read(Table(path, id="id", text=("titel",)))
    (error,) = found.broken
    assert error.media == path
    assert error.reason == "has no column 'titel'; its columns are 'id', 'title'"
    assert (found.items, found.rows) == ([], {})


def test_a_column_that_no_first_row_has_is_missing(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"id": i, "title": "x"}) + "\n" for i in range(100))
    path = written(tmp_path / "t.jsonl", lines)
    (error,) = read(Table(path, id="id", text=("titel",))).broken
    assert "has no column 'titel'; its columns are 'id', 'title'" in error.reason


def test_rows_may_lack_what_others_have() -> None:
    found = rows({"id": 1, "body": "x"}, {"id": 2, "title": "y"}, text=("title", "body"))
    assert [set(item.media) for item in found.items] == [{"body"}, {"title"}]


def test_an_iterable_is_read_lazily() -> None:
    given: list[int] = []

    def endless() -> Iterator[dict[str, Any]]:
        while True:
            given.append(len(given))
            yield {"id": len(given), "title": "x"}

    items = Table(endless(), id="id", text=("title",), name="stream").items()
    assert not given
    next(items)
    assert len(given) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "title"}, "text takes a tuple of columns"),
        ({"text": ()}, "needs a column to search"),
        ({"image": ("title",)}, "named twice"),
        ({"name": None}, "need a name"),
        ({"name": "a#b"}, "without '#'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        rows({"id": 1, "title": "x"}, **options)


@pytest.mark.parametrize("source", ["shop.csv", b"", {"train": []}, 3])
def test_a_source_that_is_none_is_refused(source: Any) -> None:
    with pytest.raises(TypeError, match="a table is"):
        Table(source, id="id", text=("title",), name="x")


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no table that octant reads; give a \.csv"):
        Table(Path("t.xlsx"), id="id", text=("title",))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"])
def test_a_file_that_is_missing_or_empty_is_one_error(tmp_path: Path, suffix: str) -> None:
    table = Table(tmp_path / f"t{suffix}", id="id", text=("title",))
    found = read(table)
    assert table.scope == f"{(tmp_path / f't{suffix}').resolve().as_uri()}#"
    assert "does not exist" in found.broken[0].reason
    (tmp_path / f"t{suffix}").touch()
    if suffix not in (".jsonl", ".ndjson"):  # where no line is no row
        assert "empty" in read(table).broken[0].reason


# CSV


def csv_file(tmp_path: Path, content: str | bytes, suffix: str = ".csv", **options: Any) -> Found:
    path = written(tmp_path / f"t{suffix}", content)
    return read(Table(path, id="id", text=("title",), **options))


def test_csv_by_excel_and_with_line_breaks(tmp_path: Path) -> None:
    found = csv_file(tmp_path, b'\xef\xbb\xbfid,title\r\n1,"two\r\nlines, ""quoted"""\r\n\r\n2,K\xc3\xa4se\r\n')
    assert [item.media["title"] for item in found.items] == [Text('two\r\nlines, "quoted"'), Text("Käse")]


def test_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    assert csv_file(tmp_path, "id\ttitle\n1\ta, b\n", ".tsv").items[0].media == {"title": Text("a, b")}


def test_csv_rows_that_are_malformed_are_reported_by_line(tmp_path: Path) -> None:
    content = b'id,title\n1,"a\nb"\n2,x,y\n3\n4,"a" b\n5,\xff\n6,good\n'
    found = csv_file(tmp_path, content)
    assert found.ids == ["1", "6"]
    reasons = found.rows[""].split("\n")
    assert [reason.split(")")[0] + ")" for reason in reasons] == [
        "row 2 (line 4)",
        "row 3 (line 5)",
        "row 4 (line 6)",
        "row 5 (line 7)",
    ]
    for reason, words in zip(reasons, ["3 cells", "1 cells", "malformed", "not UTF-8 (byte 0xFF"], strict=True):
        assert words in reason


def test_a_quote_that_never_closes_is_reported(tmp_path: Path) -> None:
    found = csv_file(tmp_path, 'id,title\n1,x\n2,"open\n3,y\n')
    assert found.ids == ["1"]
    assert "row 2 (line 3) is malformed up to line 4" in found.rows[""]


def test_csv_cells_may_be_long_and_the_limit_of_the_process_is_left_alone(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    content = f"id,title\n1,{'x' * 200_000}\n2,{'y' * 300_001}\n3,z\n"
    found = csv_file(tmp_path, content, limits=Limits(bytes=1000, characters=300_000))
    assert found.ids == ["1", "3"]
    assert "field larger than field limit" in found.rows[""]
    assert csv.field_size_limit() == before


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    limits = Limits(bytes=1000, characters=1000)
    content = f"id,title\n1,{'x' * 1_000_000}\n2,z\n"
    found = csv_file(tmp_path, content, limits=limits)
    assert found.ids == ["2"]
    assert "row 1 (line 2) is longer than 4,000 bytes" in found.rows[""]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("id;title\n1;x\n", "separated by ';'"),
        ("id,title,title\n", "two columns named 'title'"),
        ("", "is empty"),
        ("id,title\n1,x\n".encode("utf-16"), "UTF-16"),
        (b"id,t\xfftle\n", "has a header, line 1, that is not UTF-8"),
        (",id,title\n0,1,x\n", "column ''"),
        ("id,title,a.b\n1,x,y\n", "column 'a.b'"),
    ],
)
def test_csv_that_is_none(tmp_path: Path, content: str | bytes, reason: str) -> None:
    found = csv_file(tmp_path, content)
    assert reason in found.broken[0].reason
    assert found.items == []


def test_columns_that_no_filter_could_name_may_stand_aside(tmp_path: Path) -> None:
    found = csv_file(tmp_path, ",id,title\n0,1,x\n", metadata=("id",))
    assert found.items[0].metadata == {"id": "1"}


# JSON lines


def test_a_broken_line_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    deep = "[" * 100_000
    lines = [b'{"id": 1, "title": "x"}', b"{broken", b"", b"[1]", b"\xff", deep.encode(), b'{"id": 2, "title": "y"}']
    path = written(tmp_path / "t.jsonl", b"\n".join(lines))
    found = read(Table(path, id="id", text=("title",)))
    assert found.ids == ["1", "2"]
    reasons = found.rows[""].split("\n")
    assert [reason[: reason.index(")") + 1] for reason in reasons] == [
        "row 2 (line 2)",
        "row 3 (line 4)",
        "row 4 (line 5)",
        "row 5 (line 6)",
    ]
    assert "is not JSON" in reasons[0]
    assert "not a mapping" in reasons[1]
    assert "not UTF-8" in reasons[2]


def test_json_keeps_kinds(tmp_path: Path) -> None:
    path = written(tmp_path / "t.ndjson", '{"id": "a", "title": "x", "n": 1, "l": ["y"], "none": null, "nan": NaN}')
    assert read(Table(path, id="id", text=("title",))).items[0].metadata == {"id": "a", "n": 1, "l": ["y"]}


# Parquet


def parquet_file(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pa = pytest.importorskip("pyarrow")
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table(columns), path, **options)
    return path


def test_parquet(tmp_path: Path) -> None:
    blob = encoded_image(photo(), "PNG")
    path = parquet_file(
        tmp_path / "t.parquet",
        {
            "id": list(range(200)),
            "title": [f"title {i}" for i in range(200)],
            "photo": [{"bytes": blob, "path": "a.png"}] * 200,
            "price": [1.5] * 199 + [None],
        },
        row_group_size=70,
    )
    found = read(Table(path, id="id", text=("title",), image=("photo",)))
    assert found.ids == [str(i) for i in range(200)]
    assert found.items[7].media == {"title": Text("title 7"), "photo": Image(blob)}
    assert found.items[7].metadata == {"id": 7, "price": 1.5}
    assert found.items[199].metadata == {"id": 199}


def test_a_value_that_python_has_not_loses_its_row_alone(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    times = pa.array([0, 2**62, 0], pa.timestamp("ms"))
    path = parquet_file(tmp_path / "t.parquet", {"id": ["a", "b", "c"], "title": ["x"] * 3, "at": times})
    found = read(Table(path, id="id", text=("title",)))
    assert found.ids == ["a", "c"]
    assert "row 2 has a value in column 'at'" in found.rows[""]
    assert read(Table(path, id="id", text=("title",), metadata=())).ids == ["a", "b", "c"]  # it is not even read


@pytest.mark.parametrize("content", [b"PAR1", b"no parquet at all", b"PAR1" + bytes(100) + b"PAR1"])
def test_parquet_that_is_none(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("pyarrow")
    path = written(tmp_path / "t.parquet", content)
    (error,) = read(Table(path, id="id", text=("title",))).broken
    assert error.media == path
    assert "no Parquet file" in error.reason


def test_parquet_that_is_damaged_keeps_what_came_before(tmp_path: Path) -> None:
    columns = {"id": [f"{i:030}" for i in range(2000)], "title": [f"{i * 7919 % 1000:0500}" for i in range(2000)]}
    path = parquet_file(tmp_path / "t.parquet", columns, row_group_size=500, compression="snappy")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 5000] = os.urandom(5000)
    path.write_bytes(data)
    found = read(Table(path, id="id", text=("title",)))
    assert len(found.broken) == 1
    assert 500 <= len(found.items) < 2000


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "t.parquet", b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[tables\]"):
        read(Table(path, id="id", text=("title",)))


# media in cells


def image_cell(value: object, **options: Any) -> Found:
    return rows({"id": 1, "photo": value}, {"id": 2, "photo": b"\x89PNG"}, text=(), image=("photo",), **options)


def test_images_come_as_datasets_and_people_have_them() -> None:
    blob = encoded_image(photo(), "PNG")
    url = f"data:image/png;base64,{base64.b64encode(blob).decode()}"
    pixels = np.zeros((8, 8, 3), np.uint8)
    picture = photo()
    for value, source in [
        (blob, blob),
        (bytearray(blob), blob),
        (memoryview(blob), blob),
        ({"bytes": blob, "path": "../a.png"}, blob),  # the path is not needed
        (url, blob),
        (picture, picture),
        (pixels, pixels),
    ]:
        found = image_cell(value)
        assert found.ids == ["1", "2"]
        medium = found.items[0].media["photo"]
        assert isinstance(medium, Image)
        assert medium == Image(source)
        decode_image(medium)


def test_sounds_come_as_datasets_and_people_have_them() -> None:
    class Decoder:
        def get_all_samples(self) -> Any:
            class Samples:
                sample_rate = 16_000

                class data:  # noqa: N801
                    @staticmethod
                    def numpy() -> Any:
                        return np.stack([tone(), tone()])

            return Samples

    blob = encoded_sound(tone())
    samples = tone()
    url = f"data:audio/wav;base64,{base64.b64encode(blob).decode()}"
    for value in [
        blob,
        url,
        (samples, 16_000),
        {"array": samples, "sampling_rate": 16_000, "path": "x.wav"},
        {"array": samples.tolist(), "sampling_rate": np.int64(16_000)},
        {"bytes": blob, "path": None},
        Decoder(),
    ]:
        (item,) = rows({"id": 1, "sound": value}, text=(), audio=("sound",)).items
        medium = item.media["sound"]
        assert isinstance(medium, Audio)
        assert np.allclose(decode_audio(medium, 16_000), samples, atol=1e-3)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (tone(), "does not say their rate"),
        ((tone(), 0), "must be positive"),
        ((tone(), None), "rate"),
        ({"array": ["x"], "sampling_rate": 8000}, "no samples"),
        (3, "an int, not a sound"),
        ("data:image/png;base64,AAAA", "holds image/png"),
    ],
)
def test_a_sound_that_is_none(value: object, reason: str) -> None:
    found = rows({"id": 1, "sound": value}, text=(), audio=("sound",))
    assert found.rows["#1"].startswith("row 1, column 'sound' ")
    assert reason in found.rows["#1"]


def test_a_decoder_that_fails_loses_its_row_alone() -> None:
    class Decoder:
        def get_all_samples(self) -> Any:
            raise RuntimeError("no such stream")

    found = rows({"id": 1, "sound": Decoder()}, {"id": 2, "sound": b"RIFF"}, text=(), audio=("sound",))
    assert "no such stream" in found.rows["#1"]
    assert found.ids == ["2"]


@pytest.mark.parametrize("value", [None, "", " ", b"", {"bytes": None, "path": None}])
def test_an_empty_cell_is_no_medium(value: object) -> None:
    found = rows({"id": 1, "title": "x", "photo": value}, image=("photo",))
    assert set(found.items[0].media) == {"title"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("/etc/passwd", "not below the table's root"),
        ("../secret.png", "not below the table's root"),
        ("photos/../../secret.png", "not below the table's root"),
        ("https://example.com/a.png", "a URL"),
        ("file:///etc/passwd", "a URL"),
        ("zip://a.png::x.zip", "a URL"),
        ("photos", "is no file"),
        ("gone.png", "does not exist"),
        ("a\0b", "no file can have"),
        ("x" * 5000, "name too long"),
        (3, "an int, not an image"),
        (b"\x89PNG" * 100, "more than the limit of 100"),
        ({"bytes": None, "path": "/etc/passwd"}, "lies outside"),
        ({"bytes": None, "path": "../secret.png"}, "not below"),
        ({"x": 1}, "one of 'bytes' and 'path'"),
        ("data:image/png;base64,!", "not proper base64"),
    ],
)
def test_an_image_that_is_none(tmp_path: Path, value: object, reason: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "root" / "photos").mkdir(parents=True)
    found = image_cell(value, root=tmp_path / "root", limits=Limits(bytes=100))
    assert found.rows["#1"].startswith("row 1, column 'photo' ")
    assert reason in found.rows["#1"]
    assert found.ids == ["2"]


@posix
def test_no_link_leads_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    root = tmp_path / "root"
    (root / "photos").mkdir(parents=True)
    (root / "photos" / "own.png").write_bytes(b"x")
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "up").symlink_to(tmp_path)
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "in.png").symlink_to(root / "photos" / "own.png")
    (tmp_path / "linked").symlink_to(root)
    for value, reason in [("out.png", "lies outside"), ("up/secret.png", "lies outside"), ("loop.png", "leads back")]:
        assert reason in image_cell(value, root=root).rows["#1"]
    (item, _) = image_cell("in.png", root=tmp_path / "linked").items
    assert item.media["photo"] == Image((root / "photos" / "own.png").resolve())


def test_paths_need_a_root() -> None:
    assert "write root=Path(...)" in image_cell("a.png").rows["#1"]


# Hugging Face datasets


def test_datasets_give_media_as_they_are_stored(tmp_path: Path) -> None:
    datasets: Any = pytest.importorskip("datasets")
    picture, sound = encoded_image(photo(), "PNG"), encoded_sound(tone())
    features = datasets.Features(
        {
            "key": datasets.Value("int64"),
            "caption": datasets.Value("string"),
            "image": datasets.Image(),
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "label": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )
    columns = {
        "key": [5, 6],
        "caption": ["a cat", None],
        "image": [{"bytes": picture, "path": None}, {"bytes": b"broken", "path": None}],
        "audio": [{"bytes": sound, "path": None}, None],
        "label": [0, 1],
    }
    dataset = datasets.Dataset.from_dict(columns, features=features).cast_column("audio", datasets.Audio())
    for source in (dataset, dataset.to_iterable_dataset()):
        table = Table(source, id="key", text=("caption",), image=("image",), audio=("audio",), name="pets")
        found = read(table)
        assert found.ids == ["5", "6"]
        assert found.items[0].media == {"caption": Text("a cat"), "image": Image(picture), "audio": Audio(sound)}
        assert found.items[1].media == {"image": Image(b"broken")}  # told where it is decoded, and it alone
        assert found.items[0].metadata == {"key": 5, "label": 0}
        assert found.items[0].origin == Origin("pets#5")
    with pytest.raises(TypeError, match="choose one of 'train'"):
        Table(datasets.DatasetDict(train=dataset), id="key", text=("caption",), name="pets")
    (error,) = read(Table(dataset, id="key", text=("title",), name="pets")).broken
    assert "has no column 'title'; its columns are 'key', 'caption'" in error.reason


def test_a_dataset_that_fails_midway_keeps_what_came_before() -> None:
    class Dataset:
        column_names = ("id", "title")
        features = None

        def __iter__(self) -> Iterator[dict[str, Any]]:
            yield {"id": 1, "title": "x"}
            raise ConnectionError("the hub is away")

    found = read(Table(Dataset(), id="id", text=("title",), name="far"))
    assert found.ids == ["1"]
    assert found.broken[0].media == "far"
    assert "stops before row 2" in found.broken[0].reason


def test_pandas_gives_its_rows() -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [1, 2], "title": ["x", None], "n": [1.0, math.nan], "at": [pandas.NaT, None]})
    with pytest.raises(TypeError, match=r"to_dict\('records'\)"):
        Table(frame, id="id", text=("title",), name="frame")
    found = rows(*frame.to_dict("records"))
    assert found.ids == ["1"]
    assert found.items[0].metadata == {"id": 1, "n": 1.0}
    assert len(found.skipped) == 1


def test_a_column_can_be_searched_and_filtered_by_where_it_is_named_in_both(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("sku,title,category,price\n1,oat drink,milk,3.10\n2,gala,apples,\n", "utf-8")
    table = Table(path, id="sku", text=("title", "category"), metadata=("category", "price"), numbers=("price",))
    first, second = [item for item in table.items() if isinstance(item, Item)]
    assert set(first.media) == {"title", "category"}
    assert first.metadata == {"category": "milk", "price": 3.1}
    assert second.metadata == {"category": "apples"}


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("sku,title,price\n1,oat drink,cheap\n2,gala,0.5\n", "utf-8")
    wrong, item = Table(path, id="sku", text=("title",), numbers=("price",)).items()
    assert isinstance(wrong, ItemError)
    assert "column 'price' holds 'cheap', not a number" in wrong.reason
    assert isinstance(item, Item)
    with pytest.raises(ValueError, match="metadata leaves out"):
        Table(path, id="sku", text=("title",), metadata=("title",), numbers=("price",))
