"""Nodes as items and items as nodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MediaResource,
    Node,
    TextNode,
)
from llama_index.vector_stores.octant.schema import TEXT

import octant

__all__ = ["folders", "item_of", "node_of", "under"]

_CONTENT, _TYPE = "_node_content", "_node_type"
"""Under these keys LlamaIndex's own stores keep a node, too."""
_KINDS: dict[str, type[BaseNode]] = {
    kind.class_name(): kind for kind in (TextNode, ImageNode, IndexNode, Node, Document, ImageDocument)
}
_APART = ("embedding", "metadata")
"""What a stored item has of a node beside its JSON; and its text."""


def item_of(node: BaseNode, field: str | None, roots: Sequence[Path]) -> octant.Item:
    """Make an item of a node: text, picture and sound as media by reference, metadata as metadata.

    Its embedding goes to `field`, and must be there. Items remember the document that they were cut from as their
    source. Raises ValueError for what is neither text nor a file under one of the roots: octant keeps no bytes, and
    fetches no URL.
    """
    if type(node) is not _KINDS.get(node.class_name()):
        raise ValueError(f"node {node.node_id!r} is a {type(node).__name__}; known are {', '.join(sorted(_KINDS))}")
    media = _media(node, roots)
    if field is not None and node.embedding is None:
        raise ValueError(
            f"node {node.node_id!r} has no embedding, and this store finds nodes by theirs; one that was read here "
            "comes without, and what it had may not suit it any more: embed it, as VectorStoreIndex.insert_nodes does"
        )
    told: dict[str, Any] = node.model_dump(mode="json")
    for name in _APART:
        told.pop(name, None)
    if TEXT in media:
        told.pop("text", None)
        resource: dict[str, Any] | None = told.get("text_resource")
        if resource is not None:
            resource.pop("text", None)
    metadata = {
        **node.metadata,
        _CONTENT: json.dumps(told, ensure_ascii=False, default=str),
        _TYPE: node.class_name(),
    }
    vectors = {} if field is None or node.embedding is None else {field: node.embedding}
    origin = None if node.ref_doc_id is None else octant.Origin(node.ref_doc_id)
    return octant.Item(node.node_id, media, metadata, origin, vectors)


def node_of(item: octant.Item) -> BaseNode:
    """Make a node of a stored item: the one that was added, or one that shows what octant's own ingest read.

    A picture becomes an ImageNode with the path of its file, a sound a Node with an audio resource. Where a medium is a
    part of a file (a page, some seconds), `metadata["octant"]["media"]` says which.
    """
    metadata = dict(item.metadata)
    if _CONTENT in metadata:
        told, kind = json.loads(metadata.pop(_CONTENT)), _KINDS[metadata.pop(_TYPE)]
        text = item.media.get(TEXT)
        if isinstance(text, octant.Text) and issubclass(kind, TextNode):
            told["text"] = text.content
        elif isinstance(text, octant.Text):
            told["text_resource"]["text"] = text.content
        return kind.from_dict({**told, "metadata": metadata})
    files = [(name, one) for name, one in item.media.items() if not isinstance(one, octant.Text)]
    shown = [_shown(name, one) for name, one in files]
    hidden = ["octant"] if shown else []
    about: dict[str, Any] = {
        "id_": item.id,
        "metadata": {**metadata, "octant": {"media": shown}} if shown else metadata,
        "excluded_embed_metadata_keys": hidden,
        "excluded_llm_metadata_keys": hidden,
    }
    text = "\n\n".join(one.content for one in item.media.values() if isinstance(one, octant.Text))
    if picture := next((one for _, one in files if isinstance(one, octant.Image)), None):
        return ImageNode(text=text, image_path=str(picture.source), **about)
    if sound := next((one for _, one in files if isinstance(one, octant.Audio)), None):
        audio = MediaResource(path=Path(str(sound.source)))
        return Node(text_resource=MediaResource(text=text) if text else None, audio_resource=audio, **about)
    return TextNode(text=text, **about)


def _shown(name: str, medium: octant.Image | octant.Audio) -> dict[str, Any]:
    """What is told of a file, or of a part of it: a page, a region, some seconds."""
    part = medium.span if isinstance(medium, octant.Audio) else medium.part
    told = {"name": name, "modality": str(medium.modality), "path": str(medium.source)}
    return told if part is None else {**told, **asdict(part)}


def folders(roots: Sequence[Path]) -> tuple[Path, ...]:
    """The folders that files are read from. TypeError for one path, whose letters or parts would be taken for them."""
    given: object = roots
    if isinstance(given, str | Path):
        raise TypeError(f"roots are several folders: write roots=[Path({str(given)!r})]")
    return tuple(Path(root) for root in roots)


def under(roots: Sequence[Path], named: str | Path, about: str) -> Path:
    """The file of this name, links followed. ValueError, about what, where it lies under none of the roots."""
    if not roots:
        raise ValueError(f"{about} names a file, and none is read without roots=[the folder that it may be read from]")
    path = Path(named).resolve()
    if not any(path.is_relative_to(root.resolve()) for root in roots):
        raise ValueError(f"{about}: {str(named)!r} does not lie under the roots {', '.join(map(str, roots))}")
    return path


def _media(node: BaseNode, roots: Sequence[Path]) -> dict[str, octant.Media]:
    about = f"node {node.node_id!r}"
    if isinstance(node, ImageNode):
        if node.image is not None:
            raise _inline(node, "image_path")
        _refuse_url(node, node.image_url if node.image_path is None else None)
        picture = {} if node.image_path is None else {"image": octant.Image(under(roots, node.image_path, about))}
        return {**_text(node.text), **picture}
    if isinstance(node, TextNode):
        return dict(_text(node.text))
    if not isinstance(node, Node):
        return {}
    media: dict[str, octant.Media] = dict(_text(node.text_resource.text if node.text_resource else None))
    if node.video_resource is not None:
        raise ValueError(
            f"node {node.node_id!r} has a video; octant reads films as frames and sound (see VideoAdapter)"
        )
    for name, resource in (("image", node.image_resource), ("audio", node.audio_resource)):
        if resource is None or not (resource.path or resource.data or resource.url or resource.text):
            continue
        if resource.data is not None:
            raise _inline(node, f"{name}_resource.path")
        _refuse_url(node, resource.url if resource.path is None else None)
        if resource.path is not None:
            media[name] = (octant.Image if name == "image" else octant.Audio)(under(roots, resource.path, about))
    return media


def _text(content: str | None) -> dict[str, octant.Media]:
    return {TEXT: octant.Text(content)} if content else {}


def _inline(node: BaseNode, where: str) -> ValueError:
    return ValueError(
        f"node {node.node_id!r} holds the bytes of a medium, which octant does not store; write them to a file and "
        f"give its path as {where}"
    )


def _refuse_url(node: BaseNode, url: object) -> None:
    if url is not None:
        raise ValueError(f"node {node.node_id!r} is at {url}, which is not fetched; download it and give its path")
