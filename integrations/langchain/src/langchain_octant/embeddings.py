"""Encoders of texts as LangChain's embeddings, and LangChain's embeddings as encoders of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from octant import Encoder, EncoderSpec, Kind, MediaError, Modality, OctantError, Role, Space, Sparse, Text

__all__ = ["EmbeddingsEncoder", "OctantEmbeddings"]

_BATCH = 32
_MODEL_NAMES = ("model", "model_name", "model_id", "deployment", "repo_id", "endpoint_name")
"""What the embeddings classes of LangChain's partners call their model."""
_DEPLOYED = ("deployment", "azure_deployment", "deployment_name")
"""What Azure's call it: their `model` is a default that says nothing. Elsewhere it is the other way round."""


class OctantEmbeddings(Embeddings):
    """Embed texts with an octant encoder, or with the texts' encoder of a space.

    Raises UnsupportedModality where a space takes no texts, ValueError where the vectors are not dense.
    """

    def __init__(self, encoder: Encoder[Text] | Space) -> None:
        if isinstance(encoder, Space):
            spec, kind = encoder.spec(Modality.TEXT), encoder.kind
        else:
            spec, kind = encoder.spec, encoder.spec.kind
        if spec.modality is not Modality.TEXT or kind is not Kind.DENSE:
            raise ValueError(
                f"LangChain's embeddings are one dense vector per text, and {spec.identity} makes {kind} vectors of "
                f"{spec.modality}; give an encoder of texts with Kind.DENSE"
            )
        self.encoder = encoder
        self.spec = spec
        self.model = spec.identity
        """What it is called, as LangChain's other embeddings have it."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts that are to be found: one vector of `spec.dim` floats each, in order."""
        return self._embed(texts, Role.DOCUMENT)

    def embed_query(self, text: str) -> list[float]:
        """Embed a text that is asked with: a vector of `spec.dim` floats."""
        return self._embed([text], Role.QUERY)[0]

    def _embed(self, texts: Sequence[str], role: Role) -> list[list[float]]:
        found: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            media = [Text(text) for text in texts[start : start + _BATCH]]
            try:
                if isinstance(self.encoder, Space):
                    vectors = self.encoder.encode(media, Modality.TEXT, role)
                else:
                    vectors = self.encoder.encode(media, role)
            except (MediaError, ExceptionGroup) as error:
                raise _of_a_text(error, media, start) from None
            found += [_floats(vector) for vector in vectors]
        return found

    def __repr__(self) -> str:
        return f"OctantEmbeddings({self.spec.identity})"


class EmbeddingsEncoder:
    """An octant encoder of texts around LangChain's embeddings.

    Its identity, which a collection is opened by, is that of the class and of the model that it names: two models that
    a class does not tell apart by name need an `identity` of their own. The dimension is found by embedding a word.
    """

    def __init__(self, embeddings: Embeddings, identity: str | None = None) -> None:
        self.embeddings = embeddings
        dim = len(embeddings.embed_query("dimension"))
        self.spec = EncoderSpec(identity=identity or identity_of(embeddings), modality=Modality.TEXT, dim=dim)

    def encode(self, batch: Sequence[Text], role: Role) -> list[NDArray[np.float32] | Sparse]:
        """Encode a batch: one vector of `dim` floats per text, in order. OctantError where there are other ones."""
        texts = [text.content for text in batch]
        if role is Role.QUERY:
            vectors = [self.embeddings.embed_query(text) for text in texts]
        else:
            vectors = self.embeddings.embed_documents(texts)
        if len(vectors) != len(texts) or any(len(vector) != self.spec.dim for vector in vectors):
            lengths = sorted({len(vector) for vector in vectors})
            raise OctantError(
                f"{self.spec.identity} gave {len(vectors)} vectors of the lengths {lengths} for {len(texts)} texts, "
                f"expected one of {self.spec.dim} numbers for each"
            )
        return [np.asarray(vector, dtype=np.float32) for vector in vectors]


def embeddings_of(space: Space) -> Embeddings | None:
    """LangChain's embeddings that make a space's vectors of texts; None where others do."""
    if Modality.TEXT not in space.modalities:
        return None
    encoder = space.encoder(Modality.TEXT)
    return encoder.embeddings if isinstance(encoder, EmbeddingsEncoder) else None


class _Listed(Protocol):
    def tolist(self) -> list[float]: ...


def identity_of(embeddings: Embeddings) -> str:
    """Name embeddings by their class and the model that they say they are."""
    inner = getattr(embeddings, "underlying_embeddings", None)
    if isinstance(inner, Embeddings):  # a cache around others makes the same vectors
        return identity_of(inner)
    kind = type(embeddings)
    is_azure = any(one.__name__.startswith("Azure") for one in kind.__mro__)
    names = (getattr(embeddings, name, None) for name in ((*_DEPLOYED, *_MODEL_NAMES) if is_azure else _MODEL_NAMES))
    model = next((name for name in names if isinstance(name, str) and name), "")
    package = kind.__module__.partition(".")[0]  # where in it a class lies changes from version to version
    return f"langchain:{package}.{kind.__qualname__}" + (f":{model}" if model else "")


def _of_a_text(raised: MediaError | ExceptionGroup[Exception], batch: Sequence[Text], start: int) -> Exception:
    """The error about the first text that cannot be embedded, which names its place; else what was raised."""
    errors = raised.exceptions if isinstance(raised, ExceptionGroup) else (raised,)
    for at, text in enumerate(batch):
        for error in errors:
            if isinstance(error, MediaError) and error.media is text:
                reason = error.reason if text.content.strip() else "it is empty; leave it out, or give it words"
                return MediaError(f"text {start + at}", reason)
    return raised


def _floats(vector: object) -> list[float]:
    return cast("_Listed", vector).tolist()
