"""Which files of a folder are wanted, by patterns as in .gitignore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pathspec import GitIgnoreSpec

__all__ = ["Patterns"]


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns as in .gitignore: `*.jpg`, `drafts/` (a folder), `/top` (of the root), `**/x`, `!keep` (the last wins).

    With `include`, only files that match one of its patterns, or lie in a folder that does, are kept. What `exclude`
    matches is not, nor is what lies in a folder that it matches. Upper and lower case differ.
    TypeError or ValueError for what is no pattern, and for an `include` that lets nothing in.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    _wanted: GitIgnoreSpec = field(init=False, repr=False, compare=False)
    _unwanted: GitIgnoreSpec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, own in (("include", "_wanted"), ("exclude", "_unwanted")):
            patterns = _listed(name, getattr(self, name))
            object.__setattr__(self, name, patterns)
            object.__setattr__(self, own, _compiled(name, patterns))
        if self.include and not any(pattern.include for pattern in self._wanted.patterns):
            remedy = "give the patterns of what to let in; to keep files out, write exclude=(...)"
            raise ValueError(f"include={self.include!r} lets nothing in; {remedy}")

    def keeps(self, relative: PurePosixPath, is_folder: bool) -> bool:
        """Tell whether a walk takes this file, or enters this folder. The path is relative to the walk's root."""
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError(f"patterns judge paths relative to their root, not {str(relative)!r}")
        if relative == PurePosixPath():
            return True
        if self.exclude and any(self._unwanted.match_file(one) for one in _downwards(relative, is_folder)):
            return False
        return is_folder or not self.include or self._wanted.match_file(relative.as_posix())


def _downwards(relative: PurePosixPath, is_folder: bool) -> Iterator[str]:
    """The folders on the way, then the path itself: as in git, nothing brings back what is in an excluded folder."""
    parts = relative.parts
    for depth in range(1, len(parts)):
        yield "/".join(parts[:depth]) + "/"
    yield "/".join(parts) + ("/" if is_folder else "")


def _listed(name: str, given: Sequence[str]) -> tuple[str, ...]:
    patterns: object = given  # callers without a type checker give anything
    if isinstance(patterns, str) or not isinstance(patterns, Sequence):
        raise TypeError(f"{name} takes a tuple of patterns, such as {name}=('*.jpg',), not {patterns!r}")
    for pattern in given:
        one: object = pattern
        if not isinstance(one, str):
            raise TypeError(f"{name} takes patterns as texts, not {one!r}")
    return tuple(given)


def _compiled(name: str, patterns: tuple[str, ...]) -> GitIgnoreSpec:
    for pattern in patterns:
        if not pattern.strip() or pattern.startswith("#"):  # blank lines and comments, as in a file
            continue
        try:
            (one,) = GitIgnoreSpec.from_lines([pattern]).patterns
        except (ValueError, re.error) as error:
            raise _malformed(name, pattern) from error
        if one.include is None:
            raise _malformed(name, pattern)
    return GitIgnoreSpec.from_lines(patterns)


def _malformed(name: str, pattern: str) -> ValueError:
    remedy = "see gitignore(5); write \\ before a character of *?[!#\\ that stands for itself"
    return ValueError(f"{name} has the pattern {pattern!r}, which is malformed; {remedy}")
