"""Everything octant raises on purpose.

OctantError
  MediaError           a file or blob cannot be read or decoded; carries .media
  ItemError            an item cannot become a point as it is; carries .item_id
  UnsupportedModality  no encoder takes this medium; carries .modality
  SchemaMismatch       the stored collection was built otherwise; carries .differences
  FilterError          a filter cannot be read, or asks for what no item has (a ValueError as well)
  RerankError          a reranker failed; its own error is the cause; carries .reranker
  StoreError           the store refused or did not answer; the client's own error is the cause
    StoreLocked        another process has the database open; carries .path
  TooManyDeletions     a sync would remove more than it may; carries .report, .vanished, .sources
  EncoderError         no encoder has this name, or it was asked for wrongly (a ValueError as well); carries .name
  ServiceError         an encoder's service refused, answered nonsense or not at all; carries .service, .status
  WeightsError         the weights of a model are missing or altered; carries .path
  MissingExtra         an optional dependency is not installed (an ImportError as well)

Every message names the item and, where there is one, the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "EncoderError",
    "FilterError",
    "ItemError",
    "MediaError",
    "MissingExtra",
    "OctantError",
    "RerankError",
    "SchemaMismatch",
    "ServiceError",
    "StoreError",
    "StoreLocked",
    "TooManyDeletions",
    "UnsupportedModality",
    "WeightsError",
]


class OctantError(Exception):
    """Base of every error that octant raises on purpose."""


class MediaError(OctantError):
    """A medium cannot be read or decoded. `reason` says why and what to do."""

    def __init__(self, media: object, reason: str) -> None:
        super().__init__(f"cannot read {media!r}: {reason}")
        self.media = media
        self.reason = reason


class ItemError(OctantError):
    """An item cannot become a point as it is. `reason` says why and what to do."""

    def __init__(self, item_id: str, reason: str) -> None:
        super().__init__(f"item {item_id!r}: {reason}")
        self.item_id = item_id
        self.reason = reason


class UnsupportedModality(OctantError):
    """No encoder takes media of this modality here."""

    def __init__(self, modality: str, where: str, remedy: str = "") -> None:
        super().__init__(f"{where} has no encoder for {modality}" + (f"; {remedy}" if remedy else ""))
        self.modality = modality


class SchemaMismatch(OctantError):
    """The stored collection was built with another model, dimension or schema."""

    def __init__(self, collection: str, differences: Sequence[str]) -> None:
        listed = "".join(f"\n  - {difference}" for difference in differences)
        super().__init__(
            f"collection {collection!r} was built otherwise:{listed}\n"
            "open it with what it was built with (schema=, or the models: encoder=, --encoder), index into a "
            "collection of another name (-c NAME), or delete this one and index again "
            f"(`octant delete -c {collection}`)"
        )
        self.differences = tuple(differences)


class FilterError(OctantError, ValueError):
    """A filter cannot be read, or asks for what no item has."""


class RerankError(OctantError):
    """A reranker failed; its own error is the cause."""

    def __init__(self, reranker: str, reason: str) -> None:
        super().__init__(f"reranker {reranker!r}: {reason}")
        self.reranker = reranker


class StoreError(OctantError):
    """The store refused the request or did not answer."""


class StoreLocked(StoreError):
    """Another process has the database open."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"the database at {path} is open in another process ({holder}); close that process first, "
            "use another directory (path=, --path, OCTANT_HOME), or share one Qdrant server (url=, --url)"
        )
        self.path = path


class TooManyDeletions(OctantError):
    """A sync would remove more than the share that it may. What was new is stored; nothing is removed."""

    def __init__(self, vanished: int, sources: int, most: float, report: object) -> None:
        super().__init__(
            f"{vanished} of {sources} sources are gone, more than {most:.0%}: is a disk not mounted, or a path wrong? "
            "Nothing was deleted. If they are to go, allow it: sync(..., max_deleted=1.0), --max-deleted 1"
        )
        self.vanished = vanished
        self.sources = sources
        self.report = report


class EncoderError(OctantError, ValueError):
    """No encoder has this name, or it was asked for in a way that it does not know."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"encoder {name!r}: {reason}")
        self.name = name
        self.reason = reason


class ServiceError(OctantError):
    """The service that an encoder asks refused, answered nonsense, or did not answer. The cause is its client's own."""

    def __init__(self, service: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service
        self.status = status
        """The HTTP status, where there was an answer."""


class WeightsError(OctantError):
    """The weights of a model are missing or not the ones that were published."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"weights {path}: {reason}")
        self.path = path


class MissingExtra(OctantError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str = "", *, install: str | None = None) -> None:
        remedy = install or f"pip install 'octant-search[{extra}]'"
        super().__init__(f"{package} is not installed; {remedy}")
