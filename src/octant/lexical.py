"""BM25 by the store itself, over the text index of a payload field: a leg of words without vectors and without a model.

The store cuts texts into words and keeps their statistics, the average length among them, as points come and go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qdrant_client.http import models

from octant.stores.capabilities import Feature

__all__ = ["TextIndex"]


def _words() -> models.TextIndexParams:
    return models.TextIndexParams(type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WORD, lowercase=True)


@dataclass(frozen=True, slots=True)
class TextIndex:
    """A payload field whose text is searched by its words."""

    name: str
    """What a query calls it, as it calls a vector field by its name."""
    key: str
    """Where the text lies in a payload; it is also the `using` of a request."""
    k: float = 1.2
    """How soon more of the same word stops to count."""
    b: float = 0.75
    """How much a long text is discounted for its length: 0 not at all, 1 fully."""
    tokens: models.TextIndexParams = field(default_factory=_words)
    """How a text is cut into words. A stemmer, stop words or another tokenizer are not for every store."""

    def __post_init__(self) -> None:
        if self.k < 0 or not 0 <= self.b <= 1:
            raise ValueError(f"text index {self.name!r} needs k >= 0 and 0 <= b <= 1, not {self.k} and {self.b}")

    @property
    def features(self) -> tuple[Feature, ...]:
        """What a store must be able to do for it."""
        plain = _words()
        cuts = ("tokenizer", "lowercase", "ascii_folding", "stopwords", "stemmer", "min_token_len", "max_token_len")
        if all(getattr(self.tokens, name) in (None, getattr(plain, name)) for name in cuts):
            return (Feature.TEXT_QUERY,)
        return (Feature.TEXT_QUERY, Feature.TEXT_TOKENS)

    def index_params(self) -> models.TextIndexParams:
        """Describe the payload index to make of `key`."""
        return self.tokens.model_copy(update={"scoring": True})

    def query(self, text: str) -> models.TextQuery:
        """Ask for the points whose texts have words of this one; each distinct word counts once."""
        scoring = models.Bm25Scoring(bm25=models.Bm25Params(k=self.k, b=self.b))
        return models.TextQuery(text=models.TextQueryInput(query=text, scoring=scoring))
