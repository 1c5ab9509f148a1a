"""Small schemas without a model, for tests of everything that is not a model."""

from octant.backends.hashing import BagOfWords, Hashing
from octant.media import Modality
from octant.schema import Field, Schema
from octant.space import Space

__all__ = ["words_schema"]


def words_schema(dim: int = 64) -> Schema:
    """Text, image and audio in one hashed space, and the words of a text in a sparse one."""
    shared = Space("shared", *(Hashing(modality, dim) for modality in Modality))
    return Schema(
        Field("text", shared, Modality.TEXT),
        Field("words", Space("words", BagOfWords()), Modality.TEXT),
        Field("image", shared, Modality.IMAGE),
        Field("audio", shared, Modality.AUDIO),
    )
