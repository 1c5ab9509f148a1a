"""An encoder that remembers: it encodes what is new, once, and gives what the bare encoder would."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import numpy as np
import pytest

from octant.cache import VectorCache
from octant.cached import Cached
from octant.encoding import EncoderSpec, Role
from octant.errors import MediaError
from octant.media import Audio, Media, Modality, Text
from octant.space import Space
from octant.vectors import Array, Kind, Sparse, Vector, stack

QUERY, DOCUMENT = Role.QUERY, Role.DOCUMENT


class Counting:
    """Texts as their length and role; it notes what it was asked for."""

    def __init__(self, identity: str = "counting@1") -> None:
        self.spec = EncoderSpec(identity, Modality.TEXT, 2)
        self.asked: list[list[str]] = []
        self._lock = Lock()

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        with self._lock:
            self.asked.append([text.content for text in batch])
        return [np.array([len(text.content), role is QUERY], np.float32) for text in batch]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


class Words(Counting):
    """Texts as sparse vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = EncoderSpec("words@1", Modality.TEXT, None, Kind.SPARSE)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        super().encode(batch, role)
        return [Sparse((len(text.content),), (1.0,)) for text in batch]


class Loud:
    """Sounds as their number of samples; what is not a path that is there is refused."""

    def __init__(self) -> None:
        self.spec = EncoderSpec("loud@1", Modality.AUDIO, 1)
        self.asked = 0

    def encode(self, batch: Sequence[Audio], role: Role) -> list[Vector]:
        self.asked += len(batch)
        errors = [MediaError(one, "is bad") for one in batch if not isinstance(one.source, np.ndarray)]
        if errors:
            raise ExceptionGroup("bad", errors)
        sources: list[Any] = [one.source for one in batch]
        return [np.array([len(source)], np.float32) for source in sources]


def encode(encoder: Cached[Text], *contents: str, role: Role = DOCUMENT) -> Array:
    return stack(encoder.encode([Text(content) for content in contents], role))


def test_only_what_is_new_is_encoded_and_once() -> None:
    inner = Counting()
    cached = Cached(inner)
    np.testing.assert_array_equal(encode(cached, "a", "bb", "a"), [[1, 0], [2, 0], [1, 0]])
    np.testing.assert_array_equal(encode(cached, "ccc", "bb", "a", "dddd"), [[3, 0], [2, 0], [1, 0], [4, 0]])
    np.testing.assert_array_equal(encode(cached, "a", "dddd"), [[1, 0], [4, 0]])
    assert inner.asked == [["a", "bb"], ["ccc", "dddd"]]


def test_roles_are_kept_apart(tmp_path: Path) -> None:
    for cache in (None, VectorCache(tmp_path / "vectors")):
        inner = Counting()
        cached = Cached(inner, cache)
        for _ in range(2):
            np.testing.assert_array_equal(encode(cached, "a", role=QUERY), [[1, 1]])
            np.testing.assert_array_equal(encode(cached, "a", role=DOCUMENT), [[1, 0]])
        assert inner.asked == [["a"], ["a"]]


def test_the_oldest_is_forgotten_first() -> None:
    inner = Counting()
    cached = Cached(inner, size=2)
    encode(cached, "a", "b")
    encode(cached, "a")  # is now the newest
    encode(cached, "c")
    encode(cached, "a", "c")
    assert inner.asked == [["a", "b"], ["c"]]
    encode(cached, "b")
    assert inner.asked[2:] == [["b"]]


def test_more_than_is_kept_is_still_answered() -> None:
    inner = Counting()
    for size in (0, 1):
        found = encode(Cached(inner, size=size), "a", "bb", "ccc")
        np.testing.assert_array_equal(found, [[1, 0], [2, 0], [3, 0]])
    with pytest.raises(ValueError, match="must not be below 0"):
        Cached(inner, size=-1)


