"""A head of two rows, of which the upper one spans several columns: the names of both make one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tabular_files import expected, facts, read, rows, workbook_of, written

ROWS = rows()
HEADS = {
    "few above": (
        ["", "Denunciante", "", "Conteúdo denunciado", "", "Motivo", "Data da denúncia"],
        ["Nº", "ID", "Apelido", "ID", "Autor", "", ""],
    ),
    "all above": (
        ["No", "Reporter", "", "Comment", "", "Reason", "Reported at"],
        ["", "ID", "Name", "ID", "Author", "", ""],
    ),
}


def as_csv(given: list[list[Any]], path: Path) -> Path:
    return written(path.with_suffix(".csv"), "".join(";".join(map(str, row)) + "\n" for row in given))


def as_workbook(given: list[list[Any]], path: Path) -> Path:
    return workbook_of([[cell if cell != "" else None for cell in row] for row in given], path.with_suffix(".xlsx"))


@pytest.mark.parametrize("titled", [False, True])
@pytest.mark.parametrize("file_of", [as_csv, as_workbook])
@pytest.mark.parametrize("head", HEADS)
def test_a_merged_head_is_read(
    tmp_path: Path, head: str, file_of: Callable[[list[list[Any]], Path], Path], titled: bool
) -> None:
    given: list[list[Any]] = [["Our reports", "", "", "", "", "", ""]] if titled else []
    given += [list(row) for row in HEADS[head]]
    given += [
        [k + 1, r["reporter"], "nick", r["post_id"], r["author"], "spam", r["created_at"]] for k, r in enumerate(ROWS)
    ]
    items, refused, source = read(file_of(given, tmp_path / "a"))
    assert (facts(items), refused) == (expected(ROWS), [])
    over, under = HEADS[head]
    used = {r.field: r.column for r in source.read_as}
    assert (used["reporter_id"], used["target_id"]) == (f"{over[1]} {under[1]}", f"{over[3]} {under[3]}")
    assert used["author_id"] == f"{over[3]} {under[4]}"


def test_a_row_with_gaps_under_a_whole_head_is_a_row(tmp_path: Path) -> None:
    text = "reporter,post_id,created_at,note\nann,,2026-10-01T10:00:00Z,seen\nbob,7,2026-10-01T10:00:00Z,\n"
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert ([item.reporter.id for item in items], [r.line for r in refused]) == (["bob"], [2])


@pytest.mark.parametrize("file_of", [as_csv, as_workbook])
def test_of_the_three_heads_of_a_survey_the_questions_are_the_names(
    tmp_path: Path, file_of: Callable[[list[list[Any]], Path], Path]
) -> None:
    """As Qualtrics exports answers."""
    heads = [
        ["StartDate", "RecordedDate", "Q1", "Q2", "Q3"],
        ["Start Date", "Recorded Date", "What is your account name?", "Link to the post you want to report", "Why?"],
        [f'{{"ImportId":"QID{k}"}}' for k in range(5)],
    ]
    answers = [
        [r["created_at"], r["created_at"], r["reporter"], f"https://x.example/{r['post_id']}", "x"] for r in ROWS
    ]
    items, refused, _ = read(file_of([*heads, *answers], tmp_path / "a"))
    assert refused == []
    assert facts(items) == {(who, f"https://x.example/{post}", at) for who, post, at in expected(ROWS)}
