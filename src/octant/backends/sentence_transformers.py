"""Models of sentence-transformers: texts with prompts, and models that read images and sounds too."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from pydantic import Field

from octant.backends.batches import Batches, decoded
from octant.backends.checkpoints import explained, label_of, longest_of, place_of, said_of, weighed
from octant.backends.tokens import ENDLESS, Reading, reader_of
from octant.backends.torched import TorchOptions, digest_of, import_of, on_device, rows_of, torch
from octant.backends.windows import mean_of_windows, sound_windows
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError, MediaError
from octant.family import Family, Known
from octant.media import Audio, Image, Media, Modality, Text, decode_audio, decode_image
from octant.vectors import Array, Vector, normalize

__all__ = [
    "FAMILY",
    "SentenceMedia",
    "SentenceOptions",
    "SentenceTexts",
    "asked_of",
    "backbones",
    "home_of",
    "limit_of",
    "made_of",
    "prompt_of",
    "reader_for",
    "require_understood",
    "sentence_transformers",
    "stored",
]

Run = Callable[[Sequence[tuple[Role, Any]]], Sequence[Array]]
"""A model: from media of one role, as it takes them, to one row for each."""


class SentenceOptions(TorchOptions):
    """How a model of sentence-transformers is asked."""

    dim: int | None = Field(default=None, ge=1)
    """Keep so many of the first dimensions, of unit length again: for models that were trained for it (Matryoshka)."""
    query: str | None = None
    """What is put before each query, instead of the model's own prompt; an empty one is none."""
    document: str | None = None
    """What is put before each document, likewise."""


def sentence_transformers(model: str | Path, options: SentenceOptions | None = None) -> list[Encoder[Any]]:
    """Load a model from a folder, or from a hub by its name: an encoder for each modality that it reads.

    Vectors have unit length, unless the model compares them by their inner product (`similarity_fn_name`): then they
    are as the model gives them, and a space compares them so (`spec.by_dot`).

    Raises MissingExtra without sentence-transformers, WeightsError for a checkpoint that has not just the weights of
    its model, and EncoderError for models that sentence-transformers would read wrongly (waveform models, Whisper,
    CLAP) or pool at its own choice (a checkpoint that is not one of its own). Code that comes with one is never run.
    """
    options = options or SentenceOptions()
    name = str(model)
    library = import_of("sentence_transformers", "sentence-transformers")
    where = home_of(name)
    prompts = {key: said for key in ("query", "document") if (said := getattr(options, key)) is not None}
    with explained(name):
        _require_own(name, where, options.revision)
        require_understood(name, where, options.revision)
        loaded: Any = library.SentenceTransformer(where, device="cpu", prompts=prompts, **asked_of(options))
        for path, transformer in backbones(loaded, where, options.revision):
            _require_right(name, transformer, options)
            _require_pooling(name, where, options.revision, transformer)
            _check(name, where, path, transformer, options)
    loaded = on_device(loaded, name, options)
    return _encoders(name, loaded, options)


class SentenceTexts:
    """Texts as one vector each. One that is longer than the model reads at once is read in windows, each with the
    prompt, and its vector is the mean of theirs, weighted by their tokens."""

    def __init__(
        self,
        spec: EncoderSpec,
        readings: Mapping[Role, Reading],
        batches: Batches[Any, Array],
        marks: Sequence[str] = (),
        *,
        is_unit: bool = True,
        is_filled: bool = False,
    ) -> None:
        """`marks` are the words by which the model is shown other media: it takes no text that has one of them.

        `is_unit` says whether its vectors have unit length, so that the means of windows get it as well; `is_filled`,
        whether it reads every text at one length, so that none costs less than another.
        """
        self.spec = spec
        self._is_filled = is_filled
        self._marks = marks
        self._is_unit = is_unit
        self._readings = readings
        self._batches = batches

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        """Encode a batch: one vector per text.

        ExceptionGroup of MediaError for texts of whose words a static model knows none, and for those that have a word
        which stands for a picture or a sound in a model that sees and hears, such as `<|image|>`.
        """
        marked = [(text, mark) for text in batch if (mark := self._mark_in(text.content)) is not None]
        if marked:
            why = "has {}, by which the model is shown other media; leave that out"
            raise ExceptionGroup(
                f"{len(marked)} texts cannot be encoded", [MediaError(text, why.format(mark)) for text, mark in marked]
            )
        reading = self._readings[role]
        windows = reading.windows([text.content for text in batch])
        flat = [pair for several in windows for pair in several]
        lengths = [1 if self._is_filled else len(encoding.ids) for _, encoding in flat]
        rows = iter(self._batches([(role, window) for window, _ in flat], lengths))
        vectors = [
            _mean([next(rows) for _ in several], [reading.length(encoding) for _, encoding in several], self._is_unit)
            for several in windows
        ]
        if unknown := [text for text, vector in zip(batch, vectors, strict=True) if not vector.any()]:
            why = "has nothing that the model knows, and would be a vector of zeros; leave it out"
            raise ExceptionGroup(f"{len(unknown)} texts cannot be encoded", [MediaError(text, why) for text in unknown])
        return list(vectors)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._readings[Role.DOCUMENT].spans(text)

    def _mark_in(self, content: str) -> str | None:
        return next((mark for mark in self._marks if mark in content), None)


