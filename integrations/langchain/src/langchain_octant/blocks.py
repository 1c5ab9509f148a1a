"""Documents as content blocks that a chat model reads, content blocks as media that octant searches with, and back.

Files are read here, and nowhere else in this package: only those that lie under the `roots` that a caller allows.
"""

from __future__ import annotations

import base64
import io
import math
import os
import re
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.messages.content import AudioContentBlock, ContentBlock, ImageContentBlock, TextContentBlock

from octant import (
    Audio,
    Frame,
    Image,
    Limits,
    MediaError,
    Modality,
    Page,
    Region,
    Span,
    Text,
    decode_audio,
    decode_image,
)

if TYPE_CHECKING:
    import PIL.Image

__all__ = [
    "cited_documents",
    "cited_ids",
    "documents_of",
    "has_words",
    "media_in",
    "media_of",
    "readable_in",
    "to_content_blocks",
]

_LIMITS = Limits()
# Blocks have no `id`: that which langchain-core makes up is another each time, and caches of answers would never hit.
_RATE = 16_000
"""Samples per second of the sounds that are sent: what models of speech and sound listen to."""
_QUALITY = 85
_LEAST = 1024
"""Bytes, below which no budget has room for anything but what it says of what it left out."""
_NOTE = 320
"""Bytes that a note has at most; so many are kept free for each."""
_TITLE = 200


# documents -> blocks


def to_content_blocks(
    docs: Iterable[Document],
    *,
    roots: Sequence[Path] = (),
    max_bytes: int = 8_000_000,
    max_pixels: int = 1_048_576,
    max_seconds: float = 30.0,
) -> list[ContentBlock]:
    """Turn documents into standard content blocks: for each a text that begins with its id, then its pictures, sounds.

    A text block reads `[id] where it is from`, and below it the document's text: a model is asked to cite the id. A
    picture is upright, has at most `max_pixels`, and goes as JPEG; of a sound `max_seconds` go, from the second that
    the document names, as WAV of 16 bits, one channel, 16 kHz. Only files under `roots` are read (links are followed
    first), and only those that `metadata["octant"]["media"]` names; without roots none is. `max_bytes` bounds all
    blocks together, as they are sent: texts in UTF-8 and media in base64. What is left out is said in a text block of
    its own.

    ValueError for a document without an id and for bounds out of range; MissingExtra where a page of a PDF is to be
    drawn and pypdfium2 is not installed.
    """
    _require_roots(roots)
    if max_bytes < _LEAST:
        raise ValueError(f"max_bytes is at least {_LEAST}, not {max_bytes}")
    if max_pixels < 1 or not max_seconds > 0:
        raise ValueError(f"max_pixels and max_seconds are above 0, not {max_pixels} and {max_seconds}")
    sent = _Sent(max_bytes - _NOTE)
    missing: list[str] = []
    for doc in docs:
        label = _label(doc)
        media = _perceptible(doc)
        head = " ".join((f"[{label}]", *_origins(doc, media)))
        text = f"{head}\n{doc.page_content}"
        if not sent.has_room(_size(text) + _NOTE * len(media)):
            missing.append(label)
            continue
        sent.text(text)
        for left, (name, entry) in zip(range(len(media) - 1, -1, -1), media, strict=True):
            what = f"{entry['modality']} {_name(entry) or name} of [{label}]"
            try:
                block, note = _block_of(doc.id, name, entry, roots, max_pixels, max_seconds)
            except MediaError as error:
                sent.text(_note(f"({what} is left out: it {error.reason})"))
                continue
            size = len(block.get("base64", ""))
            if not sent.has_room(size + _NOTE * (left + 1)):
                sent.text(_note(f"({what} is left out: {size:,} bytes do not fit into max_bytes={max_bytes:,})"))
                continue
            sent.blocks.append(block)
            sent.room -= size
            if note:
                sent.text(_note(f"({what}: {note})"))
    if missing:
        count = f"{len(missing)} document{'s' * (len(missing) > 1)}"
        said = _note(f"({count} left out, max_bytes={max_bytes:,} being spent: {', '.join(missing)})")
        sent.blocks.append(TextContentBlock(type="text", text=said))
    return sent.blocks


