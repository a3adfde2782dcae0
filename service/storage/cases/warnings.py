"""Suggested warnings, and the data for suggesting them. The rules are pure: service/moderation/warnings.py."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from pydantic_core import from_json
from sqlalchemy import Connection, Row, and_, bindparam, delete, insert, or_, select, update

from service.errors import NotFound
from service.model import moment
from service.moderation.outcomes import JudgedComplaint
from service.moderation.warnings import Noticed, Suggestion, suggest
from service.policy import Policy
from service.storage.accounts import audit_log
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.cases.case_decisions import verdicts_of
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK, ids_by_key, outcomes_of
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.engine import select_by_keys
from service.storage.sql.hashing import key_of

Choice = Literal["warned", "declined"]
KEY_TYPES_BY_SORT: Mapping[str, tuple[type, ...]] = {"-at": (int, int)}
_TABLE = schema.reporter_warnings


@dataclass(frozen=True, slots=True)
class Warned:
    """A suggestion that is to be recorded."""

    reporter: int  # key
    reporter_id: str
    suggestion: Suggestion


@dataclass(frozen=True, slots=True)
class Handled:
    """A person's answer to a suggestion."""

    choice: Choice
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Suggested:
    """A suggestion as it stands."""

    reporter_id: str
    at: datetime  # wall clock
    until: datetime  # event time: complaints of the period before it were looked at
    suggestion: Suggestion
    handled: Handled | None


def read_suggested(connection: Connection, tenant_id: int, reporter_id: str) -> Suggested | None:
    """The reporter's standing suggestion; None without one."""
    row = connection.execute(
        select(_TABLE).where(_TABLE.c.tenant_id == tenant_id, _TABLE.c.reporter_key == key_of(reporter_id))
    ).first()
    return _suggested(row) if row is not None and row.reporter_id == reporter_id else None


def list_suggested(
    connection: Connection, tenant_id: int, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[Suggested], tuple[Key, ...] | None]:
    """Standing suggestions, newest first, and the key to go on from (None: that was all)."""
    query = select(_TABLE).where(_TABLE.c.tenant_id == tenant_id)
    if after is not None:
        query = query.where(
            or_(_TABLE.c.at_us < after[0], and_(_TABLE.c.at_us == after[0], _TABLE.c.reporter_key > after[1]))
        )
    rows = connection.execute(query.order_by(_TABLE.c.at_us.desc(), _TABLE.c.reporter_key).limit(limit + 1)).all()
    return [_suggested(row) for row in rows[:limit]], (
        (rows[limit - 1].at_us, rows[limit - 1].reporter_key) if len(rows) > limit else None
    )


def handle(connection: Connection, tenant_id: int, reporter_id: str, choice: Choice, *, by: str, now_us: int) -> None:
    """Record a person's answer to the suggestion, in the caller's writing transaction; it replaces an earlier one.
    Raises NotFound without one.
    """
    row = connection.execute(
        select(_TABLE)
        .where(_TABLE.c.tenant_id == tenant_id, _TABLE.c.reporter_key == key_of(reporter_id))
        .with_for_update()
    ).first()
    if row is None or row.reporter_id != reporter_id:
        raise NotFound("no warning is currently suggested for this reporter")
    detail = {**from_json(row.detail), "handled": {"choice": choice, "by": by, "at_us": now_us}}
    connection.execute(
        update(_TABLE)
        .where(_TABLE.c.tenant_id == tenant_id, _TABLE.c.reporter_key == row.reporter_key)
        .values(detail=json.dumps(detail))
    )
    # The reporter stands in the detail, where an erasure finds it.
    audit = {"reporter": reporter_id, "choice": choice, "unfounded": detail["unfounded"], "judged": detail["judged"]}
    audit_log.enter(connection, tenant_id, actor=by, action="warning", subject="reporter", now_us=now_us, detail=audit)


def _suggested(row: Row[Any]) -> Suggested:
    body = from_json(row.detail)
    handled = body.get("handled")
    values: dict[str, Any] = {f.name: body[f.name] for f in fields(Suggestion)}
    suggestion = Suggestion(**{**values, "clusters": tuple(values["clusters"])})
    return Suggested(
        row.reporter_id,
        moment(row.at_us),
        moment(body["watermark_us"]),
        suggestion,
        None if handled is None else Handled(handled["choice"], handled["by"], moment(handled["at_us"])),
    )


