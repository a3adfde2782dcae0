"""The lists of objects in a JSON document, as APIs, databases and search engines wrap them. PURE.

A list may stand anywhere inside; objects may be the values of a mapping by id, or rows beside a list of columns.
Objects that hold lists of objects (a post with its reports) make a list of the inner ones, each with what is said of
the outer one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

Found = tuple[str, Sequence[Any]]  # where a list stands, and its objects
_DEEPEST = 6
_LOOKED_AT = 100  # objects that show whether they hold lists
_BY_ID = 3  # so many objects under keys with digits are a list


def lists_in(document: Any) -> list[Found]:
    """The lists of a document and where they stand in it; the document itself is nowhere: ''."""
    found: list[Found] = []
    for place, objects in _lists(document, "", 0):
        found += _tables_of_phpmyadmin(objects) or [(place, objects)]
    return found


def inner_lists(found: Sequence[Found]) -> list[Found]:
    """What lists in the objects of lists say, each with the fields of the object that holds it."""
    return [inner for place, objects in found for inner in _inner_lists(place, objects)]


def _lists(value: Any, where: str, depth: int) -> Iterator[Found]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list) and (not where or (value and all(isinstance(one, dict) for one in value))):
        yield where, value
    elif isinstance(value, Mapping):
        if _is_by_id(value):
            yield where, [{"key": key} | one for key, one in value.items()]
            return
        if rows := _rows_beside_columns(value):
            yield _place(where, rows[0]), rows[1]
        for key, inner in value.items():
            if isinstance(inner, list | Mapping):
                yield from _lists(inner, _place(where, key), depth + 1)


def _place(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _is_by_id(value: Mapping[str, Any]) -> bool:
    """Whether a mapping holds objects of one form by their ids, as Firebase exports them."""
    ones = list(islice(value.items(), _LOOKED_AT))
    if len(ones) < _BY_ID or not all(isinstance(one, dict) and len(one) > 1 for _, one in ones):
        return False
    common = set.intersection(*(set(one) for _, one in ones))
    return len(common) > 1 and all(any(c.isdigit() for c in key) for key, _ in ones)


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


def _inner_lists(where: str, objects: Sequence[Any]) -> list[Found]:
    """For each place at which objects hold lists of objects: all of those, with the fields of what holds them."""
    some = [one for one in objects[:_LOOKED_AT] if isinstance(one, dict)]
    places = dict.fromkeys(place for one in some for place, _ in _lists(one, "", 0))
    found: list[Found] = []
    for wanted in places:
        joined = []
        for outer in objects:
            if isinstance(outer, dict):
                own = {key: value for key, value in outer.items() if not isinstance(value, list)}
                inner = next((ones for place, ones in _lists(outer, "", 0) if place == wanted), ())
                joined += [own | _renamed(one, own, wanted) for one in inner]
        found.append((_place(where, wanted), joined))
    return found


def _renamed(inner: Mapping[str, Any], outer: Mapping[str, Any], place: str) -> dict[str, Any]:
    return {f"{place}.{key}" if key in outer else key: value for key, value in inner.items()}
