"""The towers of models on torch that read pictures, or pictures and texts: media prepared, run, and made unit rows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer

from octant.backends.batches import Batches, decoded
from octant.backends.checkpoints import explained, label_of, place_of
from octant.backends.torched import TorchOptions, digest_of, inference, torch, whole
from octant.backends.windows import mean_of_windows, text_windows
from octant.encoding import EncoderSpec, Role, TokenSpans
from octant.errors import MediaError
from octant.media import Image, Text, decode_image
from octant.vectors import Array, Vector

if TYPE_CHECKING:
    import PIL.Image

__all__ = [
    "ImageTower",
    "Inputs",
    "Reading",
    "Run",
    "TextTower",
    "by_shape",
    "called",
    "from_hub",
    "identity",
    "image_processor_of",
    "is_cropped",
    "marks_of",
    "middle_of",
    "plainly",
    "preprocessing_of",
    "reading_of",
    "seen_side",
    "sharp",
    "tokenizer_of",
    "word_spans",
]

Inputs = Mapping[str, Any]
"""What a model is called with, by name: tensors whose first axis is the media."""
Run = Callable[[Inputs], Sequence[Array]]
"""A model: from the inputs of several media to one array for each."""

_WINDOW = 128
"""Images that are prepared at once, where they are small: enough to find out the best batch."""
_SLIMMEST = 16
"""Sides of a picture that is cropped to its middle, at most: scaling all of a longer one could take gigabytes."""


class ImageTower:
    """Encodes images: `prepare` makes inputs of one picture, `run` makes rows of the inputs of several.

    Pictures of one shape share a forward pass, so nothing is ever padded. Large JPEGs are decoded at a fraction of
    their size that still has twice the pixels that the model sees.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        prepare: Callable[[PIL.Image.Image], Inputs],
        run: Run,
        *,
        batch: int | None = None,
        window: int = _WINDOW,
    ) -> None:
        """`window` images are prepared before the model runs: as many inputs lie in memory at once."""
        self.spec = spec
        self._window = window
        self._prepare = prepare
        self._batches: Batches[Inputs, Array] = Batches(by_shape(run), size=batch)

    def encode(self, batch: Sequence[Image], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode images: one vector each. An ExceptionGroup with one MediaError for each that cannot be decoded."""
        vectors: list[Vector] = []
        errors: list[Exception] = []
        for at in range(0, len(batch), self._window):
            try:
                prepared = decoded(self._read, batch[at : at + self._window])
            except ExceptionGroup as group:
                errors.extend(group.exceptions)
                continue
            if not errors:
                vectors.extend(self._batches(prepared, [_size(one) for one in prepared]))
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(batch)} images cannot be decoded", errors)
        return vectors

    def _read(self, image: Image) -> Inputs:
        picture = decode_image(image, shortest=self.spec.pixels)
        try:
            return self._prepare(picture)
        except (ValueError, ZeroDivisionError) as error:
            size = f"{picture.width} x {picture.height}"
            raise MediaError(image, f"is {size}, which the model's preprocessing refuses ({error}); crop it") from error


class TextTower:
    """Encodes texts: `read` makes inputs of several texts, `run` makes a row of each.

    A text of more than `spec.tokens` tokens is read in windows: its vector is the mean of theirs, by their lengths.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        spans: TokenSpans,
        read: Callable[[Sequence[str]], Inputs],
        run: Run,
        *,
        plain: Callable[[str], str] = str,
        is_filled: bool = False,
        batch: int | None = None,
    ) -> None:
        """`plain` makes a text one that has no marks, where `read` does not do so by itself (`plainly`).

        `is_filled` says that the model reads every text at one length: then none costs less than another.
        """
        self.spec = spec
        self._spans = spans
        self._is_filled = is_filled
        self._plain = plain
        self._batches: Batches[str, Array] = Batches(lambda texts: run(read(texts)), size=batch)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode texts: one vector of unit length each."""
        windows = [list(text_windows(self._plain(text.content), self._spans, self.spec.tokens)) for text in batch]
        flat = [window for several in windows for window in several]
        lengths = [max(1, len(self._spans(window))) for window in flat]
        made = zip(self._batches(flat, [1] * len(flat) if self._is_filled else lengths), lengths, strict=True)
        vectors: list[Vector] = []
        for several in windows:
            rows, weights = zip(*(next(made) for _ in several), strict=True)
            vectors.append(mean_of_windows(rows, weights))
        return vectors

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._spans(text)


def called(model: Any, inputs: Inputs) -> dict[str, Any]:
    """Inputs where the model is, those that are not whole numbers in its precision."""
    like = next(iter(model.parameters()))
    is_on_gpu = like.device.type == "cuda"
    given: dict[str, Any] = {}
    for name, tensor in inputs.items():
        waiting = tensor.pin_memory() if is_on_gpu else tensor
        dtype = like.dtype if tensor.is_floating_point() else tensor.dtype
        given[name] = waiting.to(device=like.device, dtype=dtype, non_blocking=is_on_gpu)
    return given


def middle_of(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The middle of a very long or tall picture, for models that crop to a square and would see no more of it."""
    width, height = picture.size
    most = _SLIMMEST * min(width, height)
    left, top = max(0, width - most) // 2, max(0, height - most) // 2
    return picture.crop((left, top, width - left, height - top)) if left or top else picture


