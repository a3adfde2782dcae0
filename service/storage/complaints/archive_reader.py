"""Reads from the archive: feed rows for detection, outcomes, ids, contents, and a tenant's positions.

What writes it: service/storage/complaints/archive_writer.py. Every function takes a connection, so that all reads of a
caller see one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic_core import from_json
from sqlalchemy import Connection, Row, Select, exists, func, select

from service.model import JsonObject, microseconds
from service.moderation.outcomes import JudgedComplaint
from service.storage.complaints.feed import NOT_ARCHIVED, FeedBatch, FeedOutcome, unpack
from service.storage.sql import schema
from service.storage.sql.engine import select_by_keys
from service.storage.sql.hashing import key_of

SEQ_BITS = 40
SEQ_MASK = (1 << SEQ_BITS) - 1


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One ingest transaction, as detection reads it."""

    first_seq: int
    last_seq: int
    last_position: int
    items: int
    oldest_received_us: int
    received_us: int
    watermark_us: int | None
    newest_us: int | None
    batch: FeedBatch


@dataclass(frozen=True, slots=True)
class IngestState:
    """State of the tenant's archive; counters in items."""

    epoch: int
    archived_position: int
    archived_entry: str
    archived: int
    duplicates: int
    conflicting: int
    late: int
    last_seq: int
    watermark_us: int | None
    received_us: int | None


@dataclass(frozen=True, slots=True)
class AnalysisState:
    """State of the tenant's analysis."""

    epoch: int
    cursor_seq: int
    analysed_position: int
    analysed: int
    watermark_us: int | None
    as_of_us: int | None
    swept_seq: int
    swept_position: int
    swept_watermark_us: int | None
    swept_us: int | None
    decision_cursor: int
    policy_version: str | None
    signature_version: int  # of the texts in the feed, where they are kept


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Items waiting for analysis, and dead letters; counters in items."""

    unanalysed: int  # archived, not yet read by detection
    oldest_unanalysed_us: int | None  # receipt of the oldest of them
    dead: int  # in the dead letters
    resent: int  # sent again from the dead letters: pending


def never_archived(connection: Connection, tenant_id: int) -> bool:
    """Whether the tenant never had an archived item or dead letter: then no position can be lost."""
    state = connection.execute(
        select(schema.ingest_state.c.archived_position, schema.ingest_state.c.last_seq).where(
            schema.ingest_state.c.tenant_id == tenant_id
        )
    ).first()
    known = exists().where(schema.dead_letters.c.tenant_id == tenant_id) | exists().where(
        schema.feed.c.tenant_id == tenant_id
    )
    return (state is None or (state.archived_position == 0 and state.last_seq == 0)) and not connection.scalar(
        select(known)
    )


def archived_ids(
    connection: Connection, tenant_id: int, what: Literal["complaints", "outcomes"], ids: Sequence[str]
) -> set[str]:
    """Which of these ids the archive has; a few hundred at most."""
    if not ids:
        return set()
    table = schema.complaints if what == "complaints" else schema.outcomes
    return set(connection.scalars(select(table.c.id).where(table.c.tenant_id == tenant_id, table.c.id.in_(ids))))


def pending_items(accepted: int, ingest: IngestState, unfinished: Unfinished) -> int:
    """The API's `pending`, from the tenant's `accepted` (its position counter) and the counters in SQL."""
    return max(0, accepted - ingest.archived_position) + unfinished.resent + unfinished.unanalysed


def ingest_state_of(connection: Connection, tenant_id: int) -> IngestState:
    """The row that the ingest worker writes; NoResultFound for an unknown tenant."""
    table = schema.ingest_state
    return IngestState(
        *connection.execute(
            select(*(table.c[name] for name in IngestState.__slots__)).where(table.c.tenant_id == tenant_id)
        ).one()
    )


def analysis_state_of(connection: Connection, tenant_id: int, *, lock: bool = False) -> AnalysisState:
    """The row that the detect worker writes; NoResultFound for an unknown tenant.

    `lock` keeps it unchanged until the transaction ends.
    """
    table = schema.analysis_state
    statement = select(*(table.c[name] for name in AnalysisState.__slots__)).where(table.c.tenant_id == tenant_id)
    return AnalysisState(*connection.execute(statement.with_for_update() if lock else statement).one())


def unfinished_of(connection: Connection, tenant_id: int) -> Unfinished:
    """The counts behind `pending` and `dead_letters`.

    Cheap while detection keeps up: only the rows beyond its cursor are read.
    """
    feed, dead = schema.feed, schema.dead_letters
    cursor = (
        select(schema.analysis_state.c.cursor_seq)
        .where(schema.analysis_state.c.tenant_id == tenant_id)
        .scalar_subquery()
    )
    items, oldest = connection.execute(
        select(func.coalesce(func.sum(feed.c["items"]), 0), func.min(feed.c.oldest_received_us)).where(
            feed.c.tenant_id == tenant_id, feed.c.last_seq > cursor
        )
    ).one()
    letters, resent = connection.execute(
        select(func.count(), func.count(dead.c.resent_us)).where(dead.c.tenant_id == tenant_id)
    ).one()
    return Unfinished(int(items), oldest, int(letters - resent), int(resent))


_FEED_COLUMNS: tuple[Any, ...] = (
    schema.feed.c.first_seq,
    schema.feed.c.last_seq,
    schema.feed.c.last_position,
    schema.feed.c["items"],
    schema.feed.c.oldest_received_us,
    schema.feed.c.received_us,
    schema.feed.c.watermark_us,
    schema.feed.c.newest_us,
    schema.feed.c.payload,
)


def read_feed(connection: Connection, tenant_id: int, after_seq: int, limit_items: int) -> list[FeedRow]:
    """Rows of the feed after `after_seq`, in order: as many as hold `limit_items` items, but at least one."""
    feed = schema.feed
    rows: list[FeedRow] = []
    items = 0
    statement = (
        select(*_FEED_COLUMNS)
        .where(feed.c.tenant_id == tenant_id, feed.c.last_seq > after_seq)
        .order_by(feed.c.last_seq)
    )
    result = connection.execute(statement.execution_options(yield_per=8))
    for row in result:
        if rows and items + row.items > limit_items:
            break
        rows.append(_feed_row(row))
        items += row.items
    result.close()
    return rows


def read_feed_window(
    connection: Connection, tenant_id: int, since_us: int, upto_seq: int, after_seq: int = 0
) -> Iterator[FeedRow]:
    """Feed rows after `after_seq`, up to and including `upto_seq`, that concern complaints of `since_us` or later, in
    order; a few at a time, so that nothing else may use the connection meanwhile.
    """
    feed = schema.feed.c
    seqs = feed.last_seq.between(after_seq + 1, upto_seq)
    concerned = (feed.tenant_id == tenant_id, seqs, feed.newest_us >= since_us)
    statement = select(*_FEED_COLUMNS).where(*concerned).order_by(feed.last_seq)
    yield from map(_feed_row, connection.execute(statement.execution_options(yield_per=8)))


def read_feed_before(connection: Connection, tenant_id: int, upto_seq: int, items: int) -> list[FeedBatch]:
    """The last rows of the feed up to and with `upto_seq` that hold so many items between them (one row at least), in
    order.
    """
    feed = schema.feed
    statement = (
        select(feed.c["items"], feed.c.payload)
        .where(feed.c.tenant_id == tenant_id, feed.c.last_seq <= upto_seq)
        .order_by(feed.c.last_seq.desc())
    )
    found: list[FeedBatch] = []
    result = connection.execute(statement.execution_options(yield_per=8))
    for row in result:
        found.append(unpack(row.payload))
        items -= row.items
        if items <= 0:
            break
    result.close()
    return found[::-1]


def _feed_row(row: Row[Any]) -> FeedRow:
    return FeedRow(
        row.first_seq,
        row.last_seq,
        row.last_position,
        row.items,
        row.oldest_received_us,
        row.received_us,
        row.watermark_us,
        row.newest_us,
        unpack(row.payload),
    )


def acts_of(tenant_id: int, reporter_id: str) -> Select[Any]:
    """The query of a reporter's standing complaints, newest first; of one report of several targets the first alone."""
    c = schema.complaints.c
    return (
        select(c.row_key, c.id, c.target_key, c.target_id, c.occurred_us, c.content)
        .where(
            c.tenant_id == tenant_id,
            c.reporter_key == key_of(reporter_id),
            c.reporter_id == reporter_id,
            c.state == schema.STANDING,
            c.act_key.is_(None),
        )
        .order_by(c.occurred_us.desc(), c.row_key.desc())
    )


