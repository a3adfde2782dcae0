"""The archive's one writer: a drained group of stream entries becomes rows, totals and a feed row, in one transaction.

First content wins; a reporter counts once a target (the earliest standing complaint; ties: the smaller id);
a withdrawn id never revives. All lookups are batched, so that a complaint costs tens of microseconds.
Readers of what it writes: service/storage/complaints/archive_reader.py.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic_core import from_json
from sqlalchemy import Connection, select, update

from service.errors import LostLease
from service.intake.privacy_filter import PrivacyFilter
from service.intake.text_fingerprints import word_count
from service.model import JsonObject, microseconds
from service.policy import Policy
from service.storage.accounts.policy_overrides import policy_of
from service.storage.complaints import complaint_counts
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK, complaint_seqs, feed_outcome
from service.storage.complaints.feed import COMPLAINT, EXEMPT, NO_KEY, TOTAL, UNKNOWN_US, FeedBatch, FeedOutcome, pack
from service.storage.sql import schema
from service.storage.sql.engine import insert_rows, run_for_each, select_by_keys
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import MACHINE, REPEAT, STANDING, WITHDRAWN

log = logging.getLogger(__name__)

_key = lru_cache(maxsize=1 << 16)(key_of)
_UNSETTLED = -1  # of a new complaint, until its reporter's others on the target are known

_COMPLAINT_COLUMNS = (
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
)
_OUTCOME_COLUMNS = ("row_key", "tenant_id", "id", "target_key", "decided_us", "received_us", "complaint_id", "content")


@dataclass(frozen=True, slots=True)
class ArchiveBatch:
    """One entry of the stream, as far as the archive needs it."""

    entry: str  # the stream's id of it, "milliseconds-number"
    first: int  # position of its first line; 0 or less: minus the id of the dead letter that is sent again
    received_us: int
    lines: bytes  # newline-separated: a kind letter and canonical JSON


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What one commit added to the tenant's counters, and where the tenant is now."""

    archived: int
    duplicates: int
    conflicting: int
    late: int
    archived_position: int
    last_seq: int
    watermark_us: int | None
    received_us: int | None


@dataclass(slots=True, eq=False)
class _Row:
    """A complaint in the making, or an archived one that this commit touches."""

    seq: int
    id: str
    occurred_us: int
    received_us: int
    reporter: int
    target: int
    state: int
    late: bool
    content: str
    body: JsonObject | None  # parsed content; None: not needed so far

    @property
    def order(self) -> tuple[int, str]:
        return self.occurred_us, self.id


@dataclass(slots=True)
class _Draft:
    """Everything that a commit will write."""

    tenant_id: int
    policy: Policy
    privacy_filter: PrivacyFilter
    seq: int
    watermark_us: int | None
    position: int
    entry: str
    received_us: int | None
    oldest_received_us: int | None = None
    archived: int = 0
    duplicates: int = 0
    conflicting: int = 0
    late: int = 0
    complaints: dict[str, _Row] = field(default_factory=dict)  # new, by id
    withdrawals: list[tuple[int, str, int, int]] = field(default_factory=list)
    # new, by id: seq, received, body, content
    outcomes: dict[str, tuple[int, int, JsonObject, str]] = field(default_factory=dict)
    withdrawn: list[_Row] = field(default_factory=list)  # archived ones that counted or might have, withdrawn now
    changes: list[tuple[int, int]] = field(default_factory=list)  # (state, row key) of archived complaints
    fed: list[_Row] = field(default_factory=list)
    removed: list[_Row] = field(default_factory=list)
    gains: dict[int, int] = field(default_factory=dict)  # by target
    totals: list[tuple[int, int]] = field(default_factory=list)  # (target, standing complaints)


_Item = tuple[str, JsonObject, str, int]  # kind, body, content, received_us


