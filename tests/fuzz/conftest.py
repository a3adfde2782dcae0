"""At the end: how many cases each property was tried with."""

from __future__ import annotations

from typing import Any

from tests.fuzz.cases import drawn


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a property."""
    if drawn:
        terminalreporter.section("fuzz")
        for name, count in sorted(drawn.items()):
            terminalreporter.write_line(f"{count:>9,} cases: {name.removeprefix('test_').replace('_', ' ')}")
        terminalreporter.write_line(f"{sum(drawn.values()):>9,} cases in all")
