"""Payload keys as Qdrant's JSON paths: `price`, `offers[].price`, `"odd name".x`."""

from __future__ import annotations

import re

from octant.errors import FilterError

__all__ = ["BARE", "KEYWORDS", "general", "path_of", "segment", "shown"]

BARE = r"[^\W\d][\w-]*(?:\[[0-9]*\])*(?:\.[\w-]+(?:\[[0-9]*\])*)*"
"""A path that needs no quotes in the string form."""
KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false"})

_STEP = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<plain>[^.\[\]"]+))(?P<index>(?:\[[0-9]*\])*)')
_PLAIN = re.compile(BARE)
_INDEX = re.compile(r"\[[0-9]+\](?=[.\[]|$)")


def path_of(key: str) -> str:
    """Spell a key as Qdrant reads it: dots go down, [] into lists; odd names are put in quotes."""
    given: object = key  # callers without a type checker give anything
    if not isinstance(given, str):
        raise TypeError(f"a payload key is a text, not {given!r}")
    steps: list[str] = []
    at = 0
    while step := _STEP.match(key, at):
        steps.append(segment(step["quoted"] or step["plain"]) + step["index"])
        at = step.end() + 1
        if step.end() == len(key):
            return ".".join(steps)
        if key[step.end()] != ".":
            break
    raise FilterError(f'{key!r} is no payload key; write brand, offers[].price, or "odd.name" in double quotes')


def segment(name: str) -> str:
    """Spell one name within a path: Qdrant takes letters, digits, _ and - as they are, and all else in quotes."""
    return name if all(char.isalnum() or char in "_-" for char in name) else f'"{name}"'


def shown(path: str) -> str:
    """Spell a path in the string form: in backquotes where it could be read otherwise."""
    bare = _PLAIN.fullmatch(path) and path.lower() not in KEYWORDS and path != "id"
    return path if bare else "`" + path.replace("`", "``") + "`"


def general(path: str) -> str:
    """The path of all elements of the lists that a path goes through: offers[0].price is one of offers[].price."""
    return _INDEX.sub("[]", path)
