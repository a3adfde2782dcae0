"""Which days of a tenant's archive have to be written as files, and what is in them (workers/daily_files.py writes).

Ingest, retention and erasure change rows of the archive, and note their days in the same transaction. A day is what
it is by the time of the complaint or of the decision, in UTC. Nothing is noted for a tenant without daily files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection

from service.model import JsonObject
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.sql import schema, timers
from service.storage.sql.engine import insert_rows, select_by_keys
from service.storage.sql.schema import STANDING

WORK = "daily_files"
DAY_US = 86_400 * 1_000_000
Noun = Literal["complaints", "outcomes"]
_TIMES = {"complaints": "occurred_us", "outcomes": "decided_us"}
_ROWS_AT_ONCE = 5_000
_WIDEN = (
    "ON CONFLICT (tenant_id, noun, day) DO UPDATE SET"
    " low_key = CASE WHEN excluded.low_key < daily_file_days.low_key"
    " THEN excluded.low_key ELSE daily_file_days.low_key END,"
    " high_key = CASE WHEN excluded.high_key > daily_file_days.high_key"
    " THEN excluded.high_key ELSE daily_file_days.high_key END,"
    " changes = daily_file_days.changes + 1"
)


@dataclass(frozen=True, slots=True)
class DailyFilesState:
    """How the files of a tenant stand; times in microseconds since 1970."""

    since_us: int
    written_us: int | None  # they hold all that was archived before it
    required_us: int | None  # since when an erasure waits for them
    last_error: str | None
    days: int
    waiting: int  # files to be written


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A day whose file has to be written, with the row keys between which its rows lie."""

    noun: Noun
    day: int
    low_key: int
    high_key: int
    changes: int


def turn_on(connection: Connection, tenant_id: int, now_us: int) -> None:
    """Have all days written, now and whenever they change; also where that is so already."""
    table = schema.daily_files
    if connection.scalar(sa.select(table.c.tenant_id).where(table.c.tenant_id == tenant_id)) is None:
        connection.execute(sa.insert(table).values(tenant_id=tenant_id, since_us=now_us))
    low, high = tenant_id << SEQ_BITS, (tenant_id + 1) << SEQ_BITS
    for noun, rows in (("complaints", schema.complaints), ("outcomes", schema.outcomes)):
        at = rows.c[_TIMES[noun]]
        day = ((at - ((at % DAY_US) + DAY_US) % DAY_US) // DAY_US).label("day")  # downwards, also before 1970
        found = connection.execute(
            sa.select(day, sa.func.min(rows.c.row_key), sa.func.max(rows.c.row_key))
            .where(rows.c.row_key > low, rows.c.row_key < high)
            .group_by(day)
        ).all()
        _write_notes(connection, tenant_id, noun, {int(number): (first, last) for number, first, last in found})
    timers.at_latest(connection, tenant_id, WORK, now_us)


def turn_off(connection: Connection, tenant_id: int) -> bool:
    """Note and write nothing more; whether the tenant had daily files."""
    connection.execute(sa.delete(schema.daily_file_days).where(schema.daily_file_days.c.tenant_id == tenant_id))
    gone = connection.execute(sa.delete(schema.daily_files).where(schema.daily_files.c.tenant_id == tenant_id))
    timers.move_to(connection, tenant_id, WORK, None)
    return gone.rowcount > 0


def state_of(connection: Connection, tenant_id: int) -> DailyFilesState | None:
    """None: the tenant has no daily files."""
    table, d = schema.daily_files, schema.daily_file_days.c
    row = connection.execute(sa.select(table).where(table.c.tenant_id == tenant_id)).one_or_none()
    if row is None:
        return None
    days, waiting = connection.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((d.changes > 0, 1), else_=0)), 0)).where(
            d.tenant_id == tenant_id
        )
    ).one()
    return DailyFilesState(row.since_us, row.written_us, row.required_us, row.last_error, days, int(waiting))


def note_rows(connection: Connection, tenant_id: int, noun: Noun, rows: Iterable[tuple[int, int]]) -> None:
    """These rows, as (row key, time in microseconds), changed, came or went: their days' files are no longer right."""
    if _has_them(connection, tenant_id):
        _note_rows(connection, tenant_id, noun, rows)


def note_keys(connection: Connection, tenant_id: int, noun: Noun, row_keys: Sequence[int]) -> None:
    """The same for rows of which only the keys are at hand; those that are gone are passed over."""
    if row_keys and _has_them(connection, tenant_id):
        _note_keys(connection, tenant_id, noun, row_keys)


def note_commit(
    connection: Connection,
    tenant_id: int,
    complaints: Iterable[tuple[int, int]],
    changed: Sequence[int],
    outcomes: Sequence[int],
) -> None:
    """The same for all that a commit of ingest wrote: complaints that came, those that changed, and outcomes."""
    if _has_them(connection, tenant_id):
        _note_rows(connection, tenant_id, "complaints", complaints)
        _note_keys(connection, tenant_id, "complaints", changed)
        _note_keys(connection, tenant_id, "outcomes", outcomes)