def outcomes_of(
    connection: Connection, tenant_id: int, target_keys: Iterable[int], upto_seq: int | None = None
) -> dict[int, list[FeedOutcome]]:
    """All archived outcomes of the targets, by target key, ordered by seq; up to and with `upto_seq` if given.

    A target without an outcome is not among the keys.
    """
    statement = (
        "SELECT o.row_key, o.id, o.content, o.complaint_id FROM k CROSS JOIN outcomes o WHERE o.tenant_id = ? AND"
        " o.target_key = k.column1"
    )
    found = select_by_keys(connection, statement, (tenant_id,), [(int(key),) for key in dict.fromkeys(target_keys)])
    rows = [(row_key & SEQ_MASK, identity, outcome_body(content, about)) for row_key, identity, content, about in found]
    rows = sorted((row for row in rows if upto_seq is None or row[0] <= upto_seq), key=lambda row: row[0])
    seqs = complaint_seqs(
        connection, tenant_id, {body["complaint_id"] for _, _, body in rows if "complaint_id" in body}
    )
    if upto_seq is not None:
        seqs = {identity: seq for identity, seq in seqs.items() if seq <= upto_seq}
    by_target: dict[int, list[FeedOutcome]] = {}
    for seq, identity, body in rows:
        outcome = feed_outcome(seq, identity, body, seqs)
        by_target.setdefault(outcome.target, []).append(outcome)
    return by_target


