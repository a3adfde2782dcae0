"""Retention: delete everything a tenant received before a given time, oldest first, in small transactions.

The unit is one row of the feed (one ingest transaction) with its complaints and outcomes, so that archive, feed and
totals agree after every step. A step locks the row of `ingest_state` as a commit does, so the two never run at the same
time. If a step touches the window or a cluster, it raises the epoch, and detection drops its resident window.

If the deleted complaint counted, a later one by the same reporter about the same target takes its place, so a reporter
who complained again within the retention period still counts. Clusters keep members, targets, evidence and counts;
their complaints are deleted, and are no longer discounted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from service.intake.privacy_filter import PrivacyFilter
from service.storage.complaints import daily_files
from service.storage.complaints import feed as packed
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK, analysis_state_of, totals_of
from service.storage.complaints.archive_writer import lock_ingest, promote
from service.storage.sql import schema
from service.storage.sql.engine import insert_rows, run_for_each, select_by_keys
from service.storage.sql.schema import REPEAT, STANDING
from service.storage.webhooks import outbox

ITEMS_AT_ONCE = 2_000  # a transaction of some 50 ms where nothing else runs
_ROWS_LOOKED_AT = 256


@dataclass(slots=True)
class Refed:
    """Rows of the feed that hold a complaint older than themselves, which replaced a withdrawn one."""

    upto_seq: int = 0  # looked at up to here
    rows_by_seq: dict[int, set[int]] = field(default_factory=dict)  # complaint's seq -> last_seq of rows


@dataclass(frozen=True, slots=True)
class Deleted:
    """Counts of what one step deleted."""

    upto_seq: int
    complaints: int
    outcomes: int
    totals: dict[int, int]  # of the targets whose total changed, by key
    window_changed: bool


def find_refed(connection: Connection, tenant_id: int, known: Refed) -> None:
    """Scan the rows of the feed added since the last scan. Reads only the columns it needs."""
    f = schema.feed.c
    rows = connection.execute(
        sa.select(f.last_seq, f.first_seq, f.payload)
        .where(f.tenant_id == tenant_id, f.last_seq > known.upto_seq)
        .order_by(f.last_seq)
        .execution_options(yield_per=32)
    )
    for row in rows:
        for seq in packed.seqs_before(row.payload, row.first_seq):
            known.rows_by_seq.setdefault(seq, set()).add(row.last_seq)
        known.upto_seq = row.last_seq


def delete_step(
    connection: Connection,
    tenant_id: int,
    before_us: int,
    refed: Refed,
    privacy_filter: PrivacyFilter,
    *,
    now_us: int,
    window_seconds: int,
    items: int = ITEMS_AT_ONCE,
) -> Deleted | None:
    """Delete the oldest rows of the feed that were received before `before_us` (about `items` items in total, at least
    one row) with everything that belongs to them; return None if there are none.

    Part of the caller's writing transaction. Rows that detection has not read yet stay.
    """
    lock_ingest(connection, tenant_id)
    analysis_state_of(connection, tenant_id, lock=True)  # and no analysis step, which might write about deleted rows
    upto = _upto(connection, tenant_id, before_us, now_us, items)
    if upto is None:
        return None
    find_refed(connection, tenant_id, refed)
    base, c, f = tenant_id << SEQ_BITS, schema.complaints.c, schema.feed.c
    rows = connection.execute(
        sa.select(c.row_key, c.reporter_key, c.target_key, c.state, c.occurred_us).where(
            c.row_key > base, c.row_key <= base | upto
        )
    ).all()
    daily_files.note_rows(connection, tenant_id, "complaints", ((row.row_key, row.occurred_us) for row in rows))
    promoted, totals = _settle(connection, tenant_id, upto, [row for row in rows if row.state == STANDING])
    daily_files.note_keys(connection, tenant_id, "complaints", promoted)
    trimmed = _trim_clusters(connection, base, upto)
    refed_gone = _forget_refed(connection, tenant_id, refed, {row.row_key & SEQ_MASK for row in rows}, upto)
    o = schema.outcomes.c
    going = sa.and_(o.row_key > base, o.row_key <= base | upto)
    gone = connection.execute(sa.select(o.row_key, o.decided_us).where(going)).all()
    daily_files.note_rows(connection, tenant_id, "outcomes", ((row.row_key, row.decided_us) for row in gone))
    outcomes = connection.execute(sa.delete(schema.outcomes).where(going)).rowcount
    connection.execute(sa.delete(schema.complaints).where(c.row_key > base, c.row_key <= base | upto))
    newest = connection.scalar(sa.select(sa.func.max(f.newest_us)).where(f.tenant_id == tenant_id, f.last_seq <= upto))
    connection.execute(sa.delete(schema.feed).where(f.tenant_id == tenant_id, f.last_seq <= upto))
    _write_totals(connection, tenant_id, totals)
    if promoted or totals:
        promote(connection, tenant_id, promoted, totals, privacy_filter, now_us=now_us)
    watermark = analysis_state_of(connection, tenant_id).watermark_us or 0
    touched = trimmed or refed_gone or (newest is not None and newest >= watermark - window_seconds * 1_000_000)
    if touched:
        state = schema.analysis_state
        connection.execute(sa.update(state).where(state.c.tenant_id == tenant_id).values(epoch=state.c.epoch + 1))
    return Deleted(upto, len(rows), outcomes, totals, touched)


def delete_rest(connection: Connection, tenant_id: int, before_us: int, at_most: int = ITEMS_AT_ONCE) -> dict[str, int]:
    """Delete rows of that age that belong to no complaint: withdrawals, dead letters, events with their deliveries,
    warnings, sweeps. About `at_most` rows, of one table: call it again, in another transaction, until it deletes
    nothing. Returns the number of rows by table.
    """
    for table, at in (*_RECORDS, (schema.sweeps, schema.sweeps.c.finished_us)):
        if table is schema.events:
            continue  # with their deliveries, below
        key = sa.tuple_(*table.primary_key.columns)
        some = sa.select(*table.primary_key.columns).where(*_of(tenant_id, table), at < before_us).limit(at_most)
        gone = connection.execute(sa.delete(table).where(key.in_(some))).rowcount
        if gone:
            return {table.name: gone}
    return outbox.forget_before(connection, tenant_id, before_us, at_most)


def count_before(connection: Connection, tenant_id: int, before_us: int) -> dict[str, int]:
    """How many records received before that time are stored: items, and rows that belong to none of them by table.

    Sweeps are computed, and do not count.
    """
    counts = {"items": items_before(connection, tenant_id, before_us)}
    for table, at in _RECORDS:
        counts[table.name] = int(
            connection.scalar(
                sa.select(sa.func.count()).select_from(table).where(*_of(tenant_id, table), at < before_us)
            )
            or 0
        )
    return counts


def oldest(connection: Connection, tenant_id: int) -> int | None:
    """When the oldest of those records was received; None without any."""
    found = [
        connection.scalar(sa.select(sa.func.min(at)).where(*_of(tenant_id, table)))
        for table, at in ((schema.feed, schema.feed.c.received_us), *_RECORDS)
    ]
    return min((us for us in found if us is not None), default=None)


def _last_us_of_step() -> sa.ColumnElement[Any]:
    """Until when a step against misuse matters: a suspension until its end, and what ended it early as long as it."""
    step, suspension = schema.misuse_steps.c, schema.misuse_steps.alias("suspension").c
    ended = (
        sa.select(sa.func.max(suspension.until_us))
        .where(
            suspension.tenant_id == step.tenant_id,
            suspension.reporter_key == step.reporter_key,
            suspension.reporter_id == step.reporter_id,
            suspension.id < step.id,
        )
        .correlate(schema.misuse_steps)
        .scalar_subquery()
    )
    return sa.func.coalesce(step.until_us, sa.case((step.step == "restored", ended)), step.at_us)


_RECORDS: tuple[tuple[sa.Table, sa.ColumnElement[Any]], ...] = (
    (schema.withdrawals, schema.withdrawals.c.received_us),
    (schema.dead_letters, schema.dead_letters.c.received_us),
    (schema.reporter_warnings, schema.reporter_warnings.c.at_us),
    (schema.misuse_marks, schema.misuse_marks.c.at_us),
    (schema.misuse_steps, _last_us_of_step()),
    (schema.events, schema.events.c.at_us),
)


def _of(tenant_id: int, table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """The tenant's rows; a dead letter that was sent again is on its way to the archive."""
    return [table.c.tenant_id == tenant_id, *([table.c.resent_us.is_(None)] if table is schema.dead_letters else [])]


