"""A case as JSON, CSV, GraphML and a print view, with pseudonyms on request."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from service.api.api_context import api_context
from service.charts.burst import burst_chart, burst_in_rows, burst_of
from service.charts.lockstep import LAGS, lockstep_of, raster, swatch
from service.charts.network import network_of, network_svg
from service.console.case_charts import case_raster
from service.console.case_tables import ALL_REPORTERS
from service.console.chart_data import Raster, shared_traits_of, signals_of
from service.console.charts import file_of
from service.console.csv_files import csv_response, file_name
from service.console.history_text import entry_of
from service.console.pseudonyms import ExportNames
from service.console.rendering import render, segment
from service.console.shares import download
from service.console.sign_in import Viewer
from service.model import JsonObject, moment
from service.moderation.graphs import Tie, View, draw, graphml
from service.storage.accounts import tenant_settings
from service.storage.cases.case_files import (
    CaseFile,
    ReporterRow,
    TargetRow,
    complaints_by_others,
    complaints_by_seq,
    reporters_of,
    targets_of,
)
from service.storage.cases.case_history import history_of
from service.storage.cases.cases import read_ties
from service.storage.cases.related_cases import related_to

router = APIRouter()
SCHEMA = "brigadewatch.case/1"
GRAPH_NODES = 2_000
# rows of the print view's tables: about ten pages, or everything that a browser can lay out
PRINTED = {"reporters": 60, "targets": 60, "complaints": 100, "history": 60}
PRINTED_WHOLE = {"reporters": ALL_REPORTERS, "targets": 5_000, "complaints": 20_000, "history": 5_000}
Pseudonymise = Annotated[
    bool,
    Query(description="replace the IDs of reporters, authors, complaints and moderators by P-1, A-1, C-1, M-1 ..."),
]


def names_in(file: CaseFile, replace: bool, order: Raster | None = None) -> ExportNames:
    """The names in this export, numbered in the raster's order: the same case always gives the same names."""
    if not replace:
        return ExportNames()
    order = order or case_raster(file)
    authors = [file.author_ids[key] for key in order.targets if key in file.author_ids]
    return ExportNames.replacing(
        [file.reporter_ids[key] for key in order.reporters] + sorted(file.reporter_ids.values()), authors
    )


@router.get("/clusters/{id}/export.json", dependencies=download)
def export_json(request: Request, person: Viewer, id: str, pseudonymise: Pseudonymise = False) -> Response:
    """The whole case as one document."""
    api = api_context(request)
    with api.engine.connect() as connection:
        file = file_of(request, person, id, connection)
        order = case_raster(file)
        body = document(connection, person.tenant_id, file, order, names_in(file, pseudonymise, order), now=api.now())
    return JSONResponse(body, headers=_download(f"case-{id}", "json"))


@router.get("/clusters/{id}/export.csv", dependencies=download)
def export_csv(request: Request, person: Viewer, id: str, pseudonymise: Pseudonymise = False) -> Response:
    """The case's complaints as CSV."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        names = names_in(file, pseudonymise)
        complaints = _complaints(connection, person.tenant_id, file, names)
    columns = (
        "id",
        "occurred_at",
        "received_at",
        "reporter_id",
        "target_id",
        "author_id",
        "context_id",
        "context_title",
        "context_url",
        "kind",
        "url",
        "reason",
        "notice_type",
        "text",
        "withdrawn",
        "never_discounted",
        "excluded",
    )
    return csv_response(f"case-{id}", columns, lambda: ([one.get(name) for name in columns] for one in complaints))


@router.get("/clusters/{id}/export.graphml", dependencies=download)
def export_graphml(
    request: Request, person: Viewer, id: str, view: View = "bipartite", pseudonymise: Pseudonymise = False
) -> Response:
    """The case's graph, for Gephi, networkx and similar tools."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        names = names_in(file, pseudonymise)
        ties = [_renamed(tie, names) for tie in read_ties(connection, person.tenant_id, id)]
    return Response(
        graphml(draw(ties, view, node_limit=GRAPH_NODES), cluster=id, view=view),
        media_type="application/graphml+xml",
        headers=_download(f"case-{id}-{view}", "graphml"),
    )


@router.get("/clusters/{id}/print", dependencies=download)
def print_case(
    request: Request,
    person: Viewer,
    id: str,
    pseudonymise: Pseudonymise = False,
    whole: Annotated[bool, Query()] = False,
) -> Response:
    """The case as a print view, with its charts; tables are cut to a few pages unless `whole`."""
    api = api_context(request)
    with api.engine.connect() as connection:
        file = file_of(request, person, id, connection)
        order = case_raster(file)
        names = names_in(file, pseudonymise, order)
        ties = [_renamed(tie, names) for tie in read_ties(connection, person.tenant_id, id)]
        body = document(connection, person.tenant_id, file, order, names, now=api.now())
        others = [at for at, _ in complaints_by_others(connection, person.tenant_id, file)]
        own_pseudonyms = tenant_settings.settings_of(connection, person.tenant_id).pseudonyms
    shown = {key: names.reporter(name) for key, name in file.reporter_ids.items()}
    counted = [m for m in file.filed if m.reporter in file.state.members]
    pictures: dict[str, Any] = {}
    if counted:
        steps = lockstep_of(counted, shown, file.target_ids)
        burst = burst_of(
            np.array([m.time_us for m in counted], np.int64),
            np.array(others, np.int64),
            next((e.usual for e in file.cluster.evidence if e.signal == "burst"), None),
        )
        rows, columns = [shown[key] for key in order.reporters], [file.target_ids[key] for key in order.targets]
        pictures = {
            "steps": steps,
            "raster": raster(steps, "raster"),
            "burst": burst,
            "chart": burst_chart(burst, "burst"),
            "hours": burst_in_rows(burst),
            "bipartite": network_svg(network_of(ties, "bipartite", rows, columns), "bipartite"),
            "co_report": network_svg(network_of(ties, "co-report", rows, columns), "coreport"),
        }
    evidence = names.evidence(file.cluster.evidence)
    return render(
        request,
        person,
        "case_print.html",
        cluster=file.cluster,
        summary=names.words(file.cluster.summary, file.cluster.evidence),
        signals=signals_of(evidence),
        shared_traits=shared_traits_of(evidence),
        body=body,
        pictures=pictures,
        lags=[(swatch(k), words) for k, (_, _, words) in enumerate(LAGS)],
        most=PRINTED_WHOLE if whole else PRINTED,
        pseudonymise=pseudonymise,
        own_pseudonyms=own_pseudonyms,
        address=f"/console/clusters/{segment(id)}",
        threshold=file.policy.default_threshold,
    )


