"""The three steps: each makes one tower, measures it on what it has not seen, and writes its files."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octant.backends.starter.audio import Sounds, sounds_from
from octant.backends.starter.image import Concepts
from octant.backends.starter.trunk import project
from octant.train.starter import audio as ears
from octant.train.starter import audio_export, measure
from octant.train.starter import image as eyes
from octant.train.starter.minilm import Teacher, tokenizer_file
from octant.train.starter.native import native_axes
from octant.train.starter.places import Places, unit
from octant.train.starter.sounds import CLASSES, Clip, esc10, extra, speech, synthetic
from octant.train.starter.text import distil, lesson

__all__ = ["audio", "folds", "image", "text"]

Array = NDArray[np.float32]

EPOCHS = 120
VIEWS = 28
HELD_FOLD = "4"


def text(out: Path, work: Path) -> None:
    """Distil the text tower, and settle the frame (mean and whitening) of the shared space."""
    teacher = Teacher()
    arrays, metrics = distil(lesson(teacher, work), teacher)
    places = Places(teacher, arrays)
    arrays |= {"mean": places.mean, "turn": places.turn.astype(np.float16)}
    np.savez(out / "text.npz", allow_pickle=False, **arrays)
    shutil.copyfile(tokenizer_file(), out / "tokenizer.json")
    measure.record(out, "text", metrics)


def image(data: Path, out: Path, bench: Path, work: Path) -> None:
    """Quantize the image tower and teach it the photos' concepts; the benchmark's half is taught apart."""
    places = stored_places(out)
    shown = eyes.photos(data)
    inputs = eyes.pixels(shown)
    model, metrics = eyes.trunk(inputs, work)
    shutil.copyfile(model, out / "image.onnx")
    features = eyes.forward(model, inputs)
    taught = eyes.teach(features, shown, places)
    write_concepts(out / "concepts.npz", taught)
    write_axes(out / "image-native.npz", *axes_of(features, shown))
    train = np.array([photo.train for photo in shown])
    studied = [photo for photo in shown if photo.train]
    half = eyes.teach(features[train], studied, places)
    write_concepts(bench / "concepts.npz", half)
    axes = axes_of(features[train], studied)
    write_axes(bench / "image-native.npz", *axes)
    zero = half.untaught()
    for domain in ("clothing", "grocery"):
        rows = np.array([photo.domain == domain and not photo.train for photo in shown])
        kept = [photo for photo, keep in zip(shown, rows, strict=True) if keep]
        asked = sorted({(photo.query, photo.label) for photo in kept})
        relevant = np.array([[photo.label == label for photo in kept] for _, label in asked])
        queries = places.queries([query for query, _ in asked])
        metrics[f"{domain}_photos_held_out"] = len(kept)
        metrics[f"{domain}_text_to_image_zero_shot_map"] = measure.mean_ap(
            queries @ zero.place(features[rows]).T, relevant
        )
        metrics[f"{domain}_text_to_image_taught_map"] = measure.mean_ap(
            queries @ half.place(features[rows]).T, relevant
        )
        near = project(features[rows], *axes)
        same = np.array([[one.label == two.label for two in kept] for one in kept])
        metrics[f"{domain}_image_to_image_map"] = measure.mean_ap(near @ near.T, same, own=True)
    measure.record(out, "image", metrics)


def audio(data: Path, out: Path, bench: Path, work: Path) -> None:
    """Train the audio tower twice: on three folds for honest numbers, and on all of them to ship."""
    places = stored_places(out)
    views = sound_views(data, work)
    metrics = hold_out(HELD_FOLD, views, speech(data), places, bench, work)
    known, other, made = views
    named = other.pick([clip.concept is not None for clip in other.clips])
    strange = other.pick([clip.concept is None for clip in other.clips])
    trained = ears.fit(join(known, named), strange, made, seed=0, epochs=EPOCHS)
    model, quality = audio_export.ship(trained, known.clips, work, "audio")
    shutil.copyfile(model, out / "audio.onnx")
    write_sounds(out / "sounds.npz", audio_export.sounds_of(trained, places))
    everything = [*known.clips, *other.clips]
    write_axes(out / "audio-native.npz", *audio_export.axes_of(audio_export.hear(model, everything)))
    measure.record(out, "audio", metrics | quality | {"train_seconds": trained.seconds})


def folds(data: Path, out: Path, work: Path) -> None:
    """Cross-validate the audio recipe over the four folds (slow; for the card)."""
    places = stored_places(out)
    scratch = work / "folds"
    scratch.mkdir(exist_ok=True)
    views, voices = sound_views(data, work), speech(data)
    rows = [hold_out(fold, views, voices, places, scratch, work) for fold in ("1", "2", "3", "4")]
    measure.record(out, "audio_mean_of_4_folds", {name: mean_of([row[name] for row in rows]) for name in rows[0]})


def hold_out(
    fold: str,
    views: tuple[ears.Views, ears.Views, ears.Views],
    voices: list[Clip],
    places: Places,
    bench: Path,
    work: Path,
) -> dict[str, float]:
    """Train without a fold and without a third of the other authors; write that tower, and measure it on them."""
    known, other, made = views
    named = other.pick([clip.concept is not None for clip in other.clips])
    strange = other.pick([clip.concept is None for clip in other.clips])
    seen = join(known.pick([clip.group != fold for clip in known.clips]), named.pick(heard_authors(named.clips)))
    trained = ears.fit(seen, strange.pick(heard_authors(strange.clips)), made, seed=0, epochs=EPOCHS)
    model, _ = audio_export.ship(trained, seen.clips, work, "audio-held-out")
    shutil.copyfile(model, bench / "audio.onnx")
    write_sounds(bench / "sounds.npz", audio_export.sounds_of(trained, places))
    write_axes(bench / "audio-native.npz", *audio_export.axes_of(audio_export.hear(model, seen.clips)))
    clips = [clip for clip in known.clips if clip.group == fold]
    unheard = [clip for clip, seen in zip(strange.clips, heard_authors(strange.clips), strict=True) if not seen]
    return grade(bench, places, clips, unheard, voices, model)


def mean_of(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def grade(
    bench: Path, places: Places, clips: list[Clip], unknown: list[Clip], voices: list[Clip], model: Path
) -> dict[str, float]:
    """Measure a tower on a fold and on unknown sounds of authors that it never heard."""
    with np.load(bench / "sounds.npz") as stored:
        sounds = sounds_from({name: stored[name] for name in stored.files})
    with np.load(bench / "audio-native.npz") as stored:
        mean, axes = stored["mean"].astype(np.float32), stored["axes"].astype(np.float32)
    heard, strange = audio_export.hear(model, clips), audio_export.hear(model, unknown)
    vectors = np.stack([sounds.place(features) for features in heard.features])
    others = np.stack([sounds.place(features) for features in strange.features])
    spoken = np.stack([sounds.place(features) for features in audio_export.hear(model, voices).features])
    native = np.stack([unit(project(rows, mean, axes).mean(0)) for rows in heard.features])
    queries = places.queries(CLASSES)
    concepts = np.array([clip.concept for clip in clips])
    relevant = concepts[None] == np.arange(len(CLASSES))[:, None]
    same = concepts[None] == concepts[:, None]
    gallery = np.concatenate([vectors, others])
    mixed = np.concatenate([relevant, np.zeros((len(CLASSES), len(others)), bool)], axis=1)
    sure, unsure, said = ((queries @ found.T).max(0) for found in (vectors, others, spoken))
    bar = float(np.quantile(sure, 0.05))
    return {
        "held_out_clips": len(clips),
        "held_out_unknown_clips": len(unknown),
        "accuracy": round(float(((queries @ vectors.T).argmax(0) == concepts).mean()), 4),
        "text_to_audio_map": measure.mean_ap(queries @ vectors.T, relevant),
        "text_to_audio_map_among_unknown": measure.mean_ap(queries @ gallery.T, mixed),
        "audio_to_audio_map_native": measure.mean_ap(native @ native.T, same, own=True),
        "audio_to_audio_map_pivot": measure.mean_ap(vectors @ vectors.T, same, own=True),
        "unknown_auroc": measure.auroc(sure, unsure),
        "unknown_passing_where_95_percent_of_known_pass": round(float((unsure >= bar).mean()), 4),
        "speech_auroc": measure.auroc(sure, said),
        "score_that_95_percent_of_known_pass": round(bar, 4),
    }


def axes_of(features: Array, shown: Sequence[eyes.Photo]) -> tuple[Array, Array]:
    labels = [(photo.domain, photo.fine) for photo in shown]
    return native_axes(features, labels, shrinkage=eyes.NATIVE_SHRINKAGE, count=eyes.NATIVE)


def sound_views(data: Path, work: Path) -> tuple[ears.Views, ears.Views, ears.Views]:
    """Decode and vary all sounds (a minute; kept in `work`, which only this script writes)."""
    cache = work / "views.pickle"
    if not cache.exists():
        rng = np.random.default_rng(0)
        strange = [Clip(f"made-{count}", "synthetic", None, "octant", synthetic(rng)) for count in range(200)]
        clips = esc10(data), extra(data)
        made = [ears.views(part, VIEWS, rng) for part in clips]
        cache.write_bytes(pickle.dumps((*made, ears.views(strange, 2, rng))))
    stored: tuple[ears.Views, ears.Views, ears.Views] = pickle.loads(cache.read_bytes())
    return stored


def heard_authors(clips: Sequence[Clip]) -> list[bool]:
    """Choose two thirds of the authors by hash; the others are never heard by the benchmark's tower."""
    return [hashlib.sha256(f"octant:{clip.group}".encode()).digest()[0] >= 85 for clip in clips]


