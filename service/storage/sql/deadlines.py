"""How long a caller waits for the database, and what is known of a change that was not confirmed in time.

A server that hangs (a stopped process, a frozen virtual machine) keeps its connections alive: neither TCP nor a timeout
on the server ends the wait. So the driver waits no longer than what is left of the deadline that applies where it is
called (`applying`), and gives the connection up (service/storage/sql/timed_connection.py). A deadline follows a
request into the threads that work for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

from sqlalchemy.exc import DBAPIError, OperationalError

# SQLSTATE classes in which the server went away, or never answered: it may have committed before
_GONE = ("08", "57P")


class DeadlinePassed(OperationalError):
    """The request has taken as long as it may, whatever it waited for."""

    def __init__(self, doing: str) -> None:
        super().__init__(doing, None, TimeoutError("the time of the request is over"))


class OutcomeUnknown(OperationalError):
    """A commit was sent and never confirmed: whether the change is stored is not known."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("COMMIT", None, cause)


class Deadline:
    """Until when one request may wait for the database, and how many commits it has begun.

    `alone`: the process's usual bound of one wait does not hold beside it.
    """

    def __init__(self, seconds: float, *, alone: bool = False) -> None:
        self.alone = alone
        self._lock = threading.Lock()
        self._until = time.monotonic() + seconds
        self.commits = 0  # that were begun and did not fail for certain

    def left(self) -> float:
        """Seconds, not below 0; infinite once it was lifted."""
        return max(0.0, self._until - time.monotonic())

    def restart(self, seconds: float) -> None:
        """Count from now."""
        self._until = time.monotonic() + seconds

    def lift(self) -> None:
        """It holds no longer: the answer is under way."""
        self._until = inf

    def begin_commit(self) -> None:
        """Raise DeadlinePassed rather than commit a change that the answer has already denied."""
        with self._lock:
            if self.left() <= 0:
                raise DeadlinePassed("COMMIT")
            self.commits += 1

    def commit_failed(self) -> None:
        """The commit that was begun last changed nothing."""
        with self._lock:
            self.commits -= 1

    def end(self) -> bool:
        """It has passed: nothing is committed from now on. Returns whether something may have been committed before."""
        with self._lock:
            self._until = 0.0
            return self.commits > 0


_applying: ContextVar[Deadline | None] = ContextVar("database_deadline", default=None)


def current() -> Deadline | None:
    """The deadline that applies here."""
    return _applying.get()


def left(usual: float = inf) -> float:
    """Seconds that the caller may still wait; `usual` without a deadline, or with a later one."""
    deadline = _applying.get()
    if deadline is None:
        return usual
    return deadline.left() if deadline.alone else min(usual, deadline.left())


@contextmanager
def applying(deadline: Deadline) -> Iterator[Deadline]:
    """Inside, and in threads that are started from there, this deadline applies."""
    token = _applying.set(deadline)
    try:
        yield deadline
    finally:
        _applying.reset(token)


@contextmanager
def commit_watched() -> Iterator[None]:
    """Around a commit: raises DeadlinePassed instead of beginning one too late, and OutcomeUnknown where the server
    neither confirmed nor refused it.
    """
    deadline = _applying.get()
    if deadline is not None:
        deadline.begin_commit()
    try:
        yield
    except DBAPIError as error:
        if may_have_committed(error):
            raise OutcomeUnknown(error.orig or error) from error
        if deadline is not None:
            deadline.commit_failed()
        raise


def may_have_committed(error: DBAPIError) -> bool:
    """Whether a commit that failed with this may be stored all the same. SQLite always knows."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is None:
        return False
    state: str | None = diagnosis.sqlstate
    return state is None or state.startswith(_GONE)
