"""A tenant's registry of trusted flaggers (DSA Art. 22): who has the status, awarded by whom, when and for what
(service/moderation/trusted_flaggers.py says what follows).

The detect worker applies a change to the clusters at once (workers/analysis_steps.py): a write here schedules it. No
entry is ever deleted: an ended one is history, and one that was entered by mistake is marked as removed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from service.errors import NotFound, Refused
from service.fields import ID_CHARACTERS, is_id, is_storable
from service.model import moment
from service.moderation.phrases import plural
from service.moderation.trusted_flaggers import Flaggers, FlaggerStatus, FlaggerTerm, first_overlap, status_of
from service.storage.accounts import audit_log
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import trusted_flaggers

MOST = 1_000  # entries of a tenant
LONGEST_NAME, LONGEST_NOTE, LONGEST_WORD, MOST_WORDS = 300, 1_000, 200, 100
WORK = "detect"


@dataclass(frozen=True, slots=True)
class FlaggerEntry:
    """One entry of the registry."""

    id: int
    reporter_id: str  # as the archive names them (a pseudonym where the tenant has those)
    entity: str  # the organisation
    coordinator: str  # the Digital Services Coordinator that awarded the status
    term: FlaggerTerm
    note: str | None
    at_us: int
    by: str
    removed_us: int | None  # it was entered by mistake, and counts for nothing

    def status(self, now_us: int) -> FlaggerStatus:
        """Where the status stands now."""
        return "removed" if self.removed_us is not None else status_of(self.term, now_us)


def flaggers_of(connection: Connection, tenant_id: int) -> Flaggers:
    """The whole registry, as decisions need it."""
    table = trusted_flaggers.c
    rows = connection.execute(
        select(
            table.reporter_key, table.since_us, table.until_us, table.suspended_us, table.area, table.removed_us
        ).where(table.tenant_id == tenant_id)
    )
    found: dict[int, list[FlaggerTerm]] = {}
    for row in rows:
        terms = found.setdefault(row.reporter_key, [])
        if row.removed_us is None:
            terms.append(_term(row))
    return Flaggers(found)


def list_entries(connection: Connection, tenant_id: int, reporter_id: str | None = None) -> list[FlaggerEntry]:
    """All entries, or one reporter's; the latest beginning first."""
    table = trusted_flaggers.c
    query = select(trusted_flaggers).where(table.tenant_id == tenant_id)
    if reporter_id is not None:
        query = query.where(table.reporter_key == key_of(reporter_id), table.reporter_id == reporter_id)
    return [_entry(row) for row in connection.execute(query.order_by(table.since_us.desc(), table.id.desc()))]


def read_entry(connection: Connection, tenant_id: int, entry_id: int) -> FlaggerEntry:
    """One entry. Raises NotFound."""
    table = trusted_flaggers.c
    row = connection.execute(select(trusted_flaggers).where(table.tenant_id == tenant_id, table.id == entry_id)).first()
    if row is None:
        raise NotFound("no such entry in the registry of trusted flaggers")
    return _entry(row)