class SentenceMedia:
    """Images or sounds as one vector each. A sound that is longer than the model hears at once is heard in windows of
    equal length, and its vector is the mean of theirs."""

    def __init__(self, spec: EncoderSpec, batches: Batches[Any, Array], *, is_unit: bool = True) -> None:
        """`is_unit` as for texts."""
        self.spec = spec
        self._is_unit = is_unit
        self._batches = batches

    def encode(self, batch: Sequence[Media], role: Role) -> list[Vector]:
        """Encode a batch: one vector per medium. ExceptionGroup of MediaError where some cannot be decoded."""
        vectors: list[Vector] = []
        errors: list[Exception] = []
        for start in range(0, len(batch), _HELD):
            try:
                windows = decoded(self._windows, batch[start : start + _HELD])
            except ExceptionGroup as group:
                errors += group.exceptions
                continue
            if errors:
                continue  # nothing will be returned: only look for what else cannot be decoded
            flat = [window for several in windows for window in several]
            rows = iter(self._batches([(role, given) for given, _ in flat], [length for _, length in flat]))
            vectors += [
                _mean([next(rows) for _ in several], [n for _, n in several], self._is_unit) for several in windows
            ]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(batch)} media cannot be decoded", errors)
        return vectors

    def _windows(self, medium: Media) -> list[tuple[Any, int]]:
        """What the model is given for a medium, and its length."""
        if isinstance(medium, Image):
            return [({"image": decode_image(medium, shortest=self.spec.pixels)}, 1)]
        rate, seconds = self.spec.rate, self.spec.seconds
        if not isinstance(medium, Audio) or rate is None:
            raise TypeError(f"an image or a sound is needed, not {medium!r}")
        samples = decode_audio(medium, rate)
        cut = sound_windows(samples, None if seconds is None else int(seconds * rate))
        return [({"audio": {"array": window, "sampling_rate": rate}}, len(window)) for window in cut]


_HELD = 64
"""Media that are held decoded: enough for several batches, and little memory."""


def _mean(rows: Sequence[Array], lengths: Sequence[int], is_unit: bool) -> Array:
    """The mean of windows, weighted by their lengths: of unit length where the rows are."""
    if len(rows) == 1:
        return rows[0]
    if is_unit:
        return mean_of_windows(rows, lengths)
    mean: Array = np.average(rows, axis=0, weights=lengths).astype(np.float32)
    return mean