def judged_since(connection: Connection, tenant_id: int, after_seq: int, upto_seq: int) -> set[int]:
    """Reporters for whom the outcomes of people in this part of the tenant's sequence may change something.

    Those with a standing complaint on a target that was rejected, or whose verdict was taken back, which may have been
    in their favour; and of those on any judged target who were warned of before.
    """
    table = schema.outcomes
    low, high = tenant_id << SEQ_BITS | after_seq, tenant_id << SEQ_BITS | upto_seq
    against: dict[int, bool] = {}
    for key, content in connection.execute(
        select(table.c.target_key, table.c.content).where(table.c.row_key > low, table.c.row_key <= high)
    ):
        body = from_json(content)
        retracts, by_people = body.get("retracts") is not None, body.get("decided_by") != "automatic"
        if retracts or (body.get("verdict") is not None and by_people):
            against[key] = against.get(key, False) or retracts or body["verdict"] == "rejected"
    wrong = _reporters_on(connection, tenant_id, [key for key, was in against.items() if was])
    right = (
        _reporters_on(connection, tenant_id, [key for key, was in against.items() if not was])
        if _any_warned(connection, tenant_id)
        else set()
    )
    return wrong | _warned(connection, tenant_id, right).keys()


def _reporters_on(connection: Connection, tenant_id: int, targets: Collection[int]) -> set[int]:
    statement = (
        "SELECT DISTINCT c.reporter_key FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.target_key ="
        f" k.column1 AND c.state = {schema.STANDING}"
    )
    return {key for (key,) in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in targets])}


def suggestions(
    connection: Connection,
    tenant_id: int,
    reporters: Collection[int],
    policy: Policy,
    *,
    now_us: int,
    assumed: Mapping[str, Mapping[int, int]] | None = None,
) -> tuple[list[Warned], list[int]]:
    """Whom of these reporters to suggest a warning for now (`now_us`: the watermark), and whose earlier suggestion no
    longer holds.

    The latter is withdrawn: an appeal may have reversed the outcomes it was based on. `assumed`, for a preview: the
    complaints (reporter by seq) of clusters if they were decided to be brigades, none if they were not.
    """
    if not reporters:
        return [], []
    assumed = assumed or {}
    warned = _warned(connection, tenant_id, reporters)
    brigades = {
        reporter: [c for c in mine if c not in assumed]
        for reporter, mine in _brigades(connection, tenant_id, reporters).items()
    }
    judged = _judged_counts(connection, tenant_id, reporters)
    supposed = Counter(reporter for complaints in assumed.values() for reporter in complaints.values())
    complaints = _complaints(
        connection,
        tenant_id,
        {r for r, n in (judged + supposed).items() if n >= policy.warn_unfounded} | warned.keys() | brigades.keys(),
        brigades,
    )
    brigade_of = {seq: identity for identity, complaints_of in assumed.items() for seq in complaints_of}
    for reporter, mine in complaints.items() if brigade_of else ():
        complaints[reporter] = [replace(c, brigade=brigade_of.get(c.filed.seq, c.brigade)) for c in mine]
    outcomes = outcomes_of(connection, tenant_id, {c.filed.target for mine in complaints.values() for c in mine})
    found: dict[int, Suggestion] = {}
    gone: list[int] = []
    for reporter, mine in complaints.items():
        at = warned.get(reporter)
        if at is not None and suggest(mine, outcomes, policy, now_us=min(at, now_us)) is None:
            gone.append(reporter)
            at = None
        suggestion = suggest(mine, outcomes, policy, now_us=now_us, warned_us=at)
        if suggestion is not None:
            found[reporter] = suggestion
    gone += [reporter for reporter in warned if reporter not in complaints]
    names, _ = ids_by_key(connection, tenant_id, reporters=found, targets=())
    return [Warned(reporter, names[reporter], found[reporter]) for reporter in sorted(found)], sorted(gone)


def standing(
    connection: Connection,
    tenant_id: int,
    reporters: Collection[int],
    policy: Policy,
    *,
    now_us: int,
    assumed: Mapping[str, Mapping[int, int]] | None = None,
) -> int:
    """How many of these reporters a warning is suggested for, once the suggestions above are made."""
    found, gone = suggestions(connection, tenant_id, reporters, policy, now_us=now_us, assumed=assumed)
    before = _warned(connection, tenant_id, reporters).keys()
    return len((before - set(gone)) | {w.reporter for w in found})


def save(
    connection: Connection,
    tenant_id: int,
    found: Sequence[Warned],
    gone: Iterable[int],
    *,
    watermark_us: int,
    now_us: int,
) -> None:
    """Record suggestions made at `watermark_us` of event time, `now_us` of wall clock (what retention asks), and take
    back those that no longer hold.
    """
    keys = [{"who": reporter} for reporter in {*gone, *(w.reporter for w in found)}]
    if keys:
        connection.execute(
            delete(_TABLE).where(_TABLE.c.tenant_id == tenant_id, _TABLE.c.reporter_key == bindparam("who")), keys
        )
    if found:
        connection.execute(
            insert(_TABLE),
            [
                {
                    "tenant_id": tenant_id,
                    "reporter_key": w.reporter,
                    "reporter_id": w.reporter_id,
                    "at_us": now_us,
                    "detail": json.dumps({"watermark_us": watermark_us, **asdict(w.suggestion)}),
                }
                for w in found
            ],
        )