def add_flagger(
    connection: Connection,
    tenant_id: int,
    reporter_id: str,
    *,
    entity: str,
    coordinator: str,
    term: FlaggerTerm,
    note: str | None,
    by: str,
    now_us: int,
) -> int:
    """Enter a trusted flagger, in the caller's writing transaction; returns the entry's number.

    Raises Refused for an impossible id, a name that is missing or too long, a time that ends before it begins or
    overlaps another entry of this reporter, and a registry that is full.
    """
    if not is_id(reporter_id):
        raise Refused(
            f"{reporter_id[:40]!r} is not a reporter's id: expected 1 to {ID_CHARACTERS} characters, none of them a"
            " control character"
        )
    entity, coordinator = entity.strip(), coordinator.strip()
    _check_words(entity, coordinator, note, term.area)
    _check_times(term)
    lock_tenant(connection, tenant_id)
    mine = [one for one in list_entries(connection, tenant_id, reporter_id) if one.removed_us is None]
    if (other := first_overlap(term, [one.term for one in mine])) is not None:
        raise Refused(
            f"this reporter has an entry {_span(other)} already: end that one first, or let this one begin after it"
        )
    count = select(func.count()).select_from(trusted_flaggers).where(trusted_flaggers.c.tenant_id == tenant_id)
    if (connection.scalar(count) or 0) >= MOST:
        raise Refused(f"the registry holds {MOST:,} entries, the most it may")
    number: int = connection.execute(
        insert(trusted_flaggers)
        .values(
            tenant_id=tenant_id,
            reporter_key=key_of(reporter_id),
            reporter_id=reporter_id,
            entity=entity,
            coordinator=coordinator,
            since_us=term.since_us,
            until_us=term.until_us,
            suspended_us=term.suspended_us,
            area=json.dumps(term.area, ensure_ascii=False),
            note=note,
            at_us=now_us,
            by=by,
        )
        .returning(trusted_flaggers.c.id)
    ).scalar_one()
    detail = {"entity": entity, "coordinator": coordinator, "since": _day(term.since_us), "area": list(term.area)}
    if term.until_us is not None:
        detail["until"] = _day(term.until_us)
    _changed(connection, tenant_id, reporter_id, "trusted flagger added", detail, by, now_us)
    return number


def end_flagger(
    connection: Connection, tenant_id: int, entry_id: int, *, until_us: int, by: str, now_us: int
) -> FlaggerEntry:
    """Let the status end then, which may be in the past. Raises NotFound, and Refused for one that has ended."""
    entry = _to_change(connection, tenant_id, entry_id, now_us)
    term = replace(entry.term, until_us=until_us, suspended_us=None)
    _check_times(term)
    others = [
        one.term
        for one in list_entries(connection, tenant_id, entry.reporter_id)
        if one.id != entry_id and one.removed_us is None
    ]
    if (other := first_overlap(term, others)) is not None:
        raise Refused(f"this reporter has another entry {_span(other)}: let this one end before it begins")
    _write(connection, entry_id, until_us=until_us)
    detail = {"entity": entry.entity, "until": _day(until_us)}
    _changed(connection, tenant_id, entry.reporter_id, "trusted flagger ended", detail, by, now_us)
    return entry


def suspend_flagger(
    connection: Connection, tenant_id: int, entry_id: int, *, from_us: int, by: str, now_us: int
) -> FlaggerEntry:
    """The status is suspended from then on, while the coordinator investigates (Art. 22(6)).

    Raises NotFound, and Refused for one that has ended or is suspended.
    """
    entry = _to_change(connection, tenant_id, entry_id, now_us)
    if entry.term.suspended_us is not None:
        raise Refused(f"the status is suspended from {_day(entry.term.suspended_us)} on already")
    _check_times(replace(entry.term, suspended_us=from_us))
    _write(connection, entry_id, suspended_us=from_us)
    detail = {"entity": entry.entity, "from": _day(from_us)}
    _changed(connection, tenant_id, entry.reporter_id, "trusted flagger suspended", detail, by, now_us)
    return entry


def reinstate_flagger(
    connection: Connection, tenant_id: int, entry_id: int, *, from_us: int, by: str, now_us: int
) -> int:
    """The suspension is over: the entry ends where it was suspended, and another one goes on from here.

    Returns that one's number. Raises NotFound, and Refused where no suspension is in force.
    """
    entry = _to_change(connection, tenant_id, entry_id, now_us)
    suspended_us = entry.term.suspended_us
    if suspended_us is None:
        raise Refused("the status is not suspended")
    if from_us <= suspended_us:
        raise Refused(f"the suspension began on {_day(suspended_us)}: it can only end after that")
    _write(connection, entry_id, until_us=suspended_us)
    return add_flagger(
        connection,
        tenant_id,
        entry.reporter_id,
        entity=entry.entity,
        coordinator=entry.coordinator,
        term=replace(entry.term, since_us=from_us, suspended_us=None),
        note=entry.note,
        by=by,
        now_us=now_us,
    )