def _encoders(name: str, model: Any, options: SentenceOptions) -> list[Encoder[Any]]:
    modalities = [one for one in Modality if one.value in model.modalities]
    if not modalities:
        raise EncoderError(name, f"reads {model.modalities}, of which octant has none alone")
    transformer: Any = model.transformers_model
    processing = _processing(transformer)
    compares: str = model.similarity_fn_name
    if compares not in ("cosine", "dot"):
        raise EncoderError(name, f"compares by {compares}, and octant by cosine or by the inner product")
    is_cosine = compares == "cosine"
    wrapped = modalities != [Modality.TEXT] or "message" in model.modalities
    lock = Lock()  # the modalities share one model

    def run(media: Sequence[tuple[Role, Any]]) -> Sequence[Array]:
        role = media[0][0]
        # a bare text could be taken for the address of a picture, and fetched
        given = [{"text": one} if wrapped and isinstance(one, str) else one for _, one in media]
        encode = model.encode_query if role is Role.QUERY else model.encode_document
        with lock:
            rows = encode(
                given,
                prompt=prompt_of(model, role),
                batch_size=len(given),
                show_progress_bar=False,
                convert_to_tensor=True,
                **processing,
            )
        kept = rows_of(rows)[:, : options.dim]
        return list(normalize(kept) if is_cosine else kept)

    facts = _facts(model)
    noted = [made_of(model), processing, is_cosine, options.dim, options.dtype, facts]
    identity = f"sentence_transformers:{label_of(name)}@"
    readings: dict[Role, Reading] = {}
    if Modality.TEXT in modalities:
        readings = {role: _reading(name, model, role) for role in Role}
        noted.append(
            {role: [one.tokenizer.to_str(), prompt_of(model, role), one.room] for role, one in readings.items()}
        )
    identity += digest_of(model, noted)
    batches: Batches[Any, Array] = Batches(run, size=options.batch)
    made: list[Encoder[Any]] = []
    for modality in modalities:
        dim = len(run([(Role.DOCUMENT, _probe(modality, facts))])[0])
        if options.dim is not None and dim < options.dim:
            raise EncoderError(name, f"has {dim} dimensions, of which {options.dim} cannot be kept")
        if modality is Modality.TEXT:
            rooms = [one.room for one in readings.values() if one.room is not None]
            spec = EncoderSpec(identity, modality, dim, tokens=min(rooms, default=None), by_dot=not is_cosine)
            made.append(
                SentenceTexts(spec, readings, batches, facts["marks"], is_unit=is_cosine, is_filled=bool(processing))
            )
        elif modality is Modality.IMAGE:
            spec = EncoderSpec(identity, modality, dim, pixels=facts["pixels"], by_dot=not is_cosine)
            made.append(SentenceMedia(spec, Batches(run, size=options.batch), is_unit=is_cosine))
        else:
            spec = EncoderSpec(
                identity, modality, dim, seconds=facts["seconds"], rate=facts["rate"], by_dot=not is_cosine
            )
            made.append(SentenceMedia(spec, Batches(run, size=options.batch), is_unit=is_cosine))
    return made


def _processing(transformer: Any) -> dict[str, Any]:
    """SigLIP was trained on texts padded to their full length, and sees the padding; the library does not pad so."""
    kind: str = getattr(getattr(transformer, "config", None), "model_type", "")
    if kind not in ("siglip", "siglip2"):
        return {}
    length: int = transformer.config.text_config.max_position_embeddings
    return {"processing_kwargs": {"text": {"padding": "max_length", "max_length": length}}}


def _reading(name: str, model: Any, role: Role) -> Reading:
    reader = reader_of(name, reader_for(model, role).tokenizer)
    prompt, longest = prompt_of(model, role), limit_of(model, role)
    if "message" not in model.modalities:
        return Reading(name, reader, longest, prompt)
    # a chat template puts the prompt and more around a text; two tokens are to spare, for those that meet there
    framed: Any = model.preprocess([{"text": "a"}], prompt=prompt, task=role.value)["input_ids"]
    frame = framed.shape[1] - len(reader.encode("a").ids) + 2
    return Reading(name, reader, longest, frame=frame)


def prompt_of(model: Any, role: Role) -> str:
    """The prompt for a role, as `encode_query` and `encode_document` of sentence-transformers choose it."""
    names = ["query"] if role is Role.QUERY else ["document", "passage", "corpus"]
    said: list[str | None] = [model.prompts[name] for name in names if name in model.prompts]
    return (said[0] if said else model.prompts.get(model.default_prompt_name)) or ""


def reader_for(model: Any, role: Role) -> Any:
    """The part of a model of sentence-transformers that reads texts of a role: its first, or the first of a route."""
    first = model[0]
    routes: Mapping[str, Any] = getattr(first, "sub_modules", {})
    return routes[role.value][0] if role.value in routes else first


def limit_of(model: Any, role: Role) -> int | None:
    """How many tokens a model of sentence-transformers reads at once, prompt and special tokens among them."""
    part = reader_for(model, role)
    if not hasattr(part, "auto_model"):
        longest: float | None = getattr(part, "max_seq_length", None)
        return int(longest) if longest is not None and longest < ENDLESS else None
    limits = [longest_of(part.auto_model, part.tokenizer), getattr(part, f"{role.value}_length", None)]
    return min((one for one in limits if isinstance(one, int)), default=None)


def home_of(name: str) -> str:
    """The folder that a name means, or a name on the hub: one without an owner is of the library's own, as it says.

    Raises EncoderError for a folder that is not there.
    """
    where = place_of(name)
    return where if Path(where).is_dir() or "/" in name else f"sentence-transformers/{name}"


