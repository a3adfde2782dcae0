"""Which queue each case is in, and who it is assigned to: by the rules, or by a person, which outweighs them.

Stored, since a rule may be about every complaint of a case. Rules are applied by the job `place` (workers/placing.py)
after cases, tags or queues changed. An assignment to somebody who may no longer decide is none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection

from service.errors import Refused
from service.model import Evidence, JsonObject, microseconds
from service.moderation.queue_rules import (
    LANGUAGE_ATTRIBUTES,
    CaseFacts,
    CaseFigures,
    first_rule,
    next_person,
    primary_language,
)
from service.moderation.score import coordination
from service.storage.accounts import audit_log
from service.storage.cases import queues
from service.storage.cases.cases import cluster_row
from service.storage.cases.tag_reads import tags_of
from service.storage.sql import schema, timers
from service.storage.sql.engine import lock_tenant, select_by_keys
from service.storage.sql.parts import IDS_AT_ONCE, parts
from service.storage.sql.schema import case_placements, clusters, users

WAITING = ("open", "escalated", "snoozed")
_SHOWN = ("flagged", "reliable", "held_back")
_MOST_COUNTED = 100  # contexts, languages, reasons of a case, the most frequent


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a case is, and whose."""

    queue_id: int | None
    user_id: int | None
    person: str | None  # None: nobody, or nobody who may decide
    moved: bool = False
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class PlacedCase:
    """A waiting case with what rules see of it."""

    id: str
    figures: CaseFigures
    facts_of: str  # the figures that its facts would be counted for
    placement: Placement
    facts_are_current: bool


def placements_of(connection: Connection, tenant_id: int, cluster_ids: Collection[str]) -> dict[str, Placement]:
    """By case; those that no rule and no person has placed are left out."""
    ids, found, p = sorted(set(cluster_ids)), {}, case_placements.c
    for some in parts(ids, IDS_AT_ONCE):
        rows = connection.execute(
            sa.select(p.cluster_id, p.queue_id, p.user_id, p.moved, p.assigned, users.c.name)
            .outerjoin(users, sa.and_(users.c.id == p.user_id, *_able(tenant_id)))
            .where(p.tenant_id == tenant_id, p.cluster_id.in_(some))
        )
        for row in rows:
            user = row.user_id if row.name is not None else None
            found[row.cluster_id] = Placement(row.queue_id, user, row.name, bool(row.moved), bool(row.assigned))
    return found


def assigned_to(tenant_id: int, person: str) -> sa.Select[tuple[str]]:
    """The ids of the cases that are assigned to the person of this name."""
    p = case_placements.c
    named = sa.select(users.c.id).where(users.c.name == person, *_able(tenant_id))
    return sa.select(p.cluster_id).where(p.tenant_id == tenant_id, p.user_id.in_(named))


def in_queue(tenant_id: int, queue_id: int | None) -> sa.Select[tuple[str]]:
    """The ids of the cases in the queue; without one, of those in any."""
    p = case_placements.c
    which = p.queue_id.is_not(None) if queue_id is None else p.queue_id == queue_id
    return sa.select(p.cluster_id).where(p.tenant_id == tenant_id, which)


def move_case(
    connection: Connection, tenant_id: int, cluster_id: str, queue_id: int | None, *, by: str, now: datetime
) -> None:
    """Put the case into a queue, or with None into no queue, whatever the rules say. Raises NotFound."""
    cluster_row(connection, tenant_id, cluster_id)
    lock_tenant(connection, tenant_id)
    names = {one.id: one.name for one in queues.list_queues(connection, tenant_id)}
    if queue_id is not None:
        queues.read_queue(connection, tenant_id, queue_id)
    before = placements_of(connection, tenant_id, [cluster_id]).get(cluster_id, Placement(None, None, None))
    if before.moved and before.queue_id == queue_id:
        return
    _set(connection, tenant_id, cluster_id, queue_id=queue_id, moved=True)
    detail = {"from": names.get(before.queue_id or 0), "to": names.get(queue_id or 0)}
    _changed(connection, tenant_id, cluster_id, "case moved", detail, by, now)


