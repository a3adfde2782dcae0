"""What sweeps an audit's windows, by the name that a person gives, or by the Spark session itself."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir
from typing import Any, cast

from service.errors import Refused
from service.settings import Settings
from workers.audit.window_sweeps import Sweeps, sweeps_in
from workers.large.clickhouse_server import SCHEME, server_of
from workers.large.clickhouse_tables import ClickHouseWindows
from workers.large.large_windows import LargeWindows, LocalEngine

LOCAL = ("auto", "numpy", "duckdb")
CHOICES = f"{', '.join(LOCAL)}, spark, or {SCHEME}USER@HOST:PORT"


def is_engine(name: str) -> bool:
    """Whether a name is one of CHOICES; of a server it may still be wrong."""
    return name in (*LOCAL, "spark") or name.startswith(SCHEME)


def sweeps_by(
    engine: Any,
    settings: Settings,
    *,
    processes: int,
    memory_bytes: int | None = None,
    temporary: Path | None = None,
) -> Sweeps:
    """The sweeps of an audit by an engine: one of CHOICES, or a Spark session.

    A server or session is asked at once, so that what is missing there is said before files are read. Raises Refused.
    """
    if not isinstance(engine, str) or engine == "spark":
        # Of those who use Spark alone.
        from workers.audit.spark_sweeps import sweeps_in_spark
        from workers.large.spark_tables import check_session, own_session

        session = own_session() if isinstance(engine, str) else engine
        check_session(session)
        return sweeps_in_spark(session, settings.large_window)
    if engine.startswith(SCHEME):
        there = ClickHouseWindows(server_of(engine, os.environ), settings.large_window)
        there.check()
        return sweeps_in(processes, there)
    if not is_engine(engine):
        raise Refused(f"that is not an engine: choose {CHOICES}")  # it is not repeated: a password may be in it
    memory = memory_bytes or settings.large_memory_bytes
    folder = temporary or Path(gettempdir())
    return sweeps_in(processes, LargeWindows(folder, settings.large_window, memory, cast(LocalEngine, engine)))
