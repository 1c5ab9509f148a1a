"""What a process does that indexes or mirrors a folder, for tests that kill it."""

import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import PIL.Image

import octant
import octant.config  # pyright: ignore[reportUnusedImport]  # what is imported here is not imported again by every process that is forked from this one
import octant.stores.edge  # pyright: ignore[reportUnusedImport]
from octant import Field, Modality, Schema, Space
from octant.adapters.language import language_of
from octant.backends.hashing import Hashing
from octant.encoding import EncoderSpec, Role
from octant.vectors import Vector

PIL.Image.init()
language_of("the language detector is read once, too")


class Slow(Hashing):
    """Takes its time, so that there is something to interrupt; and reads few words at once, so that texts are cut."""

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality, 16)
        self.spec = EncoderSpec(f"slow-{modality}@1", modality, 16, tokens=20)

    def encode(self, batch: Sequence[Any], role: Role) -> list[Vector]:
        time.sleep(0.002 * len(batch))
        return super().encode(batch, role)


def schema() -> Schema:
    return Schema(*(Field(m.value, Space(m.value, Slow(m)), m) for m in (Modality.TEXT, Modality.IMAGE)))


def run(database: str, folder: str, verb: str, begins: Connection) -> None:
    """Index or mirror a folder; send a word when it begins, and the report when it is done."""
    with octant.open("lib", path=database, schema=schema(), worker=False) as collection:
        begins.send("begins")
        if verb == "sync":
            report = collection.sync(Path(folder), max_deleted=1.0, batch_size=4)
        else:
            report = collection.add(Path(folder), batch_size=4)
        begins.send(str(report))
