"""Rows as databases' terminals print them value by value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tabular_files import Rows, expected, facts, read, rows, written

ROWS = [row | {"text": "two lines:\nthis | and | that" if k % 3 else ""} for k, row in enumerate(rows())]


def psql(given: Rows) -> str:
    """What `\\x` prints."""
    lines = []
    for k, row in enumerate(given, 1):
        lines.append(f"-[ RECORD {k} ]-+{'-' * 30}")
        for name, value in row.items():
            first, *more = value.split("\n")
            parts = [first, *more]
            for at, part in enumerate(parts):
                end = "+" if at < len(parts) - 1 else ""
                lines.append(f"{name if at == 0 else '':<13} | {part}{end}")
    return "\n".join(lines) + "\n\n"


def mysql(given: Rows) -> str:
    """What `\\G` prints."""
    lines = []
    for k, row in enumerate(given, 1):
        lines.append(f"{'*' * 27} {k}. row {'*' * 27}")
        lines += [f"{name:>12}: {value.replace(':' + chr(10), chr(10))}" for name, value in row.items()]
    return "\n".join(lines) + f"\n{len(given)} rows in set (0.00 sec)\n"


@pytest.mark.parametrize("before", ["", "\n\n", "  "])
@pytest.mark.parametrize(
    ("printed", "text"),
    [(psql, "two lines:\nthis | and | that"), (mysql, "two lines\nthis | and | that")],
)
def test_rows_printed_value_by_value_are_read(
    tmp_path: Path, printed: Callable[[Rows], str], text: str, before: str
) -> None:
    items, refused, source = read(written(tmp_path / "a.txt", before + printed(ROWS)))
    assert (facts(items), refused, len(items)) == (expected(ROWS), [], len(ROWS))
    assert {item.text for item in items} == {None, text}
    assert source.kind == "a database's terminal, value by value"


def test_a_record_that_lost_a_line_or_has_one_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    text = psql(rows())
    lines = text.splitlines()
    width = 1 + len(rows()[0])
    lost = lines[: width + 2] + lines[width + 3 :]
    items, refused, _ = read(written(tmp_path / "a.txt", "\n".join(lost)))
    assert (len(items), [one.line for one in refused]) == (39, [width + 1])
    twice = [*lines[: width + 2], lines[width + 1], *lines[width + 2 :]]
    items, refused, _ = read(written(tmp_path / "b.txt", "\n".join(twice)))
    assert (len(items), [one.line for one in refused]) == (39, [width + 1])
    damaged = [line.replace("post_id", "poXt_id") if k == width + 2 else line for k, line in enumerate(lines)]
    items, refused, _ = read(written(tmp_path / "c.txt", "\n".join(damaged)))
    assert (len(items), [one.line for one in refused]) == (39, [width + 1])
