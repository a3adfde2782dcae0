"""The feed row of one commit, packed by service/storage/complaints/feed.py."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from service.intake.text_fingerprints import word_count
from service.model import microseconds
from service.storage.complaints.archive_lookups import outcomes_awaiting, read_bodies
from service.storage.complaints.archive_reader import complaint_seqs, feed_outcome
from service.storage.complaints.commit_draft import CommitDraft, ComplaintRow
from service.storage.complaints.feed import COMPLAINT, EXEMPT, NO_KEY, TOTAL, UNKNOWN_US, FeedBatch, FeedOutcome, pack
from service.storage.sql import schema
from service.storage.sql.engine import insert_rows
from service.storage.sql.hashing import cached_key_of

_COLUMNS = (
    "tenant_id",
    "last_seq",
    "first_seq",
    "last_position",
    "items",
    "oldest_received_us",
    "received_us",
    "watermark_us",
    "newest_us",
    "payload",
)


def write_feed(connection: Connection, draft: CommitDraft, *, after_seq: int) -> None:
    """Write the row that covers the draft's items after `after_seq`.

    A draft of repeats alone takes up one seq that belongs to no item, so that its positions still reach detection.
    """
    if draft.seq == after_seq:
        draft.seq += 1
    fed = sorted(draft.fed, key=lambda row: row.seq)
    read_bodies(connection, draft.tenant_id, fed)
    batch = _feed_batch(connection, draft, fed)
    newest = max((row.occurred_us for row in [*fed, *draft.removed]), default=None)
    received = draft.received_us or 0
    row = (
        draft.tenant_id,
        draft.seq,
        after_seq + 1,
        draft.position,
        draft.archived,
        received if draft.oldest_received_us is None else draft.oldest_received_us,
        received,
        draft.watermark_us,
        newest,
        pack(batch),
    )
    insert_rows(connection, schema.feed, _COLUMNS, [row])


def _feed_batch(connection: Connection, draft: CommitDraft, fed: list[ComplaintRow]) -> FeedBatch:
    signatures = {row.seq: draft.privacy_filter.signature(row.body) for row in fed if row.body is not None}
    return FeedBatch(
        complaints=np.array([_feed_complaint(row) for row in fed], dtype=COMPLAINT),
        texts={
            seq: found
            for seq, found in signatures.items()
            if found is not None and word_count(found) >= draft.policy.text_min_words
        },
        removed=tuple(sorted(row.seq for row in draft.removed)),
        listed=tuple(sorted(row.seq for row in draft.listed)),
        outcomes=_feed_outcomes(connection, draft),
        totals=np.array(draft.totals, dtype=TOTAL),
    )


def _feed_complaint(row: ComplaintRow) -> tuple[int, int, int, int, int, int, int, int, int]:
    body = row.body
    assert body is not None
    reporter, target = body["reporter"], body["target"]
    context, author = target.get("context_id"), target.get("author_id")
    fingerprint, created = reporter.get("fingerprint"), reporter.get("account_created_at")
    exempt = EXEMPT if reporter.get("trusted") or body.get("notice_type") == "illegal_content" else 0
    return (
        row.seq,
        row.occurred_us,
        row.reporter,
        row.target,
        NO_KEY if context is None else cached_key_of(context),
        NO_KEY if author is None else cached_key_of(author),
        UNKNOWN_US if created is None else microseconds(datetime.fromisoformat(created)),
        NO_KEY if fingerprint is None else cached_key_of(fingerprint),
        exempt,
    )


def _feed_outcomes(connection: Connection, draft: CommitDraft) -> tuple[FeedOutcome, ...]:
    """New outcomes, and older ones whose complaint has only now arrived."""
    rows = [(seq, identity, body) for identity, (seq, _, body, _) in draft.outcomes.items()]
    if draft.complaints:
        awaiting = outcomes_awaiting(connection, draft.tenant_id, draft.complaints)
        rows += [row for row in awaiting if row[1] not in draft.outcomes]
    seqs = complaint_seqs(
        connection, draft.tenant_id, {body["complaint_id"] for _, _, body in rows if "complaint_id" in body}
    )
    return tuple(
        feed_outcome(seq, identity, body, seqs) for seq, identity, body in sorted(rows, key=lambda row: row[0])
    )
