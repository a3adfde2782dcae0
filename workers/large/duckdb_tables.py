"""The statements in DuckDB: in this process, within a limit of memory, spilling into a folder beyond it.

They run in a thread beside the caller's. In the main thread DuckDB would look for signals itself, and of what their
handlers raise (Ctrl-C, a job's timeout) it leaves nothing but RuntimeError("Query interrupted").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from workers.large.pair_sweep import Columns

ROWS = 200_000  # that come back at a time
AGAIN_SECONDS = 0.1  # a statement that had not begun yet when it was interrupted is interrupted once more


class DuckTables:
    """A database of its own, which is gone when it is closed."""

    def __init__(self, folder: Path, memory_bytes: int, threads: int) -> None:
        self._loaded: set[str] = set()
        self._beside = ThreadPoolExecutor(1, "duckdb")
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_bytes // 2**20}MiB",
                "threads": threads,
                "temp_directory": str(folder),
                "preserve_insertion_order": False,  # nothing here depends on it, and keeping it takes memory
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )

    def __enter__(self) -> DuckTables:
        return self

    def __exit__(self, *raised: object) -> None:
        self._beside.shutdown()
        self._connection.close()

    def load(self, name: str, columns: Columns) -> None:
        """Make columns a table; they are read where they are."""
        self._connection.register(name, pa.table(dict(columns)))
        self._loaded.add(name)

    def store(self, name: str, select: str) -> None:
        """Store what a SELECT gives as a table."""
        self._run(self._connection.execute, f"create table {name} as {select}")

    def drop(self, *names: str) -> None:
        """Forget tables."""
        for name in names:
            if name in self._loaded:
                self._loaded.remove(name)
                self._connection.unregister(name)
            else:
                self._run(self._connection.execute, f"drop table {name}")

    def rows(self, select: str) -> Iterator[Columns]:
        """What a SELECT gives, some thousands of rows at a time."""
        batches = self._run(lambda: self._connection.sql(select).to_arrow_reader(ROWS))
        while (batch := self._run(next, batches, None)) is not None:
            yield {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}

    def _run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run it beside, and end it if something is raised here meanwhile."""
        running = self._beside.submit(work, *arguments)
        try:
            return running.result()
        except BaseException:
            while not running.done():
                self._connection.interrupt()
                wait([running], AGAIN_SECONDS)
            raise