def commit(
    connection: Connection,
    tenant_id: int,
    epoch: int,
    batches: Sequence[ArchiveBatch],
    privacy_filter: PrivacyFilter | None = None,
) -> CommitResult:
    """Archive the batches, in their order, in the caller's writing transaction.

    What the state says is archived already (a redelivered entry) is skipped. `edge` knows the tenant's key and who is
    erased: their complaints that were on their way are counted as duplicates, and leave no trace. Raises LostLease when
    another worker has raised the epoch since, and ValueError, KeyError or TypeError for a line that is no item.
    """
    state = _state(connection, tenant_id, epoch)
    draft = _Draft(
        tenant_id,
        policy_of(connection, tenant_id),
        privacy_filter or PrivacyFilter(),
        state.last_seq,
        state.watermark_us,
        state.archived_position,
        state.archived_entry,
        state.received_us,
    )
    items = [item for batch in batches for item in _unseen(connection, draft, batch)]
    if items or draft.position != state.archived_position:
        _number(connection, draft, items)
        _settle(connection, draft)
        _write_rows(connection, draft)
        _write_feed(connection, draft, after_seq=state.last_seq)
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


def pass_over(connection: Connection, tenant_id: int, epoch: int, batch: ArchiveBatch) -> None:
    """Count the positions of a batch as done without archiving it: it goes to the dead letters in the same
    transaction.
    """
    state = _state(connection, tenant_id, epoch)
    draft = _Draft(
        tenant_id,
        policy_of(connection, tenant_id),
        PrivacyFilter(),
        state.last_seq,
        state.watermark_us,
        state.archived_position,
        state.archived_entry,
        state.received_us,
    )
    lines = batch.lines.split(b"\n")
    draft.position = max(draft.position, batch.first + len(lines) - 1)
    draft.entry = max(draft.entry, batch.entry, key=entry_order)
    draft.oldest_received_us = batch.received_us
    draft.received_us = max(batch.received_us, draft.received_us or 0)
    _write_feed(connection, draft, after_seq=state.last_seq)
    _write_state(connection, draft, epoch)


def lock_ingest(connection: Connection, tenant_id: int) -> None:
    """Let no commit of the tenant's ingest begin before this transaction ends (on SQLite, every writing transaction
    does).
    """
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
    """Tell detection of archived complaints that stand from now on, and of totals (by target key) that changed without
    an item of the stream.

    In the transaction that changed them, after `lock_ingest`. It takes up a seq of the tenant, as an item does.
    """
    state = connection.execute(select(schema.ingest_state).where(schema.ingest_state.c.tenant_id == tenant_id)).one()
    draft = _Draft(
        tenant_id,
        policy_of(connection, tenant_id),
        privacy_filter,
        state.last_seq,
        state.watermark_us,
        state.archived_position,
        state.archived_entry,
        state.received_us,
    )
    statement = (
        f"SELECT {_ROW}, c.content FROM k CROSS JOIN complaints c WHERE c.row_key = k.column1 AND c.tenant_id = ?"
    )
    rows = [
        _row(values, values[8])
        for values in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in row_keys])
    ]
    draft.fed = [row for row in rows if not row.late]
    draft.totals = list(totals.items())
    draft.oldest_received_us = now_us
    _write_feed(connection, draft, after_seq=state.last_seq)
    _write_state(connection, draft, state.epoch)


