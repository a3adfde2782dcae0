"""A folder of Parquet files as one table: what `brigadewatch daily-files`, Spark and others write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from service.errors import Refused
from service.tabular.arrow import BATCH, ArrowColumns
from service.tabular.tables import Batch


class ParquetFolder:
    """The Parquet files below a folder, in the order of their paths.

    A column that some of them lack is empty there. The folders' names, such as day=2026-11-30, are not read: the
    complaints have their times. Files whose names begin with a dot or an underscore are not data, as everywhere.
    """

    def __init__(self, folder: Path, progress: Callable[[int], None]) -> None:
        from pyarrow import ArrowException, parquet, unify_schemas  # heavy, and only needed here

        self._errors: tuple[type[Exception], ...] = (ArrowException, OSError)
        self._folder, self._progress = folder, progress
        self.notes: list[str] = []
        self._files = files_below(folder)
        if not self._files:
            raise Refused(f"{folder} is a folder without Parquet files: name the files in it")
        self.kind = f"folder of Parquet files ({len(self._files):,})"
        schemas: list[Any] = []
        for file in self._files:
            try:
                schemas.append(parquet.read_schema(file))
            except self._errors as error:
                raise Refused(f"{file} cannot be read as Parquet: {error}") from None
        try:
            self._schema = unify_schemas(schemas, promote_options="permissive")
        except ArrowException as error:
            raise Refused(f"the files in {folder} have columns of one name that do not go together: {error}") from None
        self._columns = ArrowColumns(self._schema, self.notes, folder.name)
        self.header = self._columns.header

    def batches(self) -> Iterator[Batch]:
        """The rows, numbered from 1 over all files."""
        from pyarrow import dataset

        number = 0
        for file in self._files:
            try:
                rows = dataset.dataset(file, schema=self._schema, format="parquet")
                for batch in rows.to_batches(columns=self._columns.top, batch_size=BATCH, use_threads=False):
                    yield self._columns.rows(batch, number)
                    number += batch.num_rows
                self._progress(file.stat().st_size)
            except self._errors as error:
                raise Refused(f"{file} cannot be read as Parquet: {error}") from None


def files_below(folder: Path) -> list[Path]:
    """The Parquet files below a folder."""
    found = (file for file in folder.rglob("*.parquet") if file.is_file())
    return sorted(
        file for file in found if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    )


def size_of(path: Path) -> int:
    """The bytes of a file, or of the files below a folder; 0 where there is nothing."""
    return sum(file.stat().st_size for file in (files_below(path) if path.is_dir() else [path]) if file.exists())
