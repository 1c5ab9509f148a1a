"""Boosts: a hit's score and its payload in a formula, which the store computes, or Python to the same numbers.

from octant.rerank import boost

boost.Boost(boost.score() + 0.2 * boost.log1p(boost.key("popularity")))
boost.Boost(boost.score() * boost.recency("published", half_life=timedelta(days=30)))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from qdrant_client.http import models

from octant.errors import ItemError
from octant.filters import Where, filter_of
from octant.item import Hit
from octant.rerank.nested import as_prefetch, rescoring
from octant.stores.capabilities import Feature
from octant.vectors import Vector

if TYPE_CHECKING:
    from octant.query import Query

__all__ = [
    "Boost",
    "Expression",
    "date",
    "distance",
    "exp",
    "exp_decay",
    "gauss_decay",
    "key",
    "lin_decay",
    "log",
    "log1p",
    "log10",
    "near",
    "recency",
    "score",
    "sqrt",
    "when",
]

Number: TypeAlias = "Expression | float"
Build: TypeAlias = Callable[[datetime], Any]
"""Makes Qdrant's expression, at the time of the query."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Expression:
    """A number of a hit. Made by the functions of this module, and by + - * / ** and abs() between them and numbers."""

    text: str
    build: Build = field(compare=False, repr=False)
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What stands for a payload key that a hit has not."""

    def formula(self, now: datetime) -> models.FormulaQuery:
        """The same for the store, as of a moment."""
        return models.FormulaQuery(formula=self.build(now), defaults=dict(self.defaults))

    def __str__(self) -> str:
        return self.text[1:-1] if self.text.startswith("(") else self.text

    def __add__(self, other: Number) -> Expression:
        return _two("({} + {})", lambda a, b: models.SumExpression(sum=[a, b]), self, other)

    def __radd__(self, other: float) -> Expression:
        return _constant(other) + self

    def __sub__(self, other: Number) -> Expression:
        return _two("({} - {})", lambda a, b: models.SumExpression(sum=[a, models.NegExpression(neg=b)]), self, other)

    def __rsub__(self, other: float) -> Expression:
        return _constant(other) - self

    def __mul__(self, other: Number) -> Expression:
        return _two("({} * {})", lambda a, b: models.MultExpression(mult=[a, b]), self, other)

    def __rmul__(self, other: float) -> Expression:
        return _constant(other) * self

    def __truediv__(self, other: Number) -> Expression:
        return _two("({} / {})", lambda a, b: models.DivExpression(div=models.DivParams(left=a, right=b)), self, other)

    def __rtruediv__(self, other: float) -> Expression:
        return _constant(other) / self

    def __pow__(self, other: Number) -> Expression:
        params = models.PowParams
        return _two("({} ** {})", lambda a, b: models.PowExpression(pow=params(base=a, exponent=b)), self, other)

    def __neg__(self) -> Expression:
        return _one("(-{})", lambda a: models.NegExpression(neg=a), self)

    def __abs__(self) -> Expression:
        return _one("abs({})", lambda a: models.AbsExpression(abs=a), self)


@dataclass(frozen=True, slots=True)
class Boost:
    """Judge hits by a formula of their score and payload. As the leading stage of a query, the store computes it.

    A logarithm of 0, a root of less, or a division by 0 is an error, there and here.
    """

    expression: Expression
    needs: ClassVar[Feature] = Feature.FORMULA
    complete: ClassVar[bool] = True
    nests: ClassVar[bool] = True

    def __post_init__(self) -> None:
        given: object = self.expression  # callers without a type checker give anything
        if not isinstance(given, Expression):
            raise TypeError(f"a boost takes an expression, such as score() + key('popularity'), not {given!r}")

    @property
    def name(self) -> str:
        return f"boost {self.expression}"

    def score(self, query: Query, hits: Sequence[Hit]) -> list[float]:
        """Compute the formula from the hits' scores and payloads. ItemError where it has no value for one of them."""
        del query  # its part is in the scores
        formula = self.expression.formula(datetime.now(UTC))
        return [_evaluated(formula, hit) for hit in hits]

    def in_store(
        self, request: models.QueryRequest, candidates: int, asked: Mapping[str, Vector]
    ) -> models.QueryRequest | None:
        """Score the best candidates by the formula."""
        del asked
        formula = self.expression.formula(datetime.now(UTC))
        return rescoring(request, as_prefetch(request, candidates), formula, None)


def score() -> Expression:
    """The score that the hit has so far."""
    return Expression("score", lambda _: "$score")


def key(name: str, default: float = 0.0) -> Expression:
    """A number of the payload; `default` for a hit that has none."""
    return Expression(name, lambda _: name, {name: float(default)})


def when(where: Where) -> Expression:
    """1 for a hit whose payload a filter matches, else 0."""
    condition = filter_of(where)
    if condition is None:
        raise ValueError("when() takes a condition, such as {'in_stock': True}")
    if _mentions(condition.model_dump(), {"has_vector", "has_id"}):
        raise ValueError("a boost sees payloads alone; use conditions of payload keys, not has_vector or has_id")
    return Expression(f"when({where})", lambda _: condition)


def log(x: Number) -> Expression:
    """The natural logarithm, of more than 0."""
    return _one("log({})", lambda a: models.LnExpression(ln=a), x)


def log1p(x: Number) -> Expression:
    """The natural logarithm of 1 + x: 0 at 0."""
    return _one("log1p({})", lambda a: models.LnExpression(ln=models.SumExpression(sum=[1.0, a])), x)