def entry_order(entry: str) -> tuple[int, int]:
    """The stream's order of entry ids."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)


def _state(connection: Connection, tenant_id: int, epoch: int) -> Any:
    statement = select(schema.ingest_state).where(schema.ingest_state.c.tenant_id == tenant_id)
    state = connection.execute(statement.with_for_update()).one()
    if state.epoch != epoch:
        raise LostLease(
            f"ingest of tenant {tenant_id}: epoch {state.epoch} has replaced {epoch}; another worker goes on"
        )
    return state


def _unseen(connection: Connection, draft: _Draft, batch: ArchiveBatch) -> Iterator[_Item]:
    """The items of the batch that are not archived yet; moves the draft's position past it."""
    lines = batch.lines.split(b"\n")
    if batch.first <= 0:
        gone = connection.execute(
            schema.dead_letters.delete().where(
                schema.dead_letters.c.id == -batch.first, schema.dead_letters.c.tenant_id == draft.tenant_id
            )
        )
        if gone.rowcount == 0:  # archived by an earlier delivery of this entry, sent twice, or dropped since
            return
    else:
        # Both have to say so: after Redis fell back to an older state it hands out positions anew, but never entry ids.
        if entry_order(batch.entry) <= entry_order(draft.entry):
            lines = lines[max(0, draft.position - batch.first + 1) :]
        draft.position = max(draft.position, batch.first + batch.lines.count(b"\n"))
        draft.entry = max(draft.entry, batch.entry, key=entry_order)
    received = batch.received_us
    if not lines:
        return
    draft.received_us = received if draft.received_us is None else max(received, draft.received_us)
    draft.oldest_received_us = received if draft.oldest_received_us is None else min(received, draft.oldest_received_us)
    for line in lines:
        yield chr(line[0]), from_json(line[1:], cache_strings="keys"), line[1:].decode(), received


def _number(connection: Connection, draft: _Draft, items: list[_Item]) -> None:
    """Tell new items from repeats, give the new ones their seq, judge lateness: all in the order of the stream."""
    named = [body["id"] for kind, body, _, _ in items if kind != "o"]
    archived = _archived_complaints(connection, draft.tenant_id, named)
    tombstones = _tombstones(connection, draft.tenant_id, named)
    outcomes = _archived_outcomes(
        connection, draft.tenant_id, [body["id"] for kind, body, _, _ in items if kind == "o"]
    )
    window_us = draft.policy.window_seconds * 1_000_000
    draft.archived += len(items)
    for kind, body, content, received in items:
        if kind == "c":
            if draft.privacy_filter.is_erased(body["reporter"]["id"]):
                draft.duplicates += 1
            else:
                _add_complaint(draft, archived, tombstones, body, content, received, window_us)
        elif kind == "o":
            first = outcomes.get(body["id"])
            if first is not None:
                _count_repeat(draft, "outcome", body["id"], first, content)
            else:
                outcomes[body["id"]] = content
                draft.seq += 1
                draft.outcomes[body["id"]] = (draft.seq, received, body, content)
        elif kind == "w":
            _add_withdrawal(draft, archived, tombstones, body["id"], received)
        else:
            raise ValueError(f"an item's kind is c, o or w, not {kind!r}")


def _add_complaint(
    draft: _Draft,
    archived: dict[str, _Row],
    tombstones: set[str],
    body: JsonObject,
    content: str,
    received: int,
    window_us: int,
) -> None:
    identity = body["id"]
    first = draft.complaints.get(identity) or archived.get(identity)
    if first is not None:
        _count_repeat(draft, "complaint", identity, first.content, content)
        return
    occurred = microseconds(datetime.fromisoformat(body["occurred_at"]))
    watermark = draft.watermark_us
    late = watermark is not None and occurred < watermark - window_us
    if watermark is None or occurred > watermark:
        draft.watermark_us = occurred
    draft.late += late
    draft.seq += 1
    state = WITHDRAWN if identity in tombstones else MACHINE if body.get("machine") is True else _UNSETTLED
    draft.complaints[identity] = _Row(
        draft.seq,
        identity,
        occurred,
        received,
        _key(body["reporter"]["id"]),
        _key(body["target"]["id"]),
        state,
        late,
        content,
        body,
    )


def _add_withdrawal(
    draft: _Draft, archived: dict[str, _Row], tombstones: set[str], identity: str, received: int
) -> None:
    if identity in tombstones:
        draft.duplicates += 1
        return
    tombstones.add(identity)
    draft.seq += 1
    draft.withdrawals.append((draft.tenant_id, identity, draft.seq, received))
    new, old = draft.complaints.get(identity), archived.get(identity)
    if new is not None:
        new.state = WITHDRAWN
    elif old is not None:
        draft.changes.append((WITHDRAWN, _row_key(draft.tenant_id, old.seq)))
        if old.state in (STANDING, REPEAT):
            draft.withdrawn.append(old)


