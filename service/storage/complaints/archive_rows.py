"""The rows that one commit writes, except the feed: complaints, outcomes, withdrawals, totals and counts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from service.model import microseconds
from service.storage.complaints import complaint_counts, daily_files
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.complaints.commit_draft import CommitDraft
from service.storage.sql import schema
from service.storage.sql.engine import insert_rows, run_for_each
from service.storage.sql.hashing import cached_key_of
from service.storage.sql.schema import MACHINE

COMPLAINT_COLUMNS = (
    "row_key",
    "tenant_id",
    "id",
    "occurred_us",
    "received_us",
    "reporter_key",
    "target_key",
    "state",
    "late",
    "reporter_id",
    "target_id",
    "content",
    "act_key",
)
OUTCOME_COLUMNS = ("row_key", "tenant_id", "id", "target_key", "decided_us", "received_us", "complaint_id", "content")


def write_rows(connection: Connection, draft: CommitDraft) -> None:
    """Write the draft's rows and the totals that it changes."""
    tenant = draft.tenant_id
    base = tenant << SEQ_BITS
    _give_up_ids(connection, draft)
    _write_complaints(connection, draft)
    insert_rows(
        connection,
        schema.withdrawals,
        ("tenant_id", "complaint_id", "seq", "received_us"),
        [(tenant, identity, seq, received) for identity, (seq, received) in draft.withdrawals.items()],
        "ON CONFLICT (tenant_id, complaint_id) DO UPDATE SET seq = excluded.seq, received_us = excluded.received_us",
    )
    _write_outcomes(connection, draft)
    run_for_each(
        connection,
        "UPDATE complaints SET state = ? WHERE row_key = ?",
        [(state, base | seq) for state, seq in draft.changes],
    )
    insert_rows(
        connection,
        schema.targets,
        ("tenant_id", "target_key", "complaints"),
        [(tenant, target, total) for target, total in draft.totals],
        "ON CONFLICT (tenant_id, target_key) DO UPDATE SET complaints = excluded.complaints",
    )
    complaint_counts.add(
        connection,
        tenant,
        [row.occurred_us for row in draft.complaints.values() if row.state != MACHINE and row.act is None],
    )
    daily_files.note_commit(
        connection,
        tenant,
        ((base | row.seq, row.occurred_us) for row in draft.complaints.values()),
        [base | seq for _, seq in draft.changes],
        [base | seq for seq, *_ in draft.outcomes.values()],
    )


def _give_up_ids(connection: Connection, draft: CommitDraft) -> None:
    """Archived complaints under their new ids, before others take the old ones; outcomes stay about them."""
    base = draft.tenant_id << SEQ_BITS
    run_for_each(
        connection,
        "UPDATE complaints SET id = ? WHERE row_key = ?",
        [(ours, base | seq) for ours, _, seq in draft.displaced],
    )
    run_for_each(
        connection,
        "UPDATE outcomes SET complaint_id = ? WHERE tenant_id = ? AND complaint_id = ?",
        [(ours, draft.tenant_id, identity) for ours, identity, _ in draft.displaced],
    )


def _write_complaints(connection: Connection, draft: CommitDraft) -> None:
    tenant, base = draft.tenant_id, draft.tenant_id << SEQ_BITS
    rows = [
        (
            base | r.seq,
            tenant,
            r.id,
            r.occurred_us,
            r.received_us,
            r.reporter,
            r.target,
            r.state,
            r.late,
            r.body["reporter"]["id"],
            r.body["target"]["id"],
            r.content,
            None if r.act is None else base | r.act,
        )
        for r in draft.complaints.values()
        if r.body is not None
    ]
    insert_rows(connection, schema.complaints, COMPLAINT_COLUMNS, rows)


def _write_outcomes(connection: Connection, draft: CommitDraft) -> None:
    tenant, base = draft.tenant_id, draft.tenant_id << SEQ_BITS
    rows = [
        (
            base | seq,
            tenant,
            identity,
            cached_key_of(body["target_id"]),
            microseconds(datetime.fromisoformat(body["decided_at"])),
            received,
            body.get("complaint_id"),
            content,
        )
        for identity, (seq, received, body, content) in draft.outcomes.items()
    ]
    insert_rows(connection, schema.outcomes, OUTCOME_COLUMNS, rows)
