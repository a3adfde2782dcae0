"""Targets that stand in one of several columns by their type, and accounts that stand beside who reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabular_files import csv_of, read, rows, written

ROWS = rows(60, targets=12)
KINDS = ("entry", "entry_comment", "post", "post_comment")


def without_target(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "post_id"}


def pairs(items: list[Any]) -> set[tuple[str, str]]:
    return {(item.reporter.id, item.target.id) for item in items}


def test_one_column_for_each_type_beside_the_account_that_was_reported(tmp_path: Path) -> None:
    given, truth = [], set()
    for row in ROWS:
        number = int(row["post_id"])
        kind = KINDS[number % 4]
        ids = {f"{each}_id": number // 4 if each == kind else "" for each in KINDS}
        given.append({"reporting_id": row["reporter"], "reported_id": f"a{number % 5}"} | ids | without_target(row))
        given[-1].pop("reporter")
        given[-1].pop("author")
        truth.add((row["reporter"], f"{kind}/{number // 4}"))
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (pairs(items), refused) == (truth, [])
    assert [r.column for r in source.read_as if r.field == "target_id"] == [f"{kind}_id" for kind in KINDS]
    assert [r.column for r in source.read_as if r.field == "author_id"] == ["reported_id"]
    assert any("their ids are kind/id" in note for note in source.notes)


def test_an_address_or_an_account_and_the_content_s_hash_beside_the_address(tmp_path: Path) -> None:
    given, truth = [], set()
    for row in ROWS:
        number = int(row["post_id"])
        subject = {"did": f"did:plc:{number}"} if number % 3 == 0 else {"uri": f"at://{number}", "cid": f"bafy{number}"}
        given.append(
            {"createdBy": row["reporter"], "createdAt": row["created_at"], "subject": subject, "reason": "spam"}
        )
        truth.add((row["reporter"], number))
    items, refused, source = read(written(tmp_path / "a.json", json.dumps(given)))
    assert refused == []
    assert {(who, int("".join(filter(str.isdigit, what)))) for who, what in pairs(items)} == truth
    assert [r.column for r in source.read_as if r.field == "target_id"] == ["subject.uri", "subject.did"]


def test_a_type_and_an_id_in_two_columns(tmp_path: Path) -> None:
    for kind, number in (
        ("reportable_type", "reportable_id"),
        ("content_type_id", "object_id"),
        ("target_type", "target"),
    ):
        given = [
            without_target(row) | {kind: int(row["post_id"]) % 2, number: int(row["post_id"]) // 2} for row in ROWS
        ]
        items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
        assert refused == []
        assert pairs(items) == {(r["reporter"], f"{int(r['post_id']) % 2}/{int(r['post_id']) // 2}") for r in ROWS}


def test_the_account_beside_the_actor_was_reported(tmp_path: Path) -> None:
    given = [
        {
            "account": {"id": r["post_id"], "acct": f"n{r['post_id']}", "url": f"https://x.example/{r['post_id']}"},
            "actor": {"id": r["reporter"], "url": f"https://x.example/{r['reporter']}"},
            "created_at": r["created_at"],
        }
        for r in ROWS
    ]
    items, refused, source = read(written(tmp_path / "a.json", json.dumps(given)))
    assert (pairs(items), refused) == ({(r["reporter"], r["post_id"]) for r in ROWS}, [])
    assert any("whole accounts are the targets" in note for note in source.notes)


def test_a_number_that_counts_the_rows_is_not_what_was_reported(tmp_path: Path) -> None:
    given = [{"id_comment": k + 1, "reporter": r["reporter"], "id_msg": r["post_id"], "time": r["created_at"]}
             for k, r in enumerate(ROWS)]  # fmt: skip
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (pairs(items), refused) == ({(r["reporter"], r["post_id"]) for r in ROWS}, [])