def _count_repeat(draft: _Draft, noun: str, identity: str, first: str, content: str) -> None:
    fields = [] if first == content else _conflict(draft.privacy_filter, noun, from_json(first), from_json(content))
    if fields:
        draft.conflicting += 1
        log.warning(
            "tenant %d: %s %r came again with other content (%s); the first stays",
            draft.tenant_id,
            noun,
            identity,
            ", ".join(fields),
        )
    else:
        draft.duplicates += 1


def _conflict(privacy_filter: PrivacyFilter, noun: str, first: JsonObject, second: JsonObject) -> list[str]:
    fields = differing_fields(first, second)
    if fields and noun == "complaint":  # the tenant may have turned pseudonyms or texts on or off between the two
        fields = differing_fields(privacy_filter.comparable(first), privacy_filter.comparable(second))
    return fields


def differing_fields(first: JsonObject, second: JsonObject, prefix: str = "") -> list[str]:
    """The dotted names of the fields in which two items differ, sorted; one that is absent on one side differs."""
    names: list[str] = []
    for name in sorted(first.keys() | second.keys()):
        one, other = first.get(name), second.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            names += differing_fields(one, other, f"{prefix}{name}.")
        elif name not in first or name not in second or one != other or type(one) is not type(other):
            names.append(prefix + name)
    return names


def _settle(connection: Connection, draft: _Draft) -> None:
    """Decide which complaint of each touched reporter and target stands, and what that changes for detection."""
    new_by_pair: dict[tuple[int, int], list[_Row]] = {}
    for row in draft.complaints.values():
        if row.state == _UNSETTLED:
            new_by_pair.setdefault((row.target, row.reporter), []).append(row)
    for row in draft.withdrawn:
        if row.state == STANDING:
            new_by_pair.setdefault((row.target, row.reporter), [])
    old_by_pair = _archived_pairs(connection, draft.tenant_id, list(new_by_pair))
    gone = {row.seq for row in draft.withdrawn}
    gains, fed = draft.gains, draft.fed
    for pair, new in new_by_pair.items():
        old = old_by_pair.get(pair)
        if old is None and len(new) == 1:  # by far the most
            new[0].state = STANDING
            gains[pair[0]] = gains.get(pair[0], 0) + 1
            if not new[0].late:
                fed.append(new[0])
        else:
            _settle_pair(draft, pair[0], old or [], new, gone)
    counted = [target for target, gain in gains.items() if gain]
    rows = select_by_keys(
        connection,
        "SELECT t.target_key, t.complaints FROM k CROSS JOIN targets t WHERE t.tenant_id = ? AND t.target_key ="
        " k.column1",
        (draft.tenant_id,),
        [(key,) for key in counted],
    )
    before = dict(rows)
    draft.totals = [(target, before.get(target, 0) + gains[target]) for target in counted]


def _settle_pair(draft: _Draft, target: int, old: list[_Row], new: list[_Row], gone: set[int]) -> None:
    stood = next((row for row in old if row.state == STANDING), None)
    stands = min((row for row in old + new if row.seq not in gone), key=lambda row: row.order, default=None)
    for row in new:
        row.state = STANDING if row is stands else REPEAT
    if stands is stood:
        return
    if stood is not None:
        if stood.seq not in gone:
            draft.changes.append((REPEAT, _row_key(draft.tenant_id, stood.seq)))
        if not stood.late:
            draft.removed.append(stood)
    if stands is not None:
        if stands in old:
            draft.changes.append((STANDING, _row_key(draft.tenant_id, stands.seq)))
        if not stands.late:
            draft.fed.append(stands)
    draft.gains[target] = draft.gains.get(target, 0) + (stands is not None) - (stood is not None)


