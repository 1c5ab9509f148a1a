"""The string form of conditions: `price < 20 and brand in ("acme", "b")`.

    either   = both { "or" both }
    both     = negated { "and" negated }
    negated  = "not" negated | "(" either ")" | function | compared
    compared = subject sign value | value sign subject [ sign value ]
             | key [ "not" ] "in" "(" value { "," value } ")" | key "~" text
    subject  = key | "count" "(" key ")" | "id"
    function = name "(" ... ")", as in FUNCTIONS
    sign     = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
    value    = number | text in quotes | "true" | "false"; compared by size, the ISO text of a moment is that moment

A key stands as it is (`offers[].price`), or in backquotes where it is odd: `` `"odd name".x` ``. Texts are escaped as
in JSON, and may stand in single quotes. `id` is the item's own id; a payload key of that name is in backquotes.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from octant.errors import FilterError
from octant.filters.builder import Counted, F, at_least, has_vector, ids, slice_of
from octant.filters.conditions import And, Condition, Not, Or
from octant.filters.keys import BARE, KEYWORDS
from octant.filters.values import Place, Scalar

__all__ = ["FUNCTIONS", "parse"]

DEEPEST = 64
"""Levels of parentheses and negations: what a caller sends is bounded before Python's own stack is."""

_TOKEN = re.compile(
    rf"""(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?!\w))
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<key>`(?:[^`]|``)+`)
    |(?P<word>{BARE})
    |(?P<sign><=|>=|!=|==|=|<|>|~)
    |(?P<mark>[(),])""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_SIGNS: dict[str, Callable[[Any, Any], Condition]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SIDES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def parse(text: str) -> Condition:
    """Read a condition from its string form. FilterError says where it breaks, and what was expected there."""
    parser = _Parser(text)
    condition = parser.either()
    if parser.token.kind != "end":
        raise parser.misread("expected 'and', 'or' or the end")
    return condition


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """A walk over the tokens of one text, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.misled = False
        self.at = 0
        self.depth = 0
        self.tokens = list(self._tokens())

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def either(self) -> Condition:
        parts = [self.both()]
        while self.taken("word", "or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def both(self) -> Condition:
        parts = [self.negated()]
        while self.taken("word", "and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negated(self) -> Condition:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.misread(f"conditions are nested more than {DEEPEST} levels deep")
        start = self.token
        try:
            made = self._negated()
        except FilterError as error:
            # what a condition refuses does not know where it was read
            raise error if self.misled else self.misread(str(error), start) from None
        self.depth -= 1
        return made

    def _negated(self) -> Condition:
        if self.taken("word", "not"):
            return Not(self.negated())
        if self.taken("mark", "("):
            inner = self.either()
            self.mark(")")
            return inner
        if self.token.kind == "word" and self.tokens[self.at + 1].text == "(" and self._is_name():
            return self._function()
        if self.token.kind in ("number", "text") or self.token.text.lower() in ("true", "false"):
            return self._value_first()
        if self.taken("word", "id"):
            return self._ids()
        return self._key_first(F(self.key()))

    def _function(self) -> Condition:
        name = self.token
        if name.text == "count":
            return self._key_first(self._count())
        if name.text not in FUNCTIONS:
            near = get_close_matches(name.text, FUNCTIONS, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise self.misread(f"there is no function {name.text!r}; {meant}There are count, {', '.join(FUNCTIONS)}")
        self.at += 1
        self.mark("(")
        made = FUNCTIONS[name.text](self)
        self.mark(")")
        return made

    def _count(self) -> Counted:
        self.at += 1
        self.mark("(")
        counted = F(self.key()).count
        self.mark(")")
        return counted

    def _key_first(self, subject: F | Counted) -> Condition:
        if isinstance(subject, F):
            if self.taken("sign", "~"):
                return subject.contains(self.words())
            negated = self._is_not_in() and self.taken("word", "not")
            if self.taken("word", "in"):
                found = subject.one_of(*self.values())
                return ~found if negated else found
        expected = "a sign such as = or <" + (", ~, in or not in" if isinstance(subject, F) else "")
        return _SIGNS[self.sign(expected)](subject, self.value())

    def _value_first(self) -> Condition:
        value = self.value()
        first = self.sign("a sign such as = or <")
        counts = self.token.text == "count" and self.tokens[self.at + 1].text == "("
        subject = self._count() if counts else F(self.key())
        if self.token.kind != "sign" or first not in _TURNED:
            return _SIGNS[_TURNED.get(first, first)](subject, value)
        second = self.sign("a sign")
        if second not in _SIDES or second[0] != first[0]:
            raise self.misread(f"expected {first[0]} or {first[0]}=, for a range", self.tokens[self.at - 1])
        bounds: dict[str, Any] = {_SIDES[_TURNED[first]]: value, _SIDES[second]: self.value()}
        return subject.range(**bounds)

    def _ids(self) -> Condition:
        negated = self._is_not_in() and self.taken("word", "not")
        if self.taken("word", "in"):
            found = ids(*self.texts())
        else:
            sign = self.sign("=, !=, in or not in, which item ids are compared with,")
            if sign not in ("=", "==", "!="):
                raise self.misread("expected =, !=, in or not in: ids have no order", self.tokens[self.at - 1])
            found, negated = ids(self.words()), sign == "!="
        return ~found if negated else found

    def taken(self, kind: str, text: str) -> bool:
        """Take the token if it is this one."""
        if self.token.kind != kind or self.token.text.lower() != text:
            return False
        self.at += 1
        return True

    def mark(self, text: str) -> None:
        if not self.taken("mark", text):
            raise self.misread(f"expected {text!r}")

    def comma(self) -> None:
        self.mark(",")

    def key(self) -> str:
        token = self.token
        if token.kind == "key":
            self.at += 1
            return token.text[1:-1].replace("``", "`")
        if not self._is_name():
            raise self.misread("expected a condition, such as price < 20" if not self.at else "expected a payload key")
        self.at += 1
        return token.text

    def sign(self, expected: str) -> str:
        token = self.token
        if token.kind != "sign" or token.text == "~":
            raise self.misread(f"expected {expected}")
        self.at += 1
        return token.text

    def value(self) -> Scalar:
        token = self.token
        match token.kind:
            case "number":
                self.at += 1
                # beyond so many digits Python itself refuses to read an int; a float may be infinite, and is refused
                whole = len(token.text) <= 20 and token.text.lstrip("+-").isdecimal()
                return int(token.text) if whole else float(token.text)
            case "text":
                return self.words()
            case "word" if token.text.lower() in ("true", "false"):
                self.at += 1
                return token.text.lower() == "true"
            case "word" | "key":
                raise self.misread(f'expected a value; a text stands in quotes, such as "{token.text}"')
            case _:
                raise self.misread("expected a value: a number, a text in quotes, true or false")

    def values(self) -> list[Scalar]:
        self.mark("(")
        found = [self.value()]
        while self.taken("mark", ","):
            found.append(self.value())
        self.mark(")")
        return found

    def texts(self) -> list[str]:
        self.mark("(")
        found = [self.words()]
        while self.taken("mark", ","):
            found.append(self.words())
        self.mark(")")
        return found

    def words(self) -> str:
        token = self.token
        if token.kind != "text":
            raise self.misread("expected a text in quotes")
        self.at += 1
        try:
            return _unquoted(token.text)
        except ValueError:
            raise self.misread("expected a text with the escapes of JSON, such as \\n or \\u00e9", token) from None

    def number(self) -> int | float:
        if self.token.kind != "number":
            raise self.misread("expected a number")
        value = self.value()
        assert not isinstance(value, str)
        return value

    def misread(self, problem: str, token: _Token | None = None) -> FilterError:
        """The error that says what is wrong, and where; it is for the caller to raise."""
        self.misled = True
        token = token or self.token
        found = f", found {repr(token.text) if token.text else 'the end'}" if problem.startswith("expected") else ""
        start = max(0, token.at - 40)
        line = _SPACE.sub(lambda space: " " * len(space[0]), self.text[start : token.at + 40])
        return FilterError(
            f"cannot read the filter at character {token.at + 1}: {problem}{found}\n"
            f"  {line}\n  {' ' * (token.at - start)}^"
        )

    def _is_name(self) -> bool:
        return self.token.kind == "word" and self.token.text.lower() not in KEYWORDS

    def _is_not_in(self) -> bool:
        return self.token.text.lower() == "not" and self.tokens[self.at + 1].text.lower() == "in"

    def _tokens(self) -> Iterator[_Token]:
        at = 0
        while True:
            space = _SPACE.match(self.text, at)
            at = space.end() if space else at
            if at == len(self.text):
                yield _Token("end", "", at)
                return
            found = _TOKEN.match(self.text, at)
            if found is None:
                here = _Token("", self.text[at], at)
                quote = self.text[at] in "\"'`"
                raise self.misread("a quote is not closed" if quote else "expected a key, a value or a sign", here)
            yield _Token(str(found.lastgroup), found[0], at)
            at = found.end()


def _unquoted(text: str) -> str:
    body = text[1:-1]
    if text[0] == "'":
        swapped = {"\\'": "'", '"': '\\"'}
        body = re.sub(r'\\.|"', lambda found: swapped.get(found[0], found[0]), body, flags=re.DOTALL)
    read: str = json.loads(f'"{body}"', strict=False)
    return read


def _none_of(parser: _Parser) -> Condition:
    subject = F(parser.key())
    values: list[Any] = []
    while parser.taken("mark", ","):
        values.append(parser.value())
    return subject.none_of(*values)


def _on_text(make: Callable[[F, str], Condition]) -> Callable[[_Parser], Condition]:
    def read(parser: _Parser) -> Condition:
        subject = F(parser.key())
        parser.comma()
        return make(subject, parser.words())

    return read


def _radius(parser: _Parser) -> Condition:
    key, (lat, lon, metres) = parser.key(), _measures(parser, 3)
    return F(key).within_radius(lat, lon, metres)


def _box(parser: _Parser) -> Condition:
    key, (north, west, south, east) = parser.key(), _measures(parser, 4)
    return F(key).within_box(north=north, west=west, south=south, east=east)


def _measures(parser: _Parser, count: int) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        parser.comma()
        found.append(parser.number())
    return found


def _polygon(parser: _Parser) -> Condition:
    subject = F(parser.key())
    corners: list[Place] = []
    holes: list[list[Place]] = []
    while parser.taken("mark", ","):
        if parser.taken("word", "hole"):
            parser.mark("(")
            hole = [_place(parser)]
            while parser.taken("mark", ","):
                hole.append(_place(parser))
            parser.mark(")")
            holes.append(hole)
        else:
            corners.append(_place(parser))
    return subject.within_polygon(corners, holes)


def _place(parser: _Parser) -> Place:
    parser.mark("(")
    lat = parser.number()
    parser.comma()
    lon = parser.number()
    parser.mark(")")
    return lat, lon


def _nested(parser: _Parser) -> Condition:
    subject = F(parser.key())
    return subject.any(*_conditions(parser))


def _at_least(parser: _Parser) -> Condition:
    count: Any = parser.number()
    return at_least(count, *_conditions(parser))


def _conditions(parser: _Parser) -> list[Condition]:
    parser.comma()
    found = [parser.either()]
    while parser.taken("mark", ","):
        found.append(parser.either())
    return found


def _has(parser: _Parser) -> Condition:
    return has_vector(parser.words() if parser.token.kind == "text" else parser.key())


def _slice(parser: _Parser) -> Condition:
    index: Any = parser.number()
    [total] = _measures(parser, 1)
    return slice_of(index, total)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # it refuses floats


FUNCTIONS: dict[str, Callable[[_Parser], Condition]] = {
    "none_of": _none_of,
    "any_word": _on_text(F.any_word),
    "phrase": _on_text(F.phrase),
    "prefix": _on_text(F.starts_with),
    "substring": _on_text(F.has_substring),
    "geo_radius": _radius,
    "geo_box": _box,
    "geo_polygon": _polygon,
    "nested": _nested,
    "empty": lambda parser: F(parser.key()).is_empty(),
    "null": lambda parser: F(parser.key()).is_null(),
    "has": _has,
    "at_least": _at_least,
    "slice": _slice,
}
"""Conditions that are written as functions, by name."""
