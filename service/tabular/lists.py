"""The lists of objects in a JSON document, as APIs, databases and search engines wrap them. PURE.

A list may stand anywhere inside; objects may be the values of a mapping by id, or rows beside a list of columns.
Objects may hold lists of objects themselves, as a post those of its reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

Found = tuple[str, Sequence[Any]]  # where a list stands, and its objects
_DEEPEST = 6
_LOOKED_AT = 100  # objects that show whether they hold lists
_NAMES = ("key", "name", "field", "label")
_OF_FIELDS = {*_NAMES, "value", "id", "type", "inline", "isInline"}
_TYPED = ("_value", "Value")  # string_value, int_value
_PUSH_ID = 20  # characters of a key that Firebase made
_BY_ID = 3  # so many objects under keys with digits are a list


def lists_in(document: Any) -> list[Found]:
    """The lists of a document and where they stand in it; the document itself is nowhere: ''."""
    found: list[Found] = []
    for place, objects in _lists(document, "", 0):
        found += _tables_of_phpmyadmin(objects) or [(place, objects)]
    return found


def places_inside(objects: Sequence[Any]) -> list[str]:
    """The places at which objects hold lists of objects, such as a post those of its reports."""
    some = [one for one in objects[:_LOOKED_AT] if isinstance(one, dict)]
    return list(dict.fromkeys(place for one in some for place, _ in _lists(one, "", 0)))


def list_at(outer: Any, place: str) -> Sequence[Any]:
    """The list that an object holds there; empty without one.

    Where other objects hold lists, XML has a single object, and a mapping by id may have one or two.
    """
    if not isinstance(outer, dict):
        return ()
    if inner := next((inner for where, inner in _lists(outer, "", 0) if where == place), None):
        return inner
    one = _value_at(outer, place)
    if not isinstance(one, Mapping) or not one:
        return ()
    by_id = all(isinstance(inner, dict) and _may_be_id(key) for key, inner in one.items())
    return _by_id(one) if by_id else [one]


def named_values(value: Any) -> dict[str, Any]:
    """The fields that a list writes as objects with a name and a value; empty if it is not such a list.

    As the parameters of Google Analytics' events, the fields of Discord's embeds and custom fields of trackers are.
    """
    if not isinstance(value, list) or not value:
        return {}
    if not all(isinstance(one, dict) and "value" in one and one.keys() <= _OF_FIELDS for one in value):
        return {}  # objects with more than that may be reports
    names = [next((one[key] for key in _NAMES if isinstance(one.get(key), str)), None) for one in value]
    if None in names or len(set(names)) < len(names):
        return {}
    return {str(name): _only_value(one["value"]) for name, one in zip(names, value, strict=True)}


def _only_value(value: Any) -> Any:
    """The one value of several by type, of which the others are unknown."""
    if isinstance(value, dict) and value and all(key.endswith(_TYPED) for key in value):
        return next((inner for inner in value.values() if inner is not None), None)
    return value


def _value_at(outer: Any, place: str) -> Any:
    """What stands at a place, whose keys may have dots themselves; None without it."""
    if not isinstance(outer, Mapping):
        return None
    if place in outer:
        return outer[place]
    within = (_value_at(outer[key], place[len(key) + 1 :]) for key in outer if place.startswith(f"{key}."))
    return next((value for value in within if value is not None), None)


def without(outer: Any, place: str) -> Any:
    """An object without the list that it holds there."""
    if not isinstance(outer, dict):
        return outer
    return {
        key: without(value, place[len(key) + 1 :]) if place.startswith(f"{key}.") else value
        for key, value in outer.items()
        if key != place
    }


def _lists(value: Any, where: str, depth: int) -> Iterator[Found]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list) and (not where or (value and all(isinstance(one, dict) for one in value))):
        if not (where and named_values(value)):
            yield where, value
    elif isinstance(value, Mapping):
        if _is_by_id(value):
            yield where, _by_id(value)
            return
        if rows := _rows_beside_columns(value):
            yield _place(where, rows[0]), rows[1]
        for key, inner in value.items():
            if isinstance(inner, list | Mapping):
                yield from _lists(inner, _place(where, key), depth + 1)


def _place(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _by_id(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key} | one for key, one in value.items()]


def _is_by_id(value: Mapping[str, Any]) -> bool:
    """Whether a mapping holds objects of one form by their ids, as Firebase exports them."""
    ones = list(islice(value.items(), _LOOKED_AT))
    if len(ones) < _BY_ID or not all(isinstance(one, dict) and len(one) > 1 for _, one in ones):
        return False
    common = set.intersection(*(set(one) for _, one in ones))
    return len(common) > 1 and all(_may_be_id(key) for key, _ in ones)


def _may_be_id(key: str) -> bool:
    return any(map(str.isdigit, key)) or len(key) >= _PUSH_ID


def _rows_beside_columns(value: Mapping[str, Any]) -> Found | None:
    """Rows without names, and the names of their columns in a list beside them, as objects."""
    names = [
        [str(one.get("name")) if isinstance(one, dict) else one for one in inner]
        for inner in value.values()
        if isinstance(inner, list) and inner and all(isinstance(one, str) or _has_name(one) for one in inner)
    ]
    for key, inner in value.items():
        if isinstance(inner, list) and inner and all(isinstance(row, list) for row in inner):
            for columns in names:
                if all(len(row) == len(columns) for row in inner):
                    return key, [dict(zip(columns, row, strict=True)) for row in inner]
    return None


def _has_name(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def _tables_of_phpmyadmin(objects: Sequence[Any]) -> list[Found]:
    if not objects or not isinstance(objects[0], dict) or objects[0].get("type") != "header":
        return []
    return [
        (str(one.get("name")), one["data"])
        for one in objects
        if isinstance(one, dict) and one.get("type") == "table" and isinstance(one.get("data"), list)
    ]
