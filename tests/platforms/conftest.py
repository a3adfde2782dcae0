"""Real platforms, and the libraries that others verify with: `make platforms`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from platforms.ozone_process import RealOzone, real_ozone
from platforms.table import rendered
from postgres_server import PostgresServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.platforms)


ARRIVED: dict[str, Counter[str]] = {}  # by platform, as this run has seen it


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if ARRIVED:
        terminalreporter.write_sep("=", "what arrives")
        for line in rendered(ARRIVED):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def seen() -> dict[str, Counter[str]]:
    """Where a test puts what has arrived from a platform; the table at the end of the run shows it."""
    return ARRIVED


@pytest.fixture(scope="session")
def ozone_database() -> Iterator[str]:
    server = PostgresServer()
    yield server.address("postgres")
    server.stop()


@pytest.fixture(scope="session")
def ozone(ozone_database: str) -> Iterator[RealOzone]:
    """One Ozone for all tests: each uses accounts of its own, and the log from a time on."""
    with real_ozone(ozone_database) as running:
        yield running
