"""Complaints in columns say what items say, whatever stands in a row. `tabular_files.read` compares the two for every
file of the other tests as well.
"""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest
from tabular_files import NOW, in_columns, read, written

from service.intake.items import COMPLAINT
from service.tabular.options import ReadingOptions
from service.tabular.plain_values import ODD, plain_id, plain_words
from service.tabular.reading import SourceFile

HEADER = (
    *("id", "occurred_at", "reporter_id", "account_created_at", "fingerprint", "target_id", "kind", "author_id"),
    *("context_id", "is_reply", "section", "reason", "text", "trusted", "notice_type", "part_of", "verdict", "url"),
)
PLAIN = ("c{k}", "2026-10-0{d}T08:00:0{d}Z", "r{m}", "2020-01-0{d}T00:00:00Z", "f{m}", "t{d}", "comment", "a{d}")
PLAIN += ("x{d}", "true", "news", "spam", "", "no", "", "", "", "https://example.org/{k}")
ODD_VALUES = {
    "id": ("", "c1", " c2 ", "1.23E+15", "5.0", "null", "i" * 129, "a\x07b", "\udce9"),
    "occurred_at": ("", "yesterday", "2199-01-01T00:00:00Z", "2026-10-03T08:00:00+02:00", "0000-00-00", "1970-01-02"),
    "reporter_id": ("", "anonymous", " r1 ", "deleted user", "7.0", "9e12", "r" * 200, "9e99"),
    "account_created_at": ("", "0000-00-00 00:00:00", "1970-01-01T00:00:00Z", "2026-11-01T00:00:00Z", "long ago"),
    "fingerprint": ("", "f" * 513, "\udce9", " f1 "),
    "target_id": ("", "[deleted]", "t\x9f", "t" * 129, "-", "null"),
    "kind": ("", "k" * 65, " "),
    "author_id": ("", "a\n", "2.50E+16", "NaN"),
    "context_id": ("", "x" * 200, "undefined"),
    "is_reply": ("", "v" * 1025, "\udce9"),
    "section": ("", "politics", "None", "v" * 1025, "\udce9"),
    "reason": ("", "r" * 65, "-"),
    "text": ("one two three four five six seven", "w" * 4097, "zwei\nZeilen; \"so\""),
    "trusted": ("yes", "1", "", "perhaps"),
    "notice_type": ("terms", "illegal_content", "Illegal Content", "other"),
    "part_of": ("c3", "p" * 129),
    "verdict": ("upheld", "rejected", "open", "Upheld"),
    "url": ("", "u" * 4097),
}  # fmt: skip


def table(seed: int, count: int = 700, odd: float = 0.02) -> str:
    """A table of which so many cells are odd, with rows that are empty, short, or the header again."""
    chance, text = random.Random(seed), io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for k in range(count):
        row = [form.format(k=k, d=1 + k % 9, m=k % 37) for form in PLAIN]
        for column, name in enumerate(HEADER):
            if chance.random() < odd:
                row[column] = chance.choice(ODD_VALUES[name])
        where = chance.random()
        writer.writerow(
            HEADER if where < 0.005 else [""] * len(row) if where < 0.01 else row[: -3 if where < 0.015 else None]
        )
    return text.getvalue()


@pytest.mark.parametrize("seed", range(12))
def test_columns_say_what_items_say(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "flags.csv"
    path.write_text(table(seed), encoding="utf-8", errors="surrogateescape")
    items, refused, source = read(path, columns={name: name for name in ("verdict", "kind", "url")})
    assert len(items) > 500
    assert refused
    assert source.amended.count


def test_rows_are_refused_with_their_lines(tmp_path: Path) -> None:
    rows = "\n".join(f"r{k},{'' if k in (3, 17) else f't{k % 5}'},2026-10-01 0{k % 9}:00:00" for k in range(30))
    source = SourceFile(
        written(tmp_path / "flags.csv", f"reporter,target,time\n{rows}\n"),
        COMPLAINT,
        NOW,
        ReadingOptions(assume_utc=True),
    )
    columns, refused = in_columns(source)
    assert [item.line for item in refused] == [5, 19]
    assert len(columns) == 28


def test_a_value_that_needs_a_second_look_is_odd() -> None:
    assert [plain_id(text) for text in ("c-1", " 7 ", "null", "9e12", "a\x07")] == ["c-1", "7", None, ODD, ODD]
    assert plain_id(None) is None
    assert [plain_words(text, 3) for text in ("abc", "-", "abcd", "\udce9")] == ["abc", None, ODD, ODD]
