"""From names to objects: which database, which schema, which collection. The only place where strings choose things."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs
from qdrant_client.http import models

from octant.cache import VectorCache
from octant.collection import AsyncCollection, Collection
from octant.compute import offload
from octant.errors import EncoderError, StoreError
from octant.family import families, load_encoders
from octant.media import Modality
from octant.schema import Field, Schema
from octant.space import Space
from octant.stores import Place, open_async_store, open_store, share, share_async

__all__ = ["default_path", "encoder", "open", "open_async", "require_database", "starter"]


def open(
    name: str = "default",
    *,
    schema: Schema | None = None,
    encoder: str | Sequence[str] = (),
    path: Path | str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    create: bool = True,
    worker: bool | None = None,
    cache: Path | str | None = None,
) -> Collection:
    """Open a collection; create it where it does not exist.

    Embedded by default: the database is the directory `path`, else $OCTANT_HOME, else the user's data directory.
    With `url` it is a Qdrant server. `encoder` names models, as the function `encoder` does; `schema` says all else.
    With neither, an embedded collection is opened with the models that it was made with by their names, and any other
    with the offline starter (see `starter`).
    `worker` puts the embedded store into a process of its own, which threads and long-lived programs want; None decides
    by where the call comes from. Collections of one embedded database share its store within a process.
    `cache` is a file that remembers vectors by content and model, so that no other collection encodes them again.
    Raises SchemaMismatch where the collection was built otherwise, StoreLocked where another process has the database
    open, StoreError where the collection does not exist and `create` is false.
    """
    _require_name(name)
    directory = _directory(name, path, url, create=create)
    chosen = _chosen(schema, encoder)
    client = share(directory, worker=worker) if directory else open_store(url=url, api_key=api_key)
    try:
        if chosen is None and directory is not None and client.collection_exists(name):
            chosen = _noted(client.get_collection(name))
        remembered = VectorCache(cache) if cache else None
        collection = Collection(client, name, chosen or starter(), Place(directory, url), remembered)
        collection.prepare(create=create)
    except BaseException:
        client.close()
        raise
    return collection


async def open_async(
    name: str = "default",
    *,
    schema: Schema | None = None,
    encoder: str | Sequence[str] = (),
    path: Path | str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    create: bool = True,
    cache: Path | str | None = None,
) -> AsyncCollection:
    """Open a collection for asyncio; as `open`, and the embedded store is always a process of its own."""
    _require_name(name)
    directory = _directory(name, path, url, create=create)
    chosen = await offload(_chosen, schema, encoder)
    client = await (share_async(directory) if directory else open_async_store(url=url, api_key=api_key))
    try:
        if chosen is None and directory is not None and await client.collection_exists(name):
            chosen = await offload(_noted, await client.get_collection(name))
        remembered = VectorCache(cache) if cache else None
        collection = AsyncCollection(client, name, chosen or starter(), Place(directory, url), remembered)
        await collection.prepare(create=create)
    except BaseException:
        await client.close()
        raise
    return collection


def encoder(name: str) -> Space:
    """Load a model by its name: the space of its encoders, one for each modality that it reads.

    The name is `FAMILY:MODEL?option=value&…`, such as `open_clip:ViT-B-32/laion2b_s34b_b79k`; `octant encoders` lists
    the families, their options and well-known models. The space embeds and compares media by itself, and
    `Schema.of(space)` makes a collection of it. Code that comes with a model is never run.

    Raises EncoderError for a name that is not understood, MissingExtra with the line that installs what is missing,
    WeightsError for a checkpoint that lacks some of the model's weights.
    """
    return Space(_found_again(name), *load_encoders(name))


def starter() -> Schema:
    """Build the schema of the offline starter: no network, no torch, 384-d.

    Text, image and audio share the space `meaning`; an image is compared with an image, and a sound with a sound,
    in spaces of their own, which see more than the words they have in common. Where a search looks in several fields,
    what is no more similar than unrelated things are is left out.
    """
    from octant.backends.starter import starter as starter_towers  # onnxruntime is not for those who bring a schema

    towers = starter_towers()
    meaning = Space("meaning", towers.text, towers.image, towers.audio)
    text, image, audio = Modality.TEXT, Modality.IMAGE, Modality.AUDIO
    # floors: what a few in a hundred unrelated pairs exceed, as benchmarks/starter_floors.py measures it
    return Schema(
        Field("text", meaning, text, floors={text: 0.2, image: 0.25, audio: 0.25}),
        Field("image", meaning, image, answers=frozenset({text, audio}), floors={text: 0.3, audio: 0.12}),
        Field("look", Space("look", towers.image_native), image, floors={image: 0.4}),
        Field("audio", meaning, audio, answers=frozenset({text, image}), floors={text: 0.3, image: 0.12}),
        Field("sound", Space("sound", towers.audio_native), audio, floors={audio: 0.5}),
    )


def default_path() -> Path:
    """The directory of the database when none is named: $OCTANT_HOME, else the user's data directory."""
    home = os.environ.get("OCTANT_HOME")
    return Path(home).expanduser() if home else platformdirs.user_data_path("octant", appauthor=False)


