"""Documents as items and items as documents."""

from __future__ import annotations

import mimetypes
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from haystack import Document
from haystack_integrations.document_stores.octant.schema import CONTENT

import octant

__all__ = ["FILE_PATH", "document_of", "item_of", "medium_of", "under"]

FILE_PATH = "file_path"
"""The key of `meta` where Haystack's image components keep the path of a file."""


def item_of(document: Document, field: str | None, root: Path | None) -> octant.Item:
    """Make an item of a document: its text and its file as media, its meta as metadata.

    Its embedding goes to `field`. Without a field octant embeds, and a blob of an image or a sound is read once and not
    kept. A file that `meta["file_path"]` names is read only under `root`; where the document has something else to be
    found by, only if it is an image or a sound: converters note there what a text was read from. Raises ValueError for
    what would be lost.
    """
    if document.sparse_embedding is not None:
        raise ValueError(
            f"document {document.id!r} has a sparse embedding; octant searches words by BM25: leave it out"
        )
    if document.embedding is not None and field is None:
        raise ValueError(f"document {document.id!r} has an embedding, and octant embeds here; leave out the embedder")
    if document.blob is not None and field is not None:
        raise ValueError(
            f"document {document.id!r} has a blob; octant keeps no bytes: keep the file, and its path in meta"
        )
    media: dict[str, octant.Media] = {}
    if document.content is not None:
        media[CONTENT] = octant.Text(document.content)
    if document.blob is not None:
        media["blob"] = medium_of(document.blob.data, document.blob.mime_type)
    if root is not None and FILE_PATH in document.meta:
        named = str(document.meta[FILE_PATH])
        mime = mimetypes.guess_type(Path(named).name)[0]
        if (document.content is None and field is None) or _is_perceived(mime):
            media["file"] = medium_of(under(root, named, f"document {document.id!r}"), mime)
    vectors = {} if field is None or document.embedding is None else {field: document.embedding}
    return octant.Item(document.id, media, document.meta, None, vectors)


def document_of(item: octant.Item, field: str | None, score: float | None = None) -> Document:
    """Make a document of a stored item.

    Of a picture or a sound that octant's own ingest read, `meta["file_path"]` is the file, and `meta["octant"]` says
    which part of it. The embedding is there if the item was read with its vectors.
    """
    texts = [one.content for one in item.media.values() if isinstance(one, octant.Text)]
    meta = dict(item.metadata)
    shown = [_shown(name, one) for name, one in item.media.items() if not isinstance(one, octant.Text)]
    if shown and FILE_PATH not in meta:
        meta |= {FILE_PATH: shown[0]["path"], "octant": {"media": shown}}
    vector = None if field is None else item.vectors.get(field)
    return Document(
        id=item.id,
        content="\n\n".join(texts) if texts else None,
        meta=meta,
        score=score,
        embedding=None if vector is None else np.asarray(vector).tolist(),
    )


def medium_of(source: Path | bytes, mime: str | None) -> octant.Image | octant.Audio:
    """An image or a sound, by what its MIME type says. ValueError for another one."""
    kind = (mime or "").partition("/")[0]
    if kind == "image":
        return octant.Image(source)
    if kind == "audio":
        return octant.Audio(source)
    raise ValueError(
        f"{source if isinstance(source, Path) else 'a blob'} is {mime or 'of unknown type'}, no image or sound"
    )


def under(root: Path, named: str | Path, about: str) -> Path:
    """The file of this name under the root. ValueError, about what, where it leads out of it, by links too."""
    path = (root / named).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{about}: {str(named)!r} leads out of root_path {str(root)!r}")
    return path


def _is_perceived(mime: str | None) -> bool:
    return mime is not None and mime.startswith(("image/", "audio/"))


def _shown(name: str, medium: octant.Image | octant.Audio) -> dict[str, Any]:
    """What is told of a file, or of a part of it: a page, a region, some seconds."""
    part = medium.span if isinstance(medium, octant.Audio) else medium.part
    told = {"name": name, "modality": str(medium.modality), "path": str(medium.source)}
    return told if part is None else {**told, **asdict(part)}