def test_the_disk_is_asked_for_what_memory_has_not(tmp_path: Path) -> None:
    first = Counting()
    encode(Cached(first, VectorCache(tmp_path / "vectors")), "a", "bb")
    later = Counting()
    cached = Cached(later, VectorCache(tmp_path / "vectors"))
    np.testing.assert_array_equal(encode(cached, "bb", "ccc", "a"), [[2, 0], [3, 0], [1, 0]])
    assert later.asked == [["ccc"]]
    (tmp_path / "vectors").unlink()
    cached = Cached(later, VectorCache(tmp_path / "vectors"), size=0)
    encode(cached, "zz")
    encode(cached, "zz")
    assert later.asked[1:] == [["zz"]]


def test_another_model_never_meets_its_vectors(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "vectors")
    encode(Cached(Counting("one@1"), cache), "a")
    other = Counting("one@2")
    encode(Cached(other, cache), "a")
    assert other.asked == [["a"]]


def test_documents_are_shared_with_collections_of_the_same_cache(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "vectors")
    cache.put("counting@1", {fingerprint_of("a"): np.array([7, 7], np.float32)})
    inner = Counting()
    np.testing.assert_array_equal(encode(Cached(inner, cache), "a"), [[7, 7]])
    assert inner.asked == []


def fingerprint_of(content: str) -> str:
    from octant.media import fingerprint

    return fingerprint(Text(content))


def test_sparse_vectors(tmp_path: Path) -> None:
    inner = Words()
    for _ in range(2):
        cached: Cached[Text] = Cached(inner, VectorCache(tmp_path / "vectors"))
        assert cached.encode([Text("abc")], DOCUMENT) == [Sparse((3,), (1.0,))]
        assert cached.encode([Text("abc")], DOCUMENT) == [Sparse((3,), (1.0,))]
    assert inner.asked == [["abc"]]


def test_what_a_caller_does_to_a_vector_is_its_own() -> None:
    cached = Cached(Counting())
    for _ in range(3):
        found = cached.encode([Text("abc"), Text("abc")], DOCUMENT)
        np.testing.assert_array_equal(stack(found), [[3, 0], [3, 0]])
        assert isinstance(found[0], np.ndarray)
        found[0][:] = 0
    np.testing.assert_array_equal(encode(cached, "abc"), [[3, 0]])


def test_what_cannot_be_read_is_refused_one_by_one(tmp_path: Path) -> None:
    inner = Loud()
    cached: Cached[Audio] = Cached(inner)
    good = [Audio(np.zeros(count, np.float32), rate=8000) for count in (2, 3)]
    bad: list[Media] = [Audio(tmp_path / "nowhere.wav"), Audio(b"no sound")]
    bad += [Audio(bytes(b"no " + b"sound"))]  # equal to another, and to be left out as well
    batch = [good[0], Audio(tmp_path / "nowhere.wav"), Audio(b"no sound"), good[1], Audio(b"no sound")]
    with pytest.raises(ExceptionGroup) as group:
        cached.encode(batch, DOCUMENT)
    assert [error.media for error in group.value.exceptions if isinstance(error, MediaError)] == bad
    np.testing.assert_array_equal(stack(cached.encode(good, DOCUMENT)), [[2], [3]])
    asked = inner.asked
    cached.encode(good, DOCUMENT)
    assert inner.asked == asked


def test_threads_share_it() -> None:
    inner = Counting()
    cached = Cached(inner, size=50)
    together = Barrier(4)

    def work(seed: int) -> bool:
        together.wait()
        chance = np.random.default_rng(seed)
        for _ in range(200):
            contents = ["x" * int(count) for count in chance.integers(0, 80, 5)]
            if not np.array_equal(encode(cached, *contents)[:, 0], [len(one) for one in contents]):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [True] * 4


def test_it_is_an_encoder_of_a_space() -> None:
    inner = Counting()
    space = Space("texts", Cached(inner))
    assert space.identity(Modality.TEXT) == "counting@1"
    spans = space.token_spans(Modality.TEXT)
    assert spans is not None
    assert spans("abc") == [(0, 3)]
    assert Cached(Loud()).token_spans is None
    assert Cached(inner).encode([], QUERY) == []
