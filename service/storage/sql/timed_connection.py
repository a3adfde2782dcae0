"""A connection to PostgreSQL that is given up when the server does not answer in time.

It is closed before the error is raised: the pool throws it away, so nobody is ever given a connection on which the
answer to another's question may still arrive.
"""

from __future__ import annotations

import time
from math import inf
from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout
from psycopg.pq import TransactionStatus

from service.storage.sql import deadlines

SHORTEST_CONNECT_SECONDS = 2  # the driver takes no less
LEAST_SECONDS = 0.1  # also once the time is over: a server that works confirms that it rolled back


class TimedConnection(psycopg.Connection[Any]):
    """Waits for each answer of the server `longest_seconds` at most, and until the caller's deadline."""

    longest_seconds = inf

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As the driver's own. Raises OperationalError, the connection closed, when the time is over."""
        patience = max(LEAST_SECONDS, deadlines.left(self.longest_seconds))
        if timeout is not None and timeout < patience:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, None if patience == inf else patience)
        except _WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the server did not answer within {time.monotonic() - began:.1f} s: the connection was given up"
            ) from None
        except psycopg.Error:
            raise
        except BaseException:  # a job's time is over, in the middle of an answer
            if not self.closed and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


def connect(longest_seconds: float, arguments: Any, parameters: dict[str, Any]) -> TimedConnection:
    """Connect; waits until the caller's deadline at most. Raises psycopg.OperationalError."""
    patience = deadlines.left(float(parameters.get("connect_timeout") or inf))
    if patience <= 0:
        raise psycopg.OperationalError("no time is left to connect to the server")
    if patience < inf:
        parameters = {**parameters, "connect_timeout": max(SHORTEST_CONNECT_SECONDS, int(patience))}
    connection = TimedConnection.connect(*arguments, **parameters)
    connection.longest_seconds = longest_seconds
    return connection