def _any_warned(connection: Connection, tenant_id: int) -> bool:
    return (
        connection.execute(select(_TABLE.c.at_us).where(_TABLE.c.tenant_id == tenant_id).limit(1)).first() is not None
    )


def _warned(connection: Connection, tenant_id: int, reporters: Collection[int]) -> dict[int, int]:
    """The event time of each one's suggestion."""
    if not reporters or not _any_warned(connection, tenant_id):
        return {}
    statement = (
        "SELECT w.reporter_key, w.detail FROM k CROSS JOIN reporter_warnings w WHERE w.tenant_id = ? AND w.reporter_key"
        " = k.column1"
    )
    return {
        reporter: int(from_json(detail)["watermark_us"])
        for reporter, detail in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in reporters])
    }


def _judged_counts(connection: Connection, tenant_id: int, reporters: Iterable[int]) -> Counter[int]:
    """How many complaints each has on targets with outcomes: whether it is worth to look at each."""
    # The state is selected so that no index covers the query: SQLite would prefer a covering one, and read all of
    # it.
    statement = (
        "SELECT c.reporter_key, COUNT(*) FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.reporter_key ="
        f" k.column1 AND c.state = {schema.STANDING} AND c.act_key IS NULL AND EXISTS (SELECT 1 FROM outcomes o WHERE"
        " o.tenant_id = c.tenant_id AND o.target_key = c.target_key) GROUP BY c.reporter_key"
    )
    counted = select_by_keys(connection, statement, (tenant_id,), [(key,) for key in reporters])
    return Counter(dict(counted))


def _complaints(
    connection: Connection, tenant_id: int, reporters: Collection[int], brigades: Mapping[int, Sequence[str]]
) -> dict[int, list[Noticed]]:
    """The standing complaints of each reporter, an act once; `brigades` names the decided ones that the reporter is
    in.
    """
    statement = (
        "SELECT c.row_key, c.reporter_key, c.target_key, c.occurred_us, c.content FROM k CROSS JOIN complaints c"
        f" WHERE c.tenant_id = ? AND c.reporter_key = k.column1 AND c.state = {schema.STANDING} AND c.act_key IS NULL"
    )
    rows = select_by_keys(connection, statement, (tenant_id,), [(key,) for key in reporters])
    brigade_of = _marked(
        connection, [(cluster, row_key) for row_key, reporter, *_ in rows for cluster in brigades.get(reporter, ())]
    )
    found: dict[int, list[Noticed]] = defaultdict(list)
    flaggers = flaggers_of(connection, tenant_id)
    for row_key, reporter, target, occurred_us, content in rows:
        # The flag is deep inside and rare: parse only where the word is.
        trusted = ('"trusted"' in content or flaggers.knows(reporter)) and flaggers.is_trusted(
            reporter, occurred_us, from_json(content)
        )
        found[reporter].append(
            Noticed(JudgedComplaint(row_key & SEQ_MASK, target, occurred_us), trusted, brigade_of.get(row_key))
        )
    return found


def _brigades(connection: Connection, tenant_id: int, reporters: Iterable[int]) -> dict[int, list[str]]:
    """Clusters of each reporter that a person's decision, in force now, calls a brigade."""
    decided = (
        select(schema.clusters.c.id)
        .where(schema.clusters.c.tenant_id == tenant_id, schema.clusters.c.verdict == "coordinated")
        .limit(1)
    )
    if connection.execute(decided).first() is None:
        return {}
    statement = (
        "SELECT m.reporter_key, m.cluster_id FROM k CROSS JOIN cluster_members m CROSS JOIN clusters cl WHERE"
        " m.tenant_id = ? AND m.reporter_key = k.column1 AND m.excluded = ? AND cl.id = m.cluster_id AND cl.verdict ="
        " 'coordinated' AND cl.disposition = 'flagged'"
    )
    pairs = select_by_keys(connection, statement, (tenant_id, False), [(key,) for key in reporters])
    given = verdicts_of(connection, tenant_id, {cluster for _, cluster in pairs})
    found: dict[int, list[str]] = defaultdict(list)
    for reporter, cluster in pairs:
        if cluster in given and given[cluster].reason == "brigade":
            found[reporter].append(cluster)
    return found


def _marked(connection: Connection, pairs: Sequence[tuple[str, int]]) -> dict[int, str]:
    """The cluster of each complaint (row key) about which it was decided, among pairs of the two."""
    statement = (
        "SELECT cc.row_key, cc.cluster_id FROM k CROSS JOIN cluster_complaints cc"
        " WHERE cc.cluster_id = k.column1 AND cc.row_key = k.column2 AND cc.verdict = 'coordinated' AND cc.gone = ?"
    )
    return dict(select_by_keys(connection, statement, (False,), pairs))
