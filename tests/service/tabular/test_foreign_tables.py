"""Columns of other software's tables of reports, by their own names: `foreign_tables.txt`, and of tables that are none
or have more than one answer: `doubtful_tables.txt`.

Each table has a line with what is right (`read`; `ask`: the file cannot serve; `may`: it is asked about, though some
would see which column is which; `told`: it is asked about or doubted), a tab and what the file is called. Then a line
for each column: its name, a tab, what its values are, and R, T and W where they are who reported, what, and when.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.errors import Refused
from service.tabular.columns import Recognition
from service.tabular.looks import looks_of, same_people
from service.tabular.plausible import same_times
from service.tabular.recognition import recognise
from service.tabular.vocabulary import Field

MARKS: dict[str, Field] = {"R": "reporter_id", "T": "target_id", "W": "occurred_at"}
START = datetime(2026, 3, 1, tzinfo=UTC)
SENTENCES = ["This is clearly an insult against my neighbours, remove it.", "spam and more spam, the third time", ""]
TIMES: dict[str, Callable[[datetime], Any]] = {
    "iso": lambda t: t.isoformat().replace("+00:00", "Z"),
    "sql": lambda t: t.strftime("%Y-%m-%d %H:%M:%S"),
    "epoch": lambda t: int(t.timestamp()),
    "ms": lambda t: int(t.timestamp() * 1000),
    "mongo": lambda t: int(t.timestamp() * 1000),
    "us_slash": lambda t: t.strftime("%m/%d/%Y %H:%M:%S"),
    "day_first": lambda t: t.strftime("%d/%m/%Y %H:%M"),
    "dotted": lambda t: t.strftime("%d.%m.%Y %H:%M"),
}


@dataclass(frozen=True)
class ForeignTable:
    """A table: what is right, what it is called, and its columns with what they hold and their marks."""

    right: str
    called: str
    columns: Sequence[tuple[str, str, str]]

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        return [name for name, _, _ in self.columns]

    def marked(self, mark: str) -> list[str]:
        """The columns with a mark."""
        return [name for name, _, marks in self.columns if mark in marks]


def tables() -> Iterator[ForeignTable]:
    """The tables of both files."""
    names = ("foreign_tables.txt", "doubtful_tables.txt")
    texts = [Path(__file__).with_name(name).read_text(encoding="utf-8").strip() for name in names]
    for block in [block for text in texts for block in text.split("\n\n")]:
        first, *rest = block.split("\n")
        right, called = first.split("\t")
        columns = []
        for line in rest:
            name, holds = line.split("\t")
            found, _, marks = holds.rpartition(" ")
            columns.append((name, found, marks) if marks.isupper() and set(marks) <= set(MARKS) else (name, holds, ""))
        yield ForeignTable(right, called, columns)


@dataclass(frozen=True)
class Report:
    """A report of the small world that all tables are filled with."""

    number: int
    at: datetime
    reporter: int
    target: int


def name_of(form: str, number: int, whose: str) -> Any:
    """The number-th id of somebody or something, in the form in which software has it."""
    digest = hashlib.sha256(f"{whose}{number}".encode()).hexdigest()
    return {
        "int": 1000 + number * 7,
        "uuid": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}",
        "name": f"{['anna', 'bob', 'chris', 'dora'][number % 4]}_{digest[:3]}{number}",
        "email": f"{digest[:6]}{number}@example.org",
        "snowflake": str(10**17 + int(digest[:12], 16)),
        "acct": f"u{number}@{['social.example', 'other.example'][number % 2]}",
        "mongo": digest[:24],
        "phone": f"+4930{int(digest[:6], 16)}",
        "ip": f"10.{number % 250}.{number // 250}.{int(digest[:2], 16) % 250}",
        "url": f"https://site.example/p/{digest[:8]}",
        "slug": f"post-{digest[:8]}",
        "title": f"{['Great', 'Bad', 'Old'][number % 3]} {digest[:4]}",
    }[form]


def value_of(what: str, how: str, one: Report, name: str, draw: random.Random) -> Any:
    """What a column holds of a report, which follows from it."""
    match what:
        case "number":
            return one.number + 1
        case "uuid":
            return name_of("uuid", one.number, name)
        case "reporter":
            return name_of(how or "int", one.reporter, "people")
        case "ip":
            return name_of("ip", one.reporter, "people")
        case "target":
            return name_of(how or "int", one.target, "target")
        case "url":
            return name_of("url", one.target, "target")
        case "picture":
            return f"{name_of('url', one.number, name)}.jpg"
        case "author":
            return name_of(how or "int", 500 + one.target // 2, "people")
        case "time":
            return TIMES[how or "iso"](one.at)
        case "made":
            return TIMES[how or "iso"](START - timedelta(seconds=one.target * 7919))
        case "of":
            return how.split(",")[one.target % len(how.split(","))]
        case "always":
            return how
        case "joined":
            return TIMES[how or "iso"](START - timedelta(seconds=one.reporter * 104_729))
        case "before" | "after":
            apart = timedelta(seconds=7_200 + one.number * 7_919 % 300_000)
            return TIMES[how or "iso"](one.at - apart if what == "before" else one.at + apart)
        case "nothing":
            return None
    return any_value(what, how, one, draw)


def any_value(what: str, how: str, one: Report, draw: random.Random) -> Any:
    """What a column holds that has nothing to do with who reported what."""
    match what:
        case "moderator":
            return name_of(how or "int", 900 + draw.randrange(4), "people") if draw.random() > 0.33 else None
        case "later":
            later = one.at + timedelta(seconds=draw.randrange(3600, 200_000))
            return TIMES[how or "iso"](later) if draw.random() > 0.33 else None
        case "words":
            words = [f"{500 + k}" for k in range(int(how[1:]))] if how.startswith("#") else how.split(",")
            return draw.choice(words)
        case "prose":
            return draw.choice(SENTENCES)
        case "short":
            return draw.choice(["spam", "rude", "it is a scam", "", "please look"])
        case "bool":
            return draw.random() < 0.3
        case "int":
            return draw.randrange(6)
    raise AssertionError(what)


def rows_of(table: ForeignTable) -> list[list[Any]]:
    """The reports of a small world in the table's columns."""
    draw = random.Random(7)
    times = sorted(START + timedelta(seconds=draw.randrange(40 * 86_400)) for _ in range(300))
    either = [name for name, holds, _ in table.columns if holds.startswith("either")]
    rows = []
    for number, at in enumerate(times):
        one = Report(number, at, draw.randrange(160), min(int(draw.expovariate(1 / 18)), 89))
        row = []
        for name, holds, _ in table.columns:
            what, _, how = holds.partition("/")
            if what == "either":  # of several such columns a row fills one
                what = "target" if name == either[one.target % len(either)] else "nothing"
            row.append(value_of(what, how, one, name, draw))
        rows.append(row)
    return rows


def is_right(table: ForeignTable, rows: list[list[Any]], found: Recognition) -> bool:
    """Whether who, what and when are read from marked columns, or from others that say the same."""
    looks = {look.name: look for look in looks_of(table.header, rows)}
    for mark, field in MARKS.items():
        right = [looks[name] for name in table.marked(mark)]
        taken = [looks[table.header[column]] for column in found.uses[field].columns]
        says_the_same = same_times if field == "occurred_at" else same_people
        if not all(any(look is other or says_the_same(look, other) for other in right) for look in taken):
            return False
    return True


@pytest.mark.parametrize("table", list(tables()), ids=lambda table: f"{table.called} {'+'.join(table.header)}"[:60])
def test_the_columns_of_other_software_are_recognised(table: ForeignTable) -> None:
    rows = rows_of(table)
    try:
        found = recognise(table.header, rows, called=table.called)
    except Refused:
        assert table.right in ("ask", "may", "told")
        return
    if table.right == "told":
        assert any("make sure" in note or "say so" in note for note in found.notes), found
    else:
        assert table.right in ("read", "may") and is_right(table, rows, found)
