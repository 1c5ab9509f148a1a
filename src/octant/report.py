"""What became of the sources of a run: told while it goes on (Progress), and in the end (Report)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octant.item import Skipped
from octant.media import Modality

__all__ = ["Progress", "Report", "failed_sources"]


@dataclass(slots=True, repr=False)
class Report:
    """What became of the sources of one `add` or `sync`. Counts are of items, each of which is one point."""

    added: int = 0
    """Stored under ids that were not there."""
    updated: int = 0
    """Stored anew, because their content or their metadata has changed."""
    unchanged: int = 0
    """Left as they stand: neither encoded nor written."""
    moved: int = 0
    """Stored under new ids with the vectors that they had under ids whose source is gone."""
    deleted: int = 0
    """Removed because their source is gone (`sync`), or has become other items."""
    encoded: int = 0
    """Of the added and updated ones, those that needed new vectors: the others took vectors that stood already."""
    vanished: list[str] = field(default_factory=list[str])
    """The sources whose items a `sync` removed."""
    modalities: dict[Modality, int] = field(default_factory=dict[Modality, int])
    """How many of the stored items have a medium of each modality."""
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    """Sources of no kind that octant reads."""
    failed: list[Skipped] = field(default_factory=list[Skipped])
    """Sources that ought to have worked, with what to do about each."""
    stages: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds that the run spent waiting: for sources to be read, for the store to be asked, for encoders, for writes.

    They go on side by side, so each is what was left to wait for, and they sum up to about `seconds`.
    """
    seconds: float = 0.0
    dry: bool = False
    """Nothing was encoded, written or deleted; the counts say what would have been."""

    def __add__(self, other: Report) -> Report:
        """Sum two parts of one run; its `seconds` are theirs together, as if one had followed the other."""
        return Report(
            added=self.added + other.added,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            moved=self.moved + other.moved,
            deleted=self.deleted + other.deleted,
            encoded=self.encoded + other.encoded,
            vanished=self.vanished + other.vanished,
            modalities={
                m: self.modalities.get(m, 0) + other.modalities.get(m, 0) for m in (self.modalities | other.modalities)
            },
            skipped=self.skipped + other.skipped,
            failed=self.failed + other.failed,
            stages={s: self.stages.get(s, 0.0) + other.stages.get(s, 0.0) for s in (self.stages | other.stages)},
            seconds=self.seconds + other.seconds,
            dry=self.dry or other.dry,
        )

    @property
    def points(self) -> int:
        """Points that were written: items added, updated or moved."""
        return self.added + self.updated + self.moved

    @property
    def rate(self) -> float:
        """Items per second, the unchanged ones among them."""
        return (self.points + self.unchanged) / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data, for JSON."""
        return {
            "points": self.points,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "moved": self.moved,
            "deleted": self.deleted,
            "encoded": self.encoded,
            "modalities": {modality.value: count for modality, count in self.modalities.items()},
            "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "failed": [{"source": s.source, "reason": s.reason} for s in self.failed],
            "vanished": self.vanished,
            "seconds": round(self.seconds, 3),
            "stages": {stage: round(seconds, 3) for stage, seconds in self.stages.items()},
            "items_per_second": round(self.rate, 1),
            "dry": self.dry,
        }

    def write_failed(self, path: Path) -> int:
        """Write the failed sources as JSON lines, which `failed_sources` reads; return how many there are.

        An empty file is written where none failed, so that an older one is not taken for this run's.
        """
        lines = [json.dumps({"source": one.source, "reason": one.reason}) + "\n" for one in self.failed]
        path.write_text("".join(lines), encoding="utf-8")
        return len(lines)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{count} {modality}" for modality, count in self.modalities.items()) or "nothing"
        stored = f"{self.points} items stored ({kinds}) in {self.seconds:.1f} s"
        parts = [f"{count} {word}" for word, count in self.counts().items() if count and word != "added"]
        lines = [", ".join([("would be: " if self.dry else "") + stored, *parts])]
        lines += [f"  {one.source}: {one.reason}" for one in (*self.failed, *self.skipped)]
        return "\n".join(lines)

    def counts(self) -> dict[str, int]:
        """How many items or sources met each fate."""
        return {
            "added": self.added,
            "updated": self.updated,
            "moved": self.moved,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "skipped": len(self.skipped),
            "failed": len(self.failed),
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; given to its `progress` callback after every batch."""

    done: int
    """Items stored, moved or found unchanged."""
    skipped: int
    failed: int
    sources: int
    """Sources that are dealt with: files, rows, items."""
    modalities: Mapping[Modality, int]
    """How many of the stored items have a medium of each modality."""
    seconds: float
    current: str
    """The source that was read last."""


def failed_sources(path: Path) -> list[Path]:
    """Read the files of a list that `Report.write_failed` wrote, each once: what to give to `add` again.

    A row of a table stands for its table, whose other rows are found unchanged. ValueError names a line that is none.
    """
    found: dict[Path, None] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            source = json.loads(line)["source"]
        except (ValueError, TypeError, KeyError):
            raise ValueError(f"{path}, line {number} is no failed source; give a file that --failed wrote") from None
        found[_file_of(source)] = None
    return list(found)


def _file_of(source: str) -> Path:
    if not source.startswith("file://"):
        return Path(source)
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(source).path))
