"""Columns of Arrow as rows of Python values: what Parquet files and dataframes have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from service.errors import Refused
from service.tabular.tables import MOST_COLUMNS, Batch, refused, unique_names

BATCH = 20_000
_INDEX = re.compile(r"__index_level_\d+__\Z")  # a numbering of pandas without a name


class ArrowColumns:
    """The columns that rows can hold; structs become columns with dots, lists and maps are left out and noted.

    Raises Refused, with the `name` of the table, if there are none or too many.
    """

    def __init__(self, schema: Any, notes: list[str], name: str) -> None:
        self._paths = list(_scalar_fields(schema, notes))
        if not self._paths:
            raise Refused(f"{name} has no columns that can be read")
        if len(self._paths) > MOST_COLUMNS:
            raise Refused(
                f"{name} has {len(self._paths):,} columns: no table of reports has more than {MOST_COLUMNS:,}"
            )
        self.header = unique_names([".".join(path) for path in self._paths])
        self.top = list(dict.fromkeys(path[0] for path in self._paths))  # names in the schema

    def rows(self, batch: Any, before: int) -> Batch:
        """The rows of a record batch, numbered after `before`."""
        columns = []
        bad: dict[int, str] = {}
        for path, name in zip(self._paths, self.header, strict=True):
            column = batch.column(batch.schema.get_field_index(path[0]))
            for part in path[1:]:
                column = column.field(part) if column.null_count == 0 else _of_struct(column, part)
            try:
                columns.append(_values(column))
            except (OverflowError, ValueError):
                columns.append([_value(column, k, bad, name) for k in range(len(column))])
        rows, lines = list(zip(*columns, strict=True)), range(before + 1, before + 1 + batch.num_rows)
        if not bad:
            return Batch(lines, rows)
        return Batch(
            [line for k, line in enumerate(lines) if k not in bad],
            [row for k, row in enumerate(rows) if k not in bad],
            [refused(before + 1 + k, f"{name!r} is outside the range of its type") for k, name in bad.items()],
        )


def _scalar_fields(schema: Any, notes: list[str]) -> Iterator[tuple[str, ...]]:
    from pyarrow import types

    left: list[str] = []

    def walk(field: Any, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        path = (*before, field.name)
        if types.is_struct(field.type):
            for k in range(field.type.num_fields):
                yield from walk(field.type.field(k), path)
        elif types.is_nested(field.type) and not types.is_run_end_encoded(field.type):
            left.append(".".join(path))
        else:
            yield path

    for name in dict.fromkeys(schema.names):
        if _INDEX.match(name):
            continue
        if schema.names.count(name) == 1:
            yield from walk(schema.field(name), ())
        else:
            left.append(name)
    if left:
        notes.append(f"lists, maps and columns of equal names are not read: {', '.join(left[:20])}")


def _values(column: Any) -> list[Any]:
    """The values of a column. Raises OverflowError or ValueError if Python does not have one of them."""
    from pyarrow import compute, types

    if types.is_run_end_encoded(column.type):
        return _values(compute.run_end_decode(column))
    if types.is_dictionary(column.type):
        words = _values(column.dictionary)
        return [None if k is None else words[k] for k in column.indices.to_pylist()]
    return cast(list[Any], _readable(column).to_pylist())


def _readable(column: Any) -> Any:
    """The column in units that Python has: microseconds, and UTC for times with a zone."""
    import pyarrow
    from pyarrow import types

    kind = column.type
    if types.is_timestamp(kind) and (kind.unit == "ns" or kind.tz is not None):
        unit = "us" if kind.unit == "ns" else kind.unit
        return column.cast(pyarrow.timestamp(unit, kind.tz and "UTC"), safe=False)
    if types.is_time64(kind) and kind.unit == "ns":
        return column.cast(pyarrow.time64("us"), safe=False)
    if types.is_duration(kind) and kind.unit == "ns":
        return column.cast(pyarrow.duration("us"), safe=False)
    return column


def _of_struct(column: Any, part: str) -> Any:
    from pyarrow import compute

    return compute.struct_field(column, part)


def _value(column: Any, k: int, bad: dict[int, str], name: str) -> Any:
    try:
        return _values(column[k : k + 1])[0]
    except (OverflowError, ValueError):
        bad[k] = name
        return None
