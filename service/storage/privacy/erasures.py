"""Erasures: requests to forget a reporter, their progress, and what stays (a token in place of the name, and a keyed
hash by which the name is refused).

asked -> replaced (SQL holds the token) -> done (the files that held the name are rewritten). From `asked` on, no more
of their complaints are accepted. The name itself is kept sealed until it is done, and then forgotten.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts import audit_log
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import erasures

REQUESTED, REPLACED, DONE = "asked", "replaced", "done"  # erasures.state
WORK = "erase"
TOKEN_PREFIX = "erased-"  # noqa: S105  (takes a name's place; not a secret)


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person to be erased."""

    id: str
    sealed_name: str | None = field(repr=False)  # None once it is done
    token: str
    state: str
    asked_us: int
    done_us: int | None


def request_erasure(
    connection: Connection,
    tenant_id: int,
    privacy_filter: PrivacyFilter,
    box: SecretBox,
    reporter_id: str,
    *,
    actor: str,
    now_us: int,
) -> str:
    """Have a reporter erased, whether or not anything is known of them; returns the job's id.

    In the caller's writing transaction. While one is under way for the same person (by id or by pseudonym), that one's
    id is returned.
    """
    lock_tenant(connection, tenant_id)
    reporter_hash = privacy_filter.mark(reporter_id)
    table = erasures.c
    known = connection.scalar(
        select(table.id).where(table.tenant_id == tenant_id, table.reporter_hash == reporter_hash, table.state != DONE)
    )
    if known is None:
        known = f"erasure_{secrets.token_hex(12)}"
        connection.execute(
            insert(erasures).values(
                id=known,
                tenant_id=tenant_id,
                reporter_hash=reporter_hash,
                reporter_id=box.seal(reporter_id),
                token=TOKEN_PREFIX + secrets.token_hex(16),
                state=REQUESTED,
                asked_us=now_us,
            )
        )
        _note(connection, tenant_id, known, actor, now_us, {"state": REQUESTED})
    timers.at_latest(connection, tenant_id, WORK, now_us)
    return known


def unfinished(connection: Connection, tenant_id: int) -> list[Erasure]:
    """Unfinished erasures, in the order of request."""
    table = erasures.c
    return _read(
        connection.execute(
            select(*_columns())
            .where(table.tenant_id == tenant_id, table.state != DONE)
            .order_by(table.asked_us, table.id)
        )
    )


def pull_back(connection: Connection, tenant_id: int, now_us: int) -> None:
    """Date unfinished erasures that were requested in the future `now_us`."""
    table = erasures.c
    ahead = (table.tenant_id == tenant_id) & (table.state != DONE) & (table.asked_us > now_us)
    connection.execute(update(erasures).where(ahead).values(asked_us=now_us))


def find(connection: Connection, tenant_id: int, job: str) -> Erasure | None:
    """The tenant's erasure with this id; None if there is none."""
    return next(
        iter(
            _read(
                connection.execute(select(*_columns()).where(erasures.c.tenant_id == tenant_id, erasures.c.id == job))
            )
        ),
        None,
    )


def of_person(connection: Connection, tenant_id: int, privacy_filter: PrivacyFilter, reporter_id: str) -> list[Erasure]:
    """All erasures of the person, by id or by pseudonym."""
    table = erasures.c
    return _read(
        connection.execute(
            select(*_columns())
            .where(table.tenant_id == tenant_id, table.reporter_hash == privacy_filter.mark(reporter_id))
            .order_by(table.asked_us, table.id)
        )
    )


def replacements_for(erasure: Erasure, privacy_filter: PrivacyFilter, box: SecretBox) -> dict[str, str]:
    """The replacement for each name that the person may be stored under: the id, and its pseudonym.

    Empty once it is done.
    """
    if erasure.sealed_name is None:
        return {}
    own = box.open(erasure.sealed_name)
    # Two tokens: one would make two complaints of one reporter about a target where pseudonyms were turned on between
    # them.
    return {own: erasure.token} | (
        {pseudonym: f"{erasure.token}-p"} if (pseudonym := privacy_filter.pseudonym(own)) != own else {}
    )


def move(
    connection: Connection,
    tenant_id: int,
    found: Iterable[Erasure],
    state: str,
    *,
    now_us: int,
    changed: Mapping[str, Any] | None = None,
) -> None:
    """Set the state of the erasures; the audit trail records how many rows changed, and not whose.

    Done forgets the name.
    """
    for erasure in found:
        values: dict[str, Any] = (
            {"state": state} if state != DONE else {"state": state, "done_us": now_us, "reporter_id": None}
        )
        connection.execute(
            update(erasures).where(erasures.c.id == erasure.id, erasures.c.tenant_id == tenant_id).values(values)
        )
        _note(connection, tenant_id, erasure.id, "erase", now_us, {"state": state, **(changed or {})})


def _note(connection: Connection, tenant_id: int, job: str, actor: str, now_us: int, detail: dict[str, Any]) -> None:
    audit_log.enter(
        connection, tenant_id, actor=actor, action="erase", subject=f"erasure:{job}", now_us=now_us, detail=detail
    )


def _columns() -> tuple[Any, ...]:
    table = erasures.c
    return table.id, table.reporter_id, table.token, table.state, table.asked_us, table.done_us


def _read(rows: Iterable[Any]) -> list[Erasure]:
    return [Erasure(*row) for row in rows]
