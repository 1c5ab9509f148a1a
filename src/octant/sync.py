"""What has vanished from its place, and may be removed."""

from __future__ import annotations

from collections.abc import Sequence

from octant.errors import TooManyDeletions
from octant.ingest import Seen, is_gone
from octant.report import Report
from octant.standing import Stored

__all__ = ["sweep"]


def sweep(
    stored: Stored,
    places: Sequence[str],
    streams: Sequence[str],
    seen: Seen,
    report: Report,
    *,
    max_deleted: float,
    with_patterns: bool,
) -> None:
    """Remove the items whose source lies in these places or streams and was not met; count them in the report.

    A file that is still there has not vanished, though a walk may not meet it (it is hidden); unless patterns say that
    it is not wanted. Nor have the rows of a table that lies in a folder, as long as its file does: it is not for a
    folder to say which rows that has.

    What could not be looked at has not vanished. An item whose vectors went to a renamed one counts as moved, not as
    deleted. TooManyDeletions, and nothing is removed, where more than the share `max_deleted` of the sources would go.
    """
    gone: list[str] = []
    sources: set[str] = set()
    vanished: set[str] = set()
    for standing in stored.everything():
        in_stream = any(_lies_in(standing.source, scope) for scope in streams)
        if not in_stream and not any(_lies_in(standing.source, place) for place in places):
            continue
        sources.add(standing.source)
        if standing.source in seen.sources or any(_lies_in(standing.source, unread) for unread in seen.unread):
            continue
        if not in_stream and (
            standing.source.split("#")[0] in seen.sources or not (with_patterns or is_gone(standing.source))
        ):
            continue
        gone.append(standing.id)
        if standing.id not in seen.taken:
            vanished.add(standing.source)
    if len(vanished) > max_deleted * len(sources):
        raise TooManyDeletions(len(vanished), len(sources), max_deleted, report)
    report.vanished = sorted(vanished)
    report.deleted += sum(one not in seen.taken for one in gone)
    if not report.dry:
        stored.remove(gone)


def _lies_in(source: str, scope: str) -> bool:
    """Whether a source is a place, or below it: a file in a folder, a row of a table."""
    return source == scope or source.startswith((f"{scope.rstrip('/')}/", f"{scope}#")) or _is_row(source, scope)


def _is_row(source: str, scope: str) -> bool:
    return scope.endswith("#") and source.startswith(scope)