def _upto(connection: Connection, tenant_id: int, before_us: int, now_us: int, at_most: int) -> int | None:
    """The last_seq of the last row that this step deletes.

    Rows are in the order of receipt. One of the future was received while the clock was ahead, before the rows behind
    it: it goes with them.
    """
    f = schema.feed.c
    cursor = analysis_state_of(connection, tenant_id).cursor_seq
    first = (
        sa.select(f.last_seq, f.received_us, f["items"])
        .where(f.tenant_id == tenant_id, f.last_seq <= cursor, f.received_us <= now_us)
        .order_by(f.last_seq)
        .limit(_ROWS_LOOKED_AT)
    )
    upto, items = None, 0
    for row in connection.execute(first):
        if row.received_us >= before_us or (upto is not None and items + row.items > at_most):
            break
        upto, items = row.last_seq, items + row.items
    return upto


def _settle(connection: Connection, tenant_id: int, upto: int, gone: Sequence[Any]) -> tuple[list[int], dict[int, int]]:
    """Row keys of the complaints that count from now on, and the totals that change."""
    statement = (
        "SELECT c.row_key, c.target_key, c.reporter_key, c.act_key, c.occurred_us, c.id FROM k CROSS JOIN complaints c"
        " WHERE"
        f" c.tenant_id = ? AND c.target_key = k.column1 AND c.reporter_key = k.column2 AND c.state = {REPEAT} AND"
        " c.row_key > ?"
    )
    pairs = [(row.target_key, row.reporter_key) for row in gone]
    heirs: dict[tuple[int, int], tuple[bool, int, str, int]] = {}
    for row_key, target, reporter, act, occurred, identity in select_by_keys(
        connection, statement, (tenant_id, tenant_id << SEQ_BITS | upto), pairs
    ):
        heir = act is not None, occurred, identity, row_key  # as ComplaintRow.order
        heirs[target, reporter] = min(heirs.get((target, reporter), heir), heir)
    promoted = [row_key for *_, row_key in heirs.values()]
    run_for_each(
        connection, "UPDATE complaints SET state = ? WHERE row_key = ?", [(STANDING, row_key) for row_key in promoted]
    )
    lost: dict[int, int] = {}
    for pair in pairs:
        if pair not in heirs:
            lost[pair[0]] = lost.get(pair[0], 0) + 1
    before = totals_of(connection, tenant_id, lost)
    return promoted, {target: max(0, before.get(target, 0) - count) for target, count in lost.items()}


