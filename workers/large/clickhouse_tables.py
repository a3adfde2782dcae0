"""The statements on a ClickHouse server, in a database with a name of its own, which is dropped at the end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex

import pyarrow as pa

from service.errors import Refused
from service.policy import Policy
from workers.detection.swept_pairs import SweptPairs
from workers.detection.window import Complaints
from workers.large.clickhouse_server import ClickHouseConnection, ClickHouseServer
from workers.large.pair_sweep import Columns, pairs_of

DATABASE = "brigadewatch_"  # begins the name of the database
_ROWS = 200_000  # that are sent at a time
_ENGINE = "engine = MergeTree order by tuple()"


@dataclass(frozen=True, slots=True)
class ClickHouseWindows:
    """Computes the pairs of large windows on a ClickHouse server."""

    server: ClickHouseServer
    at_least: int  # complaints in a window

    def check(self) -> None:
        """Raise Refused where the server does not answer, or the user may not make a database there."""
        with ClickHouseTables(self.server):
            pass

    def takes(self, complaints: int) -> bool:
        """Whether a window of so many complaints is computed there."""
        return complaints >= self.at_least

    def __call__(self, policy: Policy, batch: Complaints) -> SweptPairs | None:
        """The pairs of a large window; None of another. Raises Refused where the server fails."""
        if not self.takes(len(batch)):
            return None
        with ClickHouseTables(self.server) as tables:
            return pairs_of(tables, policy, batch)


class ClickHouseTables:
    """A database of the server, dropped when it is closed, also after an error. Raises Refused."""

    def __init__(self, server: ClickHouseServer) -> None:
        self._connection = ClickHouseConnection(server)
        self._database = DATABASE + token_hex(8)

    def __enter__(self) -> ClickHouseTables:
        try:
            self._connection.run(f"create database {self._database}")
        except BaseException:
            self._drop_database()  # it may have been made, and the answer lost
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._drop_database()

    def _drop_database(self) -> None:
        with suppress(Refused):  # what went wrong before is what counts
            self._connection.run(f"drop database if exists {self._database} sync")
        self._connection.close()

    def load(self, name: str, columns: Columns) -> None:
        """Make columns, which are whole numbers, a table, in place of an earlier one of that name."""
        kinds = ", ".join(f"{column} Int64" for column in columns)
        self._run(f"create or replace table {name} ({kinds}) {_ENGINE}")
        self._connection.run(f"insert into {name} format ArrowStream", self._database, _sent(columns))

    def store(self, name: str, select: str) -> None:
        """Store what a SELECT gives as a table."""
        self._run(f"create table {name} {_ENGINE} as {select}")

    def drop(self, *names: str) -> None:
        """Forget tables."""
        for name in names:
            self._run(f"drop table {name} sync")

    def rows(self, select: str) -> Iterator[Columns]:
        """What a SELECT gives, some thousands of rows at a time."""
        with self._connection.stream(f"{select} format ArrowStream", self._database) as body:
            buffered = io.BufferedReader(body, 1 << 20)
            try:
                with pa.ipc.open_stream(buffered) as batches:
                    for batch in batches:
                        yield {n: batch.column(n).to_numpy(zero_copy_only=False) for n in batch.schema.names}
            except pa.ArrowException as error:
                raise Refused(f"the answer of ClickHouse cannot be read as Arrow: {error}") from error

    def _run(self, statement: str) -> None:
        self._connection.run(statement, self._database)


def _sent(columns: Columns) -> Iterator[bytes]:
    """The columns as a stream of Arrow, a batch at a time."""
    schema = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in columns])
    table = pa.table(dict(columns), schema)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in table.to_batches(_ROWS):
            writer.write_batch(batch)
            yield _taken(sink)
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    found = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return found
