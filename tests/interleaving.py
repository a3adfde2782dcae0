"""Two writers at one moment: the first is stopped after a statement of its transaction, until the second is through or
waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy import Engine, event, text

_PATIENCE = 20.0


def interleave(
    engine: Engine, first: Callable[[], Any], second: Callable[[], Any], *, after: str
) -> tuple[Future[Any], Future[Any]]:
    """Run `first`; as soon as it has run a statement that holds the words `after`, run `second` until it has ended or
    waits for a lock; then let both end.

    On SQLite a second writer waits before its first statement. Raises AssertionError when `first` never runs such a
    statement.
    """
    stopped, go_on = threading.Event(), threading.Event()
    begins = threading.Event()
    names: dict[str, int] = {}

    def pause(_connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool) -> None:
        if threading.get_ident() == names.get("first") and after in statement and not stopped.is_set():
            stopped.set()
            assert go_on.wait(_PATIENCE)

    def noticed(_connection: Any) -> None:
        if threading.get_ident() == names.get("second"):
            begins.set()

    def run(name: str, work: Callable[[], Any]) -> Any:
        names[name] = threading.get_ident()
        return work()

    event.listen(engine, "after_cursor_execute", pause)
    event.listen(engine, "engine_connect", noticed)
    try:
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(run, "first", first)
            deadline = time.monotonic() + _PATIENCE
            while not stopped.wait(0.01):
                assert not one.done() and time.monotonic() < deadline, f"no statement with {after!r} was run: {one}"
            other = pool.submit(run, "second", second)
            while not other.done() and not _waits(engine, begins):
                assert time.monotonic() < deadline, "the second neither ends nor waits"
                time.sleep(0.01)
            go_on.set()
            one.exception(_PATIENCE)
            other.exception(_PATIENCE)
            return one, other
    finally:
        go_on.set()
        event.remove(engine, "after_cursor_execute", pause)
        event.remove(engine, "engine_connect", noticed)


def _waits(engine: Engine, begins: threading.Event) -> bool:
    if engine.dialect.name == "sqlite":
        return begins.is_set()
    with engine.connect() as connection:
        return bool(
            connection.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type ="
                    " 'Lock'"
                )
            )
        )
