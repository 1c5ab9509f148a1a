"""Filters: `models.Filter` to `qdrant_edge.Filter`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import qdrant_edge as qe
from qdrant_client.http import models

__all__ = ["to_condition", "to_filter", "to_geo_point", "to_time"]


def to_filter(given: models.Filter | None) -> qe.Filter | None:
    """Translate a filter; None stays None."""
    if given is None:
        return None
    return qe.Filter(
        must=_conditions(given.must),
        should=_conditions(given.should),
        must_not=_conditions(given.must_not),
        min_should=_min_should(given.min_should),
    )


def to_condition(given: models.Condition) -> Any:
    """Translate one condition."""
    match given:
        case models.FieldCondition():
            return _field(given)
        case models.Filter():
            return to_filter(given)
        case models.HasIdCondition():
            return qe.HasIdCondition(set(given.has_id))
        case models.HasVectorCondition():
            return qe.HasVectorCondition(given.has_vector)
        case models.IsEmptyCondition():
            return qe.IsEmptyCondition(given.is_empty.key)
        case models.IsNullCondition():
            return qe.IsNullCondition(given.is_null.key)
        case models.NestedCondition():
            inner = to_filter(given.nested.filter)
            return qe.NestedCondition(given.nested.key, inner if inner is not None else qe.Filter())
        case models.SliceCondition():
            # present in the module, forgotten in its stub
            return qe.SliceCondition(given.slice.total, given.slice.index)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


def to_time(moment: datetime | date | None) -> str | None:
    """Spell a moment as Edge reads it: ISO 8601; a moment without a zone is UTC for the engine."""
    return None if moment is None else moment.isoformat()


def to_geo_point(point: models.GeoPoint) -> qe.GeoPoint:
    """Translate a geographic point."""
    return qe.GeoPoint(lon=point.lon, lat=point.lat)


def _conditions(given: Sequence[models.Condition] | models.Condition | None) -> list[Any] | None:
    if given is None:
        return None
    return [to_condition(one) for one in (given if isinstance(given, Sequence) else [given])]


def _min_should(given: models.MinShould | None) -> qe.MinShould | None:
    if given is None:
        return None
    return qe.MinShould([to_condition(one) for one in given.conditions], given.min_count)


def _field(given: models.FieldCondition) -> qe.FieldCondition:
    return qe.FieldCondition(
        given.key,
        match=None if given.match is None else _match(given.match),
        range=None if given.range is None else _range(given.range),
        geo_bounding_box=_bounding_box(given.geo_bounding_box),
        geo_radius=_radius(given.geo_radius),
        geo_polygon=_polygon(given.geo_polygon),
        values_count=_values_count(given.values_count),
        is_empty=given.is_empty,
        is_null=given.is_null,
    )


def _match(given: models.Match) -> Any:
    match given:
        case models.MatchValue():
            # Edge reads a Python bool as the integer that it also is, and then matches nothing, silently
            value: Any = np.bool_(given.value) if isinstance(given.value, bool) else given.value
            return qe.MatchValue(value)
        case models.MatchAny():
            return qe.MatchAny(given.any)
        case models.MatchExcept():
            return qe.MatchExcept(given.except_)
        case models.MatchText():
            return qe.MatchText(given.text)
        case models.MatchTextAny():
            return qe.MatchTextAny(given.text_any)
        case models.MatchPhrase():
            return qe.MatchPhrase(given.phrase)
        case models.MatchPrefix():
            return qe.MatchPrefix(given.prefix)
        case models.MatchSubstring():
            return qe.MatchSubstring(given.substring)


def _range(given: models.RangeInterface) -> qe.RangeFloat | qe.RangeDateTime:
    if isinstance(given, models.DatetimeRange):
        return qe.RangeDateTime(
            gte=to_time(given.gte), gt=to_time(given.gt), lte=to_time(given.lte), lt=to_time(given.lt)
        )
    return qe.RangeFloat(gte=given.gte, gt=given.gt, lte=given.lte, lt=given.lt)


def _values_count(given: models.ValuesCount | None) -> qe.ValuesCount | None:
    if given is None:
        return None
    return qe.ValuesCount(lt=given.lt, gt=given.gt, lte=given.lte, gte=given.gte)


def _bounding_box(given: models.GeoBoundingBox | None) -> qe.GeoBoundingBox | None:
    if given is None:
        return None
    return qe.GeoBoundingBox(to_geo_point(given.top_left), to_geo_point(given.bottom_right))


def _radius(given: models.GeoRadius | None) -> qe.GeoRadius | None:
    return None if given is None else qe.GeoRadius(to_geo_point(given.center), given.radius)


def _polygon(given: models.GeoPolygon | None) -> qe.GeoPolygon | None:
    if given is None:
        return None
    holes = None if given.interiors is None else [_line(hole) for hole in given.interiors]
    return qe.GeoPolygon(_line(given.exterior), holes)


def _line(given: models.GeoLineString) -> list[qe.GeoPoint]:
    return [to_geo_point(point) for point in given.points]
