"""SQLite's writers take turns, also beside one that writes without end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from service.storage.sql import deadlines
from service.storage.sql.deadlines import Deadline
from service.storage.sql.engine import open_database, write

HELD_SECONDS, FREE_SECONDS, MOST_TURNS, TURNS = 0.12, 0.003, 9, 80


def test_who_waits_has_a_turn_soon_beside_one_that_writes_one_transaction_after_the_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'turns.sqlite3'}"
    with write(open_database(url)) as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    written, stop = [0], threading.Event()

    def write_without_end() -> None:
        engine = open_database(url)
        while written[0] < TURNS and not stop.is_set():
            with write(engine) as connection:
                connection.execute(text("INSERT INTO t VALUES (1)"))
                written[0] += 1
                time.sleep(HELD_SECONDS)
            time.sleep(FREE_SECONDS)

    busy = threading.Thread(target=write_without_end)
    busy.start()
    try:
        other, waited = open_database(url), []
        for _ in range(4):
            before = written[0]
            while written[0] < before + 2:  # until it is in the middle of its own again
                time.sleep(0.001)
            began = written[0]
            with write(other) as connection:
                connection.execute(text("INSERT INTO t VALUES (2)"))
            waited.append(written[0] - began)
    finally:
        stop.set()
        busy.join()
    assert sum(waited) <= MOST_TURNS, f"it waited for {waited} transactions of the other"


def test_a_wait_for_the_lock_ends_with_the_deadline(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'held.sqlite3'}"
    with write(open_database(url)) as held:
        held.execute(text("CREATE TABLE t (n INTEGER)"))
        began = time.monotonic()
        with (
            pytest.raises(OperationalError, match="locked"),
            deadlines.applying(Deadline(0.2)),
            write(open_database(url)),
        ):
            raise AssertionError("both write")
        assert 0.15 <= time.monotonic() - began < 10
