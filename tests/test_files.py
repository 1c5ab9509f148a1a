"""Files and folders: every file becomes an item, is left out, or is reported, and the walk goes on."""

import os
import socket
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bad_media import encoded_image, encoded_sound, make_bad_folder, photo, tone

from octant.adapters.files import FileReader, FoundFile, file_id, files_in
from octant.adapters.sources import installed
from octant.encoding import Budget
from octant.errors import MediaError
from octant.item import Item, Skipped
from octant.media import Audio, Image, Limits, Modality, Text, decode_audio, decode_image

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and such names are POSIX's")


@dataclass
class Found:
    items: list[Item] = field(default_factory=list[Item])
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def names(self) -> list[str]:
        return [item.metadata["name"] for item in self.items]


def walk(*paths: Path, limits: Limits | None = None) -> Found:
    found = Found()
    windows = {Modality.AUDIO: Budget(seconds=60)}
    walked = files_in(paths, FileReader(installed(), windows, limits or Limits()))
    for one in (one for file in walked for one in (file.items() if isinstance(file, FoundFile) else [file])):
        match one:
            case Item():
                found.items.append(one)
            case Skipped():
                found.skipped[Path(one.source).name] = one.reason
            case _:
                assert isinstance(one, MediaError)
                assert isinstance(one.media, Path)
                found.failed[one.media.name] = one.reason
    return found


def written(folder: Path, name: str, content: bytes | str = "a text") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_becomes_an_item_of_one_medium(tmp_path: Path) -> None:
    path = written(tmp_path, "notes/letter.txt", "Dear reader")
    os.utime(path, (0, 86_400))
    (item,) = walk(tmp_path).items
    assert item.id == path.resolve().as_uri()
    assert item.media == {"text": Text("Dear reader")}
    assert item.metadata == {
        "path": str(path),
        "name": "letter.txt",
        "folder": "notes",
        "root": str(tmp_path),
        "modified": "1970-01-02T00:00:00+00:00",
    }


def test_images_and_sounds_are_referred_to_and_not_read(tmp_path: Path) -> None:
    picture = written(tmp_path, "a.png", encoded_image(photo(), "PNG")[:40])
    sound = written(tmp_path, "b.wav", encoded_sound(tone()))
    limits = Limits(pixels=5)
    found = walk(tmp_path, limits=limits)
    assert [item.media for item in found.items] == [
        {"image": Image(picture, limits)},
        {"audio": Audio(sound, limits=limits)},
    ]


def test_a_relative_path_stays_valid_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "a.png", encoded_image(photo(), "PNG"))
    monkeypatch.chdir(tmp_path)
    (item,) = walk(Path()).items
    monkeypatch.chdir("/")
    image = item.media["image"]
    assert isinstance(image, Image)
    assert decode_image(image).size == (96, 64)
    assert (item.metadata["root"], item.id) == (str(tmp_path), file_id(tmp_path / "a.png"))


