"""Pages of documents as pictures, found by texts: ColPali and its relatives of Hugging Face (extra `transformers`).

A page becomes a vector for each of its patches, a text one for each of its tokens; they are compared by MaxSim.
(Faysse et al., ColPali: Efficient Document Retrieval with Vision Language Models, 2024.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from octant.backends.batches import Batches
from octant.backends.checkpoints import explained, place_of, said_of
from octant.backends.torched import TorchOptions, import_of, inference, on_device, rows_of, whole
from octant.backends.towers import (
    ImageTower,
    Inputs,
    by_shape,
    called,
    from_hub,
    identity,
    preprocessing_of,
    reading_of,
    sharp,
)
from octant.backends.windows import text_windows
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Modality, Text
from octant.vectors import Array, Kind, Vector

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["FAMILY", "HfPages", "PageTexts"]

_CLASSES = {
    "colpali": "ColPaliForRetrieval",
    "colqwen2": "ColQwen2ForRetrieval",
    "colmodernvbert": "ColModernVBertForRetrieval",
}
_WELL = 512
"""Tokens of a text that are read at once, at most: these models were taught with questions, not with documents."""
_AHEAD = 8
"""Pages that are prepared at once: in tiles, one can take 40 MB."""


class PageTexts:
    """Encodes texts as questions about pages: [tokens, dim] of unit rows each, whatever the role.

    The vectors of a text that is read in windows are those of all of them.
    """

    def __init__(self, spec: EncoderSpec, pages: HfPages, batch: int | None) -> None:
        self.spec = spec
        self._pages = pages
        self._batches: Batches[Inputs, Array] = Batches(by_shape(pages.rows), size=batch)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode texts: a multivector each."""
        contents = [self._pages.plain(text.content) for text in batch]
        windows = [list(text_windows(content, self.token_spans, self.spec.tokens)) for content in contents]
        read = [self._pages.question(window) for several in windows for window in several]
        made = iter(self._batches(read, [int(one["input_ids"].shape[1]) for one in read]))
        return [np.concatenate([next(made) for _ in several]) for several in windows]

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._pages.reading.spans(text)


class HfPages:
    """A model that finds pages: `image` and `text` are encoders of one space of multivectors.

    `model` is a hub's name or a folder of ColPali, ColQwen2 or ColModernVBERT in the format of transformers. Pages and
    texts are run with others of the same length and shape alone, so that nothing is padded.
    Raises MissingExtra without transformers, WeightsError where weights are missing, left over or do not fit,
    EncoderError for another architecture.
    """

    def __init__(self, model: str, options: TorchOptions = TorchOptions()) -> None:  # noqa: B008
        library = import_of("transformers", "transformers")
        how: dict[str, Any] = {"revision": options.revision, "trust_remote_code": False}
        with explained(model):
            kind: str = library.AutoConfig.from_pretrained(place_of(model), **how).model_type
        if kind not in _CLASSES:
            raise EncoderError(model, f"is {kind}, which is none of {', '.join(_CLASSES)}")
        with explained(model):
            self._processor: Any = library.AutoProcessor.from_pretrained(place_of(model), **how)
        loaded, keys = from_hub(getattr(library, _CLASSES[kind]), model, options)
        whole(model, keys["missing_keys"], keys["unexpected_keys"])
        self._model = on_device(loaded, model, options)
        self._lock = Lock()
        """The tokenizer of a processor is no matter for two threads at once."""
        self.reading = reading_of(self._processor.tokenizer)
        shape = preprocessing_of(self._processor.image_processor)
        said = [self._processor.query_prefix, self._processor.visual_prompt_prefix]
        added = [*said, self._processor.query_augmentation_token, options.dtype]
        who = identity("hf_pages", model, self._model, said_of(loaded.config), shape, self.reading.told, added)
        asked = self.question("")
        with inference():
            dim = int(self.rows(asked)[0].shape[1])
        positions = int(loaded.config.get_text_config().max_position_embeddings)
        limit = min(_WELL, positions - int(asked["input_ids"].shape[1]))
        self.text = PageTexts(
            EncoderSpec(who, Modality.TEXT, dim, kind=Kind.MULTI, tokens=limit), self, batch=options.batch
        )
        self.image = ImageTower(
            EncoderSpec(who, Modality.IMAGE, dim, kind=Kind.MULTI, pixels=_side(kind, shape)),
            self._page,
            self.rows,
            batch=options.batch,
            window=_AHEAD,
        )

    def plain(self, text: str) -> str:
        """A text in which nothing stands for a picture: processors would look for one that is not there."""
        mark: str = self._processor.image_token
        return text.replace(mark, f"{mark[0]} {mark[1:]}")

    def question(self, text: str) -> Inputs:
        """What the model is called with to ask for pages."""
        with self._lock:
            return dict(self._processor.process_queries(text=[text]))

    def rows(self, inputs: Inputs) -> Sequence[Array]:
        """Call the model: of each medium its rows of unit length, those of padding left out."""
        made = rows_of(self._model(**called(self._model, inputs)).embeddings)
        masks = np.asarray(inputs["attention_mask"]).astype(bool)
        return [rows[mask] for rows, mask in zip(made, masks, strict=True)]

    def _page(self, picture: PIL.Image.Image) -> Inputs:
        with self._lock:
            return dict(self._processor.process_images(images=[picture]))


def _side(kind: str, shape: Mapping[str, Any]) -> int | None:
    """The `EncoderSpec.pixels` of a model of pages, whose letters are to stay legible."""
    size: Mapping[str, int] = shape["size"]
    if kind == "colqwen2":  # scales to a number of pixels
        most = shape["max_pixels"] or size["longest_edge"]
        return sharp(int(most**0.5))
    if kind == "colmodernvbert":  # scales the longer side, and cuts tiles; a page's shorter side has 0.7 of that
        return int(size["longest_edge"])
    return sharp(max(size.values()))


def _encoders(model: str, options: TorchOptions) -> Sequence[Encoder[Any]]:
    loaded = HfPages(model, options)
    return [loaded.text, loaded.image]


_BOTH = (Modality.TEXT, Modality.IMAGE)
FAMILY = Family(
    name="hf_pages",
    summary="ColPali, ColQwen2 and ColModernVBERT of Hugging Face: texts find pages by their looks",
    modules=("transformers", "torch", "torchvision"),
    install="pip install 'octant-search[transformers]'",
    options=TorchOptions,
    load=_encoders,
    known=(
        Known("vidore/colpali-v1.3-hf", _BOTH, 128, "see its card", Kind.MULTI, "3B, for a GPU"),
        Known("vidore/colqwen2-v1.0-hf", _BOTH, 128, "see its card", Kind.MULTI, "2B, for a GPU"),
        Known("ModernVBERT/colmodernvbert-hf", _BOTH, 128, "see its card", Kind.MULTI, "250M"),
    ),
)
