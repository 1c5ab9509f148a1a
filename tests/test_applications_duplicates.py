"""Near-duplicates: the same content, the same look, nearly the same vector; and which pairs are none."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from schemas import words_schema

import octant
from octant.applications.duplicates import Duplicates, Reason, near_duplicates
from octant.encoding import Role
from octant.item import Origin
from octant.media import Image, Media, Modality, Text
from octant.vectors import Vector


class Line:
    """A text of a number stands at that angle, in degrees."""

    spec = octant.EncoderSpec(identity="line@1", modality=Modality.TEXT, dim=2)

    def encode(self, batch: Sequence[Media], role: Role) -> list[Vector]:
        angles = np.radians([float(one.content) for one in batch if isinstance(one, Text)])
        return list(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))


@pytest.fixture
def angles(tmp_path: Path) -> Iterator[octant.Collection]:
    schema = octant.Schema(octant.Field("angle", octant.Space("angle", Line()), Modality.TEXT))
    with octant.open("angles", schema=schema, path=tmp_path / "db") as opened:
        yield opened


def said(angle: float, name: str | None = None, **metadata: object) -> octant.Item:
    return octant.Item(name or str(angle), {"text": Text(str(angle))}, metadata)


def ids(found: Duplicates) -> list[tuple[str, ...]]:
    return [group.ids for group in found]


def test_vectors_that_nearly_coincide_make_a_group_and_say_why(angles: octant.Collection) -> None:
    angles.add([said(0), said(2), said(4), said(60), said(61), said(120)])
    found = near_duplicates(angles, similar=0.999)  # about 2.6 degrees
    assert ids(found) == [("0", "2", "4"), ("60", "61")], "0 and 4 hang together by 2"
    first = found.groups[0].pairs[0]
    assert (first.one, first.other) == ("0", "2")
    assert first.reasons[0].value == pytest.approx(np.cos(np.radians(2)), abs=1e-4)
    assert found.looked_at == 6


def test_the_same_content_is_a_reason_of_its_own(angles: octant.Collection) -> None:
    angles.add([said(0, "a"), said(0, "b"), said(0, "c"), said(90, "d")])
    found = near_duplicates(angles, similar={})
    assert ids(found) == [("a", "b", "c")]
    assert {reason for pair in found.groups[0].pairs for reason in pair.reasons} == {Reason("content", "", 1.0)}
    assert len(found.groups[0].pairs) == 2, "each with the first alone, not every pair"


def test_only_what_where_matches_is_compared(angles: octant.Collection) -> None:
    angles.add([said(0, "a", shop=1), said(0, "b", shop=2), said(1, "c", shop=1)])
    assert ids(near_duplicates(angles, where={"shop": 1})) == [("a", "c")]
    assert ids(near_duplicates(angles, where={"shop": 2})) == []


def test_pieces_of_one_source_are_no_duplicates(angles: octant.Collection) -> None:
    pieces = [
        octant.Item(f"film#{part}", {"text": Text("10")}, origin=Origin("film", parts=2, part=part)) for part in (0, 1)
    ]
    angles.add([*pieces, said(50)])
    assert ids(near_duplicates(angles)) == []


def test_more_near_ones_than_are_asked_for_still_hang_together_and_it_is_said(angles: octant.Collection) -> None:
    angles.add([said(angle / 100) for angle in range(60)])
    found = near_duplicates(angles, similar=0.9999)
    assert [len(group.ids) for group in found] == [60]
    assert "60 items have 16 near ones or more" in found.notes[0]


def picture(seed: int, size: int = 64) -> PIL.Image.Image:
    rough = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return PIL.Image.fromarray(rough).resize((size, size), PIL.Image.Resampling.BICUBIC)


def test_pictures_that_look_alike_are_found_by_their_perceptual_hash(tmp_path: Path) -> None:
    with octant.open("photos", schema=words_schema(), path=tmp_path / "db") as photos:
        # the hashing encoder gives the same picture in another size a vector that has nothing to do with it
        items = [octant.Item(f"p{n}", {"photo": Image(picture(n))}) for n in range(20)]
        items.append(octant.Item("p3-large", {"photo": Image(picture(3).resize((200, 160)))}))
        items.append(octant.Item("p3-copy", {"photo": Image(picture(3))}))
        flat = PIL.Image.new("RGB", (50, 50), "white")
        items += [octant.Item(f"flat{n}", {"photo": Image(flat.resize((50 + n, 50)))}) for n in range(2)]
        photos.add(items)
        found = near_duplicates(photos)
    assert ids(found) == [("p3", "p3-copy", "p3-large")], "two white pictures have no look that they could share"
    measures = {reason.measure for pair in found.groups[0].pairs for reason in pair.reasons}
    assert measures == {"content", "look", "similarity"}
    shown = str(found)
    assert "photo: 0 of 64 bits of look differ" in shown
    assert "same content" in shown
    assert "2 of 24 items could go" in shown
    assert found.as_dict()["groups"][0]["ids"] == ("p3", "p3-copy", "p3-large")


def test_every_pair_of_hashes_within_the_bits_is_found() -> None:
    from octant.applications.duplicates import _near  # pyright: ignore[reportPrivateUsage]

    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**63, 50, dtype=np.uint64)
    flips = [
        np.bitwise_xor.reduce(np.uint64(1) << rng.choice(64, n, replace=False).astype(np.uint64)) for n in range(1, 9)
    ]
    hashes = np.unique(np.concatenate([base, *[base[:5] ^ flip for flip in flips]]))
    for bits in (0, 3, 6, 8):
        by_hand = {
            (i, j, differ)
            for i in range(len(hashes))
            for j in range(i + 1, len(hashes))
            if (differ := (int(hashes[i]) ^ int(hashes[j])).bit_count()) <= bits
        }
        assert set(_near(hashes, bits)) == by_hand
        assert bits == 0 or by_hand


async def test_it_is_the_same_awaited(tmp_path: Path) -> None:
    schema = octant.Schema(octant.Field("angle", octant.Space("angle", Line()), Modality.TEXT))
    async with await octant.open_async("angles", schema=schema, path=tmp_path / "db") as opened:
        await opened.add([said(0), said(1), said(90)])
        assert ids(await near_duplicates(opened)) == [("0", "1")]


def test_what_cannot_be_compared_is_refused_or_said(angles: octant.Collection, tmp_path: Path) -> None:
    with pytest.raises(octant.StoreError, match="no field 'look'"):
        near_duplicates(angles, similar={"look": 0.9})
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        near_duplicates(angles, similar=1.5)
    with pytest.raises(ValueError, match="bits is how many"):
        near_duplicates(angles, bits=40)
    with octant.open("words", schema=words_schema(), path=tmp_path / "other") as words:
        words.add([octant.Item("a", {"text": Text("one word")}), octant.Item("b", {"text": Text("one word")})])
        found = near_duplicates(words)
        assert ids(found) == [("a", "b")]
        assert found.notes == ("words: its vectors are not compared, as they have no similarity up to 1",)
        with pytest.raises(octant.StoreError, match="sparse vectors"):
            near_duplicates(words, similar={"words": 0.9})
