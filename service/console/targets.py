"""One target: its independent count, the groups that complained, its outcomes, and a brief for an appeal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.api_context import api_context
from service.charts.columns import Mark, StackedColumn, column_chart
from service.console.csv_files import Cell, csv_response
from service.console.formatting import clock
from service.console.lists import AT_ONCE, PAGE, address, cursor_behind, every_page, place_of
from service.console.person import Person
from service.console.rendering import render, see_other, segment
from service.console.shares import download
from service.console.sign_in import Viewer
from service.errors import StoreUnavailable
from service.fields import ID_CHARACTERS
from service.model import microseconds, moment
from service.moderation.assessment import NO_CLUSTERS, TargetStanding, assess
from service.moderation.brief import Dossier, GroupOnTarget, ReceivedOutcome, fragment, not_known, sentences
from service.moderation.decisions import standing_words
from service.moderation.phrases import plural
from service.moderation.target_assessment import Assessment
from service.moderation.transparency_database import statement_of
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import overview
from service.storage.cases.brief_reads import read_dossier
from service.storage.cases.case_decisions import verdicts_of
from service.storage.complaints import target_history
from service.storage.complaints.archive_reader import ingest_state_of, never_archived
from service.storage.complaints.target_content import UNKNOWN, words_of
from service.storage.complaints.target_history import FiledComplaint, Points, list_of_target, read_points
from service.storage.complaints.trusted_notices import waiting_targets
from service.storage.redis_store.assessments import Standings, read_targets
from service.storage.redis_store.stream import PositionAbsent

router = APIRouter()
NAME, SORT = "target-complaints", "-occurred_at"
WAITING_SHOWN = 200  # targets with notices by trusted flaggers
GROUPS_DRAWN = 3  # each in its own colour; the rest share one
_STEPS = (  # seconds
    60,
    300,
    600,
    1_800,
    3_600,
    3 * 3_600,
    6 * 3_600,
    12 * 3_600,
    86_400,
    2 * 86_400,
    7 * 86_400,
    14 * 86_400,
    30 * 86_400,
    91 * 86_400,
    365 * 86_400,
)
_COLUMNS = 90  # at most so many in the picture
_LETTERS = {"removed": "R", "kept": "K", "restored": "B"}
CSV_HEADER = (  # as the API and the export of a case name them: `audit` and Settings › Import read these files
    "id",
    "occurred_at",
    "received_at",
    "reporter",
    "target",
    "state",
    "reason",
    "text",
    "illegal_content",
    "trusted",
    "clusters",
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A target's complaints over time, as a chart and as a table."""

    svg: Markup
    step: timedelta
    names: list[str]  # of the parts, from below
    classes: list[str]
    rows: list[tuple[datetime, tuple[int, ...]]]  # where anything happened
    left_out: int


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A group that complained about the target, as the page lists it."""

    group: GroupOnTarget
    complaints: int
    probability: float | None
    unfounded: float | None
    without: float | None  # the independent count if the group is ignored
    decided: str  # the verdict that stands


@router.get("/targets")
def find_target(request: Request, person: Viewer, id: str = "") -> Response:
    """A form to look up a target, and the targets under attack now."""
    if id.strip():
        return see_other(request, f"/console/targets/{segment(id.strip()[:ID_CHARACTERS])}")
    attacked, period = read_attacked(request, person)
    with api_context(request).engine.connect() as connection:
        waiting = waiting_targets(connection, person.tenant_id)[:WAITING_SHOWN]
        verdicts = verdicts_of(connection, person.tenant_id, [one.cluster_id for one in attacked])
    return render(
        request,
        person,
        "find_target.html",
        verdicts=verdicts,
        waiting=waiting,
        attacked=attacked,
        most_attacked=overview.TARGETS_SHOWN,
        end=moment(period.end_us),
        live=period.live,
    )


def read_attacked(request: Request, person: Person) -> tuple[list[overview.AttackedTarget], overview.Period]:
    """The targets of flagged groups in the tenant's last week, and that week."""
    now_us = microseconds(api_context(request).now())
    with api_context(request).engine.connect() as connection:
        period = overview.period_of("week", ingest_state_of(connection, person.tenant_id).watermark_us, now_us)
        return overview.read_attacked(
            connection, person.tenant_id, since_us=period.start_us, until_us=period.end_us
        ), period