def assign_case(
    connection: Connection, tenant_id: int, cluster_id: str, user_id: int | None, *, by: str, now: datetime
) -> str | None:
    """Assign the case to somebody who may decide, or to nobody; their name. Raises NotFound and Refused."""
    cluster_row(connection, tenant_id, cluster_id)
    lock_tenant(connection, tenant_id)
    able = {one.id: one.name for one in queues.assignable(connection, tenant_id)}
    if user_id is not None and user_id not in able:
        raise Refused("cases can be assigned to moderators and admins whose accounts are not disabled")
    before = placements_of(connection, tenant_id, [cluster_id]).get(cluster_id, Placement(None, None, None))
    name = None if user_id is None else able[user_id]
    if before.assigned and before.user_id == user_id:
        return name
    _set(connection, tenant_id, cluster_id, user_id=user_id, assigned=True)
    _changed(connection, tenant_id, cluster_id, "case assigned", {"from": before.person, "to": name}, by, now)
    return name


def waiting_cases(connection: Connection, tenant_id: int) -> list[PlacedCase]:
    """Every case that waits for a decision, the longest known first."""
    c, p = clusters.c, case_placements.c
    rows = connection.execute(
        sa.select(
            c.id, c.kind, c.score, c.evidence, c.reporter_count, c.target_count, c.last_us, p.queue_id, p.user_id,
            p.moved, p.assigned, p.facts, p.facts_of,
        )
        .outerjoin(case_placements, p.cluster_id == c.id)
        .where(c.tenant_id == tenant_id, c.status.in_(WAITING), c.disposition.in_(_SHOWN))
        .order_by(c.found_us, c.id)
    ).all()  # fmt: skip
    tags = tags_of(connection, tenant_id, [row.id for row in rows])
    found = []
    for row in rows:
        signals = [Evidence(**signal) for signal in json.loads(row.evidence)]
        current = f"{row.reporter_count}/{row.target_count}/{row.last_us}"
        facts = CaseFacts(**json.loads(row.facts)) if row.facts_of else None
        words = frozenset(tag.casefold() for tag in tags.get(row.id, ()))
        figures = CaseFigures(row.kind, row.score, coordination(signals), row.reporter_count, words, facts)
        placement = Placement(row.queue_id, row.user_id, None, bool(row.moved), bool(row.assigned))
        found.append(PlacedCase(row.id, figures, current, placement, row.facts_of == current))
    return found


def count_facts(connection: Connection, tenant_id: int, cluster_ids: Sequence[str]) -> dict[str, CaseFacts]:
    """What the complaints of these cases (a few hundred at most) are about."""
    own = schema.cluster_complaints.c
    rows = connection.execute(
        sa.select(own.cluster_id, own.row_key, own.target_key)
        .where(own.tenant_id == tenant_id, own.cluster_id.in_(list(cluster_ids)), own.gone.is_(False))
        .order_by(own.row_key)
    ).all()
    statement = "SELECT c.row_key, c.content FROM k CROSS JOIN complaints c WHERE c.row_key = k.column1"
    contents = dict(tuple(row) for row in select_by_keys(connection, statement, (), [(r.row_key,) for r in rows]))
    found = {one: _FactCounts() for one in cluster_ids}
    for row in rows:
        if row.row_key in contents:  # else it is erased or past retention
            found[row.cluster_id].add(row.target_key, from_json(contents[row.row_key]))
    return {one: counts.facts for one, counts in found.items()}