def join(one: ears.Views, other: ears.Views) -> ears.Views:
    return ears.Views([*one.clips, *other.clips], [*one.mels, *other.mels])


def stored_places(out: Path) -> Places:
    with np.load(out / "text.npz") as stored:
        return Places(Teacher(), {name: stored[name] for name in stored.files})


def write_concepts(path: Path, concepts: Concepts) -> None:
    np.savez(
        path,
        classifier=concepts.classifier.astype(np.float16),
        offset=concepts.offset,
        mean=concepts.mean,
        whiten=concepts.whiten.astype(np.float16),
        prototypes=concepts.prototypes.astype(np.float16),
        places=concepts.places.astype(np.float16),
        settings=np.array([concepts.scale, concepts.bias, concepts.temperature], np.float32),
    )


def write_sounds(path: Path, sounds: Sounds) -> None:
    np.savez(
        path,
        head=sounds.head,
        offset=sounds.offset,
        gate=sounds.gate,
        settings=np.array([sounds.threshold, sounds.temperature, sounds.softness], np.float32),
        places=sounds.places,
        elsewhere=sounds.elsewhere,
    )


def write_axes(path: Path, mean: Array, axes: Array) -> None:
    np.savez(path, mean=mean.astype(np.float32), axes=axes.astype(np.float16))