def _write_rows(connection: Connection, draft: _Draft) -> None:
    tenant = draft.tenant_id
    base = tenant << SEQ_BITS
    insert_rows(
        connection,
        schema.complaints,
        _COMPLAINT_COLUMNS,
        [
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
            )
            for r in draft.complaints.values()
            if r.body is not None
        ],
    )
    insert_rows(connection, schema.withdrawals, ("tenant_id", "complaint_id", "seq", "received_us"), draft.withdrawals)
    insert_rows(
        connection,
        schema.outcomes,
        _OUTCOME_COLUMNS,
        [
            (
                base | seq,
                tenant,
                identity,
                _key(body["target_id"]),
                microseconds(datetime.fromisoformat(body["decided_at"])),
                received,
                body.get("complaint_id"),
                content,
            )
            for identity, (seq, received, body, content) in draft.outcomes.items()
        ],
    )
    run_for_each(connection, "UPDATE complaints SET state = ? WHERE row_key = ?", draft.changes)
    insert_rows(
        connection,
        schema.targets,
        ("tenant_id", "target_key", "complaints"),
        [(tenant, target, total) for target, total in draft.totals],
        "ON CONFLICT (tenant_id, target_key) DO UPDATE SET complaints = excluded.complaints",
    )
    complaint_counts.add(
        connection, tenant, [row.occurred_us for row in draft.complaints.values() if row.state != MACHINE]
    )


def _write_feed(connection: Connection, draft: _Draft, *, after_seq: int) -> None:
    if draft.seq == after_seq:
        draft.seq += 1  # repeats alone: a seq that nothing bears, so that the positions still reach detection
    fed = sorted(draft.fed, key=lambda row: row.seq)
    _read_bodies(connection, draft.tenant_id, fed)
    signatures = {row.seq: draft.privacy_filter.signature(row.body) for row in fed if row.body is not None}
    batch = FeedBatch(
        complaints=np.array([_feed_complaint(row) for row in fed], dtype=COMPLAINT),
        texts={
            seq: found
            for seq, found in signatures.items()
            if found is not None and word_count(found) >= draft.policy.text_min_words
        },
        removed=tuple(sorted(row.seq for row in draft.removed)),
        outcomes=_feed_outcomes(connection, draft),
        totals=np.array(draft.totals, dtype=TOTAL),
    )
    newest = max((row.occurred_us for row in [*fed, *draft.removed]), default=None)
    received = draft.received_us or 0
    oldest = received if draft.oldest_received_us is None else draft.oldest_received_us
    insert_rows(
        connection,
        schema.feed,
        (
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
        ),
        [
            (
                draft.tenant_id,
                draft.seq,
                after_seq + 1,
                draft.position,
                draft.archived,
                oldest,
                received,
                draft.watermark_us,
                newest,
                pack(batch),
            )
        ],
    )


def _feed_complaint(row: _Row) -> tuple[int, int, int, int, int, int, int, int, int]:
    body = row.body
    assert body is not None
    reporter, target = body["reporter"], body["target"]
    context, author, fingerprint, created = (
        target.get("context_id"),
        target.get("author_id"),
        reporter.get("fingerprint"),
        reporter.get("account_created_at"),
    )
    exempt = EXEMPT if reporter.get("trusted") or body.get("notice_type") == "illegal_content" else 0
    return (
        row.seq,
        row.occurred_us,
        row.reporter,
        row.target,
        NO_KEY if context is None else _key(context),
        NO_KEY if author is None else _key(author),
        UNKNOWN_US if created is None else microseconds(datetime.fromisoformat(created)),
        NO_KEY if fingerprint is None else _key(fingerprint),
        exempt,
    )