def outcomes_after(connection: Connection, tenant_id: int, seq: int) -> Iterator[FeedOutcome]:
    """The tenant's outcomes that were archived after `seq`, in that order.

    Which complaint an outcome is about is not looked up: NOT_ARCHIVED stands for any.
    """
    table = schema.outcomes.c
    low, high = tenant_id << SEQ_BITS, (tenant_id + 1) << SEQ_BITS
    query = (
        select(table.row_key, table.id, table.content)
        .where(table.row_key > low + seq, table.row_key < high)
        .order_by(table.row_key)
        .execution_options(yield_per=1_000)
    )
    for row_key, identity, content in connection.execute(query):
        yield feed_outcome(row_key & SEQ_MASK, identity, from_json(content), {})


def outcome_body(content: str, complaint_id: str | None) -> JsonObject:
    """An archived outcome; the column `complaint_id` knows which of the complaints under one id it is about."""
    body: JsonObject = from_json(content)
    return body if complaint_id is None else {**body, "complaint_id": complaint_id}


def feed_outcome(seq: int, identity: str, body: JsonObject, complaint_seqs: dict[str, int]) -> FeedOutcome:
    """An archived outcome as detection needs it. An outcome without `decided_by` is a person's."""
    named = body.get("complaint_id")
    return FeedOutcome(
        seq,
        identity,
        key_of(body["target_id"]),
        microseconds(datetime.fromisoformat(body["decided_at"])),
        body.get("verdict"),
        body.get("action"),
        body.get("decided_by", "person"),
        0 if named is None else complaint_seqs.get(named, NOT_ARCHIVED),
        body.get("retracts"),
    )


def complaint_seqs(connection: Connection, tenant_id: int, ids: Iterable[str]) -> dict[str, int]:
    """The seq of each archived complaint among `ids`."""
    statement = "SELECT c.id, c.row_key FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.id = k.column1"
    return {
        identity: row_key & SEQ_MASK
        for identity, row_key in select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids])
    }


def ids_by_key(
    connection: Connection, tenant_id: int, *, reporters: Iterable[int], targets: Iterable[int]
) -> tuple[dict[int, str], dict[int, str]]:
    """The ids of reporters and of targets, by key; a key that no complaint or cluster has is left out."""
    return _names(connection, tenant_id, "reporter", "cluster_members", reporters), _names(
        connection, tenant_id, "target", "cluster_targets", targets
    )


def _names(connection: Connection, tenant_id: int, noun: str, of_clusters: str, keys: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    wanted = [int(key) for key in dict.fromkeys(keys)]
    for table in ("complaints", of_clusters):  # a cluster outlives its complaints
        missing = [(key,) for key in wanted if key not in found]
        statement = (
            f"SELECT k.column1, (SELECT c.{noun}_id FROM {table} c WHERE c.tenant_id = ? AND c.{noun}_key = k.column1"
            " LIMIT 1) FROM k WHERE k.column1 IS NOT NULL"
        )
        found.update(
            {
                key: name
                for key, name in select_by_keys(connection, statement, (tenant_id,), missing)
                if name is not None
            }
        )
    return found


def contents_of(connection: Connection, tenant_id: int, seqs: Sequence[int]) -> dict[int, JsonObject]:
    """The complaints as they were accepted, by seq; seqs of other items are left out."""
    statement = (
        "SELECT c.row_key, c.content FROM k CROSS JOIN complaints c WHERE c.row_key = k.column1 AND c.tenant_id = ?"
    )
    keys = [(tenant_id << SEQ_BITS | int(seq),) for seq in seqs]
    return {
        row_key & SEQ_MASK: from_json(content)
        for row_key, content in select_by_keys(connection, statement, (tenant_id,), keys)
    }


def judged_complaints_of(
    connection: Connection, tenant_id: int, reporter_keys: Iterable[int]
) -> dict[int, list[JudgedComplaint]]:
    """The standing complaints of each reporter about targets that have outcomes, an act once; a reporter without any is
    not among the keys.
    """
    statement = (
        "SELECT c.reporter_key, c.row_key, c.target_key, c.occurred_us FROM k CROSS JOIN complaints c WHERE c.tenant_id"
        " = ? AND c.reporter_key = k.column1 AND c.state = ? AND c.act_key IS NULL AND EXISTS (SELECT 1 FROM outcomes o"
        " WHERE o.tenant_id = c.tenant_id AND o.target_key = c.target_key)"
    )
    found: dict[int, list[JudgedComplaint]] = {}
    for reporter, row_key, target, occurred_us in select_by_keys(
        connection, statement, (tenant_id, schema.STANDING), [(int(key),) for key in reporter_keys]
    ):
        found.setdefault(reporter, []).append(JudgedComplaint(row_key & SEQ_MASK, target, occurred_us))
    return found


def totals_of(connection: Connection, tenant_id: int, target_keys: Iterable[int]) -> dict[int, int]:
    """Number of standing complaints by target key, for targets that ever had one."""
    statement = (
        "SELECT t.target_key, t.complaints FROM k CROSS JOIN targets t WHERE t.tenant_id = ? AND t.target_key ="
        " k.column1"
    )
    return dict(
        select_by_keys(connection, statement, (tenant_id,), [(int(key),) for key in dict.fromkeys(target_keys)])
    )