def log10(x: Number) -> Expression:
    """The decimal logarithm, of more than 0."""
    return _one("log10({})", lambda a: models.Log10Expression(log10=a), x)


def exp(x: Number) -> Expression:
    """e to the power of x."""
    return _one("exp({})", lambda a: models.ExpExpression(exp=a), x)


def sqrt(x: Number) -> Expression:
    """The square root, of 0 or more."""
    return _one("sqrt({})", lambda a: models.SqrtExpression(sqrt=a), x)


def date(name: str, default: datetime = _LONG_AGO) -> Expression:
    """A date of the payload, in seconds since 1970; without a time zone it is UTC."""
    return Expression(
        f"date({name})", lambda _: models.DatetimeKeyExpression(datetime_key=name), {name: _utc(default).isoformat()}
    )


def distance(name: str, lat: float, lon: float) -> Expression:
    """Metres from a place of the payload, `{"lat": …, "lon": …}`, to this one; as far as can be where it has none."""
    here = models.GeoPoint(lat=lat, lon=lon)
    return Expression(
        f"distance({name}, {lat!r}, {lon!r})",
        lambda _: models.GeoDistance(geo_distance=models.GeoDistanceParams(origin=here, to=name)),
        # the antipode
        {name: {"lat": -lat, "lon": lon - 180.0 if lon > 0 else lon + 180.0}},
    )


def gauss_decay(x: Number, target: Number = 0.0, *, half: float) -> Expression:
    """1 where x is at the target, 0.5 at a distance of `half`, falling as a bell: slow near the target."""
    return _decay("gauss_decay", lambda given: models.GaussDecayExpression(gauss_decay=given), x, target, half)


def exp_decay(x: Number, target: Number = 0.0, *, half: float) -> Expression:
    """1 where x is at the target, halved with each distance of `half` from it."""
    return _decay("exp_decay", lambda given: models.ExpDecayExpression(exp_decay=given), x, target, half)


def lin_decay(x: Number, target: Number = 0.0, *, half: float) -> Expression:
    """1 where x is at the target, 0.5 at a distance of `half`, 0 at twice that and beyond."""
    return _decay("lin_decay", lambda given: models.LinDecayExpression(lin_decay=given), x, target, half)


def recency(name: str, half_life: timedelta, now: datetime | None = None) -> Expression:
    """1 for a hit whose date is now, halved with each half-life that has passed since; 0 where it has no date.

    `now` is the time of each query, unless it is given. A date in the future counts as one as long ago.
    """

    def current(moment: datetime) -> models.DatetimeExpression:
        return models.DatetimeExpression(datetime=_utc(now or moment).isoformat())

    # the time of the query is no part of the text, by which expressions are compared
    since = Expression("now" if now is None else _utc(now).isoformat(), current)
    return exp_decay(date(name), since, half=half_life.total_seconds())


def near(name: str, lat: float, lon: float, half: float) -> Expression:
    """1 for a hit that lies here, 0.5 at a distance of `half` metres; 0 where it has no place."""
    return gauss_decay(distance(name, lat, lon), half=half)


def _decay(
    name: str, wrap: Callable[[models.DecayParamsExpression], Any], x: Number, target: Number, half: float
) -> Expression:
    if not half > 0:
        raise ValueError(f"{name}(half=...) is a distance above 0, not {half}")

    def build(a: Any, b: Any) -> Any:
        return wrap(models.DecayParamsExpression(x=a, target=b, scale=half, midpoint=0.5))

    return _two(f"{name}({{}}, {{}}, half={half!r})", build, x, target)


def _constant(value: Number) -> Expression:
    if isinstance(value, Expression):
        return value
    given: object = value  # callers without a type checker give anything
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"formulas take numbers and expressions, not {given!r}; a payload key is key({given!r})")
    return Expression(repr(float(value)), lambda _: float(value))


def _one(text: str, wrap: Callable[[Any], Any], x: Number) -> Expression:
    inner = _constant(x)
    return Expression(text.format(inner.text), lambda now: wrap(inner.build(now)), inner.defaults)


def _two(text: str, combine: Callable[[Any, Any], Any], x: Number, y: Number) -> Expression:
    a, b = _constant(x), _constant(y)
    for name in a.defaults.keys() & b.defaults.keys():
        if a.defaults[name] != b.defaults[name]:
            raise ValueError(
                f"the key {name!r} has two defaults in one formula: {a.defaults[name]} and {b.defaults[name]}"
            )
    written = text.format(a.text, b.text)
    return Expression(written, lambda now: combine(a.build(now), b.build(now)), {**a.defaults, **b.defaults})


def _evaluated(formula: models.FormulaQuery, hit: Hit) -> float:
    # qdrant-client's own, which local mode computes with: one meaning of a formula, wherever it is computed
    from qdrant_client.hybrid.formula import evaluate_expression, parse_defaults

    defaults = parse_defaults(dict(formula.defaults or {}))
    try:
        return float(
            evaluate_expression(formula.formula, hit.id, [{hit.id: hit.score}], dict(hit.payload), {}, defaults)
        )
    except ValueError as error:
        raise ItemError(hit.id, f"the formula has no value for it: {error}") from error


def _mentions(dumped: object, names: set[str]) -> bool:
    if isinstance(dumped, dict):
        entries = cast("dict[str, object]", dumped)
        return any(k in names or _mentions(v, names) for k, v in entries.items())
    return isinstance(dumped, list) and any(_mentions(one, names) for one in cast("list[object]", dumped))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