def test_folders_are_walked_in_sorted_order_without_hidden_names(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", "c.txt", "b/a/3.txt", ".git/x.txt", "b/.x.txt", "Z.txt"):
        written(tmp_path, name)
    assert walk(tmp_path).names == ["Z.txt", "a.txt", "1.txt", "2.txt", "3.txt", "c.txt"]
    assert walk(tmp_path / ".git", tmp_path / "b/.x.txt").names == ["x.txt", ".x.txt"]


def test_an_empty_folder_yields_nothing(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert walk(tmp_path) == Found()


def test_a_deep_folder_is_walked_to_its_end(tmp_path: Path) -> None:
    """Deeper than Python recurses."""
    folders = [tmp_path / "d"]
    folders += [folders[0] / "/".join("d" * n) for n in range(1, 1100)]
    for folder in folders:
        folder.mkdir()
    end = written(folders[-1], "end.txt")
    assert walk(tmp_path).names == ["end.txt"]
    end.unlink()
    for folder in reversed(folders):  # pytest could not
        folder.rmdir()


def test_the_bytes_of_images_and_sounds_overrule_their_names(tmp_path: Path) -> None:
    written(tmp_path, "1.jpg", encoded_sound(tone()))
    written(tmp_path, "2.wav", encoded_image(photo(), "PNG"))
    written(tmp_path, "3.txt", encoded_image(photo(), "PNG"))
    written(tmp_path, "4", encoded_image(photo(), "JPEG"))
    written(tmp_path, "5.dat", encoded_sound(tone(), kind="FLAC"))
    written(tmp_path, "6.txt", "BM or P1 2 is how a text may begin")
    assert ["".join(item.media) for item in walk(tmp_path).items] == [
        *("audio", "image", "image", "image", "audio", "text"),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"plain", "plain"),
        ("größer".encode(), "größer"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("größer".encode("utf-16"), "größer"),
        (b"\xfe\xff" + "größer".encode("utf-16-be"), "größer"),
        (b"a\r\nb", "a\r\nb"),
        (b"wheat " * 8334, "wheat " * 8334),
    ],
)
def test_unicode_texts_are_read(content: bytes, expected: str, tmp_path: Path) -> None:
    (item,) = walk(written(tmp_path, "a.md", content)).items
    assert item.media == {"text": Text(expected)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b" \n\t\r\n", "nothing but white space"),
        (b"\xef\xbb\xbf", "nothing but white space"),
        ("Käse".encode("latin-1"), "byte 0xE4 at offset 1); convert it: iconv"),
        (b"\xef\xbb\xbfK\xe4se", "byte 0xE4 at offset 4"),
        ("Käse".encode()[:2], "byte 0xC3 at offset 1"),
        (b"\xff\xfea", "is not UTF-16"),
        (b"a\0b", "has a NUL at character 1"),
        (b"a" * 101, "has 101 characters, more than the limit of 100; split it or pass limits=Limits(characters=...)"),
        (b"a" * 1001, "has 1,001 bytes, more than the limit of 1,000"),
    ],
)
def test_other_texts_are_reported(content: bytes, reason: str, tmp_path: Path) -> None:
    found = walk(written(tmp_path, "a.txt", content), limits=Limits(characters=100, bytes=1000))
    assert reason in found.failed["a.txt"]


@posix
def test_a_folder_that_contains_itself_ends(tmp_path: Path) -> None:
    written(tmp_path, "a/b/file.txt")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/b/self").symlink_to(tmp_path / "a/b/self")
    (tmp_path / "a/ping").symlink_to(tmp_path / "a/pong")
    (tmp_path / "a/pong").symlink_to(tmp_path / "a/ping")
    found = walk(tmp_path)
    assert found.names == ["file.txt"]
    assert set(found.skipped) == {"up"}
    assert set(found.failed) == {"self", "ping", "pong"}
    assert all("leads back to itself" in reason for reason in found.failed.values())


@posix
def test_linked_files_and_folders_are_read_once_and_by_their_own_name(tmp_path: Path) -> None:
    outside = written(tmp_path, "outside/far.txt")
    near = written(tmp_path, "root/z/near.txt")
    (tmp_path / "root/a.txt").symlink_to(near)
    (tmp_path / "root/b.txt").symlink_to(outside)
    (tmp_path / "root/c.txt").symlink_to(outside)
    (tmp_path / "root/d").symlink_to(tmp_path / "root/z")
    (tmp_path / "root/e.txt").symlink_to(tmp_path / "nowhere")
    found = walk(tmp_path / "root")
    assert found.names == ["near.txt", "b.txt"]
    assert [item.id for item in found.items] == [file_id(near), file_id(outside)]
    assert set(found.skipped) == {"a.txt", "c.txt", "d"}
    assert "a link to nothing" in found.failed["e.txt"]