def _note_rows(connection: Connection, tenant_id: int, noun: Noun, rows: Iterable[tuple[int, int]]) -> None:
    days: dict[int, tuple[int, int]] = {}
    for row_key, at_us in rows:
        low, high = days.get(at_us // DAY_US, (row_key, row_key))
        days[at_us // DAY_US] = min(low, row_key), max(high, row_key)
    _write_notes(connection, tenant_id, noun, days)


def _note_keys(connection: Connection, tenant_id: int, noun: Noun, row_keys: Sequence[int]) -> None:
    if row_keys:
        statement = (
            f"SELECT r.row_key, r.{_TIMES[noun]} FROM k CROSS JOIN {noun} r"
            " WHERE r.row_key = k.column1 AND r.tenant_id = ?"
        )
        found = select_by_keys(connection, statement, (tenant_id,), [(key,) for key in row_keys])
        _note_rows(connection, tenant_id, noun, ((row_key, at_us) for row_key, at_us in found))


def require(connection: Connection, tenant_id: int, now_us: int) -> None:
    """An erasure has changed rows: write their files at once, and let it know (`are_written`)."""
    table = schema.daily_files
    if connection.execute(sa.update(table).where(table.c.tenant_id == tenant_id).values(required_us=now_us)).rowcount:
        timers.at_latest(connection, tenant_id, WORK, now_us)


def are_written(connection: Connection, tenant_id: int) -> bool:
    """Whether the files hold everything that was required; also where there are none."""
    table = schema.daily_files
    return connection.scalar(sa.select(table.c.required_us).where(table.c.tenant_id == tenant_id)) is None


def changed_days(connection: Connection, tenant_id: int) -> list[ChangedDay]:
    """The days that have to be written, the latest first: it is what people look at."""
    table = schema.daily_file_days
    rows = connection.execute(
        sa.select(table)
        .where(table.c.tenant_id == tenant_id, table.c.changes > 0)
        .order_by(table.c.day.desc(), table.c.noun)
    )
    return [ChangedDay(row.noun, row.day, row.low_key, row.high_key, row.changes) for row in rows]


def rows_of(connection: Connection, tenant_id: int, day: ChangedDay) -> Iterator[JsonObject]:
    """The day's complaints that count, or its outcomes, as they were accepted, in the order of their arrival."""
    table = schema.complaints if day.noun == "complaints" else schema.outcomes
    at = table.c[_TIMES[day.noun]]
    query = sa.select(table.c.content).where(
        table.c.tenant_id == tenant_id,
        table.c.row_key >= day.low_key,
        table.c.row_key <= day.high_key,
        at >= day.day * DAY_US,
        at < (day.day + 1) * DAY_US,
    )
    if day.noun == "complaints":
        query = query.where(schema.complaints.c.state == STANDING)
    rows = connection.execute(query.order_by(table.c.row_key).execution_options(yield_per=_ROWS_AT_ONCE))
    yield from (from_json(row.content) for row in rows)


def written(connection: Connection, tenant_id: int, day: ChangedDay, *, empty: bool) -> None:
    """The day's file is as the archive was when `day` was read. If the day changed meanwhile, it stays to be written;
    also if somebody else wrote it meanwhile: theirs may be the newer one, and ours has replaced it.
    """
    table = schema.daily_file_days
    mine = sa.and_(table.c.tenant_id == tenant_id, table.c.noun == day.noun, table.c.day == day.day)
    as_read = sa.and_(mine, table.c.changes == day.changes)
    done = sa.delete(table).where(as_read) if empty else sa.update(table).where(as_read).values(changes=0)
    if connection.execute(done).rowcount == 0:
        again = {day.day: (day.low_key, day.high_key)}
        _write_notes(connection, tenant_id, day.noun, again)


def finish(connection: Connection, tenant_id: int, began: DailyFilesState, written_us: int) -> None:
    """The files hold what was archived before `written_us`, and what was required when the run began."""
    table = schema.daily_files
    mine = table.c.tenant_id == tenant_id
    connection.execute(sa.update(table).where(mine).values(written_us=written_us, last_error=None))
    # What is required since may have been read too early.
    met = sa.and_(mine, table.c.required_us == began.required_us)
    connection.execute(sa.update(table).where(met).values(required_us=None))


def fail(connection: Connection, tenant_id: int, error: str) -> None:
    """Note why a run ended early."""
    table = schema.daily_files
    connection.execute(sa.update(table).where(table.c.tenant_id == tenant_id).values(last_error=error))


def _has_them(connection: Connection, tenant_id: int) -> bool:
    table = schema.daily_files
    return connection.scalar(sa.select(table.c.tenant_id).where(table.c.tenant_id == tenant_id)) is not None


def _write_notes(connection: Connection, tenant_id: int, noun: str, days: dict[int, tuple[int, int]]) -> None:
    insert_rows(
        connection,
        schema.daily_file_days,
        ("tenant_id", "noun", "day", "low_key", "high_key", "changes"),
        [(tenant_id, noun, day, low, high, 1) for day, (low, high) in sorted(days.items())],
        _WIDEN,
    )
