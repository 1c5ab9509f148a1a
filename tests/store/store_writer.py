"""A process that writes without end until it is killed, and the state that it must have left."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from qdrant_client.http import models as m

from octant.stores.edge import EdgeClient

DIM = 16
BATCH = 40

State = dict[int, tuple[int, int | None, float]]
"""Point id -> version, mark, first number of the vector."""
Step = tuple[str, list[int], int]


def steps() -> Iterator[Step]:
    """Insert, overwrite, mark, delete, without end and always the same."""
    version = 0
    while True:
        ids = list(range(version * BATCH, version * BATCH + BATCH))
        yield "upsert", ids, version
        yield "mark", ids[::2], version
        if version % 3 == 2:
            yield "upsert", [point_id - BATCH for point_id in ids], version
        if version % 4 == 3:
            yield "delete", [point_id - 3 * BATCH for point_id in ids[::3]], version
        version += 1


def vector(point_id: int, version: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    row = np.full(DIM, 0.5, dtype=np.float32)
    row[0] = point_id + version / 1024
    return row


def write(path: Path, acknowledged: Connection) -> None:
    """Apply step after step and acknowledge each when it has returned."""
    client = EdgeClient(path)
    client.create_collection("things", {"dense": m.VectorParams(size=DIM, distance=m.Distance.EUCLID)})
    client.create_payload_index("things", "version", m.PayloadSchemaType.INTEGER)
    for number, (kind, ids, version) in enumerate(steps()):
        if kind == "upsert":
            client.upsert("things", [_point(point_id, version) for point_id in ids])
        elif kind == "mark":
            client.set_payload("things", {"mark": version}, [*ids])
        else:
            client.delete("things", [*ids])
        acknowledged.send(number)


def state_after(count: int) -> State:
    """Say what the points are after so many steps."""
    state: State = {}
    for _, (kind, ids, version) in zip(range(count), steps(), strict=False):
        for point_id in ids:
            if kind == "upsert":
                state[point_id] = (version, None, float(vector(point_id, version)[0]))
            elif kind == "mark" and point_id in state:
                state[point_id] = (state[point_id][0], version, state[point_id][2])
            elif kind == "delete":
                state.pop(point_id, None)
    return state


def read_state(client: EdgeClient) -> State:
    """Read what the points are."""
    records, _ = client.scroll("things", limit=1_000_000, with_vectors=True)
    state: State = {}
    for record in records:
        assert isinstance(record.vector, dict)
        row = record.vector["dense"]
        assert isinstance(row, list)
        first = row[0]
        assert isinstance(first, float)
        assert row[1:] == [0.5] * (DIM - 1)
        assert record.payload is not None
        state[int(record.id)] = (record.payload["version"], record.payload.get("mark"), first)
    return state


def _point(point_id: int, version: int) -> m.PointStruct:
    return m.PointStruct.model_construct(
        id=point_id, vector={"dense": vector(point_id, version)}, payload={"version": version}
    )