def require_database(directory: Path | None) -> None:
    """Raise StoreError unless there is a database: reading must not make one wherever a path was mistyped."""
    if directory is not None and not (directory / "meta.json").exists():
        raise StoreError(
            f"no database in {directory}; `octant index PATH...` makes one, --path (path=) names another directory"
        )


def _chosen(schema: Schema | None, names: str | Sequence[str]) -> Schema | None:
    if not names:
        return schema
    if schema is not None:
        raise ValueError(
            "give either schema or encoder, not both; octant.encoder(name) is a space for a schema's fields"
        )
    return Schema.of(*(encoder(one) for one in ([names] if isinstance(names, str) else names)))


def _found_again(name: str) -> str:
    """The name, with a path as it is from anywhere: a collection notes it."""
    family, colon, rest = name.partition(":")
    model, mark, options = rest.partition("?")
    path = Path(model).expanduser()
    is_path = path.is_absolute() or "/" in model or model.startswith(".")
    return f"{family}{colon}{path.absolute()}{mark}{options}" if is_path and path.exists() else name


def _noted(stored: models.CollectionInfo) -> Schema | None:
    """The schema of the models whose names an embedded collection notes; None where it was made otherwise.

    A database may come from somebody else. So a stranger's server is not believed, nor is a name that would send
    queries, or a key, to a service: EncoderError asks to give that one again.
    """
    fields: Mapping[str, Mapping[str, Any]] = (stored.config.metadata or {}).get("octant", {}).get("fields", {})
    names = list(dict.fromkeys(str(field.get("space", "")) for field in fields.values()))
    if not names or not all(":" in name and name.partition(":")[0] in families() for name in names):
        return None
    again = "name it again: encoder=, --encoder"
    for name in names:
        if families()[name.partition(":")[0]].is_service:
            raise EncoderError(
                name, f"this collection was made with it, and it asks a service; if you mean it, {again}"
            )
    try:
        schema = Schema.of(*map(encoder, names))
    except EncoderError as error:
        raise EncoderError(
            error.name, f"{error.reason} (this collection was made with it; if it moved, {again})"
        ) from None
    return schema if list(schema.fields) == list(fields) else None


def _require_name(name: str) -> None:
    given: object = name  # callers without a type checker give anything
    if not isinstance(given, str):
        raise TypeError(f"a collection has a name, such as 'mine', not {given!r}; a database goes to path=")


def _directory(name: str, path: Path | str | None, url: str | None, *, create: bool) -> Path | None:
    """Settle where to open, None for a server, before anything is opened or loaded."""
    if not name:
        raise ValueError("a collection needs a name")
    if url is not None:
        if path is not None:
            raise ValueError("give either path (an embedded database) or url (a Qdrant server), not both")
        return None
    directory = (default_path() if path is None else Path(path).expanduser()).absolute()
    if not create:
        require_database(directory)
    return directory
