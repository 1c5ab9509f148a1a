"""Batches of like length, windows of long media, and what every model on torch must be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from octant.backends.batches import Batches, cut, decoded
from octant.backends.windows import mean_of_windows, sound_windows, text_windows
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Text


def test_results_are_in_order_whatever_is_run_together() -> None:
    seen: list[list[str]] = []

    def run(words: Sequence[str]) -> list[str]:
        seen.append(list(words))
        return [word.upper() for word in words]

    words = ["aaa", "b", "cc", "dddd", "e"]
    assert Batches(run, size=2)(words, [len(word) for word in words]) == ["AAA", "B", "CC", "DDDD", "E"]
    assert [sorted(map(len, one)) for one in seen] == [[3, 4], [1, 2], [1]]
    assert Batches(run)([], []) == []


def costing(seconds: Callable[[int], float], monkeypatch: pytest.MonkeyPatch) -> Batches[int, int]:
    """A model of which a batch of so many takes so long, by a clock that only it moves."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def run(numbers: Sequence[int]) -> Sequence[int]:
        now[0] += seconds(len(numbers))
        return numbers

    return Batches(run)


def alike(n: int) -> float:
    """A batch costs the same, however large."""
    return 1.0


def in_proportion(n: int) -> float:
    """Nothing is won."""
    return 1.0 * n


def leaving_the_cache(n: int) -> float:
    """It grows beyond 16."""
    return n * (1.0 if n <= 16 else 3.0) + 4.0


