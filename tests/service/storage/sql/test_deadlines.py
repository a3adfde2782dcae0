"""How long a caller waits for the database, and what it is told of a change that was not confirmed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

import pytest
from postgres_server import PostgresServer
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import OperationalError

from service.storage.sql import deadlines
from service.storage.sql.deadlines import Deadline, DeadlinePassed, OutcomeUnknown, applying
from service.storage.sql.engine import migrate, open_database, write
from service.storage.sql.schema import tenants

here = pytest.mark.only_on("postgresql", "needs a server")


def names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(tenants.c.name).order_by(tenants.c.name)))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    engine = open_database(server.address("postgres"))
    migrate(engine)
    engine.dispose()
    yield server
    server.thaw()
    server.stop()


@pytest.fixture
def answering(server: PostgresServer) -> Iterator[Engine]:
    """An engine as the API has it, on a server that can be frozen."""
    engine = open_database(server.address("postgres"), answer_seconds=1.5)
    yield engine
    server.thaw()
    with write(engine) as connection:
        connection.execute(tenants.delete())
    engine.dispose()


def test_nothing_is_committed_once_the_caller_was_told_so(engine: Engine) -> None:
    deadline = Deadline(60)
    with applying(deadline), pytest.raises(DeadlinePassed), write(engine) as connection:
        connection.execute(insert(tenants).values(name="late", created_us=0))
        assert not deadline.end(), "nothing was committed before"
    assert names(engine) == []
    with applying(Deadline(60)) as another:
        with write(engine) as connection:
            connection.execute(insert(tenants).values(name="in-time", created_us=0))
        assert another.end(), "something may have been"
    assert names(engine) == ["in-time"]


def test_a_deadline_follows_into_a_thread_and_ends_with_its_block() -> None:
    assert deadlines.left(7.0) == 7.0
    with applying(Deadline(3.0)):
        assert 2 < deadlines.left(7.0) <= 3.0 and deadlines.left(1.0) == 1.0
        with applying(Deadline(9.0, alone=True)):
            assert deadlines.left(7.0) > 8
    assert deadlines.current() is None


@pytest.mark.only_on("sqlite", "one file")
def test_sqlite_s_lock_is_waited_for_until_the_deadline_and_no_longer(engine: Engine) -> None:
    locked, over = threading.Event(), threading.Event()

    def hold() -> None:
        with write(engine):
            locked.set()
            over.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(10)
        began = time.monotonic()
        with applying(Deadline(0.5)), pytest.raises(OperationalError, match="locked"), write(engine):
            pass
        with applying(Deadline(0.0)), pytest.raises(DeadlinePassed), engine.connect() as connection:
            connection.execute(select(tenants))
        assert time.monotonic() - began < 10, "30 s without a deadline"
    finally:
        over.set()
        holder.join()


@here
def test_a_server_that_hangs_is_given_up_and_its_late_answer_reaches_nobody(
    server: PostgresServer, answering: Engine
) -> None:
    assert names(answering) == []
    with pytest.raises(OperationalError, match="given up"), answering.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        server.freeze()
        with applying(Deadline(0.5)):
            connection.scalar(text("SELECT 666"))
    with applying(Deadline(0.5)), pytest.raises(OperationalError):  # nor does a new connection wait longer
        names(answering)
    with pytest.raises(OperationalError):  # without a deadline, the process's own bound
        names(answering)
    server.thaw()
    for _ in range(30):
        with answering.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1


@here
def test_a_commit_that_was_not_confirmed_is_called_unknown_and_one_never_sent_is_not(
    server: PostgresServer, answering: Engine
) -> None:
    with applying(Deadline(60)) as deadline, pytest.raises(OutcomeUnknown), write(answering) as connection:
        connection.execute(insert(tenants).values(name="perhaps", created_us=0))
        server.freeze()
        deadline.restart(0.5)
    assert deadline.commits == 1
    server.thaw()
    with applying(Deadline(60)) as deadline, pytest.raises(OperationalError) as failed, write(answering) as connection:
        server.freeze()
        deadline.restart(0.5)
        connection.execute(insert(tenants).values(name="never", created_us=0))
    assert not isinstance(failed.value, OutcomeUnknown) and deadline.commits == 0
    server.thaw()
    until = time.monotonic() + 20  # the server goes on with what it was sent
    while names(answering) != ["perhaps"] and time.monotonic() < until:
        time.sleep(0.05)
    assert names(answering) == ["perhaps"]


@here
def test_a_commit_that_the_server_refused_changed_nothing_and_is_known_to(answering: Engine) -> None:
    with answering.connect() as raw:
        raw.exec_driver_sql("SELECT 1")
    with applying(Deadline(60)) as deadline, pytest.raises(Exception, match="23503") as failed, write(answering) as w:
        w.exec_driver_sql("CREATE TEMP TABLE up (id int PRIMARY KEY) ON COMMIT PRESERVE ROWS")
        w.exec_driver_sql("CREATE TEMP TABLE down (id int REFERENCES up (id) DEFERRABLE INITIALLY DEFERRED)")
        w.exec_driver_sql("INSERT INTO down VALUES (1)")
    assert not isinstance(failed.value, OutcomeUnknown) and deadline.commits == 0


@here
def test_a_statement_that_takes_too_long_is_ended_by_the_server_too(answering: Engine) -> None:
    with answering.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "1500ms"
    with pytest.raises(OperationalError, match="57014|given up"), answering.connect() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))


@here
def test_a_job_whose_time_is_over_in_mid_answer_leaves_no_connection_behind(answering: Engine) -> None:
    class TimeIsOver(Exception):
        pass

    def over(_number: int, _frame: FrameType | None) -> None:
        raise TimeIsOver

    before = signal.signal(signal.SIGALRM, over)
    try:
        # what SQLAlchemy finds when it wants to roll back
        with pytest.raises(OperationalError, match="closed"), answering.connect() as connection:
            connection.scalar(text("SELECT 1"))
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            connection.scalar(text("SELECT 666 FROM pg_sleep(1)"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for _ in range(20):
        with answering.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
