"""Cross-encoders of sentence-transformers as rerankers: a model that reads the query and a hit together.

The library and the model are loaded when a `CrossEncoder` is made, not when this module is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from octant.backends.checkpoints import explained, place_of
from octant.backends.sentence_transformers import require_understood, stored
from octant.backends.torched import certain, import_of
from octant.errors import EncoderError, MediaError
from octant.item import Hit
from octant.media import Audio, Image, Media, Modality, Text, decode_audio, decode_image
from octant.rerank.asked import media_asked
from octant.rerank.contract import InField, Reranker

if TYPE_CHECKING:
    from octant.query import Query

__all__ = ["CrossEncoder"]

_RATE = 16_000
"""Hz; what a model that does not tell its rate is given."""
_SHORTEST = 1024
"""Pixels of the shorter side that pictures are decoded to at least; the model's own processor makes them smaller."""


class CrossEncoder:
    """Judge hits by a cross-encoder: by their texts, and by their pictures and sounds where the model reads these.

    `model` is a name on the model hub, a folder, or a `sentence_transformers.CrossEncoder` made by yourself (with
    prompts, `max_length`, another device or precision). Rerankers with a chat template, such as Qwen3-Reranker, are
    cross-encoders to the library too. Code that comes with a model is not run: who wants that makes the model. A score
    is what the model gives, mostly between 0 and 1. Several texts of an item are read as one; a hit with nothing that
    the model reads is not judged. A composed question is the weighted sum of the scores of its parts.

    Raises MissingExtra where sentence-transformers is not installed, EncoderError for a model that cannot be loaded as
    it is meant, WeightsError for a checkpoint that lacks some of the weights (a plain BERT has no head to judge with),
    ValueError for a model of several labels.
    """

    def __init__(self, model: str | Any, *, batch_size: int = 16) -> None:
        self._model: Any = _load(model) if isinstance(model, str) else model
        self.batch_size = batch_size
        if self._model.num_labels != 1:
            raise ValueError(
                f"the model gives {self._model.num_labels} numbers for a pair, and a reranker one; "
                "use a model that was trained to rank"
            )
        read = set(self._model.modalities)
        # pairs of other things than texts reach a model as messages alone
        other = {m for m in (Modality.IMAGE, Modality.AUDIO) if m.value in read and "message" in read}
        self._reads = frozenset({Modality.TEXT, *other})
        self._rate = _rate_of(self._model)

    @property
    def name(self) -> str:
        return "cross-encoder"

    @property
    def reads(self) -> Mapping[Modality, int | None]:
        """The media that the model reads, and how finely they are decoded for it."""
        finely = {Modality.TEXT: None, Modality.IMAGE: _SHORTEST, Modality.AUDIO: self._rate}
        return {modality: finely[modality] for modality in self._reads}

    def for_query(self, query: Query, fields: Mapping[str, InField]) -> Reranker:
        """Decode what is asked, once for all slices of hits.

        Raises UnsupportedModality where the model cannot read it, MediaError where it cannot be decoded.
        """
        del fields
        asked = [(self.input([medium]), weight) for medium, weight in media_asked(query, self._reads, self.name)]
        return _Pairs(self, asked)

    def predict(self, pairs: Sequence[tuple[Any, Any]]) -> list[float]:
        """Let the model judge pairs of inputs."""
        if not pairs:
            return []
        found = self._model.predict(pairs, batch_size=self.batch_size, show_progress_bar=False)
        return [float(one) for one in found]

    def document(self, hit: Hit) -> Any:
        """What the model reads of a hit; None where that is nothing. A file that is gone since is left out."""
        media = [medium for medium in hit.item.media.values() if medium.modality in self._reads]
        while True:
            try:
                return self.input(media)
            except MediaError as error:
                broken = error
            readable = [medium for medium in media if medium is not broken.media]
            if len(readable) == len(media):
                raise broken
            media = readable

    def input(self, media: Sequence[Media]) -> Any:
        """Media as one input of the library: a text, or what there is of each modality by name; None of nothing."""
        texts = [medium.content for medium in media if isinstance(medium, Text)]
        given: dict[str, Any] = {"text": "\n\n".join(texts)} if any(text.strip() for text in texts) else {}
        if len(self._reads) == 1:
            return given.get("text")
        images = [decode_image(one, shortest=_SHORTEST) for one in media if isinstance(one, Image)]
        sounds = [
            {"array": decode_audio(one, self._rate), "sampling_rate": self._rate}
            for one in media
            if isinstance(one, Audio)
        ]
        # by name, never as bare strings: the library would take a text that looks like a path or a URL for a file
        for name, several in (("image", images), ("audio", sounds)):
            if several:
                given[name] = several[0] if len(several) == 1 else several
        return given or None


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A cross-encoder with what is asked of it: the inputs of a query, and their weights."""

    model: CrossEncoder
    asked: Sequence[tuple[Any, float]]

    @property
    def name(self) -> str:
        return self.model.name

    def score(self, query: Query, hits: Sequence[Hit]) -> list[float]:
        """Score each hit together with what is asked; -inf where it has nothing that the model reads."""
        del query
        scores = [-math.inf] * len(hits)
        documents = [(i, document) for i, hit in enumerate(hits) if (document := self.model.document(hit)) is not None]
        totals = [0.0] * len(documents)
        for asked, weight in self.asked:
            found = self.model.predict([(asked, document) for _, document in documents])
            totals = [total + weight * one for total, one in zip(totals, found, strict=True)]
        for (i, _), total in zip(documents, totals, strict=True):
            scores[i] = total
        return scores


def _load(name: str) -> Any:
    library = import_of("sentence_transformers", "sentence-transformers")
    where = place_of(name)
    with explained(name):
        require_understood(name, where, None)
        _require_its_own_activation(name, stored(where, "config.json", None) or {})
        return certain(name, lambda: library.CrossEncoder(where, trust_remote_code=False))


def _require_its_own_activation(name: str, config: Mapping[str, Any]) -> None:
    """Refuse a model whose scores the library would scale by another function than its own, which it logs alone."""
    told: Mapping[str, Any] = config.get("sentence_transformers") or {}
    path: str = told.get("activation_fn") or config.get("sbert_ce_default_activation_function") or "torch."
    if not path.startswith("torch."):
        raise EncoderError(
            name,
            f"scales its scores by {path}, in place of which sentence-transformers would take its default, since that "
            "is code of its own; make the CrossEncoder yourself, with activation_fn=, and pass it",
        )


def _rate_of(model: Any) -> int:
    """The rate in Hz that a model's processor wants sounds in."""
    processor = getattr(model, "processor", None)
    extractor = getattr(processor, "feature_extractor", processor)
    return int(getattr(extractor, "sampling_rate", None) or _RATE)