def asked_of(options: TorchOptions) -> dict[str, Any]:
    """What sentence-transformers is told when it loads: in which precision, and to run no code that comes along."""
    return {
        "revision": options.revision,
        "trust_remote_code": False,
        "model_kwargs": {"dtype": getattr(torch(), options.dtype)},
    }


def stored(where: str, file: str, revision: str | None, subfolder: str = "") -> Any:
    """Read a JSON file of a model; None where it has none."""
    util: Any = import_of("sentence_transformers.util", "sentence-transformers")
    path: str | None = util.load_file_path(where, file, subfolder=subfolder, revision=revision)
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def backbones(model: Any, where: str, revision: str | None) -> Iterator[tuple[str, Any]]:
    """The models of transformers within one of sentence-transformers, and where in the checkpoint each lies."""
    parts: list[Mapping[str, Any]] = stored(where, "modules.json", revision) or [{"name": "0", "path": ""}]
    children = dict(model.named_children())
    for part in parts:
        child = children[part["name"]]
        if hasattr(child, "auto_model"):
            yield part["path"], child
        elif hasattr(child, "sub_modules"):
            routes: Mapping[str, list[str]] = stored(where, "router_config.json", revision, part["path"])["structure"]
            found = {key: child.sub_modules[route][at] for route, keys in routes.items() for at, key in enumerate(keys)}
            yield from (
                (f"{part['path']}/{key}".lstrip("/"), one) for key, one in found.items() if hasattr(one, "auto_model")
            )


def _check(name: str, where: str, path: str, transformer: Any, options: TorchOptions) -> None:
    """Load the weights a second time, for what transformers says of them: sentence-transformers does not pass it on."""
    network: Any = transformer.model
    outputs: list[Any] = [one["method_output_name"] for one in transformer.modality_config.values()]
    loaded: Any = network.__class__.from_pretrained(
        where,
        config=network.config,
        subfolder=path,
        revision=options.revision,
        trust_remote_code=False,
        output_loading_info=True,
    )
    is_pooled = "pooler_output" in outputs
    weighed(name, loaded, pooler=is_pooled)
    if not is_pooled and getattr(network, "pooler", None) is not None:
        network.pooler = None  # it is not asked, and many checkpoints have none


def _require_own(name: str, where: str, revision: str | None) -> None:
    told: Mapping[str, Any] = stored(where, "config_sentence_transformers.json", revision) or {}
    kind: str = told.get("model_type") or "SentenceTransformer"
    families = {"SparseEncoder": "splade", "MultiVectorEncoder": "multi_vector"}
    if kind != "SentenceTransformer":
        remedy = f"name {families[kind]}:{name}" if kind in families else "it does not make vectors"
        raise EncoderError(name, f"is a {kind}; {remedy}")


def require_understood(name: str, where: str, revision: str | None) -> None:
    """Raise EncoderError for a Dense layer of which sentence-transformers would leave something out.

    It warns alone, and takes Tanh where the activation is not torch's own, and no notice of settings that are not its
    own either.
    """
    dense: Any = import_of("sentence_transformers.base.modules", "sentence-transformers").Dense
    known = set(inspect.signature(dense).parameters)
    for path, kind in _parts(where, revision):
        if not kind.endswith(".Dense"):
            continue
        told: Mapping[str, Any] = stored(where, "config.json", revision, path) or {}
        activation = str(told.get("activation_function", "torch."))
        if not activation.startswith("torch."):
            raise EncoderError(
                name,
                f"its layer {path} works with {activation}, for which sentence-transformers would take Tanh; save it "
                "with one of torch.nn",
            )
        if unknown := sorted(set(told) - known):
            raise EncoderError(
                name, f"its layer {path} has {', '.join(unknown)}, which sentence-transformers would leave out"
            )


def _parts(where: str, revision: str | None) -> Iterator[tuple[str, str]]:
    """The parts of a model, those of routes among them: where each lies, and of which class it is."""
    parts: list[Mapping[str, Any]] = stored(where, "modules.json", revision) or []
    for part in parts:
        path: str = part["path"]
        yield path, part["type"]
        if part["type"].endswith((".Router", ".Asym")):
            told: Any = stored(where, "router_config.json", revision, path)
            told = told or stored(where, "config.json", revision, path) or {}  # as older ones have it
            routed: Mapping[str, str] = told.get("types", {})
            yield from ((f"{path}/{key}".lstrip("/"), kind) for key, kind in routed.items())