@pytest.mark.parametrize(("seconds", "best"), [(alike, 64), (in_proportion, 8), (leaving_the_cache, 16)])
def test_the_batch_size_that_the_work_likes_is_found_and_kept(
    seconds: Callable[[int], float], best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = costing(seconds, monkeypatch)
    for _ in range(4):
        assert model(list(range(200)), [1] * 200) == list(range(200))
    assert model.size == best


def test_little_work_is_done_with_what_is_known_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    model = costing(alike, monkeypatch)
    for count in (1, 3, 7):
        assert model(list(range(count)), [1] * count) == list(range(count))
    assert model.size == 8


def watched(start: float, monkeypatch: pytest.MonkeyPatch) -> tuple[list[list[int]], Batches[int, int]]:
    """A model of which a pass costs so much beside its padded length, and the batches that it is given."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    ran: list[list[int]] = []

    def run(lengths: Sequence[int]) -> Sequence[int]:
        ran.append(list(lengths))
        now[0] += start + len(lengths) * max(lengths)
        return lengths

    return ran, Batches(run)


def settled(start: float, monkeypatch: pytest.MonkeyPatch) -> tuple[list[list[int]], Batches[int, int]]:
    ran, model = watched(start, monkeypatch)
    for _ in range(4):
        assert model([100] * 200, [100] * 200) == [100] * 200
    ran.clear()
    return ran, model


def test_a_batch_ends_where_more_would_be_padded_than_another_pass_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, model = settled(120, monkeypatch)
    assert model.size == 8
    ragged = [500, 3, 490, 20, 8, 12, 250, 7, 5, 260]
    assert model(ragged, ragged) == ragged
    assert ran == [[500, 490], [260, 250], [20, 12, 8, 7, 5, 3]]


def test_what_a_pass_costs_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, model = watched(2000, monkeypatch)
    for _ in range(4):
        model([5] * 200, [5] * 200)
    assert model.size == 64
    ran.clear()
    for short, sizes in ((210, [8]), (190, [4, 4])):  # of four, 490 or 510 each would be padded
        ran.clear()
        ragged = [700] * 4 + [short] * 4
        assert model(ragged, ragged) == ragged
        assert [len(one) for one in ran] == sizes


def test_lengths_that_fall_while_it_is_learnt_do_not_hide_what_a_pass_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, model = watched(5000, monkeypatch)
    falling = [500] * 16 + [10] * 24  # of three runs that are compared, the last ones are of short media
    model(falling, falling)
    ran.clear()
    ragged = list(range(499, 99, -2))
    model(ragged, ragged)
    assert [len(one) for one in ran] == [model.size] * (200 // model.size)


def test_batches_are_cut_where_there_is_too_little_work_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, model = watched(1500, monkeypatch)
    for _ in range(9):
        model([100] * 32, [100] * 32)  # as many as an ingest gives at once: 64 are never tried
    assert model.size == 32
    ran.clear()
    ragged = [500] * 8 + [10] * 24
    model(ragged, ragged)
    assert [len(one) for one in ran] == [8, 24]


def test_a_size_that_is_found_in_the_middle_of_a_call_holds_for_its_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, model = watched(120, monkeypatch)
    ragged = [500] * 40 + [490] * 5 + [3] * 5
    assert model(ragged, ragged) == ragged
    assert model.size == 8
    assert [len(one) for one in ran] == [8, 8, 16, 8, 5, 5]


def test_where_more_costs_no_more_batches_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    ran: list[int] = []

    def run(lengths: Sequence[int]) -> Sequence[int]:
        ran.append(len(lengths))
        now[0] += 1
        return lengths

    model = Batches(run)
    for _ in range(4):
        model([100] * 200, [100] * 200)
    ran.clear()
    model([*range(64)], [*range(64)])
    assert ran == [64]


def test_media_of_one_length_are_run_in_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, model = settled(120, monkeypatch)
    model([100] * 21, [100] * 21)
    assert [len(one) for one in ran] == [8, 8, 5]


def test_nothing_can_be_as_long_as_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = settled(120, monkeypatch)
    for lengths in ([0] * 20, [0, 300, 0, 2], [0]):
        assert model(lengths, lengths) == lengths


def test_who_gives_a_size_gets_batches_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, _ = watched(120, monkeypatch)

    def run(lengths: Sequence[int]) -> Sequence[int]:
        ran.append(list(lengths))
        return lengths

    model = Batches(run, size=4)
    for _ in range(9):
        model([500, 3, 490, 20, 8, 12, 250, 7, 5, 260], [500, 3, 490, 20, 8, 12, 250, 7, 5, 260])
    assert {tuple(map(len, ran[i : i + 3])) for i in range(0, len(ran), 3)} == {(4, 4, 2)}


def test_batches_cost_the_least_that_they_can() -> None:
    def cost(lengths: Sequence[int], sizes: Sequence[int], start: float) -> float:
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return sum(start + n * lengths[at] for at, n in zip(starts, sizes, strict=True))

    def all_cuts(left: int, size: int) -> Iterator[list[int]]:
        if not left:
            yield []
        for n in range(1, min(size, left) + 1):
            yield from ([n, *rest] for rest in all_cuts(left - n, size))

    random = np.random.default_rng(3)
    for _ in range(60):
        count, size = int(random.integers(1, 10)), int(random.integers(1, 6))
        lengths = sorted(random.integers(1, 500, count).tolist(), reverse=True)
        start = float(random.choice([0.0, 30.0, 300.0, 1e6]))
        sizes = cut(lengths, size, start)
        assert sum(sizes) == count
        assert max(sizes) <= size
        assert cost(lengths, sizes, start) == min(cost(lengths, one, start) for one in all_cuts(count, size))


def test_a_failing_batch_fails_the_call_and_not_the_next() -> None:
    def run(numbers: Sequence[int]) -> Sequence[int]:
        if 13 in numbers:
            raise RuntimeError("unlucky")
        return numbers

    model = Batches(run)
    with pytest.raises(RuntimeError, match="unlucky"):
        model([1, 13], [1, 1])
    assert model([1, 2], [1, 1]) == [1, 2]


def test_broken_media_are_all_told_at_once() -> None:
    def prepare(text: Text) -> str:
        if text.content.startswith("bad"):
            raise MediaError(text, "is bad")
        return text.content

    assert decoded(prepare, [Text("a"), Text("b")]) == ["a", "b"]
    assert decoded(prepare, [Text("a")]) == ["a"]
    for given in (["a", "bad 1", "b", "bad 2"], ["bad 1"]):
        with pytest.raises(ExceptionGroup) as raised:
            decoded(prepare, [Text(one) for one in given])
        told = [error.media for error in raised.value.exceptions if isinstance(error, MediaError)]
        assert told == [Text(one) for one in given if one.startswith("bad")]


# -- windows ----------------------------------------------------------------------------------------


def spans(text: str) -> list[tuple[int, int]]:
    """A token for each word."""
    found: list[tuple[int, int]] = []
    at = 0
    for word in text.split(" "):
        if word:
            found.append((at, at + len(word)))
        at += len(word) + 1
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100, None])
def test_windows_of_a_text_are_the_whole_text(limit: int | None) -> None:
    text = " ".join(f"word{i}" for i in range(23))
    found = list(text_windows(text, spans, limit))
    assert "".join(found) == text
    assert limit is None or all(len(spans(one.strip())) <= limit for one in found)
    assert limit not in (100, None) or found == [text]


def test_a_text_without_words_is_cut_all_the_same() -> None:
    each = "x" * 50
    found = list(text_windows(each, lambda text: [(i, i + 1) for i in range(len(text))], 8))
    assert "".join(found) == each
    assert max(map(len, found)) <= 8


def test_windows_of_a_sound_are_the_whole_sound() -> None:
    samples = np.arange(25, dtype=np.float32)
    found = sound_windows(samples, 10)
    assert [len(one) for one in found] == [9, 8, 8]
    np.testing.assert_array_equal(np.concatenate(found), samples)
    assert [len(one) for one in sound_windows(samples, None)] == [25]


def test_the_mean_of_windows_weighs_by_length() -> None:
    rows = [np.array([3.0, 0.0], np.float32), np.array([0.0, 5.0], np.float32)]
    np.testing.assert_allclose(mean_of_windows(rows, [1, 1]), np.array([1, 1]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(mean_of_windows(rows, [3, 4]), [0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(mean_of_windows(rows[:1], [9]), [1, 0], atol=1e-6)


# -- models on torch ---------------------------------------------------------------------------------


def linear(seed: int) -> Any:
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    return torch.nn.Linear(3, 2)


def test_an_identity_is_of_weights_and_of_how_they_are_used() -> None:
    from octant.backends.torched import digest_of

    one = digest_of(linear(0), {"pooling": "mean"})
    assert one == digest_of(linear(0), {"pooling": "mean"})
    assert one != digest_of(linear(1), {"pooling": "mean"})
    assert one != digest_of(linear(0), {"pooling": "cls"})


def test_a_device_that_is_not_there_is_named() -> None:
    from octant.backends.torched import TorchOptions, on_device

    with pytest.raises(EncoderError, match="cannot run on device 'cuda:77'"):
        on_device(linear(0), "toy:x", TorchOptions(device="cuda:77"))
    there = on_device(linear(0), "toy:x", TorchOptions(device="cpu", dtype="bfloat16"))
    assert (str(there.weight.dtype), there.training) == ("torch.bfloat16", False)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (("ab", "", ""), r"lacks 2 of the model's weights \(a, b\)"),
        (("", "abcd", ""), r"unknown to it, 4 .* \(a, b, c …\)"),
        (("", "", "a"), "another shape 1 "),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_refused(keys: tuple[str, str, str], why: str) -> None:
    from octant.backends.torched import whole

    with pytest.raises(WeightsError, match=why):
        whole("toy:x", *keys)
    whole("toy:x", [], [], [])
