"""The starter space: its files are verified, its vectors do not depend on the company, and it makes sense."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage
from numpy.typing import NDArray

from octant.backends.starter import (
    AudioTrunk,
    ImageEncoder,
    ImageNative,
    ImageTrunk,
    Starter,
    TextEncoder,
    Weights,
    starter,
)
from octant.backends.starter.audio import RATE, WINDOW, log_mel, mel_bank, windows
from octant.backends.starter.image import preprocess
from octant.backends.starter.weights import SHIPPED
from octant.encoding import Encoder, Role
from octant.errors import MediaError, WeightsError
from octant.media import Audio, Image, Text, decode_image
from octant.vectors import stack

DATA = Path(__file__).parents[2] / "shared" / "data"
SAMPLES = Path(skimage.__file__).parent / "data"
Wave = NDArray[np.float32]

needs_data = pytest.mark.skipif(not DATA.exists(), reason="the media of ../shared/data are not here")


@pytest.fixture(scope="module")
def space() -> Starter:
    return starter()


def tone(seconds: float, hertz: float = 440.0) -> Audio:
    time = np.arange(round(seconds * RATE)) / RATE
    return Audio((0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate=RATE)


def texts(space: Starter, *words: str) -> NDArray[np.float32]:
    return stack(space.text.encode([Text(word) for word in words], Role.QUERY))


def best(space: Starter, image: Image, *words: str) -> str:
    scores = texts(space, *words) @ stack(space.image.encode([image], Role.DOCUMENT))[0]
    return words[int(scores.argmax())]


# weights


@pytest.mark.parametrize("name", ["text.npz", "tokenizer.json", "image.onnx", "concepts.npz", "audio.onnx"])
def test_an_altered_file_is_refused(name: str, tmp_path: Path) -> None:
    shutil.copyfile(SHIPPED / "manifest.json", tmp_path / "manifest.json")
    data = bytearray((SHIPPED / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsError, match=name):
        Weights(tmp_path).read(name)


def test_a_missing_file_or_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        TextEncoder(Weights(tmp_path))
    shutil.copyfile(SHIPPED / "manifest.json", tmp_path / "manifest.json")
    with pytest.raises(WeightsError, match=r"tokenizer\.json"):
        TextEncoder(Weights(tmp_path)).encode([Text("cat")], Role.QUERY)
    with pytest.raises(WeightsError, match="not listed"):
        Weights(tmp_path).read("other.bin")


def test_every_shipped_file_is_the_published_one_and_all_are_small() -> None:
    weights = Weights()
    names = sorted(path.name for path in SHIPPED.iterdir() if path.suffix in {".npz", ".onnx"})
    assert names == [
        "audio-native.npz",
        "audio.onnx",
        "concepts.npz",
        "image-native.npz",
        "image.onnx",
        "sounds.npz",
        "text.npz",
    ]
    assert sum(len(weights.read(name)) for name in [*names, "tokenizer.json"]) < 25e6


def test_encoders_have_identities_of_their_own(space: Starter) -> None:
    identities = {encoder.spec.identity for encoder in encoders(space)}
    assert len(identities) == 5
    assert all(identity.startswith("octant-starter/") and "sha256:" in identity for identity in identities)


def encoders(space: Starter) -> Iterator[Encoder[Text] | Encoder[Image] | Encoder[Audio]]:
    yield from (space.text, space.image, space.audio, space.image_native, space.audio_native)


def test_making_the_encoders_loads_no_model_library() -> None:
    code = (
        "import sys; from octant.backends.starter import starter; starter(); "
        "print([name for name in ('onnxruntime', 'tokenizers', 'PIL', 'torch', 'soundfile') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# every encoder


def test_vectors_have_unit_length_and_the_promised_dimension(space: Starter) -> None:
    photo, sound = Image(SAMPLES / "chelsea.png"), tone(1)
    made = [
        (space.text.encode([Text("a cat")], Role.QUERY), 384),
        (space.image.encode([photo], Role.DOCUMENT), 384),
        (space.image_native.encode([photo], Role.DOCUMENT), 128),
        (space.audio.encode([sound], Role.DOCUMENT), 384),
        (space.audio_native.encode([sound], Role.DOCUMENT), 64),
    ]
    for vectors, dim in made:
        vector = stack(vectors)[0]
        assert vector.shape == (dim,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_an_empty_batch_is_an_empty_list(space: Starter) -> None:
    assert space.text.encode([], Role.QUERY) == []
    assert space.image.encode([], Role.QUERY) == []
    assert space.image_native.encode([], Role.QUERY) == []
    assert space.audio.encode([], Role.QUERY) == []
    assert space.audio_native.encode([], Role.QUERY) == []


def test_a_text_has_the_same_vector_alone_and_in_company(space: Starter) -> None:
    words = ["cat", "a photo of a dog " * 400, "helicopter over the sea", "x", "naïve café", "犬"]
    together = texts(space, *words)
    alone = np.concatenate([texts(space, word) for word in words])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_photo_has_the_same_vector_alone_and_in_company(space: Starter) -> None:
    paths = [SAMPLES / name for name in ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")] * 3
    together = stack(space.image.encode([Image(path) for path in paths], Role.DOCUMENT))
    alone = np.concatenate([stack(space.image.encode([Image(path)], Role.DOCUMENT)) for path in paths])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_same_photo_twice_in_a_batch_has_the_same_vector_twice(space: Starter) -> None:
    photo = Image(SAMPLES / "chelsea.png")
    one, other, again = space.image.encode([photo, Image(SAMPLES / "coffee.png"), photo], Role.DOCUMENT)
    assert np.array_equal(stack([one])[0], stack([again])[0])
    assert not np.array_equal(stack([one])[0], stack([other])[0])


def test_threads_may_share_the_encoders() -> None:
    shared = starter()
    names = ["chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]

    def encode(name: str) -> NDArray[np.float32]:
        photo = [Image(SAMPLES / name)]
        return np.concatenate(
            [stack(shared.image.encode(photo, Role.QUERY))[0], stack(shared.image_native.encode(photo, Role.QUERY))[0]]
        )

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(encode, names * 3))
    for name, vector in zip(names * 3, together, strict=True):
        np.testing.assert_allclose(vector, encode(name), atol=1e-5)


def test_a_sound_has_the_same_vector_alone_and_in_company(space: Starter) -> None:
    sounds = [tone(0.01), tone(61, 300), tone(5, 1000), tone(7.3, 200)]
    together = stack(space.audio.encode(sounds, Role.DOCUMENT))
    alone = np.concatenate([stack(space.audio.encode([sound], Role.DOCUMENT)) for sound in sounds])
    np.testing.assert_allclose(together, alone, atol=1e-5)


# text


def test_a_long_text_is_read_to_its_end(space: Starter) -> None:
    start = "bread and butter " * 3000
    plain, ended = texts(space, start, start + "helicopter rotor " * 1500)
    assert len(start) > 50_000
    rotor = texts(space, "helicopter rotor")[0]
    assert ended @ rotor > plain @ rotor + 0.2


def test_counting_word_pieces_equals_reading_them_in_turn(space: Starter) -> None:
    sentence = "The quick brown fox jumps over the lazy dog. "
    short, long = texts(space, sentence * 500, sentence * 2500)
    np.testing.assert_allclose(short, long, atol=1e-5)


@pytest.mark.parametrize("content", ["", "   \n\t"])
def test_an_empty_text_is_refused(space: Starter, content: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        space.text.encode([Text("cat"), Text(content)], Role.DOCUMENT)
    (error,) = caught.value.exceptions
    assert isinstance(error, MediaError)
    assert "empty" in error.reason


def test_a_text_without_known_words_is_refused(space: Starter) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        space.text.encode([Text("🜨🜨🜨")], Role.QUERY)
    (error,) = caught.value.exceptions
    assert isinstance(error, MediaError)
    assert "vocabulary" in error.reason


def test_related_words_are_near_each_other(space: Starter) -> None:
    cat, kitten, truck = texts(space, "a cat", "kitten", "a truck on the road")
    assert cat @ kitten > cat @ truck + 0.3


# images


@pytest.mark.parametrize(
    ("name", "word", "others"),
    [
        ("chelsea.png", "cat", ("car", "dog", "tree", "shoes", "banana")),
        ("chelsea.png", "feline pet", ("vehicle", "fruit", "footwear")),
        ("coffee.png", "cup of coffee", ("dog", "trousers", "motorbike")),
        ("rocket.jpg", "rocket launch", ("cat", "apple", "t-shirt")),
        ("motorcycle_left.png", "motorbike", ("cat", "apple", "coffee")),
    ],
)
def test_photos_are_found_by_name(space: Starter, name: str, word: str, others: tuple[str, ...]) -> None:
    assert best(space, Image(SAMPLES / name), word, *others) == word


def test_a_mirrored_photo_is_nearer_than_another(space: Starter) -> None:
    cat = decode_image(Image(SAMPLES / "chelsea.png"))
    mirrored = Image(np.asarray(cat)[:, ::-1].copy())
    one, same, other = stack(
        space.image_native.encode([Image(cat), mirrored, Image(SAMPLES / "coffee.png")], Role.DOCUMENT)
    )
    assert one @ same > one @ other + 0.3


def test_extreme_shapes_are_encoded(space: Starter) -> None:
    pictures = [np.full((1, 1, 3), 200, np.uint8), np.zeros((4, 3000, 3), np.uint8), np.zeros((2000, 3), np.uint8)]
    vectors = stack(space.image.encode([Image(picture) for picture in pictures], Role.DOCUMENT))
    assert np.isfinite(vectors).all()


def test_preprocessing_crops_the_middle() -> None:
    stripes = np.zeros((100, 300, 3), np.uint8)
    stripes[:, 100:200] = 255
    pixels = preprocess(decode_image(Image(stripes)))
    assert pixels.shape == (3, 224, 224)
    assert pixels.min() > 0.9


def test_two_fields_of_a_photo_cost_one_decoding_and_one_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Image] = []

    def counting(image: Image, *, shortest: int | None = None) -> object:
        decoded.append(image)
        return decode_image(image, shortest=shortest)

    monkeypatch.setattr("octant.backends.starter.image.decode_image", counting)
    trunk = ImageTrunk()
    pivot, native = ImageEncoder(trunk), ImageNative(trunk)
    photos = [Image(SAMPLES / "chelsea.png"), Image(SAMPLES / "coffee.png")]
    pivot.encode(photos, Role.DOCUMENT)
    native.encode(photos, Role.DOCUMENT)
    assert len(decoded) == 2
    pivot.encode(photos, Role.DOCUMENT)
    assert len(decoded) == 4, "a file may have changed: the same encoder looks again"


def test_bad_photos_are_reported_together_and_the_rest_is_not_decoded_again(
    space: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = Image(SAMPLES / "chelsea.png"), [Image(b"nothing"), Image(Path("gone.png"))]
    with pytest.raises(ExceptionGroup) as caught:
        space.image.encode([bad[0], good, bad[1]], Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == bad

    def never(image: Image, *, shortest: int | None = None) -> object:
        raise AssertionError(f"{image} is decoded twice")

    monkeypatch.setattr("octant.backends.starter.image.decode_image", never)
    assert len(space.image.encode([good], Role.DOCUMENT)) == 1


# sounds


def test_windows_cover_all_of_a_sound() -> None:
    samples = np.arange(int(13.2 * RATE), dtype=np.float32)
    cut = windows(samples)
    assert [len(window) for window in cut] == [WINDOW] * 3
    assert cut[-1][-1] == samples[-1]
    assert np.array_equal(np.unique(np.concatenate(cut)), samples)
    assert len(windows(np.zeros(WINDOW, np.float32))) == 1


def test_a_short_sound_is_repeated() -> None:
    (window,) = windows(np.array([1, 2, 3], np.float32))
    assert window[:6].tolist() == [1, 2, 3, 1, 2, 3]
    assert len(window) == WINDOW


def test_log_mel_is_what_torch_computed() -> None:
    """Golden values: torch.stft and the training script's filters, for this chirp in noise."""
    time = np.arange(2 * RATE) / RATE
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(time))
    chirp = 0.5 * np.sin(2 * np.pi * (200 * time + 900 * time**2)) + noise
    mel = log_mel(chirp.astype(np.float32), mel_bank())
    assert mel.shape == (64, 81)
    for (band, frame), value in GOLDEN.items():
        assert mel[band, frame] == pytest.approx(value, abs=1e-4)


