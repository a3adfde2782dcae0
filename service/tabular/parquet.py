"""Parquet files, a row group at a time, of any types that a row of a table can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from service.errors import Refused
from service.tabular.arrow import BATCH, ArrowColumns
from service.tabular.tables import Batch


class ParquetTable:
    """A Parquet file."""

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
        self._columns = ArrowColumns(schema, self.notes, name)
        self.header = self._columns.header

    def batches(self) -> Iterator[Batch]:
        """The rows, numbered from 1."""
        number, groups = 0, self._file.num_row_groups
        try:
            for group in range(groups):
                for batch in self._file.iter_batches(BATCH, row_groups=[group], columns=self._columns.top):
                    yield self._columns.rows(batch, number)
                    number += batch.num_rows
                self._progress(self._size // groups)
        except self._errors as error:
            raise Refused(f"{self._name} cannot be read as Parquet: {error}") from None
