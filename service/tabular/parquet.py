"""Parquet files, a row group at a time, of any types that a row of a table can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from service.errors import Refused
from service.tabular.tables import Batch, refused, unique_names

_BATCH = 20_000


class ParquetTable:
    """A Parquet file; structs become columns with dots, lists and maps are left out and said."""

    kind = "Parquet"

    def __init__(self, stream: BinaryIO, name: str, size: int, progress: Callable[[int], None]) -> None:
        from pyarrow import ArrowException, parquet  # heavy, and only needed here

        self._errors: tuple[type[Exception], ...] = (ArrowException, OSError)
        self._name, self._size, self._progress = name, size, progress
        self.notes: list[str] = []
        try:
            self._file = parquet.ParquetFile(stream)
            schema = self._file.schema_arrow
        except self._errors as error:
            raise Refused(f"{name} cannot be read as Parquet: {error}") from None
        self._fields = list(_scalar_fields(schema, self.notes))
        if not self._fields:
            raise Refused(f"{name} has no columns that can be read")
        self.header = unique_names([".".join(path) for path in self._fields])

    def batches(self) -> Iterator[Batch]:
        """The rows, numbered from 1."""
        number, top = 0, list(dict.fromkeys(path[0] for path in self._fields))
        groups = self._file.num_row_groups
        try:
            for group in range(groups):
                for batch in self._file.iter_batches(_BATCH, row_groups=[group], columns=top):
                    yield self._rows(batch, number)
                    number += batch.num_rows
                self._progress(self._size // groups)
        except self._errors as error:
            raise Refused(f"{self._name} cannot be read as Parquet: {error}") from None

    def _rows(self, batch: Any, before: int) -> Batch:
        columns = []
        bad: dict[int, str] = {}
        for path, name in zip(self._fields, self.header, strict=True):
            column = batch.column(batch.schema.get_field_index(path[0]))
            for part in path[1:]:
                column = column.field(part) if column.null_count == 0 else _of_struct(column, part)
            try:
                columns.append(column.to_pylist())
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
        elif types.is_nested(field.type):
            left.append(".".join(path))
        else:
            yield path

    for name in dict.fromkeys(schema.names):
        if schema.names.count(name) == 1:
            yield from walk(schema.field(name), ())
        else:
            left.append(name)
    if left:
        notes.append(f"lists, maps and columns of equal names are not read: {', '.join(left[:20])}")


def _of_struct(column: Any, part: str) -> Any:
    from pyarrow import compute

    return compute.struct_field(column, part)


def _value(column: Any, k: int, bad: dict[int, str], name: str) -> Any:
    try:
        return column[k].as_py()
    except (OverflowError, ValueError):
        bad[k] = name
        return None