GOLDEN = {
    (0, 0): 4.23026,
    (5, 3): -1.01947,
    (12, 10): -3.93336,
    (20, 25): -4.27959,
    (31, 40): -5.89305,
    (40, 55): 5.94311,
    (50, 70): -5.32805,
    (63, 80): -4.76004,
}


@pytest.mark.parametrize(
    "samples", [np.zeros(RATE, np.float32), np.ones(160, np.float32), np.full(3, 1e-9, np.float32)]
)
def test_silence_and_shreds_are_encoded(space: Starter, samples: Wave) -> None:
    vector = stack(space.audio.encode([Audio(samples, rate=RATE)], Role.DOCUMENT))[0]
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_long_sound_is_heard_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    trunk = AudioTrunk()
    trunk.features([tone(0.1)], "warm up")
    model = trunk.model()

    def watched(batch: Wave) -> Wave:
        sizes.append(len(batch))
        return model(batch)

    monkeypatch.setattr(trunk, "model", lambda: watched)
    (features,) = trunk.features([tone(60)], "test")
    assert features.shape == (12, 320)
    assert max(sizes) <= 8


def test_unknown_sounds_are_far_from_every_text(space: Starter) -> None:
    strange = stack(space.audio.encode([tone(2, 700), tone(3, 1500), tone(5, 97)], Role.DOCUMENT))
    names = texts(space, "dog bark", "rain", "helicopter", "rooster", "crying baby", "a thing", "music")
    assert (strange @ names.T).max() < 0.5


@needs_data
def test_sounds_are_found_by_name_and_by_synonym(space: Starter) -> None:
    import csv

    with (DATA / "esc10" / "labels.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["fold"] == "4"][::4]
    heard = stack(space.audio.encode([Audio(DATA / "esc10" / row["file"]) for row in rows], Role.DOCUMENT))
    names = sorted({row["label"] for row in rows})
    nearest = (heard @ texts(space, *names).T).argmax(axis=1)
    assert np.mean([names[index] == row["label"] for index, row in zip(nearest, rows, strict=True)]) > 0.9
    poultry = heard @ texts(space, "poultry")[0]
    assert rows[int(poultry.argmax())]["label"] == "rooster"