def _feed_outcomes(connection: Connection, draft: _Draft) -> tuple[FeedOutcome, ...]:
    """New outcomes, and older ones that named a complaint which has come only now."""
    rows = [(seq, identity, body) for identity, (seq, _, body, _) in draft.outcomes.items()]
    if (
        draft.complaints
        and connection.execute(
            select(schema.outcomes.c.row_key)
            .where(schema.outcomes.c.tenant_id == draft.tenant_id, schema.outcomes.c.complaint_id > "")
            .limit(1)
        ).first()
    ):
        waited = select_by_keys(
            connection,
            "SELECT o.row_key, o.id, o.content FROM k CROSS JOIN outcomes o WHERE o.tenant_id = ? AND o.complaint_id ="
            " k.column1",
            (draft.tenant_id,),
            [(identity,) for identity in draft.complaints],
        )
        rows += [
            (row_key & SEQ_MASK, identity, from_json(content))
            for row_key, identity, content in waited
            if identity not in draft.outcomes
        ]
    seqs = complaint_seqs(
        connection, draft.tenant_id, {body["complaint_id"] for _, _, body in rows if "complaint_id" in body}
    )
    return tuple(
        feed_outcome(seq, identity, body, seqs) for seq, identity, body in sorted(rows, key=lambda row: row[0])
    )


def _write_state(connection: Connection, draft: _Draft, epoch: int) -> None:
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


def _row_key(tenant_id: int, seq: int) -> int:
    return tenant_id << SEQ_BITS | seq


_ROW = "c.row_key, c.id, c.occurred_us, c.received_us, c.reporter_key, c.target_key, c.state, c.late"


def _row(values: Sequence[Any], content: str = "") -> _Row:
    row_key, identity, occurred, received, reporter, target, state, late = values[:8]
    return _Row(row_key & SEQ_MASK, identity, occurred, received, reporter, target, state, bool(late), content, None)


def _archived_complaints(connection: Connection, tenant_id: int, ids: list[str]) -> dict[str, _Row]:
    statement = f"SELECT {_ROW}, c.content FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.id = k.column1"
    return {
        values[1]: _row(values, values[8])
        for values in select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids])
    }


def _tombstones(connection: Connection, tenant_id: int, ids: list[str]) -> set[str]:
    if (
        connection.execute(
            select(schema.withdrawals.c.seq).where(schema.withdrawals.c.tenant_id == tenant_id).limit(1)
        ).first()
        is None
    ):
        return set()
    statement = (
        "SELECT w.complaint_id FROM k CROSS JOIN withdrawals w WHERE w.tenant_id = ? AND w.complaint_id = k.column1"
    )
    return {
        identity
        for (identity,) in select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids])
    }


def _archived_outcomes(connection: Connection, tenant_id: int, ids: list[str]) -> dict[str, str]:
    statement = "SELECT o.id, o.content FROM k CROSS JOIN outcomes o WHERE o.tenant_id = ? AND o.id = k.column1"
    return dict(select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids]))


def _archived_pairs(
    connection: Connection, tenant_id: int, pairs: list[tuple[int, int]]
) -> dict[tuple[int, int], list[_Row]]:
    """The complaints that stand or could, by (target, reporter)."""
    statement = (
        f"SELECT {_ROW} FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.target_key = k.column1 AND"
        f" c.reporter_key = k.column2 AND c.state IN ({STANDING}, {REPEAT})"
    )
    found: dict[tuple[int, int], list[_Row]] = {}
    for values in select_by_keys(connection, statement, (tenant_id,), pairs):
        row = _row(values)
        found.setdefault((row.target, row.reporter), []).append(row)
    return found


def _read_bodies(connection: Connection, tenant_id: int, rows: list[_Row]) -> None:
    """Fill in the content of archived complaints that are fed again."""
    missing = {_row_key(tenant_id, row.seq): row for row in rows if row.body is None}
    for row_key, content in select_by_keys(
        connection,
        "SELECT c.row_key, c.content FROM k CROSS JOIN complaints c WHERE c.row_key = k.column1 AND c.tenant_id = ?",
        (tenant_id,),
        [(key,) for key in missing],
    ):
        missing[row_key].body = from_json(content)