def _write_totals(connection: Connection, tenant_id: int, totals: dict[int, int]) -> None:
    insert_rows(
        connection,
        schema.targets,
        ("tenant_id", "target_key", "complaints"),
        [(tenant_id, target, count) for target, count in totals.items() if count],
        "ON CONFLICT (tenant_id, target_key) DO UPDATE SET complaints = excluded.complaints",
    )
    run_for_each(
        connection,
        "DELETE FROM targets WHERE tenant_id = ? AND target_key = ?",
        [(tenant_id, target) for target, count in totals.items() if not count],
    )


def _trim_clusters(connection: Connection, base: int, upto: int) -> bool:
    """Remove the complaints from the clusters, which keep the time span of what was removed."""
    cc, c = schema.cluster_complaints.c, schema.clusters.c
    gone = sa.and_(cc.row_key > base, cc.row_key <= base | upto)
    spans = connection.execute(
        sa.select(cc.cluster_id, sa.func.min(cc.occurred_us), sa.func.max(cc.occurred_us))
        .where(gone, cc.listed.is_(False))
        .group_by(cc.cluster_id)
    ).all()
    deleted = connection.execute(sa.delete(schema.cluster_complaints).where(gone)).rowcount
    for cluster, first, last in spans:
        connection.execute(
            sa.update(schema.clusters)
            .where(c.id == cluster)
            .values(
                trimmed_first_us=sa.case((c.trimmed_first_us < first, c.trimmed_first_us), else_=first),
                trimmed_last_us=sa.case((c.trimmed_last_us > last, c.trimmed_last_us), else_=last),
            )
        )
    return deleted > 0


def _forget_refed(connection: Connection, tenant_id: int, refed: Refed, gone: set[int], upto: int) -> bool:
    """Remove deleted complaints from newer rows of the feed."""
    f = schema.feed.c
    rows = {
        last_seq
        for seq in gone & refed.rows_by_seq.keys()
        for last_seq in refed.rows_by_seq.pop(seq)
        if last_seq > upto
    }
    for last_seq in sorted(rows):
        mine = sa.and_(f.tenant_id == tenant_id, f.last_seq == last_seq)
        payload = connection.scalar(sa.select(f.payload).where(mine))
        if payload is not None:
            connection.execute(sa.update(schema.feed).where(mine).values(payload=packed.without(payload, gone)))
    return bool(rows)


def items_before(connection: Connection, tenant_id: int, before_us: int) -> int:
    """How many items received before that time are still stored (a batch counts by its last item)."""
    f = schema.feed.c
    return int(
        connection.scalar(
            sa.select(sa.func.coalesce(sa.func.sum(f["items"]), 0)).where(
                f.tenant_id == tenant_id, f.received_us < before_us
            )
        )
        or 0
    )
