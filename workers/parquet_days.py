"""A day's complaints or outcomes as Parquet tables with flat columns, as `audit` and engines read them. PURE."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa

from service.model import JsonObject

ROWS_AT_ONCE = 50_000
MOST_ATTRIBUTES = 200  # columns; of more names, the most frequent ones
ATTRIBUTE = "attributes_"  # before the name of an attribute
_TIME = pa.timestamp("us", tz="UTC")
_LARGEST = 2**63
_COMPLAINT: dict[str, tuple[tuple[str, ...], pa.DataType]] = {
    "id": (("id",), pa.string()),
    "occurred_at": (("occurred_at",), _TIME),
    "reporter_id": (("reporter", "id"), pa.string()),
    "account_created_at": (("reporter", "account_created_at"), _TIME),
    "fingerprint": (("reporter", "fingerprint"), pa.string()),
    "trusted": (("reporter", "trusted"), pa.bool_()),
    "target_id": (("target", "id"), pa.string()),
    "kind": (("target", "kind"), pa.string()),
    "author_id": (("target", "author_id"), pa.string()),
    "context_id": (("target", "context_id"), pa.string()),
    "context_title": (("target", "context_title"), pa.string()),
    "context_url": (("target", "context_url"), pa.string()),
    "url": (("target", "url"), pa.string()),
    "excerpt": (("target", "excerpt"), pa.string()),
    "reason": (("reason",), pa.string()),
    "text": (("text",), pa.string()),
    "notice_type": (("notice_type",), pa.string()),
    "part_of": (("part_of",), pa.string()),
}
_OUTCOME: dict[str, tuple[tuple[str, ...], pa.DataType]] = {
    "id": (("id",), pa.string()),
    "target_id": (("target_id",), pa.string()),
    "decided_at": (("decided_at",), _TIME),
    "verdict": (("verdict",), pa.string()),
    "action": (("action",), pa.string()),
    "decided_by": (("decided_by",), pa.string()),
    "complaint_id": (("complaint_id",), pa.string()),
    "retracts": (("retracts",), pa.string()),
}
PATHS = {"complaints": _COMPLAINT, "outcomes": _OUTCOME}


def schema_of(noun: str, rows: Iterable[JsonObject]) -> pa.Schema:
    """The columns of a file of complaints or outcomes: the same every day, but for the attributes of targets.

    An attribute is a column of its own (`attributes_is_reply`): logical, a number, or text where its values differ.
    """
    fields = [pa.field(name, kind) for name, (_, kind) in PATHS[noun].items()]
    if noun == "complaints":
        seen, kinds = Counter[str](), dict[str, set[type]]()
        for row in rows:
            for name, value in (row["target"].get("attributes") or {}).items():
                seen[name] += 1
                kinds.setdefault(name, set()).add(_kind(value))
        kept = sorted(name for name, _ in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_ATTRIBUTES])
        fields += [pa.field(ATTRIBUTE + name, _type_for(kinds[name])) for name in kept]
    return pa.schema(fields)


def tables_of(noun: str, rows: Iterable[JsonObject], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows, in pieces of 50,000. What the schema has no column for is left out."""
    paths = {name: path for name, (path, _) in PATHS[noun].items()}
    paths |= {
        name: ("target", "attributes", name.removeprefix(ATTRIBUTE)) for name in schema.names if name not in paths
    }
    left = iter(rows)
    while part := list(islice(left, ROWS_AT_ONCE)):
        yield pa.table(
            [_column([_at(row, paths[field.name]) for row in part], field.type) for field in schema], schema=schema
        )


def _at(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        if value is None:
            return None
        value = value.get(name)
    return value


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if kind == _TIME:
        values = [None if value is None else datetime.fromisoformat(value) for value in values]
    elif pa.types.is_string(kind):
        values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    elif pa.types.is_floating(kind):
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, kind)


def _kind(value: Any) -> type:
    return str if type(value) is int and not -_LARGEST <= value < _LARGEST else type(value)


def _type_for(kinds: set[type]) -> pa.DataType:
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()