def sharp(side: int | None) -> int | None:
    """The `EncoderSpec.pixels` of a model that sees `side` pixels: with twice of them a draft of a JPEG is as good."""
    return None if side is None else 2 * side


@dataclass(frozen=True, slots=True)
class Reading:
    """How a tokenizer reads texts."""

    spans: TokenSpans
    special: int
    """Tokens that it adds to a text."""
    told: str
    """All that decides what it makes of a text."""


def tokenizer_of(library: Any, model: str, options: TorchOptions) -> tuple[Any, Reading]:
    """Load the tokenizer of a model of transformers, from a folder or a hub.

    Raises EncoderError where there is none that can be loaded.
    """
    with explained(model):
        tokenizer = library.AutoTokenizer.from_pretrained(
            place_of(model), revision=options.revision, trust_remote_code=False
        )
    return tokenizer, reading_of(tokenizer)


def reading_of(tokenizer: Any) -> Reading:
    """How a tokenizer of transformers reads. A fast one is copied, for any thread to ask, and neither cuts nor pads."""
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        vocabulary = json.dumps(sorted(tokenizer.get_vocab().items()))
        count = partial(_count, tokenizer)
        return Reading(word_spans(count), tokenizer.num_special_tokens_to_add(), type(tokenizer).__name__ + vocabulary)
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()

    def spans(text: str) -> Sequence[tuple[int, int]]:
        return copy.encode(text, add_special_tokens=False).offsets

    return Reading(spans, copy.num_special_tokens_to_add(is_pair=False), copy.to_str())