def test_overlapping_roots_give_each_file_once(tmp_path: Path) -> None:
    path = written(tmp_path, "sub/a.txt")
    found = walk(path, tmp_path, tmp_path / "sub", tmp_path)
    assert found.names == ["a.txt"]
    assert set(found.skipped) == {"a.txt", "sub", tmp_path.name}


def test_what_does_not_exist_is_reported(tmp_path: Path) -> None:
    found = walk(tmp_path / "vanished.png", Path("~/music"), tmp_path)
    assert "does not exist" in found.failed["vanished.png"]
    assert "expanduser()" in found.failed["music"]
    with pytest.raises(MediaError, match="does not exist"):
        file_id(tmp_path / "vanished.png")


def test_what_vanishes_during_the_walk_is_reported(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c/d.txt", "e.txt"):
        written(tmp_path, name)
    walking = files_in([tmp_path], FileReader(installed(), {}))
    first = next(walking)
    assert isinstance(first, FoundFile)
    (tmp_path / "b.txt").unlink()
    (tmp_path / "c/d.txt").unlink()
    (tmp_path / "c").rmdir()
    rest = list(walking)
    assert [type(one) for one in rest] == [MediaError, MediaError, FoundFile]
    (tmp_path / "a.txt").unlink()
    [gone] = first.items()
    assert isinstance(gone, MediaError)
    assert "does not exist" in gone.reason


@posix
def test_pipes_sockets_and_devices_are_reported_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/socket.png")
        found = walk(tmp_path, Path(short), Path("/dev/zero"))
    assert "is a pipe" in found.failed["pipe.txt"]
    assert "is a socket" in found.failed["socket.png"]
    assert "is a device" in found.failed["zero"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_and_folders_are_reported(tmp_path: Path) -> None:
    written(tmp_path, "a.txt").chmod(0)
    written(tmp_path, "b/c.txt").parent.chmod(0)
    found = walk(tmp_path)
    (tmp_path / "b").chmod(0o700)
    assert set(found.failed) == {"a.txt", "b"}
    assert all("permission" in reason for reason in found.failed.values())


def test_refused_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for root, whom the system refuses nothing."""
    written(tmp_path, "a/b.txt")
    written(tmp_path, "c.txt")
    scan = os.scandir

    def refusing(path: Path) -> object:
        if path.name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = walk(tmp_path)
    assert found.names == ["c.txt"]
    assert "chmod +r" in found.failed["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have Unicode names only")
def test_names_that_no_payload_can_hold_are_reported(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/K\xe4se.txt", "w") as file:
        file.write("cheese")
    written(tmp_path, "Käse.txt")
    found, error = files_in([tmp_path], FileReader(installed(), {}))
    assert isinstance(found, FoundFile)
    assert isinstance(error, MediaError)
    assert error.media == os.fsencode(tmp_path) + b"/K\xe4se.txt"
    assert "rename it" in error.reason
    assert str(error).isascii()


def test_odd_times_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt")
    try:
        os.utime(path, (0, 10**12))
    except (OSError, OverflowError):
        pytest.skip("this file system holds no such time")
    (item,) = walk(tmp_path).items
    assert item.metadata.get("modified", "") < "3"


def test_a_folder_of_bad_files_loses_none_of_the_good_ones(tmp_path: Path) -> None:
    expected = make_bad_folder(tmp_path)
    found = walk(tmp_path)
    reasons = dict(found.failed)
    for item in found.items:
        (medium,) = item.media.values()
        try:
            if isinstance(medium, Image):
                decode_image(medium)
            if isinstance(medium, Audio):
                decode_audio(medium, 16_000)
        except MediaError as error:
            reasons[item.metadata["name"]] = error.reason
    stored = dict.fromkeys(found.names, "ok")
    assert stored | dict.fromkeys(found.skipped, "skipped") | dict.fromkeys(reasons, "reported") == expected
    for name, reason in reasons.items():
        assert "; " in reason or ": " in reason, f"{name}: no remedy in {reason!r}"
