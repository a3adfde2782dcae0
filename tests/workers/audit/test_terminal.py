"""What `brigadewatch audit` says on the terminal, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tabular_files import csv_of, rows, written
from typer.testing import CliRunner, Result

from service.cli import app
from service.errors import Refused

ROWS = rows()


def audit(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def brigade() -> list[dict[str, str]]:
    """Twelve accounts that report twelve posts within minutes, beside readers."""
    made = [r | {"created_at": f"2025{r['created_at'][4:]}"} for r in rows(200, reporters=97, targets=61)]
    for post in range(12):
        for who in range(12):
            at = f"2025-10-{3 + post:02}T12:{who:02}:00+00:00"
            row = {"reporter": f"brigade{who}", "post_id": f"hit{post}", "author": f"w{post}", "created_at": at}
            made.append(row | {"reason": "x"})
    return made


def test_a_foreign_file_shows_its_columns_its_groups_and_where_the_page_is(tmp_path: Path) -> None:
    path = written(tmp_path / "flags.csv", csv_of(brigade(), ";"))
    done = audit(path, "--html", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    for part in (
        "flags.csv: CSV with semicolons, UTF-8",
        "who reported",
        "344 complaints read",
        "Flagged groups, highest priority first",
        "12 accounts",
        "hit11",
        "Below 8, where a platform would remove by count: ",
        f"written: {tmp_path / 'page.html'}",
        f"written: {tmp_path / 'page-members.csv'}",
        f"written: {tmp_path / 'page-targets.csv'}",
    ):
        assert part in done.output.replace("\n", " ") or part in done.output, part
    assert (tmp_path / "page.html").exists()


def test_duckdb_reports_what_numpy_reports(tmp_path: Path) -> None:
    path = written(tmp_path / "flags.csv", csv_of(brigade()))
    (tmp_path / "spilled").mkdir()
    for engine in ("numpy", "duckdb"):
        options = ("--engine-memory", 0.5, "--temporary", tmp_path / "spilled", "--step", "7d")
        assert audit(path, "--out", tmp_path / engine, "--engine", engine, *options).exit_code == 0
    assert (tmp_path / "duckdb").read_text() == (tmp_path / "numpy").read_text()
    assert not list((tmp_path / "spilled").iterdir())


def test_more_rejected_rows_than_the_bound_are_exit_code_1_with_a_sentence(tmp_path: Path) -> None:
    given = [r | ({"created_at": "someday"} if k < 8 else {}) for k, r in enumerate(ROWS[:40])]
    path = written(tmp_path / "flags.csv", csv_of(given))
    done = audit(path)
    assert done.exit_code == 1
    text = " ".join(done.output.split())
    assert "8 of 40 complaints were rejected, for instance flags.csv:2: /occurred_at: 'someday'" in text
    assert "more than 1% of the rows were rejected" in text
    assert audit(path, "--max-rejected", "20%").exit_code == 0
    assert audit(path, "--max-rejected", "many").exit_code == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ("--column", "reporter"),
        ("--timezone", "Mars/Olympus"),
        ("--time-format", "backwards"),
        ("--preset", "usenet"),
        ("--open",),
        ("--engine", "abacus"),
        ("--temporary", "nowhere"),
    ],
)
def test_options_that_make_no_sense_are_exit_code_2(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    assert audit(written(tmp_path / "flags.csv", csv_of(ROWS)), *wrong).exit_code == 2


def test_files_with_and_without_offsets_do_not_go_together(tmp_path: Path) -> None:
    naive = [r | {"created_at": r["created_at"].removesuffix("+00:00")} for r in ROWS]
    one, two = written(tmp_path / "a.csv", csv_of(ROWS)), written(tmp_path / "b.csv", csv_of(naive))
    done = audit(one, two)
    assert isinstance(done.exception, Refused) and "the times in b.csv have no UTC offset" in str(done.exception)
    assert audit(one, two, "--timezone", "UTC").exit_code == 0


def test_a_verdict_column_counts_in_the_report(tmp_path: Path) -> None:
    given = [r | {"verdict": "rejected" if r["post_id"].startswith("hit") else ""} for r in brigade()]
    done = audit(written(tmp_path / "flags.csv", csv_of(given)), "--out", tmp_path / "report.json")
    assert done.exit_code == 0, done.output
    assert '"unfounded_probability"' in (tmp_path / "report.json").read_text()
    assert "moderators rejected" in " ".join((tmp_path / "report.json").read_text().split()).lower()
