"""CLIP models of OpenCLIP: texts and images in one space, by open_clip_torch (extra `open-clip`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.backends.checkpoints import explained, place_of
from octant.backends.torched import TorchOptions, import_of, inference, on_device, rows_of, torch, whole
from octant.backends.towers import (
    ImageTower,
    Inputs,
    Reading,
    TextTower,
    called,
    identity,
    marks_of,
    middle_of,
    plainly,
    reading_of,
    sharp,
    word_spans,
)
from octant.encoding import Encoder, EncoderSpec
from octant.errors import EncoderError, WeightsError
from octant.family import Family, Known
from octant.media import Modality
from octant.vectors import Array, normalize

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["FAMILY", "OpenClip"]


class OpenClip:
    """A model of OpenCLIP: `text` and `image` are encoders of one space, vectors of unit length.

    `model` is ARCHITECTURE/TAG as `open_clip.list_pretrained` has them, hf-hub:ORG/NAME, or a folder that has
    open_clip_config.json, the weights, and a tokenizer where it is not OpenAI's. Raises MissingExtra without open_clip,
    WeightsError where weights are missing or do not fit, EncoderError for a model that is not known.
    """

    def __init__(self, model: str, options: TorchOptions = TorchOptions()) -> None:  # noqa: B008
        library = import_of("open_clip", "open-clip")
        _require_no_code(library, model)
        self._model = on_device(_load(library, model, options), model, options)
        tokenizer = _tokenizer(library, model)
        _read_marks_as_words(tokenizer)
        reading = _reading(tokenizer)
        limit = int(tokenizer.context_length) - reading.special
        shape: dict[str, Any] = dict(self._model.visual.preprocess_cfg)
        self._transform: Any = library.transform.image_transform_v2(
            library.transform.PreprocessCfg(**shape), is_train=False
        )
        self._is_cropped = shape.get("resize_mode", "shortest") == "shortest"
        size: int | Sequence[int] = shape["size"]
        side = size if isinstance(size, int) else max(size)
        notes = shape, _architecture(library, model), reading.told, [limit, options.dtype]
        who = identity("open_clip", model, self._model, *notes)
        self._can_cut = _can_cut(library, self._model)
        with inference():
            probed = self._texts({"text": tokenizer(["a"])})
        dim = int(probed[0].shape[0])
        self.text = TextTower(
            EncoderSpec(who, Modality.TEXT, dim, tokens=limit),
            reading.spans,
            lambda texts: {"text": tokenizer(list(texts))},
            self._texts,
            is_filled=not self._can_cut,
            batch=options.batch,
        )
        self.image = ImageTower(
            EncoderSpec(who, Modality.IMAGE, dim, pixels=sharp(side)), self._prepare, self._images, batch=options.batch
        )

    def _prepare(self, picture: PIL.Image.Image) -> Inputs:
        return {"image": self._transform(middle_of(picture) if self._is_cropped else picture)[None]}

    def _images(self, inputs: Inputs) -> Sequence[Array]:
        return list(normalize(rows_of(self._model.encode_image(**called(self._model, inputs)))))

    def _texts(self, inputs: Inputs) -> Sequence[Array]:
        ids = called(self._model, inputs)["text"]
        with inference():
            made: Any = _encode_cut(self._model, ids) if self._can_cut else self._model.encode_text(ids)
            return list(normalize(rows_of(made)))


def _load(library: Any, model: str, options: TorchOptions) -> Any:
    where, tag = _named(model)
    if options.revision is not None:
        raise EncoderError(model, "open_clip loads no revisions; download the one you want and name its folder")
    quick = tag is not None and _is_quick(library, model, where, tag)
    try:
        loaded = library.create_model(where, pretrained=tag, require_pretrained=True, force_quick_gelu=quick)
        resized = _resized(where, loaded)
    except (RuntimeError, OSError, ValueError) as error:
        raise WeightsError(
            model,
            f"{str(error).strip()}; name ARCHITECTURE/TAG of open_clip.list_pretrained(), hf-hub:ORG/NAME, or a folder "
            "that has open_clip_config.json and all weights",
        ) from error
    whole(model, (), mismatched=resized)
    return loaded


def _resized(where: str, loaded: Any) -> list[str]:
    """Positions of which a checkpoint has more or fewer: open_clip interpolates them to what the config asks for."""
    kind, colon, place = where.partition(":")
    if not colon:
        return []  # what is built is what open_clip says itself
    factory = import_of("open_clip.factory", "open-clip")
    find = factory._find_checkpoint_in_dir if kind == "local-dir" else factory.download_pretrained_from_hf
    file = Path(find(Path(place) if kind == "local-dir" else place))
    if file.suffix in (".npz", ".npy"):
        return []  # of another library, whose names open_clip translates
    found: dict[str, Any] = factory.load_state_dict(str(file))
    built: dict[str, Any] = loaded.state_dict()
    named = {key: key if key in built else f"text.{key}" for key in found if key.endswith("positional_embedding")}
    return [key for key, name in named.items() if name in built and built[name].shape != found[key].shape]


def _is_quick(library: Any, model: str, architecture: str, tag: str) -> bool:
    """Whether a tag's weights were trained with QuickGELU: open_clip only warns where the architecture has none."""
    told: dict[str, Any] = library.get_pretrained_cfg(architecture, tag)
    if not told:
        tags = ", ".join(library.list_pretrained_tags_by_model(architecture))
        remedy = f"its tags are {tags}" if tags else "see open_clip.list_pretrained()"
        raise EncoderError(model, f"open_clip has no such weights; {remedy}")
    return bool(told.get("quick_gelu"))


