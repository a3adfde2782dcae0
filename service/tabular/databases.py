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
LONGEST_VALUE = 16 * 1024**2  # bytes of a row
_BATCH = 2_000
_STEPS, _MOST_CALLS = 1_000_000, 100_000  # of SQLite's machine between two calls; so many calls are no reading
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'create virtual%' ORDER BY rowid"
_OWN = ("sqlite_", "alembic_version", "schema_migrations", "django_migrations", "ar_internal_metadata")
_WAL_MODE = b"\x02"
_HEAD = 100  # bytes of the first page, as https://sqlite.org/fileformat.html has them
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
        self._name, self._progress = path.name, progress
        self._size = 0  # bytes that are to be read; trying tables is none of it
        self.notes: list[str] = []
        self._database = self._copied(stream) if in_archive else self._opened(stream, path)
        names = [name for (name,) in self._asked(_TABLES) if not name.startswith(_OWN)]
        if len(names) > MOST_TABLES:
            raise Refused(f"{self._name} has more than {MOST_TABLES:,} tables: export the one with the reports as CSV")
        filled = [name for name in names if next(self._asked(f"SELECT 1 FROM {_quoted(name)} LIMIT 1"), None)]
        if not filled:
            said = "".join(f"; {note}" for note in self.notes)
            raise Refused(f"{self._name} is a database without a table that has rows{said}")

        def fitting(table: str) -> bool:
            self._choose(table)
            return fits(self)

        found = chosen_part(self._name, "tables", [(name, name) for name in filled], told, fitting)
        self._choose(found)
        self._size = 0 if in_archive else path.stat().st_size
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

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _choose(self, table: str) -> None:
        self._table = table
        self._columns = [str(row[1]) for row in self._asked(f"PRAGMA table_info({_quoted(table)})")]
        if len(self._columns) > MOST_COLUMNS:
            raise Refused(f"{self._name}: the table {table!r} has more than {MOST_COLUMNS:,} columns")
        self.header = unique_names(self._columns)

    def _opened(self, stream: BinaryIO, path: Path) -> sqlite3.Connection:
        """The file itself. What a program had not yet written into it stands beside it, and is read as well."""
        beside = [path.with_name(f"{path.name}{end}") for end in ("-wal", "-journal")]
        unfinished = any(other.exists() and other.stat().st_size > 0 for other in beside)
        head = stream.read(_HEAD)
        if not unfinished:
            self._check_whole(head, path.stat().st_size)
        if not unfinished and head[_WRITE_VERSION : _WRITE_VERSION + 1] == _WAL_MODE:
            self.notes.append(
                f"its newest rows may stand in a file {beside[0].name!r} beside it, which is not there: if the last"
                " reports are missing, copy that one as well, or stop the program before you copy"
            )
        try:
            # To read what is beside it SQLite writes an index there; where nothing is, "immutable" touches nothing.
            return self._prepared(f"{path.resolve().as_uri()}?mode=ro{'' if unfinished else '&immutable=1'}")
        except sqlite3.Error as error:
            raise self._damaged(error) from None

    def _check_whole(self, head: bytes, size: int) -> None:
        """Refuse a file that is shorter than its first page says: what is left may be read without an error."""
        pages = int.from_bytes(head[28:32])
        a_page = int.from_bytes(head[16:18])
        if head[24:28] == head[92:96] and size < pages * (65_536 if a_page == 1 else a_page):
            raise Refused(f"{self._name} is a database whose end is missing: copy it again, or export the table as CSV")

    def _copied(self, stream: BinaryIO) -> sqlite3.Connection:
        content = stream.read(MOST_COPIED + 1)
        if len(content) > MOST_COPIED:
            raise Refused(f"{self._name} has a database of more than {MOST_COPIED >> 20} MiB inside: unpack it first")
        self._check_whole(content[:_HEAD], len(content))
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
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        # As https://sqlite.org/security.html asks for with files of strangers.
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON"):
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
