"""Texts as the mean of their words' vectors: word2vec, GloVe and fastText files, and model2vec (extra `static`)."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from pydantic import Field

from octant.backends.checkpoints import explained, label_of, place_of
from octant.backends.tokens import reader_of
from octant.backends.torched import import_of, whole
from octant.encoding import EncoderSpec, Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.family import Family, Known, Options
from octant.media import Modality, Text
from octant.vectors import Array, Vector, normalize

__all__ = ["MODEL2VEC", "STATIC", "Model2Vec", "Model2VecOptions", "WordVectors"]


class WordVectors:
    """Texts as the mean of their words' unit vectors, of unit length: gensim's `get_mean_vector`, and fastText's too.

    Words are runs of letters, digits and underscores, with hyphens and apostrophes within, and each other sign by
    itself. A word is looked up as it stands, then in lower case, then, if it is a compound, by its parts. fastText's
    .bin files have vectors of parts of words as well, and so one for nearly every word. Words without a vector do not
    count (see `unknown`); a text that has no others is refused, for its vector would be zero.
    """

    def __init__(self, file: str | Path) -> None:
        """Read a file: word2vec (text or binary), GloVe (text), fastText (.vec or .bin); which one, its bytes tell.

        Raises MissingExtra without gensim, EncoderError where there is no such file or it is of another kind (gensim's
        own are pickles, and are not read), WeightsError for one that is damaged.
        """
        path = Path(file).expanduser()
        self._vectors = _read(path)
        self._subwords = hasattr(self._vectors, "vectors_ngrams")
        self._guess = lru_cache(1 << 16)(self._of_subwords)
        self._dim: int = self._vectors.vector_size
        self.spec = EncoderSpec(f"static:{path.name}@{self._digest()}", Modality.TEXT, self._dim)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:  # noqa: ARG002 (it has no roles)
        """Encode a batch: one unit vector per text. ExceptionGroup of MediaError for texts that have no known word."""
        vectors = [self._mean(text.content) for text in batch]
        _require_known(batch, vectors)
        return list(vectors)

    def unknown(self, text: str) -> list[str]:
        """The words of a text that have no vector, in order."""
        words: list[str] = _WORD.findall(text)
        return [word for word in words if not list(self._rows(word))]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the words of a text lie: start and end in characters, in order."""
        return [found.span() for found in _WORD.finditer(text)]

    def _mean(self, text: str) -> Array:
        rows = [row for word in _WORD.findall(text) for row in self._rows(word)]
        if not rows:
            return np.zeros(self._dim, np.float32)
        mean: Array = np.mean(normalize(np.stack(rows)), axis=0)
        return normalize(mean)

    def _rows(self, word: str) -> Iterator[Array]:
        index: Mapping[str, int] = self._vectors.key_to_index
        for written in (word, word.lower()):
            if written in index:
                yield self._vectors.vectors[index[written]]
                return
        if self._subwords:
            if (row := self._guess(word)) is not None:
                yield row
        elif len(parts := _PART.findall(word)) > 1:
            for part in parts:
                yield from self._rows(part)

    def _of_subwords(self, word: str) -> Array | None:
        try:
            row: Array = self._vectors.get_vector(word)
        except KeyError:
            return None
        return row if row.any() else None

    def _digest(self) -> str:
        made = hashlib.sha256(json.dumps([self._vectors.index_to_key, _WORD.pattern]).encode())
        made.update(np.ascontiguousarray(self._vectors.vectors).data)
        if self._subwords:
            made.update(np.ascontiguousarray(self._vectors.vectors_ngrams).data)
            made.update(f"{self._vectors.min_n} {self._vectors.max_n} {self._vectors.bucket}".encode())
        return made.hexdigest()[:16]


_WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
_PART = re.compile(r"\w+")
_FASTTEXT = struct.pack("<i", 793712314)
"""What fastText's own binary files begin with."""
_DAMAGED = (EOFError, ValueError, AssertionError, NotImplementedError, KeyError, OSError, struct.error)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise EncoderError(str(path), "is no file; give one of word2vec, GloVe or fastText")
    gensim = import_of("gensim.models", "static")
    with path.open("rb") as file:
        head = file.read(1 << 16)
    try:
        if head.startswith(_FASTTEXT):
            vectors: Any = import_of("gensim.models.fasttext", "static").load_facebook_vectors(str(path.resolve()))
        else:
            is_binary, has_header = _form(path, head)
            if not has_header:
                return _glove(path, gensim.KeyedVectors, len(head.partition(b"\n")[0].split()) - 1)
            vectors = gensim.KeyedVectors.load_word2vec_format(
                str(path.resolve()), binary=is_binary, unicode_errors="replace"
            )
            if not is_binary:
                _require_lines(path, int(head.split(maxsplit=1)[0]) + 1)
    except _DAMAGED as error:
        if isinstance(error, EncoderError):
            raise
        raise WeightsError(path, f"cannot be read ({error}); damaged, or quantised: get the whole file") from error
    _require_numbers(path, vectors.vectors)
    return vectors


def _glove(path: Path, kind: Any, length: int) -> Any:
    """Read lines of a word and its numbers. Some words of GloVe have spaces, on which gensim fails."""
    rows: dict[str, Array] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            word, *numbers = line.rstrip().rsplit(" ", length)
            if len(numbers) != length:
                raise ValueError(f"{word[:20]!r} has {len(numbers)} numbers, not {length}")
            rows.setdefault(word, np.array(numbers, np.float32))
    vectors = kind(vector_size=length)
    vectors.add_vectors(list(rows), np.stack(list(rows.values())))
    _require_numbers(path, vectors.vectors)
    return vectors


def _require_numbers(path: Path, vectors: Array) -> None:
    if not np.isfinite(vectors).all():
        raise WeightsError(path, "have numbers that are none (NaN or infinite); get the file again")


def _form(path: Path, head: bytes) -> tuple[bool, bool]:
    """Whether word vectors are binary, and whether a line with their number and length stands before them."""
    if head[:1] == b"\x80":
        raise EncoderError(
            str(path),
            "is a pickle, which could hold code, and is not read; save the vectors anew with "
            "KeyedVectors.save_word2vec_format",
        )
    if head[:2] == b"\x1f\x8b" or head[:2] == b"PK":
        raise EncoderError(str(path), "is packed; unpack it first")
    first, _, rest = head.partition(b"\n")
    match first.split():
        case [count, length] if count.isdigit() and length.isdigit():
            line = rest.partition(b"\n")[0].split(b" ")
            return not (len(line) > int(length) and _is_numbers(line[1 : 1 + int(length)])), True
        case [_, *numbers] if len(numbers) > 1 and _is_numbers(numbers):
            return False, False
        case _:
            raise EncoderError(str(path), "is not of word2vec, GloVe or fastText")


def _is_numbers(words: Sequence[bytes]) -> bool:
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def _require_lines(path: Path, expected: int) -> None:
    """gensim reads no more lines than the first one says, and does not mention the rest."""
    with path.open("rb") as file:
        lines = sum(1 for line in file if line.strip())
    if lines != expected:
        raise WeightsError(path, f"are {lines - 1}, where the first line says {expected - 1}; get the file again")


class Model2VecOptions(Options):
    """How a model of model2vec is asked."""

    revision: str | None = None
    """A commit, tag or branch of the model's repository."""
    dim: int | None = Field(default=None, ge=1)
    """Keep so many of the first dimensions, of unit length again: those of most models are sorted by weight."""


