"""A tenant's allow-list: reporters whom its admins trust (service/moderation/allowances.py describes the effect).

The detect worker applies a change to the clusters at once (workers/analysis_steps.py): a write here schedules it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from service.errors import NotFound, Refused
from service.fields import ID_CHARACTERS, is_id, is_storable
from service.moderation.allowances import Allowance, allowance_of
from service.storage.accounts import audit_log, flagger_registry
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import campaign_groups, clusters
from service.storage.cases.decision_preview import clusters_on
from service.storage.complaints.archive_reader import totals_of
from service.storage.detection import exemptions
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant, select_by_keys
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import allowed_reporters

MOST = 10_000  # of a tenant
LONGEST_NOTE = 1_000


@dataclass(frozen=True, slots=True)
class Allowed:
    """One reporter of the list."""

    reporter_id: str
    at_us: int
    by: str
    note: str | None


def allow(connection: Connection, tenant_id: int, reporter_id: str, *, note: str | None, by: str, now_us: int) -> None:
    """Put a reporter on the list, as the archive names them (a pseudonym where the tenant has those).

    In the caller's writing transaction. Raises Refused for one on it already, an impossible id, a long note, and
    a list that is full.
    """
    key = _key(reporter_id)
    if note is not None and (len(note) > LONGEST_NOTE or not is_storable(note)):
        raise Refused(
            f"a note of {len(note):,} characters is too long, {LONGEST_NOTE:,} are possible"
            if len(note) > LONGEST_NOTE
            else "a note must not contain a NUL character"
        )
    table = allowed_reporters.c
    lock_tenant(connection, tenant_id)
    if (
        connection.scalar(select(table.at_us).where(table.tenant_id == tenant_id, table.reporter_key == key))
        is not None
    ):
        raise Refused(f"{reporter_id} is on the list already")
    if (
        int(
            connection.scalar(select(func.count()).select_from(allowed_reporters).where(table.tenant_id == tenant_id))
            or 0
        )
        >= MOST
    ):
        raise Refused(f"the list holds {MOST:,} reporters, the most it may: remove reporters who are no longer active")
    connection.execute(
        insert(allowed_reporters).values(
            tenant_id=tenant_id, reporter_key=key, reporter_id=reporter_id, at_us=now_us, by=by, note=note
        )
    )
    _changed(connection, tenant_id, reporter_id, "allowed", {} if note is None else {"note": note}, by, now_us)


def disallow(connection: Connection, tenant_id: int, reporter_id: str, *, by: str, now_us: int) -> None:
    """Take a reporter off the list. Raises NotFound if they are not on it."""
    table = allowed_reporters.c
    mine = (
        (table.tenant_id == tenant_id) & (table.reporter_key == _key(reporter_id)) & (table.reporter_id == reporter_id)
    )
    if connection.execute(delete(allowed_reporters).where(mine)).rowcount != 1:
        raise NotFound("this reporter is not on the allow-list")
    _changed(connection, tenant_id, reporter_id, "allowed no longer", {}, by, now_us)


def list_allowed(connection: Connection, tenant_id: int) -> list[Allowed]:
    """The whole list, newest first."""
    table = allowed_reporters.c
    rows = connection.execute(
        select(table.reporter_id, table.at_us, table.by, table.note)
        .where(table.tenant_id == tenant_id)
        .order_by(table.at_us.desc(), table.reporter_id)
    )
    return [Allowed(*row) for row in rows]


def find_allowed(connection: Connection, tenant_id: int, reporter_id: str) -> Allowed | None:
    """The reporter's entry; None if they are not on the list."""
    table = allowed_reporters.c
    if not is_id(reporter_id):
        return None
    mine = (
        (table.tenant_id == tenant_id)
        & (table.reporter_key == key_of(reporter_id))
        & (table.reporter_id == reporter_id)
    )
    row = connection.execute(select(table.reporter_id, table.at_us, table.by, table.note).where(mine)).first()
    return None if row is None else Allowed(*row)


def effect(connection: Connection, tenant_id: int, reporter_id: str, *, allowed: bool) -> Allowance:
    """Preview the effect of putting the reporter on the list (`allowed`) or taking them off.

    Raises Refused for an impossible id. Reads only.
    """
    return effect_of_several(connection, tenant_id, [reporter_id], allowed=allowed)


def effect_of_several(
    connection: Connection, tenant_id: int, reporter_ids: Collection[str], *, allowed: bool
) -> Allowance:
    """The same for several reporters at once."""
    keys = {_key(one) for one in reporter_ids}
    now = exemptions.exemptions_of(connection, tenant_id)
    others = frozenset(now.allowed) - keys
    then = replace(now, allowed=others | keys if allowed else others)
    statement = (
        "SELECT DISTINCT m.cluster_id FROM k CROSS JOIN cluster_members m WHERE m.tenant_id = ? AND m.reporter_key ="
        " k.column1"
    )
    own = clusters.load(
        connection,
        tenant_id,
        {row[0] for row in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in sorted(keys)])},
    )
    changed = exemptions.changed_clusters(connection, tenant_id, list(own.values()), then)
    targets = {t for state in changed.values() for t in state.discounted_targets}
    states = clusters.load(connection, tenant_id, clusters_on(connection, tenant_id, targets)) | {
        i: own[i] for i in changed
    }
    return allowance_of(
        states, changed, totals_of(connection, tenant_id, targets), policy_of(connection, tenant_id).default_threshold
    )


def _key(reporter_id: str) -> int:
    if not is_id(reporter_id):
        raise Refused(
            f"{reporter_id[:40]!r} is not a reporter's id: expected 1 to {ID_CHARACTERS} characters, none of them a"
            " control character"
        )
    return key_of(reporter_id)


def _changed(
    connection: Connection, tenant_id: int, reporter_id: str, action: str, detail: dict[str, Any], by: str, now_us: int
) -> None:
    timers.at_latest(connection, tenant_id, flagger_registry.WORK, now_us)
    campaign_groups.plan(connection, tenant_id, now_us)
    audit_log.enter(
        connection, tenant_id, actor=by, action=action, subject=f"reporter:{reporter_id}", now_us=now_us, detail=detail
    )