@router.get("/targets/{id}")
async def show_target(request: Request, person: Viewer, id: str, cursor: str = "") -> Response:
    """One target; zeros for a target never seen, as in the API."""
    after = place_of(cursor, NAME, target_history.KEY_TYPES_BY_SORT, SORT, {"target": id})
    standings = await standings_of(request, person, [id])
    page = await run_in_threadpool(_read, request, person, id, standings, after)
    return await run_in_threadpool(
        lambda: render(
            request, person, "target.html", first_url=f"/console/targets/{segment(id)}" if cursor else None, **page
        )
    )


@router.get("/targets/{id}/complaints.csv", dependencies=download)
def download_complaints(request: Request, person: Viewer, id: str) -> Response:
    """Its complaints as CSV."""
    found = every_page(
        api_context(request).engine,
        lambda connection, after: list_of_target(connection, person.tenant_id, id, after=after, limit=AT_ONCE),
    )
    return csv_response(f"complaints-{id}", CSV_HEADER, lambda: map(csv_row, found))


def csv_row(filed: FiledComplaint) -> tuple[Cell, ...]:
    """One complaint of a list as cells of CSV_HEADER."""
    return (
        filed.id,
        filed.occurred_at,
        filed.received_at,
        filed.reporter_id,
        filed.target_id,
        filed.state,
        filed.reason,
        filed.text,
        str(filed.notice).lower(),
        str(filed.trusted).lower(),
        " ".join(filed.clusters),
    )


async def standings_of(request: Request, person: Person, target_ids: Sequence[str]) -> Standings | None:
    """The targets' counts in Redis; None while Redis is unavailable or being rebuilt. Zeros for a new tenant."""
    api = api_context(request)
    try:
        return await read_targets(api.redis, person.tenant, list(target_ids))
    except PositionAbsent:
        if not await run_in_threadpool(_is_new, request, person):
            return None
        return Standings([], api.now(), 0, 0, decision_waits=False, restored=False)
    except StoreUnavailable:
        return None


def assessment_of(target_id: str, standings: Standings | None, place: int, threshold: int) -> Assessment | None:
    """One target's assessment, from the counts read for several."""
    if standings is None:
        return None
    standing = standings.targets[place] if standings.targets else TargetStanding(0, NO_CLUSTERS)
    return assess(target_id, standing, standings.freshness(), threshold=threshold)


def _is_new(request: Request, person: Person) -> bool:
    with api_context(request).engine.connect() as connection:
        return never_archived(connection, person.tenant_id)


def _read(
    request: Request, person: Person, target_id: str, standings: Standings | None, after: tuple[Any, ...] | None
) -> dict[str, Any]:
    api = api_context(request)
    with api.engine.connect() as connection:
        policy = policy_of(connection, person.tenant_id)
        dossier = read_dossier(connection, person.tenant_id, target_id, now=api.now())
        points = read_points(
            connection,
            person.tenant_id,
            target_id,
            [group.id for group in dossier.groups if group.disposition != "revoked"],
        )
        complaints, behind = list_of_target(connection, person.tenant_id, target_id, after=after, limit=PAGE)
        content = words_of(connection, person.tenant_id, [target_id]).get(target_id, UNKNOWN)
    assessment = assessment_of(target_id, standings, 0, policy.default_threshold)
    if after is None and not complaints and assessment is not None and not assessment.clusters and not dossier.outcomes:
        raise HTTPException(404, "No complaints or outcomes have been received for this target.")
    next_cursor = cursor_behind(behind, NAME, SORT, {"target": target_id})
    brief = [] if assessment is None else sentences(assessment, dossier, policy.default_threshold)
    statement = None if assessment is None else fragment(assessment, dossier, policy.default_threshold, policy.version)
    return {
        "target_id": target_id,
        "content": content,
        "assessment": assessment,
        "threshold": policy.default_threshold,
        "figures": dossier.figures,
        "verdict": dossier.verdict,
        "groups": _groups(dossier, assessment),
        "outcomes": dossier.outcomes,
        "retracted": {o.id for o in dossier.outcomes} - {o.id for o in dossier.counting},
        "restoration": dossier.restoration,
        "brief": brief,
        "unknown": [] if assessment is None else not_known(assessment, dossier),
        "statement": statement,
        "database": None if statement is None else statement_of(statement),
        "timeline": timeline(points, dossier.counting, dossier.groups, person.preferences.zone),
        "complaints": complaints,
        "next_url": None
        if next_cursor is None
        else address(f"/console/targets/{segment(target_id)}", cursor=next_cursor),
        "brief_text": "\n".join(
            [
                *brief,
                *(
                    []
                    if assessment is None
                    else ["", "Not known:", *(f"- {one}" for one in not_known(assessment, dossier))]
                ),
            ]
        ),
    }