class Model2Vec:
    """Texts as the mean of their tokens' static vectors, of unit length, by model2vec. Texts are never cut.

    A text without a known token is refused, for its vector would be zero.
    """

    def __init__(self, model: str | Path, options: Model2VecOptions | None = None) -> None:
        """Load a model from a folder, or from a hub by its name.

        Raises MissingExtra without model2vec, EncoderError for what is not of model2vec, WeightsError where tensors are
        missing, unknown, or do not fit the tokenizer.
        """
        options = options or Model2VecOptions()
        name = str(model)
        library = import_of("model2vec", "static")
        where = place_of(name)
        with explained(name):
            if not Path(where).is_dir():
                hub = import_of("huggingface_hub", "static")
                wanted = ["*.json", "*model.safetensors", "README.md"]
                where = hub.snapshot_download(where, revision=options.revision, allow_patterns=wanted)
            _require_tensors(name, Path(where))
            self._model: Any = library.StaticModel.from_pretrained(where, max_length=None, force_download=False)
        self._lock = Lock()  # the library sets its tokenizer anew at each call
        made = self._model
        for key, per_token in (("mapping", made.token_mapping), ("weights", made.weights)):
            whole(name, [], mismatched=[key] if per_token is not None and len(per_token) != len(made.tokens) else [])
        if options.dim is not None and options.dim > made.dim:
            raise EncoderError(name, f"has {made.dim} dimensions, of which {options.dim} cannot be kept")
        self._dim = options.dim
        self._reader = reader_of(name, made.tokenizer)
        hashed = hashlib.sha256(self._reader.to_str().encode() + f"{made.embedding.dtype} {options.dim}".encode())
        for array in (made.embedding, made.token_mapping, made.weights):
            hashed.update(b"-" if array is None else np.ascontiguousarray(array).data)
        self.spec = EncoderSpec(
            identity=f"model2vec:{label_of(name)}@{hashed.hexdigest()[:16]}",
            modality=Modality.TEXT,
            dim=options.dim or int(made.dim),
        )

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:  # noqa: ARG002 (it has no roles)
        """Encode a batch: one unit vector per text. ExceptionGroup of MediaError for texts that have no known token."""
        if not batch:
            return []
        with self._lock:
            made: Any = self._model.encode(
                [text.content for text in batch], normalize=False, max_length=None, use_multiprocessing=False
            )
        vectors = list(normalize(made.astype(np.float32)[:, : self._dim]))
        _require_known(batch, vectors)
        return list(vectors)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._reader.encode(text, add_special_tokens=False).offsets


_LAYOUTS = ("model.safetensors", "0_StaticEmbedding/model.safetensors")
_TENSORS = ("embeddings", "embedding.weight", "weights", "mapping")


def _require_tensors(name: str, folder: Path) -> None:
    """The library leaves out what it does not find, and what it does not know, without a word."""
    file = next((folder / one for one in _LAYOUTS if (folder / one).is_file()), None)
    if file is None:
        raise WeightsError(folder, "have no model.safetensors; give a folder that model2vec saved")
    with import_of("safetensors", "static").safe_open(file, framework="numpy") as opened:
        keys = list(opened.keys())
    lacking = [] if set(keys) & set(_TENSORS[:2]) else [_TENSORS[0]]
    whole(name, lacking, [key for key in keys if key not in _TENSORS])


def _require_known(batch: Sequence[Text], vectors: Sequence[Array]) -> None:
    if unknown := [text for text, vector in zip(batch, vectors, strict=True) if not vector.any()]:
        why = "has no word that the model has a vector for; leave it out, or take a model that knows its words"
        raise ExceptionGroup(
            f"{len(unknown)} of {len(batch)} texts have no vector", [MediaError(text, why) for text in unknown]
        )


STATIC = Family(
    name="static",
    summary="vectors of words from a file of word2vec, GloVe or fastText, and their mean for a text",
    modules=("gensim",),
    install="pip install 'octant-search[static]'",
    options=Options,
    load=lambda model, _: [WordVectors(model)],
    known=(
        Known("glove.6B.100d.txt", (Modality.TEXT,), 100, "see its page", note="a file on disk"),
        Known("wiki-news-300d-1M.vec", (Modality.TEXT,), 300, "see its page", note="a file on disk"),
        Known("cc.en.300.bin", (Modality.TEXT,), 300, "see its page", note="a file on disk, with parts of words"),
    ),
)
MODEL2VEC = Family(
    name="model2vec",
    summary="static vectors of tokens, distilled from a transformer: fast on a CPU",
    modules=("model2vec",),
    install="pip install 'octant-search[static]'",
    options=Model2VecOptions,
    load=lambda model, options: [Model2Vec(model, options)],
    known=(
        Known("minishlab/potion-base-8M", (Modality.TEXT,), 256, "see its card"),
        Known("minishlab/potion-multilingual-128M", (Modality.TEXT,), 256, "see its card"),
    ),
)
