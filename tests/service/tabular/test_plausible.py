"""What only looks like a table of reports is refused: nothing is read for what it is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tabular_files import START, csv_of, read, rows, written

from service.errors import Refused

ROWS = rows()


def test_a_list_of_contents_is_not_a_list_of_reports_by_those_who_wrote_them(tmp_path: Path) -> None:
    given = [
        {"post_id": str(700 + k), "user_id": r["author"], "created_at": r["created_at"], "num_reports": k % 4}
        for k, r in enumerate(ROWS)
    ]
    path = written(tmp_path / "a.csv", csv_of(given))
    with pytest.raises(Refused, match="each row has another 'post_id'.*--column reporter=user_id"):
        read(path)
    assert len(read(path, columns={"reporter": "user_id"})[0]) == len(ROWS)
    named = [{"flagged_by" if name == "user_id" else name: value for name, value in row.items()} for row in given]
    assert len(read(written(tmp_path / "b.csv", csv_of(named)))[0]) == len(ROWS)


def test_a_time_that_goes_with_the_target_is_not_when_it_was_reported(tmp_path: Path) -> None:
    given = [r | {"created_at": (START + timedelta(hours=int(r["post_id"]))).isoformat()} for r in ROWS]
    path = written(tmp_path / "a.csv", csv_of(given))
    with pytest.raises(Refused, match="'created_at' is the same for all rows about one target"):
        read(path)
    both = [row | {"date": r["created_at"]} for row, r in zip(given, ROWS, strict=True)]
    items, refused, _ = read(written(tmp_path / "b.csv", csv_of(both)))
    assert refused == [] and [c.occurred_at.isoformat() for c in items] == [r["created_at"] for r in ROWS]
