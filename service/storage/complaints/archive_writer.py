"""The archive's one writer: a drained group of stream entries becomes rows, totals and a feed row, in one transaction.

What a commit changes is decided in commit_draft.py (pure) on what archive_lookups.py finds; archive_rows.py and
feed_writer.py write it. Reads are in archive_reader.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, select, update

from service.errors import LostLease
from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.policy_overrides import policy_of
from service.storage.complaints.archive_lookups import (
    archived_items,
    archived_pairs,
    complaints_at,
    dead_lines,
    letter_text,
)
from service.storage.complaints.archive_reader import totals_of
from service.storage.complaints.archive_rows import write_rows
from service.storage.complaints.commit_draft import (
    CommitDraft,
    Item,
    add_items,
    add_totals,
    changed_targets,
    entry_order,
    feed,
    settle,
    touched_pairs,
)
from service.storage.complaints.feed_writer import write_feed
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql import schema


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What one commit added to the tenant's counters, and the tenant's new position."""

    archived: int
    duplicates: int
    conflicting: int
    late: int
    archived_position: int
    last_seq: int
    watermark_us: int | None
    received_us: int | None


def commit(
    connection: Connection,
    tenant_id: int,
    epoch: int,
    entries: Sequence[StreamEntry],
    privacy_filter: PrivacyFilter | None = None,
) -> CommitResult:
    """Archive the entries, in their order, in the caller's writing transaction.

    Items that are archived already (redelivered ones) are skipped. `privacy_filter` knows the tenant's key
    and who is erased: their complaints that were still in the stream are counted as duplicates and leave no trace.
    Raises LostLease when another worker has raised the epoch since, and ValueError, KeyError or TypeError for a line
    that is not an item.
    """
    state = _locked_state(connection, tenant_id, epoch)
    draft = _draft_from(connection, state, privacy_filter or PrivacyFilter())
    items: list[Item] = []
    again: list[int] = []  # which of them lie at positions that the archive has passed
    for entry in entries:
        repeated, found = _items_of(connection, draft, entry)
        again += range(len(items), len(items) + repeated)
        items += found
    archived = archived_items(connection, tenant_id, items, draft.privacy_filter)
    if known := {number for number in again if archived.holds(items[number], draft.privacy_filter)}:
        items = [item for number, item in enumerate(items) if number not in known]
    if items or draft.position != state.archived_position:
        _note_receipt(draft, items)
        add_items(draft, items, archived)
        pairs = touched_pairs(draft)
        settle(draft, pairs, archived_pairs(connection, tenant_id, list(pairs)))
        targets = changed_targets(draft)
        add_totals(draft, targets, totals_of(connection, tenant_id, targets))
        write_rows(connection, draft)
        write_feed(connection, draft, after_seq=state.last_seq)
        _write_state(connection, draft, epoch)
    return CommitResult(
        draft.archived,
        draft.duplicates,
        draft.conflicting,
        draft.late,
        draft.position,
        draft.seq,
        draft.watermark_us,
        draft.received_us,
    )


def pass_over(connection: Connection, tenant_id: int, epoch: int, entry: StreamEntry) -> None:
    """Count the positions of an entry as done without archiving it: it goes to the dead letters in the same
    transaction.
    """
    state = _locked_state(connection, tenant_id, epoch)
    draft = _draft_from(connection, state, PrivacyFilter())
    lines = entry.lines.split(b"\n")
    draft.position = max(draft.position, entry.first + len(lines) - 1)
    draft.entry = max(draft.entry, entry.entry_id, key=entry_order)
    draft.oldest_received_us = entry.received_us
    draft.received_us = max(entry.received_us, draft.received_us or 0)
    write_feed(connection, draft, after_seq=state.last_seq)
    _write_state(connection, draft, epoch)


def lock_ingest(connection: Connection, tenant_id: int) -> None:
    """Keep the tenant's ingest from committing until this transaction ends (on SQLite, every writer waits)."""
    connection.execute(
        select(schema.ingest_state.c.epoch).where(schema.ingest_state.c.tenant_id == tenant_id).with_for_update()
    )