@dataclass(slots=True)
class _Sent:
    room: int
    blocks: list[ContentBlock] = field(default_factory=list[ContentBlock])

    def has_room(self, size: int) -> bool:
        return size <= self.room

    def text(self, text: str) -> None:
        self.blocks.append(TextContentBlock(type="text", text=text))
        self.room -= _size(text)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _note(text: str) -> str:
    """A note of one line that keeps within its bytes."""
    line = " ".join(text.split())
    if _size(line) <= _NOTE:
        return line
    return line.encode("utf-8", "replace")[: _NOTE - 4].decode("utf-8", "ignore") + "…)"


def _origins(doc: Document, media: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Where a document is from, in words: its title, its source, its files' names and parts; never a whole path."""
    said: list[str] = []
    for key in ("title", "source"):
        value = doc.metadata.get(key)
        if isinstance(value, str) and value.strip():
            said.append(value if key == "title" else re.split(r"[/\\]", value.rstrip("/\\"))[-1] or value)
    for _, entry in media:
        said.append(", ".join(part for part in (_name(entry), _part_in_words(entry)) if part))
    line = " ".join("; ".join(dict.fromkeys(one for one in said if one)).split())
    if line:
        yield line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"


def _name(entry: Mapping[str, Any]) -> str:
    """The name of an entry's file, without its path; whatever the entry says, for it is not checked yet."""
    last = str(entry.get("uri", "")).rstrip("/").rpartition("/")[2]
    name = " ".join(unquote_to_bytes(last).decode("utf-8", "replace").split())
    return name if len(name) <= 80 else name[:79] + "…"


def _part_in_words(entry: Mapping[str, Any]) -> str:
    if "page" in entry:
        return f"page {entry['page']}"
    if "second" in entry:
        return f"at {_number(entry['second'])} s"
    if "start" in entry and "end" in entry:
        return f"{_number(entry['start'])} to {_number(entry['end'])} s"
    return "a region of it" if "region" in entry else ""


def _number(value: object) -> str:
    """A number, shortened; what is none as it is, for metadata may come from anywhere."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)[:20]


def _block_of(
    doc_id: str | None, name: str, entry: Mapping[str, Any], roots: Sequence[Path], max_pixels: int, max_seconds: float
) -> tuple[ImageContentBlock | AudioContentBlock, str]:
    """The block of one medium, and what is to be said of it. MediaError where it cannot be read."""
    medium = _medium(doc_id, name, entry, roots, _LIMITS)
    if isinstance(medium, Image):
        # a JPEG is decoded as small as its shorter side may become
        picture = _within(decode_image(medium, shortest=math.isqrt(max_pixels) + 1), max_pixels)
        return ImageContentBlock(type="image", base64=_text_of(_jpeg(picture)), mime_type="image/jpeg"), ""
    span = medium.span
    start = 0.0 if span is None else span.start
    end = math.inf if span is None else span.end
    most = int(max_seconds * _RATE) or 1
    # one sample more than is sent tells whether it goes on
    heard = decode_audio(Audio(medium.source, span=Span(start, min(end, start + (most + 1) / _RATE))), _RATE)
    note = f"from {start:g} s on, cut after {max_seconds:g} s" if len(heard) > most else ""
    return AudioContentBlock(type="audio", base64=_text_of(_wav(heard[:most])), mime_type="audio/wav"), note


def _within(picture: PIL.Image.Image, max_pixels: int) -> PIL.Image.Image:
    """A picture made smaller, in its proportions, where it has more pixels."""
    width, height = picture.size
    if width * height <= max_pixels:
        return picture
    scale = math.sqrt(max_pixels / (width * height))
    across, down = max(1, int(width * scale)), max(1, int(height * scale))
    # a line one pixel wide cannot become narrower, so it becomes shorter
    down = min(down, max(1, max_pixels // across))
    return picture.resize((min(across, max_pixels // down), down), reducing_gap=2.0)


def _jpeg(picture: PIL.Image.Image) -> bytes:
    """The pixels alone: what a camera notes beside them, such as the place, is not for others."""
    bare = picture.copy()
    bare.info = {}
    encoded = io.BytesIO()
    bare.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def _wav(samples: Any) -> bytes:
    whole = (samples.clip(-1.0, 1.0) * 32767.0).round().astype("<i2")
    encoded = io.BytesIO()
    with wave.open(encoded, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(whole.tobytes())
    return encoded.getvalue()


def _text_of(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


# citations and documents of blocks

_RESERVED = re.compile(r"%(?=25|5B|5D|0A|0D)", re.IGNORECASE)
_ESCAPED = re.compile(r"%(?:25|5B|5D|0A|0D)", re.IGNORECASE)
_CITED = re.compile(r"\[([^\[\]\n]+)\](?!\()")  # a link of Markdown is no citation
_HEAD = re.compile(r"\[([^\[\]\n]+)\](?: [^\n]*)?\n(.*)", re.DOTALL)


def _label(doc: Document) -> str:
    """An id as it stands between brackets: these and ends of lines are percent-encoded, all else stays as it is."""
    if not doc.id:
        raise ValueError(
            f"a document without an id cannot be cited: {doc.page_content[:60]!r}; give it one, Document(id=...)"
        )
    escaped = _RESERVED.sub("%25", doc.id)
    return re.sub(r"[\[\]\n\r]", lambda found: f"%{ord(found[0]):02X}", escaped)


def _id_of(label: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[0][1:], 16)), label)


def cited_ids(text: str, docs: Iterable[Document] | None = None) -> list[str]:
    """Read the ids in brackets out of an answer: each once, in their order.

    With `docs` only the ids of these count, so that what a model made up does not, and `[a, b]` cites both.
    """
    found = [label.strip() for label in _CITED.findall(text)]
    if docs is None:
        return list(dict.fromkeys(_id_of(label) for label in found))
    known = {_label(doc): doc.id for doc in docs if doc.id}
    cited: dict[str, None] = {}
    for label in found:
        several = [label] if label in known else [one.strip() for one in re.split(r"[,;]", label)]
        cited.update((str(known[one]), None) for one in several if one in known)
    return list(cited)


def cited_documents(text: str, docs: Iterable[Document]) -> list[Document]:
    """The documents that an answer cites, in the order in which it does."""
    by_id = {doc.id: doc for doc in docs if doc.id}
    return [by_id[one] for one in cited_ids(text, by_id.values())]


def documents_of(blocks: Iterable[Any]) -> list[Document]:
    """Read back the documents that blocks of `to_content_blocks` show: their ids and texts.

    For the media beside them see `media_of`. Blocks of another making are passed over.
    """
    found: list[Document] = []
    for block in blocks:
        if isinstance(block, Mapping) and cast("Mapping[str, Any]", block).get("type") == "text":
            head = _HEAD.fullmatch(str(cast("Mapping[str, Any]", block).get("text", "")))
            if head is not None:
                found.append(Document(id=_id_of(head[1]), page_content=head[2]))
    return found


# blocks -> media


def media_of(
    blocks: str | HumanMessage | Mapping[str, Any] | Sequence[str | Mapping[str, Any]],
    *,
    roots: Sequence[Path] = (),
    limits: Limits = _LIMITS,
) -> list[Text | Image | Audio]:
    """Turn content blocks, or a whole message, into media that octant searches with, in their order.

    Read are text and plain-text blocks, image and audio blocks in base64 with their `mime_type`, and what
    langchain-core translates into these: OpenAI's `image_url` with a data URL, `input_audio`, Anthropic's and Google's.
    A `file:` URL is read where it lies under `roots`. Nothing is fetched: other URLs and ids of a provider's files are
    refused. Empty texts are left out.

    MediaError for what cannot be read, exceeds `limits`, or is refused; it never quotes the content.
    """
    _require_roots(roots)
    given: Any = blocks
    if isinstance(given, Mapping):
        given = [given]
    message = given if isinstance(given, HumanMessage) else HumanMessage(content=_contents(given))
    found: list[Text | Image | Audio] = []
    try:
        translated = message.content_blocks
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # langchain-core trusts the form of blocks
        raise MediaError("content blocks", f"are malformed ({type(error).__name__}: {error})") from error
    for at, block in enumerate(translated):
        found.extend(_media_of_block(cast("Mapping[str, Any]", block), f"content block {at}", roots, limits))
    return found


def _contents(given: Any) -> str | list[str | dict[Any, Any]]:
    if isinstance(given, str):
        return given
    if not isinstance(given, Sequence) or isinstance(given, bytes):
        raise TypeError(f"media_of takes a text, a message, or content blocks, not {type(given).__name__}")
    several = cast("Sequence[object]", given)
    if wrong := [one for one in several if not isinstance(one, str | Mapping)]:
        raise TypeError(f"a content block is a text or a mapping with a 'type', not {type(wrong[0]).__name__}")
    return [one if isinstance(one, str) else dict(cast("Mapping[Any, Any]", one)) for one in several]


def _media_of_block(
    block: Mapping[str, Any], about: str, roots: Sequence[Path], limits: Limits
) -> Iterator[Text | Image | Audio]:
    kind = block.get("type")
    value: Any = block.get("value")
    if kind == "non_standard" and isinstance(value, Mapping):
        kind, block = cast("Mapping[str, Any]", value).get("type"), cast("Mapping[str, Any]", value)
        if kind == "image_url" and isinstance(block.get("image_url"), str):  # as some write it
            kind, block = "image", {"url": block["image_url"]}
    if kind in ("text", "text-plain"):
        content = block.get("text")
        if not isinstance(content, str):
            raise MediaError(about, "is a text block without its text; give the text itself")
        if len(content) > limits.characters:
            raise MediaError(
                about, f"has {len(content):,} characters, more than the limit of {limits.characters:,}; shorten it"
            )
        if content.strip():
            yield Text(content, limits)
        return
    if kind not in ("image", "audio"):
        remedy = "octant searches with texts, images and sounds: give a frame of a film, or a page, as an image"
        raise MediaError(about, f"is of type {kind!r}; {remedy}")
    yield _perceived(str(kind), block, about, roots, limits)


def _perceived(kind: str, block: Mapping[str, Any], about: str, roots: Sequence[Path], limits: Limits) -> Image | Audio:
    """The medium of an image or audio block."""
    encoded, url = block.get("base64"), block.get("url")
    if encoded is not None:
        mime = block.get("mime_type")
        if not isinstance(mime, str) or not re.fullmatch(r"[\w.+-]+/[\w.+-]+", mime):
            raise MediaError(about, f"has base64 without a mime_type; add one, such as {_EXAMPLES[kind]!r}")
        if not isinstance(encoded, str):
            raise MediaError(about, f"has base64 of type {type(encoded).__name__}; it is a text")
        url = f"data:{mime};base64,{encoded}"
    if not isinstance(url, str):
        remedy = "octant reads no files of a provider; give the content as base64 with its mime_type"
        raise MediaError(about, f"has neither base64 nor a url; {remedy}")
    if url[:5].lower() == "data:":
        try:
            if kind == "image":
                return Image.from_data_url(url, limits=limits)
            return Audio.from_data_url(url, limits=limits)
        except MediaError as error:
            raise MediaError(about, error.reason) from None  # the cause quotes the content's beginning
    if url[:5].lower() == "file:":
        path = _confined(url, about, roots)
        return Image(path, limits) if kind == "image" else Audio(path, limits=limits)
    raise MediaError(about, "is a URL, and nothing is fetched here; download it yourself, and give base64 or a file")


_EXAMPLES = {"image": "image/jpeg", "audio": "audio/wav"}


# media of documents, confined to roots


def media_in(doc: Document, roots: Sequence[Path], *, limits: Limits = _LIMITS) -> dict[str, Image | Audio]:
    """The pictures and sounds that a document names, by reference, confined to files under `roots`.

    MediaError for one that lies elsewhere, is no regular file, or is named otherwise than by a `file:` URI.
    """
    _require_roots(roots)
    return {name: _medium(doc.id, name, entry, roots, limits) for name, entry in _perceptible(doc)}


def readable_in(doc: Document, roots: Sequence[Path]) -> tuple[dict[str, Image | Audio], list[str]]:
    """As `media_in`, and why those that may not be read are not among them."""
    found: dict[str, Image | Audio] = {}
    notes: list[str] = []
    for name, entry in _perceptible(doc):
        try:
            found[name] = _medium(doc.id, name, entry, roots, _LIMITS)
        except MediaError as error:
            notes.append(str(error))
    return found, notes


def has_words(doc: Document) -> bool:
    """Whether a document's content says something of its own, and is not made up of its id or its files' names."""
    entries = _entries(doc)
    if not entries or any(entry.get("modality") == Modality.TEXT for _, entry in entries):
        return True
    return doc.page_content != doc.id and not any(
        doc.page_content.startswith(f"{entry.get('modality')} {_name(entry)}".rstrip()) for _, entry in entries
    )


def _perceptible(doc: Document) -> list[tuple[str, Mapping[str, Any]]]:
    """What a document notes of its pictures and sounds, by name."""
    return [(name, entry) for name, entry in _entries(doc) if entry.get("modality") in ("image", "audio")]


def _entries(doc: Document) -> list[tuple[str, Mapping[str, Any]]]:
    """What a document notes of its media, by name; metadata may come from anywhere, so nothing is taken for granted."""
    own: Any = doc.metadata.get("octant")
    noted: object = cast("Mapping[str, Any]", own).get("media") if isinstance(own, Mapping) else None
    if not isinstance(noted, list | tuple):
        return []
    entries = [cast("Mapping[str, Any]", one) for one in cast("list[object]", noted) if isinstance(one, Mapping)]
    return [(str(entry.get("name", at)), entry) for at, entry in enumerate(entries)]


def _medium(
    doc_id: str | None, name: str, entry: Mapping[str, Any], roots: Sequence[Path], limits: Limits
) -> Image | Audio:
    about = f"{entry['modality']} {name!r} of {doc_id!r}"
    uri = entry.get("uri")
    if not isinstance(uri, str):
        raise MediaError(about, "was given in memory, and no file of it is known; keep media in files")
    path = _confined(uri, about, roots)
    try:
        if entry["modality"] == Modality.AUDIO:
            span = Span(float(entry["start"]), float(entry["end"])) if {"start", "end"} <= set(entry) else None
            return Audio(path, limits=limits, span=span)
        if "page" in entry:
            return Image(path, limits, Page(int(entry["page"])))
        if "second" in entry:
            return Image(path, limits, Frame(float(entry["second"])))
        if "region" in entry:
            return Image(path, limits, Region(*(int(entry["region"][side]) for side in _SIDES)))
        return Image(path, limits)
    except (TypeError, ValueError, LookupError) as error:
        raise MediaError(about, f"names a part that cannot be ({error}); index it again") from error


_SIDES = ("left", "top", "width", "height")


def _confined(uri: str, about: str, roots: Sequence[Path]) -> Path:
    """The regular file that a `file:` URI leads to, links followed, under one of the roots.

    What it leads to is looked at once, now: who may write below a root could exchange it after.
    """
    if not roots:
        raise MediaError(about, "is a file, and no roots are allowed; pass roots=[the folder that it may be read from]")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise MediaError(about, f"is named by what is no URI ({error}); write Path(...).absolute().as_uri()") from None
    if parts.scheme.lower() != "file" or parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise MediaError(about, "is not named by a file: URI of this machine; write Path(...).absolute().as_uri()")
    named = url2pathname(parts.path) if os.name == "nt" else os.fsdecode(unquote_to_bytes(parts.path))
    try:
        path = Path(named)
        if not path.is_absolute():
            raise MediaError(about, "is not named by an absolute path; write Path(...).absolute().as_uri()")
        path = path.resolve(strict=True)
        allowed = any(path.is_relative_to(root.resolve()) for root in roots)
        regular = allowed and path.is_file()
    except (OSError, RuntimeError, ValueError):
        # no more is said: whether a file exists outside the roots is nobody's business
        raise MediaError(about, "is not to be found under the allowed roots; was it moved?") from None
    if not allowed:
        raise MediaError(about, "is not to be found under the allowed roots; was it moved?")
    if not regular:
        raise MediaError(about, "is a folder, a pipe or a device; name a file")
    return path


def _require_roots(roots: object) -> None:
    if isinstance(roots, str | Path):
        raise TypeError(f"roots are several folders: write roots=[Path({str(roots)!r})]")
    if wrong := [one for one in cast("Sequence[object]", roots) if not isinstance(one, Path)]:
        raise TypeError(f"a root is a Path, not {wrong[0]!r}")
