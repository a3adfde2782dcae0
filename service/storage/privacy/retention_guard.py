"""What keeps retention from deleting by a wrong clock: two guards, and the consent that lets one run pass the second.

1. The clocks of the host, Redis and the database must agree.
2. A run may delete what was received within LEAP_DAYS behind the cut-off of the last finished run (before the first
   one: behind the oldest record). Usually that is one day; workers that were stopped for a week need nobody. A larger
   step means a first retention of an old tenant, a much shorter period, a long standstill, or a clock that is
   ahead. Only a person can tell, so the run waits until one consents to the cut-off and the amount.

The amount is not compared with other days': three records where one is usual, or a day of a hundred times as many, say
nothing about the clock. Days do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from service.errors import Refused
from service.model import moment
from service.storage.accounts import audit_log
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenant_settings import DAY_SECONDS, RETENTION_WORK, settings_of
from service.storage.privacy import retention
from service.storage.sql import schema, timers
from service.storage.sql.engine import lock_tenant

DAY_US = DAY_SECONDS * 1_000_000
LEAP_DAYS = 10
Because = Literal["clocks", "amount"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run that was refused. Times are microseconds since 1970."""

    because: Because
    before_us: int  # its cut-off
    records: int  # that it would have deleted
    since_us: int  # when it was first refused


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody has consented to."""

    before_us: int
    records: int

    def covers(self, before_us: int, records: int) -> bool:
        """Whether a run of this cut-off and amount may use it: within a day and a tenth of what was named."""
        return before_us <= self.before_us + DAY_US and records <= most_of(self.records)


@dataclass(frozen=True, slots=True)
class RetentionState:
    """How far a tenant's retention has come."""

    before_us: int | None = None  # the cut-off of the last finished run
    refusal: Refusal | None = None
    consent: Consent | None = None