def _require_right(name: str, transformer: Any, options: TorchOptions) -> None:
    kind: str = transformer.config.model_type
    if kind.startswith("embedding_gemma") and options.dtype == "float16":
        raise EncoderError(name, "overflows in float16; ask for dtype=bfloat16 or float32")
    if kind == "clap":
        raise EncoderError(name, "hears a part of a long sound that is chosen at random this way; name clap:… instead")
    if "audio" in transformer.modalities and "message" not in transformer.modalities:
        why = "has random weights this way" if kind == "whisper" else "averages over the padding of a batch this way"
        raise EncoderError(name, f"a {kind} model {why}; name hf_audio:{name} instead")


def _require_pooling(name: str, where: str, revision: str | None, transformer: Any) -> None:
    if transformer.module_output_name == "token_embeddings" and stored(where, "modules.json", revision) is None:
        family = "hf_text" if "text" in transformer.modalities else "hf_image"
        raise EncoderError(
            name,
            "does not say how its tokens are pooled (it has no modules.json), and sentence-transformers would choose; "
            f"choose yourself: {family}:{name}?pooling=…",
        )


def made_of(model: Any) -> list[Any]:
    """How the parts of a model work, beside their weights."""
    noted: list[Any] = []
    for part in model.modules():
        if hasattr(part, "auto_model"):
            noted += [type(part).__name__, said_of(part.config), getattr(part, "query_expansion", None)]
        elif hasattr(part, "get_config_dict"):
            noted += [type(part).__name__, part.get_config_dict()]
    return noted


def _facts(model: Any) -> dict[str, Any]:
    """What a model wants of pictures and sounds: pixels, seconds and rate, and how it prepares them."""
    transformer: Any = next((part for part in model.modules() if hasattr(part, "auto_model")), None)
    processor: Any = getattr(transformer, "processor", None)
    pictures: Any = getattr(processor, "image_processor", processor if hasattr(processor, "image_mean") else None)
    sounds: Any = getattr(processor, "feature_extractor", None)
    size: Mapping[str, Any] = getattr(pictures, "size", None) or {}
    sides = [size[key] for key in ("shortest_edge", "height", "width") if size.get(key)]
    hears: Any = math.inf
    if hasattr(processor, "audio_seq_length"):
        hears = processor.audio_seq_length * processor.audio_ms_per_token / 1000
    return {
        "pixels": 2 * max(sides) if sides else None,
        "seconds": min(hears, getattr(sounds, "chunk_length", None) or _HEARD) if sounds is not None else None,
        "rate": getattr(sounds, "sampling_rate", None),
        "marks": [str(mark) for kind in _MARKED if (mark := getattr(processor, f"{kind}_token", None)) is not None],
        "pictures": _plain(pictures),
        "sounds": _plain(sounds),
    }


_MARKED = ("image", "audio", "video")
_HEARD = 30.0
"""Seconds that models hear at once where they do not say: none is known that hears less."""


def _plain(processor: Any) -> dict[str, Any]:
    """How pictures or sounds are prepared, without what a library calls its classes."""
    told: Mapping[str, Any] = processor.to_dict() if processor is not None else {}
    kinds = (str, int, float, bool, list, dict, tuple)
    return {
        key: value
        for key, value in told.items()
        if isinstance(value, kinds) and not key.startswith("_") and not key.endswith(("_type", "_class"))
    }


def _probe(modality: Modality, facts: Mapping[str, Any]) -> Any:
    """A medium of which the dimensions are learnt: what a config calls them is not always what comes out."""
    match modality:
        case Modality.TEXT:
            return "a"
        case Modality.IMAGE:
            import PIL.Image

            return {"image": PIL.Image.new("RGB", (128, 128), "white")}
        case Modality.AUDIO:
            rate: int = facts["rate"]
            noise = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
            return {"audio": {"array": noise, "sampling_rate": rate}}


FAMILY = Family(
    name="sentence_transformers",
    summary="models of sentence-transformers: dense texts, CLIP-like and any-to-any models, static embeddings",
    modules=("torch", "sentence_transformers"),
    install="pip install 'octant-search[sentence-transformers]'",
    options=SentenceOptions,
    load=sentence_transformers,
    known=(
        Known("all-MiniLM-L6-v2", (Modality.TEXT,), 384, "see its card"),
        Known("Qwen/Qwen3-Embedding-0.6B", (Modality.TEXT,), 1024, "Apache-2.0"),
        Known(
            "google/embeddinggemma-2",
            (Modality.TEXT, Modality.IMAGE, Modality.AUDIO),
            768,
            "Apache-2.0",
            note="any to any; dim=512, 256 or 128; never in float16",
        ),
    ),
    roles=True,
)
