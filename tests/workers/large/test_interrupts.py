"""What ends a statement of DuckDB early reaches the caller as it is everywhere else: Ctrl-C, and a job's timeout."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.large.duckdb_tables import DuckTables

# a minute and more of work, in little memory
LONG = "select sum(a.range * b.range % 7) as s from range(1000000) a, range(1000000) b"
LONGEST_SECONDS = 20


class OverTime(Exception):
    """What a handler of an alarm raises."""


def read_all(tables: DuckTables) -> None:
    list(tables.rows(LONG))


def store(tables: DuckTables) -> None:
    tables.store("long", LONG)


@pytest.mark.parametrize("work", [store, read_all])
def test_what_a_signals_handler_raises_ends_the_statement(tmp_path: Path, work: Callable[[DuckTables], None]) -> None:
    def raises(*_: object) -> None:
        raise OverTime

    before = signal.signal(signal.SIGUSR1, raises)
    began = time.monotonic()
    try:
        with DuckTables(tmp_path, 256 * 1024**2, 1) as tables:
            threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGUSR1]).start()
            with pytest.raises(OverTime):
                work(tables)
            assert next(iter(tables.rows("select 1 as one")))["one"].tolist() == [1], "the next statement runs"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - began < LONGEST_SECONDS
