"""Which windows are computed in DuckDB: those above a bound, where it is installed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

from service.errors import Refused
from service.policy import Policy
from service.settings import Settings
from workers.detection.swept_pairs import SweptPairs
from workers.detection.window import Complaints
from workers.large.pair_sweep import pairs_of
from workers.large.working_folder import working_folder
from workers.machine import cores

log = logging.getLogger(__name__)

LocalEngine = Literal["auto", "numpy", "duckdb"]
INSTALL = "pip install 'brigadewatch[large]'"


class LargeEngine(Protocol):
    """Computes the pairs of large windows elsewhere than in numpy."""

    def takes(self, complaints: int) -> bool:
        """Whether a window of so many complaints is computed there."""

    def __call__(self, policy: Policy, batch: Complaints) -> SweptPairs | None:
        """The pairs of a large window; None of another, which is left to the detector. Raises Refused."""


@dataclass(frozen=True, slots=True)
class LargeWindows:
    """Computes the pairs of large windows in DuckDB; the others are left to the detector."""

    folder: Path  # where it spills; made when it is needed
    at_least: int  # complaints in a window
    memory_bytes: int  # DuckDB's; the rest of a sweep comes on top
    engine: LocalEngine = "auto"

    def takes(self, complaints: int) -> bool:
        """Whether a window of so many complaints is computed in DuckDB. Raises Refused where it has to be and is not
        installed.
        """
        if self.engine == "duckdb":
            if not is_installed():
                raise Refused(f"DuckDB is not installed: {INSTALL}", command_hint=", or leave out --engine duckdb")
            return True
        if self.engine == "numpy" or complaints < self.at_least:
            return False
        if not is_installed():
            _say_missing(self.at_least)
            return False
        return True

    def __call__(self, policy: Policy, batch: Complaints) -> SweptPairs | None:
        """The pairs of a large window; None of another. Raises Refused where DuckDB has too little memory or disk."""
        if not self.takes(len(batch)):
            return None
        import duckdb  # an extra

        from workers.large.duckdb_tables import DuckTables

        try:
            with working_folder(self.folder) as folder, DuckTables(folder, self.memory_bytes, cores()) as tables:
                return pairs_of(tables, policy, batch)
        except (duckdb.OutOfMemoryException, duckdb.IOException, OSError) as error:
            raise Refused(
                f"DuckDB could not compute the pairs of {len(batch):,} complaints with"
                f" {self.memory_bytes / 2**30:.2f} GiB of memory and the disk of {self.folder}:"
                f" {str(error).splitlines()[0]}"
            ) from error


def of_settings(settings: Settings) -> LargeWindows:
    """As the service's settings have it."""
    return LargeWindows(settings.data / "large", settings.large_window, settings.large_memory_bytes)


def is_installed() -> bool:
    """Whether the extra is."""
    return find_spec("duckdb") is not None


@cache
def _say_missing(at_least: int) -> None:
    """Once a process."""
    log.warning(
        "a window of %d complaints or more is swept in memory; DuckDB, which spills to disk, is not installed: %s",
        at_least,
        INSTALL,
    )