def document(
    connection: Connection, tenant_id: int, file: CaseFile, order: Raster, names: ExportNames, *, now: datetime
) -> JsonObject:
    """The case as JSON, with people's names from `names` and reporters in the raster's order."""
    cluster = file.cluster.model_dump(mode="json")
    cluster["reporters"] = [names.reporter(one) for one in file.cluster.reporters]
    cluster["summary"] = names.words(file.cluster.summary, file.cluster.evidence)
    cluster["evidence"] = [e.model_dump(mode="json") for e in names.evidence(file.cluster.evidence)]
    keys = list(dict.fromkeys([*order.reporters, *file.reporter_ids]))[:ALL_REPORTERS]
    return {
        "schema": SCHEMA,
        "exported_at": _text(now),
        "pseudonymised": names.replaces,
        "cluster": cluster,
        "reporters": [_reporter(row, names) for row in reporters_of(connection, tenant_id, file, keys)],
        "reporters_left_out": len(file.reporter_ids) - len(keys),
        "targets": [_target(row, names) for row in targets_of(connection, tenant_id, file)],
        "complaints": _complaints(connection, tenant_id, file, names),
        "related": [
            {"id": r.id, "relation": r.relation, "shared_reporters": r.shared, "status": r.status, "verdict": r.verdict}
            for r in related_to(connection, tenant_id, file, now=now)
        ],
        "history": [
            {
                "at": _text(shown.at),
                "who": names.moderator(shown.who) if entry.kind in ("decision", "note", "hand", "tag") else shown.who,
                "what": shown.what if not names.replaces or entry.kind != "hand" else entry.what,
                "text": shown.text,
                "target": shown.target,
                "decision": shown.decision_id,
            }
            for entry in history_of(connection, tenant_id, file.cluster.id)
            for shown in (entry_of(entry),)
        ],
    }


def _complaints(connection: Connection, tenant_id: int, file: CaseFile, names: ExportNames) -> list[JsonObject]:
    filed = file.filed
    stored = complaints_by_seq(connection, tenant_id, [m.seq for m in filed])
    found = []
    for m in filed:
        if m.seq not in stored:
            continue
        content, received_us, withdrawn = stored[m.seq]
        target = content["target"]
        found.append(
            {
                "id": names.complaint(content["id"]),
                "occurred_at": content["occurred_at"],
                "received_at": _text(moment(received_us)),
                "reporter_id": names.reporter(file.reporter_ids[m.reporter]),
                "target_id": target["id"],
                "author_id": names.author(target.get("author_id")),
                "context_id": target.get("context_id"),
                "context_title": target.get("context_title"),
                "context_url": target.get("context_url"),
                "kind": target.get("kind"),
                "url": target.get("url"),
                "reason": content.get("reason"),
                "notice_type": content.get("notice_type"),
                "text": content.get("text"),
                "withdrawn": withdrawn,
                "never_discounted": m.exempt,
                "excluded": m.reporter in file.state.excluded,
            }
        )
    return found


def _target(row: TargetRow, names: ExportNames) -> JsonObject:
    return {
        "id": row.id,
        "kind": row.content.get("kind"),
        "author_id": names.author(row.content.get("author_id")),
        "context_id": row.content.get("context_id"),
        "context_title": row.content.get("context_title"),
        "context_url": row.content.get("context_url"),
        "url": row.content.get("url"),
        "excerpt": row.content.get("excerpt"),
        "complaints": row.complaints,
        "by_members": row.here,
        "independent_complaints": row.independent,
        "recommendation": row.recommendation,
        "judged": row.verdict,
        "action": row.action,
        "action_by": row.action_by,
        "action_at": _text(row.action_at),
        "restoration": None
        if row.restoration is None
        else {
            "state": row.restoration.state,
            "complaints": row.restoration.complaints,
            "independent_complaints": row.restoration.independent,
        },
    }


def _reporter(row: ReporterRow, names: ExportNames) -> JsonObject:
    return {
        "id": names.reporter(row.id),
        "excluded": row.excluded,
        "trusted": row.trusted,
        "complaints_here": row.here,
        "first_at": _text(row.first_at),
        "account_created_at": _text(row.account_created_at),
        "complaints": row.complaints,
        "upheld": row.judged.upheld,
        "rejected": row.judged.rejected,
        "reputation": None
        if row.reputation is None
        else {"mean": row.reputation.mean, "low": row.reputation.low, "high": row.reputation.high},
    }


def _renamed(tie: Tie, names: ExportNames) -> Tie:
    return Tie(names.reporter(tie.reporter), tie.target, tie.complaints, tie.first_at, tie.last_at)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _download(name: str, ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file_name(name)}.{ending}"', "Cache-Control": "no-store"}
