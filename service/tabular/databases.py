"""SQLite databases, which small programs keep their reports in: the rows of one table, read where they lie.

Only tables are read, never views, and nothing that a stranger wrote into the schema is run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO

from service.errors import Refused
from service.tabular.choosing import chosen_part, only_note
from service.tabular.sql_text import of_bytes
from service.tabular.tables import MOST_COLUMNS, Batch, Table, unique_names

MOST_COPIED = 512 * 1024**2  # bytes of a database that came out of an archive, and has to be held whole
MOST_TABLES = 2_000
_BATCH = 2_000
_STEPS, _MOST_CALLS = 1_000_000, 100_000  # of SQLite's machine between two calls; so many calls are no reading
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'create virtual%' ORDER BY rowid"
_OWN = ("sqlite_", "alembic_version", "schema_migrations", "django_migrations", "ar_internal_metadata")
_WAL_MODE = b"\x02"
_WRITE_VERSION = 18  # where the first page says whether changes are in a log beside it


class DatabaseTable:
    """The one table of a database that has the reports. Raises Refused where none or several have."""

    def __init__(
        self,
        stream: BinaryIO,
        path: Path,
        told: str | None,
        fits: Callable[[Table], bool],
        progress: Callable[[int], None],
        *,
        in_archive: bool,
    ) -> None:
        """`progress` is called with bytes of the file; `in_archive`: the stream was inflated from something else."""
        self._name = path.name
        self.notes: list[str] = []
        self._database = self._copied(stream) if in_archive else self._opened(stream, path)
        names = [name for (name,) in self._asked(_TABLES) if not name.startswith(_OWN)]
        if len(names) > MOST_TABLES:
            raise Refused(f"{self._name} has more than {MOST_TABLES:,} tables: export the one with the reports as CSV")
        filled = [name for name in names if next(self._asked(f"SELECT 1 FROM {_quoted(name)} LIMIT 1"), None)]
        if not filled:
            raise Refused(f"{self._name} is a database without a table that has rows")

        def fitting(table: str) -> bool:
            self._choose(table)
            return fits(self)

        found = chosen_part(self._name, "tables", [(name, name) for name in filled], told, fitting)
        self._choose(found)
        self._progress, self._size = progress, 0 if in_archive else path.stat().st_size
        self.notes += only_note("table", found, filled)

    @property
    def kind(self) -> str:
        """What the file is, for people."""
        return f"SQLite database, table {self._table!r}"

    def batches(self) -> Iterator[Batch]:
        """The rows in the database's order, numbered from 1."""
        rows = self._asked(f"SELECT {', '.join(map(_quoted, self._columns))} FROM {_quoted(self._table)}")
        done, ((total,),) = 0, self._asked(f"SELECT count(*) FROM {_quoted(self._table)}")
        while some := list(islice(rows, _BATCH)):
            values = [[of_bytes(value) if isinstance(value, bytes) else value for value in row] for row in some]
            yield Batch(range(done + 1, done + 1 + len(some)), values)
            self._progress(self._size * (done + len(some)) // total - self._size * done // total)
            done += len(some)

    def _choose(self, table: str) -> None:
        self._table = table
        self._columns = [str(row[1]) for row in self._asked(f"PRAGMA table_info({_quoted(table)})")]
        if len(self._columns) > MOST_COLUMNS:
            raise Refused(f"{self._name}: the table {table!r} has more than {MOST_COLUMNS:,} columns")
        self.header = unique_names(self._columns)

    def _opened(self, stream: BinaryIO, path: Path) -> sqlite3.Connection:
        """The file itself. Changes that lie beside it in a log are read, or it is refused: they are the newest rows."""
        log = path.with_name(f"{path.name}-wal")
        has_log = log.exists() and log.stat().st_size > 0
        if not has_log and stream.read(_WRITE_VERSION + 1)[_WRITE_VERSION:] == _WAL_MODE:
            self.notes.append(
                f"the newest rows of such a database may stand in a file {log.name!r} beside it, which is not there:"
                " if the last reports are missing, copy it as well, or stop the program before you copy"
            )
        try:
            # With a log SQLite needs an index of it, which it makes beside the file; "immutable" makes nothing.
            return self._prepared(f"{path.resolve().as_uri()}?mode=ro{'' if has_log else '&immutable=1'}")
        except sqlite3.Error as error:
            raise self._damaged(error) from None

    def _copied(self, stream: BinaryIO) -> sqlite3.Connection:
        content = stream.read(MOST_COPIED + 1)
        if len(content) > MOST_COPIED:
            raise Refused(f"{self._name} has a database of more than {MOST_COPIED >> 20} MiB inside: unpack it first")
        try:
            database = self._prepared(":memory:")
            # In memory there is no log beside it: the first page may not ask for one.
            content = content[:_WRITE_VERSION] + b"\x01\x01" + content[_WRITE_VERSION + 2 :]
            database.deserialize(content)
            return database
        except (sqlite3.Error, OverflowError) as error:
            raise self._damaged(error) from None

    def _prepared(self, uri: str) -> sqlite3.Connection:
        database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        calls = count()
        database.set_progress_handler(lambda: next(calls) > _MOST_CALLS, _STEPS)
        database.text_factory = lambda content: content.decode(errors="replace")
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
            database.execute(f"PRAGMA {setting}")
        return database

    def _asked(self, question: str) -> Iterator[tuple[Any, ...]]:
        try:
            with closing(self._database.execute(question)) as rows:
                yield from rows
        except (sqlite3.Error, OverflowError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> Refused:
        return Refused(
            f"{self._name} is a database that cannot be read ({error}): if a program has it open, stop it first, or"
            " export the table with the reports as CSV"
        )


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
