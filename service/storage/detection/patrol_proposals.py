"""Groups that moderators propose as good patrols, and what administrators answer: entries of the audit trail.

Nobody is on the allow-list before an administrator accepts. Who the accounts are is read from the case at that moment,
so the answer names the version of the case that it is about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from service.errors import NotFound, Refused
from service.fields import is_storable
from service.model import microseconds, moment
from service.moderation.decisions import Case, is_right_together, reason_of_verdict
from service.storage.accounts import audit_log
from service.storage.cases.case_decisions import read_case
from service.storage.detection import allow_list
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import audit_trail

PROPOSED, ACCEPTED, DECLINED = "patrol proposed", "patrol accepted", "patrol declined"
LONGEST_NOTE = 900  # with the case's id before it, it is the reason in the list
MOST_ACCOUNTS = 500


@dataclass(frozen=True, slots=True)
class PatrolProposal:
    """A proposal that nobody has answered."""

    id: int  # of its entry
    case_id: str
    at: datetime
    by: str
    note: str
    accounts: int  # of the case, when it was proposed


def propose(connection: Connection, tenant_id: int, case_id: str, note: str, *, by: str, now: datetime) -> None:
    """Propose a case's accounts, in the caller's writing transaction.

    Raises NotFound for an unknown case; Refused for one that is not decided as right, was proposed already or has no
    account that is not on the list, and for an unfit note.
    """
    note = note.strip()
    if not note or len(note) > LONGEST_NOTE or not is_storable(note):
        raise Refused(f"say in 1 to {LONGEST_NOTE:,} characters why their complaints can be relied on")
    lock_tenant(connection, tenant_id)
    people = new_people(connection, tenant_id, _fitting(connection, tenant_id, case_id))
    if not people:
        raise Refused("all of its accounts are good patrols already")
    if len(people) > MOST_ACCOUNTS:
        raise Refused(f"it has {len(people):,} accounts; at most {MOST_ACCOUNTS:,} can be proposed at once")
    if waiting(connection, tenant_id, case_id):
        raise Refused("it is proposed already; an administrator decides")
    _enter(connection, tenant_id, PROPOSED, case_id, {"note": note, "accounts": len(people)}, by, now)


def waiting(connection: Connection, tenant_id: int, case_id: str | None = None) -> list[PatrolProposal]:
    """Proposals that wait for an answer, about one case or all, the oldest first."""
    table = audit_trail.c
    query = select(audit_trail).where(
        table.tenant_id == tenant_id, table.action.in_((PROPOSED, ACCEPTED, DECLINED)), table.subject.like("cluster:%")
    )
    if case_id is not None:
        query = query.where(table.subject == f"cluster:{case_id}")
    open_ones: dict[str, PatrolProposal] = {}
    for row in connection.execute(query.order_by(table.id)):
        case, detail = row.subject.removeprefix("cluster:"), json.loads(row.detail)
        open_ones.pop(case, None)
        if row.action == PROPOSED:
            open_ones[case] = PatrolProposal(
                row.id, case, moment(row.at_us), row.actor, detail["note"], detail["accounts"]
            )
    return list(open_ones.values())


def accept(
    connection: Connection, tenant_id: int, case_id: str, *, proposal: int, version: int, by: str, now: datetime
) -> int:
    """Put the case's accounts on the list, in the caller's writing transaction; how many.

    Raises NotFound without this proposal, Refused where the case is no longer at this version or no longer decided as
    right.
    """
    lock_tenant(connection, tenant_id)
    found = _open_one(connection, tenant_id, case_id, proposal)
    case = _fitting(connection, tenant_id, case_id)
    if case.version != version:
        raise Refused(f"case {case_id} has changed in the meantime: look at its accounts again")
    people = new_people(connection, tenant_id, case)
    for name in people:
        allow_list.allow(
            connection, tenant_id, name, note=f"Case {case_id}: {found.note}", by=by, now_us=microseconds(now)
        )
    _enter(connection, tenant_id, ACCEPTED, case_id, {"proposed_by": found.by, "accounts": len(people)}, by, now)
    return len(people)


def decline(connection: Connection, tenant_id: int, case_id: str, *, proposal: int, by: str, now: datetime) -> None:
    """End the proposal, in the caller's writing transaction. Raises NotFound without it."""
    lock_tenant(connection, tenant_id)
    found = _open_one(connection, tenant_id, case_id, proposal)
    _enter(connection, tenant_id, DECLINED, case_id, {"proposed_by": found.by}, by, now)


def new_people(connection: Connection, tenant_id: int, case: Case) -> list[str]:
    """The case's accounts that are not on the list yet."""
    listed = {one.reporter_id for one in allow_list.list_allowed(connection, tenant_id)}
    return sorted(case.members - case.excluded - listed)


def _fitting(connection: Connection, tenant_id: int, case_id: str) -> Case:
    case, log = read_case(connection, tenant_id, case_id)
    if case.disposition == "merged":
        raise Refused(f"case {case_id} was merged into {case.merged_into}")
    if not is_right_together(case.verdict or "", reason_of_verdict(log, case.verdict, case_id)):
        raise Refused(f"case {case_id} is not decided as “acting together, but right”")
    return case


def _open_one(connection: Connection, tenant_id: int, case_id: str, proposal: int) -> PatrolProposal:
    found = next((one for one in waiting(connection, tenant_id, case_id) if one.id == proposal), None)
    if found is None:
        raise NotFound(f"the proposal about case {case_id} was answered in the meantime")
    return found


def _enter(
    connection: Connection,
    tenant_id: int,
    action: str,
    case_id: str,
    detail: dict[str, str | int],
    by: str,
    now: datetime,
) -> None:
    subject = f"cluster:{case_id}"
    audit_log.enter(
        connection, tenant_id, actor=by, action=action, subject=subject, now_us=microseconds(now), detail=detail
    )