def most_of(records: int) -> int:
    """How many records a consent to so many covers: a little more, since time passes."""
    return records + max(100, records // 10)


def judge(
    state: RetentionState, *, before_us: int, oldest_us: int | None, count: Callable[[], int], agree: bool
) -> Because | None:
    """Why a run with this cut-off must not delete its records; None if it may. PURE.

    `oldest_us`: receipt of the oldest record; `agree`: whether the clocks do; `count`: how many records it would
    delete, asked only where that decides: usually a run is a day's.
    """
    if oldest_us is None:
        return None
    begins_us = oldest_us if state.before_us is None else state.before_us
    if agree and before_us - begins_us <= LEAP_DAYS * DAY_US:
        return None
    records = count()
    if not records:
        return None
    if not agree:
        return "clocks"
    return None if state.consent is not None and state.consent.covers(before_us, records) else "amount"


def words(refusal: Refusal, apart_seconds: float | None = None) -> str:
    """The refusal in a sentence for operators, with what to do."""
    would = (
        f"it would delete {refusal.records:,} records received before {moment(refusal.before_us):%Y-%m-%d %H:%M} UTC"
    )
    if refusal.because == "clocks":
        apart = "" if apart_seconds is None else f" by {apart_seconds:,.0f} s"
        return f"the clocks of the host, Redis and the database differ{apart}; by the latest of them {would}"
    return (
        f"{would}, which lies more than {LEAP_DAYS} days behind the last run; check the clock, then consent in the"
        f" console or with `brigadewatch tenants set TENANT --consent-to-delete {refusal.records}`"
    )


def read_state(connection: Connection, tenant_id: int) -> RetentionState:
    """The tenant's state."""
    row = (
        connection.execute(sa.select(schema.retention_state).where(schema.retention_state.c.tenant_id == tenant_id))
        .mappings()
        .first()
    )
    return RetentionState() if row is None else _state_of(row)


def cutoff_us(connection: Connection, tenant_id: int, now_us: int) -> int | None:
    """What was received earlier is past the tenant's retention at `now_us`; None without one. A window that was made
    longer since the setting is not cut.
    """
    days = settings_of(connection, tenant_id).retention_days
    if days is None:
        return None
    return now_us - max(days * DAY_SECONDS, policy_of(connection, tenant_id).window_seconds) * 1_000_000


def refusals(connection: Connection) -> dict[int, Refusal]:
    """Every refusal that stands, by tenant number."""
    table = schema.retention_state
    rows = connection.execute(sa.select(table).where(table.c.refused_us.is_not(None))).mappings()
    return {row["tenant_id"]: refusal for row in rows if (refusal := _state_of(row).refusal) is not None}


def refusal_for(connection: Connection, tenant_id: int, before_us: int, *, agree: bool) -> Because | None:
    """Look at what is stored, and judge."""
    return judge(
        read_state(connection, tenant_id),
        before_us=before_us,
        oldest_us=retention.oldest(connection, tenant_id),
        count=lambda: records_before(connection, tenant_id, before_us),
        agree=agree,
    )


def expected(connection: Connection, tenant_id: int, now_us: int) -> Refusal | None:
    """What the next run would be refused for, if the clocks agree; None if it would run, or nothing is ever deleted."""
    before_us = cutoff_us(connection, tenant_id, now_us)
    if before_us is None or refusal_for(connection, tenant_id, before_us, agree=True) is None:
        return None
    return Refusal("amount", before_us, records_before(connection, tenant_id, before_us), now_us)


def records_before(connection: Connection, tenant_id: int, before_us: int) -> int:
    """How many records a run with this cut-off would delete: items, and what belongs to none of them."""
    return sum(retention.count_before(connection, tenant_id, before_us).values())


def refuse(connection: Connection, tenant_id: int, because: Because, before_us: int, now_us: int) -> bool:
    """Record a refusal; whether it is news: another reason than before, or none stood."""
    before = read_state(connection, tenant_id).refusal
    is_news = before is None or before.because != because
    _write(
        connection,
        tenant_id,
        refused_us=now_us if before is None or is_news else before.since_us,
        refused_because=because,
        refused_before_us=before_us,
        refused_records=records_before(connection, tenant_id, before_us),
    )
    return is_news


def go_on(connection: Connection, tenant_id: int) -> None:
    """A run goes on, or none is wanted: no refusal stands."""
    if read_state(connection, tenant_id).refusal is not None:
        _write(connection, tenant_id, **_NO_REFUSAL)


def finish(connection: Connection, tenant_id: int, before_us: int) -> None:
    """A run is finished: later ones count from its cut-off, and a consent is used up."""
    _write(
        connection,
        tenant_id,
        before_us=before_us,
        consent_before_us=None,
        consent_records=None,
        **_NO_REFUSAL,
    )


def consent(connection: Connection, tenant_id: int, *, records: int, actor: str, now_us: int) -> Consent:
    """Consent once to the deletion of the `records` records that are past the tenant's retention, and have the job run
    now.

    Part of a writing transaction. Raises Refused if there are clearly more, or fewer, or if nothing is ever deleted.
    """
    lock_tenant(connection, tenant_id)
    timers.at_latest(connection, tenant_id, RETENTION_WORK, now_us)  # first: the job holds it while it judges
    before_us = cutoff_us(connection, tenant_id, now_us)
    if before_us is None:
        raise Refused("this tenant has no retention: nothing would be deleted", command_hint="; set --retention first")
    found = records_before(connection, tenant_id, before_us)
    received_before = f"{moment(before_us):%Y-%m-%d %H:%M} UTC"
    if records > most_of(found) or found > most_of(records):
        raise Refused(
            f"retention would delete {found} records now (received before {received_before}), not {records}: consent to"
            f" {found} if that is right"
        )
    _write(connection, tenant_id, consent_before_us=before_us, consent_records=found)
    audit_log.enter(
        connection,
        tenant_id,
        actor=actor,
        action="retention-consent",
        subject="tenant",
        now_us=now_us,
        detail={"records": found, "received_before": received_before},
    )
    return Consent(before_us, found)


_NO_REFUSAL: Mapping[str, None] = dict.fromkeys(
    ("refused_us", "refused_because", "refused_before_us", "refused_records")
)


def _write(connection: Connection, tenant_id: int, **values: int | str | None) -> None:
    table = schema.retention_state
    mine = table.c.tenant_id == tenant_id
    if connection.execute(sa.update(table).where(mine).values(**values)).rowcount == 0:
        connection.execute(sa.insert(table).values(tenant_id=tenant_id, **values))


def _state_of(row: RowMapping) -> RetentionState:
    def number(name: str) -> int | None:
        value = row[name]
        return value if isinstance(value, int) else None

    refused_us, consent_us = number("refused_us"), number("consent_before_us")
    because: Because = "clocks" if row["refused_because"] == "clocks" else "amount"
    return RetentionState(
        number("before_us"),
        None
        if refused_us is None
        else Refusal(because, number("refused_before_us") or 0, number("refused_records") or 0, refused_us),
        None if consent_us is None else Consent(consent_us, number("consent_records") or 0),
    )
