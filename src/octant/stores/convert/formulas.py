"""Score formulas: `models.FormulaQuery` to `qdrant_edge.Formula`."""

from __future__ import annotations

from typing import Any, cast, get_args

import qdrant_edge as qe
from qdrant_client.http import models

from octant.stores.convert.filters import to_condition, to_geo_point

__all__ = ["to_formula"]

_CONDITIONS = get_args(models.Condition)


def to_formula(given: models.FormulaQuery) -> qe.Formula:
    """Translate a formula with the defaults of its variables."""
    return qe.Formula(_expression(given.formula), dict(given.defaults or {}))


def _expression(given: models.Expression) -> qe.Expression:
    if isinstance(given, float | int):
        return qe.Expression.Constant(float(given))
    if isinstance(given, str):
        return qe.Expression.Variable(given)
    if isinstance(given, _CONDITIONS):
        return qe.Expression.Condition(to_condition(cast("models.Condition", given)))
    return _operation(given)


def _operation(given: Any) -> qe.Expression:
    e = qe.Expression
    match given:
        case models.SumExpression():
            return e.Sum(_all(given.sum))
        case models.MultExpression():
            return e.Mult(_all(given.mult))
        case models.MaxExpression():
            return e.Max(_all(given.max))
        case models.MinExpression():
            return e.Min(_all(given.min))
        case models.NegExpression():
            return e.Neg(_expression(given.neg))
        case models.AbsExpression():
            return e.Abs(_expression(given.abs))
        case models.SqrtExpression():
            return e.Sqrt(_expression(given.sqrt))
        case models.ExpExpression():
            return e.Exp(_expression(given.exp))
        case models.LnExpression():
            return e.Ln(_expression(given.ln))
        case models.Log10Expression():
            return e.Log10(_expression(given.log10))
        case models.AcoshExpression():
            return e.Acosh(_expression(given.acosh))
        case models.PowExpression():
            return e.Pow(_expression(given.pow.base), _expression(given.pow.exponent))
        case models.DivExpression():
            return e.Div(_expression(given.div.left), _expression(given.div.right), given.div.by_zero_default)
        case models.GeoDistance():
            return e.GeoDistance(to_geo_point(given.geo_distance.origin), given.geo_distance.to)
        case models.DatetimeExpression():
            return e.Datetime(given.datetime)
        case models.DatetimeKeyExpression():
            return e.DatetimeKey(given.datetime_key)
        case models.LinDecayExpression():
            return _decay(qe.DecayKind.Lin, given.lin_decay)
        case models.ExpDecayExpression():
            return _decay(qe.DecayKind.Exp, given.exp_decay)
        case models.GaussDecayExpression():
            return _decay(qe.DecayKind.Gauss, given.gauss_decay)
        case _:
            raise TypeError(f"not an expression of a formula: {given!r}")


def _all(given: list[models.Expression]) -> list[qe.Expression]:
    return [_expression(one) for one in given]


def _decay(kind: qe.DecayKind, given: models.DecayParamsExpression) -> qe.Expression:
    target = None if given.target is None else _expression(given.target)
    return qe.Expression.Decay(kind, _expression(given.x), target, given.midpoint, given.scale)