def remove_flagger(connection: Connection, tenant_id: int, entry_id: int, *, by: str, now_us: int) -> FlaggerEntry:
    """Mark an entry as a mistake: it counts as if it had never been. Raises NotFound, and Refused for one that is."""
    lock_tenant(connection, tenant_id)
    entry = read_entry(connection, tenant_id, entry_id)
    if entry.removed_us is not None:
        raise Refused("this entry is removed already")
    _write(connection, entry_id, removed_us=now_us)
    detail = {"entity": entry.entity}
    _changed(connection, tenant_id, entry.reporter_id, "trusted flagger removed", detail, by, now_us)
    return entry


def _to_change(connection: Connection, tenant_id: int, entry_id: int, now_us: int) -> FlaggerEntry:
    lock_tenant(connection, tenant_id)
    entry = read_entry(connection, tenant_id, entry_id)
    if entry.status(now_us) in ("ended", "removed"):
        raise Refused(f"this entry is {entry.status(now_us)}: add another one if the status was awarded again")
    return entry


def _check_words(entity: str, coordinator: str, note: str | None, area: Sequence[str]) -> None:
    for what, text in (("the name of the entity", entity), ("the coordinator that awarded the status", coordinator)):
        if not text:
            raise Refused(f"{what} is missing")
    longest = (
        ("the name of the entity", entity, LONGEST_NAME),
        ("the name of the coordinator", coordinator, LONGEST_NAME),
        ("the note", note or "", LONGEST_NOTE),
        *(("a word of the area", word, LONGEST_WORD) for word in area),
    )
    for what, text, most in longest:
        if len(text) > most:
            raise Refused(f"{what} has {len(text):,} characters, at most {most:,} are possible")
        if not is_storable(text):
            raise Refused(f"{what} must not contain a NUL character")
    if len(area) > MOST_WORDS:
        raise Refused(f"the area has {plural(len(area), 'word')}, at most {MOST_WORDS} are possible")


def _check_times(term: FlaggerTerm) -> None:
    if term.until_us is not None and term.until_us <= term.since_us:
        raise Refused(f"the status begins on {_day(term.since_us)}: it can only end after that")
    if term.suspended_us is not None and not (
        term.since_us <= term.suspended_us and (term.until_us is None or term.suspended_us < term.until_us)
    ):
        raise Refused(f"the status holds {_span(term)}: it can only be suspended in that time")


def _write(connection: Connection, entry_id: int, **values: int) -> None:
    connection.execute(update(trusted_flaggers).where(trusted_flaggers.c.id == entry_id).values(values))


def _term(row: Any) -> FlaggerTerm:
    return FlaggerTerm(row.since_us, row.until_us, row.suspended_us, tuple(json.loads(row.area)))


def _entry(row: Row[Any]) -> FlaggerEntry:
    return FlaggerEntry(
        row.id,
        row.reporter_id,
        row.entity,
        row.coordinator,
        _term(row),
        row.note,
        row.at_us,
        row.by,
        row.removed_us,
    )


def _day(at_us: int) -> str:
    at: datetime = moment(at_us)
    midnight = (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
    return f"{at:%Y-%m-%d}" if midnight else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _span(term: FlaggerTerm) -> str:
    return f"from {_day(term.since_us)}" + ("" if term.until_us is None else f" until {_day(term.until_us)}")


def _changed(
    connection: Connection, tenant_id: int, reporter_id: str, action: str, detail: dict[str, Any], by: str, now_us: int
) -> None:
    timers.at_latest(connection, tenant_id, WORK, now_us)
    audit_log.enter(
        connection, tenant_id, actor=by, action=action, subject=f"reporter:{reporter_id}", now_us=now_us, detail=detail
    )
