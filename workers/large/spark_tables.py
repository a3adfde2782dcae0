"""The statements in Spark, in the caller's own session: a SparkSession, or one of Spark Connect or Databricks Connect.

Tables are views of the session with a prefix of their own, kept in Spark's cache until they are dropped; nothing else
of the session is touched. A statement calls them by their short names, as a WITH puts them before it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from secrets import token_hex
from typing import Any

import pyarrow as pa

from service.errors import Refused
from service.policy import Policy
from workers.detection.swept_pairs import SweptPairs
from workers.detection.window import Complaints
from workers.large.pair_sweep import Columns, pairs_of
from workers.large.statements import over

PREFIX = "brigadewatch_"  # begins the names of views
LEAST_VERSION = 4  # createDataFrame takes Arrow tables
INSTALL = "pip install 'pyspark[sql]>=4'"
_MOST_OF_AN_ERROR = 300  # characters


@dataclass(frozen=True, slots=True)
class SparkWindows:
    """Computes the pairs of large windows in Spark."""

    session: Any
    at_least: int  # complaints in a window

    def takes(self, complaints: int) -> bool:
        """Whether a window of so many complaints is computed there."""
        return complaints >= self.at_least

    def __call__(self, policy: Policy, batch: Complaints) -> SweptPairs | None:
        """The pairs of a large window; None of another. Raises Refused where Spark fails."""
        if not self.takes(len(batch)):
            return None
        with SparkTables(self.session) as tables:
            return pairs_of(tables, policy, batch)


def own_session() -> Any:
    """The session of this process, or a new one as Spark's own settings have it. Raises Refused without pyspark."""
    if find_spec("pyspark") is None:
        raise Refused(f"Spark's client is not installed: {INSTALL}")
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else executors here take any python3
    with refusing_spark_errors():
        return SparkSession.builder.getOrCreate()


def check_session(session: Any) -> None:
    """Raise Refused for what is not a session of Spark 4 or newer that runs."""
    if not (callable(getattr(session, "sql", None)) and hasattr(session, "createDataFrame")):
        raise Refused(f"a {type(session).__name__} is not a Spark session")
    with refusing_spark_errors(session):
        version = str(session.version)
        session.sql("select 1").collect()
    if int(version.partition(".")[0]) < LEAST_VERSION:
        raise Refused(f"Spark {version} is too old: version {LEAST_VERSION} or newer is needed")


class SparkTables:
    """Views of a session, dropped when it is closed, also after an error. Raises Refused where Spark fails."""

    def __init__(self, session: Any) -> None:
        self._session, self._prefix = session, f"{PREFIX}{token_hex(8)}_"
        self._names: list[str] = []

    def __enter__(self) -> SparkTables:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with refusing_spark_errors(self._session):
            for name in tuple(self._names):
                try:
                    self.drop(name)
                except Exception:
                    if error is None:
                        raise
            if error is not None:
                raise error

    def load(self, name: str, columns: Columns) -> None:
        """Make columns a table, in place of an earlier one of that name."""
        self.view(name, self._session.createDataFrame(pa.table(dict(columns))))

    def view(self, name: str, frame: Any) -> None:
        """Make a dataframe a table, in place of an earlier one of that name; it is computed when it is read."""
        frame.createOrReplaceTempView(self._prefix + name)
        if name not in self._names:
            self._names.append(name)

    def store(self, name: str, select: str) -> None:
        """Store what a SELECT gives as a table."""
        # A view of a dataframe has the plan itself. One that SQL makes (CACHE TABLE AS) has its text, and is gone with
        # the first view that it reads.
        self.view(name, self._frame(select))
        self._session.catalog.cacheTable(self._prefix + name)
        self._session.table(self._prefix + name).count()  # which computes it

    def drop(self, *names: str) -> None:
        """Forget tables."""
        for name in names:
            self._names.remove(name)
            self._session.catalog.dropTempView(self._prefix + name)  # which takes it out of the cache as well

    def rows(self, select: str) -> Iterator[Columns]:
        """What a SELECT gives, some thousands of rows at a time."""
        for row in _packed(self._frame(select)).toLocalIterator(prefetchPartitions=True):
            with pa.ipc.open_stream(row.batch) as batches:
                for batch in batches:
                    yield {n: batch.column(n).to_numpy(zero_copy_only=False) for n in batch.schema.names}

    def _frame(self, select: str) -> Any:
        return self._session.sql(over({name: self._prefix + name for name in self._names}, select))


def _packed(frame: Any) -> Any:
    """A dataframe of one column, each of whose values is a batch of the rows.

    Values of rows take Python ten times as long to read as columns of Arrow, and toArrow() holds all of them at once.
    """

    def pack(batches: Any) -> Any:
        # Sent to the executors by value: it may not name anything of this module.
        import pyarrow

        for batch in batches:
            sink = pyarrow.BufferOutputStream()
            with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            yield pyarrow.record_batch({"batch": pyarrow.array([sink.getvalue().to_pybytes()], pyarrow.binary())})

    return frame.mapInArrow(pack, "batch binary")


@contextmanager
def refusing_spark_errors(session: Any = None) -> Iterator[None]:
    """Turn errors of Spark's into Refused."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        if session is not None and _is_stopped(session):  # of which any error may be the sign
            raise Refused("the Spark session was stopped before the audit was done") from error
        if type(error).__module__.partition(".")[0] not in ("pyspark", "py4j", "grpc"):
            raise
        raise Refused(f"Spark could not compute it: {_said(error)}") from error


def _is_stopped(session: Any) -> bool:
    of_connect = getattr(session, "is_stopped", None)
    return session.sparkContext._jsc is None if of_connect is None else bool(of_connect)


def _said(error: Exception) -> str:
    """The line of an error of Spark's that says what is wrong."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if lines[0].startswith("An error occurred while calling") and len(lines) > 1:  # what Java says stands below
        lines = lines[1:]
    traced = next((k for k, line in enumerate(lines, 1) if line.startswith("Traceback ")), None)
    if traced is not None:  # of an executor's Python: what was raised stands below it
        lines = [line for line in lines[traced:] if not line[0].isspace()] or lines
    return lines[0].removeprefix(": ").strip()[:_MOST_OF_AN_ERROR]
