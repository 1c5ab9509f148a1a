"""From names to objects: which database, which schema, which collection. The only place where strings choose things."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from octant.cache import VectorCache
from octant.collection import AsyncCollection, Collection
from octant.errors import StoreError
from octant.media import Modality
from octant.schema import Field, Schema
from octant.space import Space
from octant.stores import Place, open_async_store, open_store, share, share_async

__all__ = ["default_path", "open", "open_async", "require_database", "starter"]


def open(
    name: str = "default",
    *,
    schema: Schema | None = None,
    path: Path | str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    create: bool = True,
    worker: bool | None = None,
    cache: Path | str | None = None,
) -> Collection:
    """Open a collection; create it where it does not exist.

    Embedded by default: the database is the directory `path`, else $OCTANT_HOME, else the user's data directory.
    With `url` it is a Qdrant server. `schema` None is the offline starter (see `starter`).
    `worker` puts the embedded store into a process of its own, which threads and long-lived programs want; None decides
    by where the call comes from. Collections of one embedded database share its store within a process.
    `cache` is a file that remembers vectors by content and model, so that no other collection encodes them again.
    Raises SchemaMismatch where the collection was built otherwise, StoreLocked where another process has the database
    open, StoreError where the collection does not exist and `create` is false.
    """
    _require_name(name)
    directory = _directory(name, path, url, create=create)
    chosen = schema or starter()
    client = share(directory, worker=worker) if directory else open_store(url=url, api_key=api_key)
    collection = Collection(client, name, chosen, Place(directory, url), VectorCache(cache) if cache else None)
    try:
        collection.prepare(create=create)
    except BaseException:
        client.close()
        raise
    return collection


async def open_async(
    name: str = "default",
    *,
    schema: Schema | None = None,
    path: Path | str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    create: bool = True,
    cache: Path | str | None = None,
) -> AsyncCollection:
    """Open a collection for asyncio; as `open`, and the embedded store is always a process of its own."""
    _require_name(name)
    directory = _directory(name, path, url, create=create)
    chosen = schema or starter()
    client = await (share_async(directory) if directory else open_async_store(url=url, api_key=api_key))
    collection = AsyncCollection(client, name, chosen, Place(directory, url), VectorCache(cache) if cache else None)
    try:
        await collection.prepare(create=create)
    except BaseException:
        await client.close()
        raise
    return collection


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
