"""Measure rows per second into the archive's widest table, with its indexes, on both databases.

    .venv/bin/python bench/bulk_insert.py [--rows 200000] [--batch 8000] [--quick]

Each method starts with an empty table and commits after every `--batch` rows, as the ingest worker does with a full
stream. The last eighth of the rows, when the indexes are large, is reported separately. PostgreSQL is the server at
DATABASE_URL, or else a temporary server that syncs each commit (as SQLite does here).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from figures import parser_of, print_machine
from postgresql import new_database
from sqlalchemy import Connection, Engine, text

from service.storage.complaints.archive_rows import COMPLAINT_COLUMNS as COLUMNS
from service.storage.sql.engine import insert_rows, migrate, open_database, write
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import complaints

NAMES = ", ".join(COLUMNS)
TYPES = (
    "bigint",
    "integer",
    "varchar",
    "bigint",
    "bigint",
    "bigint",
    "bigint",
    "smallint",
    "boolean",
    "varchar",
    "varchar",
    "text",
    "bigint",
)
CONFLICT = "ON CONFLICT (tenant_id, id) DO NOTHING"
Rows = Sequence[tuple[Any, ...]]


def rows_of(count: int) -> list[tuple[Any, ...]]:
    """Complaints as they are stored: ids in no order, targets that rise, contents of some 330 characters."""
    made = []
    for number in range(count):
        reporter, target = f"reader-{number * 7919 % 60_000}", f"comment-{number // 8}"
        body = (
            f'{{"id":"c-{number * 2654435761 % 2**32:08x}","occurred_at":"2026-01-01T00:00:00Z",'
            f'"reporter":{{"id":"{reporter}"}},"target":{{"id":"{target}"}},"text":"{"an insult to everyone " * 10}"}}'
        )
        at = 1_795_000_000_000_000 + number * 1_000
        made.append(
            (
                1 << 40 | number + 1,
                1,
                f"c-{number * 2654435761 % 2**32:08x}",
                at,
                at,
                key_of(reporter),
                key_of(target),
                0,
                False,
                reporter,
                target,
                body,
                None,
            )
        )
    return made


def executemany(connection: Connection, rows: Rows) -> None:
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    connection.exec_driver_sql(
        f"INSERT INTO complaints ({NAMES}) VALUES ({', '.join([mark] * len(COLUMNS))})", list(rows)
    )


def unnest(connection: Connection, rows: Rows) -> None:
    arrays = ", ".join(f"%s::{kind}[]" for kind in TYPES)
    connection.exec_driver_sql(
        f"INSERT INTO complaints ({NAMES}) SELECT * FROM unnest({arrays}) {CONFLICT}",
        tuple(map(list, zip(*rows, strict=True))),
    )


def copy(connection: Connection, rows: Rows) -> None:
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY complaints ({NAMES}) FROM STDIN") as stream:
        for row in rows:
            stream.write_row(row)


def copy_beside(connection: Connection, rows: Rows) -> None:
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS beside AS SELECT {NAMES} FROM complaints WITH NO DATA"
    )
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY beside ({NAMES}) FROM STDIN") as stream:
        for row in rows:
            stream.write_row(row)
    connection.exec_driver_sql(f"INSERT INTO complaints ({NAMES}) SELECT {NAMES} FROM beside {CONFLICT}")
    connection.exec_driver_sql("TRUNCATE beside")


def ours(connection: Connection, rows: Rows) -> None:
    insert_rows(connection, complaints, COLUMNS, rows)


def measure(engine: Engine, name: str, insert: Callable[[Connection, Rows], None], rows: Rows, batch: int) -> None:
    with write(engine) as connection:
        connection.execute(text("DELETE FROM complaints" if engine.dialect.name == "sqlite" else "TRUNCATE complaints"))
    cpu, began, last = time.process_time(), time.perf_counter(), 0.0
    for start in range(0, len(rows), batch):
        if not last and start >= len(rows) * 7 // 8:
            last, from_here = time.perf_counter(), start
        with write(engine) as connection:
            insert(connection, rows[start : start + batch])
    over = time.perf_counter()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM complaints")) == len(rows)
    print(
        f"{engine.dialect.name:<12}{name:<44}{len(rows) / (over - began):>9,.0f}/s, the last eighth"
        f" {(len(rows) - from_here) / (over - last):>8,.0f}/s, CPU of our process"
        f" {(time.process_time() - cpu) / len(rows) * 1e6:5.1f} µs a row",
        flush=True,
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="rows to insert with each method")
    parser.add_argument("--batch", type=int, default=8_000, help="rows per transaction")
    chosen = parser.parse_args()
    print_machine()
    rows = rows_of(16_000 if chosen.quick else chosen.rows)
    batch = min(chosen.batch, len(rows) // 8)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        lite = open_database(f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
        stack.callback(lite.dispose)
        migrate(lite)
        measure(lite, "executemany", executemany, rows, batch)
        measure(lite, "insert_rows", ours, rows, batch)
        engine = open_database(new_database(stack))
        stack.callback(engine.dispose)
        migrate(engine)
        for method, insert in (
            ("executemany", executemany),
            ("INSERT ... SELECT unnest ... ON CONFLICT", unnest),
            ("COPY", copy),
            ("COPY beside, INSERT ... ON CONFLICT", copy_beside),
            ("insert_rows", ours),
        ):
            measure(engine, method, insert, rows, batch)


if __name__ == "__main__":
    main()