def _groups(dossier: Dossier, assessment: Assessment | None) -> list[TargetGroup]:
    shares = {} if assessment is None else {share.id: share for share in assessment.clusters}
    without = {} if assessment is None else assessment.without_clusters
    return [
        TargetGroup(
            group,
            shares[group.id].complaints if group.id in shares else 0,
            shares[group.id].probability if group.id in shares else None,
            shares[group.id].unfounded_probability if group.id in shares else None,
            without.get(group.id),
            standing_words(group.decisions, group.verdict, group.id),
        )
        for group in dossier.groups
    ]


def timeline(
    points: Points, outcomes: Sequence[ReceivedOutcome], groups: Sequence[GroupOnTarget], zone: tzinfo
) -> Timeline | None:
    """Complaints over time, the largest groups in their own colours; None without complaints."""
    largest = sorted(points.by_cluster, key=lambda cluster: (-len(points.by_cluster[cluster]), cluster))
    drawn, together = largest[:GROUPS_DRAWN], largest[GROUPS_DRAWN:]
    series = [points.by_cluster[cluster] for cluster in drawn]
    names, classes = [f"group {cluster}" for cluster in drawn], [f"part-{place}" for place in range(len(drawn))]
    if together:
        series.append([at for cluster in together for at in points.by_cluster[cluster]])
        names, classes = [*names, plural(len(together), "other group")], [*classes, "part-3"]
    series.append(points.others)
    names, classes = [*names, "in no group"], [*classes, "part-rest"]
    times = [at for each in series for at in each]
    if not times:
        return None
    with_result = [outcome for outcome in outcomes if outcome.action is not None or outcome.verdict is not None]
    first, last = min(times), max(times)
    # Distant outcomes would squeeze the chart; they are in the list of outcomes.
    near = [
        o
        for o in with_result
        if first - (last - first) - timedelta(days=1) <= o.decided_at <= last + (last - first) + timedelta(days=1)
    ]
    begin, end = min([first, *(o.decided_at for o in near)]), max([last, *(o.decided_at for o in near)])
    step = timedelta(seconds=next((s for s in _STEPS if (end - begin).total_seconds() / s <= _COLUMNS - 2), _STEPS[-1]))
    start = _floor(begin, step)
    count = min(400, int((end - start) // step) + 1)
    counts = [[0] * len(series) for _ in range(count)]
    for part, each in enumerate(series):
        for at in each:
            counts[min(count - 1, int((at - start) // step))][part] += 1
    columns = [
        StackedColumn(start + place * step, tuple(each), _column_title(start + place * step, step, names, each, zone))
        for place, each in enumerate(counts)
    ]
    marks = [Mark(o.decided_at, _letter(o), f"{_outcome_text(o)}, {clock(o.decided_at, None, zone)}") for o in near]
    title = (
        f"{plural(len(times), 'complaint')} from {clock(first, None, zone)} to {clock(last, None, zone)}; by groups:"
        f" {sum(map(len, points.by_cluster.values())):,}"
    )
    svg = column_chart(columns, step, "timeline", title, parts=classes, marks=marks, unit="complaints", zone=zone)
    return Timeline(
        svg,
        step,
        names,
        classes,
        [(column.start, column.counts) for column in columns if any(column.counts)],
        points.left_out,
    )


def _column_title(start: datetime, step: timedelta, names: Sequence[str], counts: Sequence[int], zone: tzinfo) -> str:
    group = ", ".join(f"{name}: {count:,}" for name, count in zip(names, counts, strict=True) if count)
    span = f"{clock(start, start, zone)} to {clock(start + step, start, zone)}"
    return f"{span}: {plural(sum(counts), 'complaint')} ({group})"


def _letter(outcome: ReceivedOutcome) -> str:
    return _LETTERS.get(outcome.action or "", "U" if outcome.verdict == "upheld" else "X")


def _outcome_text(outcome: ReceivedOutcome) -> str:
    content = [
        {"removed": "removed", "kept": "kept", "restored": "restored"}.get(outcome.action or "", ""),
        {"upheld": "complaints upheld", "rejected": "complaints rejected"}.get(outcome.verdict or "", ""),
    ]
    whom = {"automatic": "automatically", "appeal": "on appeal", "person": "by a moderator"}[outcome.decided_by]
    return f"{', '.join(word for word in content if word)} {whom}"


def _floor(at: datetime, step: timedelta) -> datetime:
    origin = datetime(2001, 1, 1, tzinfo=UTC)
    return origin + (at - origin) // step * step