def promote(
    connection: Connection,
    tenant_id: int,
    row_keys: Sequence[int],
    totals: Mapping[int, int],
    privacy_filter: PrivacyFilter,
    *,
    now_us: int,
) -> None:
    """Feed detection with archived complaints that stand from now on, and with totals (by target key) that changed
    without an item of the stream.

    Call it in the transaction that changed them, after `lock_ingest`. Uses up one seq of the tenant, as an item does.
    """
    state = connection.execute(select(schema.ingest_state).where(schema.ingest_state.c.tenant_id == tenant_id)).one()
    draft = _draft_from(connection, state, privacy_filter)
    for row in complaints_at(connection, tenant_id, row_keys):
        feed(draft, row)
    draft.totals = list(totals.items())
    draft.oldest_received_us = now_us
    write_feed(connection, draft, after_seq=state.last_seq)
    _write_state(connection, draft, state.epoch)


def _locked_state(connection: Connection, tenant_id: int, epoch: int) -> Any:
    statement = select(schema.ingest_state).where(schema.ingest_state.c.tenant_id == tenant_id)
    state = connection.execute(statement.with_for_update()).one()
    if state.epoch != epoch:
        raise LostLease(
            f"ingest of tenant {tenant_id}: epoch {state.epoch} has replaced {epoch}; another worker goes on"
        )
    return state


def _draft_from(connection: Connection, state: Any, privacy_filter: PrivacyFilter) -> CommitDraft:
    """An empty draft that goes on from a row of `ingest_state`."""
    return CommitDraft(
        state.tenant_id,
        policy_of(connection, state.tenant_id),
        privacy_filter,
        state.last_seq,
        state.watermark_us,
        state.archived_position,
        state.archived_entry,
        state.received_us,
    )


def _items_of(connection: Connection, draft: CommitDraft, entry: StreamEntry) -> tuple[int, list[Item]]:
    """The entry's items without its dead letters, and how many of them, from the first, lie at positions that the
    archive has passed. Moves the draft's position past the entry.

    That the archive has passed a position does not tell that it has the item: a Redis that was copied, or put back,
    hands out positions that another one has used.
    """
    lines, passed = entry.lines.split(b"\n"), 0
    if entry.first <= 0:
        gone = connection.execute(
            schema.dead_letters.delete().where(
                schema.dead_letters.c.id == -entry.first, schema.dead_letters.c.tenant_id == draft.tenant_id
            )
        )
        if gone.rowcount == 0:  # archived by an earlier delivery of this entry, sent twice, or dropped since
            return 0, []
    else:
        # Both must match: a Redis that fell back to an older state reuses positions, but never entry ids.
        if entry_order(entry.entry_id) <= entry_order(draft.entry):
            passed = min(max(0, draft.position - entry.first + 1), len(lines))
        draft.position = max(draft.position, entry.first + entry.lines.count(b"\n"))
        draft.entry = max(draft.entry, entry.entry_id, key=entry_order)
    if passed and (dead := dead_lines(connection, draft.tenant_id, entry.first, entry.first + passed - 1)):
        left = [line for at, line in enumerate(lines, entry.first) if (at, letter_text(line)) not in dead]
        passed, lines = passed - (len(lines) - len(left)), left
    return passed, [
        (chr(line[0]), from_json(line[1:], cache_strings="keys"), line[1:].decode(), entry.received_us)
        for line in lines
    ]


def _note_receipt(draft: CommitDraft, items: Sequence[Item]) -> None:
    times = [received for _, _, _, received in items]
    if times:
        draft.received_us = max(*times, draft.received_us or 0)
        draft.oldest_received_us = min(times)


def _write_state(connection: Connection, draft: CommitDraft, epoch: int) -> None:
    table = schema.ingest_state
    done = connection.execute(
        update(table)
        .where(table.c.tenant_id == draft.tenant_id, table.c.epoch == epoch)
        .values(
            archived_position=draft.position,
            archived_entry=draft.entry,
            last_seq=draft.seq,
            watermark_us=draft.watermark_us,
            received_us=draft.received_us,
            archived=table.c.archived + draft.archived,
            duplicates=table.c.duplicates + draft.duplicates,
            conflicting=table.c.conflicting + draft.conflicting,
            late=table.c.late + draft.late,
        )
    )
    if done.rowcount != 1:
        raise LostLease(f"ingest of tenant {draft.tenant_id}: epoch {epoch} has been replaced; another worker goes on")