def marks_of(tokenizer: Any) -> list[str]:
    """What a tokenizer of transformers takes for no words where it is written in a text, such as `<|endoftext|>`."""
    added = (token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    return sorted({*tokenizer.all_special_tokens, *added})


def plainly(marks: Sequence[str]) -> Callable[[str], str]:
    """A function that breaks marks in a text: a model would take one for the text's end, and see nothing behind it.

    Upper and lower case are alike: tokenizers may look for marks once they have made all letters small.
    """
    known = sorted((mark for mark in marks if len(mark) > 1), key=len, reverse=True)  # "!" is the padding of some
    if not known:
        return str
    pattern = re.compile("|".join(map(re.escape, known)), re.IGNORECASE)
    return lambda text: pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def word_spans(count: Callable[[str], int]) -> TokenSpans:
    """Where tokens lie, by words, for a tokenizer that does not tell and changes texts before it counts.

    A word of several tokens is divided evenly. There are never fewer spans than tokens.
    """

    def spans(text: str) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        at = 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            parts = max(1, count(word))
            edges = [start + len(word) * i // parts for i in range(parts + 1)]
            found.extend(pairwise(edges))
        missing = count(text) - len(found)
        return found + found[-1:] * max(0, missing)

    return spans


def _count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def from_hub(make: Any, name: str, options: TorchOptions, **given: Any) -> tuple[Any, dict[str, list[Any]]]:
    """Load by `from_pretrained`, from a folder or a hub: the model, and the keys of the weights that did not fit.

    `make` is a class of transformers. Code that comes with a model is never run. EncoderError where nothing is found.
    """
    with explained(name):
        model, info = make.from_pretrained(
            place_of(name),
            revision=options.revision,
            dtype=getattr(torch(), options.dtype),
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by their names
            trust_remote_code=False,
            **given,
        )
    whole(name, (), (), sorted(str(key) for key, *_ in info["mismatched_keys"]))
    keys = {key: sorted(map(str, info[key])) for key in ("missing_keys", "unexpected_keys")}
    keys["unexpected_keys"] = [key for key in keys["unexpected_keys"] if not key.endswith(_COMPUTED)]
    return model, keys


def image_processor_of(library: Any, model: str, options: TorchOptions) -> Any:
    """Load what prepares the pictures of a model of transformers. EncoderError where there is none."""
    with explained(model):
        return library.AutoImageProcessor.from_pretrained(
            place_of(model), revision=options.revision, trust_remote_code=False
        )


def seen_side(shape: Mapping[str, Any]) -> int | None:
    """The longest shorter side that a picture has once an image processor has scaled it; None where it does not."""
    if not shape["do_resize"]:
        return None
    size: dict[str, int] = shape["size"]
    if shape["max_num_patches"]:  # any size, of so many patches
        return math.ceil(math.sqrt(shape["max_num_patches"]) * int(shape["patch_size"] or 16))
    if shape["max_pixels"]:
        return math.isqrt(int(shape["max_pixels"]))
    side = size.get("shortest_edge") or max(size.values())
    return math.ceil(side / float(shape["crop_pct"] or 1))


def is_cropped(shape: Mapping[str, Any]) -> bool:
    """Whether an image processor scales by the shorter side and keeps the middle, instead of squeezing all of it in."""
    size: dict[str, int] = shape["size"]
    shortest = size.get("shortest_edge")
    if not shape["do_resize"] or shortest is None:
        return False
    return bool(shape["do_center_crop"]) or (shape["crop_pct"] is not None and shortest < _CONVNEXT_SQUEEZES)


def identity(family: str, name: str, model: Any, *notes: Mapping[str, Any] | Sequence[Any] | str) -> str:
    """`family:name@digest`; of a folder, the name is its last part: two copies of it are one model."""
    return f"{family}:{label_of(name)}@{digest_of(model, *notes)}"


def preprocessing_of(processor: Any) -> dict[str, Any]:
    """What a Hugging Face image processor does to a picture, as plain data, whatever it calls itself."""
    told = {key: _plain(getattr(processor, key, None)) for key in _PREPROCESSING}
    return told | {"size": told["size"] or {}}


_COMPUTED = (".position_ids", ".inv_freq")
"""What older checkpoints keep though it is no weight."""
_CONVNEXT_SQUEEZES = 384
"""From this side on, the image processor of ConvNeXt squeezes instead of cropping."""
_PREPROCESSING = (
    *("do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct", "do_pad", "pad_size"),
    *("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std", "include_top", "rescale_offset"),
    *("min_pixels", "max_pixels", "patch_size", "temporal_patch_size", "merge_size", "max_num_patches"),
    *("do_image_splitting", "max_image_size", "image_seq_length"),
)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return {key: _plain(one) for key, one in items.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in cast("Sequence[Any]", value)]
    if is_dataclass(value):  # a SizeDict of transformers
        return _plain({field.name: getattr(value, field.name) for field in fields(value)})
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def by_shape(run: Run) -> Callable[[Sequence[Inputs]], Sequence[Array]]:
    """Run media of one shape at once."""

    def run_all(prepared: Sequence[Inputs]) -> list[Array]:
        alike: dict[tuple[Any, ...], list[int]] = {}
        for place, one in enumerate(prepared):
            alike.setdefault(tuple((name, *tensor.shape) for name, tensor in one.items()), []).append(place)
        rows: dict[int, Array] = {}
        for places in alike.values():
            several = [prepared[place] for place in places]
            joined = {name: torch().cat([one[name] for one in several]) for name in several[0]}
            with inference():
                rows.update(zip(places, run(joined), strict=True))
        return [rows[place] for place in range(len(prepared))]

    return run_all


def _size(inputs: Inputs) -> int:
    return max(int(tensor.numel()) for tensor in inputs.values())