def _architecture(library: Any, model: str) -> dict[str, Any]:
    """What of a model is not seen in its weights, such as its activation; where its parts came from is not of that."""
    where, tag = _named(model)
    config: dict[str, Any] = library.get_model_config(where)
    told = dict(config) | {"quick": tag is not None and _is_quick(library, model, where, tag)}
    for tower in ("vision_cfg", "text_cfg"):
        told[tower] = {key: value for key, value in config[tower].items() if not key.endswith("_name")}
    return told


def _named(model: str) -> tuple[str, str | None]:
    """What open_clip calls a model, and the tag of its weights."""
    where = place_of(model)
    if Path(where).is_dir():
        return f"local-dir:{where}", None
    if model.startswith("hf-hub:"):
        return model, None
    architecture, slash, tag = model.partition("/")
    if not slash or not architecture or not tag or "/" in tag:
        raise EncoderError(
            model, "write ARCHITECTURE/TAG, such as ViT-B-32/laion2b_s34b_b79k, hf-hub:ORG/NAME, or a folder"
        )
    return architecture, tag


def _require_no_code(library: Any, model: str) -> None:
    """Raise EncoderError where open_clip would run code that comes with a model: it asks transformers for its parts."""
    with explained(model):
        config: dict[str, Any] | None = library.get_model_config(_named(model)[0])
    read: dict[str, Any] = (config or {}).get("text_cfg", {})
    others = ", ".join(sorted({*read.get("tokenizer_kwargs", {})} - _TOKENIZING))
    if others:
        raise EncoderError(
            model,
            f"asks for a tokenizer with {others}, and octant hands on {', '.join(sorted(_TOKENIZING))} alone: others "
            "run code that comes with the model, or drop words; take them out of tokenizer_kwargs in its config",
        )
    if tower := read.get("hf_model_name"):
        library = import_of("transformers", "transformers")
        with explained(model):
            told: Any = library.AutoConfig.from_pretrained(tower, trust_remote_code=False)
            if "AutoModel" in (getattr(told, "auto_map", None) or {}):
                raise ValueError(f"{tower} has an auto_map")


_TOKENIZING = frozenset({"additional_special_tokens", "clean", "language", "strip_sep_token"})
"""What open_clip's own models ask of their tokenizers. A reduction_mask would drop words, and asks nltk for code."""


