"""Shards: what is in a tar archive is read in order, and nothing in it can do harm or vanish in silence."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bad_media import encoded_image, encoded_sound, photo, tone

from octant.adapters import shards
from octant.adapters.shards import Shards
from octant.errors import ItemError, MediaError
from octant.item import Item, Origin, Skipped
from octant.media import Audio, Image, Limits, Text

PICTURE = encoded_image(photo(), "PNG")
SOUND = encoded_sound(tone(0.1))


@dataclass
class Found:
    items: list[Item] = field(default_factory=list[Item])
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    samples: dict[str, str] = field(default_factory=dict[str, str])
    broken: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def keys(self) -> list[str]:
        return [item.id.partition("#")[2] for item in self.items]


def read(paths: Path | list[Path], **options: Any) -> Found:
    found = Found()
    for one in Shards(paths, **options).items():
        match one:
            case Item():
                found.items.append(one)
            case Skipped():
                found.skipped[one.source.partition("#")[2]] = one.reason
            case ItemError():
                found.samples[one.item_id.partition("#")[2]] = one.reason
            case MediaError():
                name = one.media.name if isinstance(one.media, Path) else str(one.media).partition("#")[2]
                found.broken[name] = one.reason
    return found


def packed(*members: tuple[str | tarfile.TarInfo, bytes], mtime: float = 1_700_000_000) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = int(mtime)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def shard(folder: Path, *members: tuple[str | tarfile.TarInfo, bytes], **options: Any) -> Path:
    path = folder / "s.tar"
    path.write_bytes(packed(*members, **options))
    return path


def odd(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_files_of_one_key_are_one_item(tmp_path: Path) -> None:
    path = shard(
        tmp_path,
        ("./a/b.PNG", PICTURE),
        ("./a/b.txt", "Käse".encode()),
        ("./a/b.json", b'{"stars": 5}'),
        ("./a/b.wav", SOUND),
        ("a/c.left.png", PICTURE),
        ("a/c.right.png", PICTURE + b"x"),
        ("a/c.cls", b"7"),
        ("a/c.meta.json", b"[1]"),
    )
    first, second = read(path).items
    uri = path.resolve().as_uri()
    assert first == Item(
        f"{uri}#a/b",
        {"image": Image(PICTURE), "text": Text("Käse"), "audio": Audio(SOUND)},
        {"stars": 5},
        Origin(f"{uri}#a/b", first.origin.stamp if first.origin else None),
    )
    assert second.media == {"left": Image(PICTURE), "right": Image(PICTURE + b"x"), "cls": Text("7")}
    assert second.metadata == {"meta": [1]}
    assert Shards(path).scope == f"{uri}#"
    assert first.id.startswith(f"{uri}#")


def test_the_stamp_tells_when_a_sample_changed(tmp_path: Path) -> None:
    def stamp(*members: tuple[str | tarfile.TarInfo, bytes], mtime: float = 1_700_000_000) -> str | None:
        (item,) = read(shard(tmp_path, *members, mtime=mtime)).items
        assert item.origin is not None
        return item.origin.stamp

    first = stamp(("a.txt", b"one"))
    assert first is not None
    assert stamp(("a.txt", b"one")) == first
    assert stamp(("a.txt", b"longer")) != first
    assert stamp(("a.txt", b"one"), mtime=1_700_000_001) != first
    assert stamp(("a.txt", b"one"), ("a.json", b"{}")) != first
    assert stamp(("a.txt", b"one"), mtime=0) is None  # a writer that wipes times says nothing about changes


def test_several_shards_have_no_scope_of_their_own(tmp_path: Path) -> None:
    one, two = tmp_path / "1.tar", tmp_path / "2.tar"
    one.write_bytes(packed(("a.txt", b"x")))
    two.write_bytes(packed(("a.txt", b"y")))
    assert [item.media["text"] for item in read([one, two]).items] == [Text("x"), Text("y")]
    assert Shards([one, two]).scope is None


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_shards_whatever_their_name(tmp_path: Path, compress: Any) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(compress(packed(("a.txt", b"x"), ("b.txt", b"y"))))
    assert read(path).keys == ["a", "b"]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads it")
def test_zstandard_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "s.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    assert "zstd -d s.tar.zst -o s.tar" in read(path).broken["s.tar.zst"]


def test_hostile_members_are_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    path = shard(
        tmp_path,
        ("a.txt", b"x"),
        ("/etc/passwd.txt", b"x"),
        ("../up.txt", b"x"),
        ("b/../../up.txt", b"x"),
        ("C:\\evil.txt", b"x"),
        (odd("link.txt", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (odd("hard.txt", tarfile.LNKTYPE, "a.txt"), b""),
        (odd("device.txt", tarfile.CHRTYPE), b""),
        (odd("pipe.txt", tarfile.FIFOTYPE), b""),
        (odd("folder", tarfile.DIRTYPE), b""),
        ("z.txt", b"y"),
    )
    found = read(path)
    assert found.keys == ["a", "z"]
    assert {name: reason.split(";")[0] for name, reason in found.broken.items()} == {
        "/etc/passwd.txt": "has an absolute name, which could be written anywhere",
        "../up.txt": "has a name that leads out of its folder (..)",
        "b/../../up.txt": "has a name that leads out of its folder (..)",
        "C:\\evil.txt": "has an absolute name, which could be written anywhere",
        "link.txt": "is a link",
        "hard.txt": "is a link",
        "device.txt": "is a device or a pipe",
        "pipe.txt": "is a device or a pipe",
    }
    assert sorted(one.name for one in tmp_path.iterdir()) == ["s.tar"]


def test_what_is_too_large_is_passed_over(tmp_path: Path) -> None:
    path = shard(
        tmp_path,
        ("a.txt", b"x"),
        ("b.png", bytes(3_000_000)),
        ("c.png", bytes(600)),
        ("c.wav", bytes(600)),
        ("d.txt", b"y"),
    )
    found = read(path, limits=Limits(bytes=1000))
    assert found.keys == ["a", "d"]
    assert "png has 3,000,000 bytes, more than the limit of 1,000" in found.samples["b"]
    assert "more than 1,000 bytes together" in found.samples["c"]


def test_a_cut_shard_keeps_what_came_before(tmp_path: Path) -> None:
    # each sample takes 1536 bytes: header, picture or text in whole blocks
    whole = packed(*[(f"{i:04}.txt", b"x" * 1000) for i in range(100)])
    path = tmp_path / "s.tar"
    for cut, kept in [(1536 * 50 + 700, 50), (1536 * 50 + 300, 49), (1536 * 50, 49), (1536 * 100, 99)]:
        path.write_bytes(whole[:cut])
        found = read(path)
        assert found.keys == [f"{i:04}" for i in range(kept)], cut
        assert "cut off or damaged" in found.broken["s.tar"]
        assert f"at sample '{kept:04}'" in found.broken["s.tar"]


def test_a_cut_compressed_shard_keeps_what_came_before(tmp_path: Path) -> None:
    import numpy as np

    noise = np.random.default_rng(0)
    members: list[tuple[str | tarfile.TarInfo, bytes]] = [(f"{i:04}.png", noise.bytes(10_000)) for i in range(50)]
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        data = compress(packed(*members))
        path = tmp_path / "s.tar"
        path.write_bytes(data[: len(data) // 2])
        found = read(path)
        assert 0 <= len(found.items) < 30
        assert "cut off or damaged" in found.broken["s.tar"], compress
    assert read(path).samples == {}


def test_a_damaged_header_is_no_silent_end(tmp_path: Path) -> None:
    data = bytearray(packed(("a.txt", b"x"), ("b.txt", b"y"), ("c.txt", b"z")))
    data[1024 + 150] ^= 0xFF  # in the checksum of the second
    path = tmp_path / "s.tar"
    path.write_bytes(data)
    assert "in a header" in read(path).broken["s.tar"]


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(100), PICTURE, b"\x1f\x8b", b"\x1f\x8b" + bytes(500)])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(content)
    found = read([path, shard(tmp_path / ".", ("a.txt", b"x")).rename(tmp_path / "t.tar")] if not content else path)
    assert list(found.broken) == ["s.tar"]


def test_a_broken_shard_does_not_end_the_others(tmp_path: Path) -> None:
    good = shard(tmp_path, ("a.txt", b"x"))
    found = read([tmp_path / "gone.tar", tmp_path, good])
    assert "does not exist" in found.broken["gone.tar"]
    assert "is a folder" in found.broken[tmp_path.name]
    assert found.keys == ["a"]


def test_an_empty_archive_holds_nothing(tmp_path: Path) -> None:
    found = read(shard(tmp_path))
    assert (found.items, found.broken) == ([], {})


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE])
def test_headers_that_swell_are_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("bomb")
    info.type = kind
    info.size = 64 << 20
    header = info.tobuf(tarfile.GNU_FORMAT)
    if kind == tarfile.GNUTYPE_SPARSE:  # says that more headers follow, and each of these says so too
        buffer = bytearray(header)
        buffer[482] = 1
        buffer[148:156] = b" " * 8
        buffer[148:155] = f"{sum(buffer):06o}".encode() + b"\0"
        block = bytearray(512)
        block[504] = 1
        data = bytes(buffer) + bytes(block) * ((64 << 20) // 512)
    else:
        data = header + b"20 path=aaaaaaaaaaaaa\n".ljust(64 << 20, b"1")
    path = tmp_path / "s.tar"
    path.write_bytes(gzip.compress(packed(("a.txt", b"x"), ("b.txt", b"x"))[:2048] + data, 1))
    taken: list[int] = []
    reading = shards._Metered.read  # pyright: ignore[reportPrivateUsage]

    def counted(self: Any, size: int) -> bytes:
        data = reading(self, size)
        taken.append(len(data))
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards._Metered, "read", counted)  # pyright: ignore[reportPrivateUsage]
        found = read(path)
    assert found.keys == ["a"]
    assert "headers of a member are larger" in found.broken["s.tar"]
    assert sum(taken) < 8 << 20


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("b.txt", b"x"), ("b.txt", b"y")], "has two members .txt"),
        ([("b.png", PICTURE), ("b.jpg", PICTURE)], "second medium 'image'"),
        ([("b.txt", b"\xff")], ".txt is not UTF-8"),
        ([("b.txt", b" ")], ".txt holds nothing but white space"),
        ([("b.txt", b"a\0b")], "NUL"),
        ([("b.txt", b"x"), ("b.json", b"{")], ".json is not JSON"),
        ([("b.txt", b"x"), ("b.json", b"[1]")], ".json is not a JSON object"),
        ([("b.txt", b"x"), ("b.json", b"[" * 100_000)], "nests too deeply"),
        ([("b.txt", b"x"), ("b.json", b"\xff")], ".json is not JSON"),
        ([("b.png", b"")], "png is empty"),
    ],
)
def test_a_bad_sample_is_reported_and_the_others_go_on(
    tmp_path: Path, members: list[tuple[str | tarfile.TarInfo, bytes]], reason: str
) -> None:
    found = read(shard(tmp_path, ("a.txt", b"x"), *members, ("c.txt", b"z")))
    assert found.keys == ["a", "c"]
    assert reason in found.samples["b"]


def test_a_key_in_two_places_is_reported(tmp_path: Path) -> None:
    found = read(shard(tmp_path, ("a.png", PICTURE), ("b.txt", b"y"), ("a.txt", b"x")))
    assert found.keys == ["a", "b"]
    assert "two places" in found.samples["a"]


def test_what_octant_does_not_read_is_told_once_for_each_kind(tmp_path: Path) -> None:
    members: list[tuple[str | tarfile.TarInfo, bytes]] = []
    for i in range(5):
        members += [(f"{i}.txt", b"x"), (f"{i}.npy", b"y"), (f"{i}.pickle", b"cos\nsystem\n.")]
    found = read(shard(tmp_path, *members, ("lone.pt", b"z"), ("README", b"?"), (".hidden.txt", b"?")))
    assert found.keys == [str(i) for i in range(5)]
    assert set(found.skipped) == {"0.npy", "0.pickle", "lone.pt", "lone", "README", ".hidden.txt"}
    assert found.skipped["lone"] == "has no text, image or sound"


@pytest.mark.parametrize("wrong", ["s.tar", ["s.tar"], 3, b"s.tar"])
def test_shards_are_paths(wrong: Any) -> None:
    with pytest.raises(TypeError, match="shards are a Path or a list of Paths"):
        Shards(wrong)
