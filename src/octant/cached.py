"""An encoder that remembers what it has encoded: in memory, and on disk where a cache is given."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

from octant.cache import VectorCache
from octant.encoding import Encoder, EncoderSpec, Role, TokenSpans
from octant.errors import MediaError
from octant.media import Media, fingerprint
from octant.vectors import Sparse, Vector

__all__ = ["Cached"]

M = TypeVar("M", bound=Media)


class Cached(Generic[M]):
    """Wraps an encoder: what was encoded before, by content and role, is not encoded again.

    Of a batch only what is not remembered is encoded, and equal media once. The newest `size` vectors are kept in
    memory; with `cache` all are kept on disk as well, where documents are shared with a collection that was opened with
    the same cache. Several threads may call it; two that miss the same medium at once both encode it.

    A medium that cannot be read is left to the encoder to refuse. Nothing of a batch that it refuses is remembered.
    """

    def __init__(self, encoder: Encoder[M], cache: VectorCache | None = None, *, size: int = 10_000) -> None:
        """`size` is a number of vectors; 0 keeps none in memory. ValueError below 0."""
        if size < 0:
            raise ValueError(f"size is {size}; it must not be below 0")
        self._encoder = encoder
        self._cache = cache
        self._size = size
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, Role], Vector] = OrderedDict()
        self.token_spans: TokenSpans | None = getattr(encoder, "token_spans", None)
        """Those of the encoder, if it has them."""

    @property
    def spec(self) -> EncoderSpec:
        """What the encoder is: the same, for its vectors are."""
        return self._encoder.spec

    def encode(self, batch: Sequence[M], role: Role) -> list[Vector]:
        """Encode a batch, or remember it: one vector per medium, in order. They are the caller's to change."""
        prints = [_fingerprint(medium) for medium in batch]
        known = self._remembered({one for one in prints if one is not None}, role)
        # by content where that is known, else by place: what cannot be read is refused by the encoder, one by one
        left: dict[str | int, M] = {}
        for place, (medium, one) in enumerate(zip(batch, prints, strict=True)):
            if one is None or one not in known:
                left.setdefault(place if one is None else one, medium)
        try:
            fresh = self._encoder.encode(list(left.values()), role) if left else []
        except ExceptionGroup as group:
            again = [
                MediaError(medium, error.reason)
                for error in group.exceptions
                for medium, one in zip(batch, prints, strict=True)
                if isinstance(error, MediaError) and one in left and left[one] is error.media is not medium
            ]
            raise group.derive([*group.exceptions, *again]) from None
        made: dict[str | int, Vector] = dict(zip(left, fresh, strict=True))
        known |= (new := {key: vector for key, vector in made.items() if isinstance(key, str)})
        if new:
            self._keep(new, role)
            if self._cache is not None:
                self._cache.put(self._name(role), new)
        return [_own(made[place] if one is None else known[one]) for place, one in enumerate(prints)]

    def _remembered(self, prints: set[str], role: Role) -> dict[str, Vector]:
        known: dict[str, Vector] = {}
        with self._lock:
            for one in prints:
                if (vector := self._kept.get((one, role))) is not None:
                    self._kept.move_to_end((one, role))
                    known[one] = vector
        if self._cache is not None and (missed := sorted(prints - known.keys())):
            found = self._cache.get(self._name(role), missed)
            self._keep(found, role)
            known |= found
        return known

    def _keep(self, vectors: dict[str, Vector], role: Role) -> None:
        with self._lock:
            for one, vector in vectors.items():
                self._kept[one, role] = _own(vector)
                self._kept.move_to_end((one, role))
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def _name(self, role: Role) -> str:
        """Documents under the encoder's identity, as collections keep them; queries apart."""
        identity = self.spec.identity
        return identity if role is Role.DOCUMENT else f"{identity} {role}"


def _fingerprint(medium: Media) -> str | None:
    try:
        return fingerprint(medium)
    except MediaError:
        return None


def _own(vector: Vector) -> Vector:
    """A copy: what a caller does to a vector must not reach those that are remembered."""
    return vector if isinstance(vector, Sparse) else np.array(vector)