@dataclass(slots=True)
class _FactCounts:
    """What is counted of one case."""

    contexts: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    targets: set[int] = field(default_factory=set)
    complaints: int = 0

    def add(self, target_key: int, complaint: JsonObject) -> None:
        """Count a complaint, and its target if it is the first about it."""
        self.complaints += 1
        if complaint.get("reason"):
            self.reasons[complaint["reason"]] += 1
        if target_key in self.targets:
            return
        self.targets.add(target_key)
        target = complaint["target"]
        if target.get("context_id"):
            self.contexts[target["context_id"]] += 1
        attributes = target.get("attributes") or {}
        named = next((attributes[n] for n in LANGUAGE_ATTRIBUTES if isinstance(attributes.get(n), str)), None)
        if named:
            self.languages[primary_language(named)] += 1

    @property
    def facts(self) -> CaseFacts:
        """The counts, of each kind the most frequent."""
        contexts, languages, reasons = (
            dict(counter.most_common(_MOST_COUNTED)) for counter in (self.contexts, self.languages, self.reasons)
        )
        return CaseFacts(contexts, languages, reasons, len(self.targets), self.complaints)


def store_facts(connection: Connection, tenant_id: int, counted: Mapping[str, tuple[str, CaseFacts]]) -> None:
    """Keep what was counted, by case with the figures that it was counted for."""
    for cluster_id, (facts_of, facts) in counted.items():
        _set(connection, tenant_id, cluster_id, facts=json.dumps(asdict(facts)), facts_of=facts_of)


def apply_rules(connection: Connection, tenant_id: int, cases: Sequence[PlacedCase]) -> int:
    """Put these, all waiting cases, where the rules and people's choices have it; how many changed.

    The cases were read in the same writing transaction, which holds the tenant: nobody's choice is overwritten.
    """
    rules = [one.rule for one in queues.list_queues(connection, tenant_id)]
    by_id = {rule.queue_id: rule for rule in rules}
    able = frozenset(one.id for one in queues.assignable(connection, tenant_id))
    load: Counter[int] = Counter()
    kept: dict[str, Placement] = {}
    for case in cases:
        was, rule = case.placement, first_rule(rules, case.figures)
        queue_id = was.queue_id if was.moved else (rule.queue_id if rule is not None else None)
        people = by_id[queue_id].user_ids if queue_id in by_id else ()
        by_person = was.assigned and (was.user_id is None or was.user_id in able)
        stays = by_person or (was.queue_id == queue_id and was.user_id in people and was.user_id in able)
        kept[case.id] = Placement(queue_id, was.user_id if stays else None, None, was.moved, by_person)
        if stays and was.user_id is not None:
            load[was.user_id] += 1
    changed = 0
    for case in cases:
        now = kept[case.id]
        user_id = now.user_id
        if user_id is None and not now.assigned and now.queue_id in by_id:
            user_id = next_person(by_id[now.queue_id], able, load)
            load.update([] if user_id is None else [user_id])
        was = case.placement
        if (now.queue_id, user_id, now.assigned) != (was.queue_id, was.user_id, was.assigned):
            _set(connection, tenant_id, case.id, queue_id=now.queue_id, user_id=user_id, assigned=now.assigned)
            changed += 1
    return changed


def _able(tenant_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return users.c.tenant_id == tenant_id, users.c.disabled_us.is_(None), users.c.role != "viewer"


def _set(connection: Connection, tenant_id: int, cluster_id: str, **values: object) -> None:
    p = case_placements.c
    mine = sa.update(case_placements).where(p.cluster_id == cluster_id, p.tenant_id == tenant_id).values(**values)
    if connection.execute(mine).rowcount == 0:
        row = {"facts": "{}", "facts_of": "", **values, "cluster_id": cluster_id, "tenant_id": tenant_id}
        connection.execute(sa.insert(case_placements).values(row))


def _changed(
    connection: Connection,
    tenant_id: int,
    cluster_id: str,
    action: str,
    detail: Mapping[str, str | None],
    by: str,
    now: datetime,
) -> None:
    now_us = microseconds(now)
    timers.at_latest(connection, tenant_id, queues.WORK, now_us)
    subject = f"cluster:{cluster_id}"
    audit_log.enter(connection, tenant_id, actor=by, action=action, subject=subject, now_us=now_us, detail=detail)
