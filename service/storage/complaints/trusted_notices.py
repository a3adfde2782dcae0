"""What the registry of trusted flaggers makes of archived complaints. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection

from service.model import moment
from service.moderation.flagger_figures import FlaggerNotice
from service.moderation.outcomes import JudgedComplaint, not_retracted
from service.moderation.restorations import latest_action
from service.moderation.track_record import verdict_on
from service.moderation.trusted_flaggers import Flaggers
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK, acts_of, outcomes_of
from service.storage.complaints.feed import FeedOutcome
from service.storage.sql import schema
from service.storage.sql.engine import select_by_keys
from service.storage.sql.hashing import key_of

SENT_AS_TRUSTED = '"trusted":true'  # in the canonical JSON of a complaint
WAITING_AT_MOST = 2_000  # notices without a decision that are looked at, the latest
REASONS_SHOWN = 3  # of one target


def exempt_by_themselves(
    connection: Connection, tenant_id: int, seqs: Sequence[int], flaggers: Flaggers
) -> dict[int, bool]:
    """Whether complaints are never discounted, by seq, the allow-list aside; without deleted ones."""
    if not seqs:
        return {}
    statement = (
        "SELECT c.row_key, c.reporter_key, c.occurred_us, c.content FROM k CROSS JOIN complaints c WHERE c.row_key ="
        " k.column1 AND c.tenant_id = ?"
    )
    keys = [(tenant_id << SEQ_BITS | int(seq),) for seq in seqs]
    return {
        row_key & SEQ_MASK: flaggers.counts_in_full(reporter, at_us, from_json(content))
        for row_key, reporter, at_us, content in select_by_keys(connection, statement, (tenant_id,), keys)
    }


def count_on(connection: Connection, tenant_id: int, targets: Collection[int], flaggers: Flaggers) -> dict[int, int]:
    """How many standing complaints about each target (by key) are notices by trusted flaggers, zeros included."""
    statement = (
        "SELECT c.target_key, c.reporter_key, c.occurred_us, c.content FROM k CROSS JOIN complaints c WHERE"
        f" c.tenant_id = ? AND c.target_key = k.column1 AND c.state = {schema.STANDING} AND (c.content LIKE ? OR EXISTS"
        " (SELECT 1 FROM trusted_flaggers f WHERE f.tenant_id = c.tenant_id AND f.reporter_key = c.reporter_key))"
    )
    rows = select_by_keys(connection, statement, (tenant_id, f"%{SENT_AS_TRUSTED}%"), [(int(key),) for key in targets])
    return {int(key): 0 for key in targets} | _counted(rows, flaggers)


def count_on_all(connection: Connection, tenant_id: int, flaggers: Flaggers) -> dict[int, int]:
    """The same for every target that has any. Reads the whole archive of the tenant."""
    c = schema.complaints.c
    query = sa.select(c.target_key, c.reporter_key, c.occurred_us, c.content).where(
        *_archived(tenant_id, 0, SEQ_MASK), c.state == schema.STANDING, _may_be_one(tenant_id)
    )
    return _counted(connection.execute(query.execution_options(yield_per=1_000)), flaggers)


def targets_that_may_have(connection: Connection, tenant_id: int, after_seq: int, upto_seq: int) -> set[int]:
    """Keys of the targets of complaints in this part of the archive that may be notices by trusted flaggers."""
    query = sa.select(schema.complaints.c.target_key).where(
        *_archived(tenant_id, after_seq, upto_seq), _may_be_one(tenant_id)
    )
    return set(connection.scalars(query))


def targets_of_registered(connection: Connection, tenant_id: int, flaggers: Flaggers) -> set[int]:
    """Keys of the targets that reporters in the registry complained about, whatever their status."""
    statement = (
        "SELECT DISTINCT c.target_key FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.reporter_key ="
        " k.column1"
    )
    return {row[0] for row in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in flaggers.terms])}


def _archived(tenant_id: int, after_seq: int, upto_seq: int) -> tuple[sa.ColumnElement[bool], ...]:
    c, base = schema.complaints.c, tenant_id << SEQ_BITS
    return c.row_key > base | after_seq, c.row_key <= base | upto_seq


def _may_be_one(tenant_id: int) -> sa.ColumnElement[bool]:
    c, f = schema.complaints.c, schema.trusted_flaggers.c
    registered = sa.exists().where(f.tenant_id == tenant_id, f.reporter_key == c.reporter_key)
    return c.content.contains(SENT_AS_TRUSTED, autoescape=True) | registered


def _counted(rows: Iterable[Any], flaggers: Flaggers) -> dict[int, int]:
    return Counter(
        int(target)
        for target, reporter, at_us, content in rows
        if flaggers.is_trusted_notice(reporter, at_us, from_json(content))
    )


@dataclass(frozen=True, slots=True)
class WaitingTarget:
    """A target with notices by trusted flaggers on which nothing is decided since."""

    target_id: str
    notices: int
    first_at: datetime
    reasons: tuple[str, ...]


def notices_by(connection: Connection, tenant_id: int, reporter_id: str) -> list[FlaggerNotice]:
    """All standing complaints of the reporter, an act once, newest first, with what became of each."""
    key, flaggers = key_of(reporter_id), flaggers_of(connection, tenant_id)
    rows = connection.execute(acts_of(tenant_id, reporter_id)).all()
    outcomes = outcomes_of(connection, tenant_id, {row.target_key for row in rows})
    found = []
    for row in rows:
        body, about = from_json(row.content), outcomes.get(row.target_key, [])
        filed = JudgedComplaint(row.row_key & SEQ_MASK, row.target_key, row.occurred_us)
        decided, action = first_decision(filed, about), latest_action(about)
        in_force = any(term.is_in_force(row.occurred_us) for term in flaggers.terms.get(key, ()))
        inside = flaggers.has_priority(key, row.occurred_us, body)
        found.append(
            FlaggerNotice(
                id=row.id,
                target_id=row.target_id,
                at=moment(row.occurred_us),
                reason=body.get("reason"),
                place="inside" if inside else "outside area" if in_force else "outside time",
                verdict=verdict_on(filed, about),
                action=action.action if action is not None and action.decided_us > row.occurred_us else None,
                decided_at=None if decided is None else moment(decided),
            )
        )
    return found


def first_decision(filed: JudgedComplaint, outcomes: Sequence[FeedOutcome]) -> int | None:
    """When the target, or this complaint, was first decided on after it was filed; microseconds."""
    decided = [
        o.decided_us
        for o in not_retracted(outcomes)
        if o.complaint in (0, filed.seq) and (o.verdict or o.action) and o.decided_us > filed.time_us
    ]
    return min(decided, default=None)


def waiting_targets(connection: Connection, tenant_id: int) -> list[WaitingTarget]:
    """The targets of trusted flaggers' notices, within area and time, that nothing is decided on since; the longest
    wait first.
    """
    flaggers = flaggers_of(connection, tenant_id)
    c, o = schema.complaints.c, schema.outcomes.c
    keys = sorted(key for key, terms in flaggers.terms.items() if terms)
    if not keys:
        return []
    about = (o.tenant_id == tenant_id) & (o.target_key == c.target_key)
    # One that was retracted since decides nothing: where there is a retraction, all outcomes are looked at below.
    decided = sa.exists().where(
        about, o.decided_us > c.occurred_us, o.complaint_id.is_(None) | (o.complaint_id == c.id)
    )
    retraction = sa.exists().where(about, o.content.contains('"retracts":'))
    rows = connection.execute(
        sa.select(c.row_key, c.reporter_key, c.target_key, c.target_id, c.occurred_us, c.content)
        .where(
            c.tenant_id == tenant_id, c.reporter_key.in_(keys), c.state == schema.STANDING, sa.or_(~decided, retraction)
        )
        .order_by(c.occurred_us.desc(), c.row_key.desc())
        .limit(WAITING_AT_MOST)
    ).all()
    outcomes = outcomes_of(connection, tenant_id, {row.target_key for row in rows})
    found: dict[str, list[tuple[int, str | None]]] = {}
    for row in rows:
        filed, body = JudgedComplaint(row.row_key & SEQ_MASK, row.target_key, row.occurred_us), from_json(row.content)
        if first_decision(filed, outcomes.get(row.target_key, ())) is None and flaggers.has_priority(
            row.reporter_key, row.occurred_us, body
        ):
            found.setdefault(row.target_id, []).append((row.occurred_us, body.get("reason")))
    waiting = [
        WaitingTarget(target, len(mine), moment(min(at for at, _ in mine)), _reasons(reason for _, reason in mine))
        for target, mine in found.items()
    ]
    return sorted(waiting, key=lambda one: (one.first_at, one.target_id))


def _reasons(given: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(reason for reason, _ in Counter(reason for reason in given if reason).most_common(REASONS_SHOWN))
