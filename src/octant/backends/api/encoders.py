"""Encoders whose model is a service: media become parts of requests, and the answers are checked."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from octant.backends.api.service import ApiOptions, Service, Usage
from octant.backends.batches import decoded
from octant.backends.windows import mean_of_windows, sound_windows, text_windows
from octant.encoding import EncoderSpec, Role
from octant.errors import EncoderError, MediaError, ServiceError
from octant.media import Audio, Image, Media, Modality, Text, decode_audio, decode_image
from octant.vectors import Array, Vector

__all__ = ["Answer", "Offer", "Prompts", "Room", "ServedEncoder", "by_index", "images", "offer_of", "sounds", "texts"]

M = TypeVar("M", bound=Media)

PIXELS = 1568
"""Side of the square whose area an image may have: 2,458,624 pixels, what Cohere scales larger ones down to
(docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v4.html). No provider says that it sees more."""
RATE = 16_000
"""Hz of the sounds that are sent: what models of speech and sound hear at."""

_QUALITIES = (90, 80, 60, 40)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered to one request."""

    rows: Sequence[Any]
    """The numbers of one vector for each input, in order."""
    tokens: int = 0
    """What the provider counted, and bills."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one request of a provider takes."""

    items: int
    tokens: int | None = None
    """Sum over all texts of a request, as estimated."""
    bytes: int = 15_000_000
    """Sum over all inputs, encoded."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """What is said before a text, by its role."""

    query: str = ""
    document: str = ""

    def of(self, role: Role) -> str:
        """What is said before the texts of a role."""
        return self.query if role is Role.QUERY else self.document


@dataclass(frozen=True, slots=True)
class Offer:
    """A model of a provider, as it is asked for."""

    dim: int
    """Length of its vectors."""
    tokens: int
    """How long a text it reads at once."""
    modalities: tuple[Modality, ...] = (Modality.TEXT,)
    shortens: bool = True
    """Whether its vectors may be asked for shorter."""
    asked: int | None = None
    """The length that is asked for; None where its own is meant."""


def offer_of(name: str, model: str, options: ApiOptions, known: Mapping[str, Offer], unknown: Offer) -> Offer:
    """What `options` ask of a model: one that is known, or another of which `dim` says the length.

    Raises EncoderError for a dimension that it does not have, and for an unknown model without one. No request is made.
    """
    offer = known.get(model)
    tokens = options.tokens
    if offer is None:
        if options.dim is None:
            listed = ", ".join(known)
            raise EncoderError(name, f"octant does not know how long its vectors are; add dim= (it knows {listed})")
        return replace(unknown, dim=options.dim, asked=options.dim, tokens=tokens or unknown.tokens)
    if options.dim is not None and (options.dim > offer.dim or (options.dim < offer.dim and not offer.shortens)):
        raise EncoderError(name, f"it has {offer.dim} dimensions{' at most' if offer.shortens else ', and no other'}")
    asked = None if options.dim == offer.dim else options.dim
    return replace(offer, dim=options.dim or offer.dim, asked=asked, tokens=min(tokens or offer.tokens, offer.tokens))


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a medium as it is sent: a window of a text, an image as base64 of a JPEG, a window of a sound."""

    content: str
    length: int
    """What it weighs in the mean of its medium."""
    tokens: int = 0
    """What it takes of a request's room for tokens."""


