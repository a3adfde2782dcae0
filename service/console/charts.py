"""The data of a case's charts as JSON, and each chart as a table, on a page and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic_core import to_json
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from service.api.api_context import api_context
from service.charts.network import Network, network_of
from service.console.case_charts import case_raster, case_time_line
from service.console.chart_data import bins_of, delay, raster_data, raster_rows, time_line_data
from service.console.csv_files import csv_response
from service.console.person import Person
from service.console.rendering import render, segment
from service.console.shares import download
from service.console.sign_in import Viewer
from service.model import moment
from service.moderation.graphs import Tie, View
from service.storage.cases.case_files import CaseFile, read_case_file
from service.storage.cases.cases import read_ties

router = APIRouter()
ROWS_PER_PAGE = 100
TableName = Literal["raster", "timeline", "pairs"]
_HEADERS = {"Cache-Control": "no-store"}


def file_of(request: Request, person: Person, cluster_id: str, connection: Connection) -> CaseFile:
    """The case's file. Raises NotFound."""
    return read_case_file(connection, person.tenant_id, cluster_id, now=api_context(request).now())


@router.get("/clusters/{id}/pictures.json")
def read_pictures(request: Request, person: Viewer, id: str) -> Response:
    """The raster and the timeline."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        line = case_time_line(connection, person.tenant_id, file)
    data = {
        "raster": raster_data(case_raster(file), file.reporter_ids, file.target_ids, file.state.excluded),
        "timeline": time_line_data(line),
    }
    return Response(to_json(data), media_type="application/json", headers=_HEADERS)


@router.get("/clusters/{id}/graph.json")
def read_graph(request: Request, person: Viewer, id: str, view: View = "bipartite") -> Response:
    """One of the two graphs, with coordinates for every node."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        network = network_in(connection, person.tenant_id, file, view)
    nodes = [[n.kind, n.id, round(n.x, 4), round(n.y, 4), n.complaints] for n in network.nodes]
    data = {
        "view": network.view,
        "nodes": nodes,
        "edges": network.edges,
        "nodes_left_out": network.nodes_left_out,
        "edges_left_out": network.edges_left_out,
    }
    return JSONResponse(data, headers=_HEADERS)


def network_in(connection: Connection, tenant_id: int, file: CaseFile, view: View) -> Network:
    """The case's graph. Laying it out takes up to a second, so the latest layouts are cached."""
    raster = case_raster(file)
    ties = tuple(sorted(read_ties(connection, tenant_id, file.cluster.id), key=lambda tie: (tie.reporter, tie.target)))
    return _placed(
        ties,
        view,
        tuple(file.reporter_ids[r] for r in raster.reporters),
        tuple(file.target_ids[t] for t in raster.targets),
    )


@lru_cache(maxsize=16)
def _placed(ties: Sequence[Tie], view: View, reporters: Sequence[str], targets: Sequence[str]) -> Network:
    return network_of(ties, view, reporters, targets)


@router.get("/clusters/{id}/tables/{name}.csv", dependencies=download)
def download_table(request: Request, person: Viewer, id: str, name: TableName) -> Response:
    """The whole table as CSV."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        rows: list[Any] = _cells(file) if name == "raster" else _rows(connection, person.tenant_id, file, name)
    return csv_response(
        f"{name}-{file.cluster.id}",
        _CELLS if name == "raster" else _HEADS[name],
        lambda: rows,
    )


@router.get("/clusters/{id}/tables/{name}")
def show_table(
    request: Request, person: Viewer, id: str, name: TableName, page: Annotated[int, Query(ge=1, le=1_000_000)] = 1
) -> Response:
    """A chart as a table, ROWS_PER_PAGE rows per page."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        rows = _rows(connection, person.tenant_id, file, name)
    last = max(1, -(-len(rows) // ROWS_PER_PAGE))
    page = min(page, last)
    shown = rows[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
    titles = {"raster": "Lockstep raster", "timeline": "Timeline", "pairs": "Who complained with whom"}
    return render(
        request,
        person,
        "case_table.html",
        fragment="table",
        cluster=file.cluster,
        address=f"/console/clusters/{segment(id)}",
        name=name,
        title=titles[name],
        header=[cell.removesuffix(" (UTC)") for cell in _HEADS[name]],  # the file is in UTC, the page is not
        rows=shown,
        page=page,
        pages=last,
        total=len(rows),
    )


_HEADS = {
    "raster": (
        "Row",
        "Reporter",
        "Complaints",
        "Target numbers, each with the delay after its first complaint by a member",
    ),
    "timeline": ("From (UTC)", "Seconds", "By members", "By others"),
    "pairs": ("Reporter", "Other reporter", "Shared targets"),
}
_CELLS = ("row", "reporter", "column", "target", "occurred_at", "seconds_after_first", "excluded", "never_discounted")


def _rows(connection: Connection, tenant_id: int, file: CaseFile, name: TableName) -> list[tuple[object, ...]]:
    if name == "raster":
        return [
            (
                row.number,
                file.reporter_ids[row.key],
                len(row.cells),
                ", ".join(f"{number}: {delay(lag)}" for number, lag in row.cells),
            )
            for row in raster_rows(case_raster(file))
        ]
    if name == "timeline":
        seconds, bins = bins_of(case_time_line(connection, tenant_id, file))
        return [(one.at, seconds, one.members, one.others) for one in bins]
    network = network_in(connection, tenant_id, file, "co-report")
    return [(network.nodes[a].id, network.nodes[b].id, weight) for a, b, weight in reversed(network.edges)]


def _cells(file: CaseFile) -> list[tuple[object, ...]]:
    raster = case_raster(file)
    exempt = set(raster.exempt)
    return [
        (
            row + 1,
            file.reporter_ids[raster.reporters[row]],
            column + 1,
            file.target_ids[raster.targets[column]],
            moment(raster.first_us[column] + round(lag * 1e6)),
            lag,
            raster.reporters[row] in file.state.excluded,
            k in exempt,
        )
        for k, (row, column, lag) in enumerate(zip(raster.rows, raster.columns, raster.lags, strict=True))
    ]
