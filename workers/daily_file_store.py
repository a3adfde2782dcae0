"""Where daily files lie: a folder, or a bucket of an S3-compatible store, through pyarrow's file systems."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from service.errors import Refused

PIECE = 8 * 1024 * 1024


class DailyFileStore:
    """One tenant's files: `TENANT/complaints/day=2026-11-30/part.parquet`, and the same for outcomes.

    A file is replaced as a whole: a reader sees the old one or the new one. All methods raise OSError where the store
    refuses or does not answer.
    """

    def __init__(self, place: str, tenant: str, scratch: Path) -> None:
        """`scratch`: a folder in which files for a bucket are made; those for a folder are made in it."""
        self._scratch = scratch
        try:
            self._files, root = fs.FileSystem.from_uri(place) if "://" in place else (fs.LocalFileSystem(), place)
        except pa.ArrowInvalid as error:
            raise Refused(f"BRIGADEWATCH_DAILY_FILES is {place!r}, which cannot be used: {error}") from None
        self._root = f"{root.rstrip('/')}/{tenant}"

    @property
    def _is_local(self) -> bool:
        return isinstance(self._files, fs.LocalFileSystem)

    def path_of(self, noun: str, day: str) -> str:
        """The path of a day's file inside the file system."""
        return f"{self._root}/{noun}/day={day}/part.parquet"

    def write(self, noun: str, day: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
        """Replace a day's file with the tables, or remove it if they have no rows; how many rows it has now."""
        path = self.path_of(noun, day)
        beside = Path(path).parent if self._is_local else self._scratch  # so that it can take its place in one step
        beside.mkdir(parents=True, exist_ok=True)
        rows = 0
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=beside, ignore_cleanup_errors=True) as scratch:
            made = Path(scratch) / secrets.token_hex(4)
            with pq.ParquetWriter(made, schema, compression="zstd") as file:
                for table in tables:
                    file.write_table(table)
                    rows += table.num_rows
            if rows:
                self._put(made, path)
        if not rows:
            self._remove_day(noun, day)
        return rows

    def _put(self, made: Path, path: str) -> None:
        if self._is_local:
            with made.open("rb") as file:
                os.fsync(file.fileno())
            made.replace(path)
            return
        # An object is seen when its stream is closed, and a stream that fails is never closed.
        stream = self._files.open_output_stream(path)
        with made.open("rb") as file:
            while piece := file.read(PIECE):
                stream.write(piece)
        stream.close()

    def _remove_day(self, noun: str, day: str) -> None:
        if self._files.get_file_info(self.path_of(noun, day)).type != fs.FileType.NotFound:
            self._files.delete_file(self.path_of(noun, day))
        folder = f"{self._root}/{noun}/day={day}"
        if self._is_local and Path(folder).is_dir() and not any(Path(folder).iterdir()):
            Path(folder).rmdir()

    def remove_all(self) -> None:
        """Remove the tenant's files."""
        if self._is_local:
            if Path(self._root).exists():
                shutil.rmtree(self._root)
        elif self._files.get_file_info(self._root).type != fs.FileType.NotFound:
            self._files.delete_dir(self._root)