class ServedEncoder(Generic[M]):
    """Media of one modality as unit vectors that a service makes.

    `encode` is thread-safe. It raises ServiceError where the service fails, or answers with anything but one finite
    vector of `spec.dim` numbers for each input; media that cannot be decoded are refused before anything is sent.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        service: Service,
        room: Room,
        prepare: Callable[[M, Role], list[_Part]],
        ask: Callable[[list[str], Role], Answer],
    ) -> None:
        """Put an encoder together; `texts`, `images` and `sounds` do it for each modality."""
        self.spec = spec
        self._service = service
        self._room = room
        self._prepare = prepare
        self._ask = ask

    @property
    def usage(self) -> Usage:
        """What the service was asked for so far, by all encoders that were loaded together."""
        return self._service.usage

    def encode(self, batch: Sequence[M], role: Role) -> list[Vector]:
        """Encode a batch: one vector per medium, in order."""
        if not batch:
            return []
        media = decoded(lambda one: self._prepare(one, role), batch)
        requests = list(self._requests([part for parts in media for part in parts]))
        parallel = min(self._service.options.parallel, len(requests))
        if parallel == 1:
            answers = [self._answer(request, role) for request in requests]
        else:
            pool = ThreadPoolExecutor(parallel, thread_name_prefix="octant-ask")
            try:
                asked = [pool.submit(self._answer, request, role) for request in requests]
                answers = [one.result() for one in asked]
            finally:
                pool.shutdown(cancel_futures=True)  # after a failure, what has not begun is not paid for
        rows = iter(row for answer in answers for row in answer)
        return [mean_of_windows([next(rows) for _ in parts], [part.length for part in parts]) for parts in media]

    def _requests(self, parts: Iterable[_Part]) -> Iterator[list[_Part]]:
        """Fill one request after the other."""
        request: list[_Part] = []
        tokens = size = 0
        for part in parts:
            weight = len(part.content.encode())
            full = len(request) == self._room.items or size + weight > self._room.bytes
            if request and (full or (self._room.tokens is not None and tokens + part.tokens > self._room.tokens)):
                yield request
                request, tokens, size = [], 0, 0
            request.append(part)
            tokens += part.tokens
            size += weight
        yield request

    def _answer(self, request: Sequence[_Part], role: Role) -> Array:
        """Ask, count, and check: float32 [inputs, dim], unit rows."""
        answer = self._service.ask(lambda: self._ask([part.content for part in request], role))
        self._service.usage.add(tokens=answer.tokens)
        return _checked(self._service.name, answer.rows, len(request), self.spec.dim)


def texts(
    service: Service,
    name: str,
    dim: int,
    tokens: int,
    room: Room,
    ask: Callable[[list[str], Role], Answer],
    *,
    prompts: Prompts | None = None,
    notes: Sequence[Any] = (),
) -> ServedEncoder[Text]:
    """Make an encoder of texts that a service reads: `tokens` at once, as `estimate` guesses; longer ones in windows.

    `name` is FAMILY:MODEL. `notes` are plain data of all that makes another vector of the same text.
    """
    from octant.adapters.chunks import estimate  # here, since adapters bring the store's client with them

    prompts = prompts or Prompts()

    def prepare(text: Text, role: Role) -> list[_Part]:
        if not text.content.strip():
            raise MediaError(text, "has no words, which services refuse; leave it out")
        prompt = prompts.of(role)
        windows = [*text_windows(text.content, estimate, max(1, tokens - len(estimate(prompt))))]
        counts = [len(estimate(window)) for window in windows]
        return [_Part(prompt + window, count, count) for window, count in zip(windows, counts, strict=True)]

    spec = EncoderSpec(
        identity=_identity(name, dim, ["text", tokens, prompts.query, prompts.document, *notes]),
        modality=Modality.TEXT,
        dim=dim,
        tokens=max(1, tokens - max(len(estimate(prompts.query)), len(estimate(prompts.document)))),
    )
    return ServedEncoder(spec, service, room, prepare, ask)


def images(
    service: Service,
    name: str,
    dim: int,
    room: Room,
    ask: Callable[[list[str], Role], Answer],
    *,
    most_bytes: int,
    side: int = PIXELS,
    notes: Sequence[Any] = (),
) -> ServedEncoder[Image]:
    """Make an encoder of images: sent as base64 of a JPEG of at most side * side pixels and `most_bytes` of base64."""

    def prepare(image: Image, role: Role) -> list[_Part]:  # noqa: ARG001 - what is sent is the same in both roles
        return [_Part(_jpeg(image, side, most_bytes), 1)]

    spec = EncoderSpec(
        identity=_identity(name, dim, ["image", side, most_bytes, *_QUALITIES, *notes]),
        modality=Modality.IMAGE,
        dim=dim,
        pixels=side,
    )
    return ServedEncoder(spec, service, room, prepare, ask)


def sounds(
    service: Service,
    name: str,
    dim: int,
    seconds: float,
    room: Room,
    ask: Callable[[list[str], Role], Answer],
    *,
    notes: Sequence[Any] = (),
) -> ServedEncoder[Audio]:
    """Make an encoder of sounds: sent as base64 of WAV (16 kHz, 16 bits, mono), in windows of at most `seconds`."""

    def prepare(audio: Audio, role: Role) -> list[_Part]:  # noqa: ARG001 - what is sent is the same in both roles
        windows = sound_windows(decode_audio(audio, RATE), int(seconds * RATE))
        return [_Part(_wav(window), len(window)) for window in windows]

    spec = EncoderSpec(
        identity=_identity(name, dim, ["audio", seconds, RATE, *notes]),
        modality=Modality.AUDIO,
        dim=dim,
        seconds=seconds,
        rate=RATE,
    )
    return ServedEncoder(spec, service, room, prepare, ask)


def by_index(service: str, entries: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Put vectors in the order of their inputs, by the index that each came with.

    Raises ServiceError unless the indices are 0, 1, 2 … in some order.
    """
    placed = dict(entries)
    if len(placed) != len(entries) or set(placed) != set(range(len(entries))):
        raise ServiceError(service, "answered with indices that are not those of the inputs; ask again, or report it")
    return [placed[index] for index in range(len(entries))]


