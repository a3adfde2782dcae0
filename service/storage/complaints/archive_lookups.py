"""Batched lookups of what the archive already holds of the items in a commit. For the writer only.

A lookup joins the ids against an index in one statement, so that a complaint costs tens of microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from service.intake.privacy_filter import PrivacyFilter
from service.model import JsonObject
from service.storage.complaints.archive_reader import SEQ_MASK, contents_of, outcome_body
from service.storage.complaints.commit_draft import DISPLACED, ArchivedItems, ComplaintRow, Item, Pair
from service.storage.sql import schema
from service.storage.sql.engine import select_by_keys
from service.storage.sql.schema import REPEAT, STANDING, WITHDRAWN

_ROW = "c.row_key, c.id, c.occurred_us, c.received_us, c.reporter_key, c.target_key, c.state, c.late, c.act_key"


def archived_items(
    connection: Connection, tenant_id: int, items: Sequence[Item], privacy_filter: PrivacyFilter
) -> ArchivedItems:
    """What is archived under the ids of these items."""
    ids = [body["id"] for kind, body, _, _ in items if kind != "o"]
    complaints = _complaints(connection, tenant_id, ids)
    tombstones = _tombstones(connection, tenant_id, ids)
    withdrawn = {
        identity for identity in tombstones if (row := complaints.get(identity)) is None or row.state == WITHDRAWN
    }
    marks = [
        f"{DISPLACED}{privacy_filter.complaint_mark(body)}"
        for kind, body, _, _ in items
        if kind == "c" and body["id"] in tombstones
    ]
    return ArchivedItems(
        complaints,
        withdrawn,
        _outcomes(connection, tenant_id, [body["id"] for kind, body, _, _ in items if kind == "o"]),
        tombstones | _tombstones(connection, tenant_id, marks),
        _acts(
            connection, tenant_id, [body["part_of"] for kind, body, _, _ in items if kind == "c" and "part_of" in body]
        ),
    )


def _row(values: Sequence[Any], content: str = "") -> ComplaintRow:
    row_key, identity, occurred, received, reporter, target, state, late, act = values[:9]
    return ComplaintRow(
        row_key & SEQ_MASK,
        identity,
        occurred,
        received,
        reporter,
        target,
        state,
        bool(late),
        content,
        None,
        None if act is None else act & SEQ_MASK,
    )


def _complaints(connection: Connection, tenant_id: int, ids: list[str]) -> dict[str, ComplaintRow]:
    statement = f"SELECT {_ROW}, c.content FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.id = k.column1"
    return {
        values[1]: _row(values, values[9])
        for values in select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids])
    }


def _acts(connection: Connection, tenant_id: int, ids: list[str]) -> dict[str, tuple[int, int]]:
    statement = (
        "SELECT c.id, COALESCE(c.act_key, c.row_key), c.reporter_key FROM k CROSS JOIN complaints c WHERE c.tenant_id ="
        " ? AND c.id = k.column1"
    )
    rows = select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in dict.fromkeys(ids)])
    return {identity: (row_key & SEQ_MASK, reporter) for identity, row_key, reporter in rows}


def _tombstones(connection: Connection, tenant_id: int, ids: list[str]) -> set[str]:
    withdrawals = schema.withdrawals.c
    if not ids:
        return set()
    if connection.execute(select(withdrawals.seq).where(withdrawals.tenant_id == tenant_id).limit(1)).first() is None:
        return set()
    statement = (
        "SELECT w.complaint_id FROM k CROSS JOIN withdrawals w WHERE w.tenant_id = ? AND w.complaint_id = k.column1"
    )
    return {
        identity
        for (identity,) in select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids])
    }


def _outcomes(connection: Connection, tenant_id: int, ids: list[str]) -> dict[str, str]:
    statement = "SELECT o.id, o.content FROM k CROSS JOIN outcomes o WHERE o.tenant_id = ? AND o.id = k.column1"
    return dict(select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids]))


def dead_lines(connection: Connection, tenant_id: int, first: int, last: int) -> set[tuple[int, str]]:
    """(position, line as `letter_text` writes it) of the dead letters at the positions from `first` to `last`."""
    letters = schema.dead_letters.c
    found = select(letters.position, letters.line).where(
        letters.tenant_id == tenant_id, letters.position.between(first, last)
    )
    return {(position, line) for position, line in connection.execute(found)}


def letter_text(line: bytes) -> str:
    """A line of the stream as a dead letter keeps it: text that every database takes."""
    return line.decode(errors="backslashreplace").replace("\x00", "\\x00")


def archived_pairs(connection: Connection, tenant_id: int, pairs: list[Pair]) -> dict[Pair, list[ComplaintRow]]:
    """The archived complaints that stand or are repeats, by (target, reporter)."""
    statement = (
        f"SELECT {_ROW} FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.target_key = k.column1 AND"
        f" c.reporter_key = k.column2 AND c.state IN ({STANDING}, {REPEAT})"
    )
    found: dict[Pair, list[ComplaintRow]] = {}
    for values in select_by_keys(connection, statement, (tenant_id,), pairs):
        row = _row(values)
        found.setdefault((row.target, row.reporter), []).append(row)
    return found


def complaints_at(connection: Connection, tenant_id: int, row_keys: Iterable[int]) -> list[ComplaintRow]:
    """The archived complaints with these row keys, without their contents."""
    statement = f"SELECT {_ROW} FROM k CROSS JOIN complaints c WHERE c.row_key = k.column1 AND c.tenant_id = ?"
    return [
        _row(values) for values in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in row_keys])
    ]


def read_bodies(connection: Connection, tenant_id: int, rows: Iterable[ComplaintRow]) -> None:
    """Fill in the bodies of archived complaints that are fed again."""
    missing = {row.seq: row for row in rows if row.body is None}
    for seq, body in contents_of(connection, tenant_id, list(missing)).items():
        missing[seq].body = body


def outcomes_awaiting(
    connection: Connection, tenant_id: int, complaint_ids: Iterable[str]
) -> list[tuple[int, str, JsonObject]]:
    """Archived outcomes about one of these complaints, as (seq, id, body): they came before their complaint did."""
    outcomes = schema.outcomes.c
    any_names_a_complaint = select(outcomes.row_key).where(outcomes.tenant_id == tenant_id, outcomes.complaint_id > "")
    if connection.execute(any_names_a_complaint.limit(1)).first() is None:
        return []
    rows = select_by_keys(
        connection,
        "SELECT o.row_key, o.id, o.content, o.complaint_id FROM k CROSS JOIN outcomes o WHERE o.tenant_id = ? AND"
        " o.complaint_id = k.column1",
        (tenant_id,),
        [(identity,) for identity in complaint_ids],
    )
    return [(row_key & SEQ_MASK, identity, outcome_body(content, about)) for row_key, identity, content, about in rows]