def _tokenizer(library: Any, model: str) -> Any:
    where = _named(model)[0]
    text: dict[str, Any] = library.get_model_config(where)["text_cfg"]
    # left unsaid, transformers would ask whoever sits at the terminal whether to run a model's code
    refusing = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
    with explained(model):
        return library.get_tokenizer(where, **refusing)


def _read_marks_as_words(tokenizer: Any) -> None:
    """Have a tokenizer of open_clip break marks once it has cleaned a text: `&lt;end_of_text&gt;` is one only then.

    Without: it takes out all punctuation, and marks with it, or it would have a function that cleans.
    """
    clean: Any = getattr(tokenizer, "clean_fn", None)
    if clean is None:
        return
    wrapped: Any = getattr(tokenizer, "tokenizer", None)
    marks = [tokenizer.decoder[one] for one in tokenizer.all_special_ids] if wrapped is None else marks_of(wrapped)
    plain = plainly(marks)

    @wraps(clean)
    def cleaned(text: str) -> str:
        return plain(clean(text))

    tokenizer.clean_fn = cleaned


def _reading(tokenizer: Any) -> Reading:
    """How a tokenizer of open_clip reads: it cleans texts first, so what it counts has no place in the text itself."""
    wrapped: Any = getattr(tokenizer, "tokenizer", None)
    clean: Any = getattr(tokenizer, "clean_fn", str)
    if wrapped is None:  # OpenAI's, in Python
        told = f"{tokenizer.vocab_size} {clean.__name__}"
        return Reading(word_spans(lambda text: len(tokenizer.encode(text))), 2, told)
    inner = reading_of(wrapped)
    mode: str = getattr(tokenizer, "tokenizer_mode", "")
    told = f"{inner.told} {clean.__name__} {mode} {getattr(tokenizer, 'strip_sep_token', False)}"
    return Reading(
        word_spans(lambda text: len(inner.spans(clean(text)))), 3 if mode == "clips" else inner.special, told
    )


def _can_cut(library: Any, model: Any) -> bool:
    """Whether nothing behind a text's end token is seen, so that the padding behind it need not be computed."""
    return type(model) is library.model.CLIP and model.text_pool_type == "argmax" and model.attn_mask is not None


def _encode_cut(model: Any, ids: Any) -> Any:
    """`CLIP.encode_text` of open_clip, without the padding behind the longest text, which no end token sees."""
    ends = ids.argmax(dim=-1)
    length = int(ends.max()) + 1
    rows = model.token_embedding(ids[:, :length]) + model.positional_embedding[:length]
    rows = model.ln_final(model.transformer(rows, attn_mask=model.attn_mask[:length, :length]))
    pooled = rows[torch().arange(len(ids), device=ids.device), ends]
    projection = model.text_projection
    if projection is None:
        return pooled
    return pooled @ projection if isinstance(projection, torch().nn.Parameter) else projection(pooled)


def _encoders(model: str, options: TorchOptions) -> Sequence[Encoder[Any]]:
    loaded = OpenClip(model, options)
    return [loaded.text, loaded.image]


_BOTH = (Modality.TEXT, Modality.IMAGE)
FAMILY = Family(
    name="open_clip",
    summary="CLIP models of OpenCLIP, by architecture and tag, from a hub or from a folder",
    modules=("open_clip", "torch"),
    install="pip install 'octant-search[open-clip]'",
    options=TorchOptions,
    load=_encoders,
    known=(
        Known("ViT-B-32/laion2b_s34b_b79k", _BOTH, 512, "MIT, see its card", note="151M, a good first choice on a CPU"),
        Known("ViT-L-14/laion2b_s32b_b82k", _BOTH, 768, "see its card", note="for a GPU"),
        Known("hf-hub:timm/ViT-B-16-SigLIP2", _BOTH, 768, "see its card", note="multilingual"),
    ),
)