def _checked(service: str, rows: Sequence[Any], inputs: int, dim: int | None) -> Array:
    if len(rows) != inputs:
        raise ServiceError(service, f"answered {len(rows)} vectors for {inputs} inputs; ask again, or report it")
    lengths = {len(row) if hasattr(row, "__len__") else 0 for row in rows}
    if lengths != {dim}:
        found = ", ".join(map(str, sorted(lengths - {dim})))
        raise ServiceError(service, f"answered vectors of {found} numbers, not {dim}; is dim= that of this model?")
    try:
        matrix = np.asarray(rows, np.float64)
    except (TypeError, ValueError) as error:
        raise ServiceError(service, "answered vectors that are no numbers; ask again, or report it") from error
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    # written so that NaN fails as well
    if not (np.isfinite(matrix).all() and (norms > 0).all()):
        raise ServiceError(service, "answered a vector that is not finite, or zero; ask again, or report it")
    unit: Array = (matrix / norms).astype(np.float32)
    return unit


def _identity(name: str, dim: int, notes: Sequence[Any]) -> str:
    """Who the encoder is: weights of a service cannot be hashed, its name stands for them. No key, no address."""
    digest = hashlib.sha256(json.dumps([dim, *notes], sort_keys=True).encode()).hexdigest()[:16]
    return f"{name}?dim={dim}@{digest}"


def _jpeg(image: Image, side: int, most_bytes: int) -> str:
    picture: Any = decode_image(image, shortest=side)
    shrink = side / math.sqrt(picture.width * picture.height)
    while True:
        small = picture
        if shrink < 1:
            size = max(1, int(picture.width * shrink)), max(1, int(picture.height * shrink))
            small = picture.resize(size, 3, reducing_gap=3.0)  # 3 = PIL.Image.Resampling.BICUBIC
        for quality in _QUALITIES:
            file = io.BytesIO()
            small.save(file, "JPEG", quality=quality)
            if 4 * math.ceil(file.tell() / 3) <= most_bytes:
                return base64.b64encode(file.getvalue()).decode()
        if max(small.size) <= 16:
            raise MediaError(image, f"does not become a JPEG of {most_bytes:,} bytes; export it again")
        shrink = min(shrink, 1.0) * 0.7


def _wav(samples: Array) -> str:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1.0, 1.0), RATE, format="WAV", subtype="PCM_16")
    return base64.b64encode(file.getvalue()).decode()
