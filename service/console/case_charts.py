"""A case's raster and time line, read from its file and the archive."""

from __future__ import annotations

from sqlalchemy import Connection

from service.console.chart_data import Raster, TimeLine, raster_of, time_line_of
from service.storage.cases.case_files import OTHERS_SHOWN, CaseFile, complaints_by_others


def case_raster(file: CaseFile) -> Raster:
    """The case's raster."""
    return raster_of(file.filed, file.state.members, file.reporter_ids, file.target_ids)


def case_time_line(connection: Connection, tenant_id: int, file: CaseFile) -> TimeLine:
    """The case's time line."""
    others = complaints_by_others(connection, tenant_id, file)
    return time_line_of(file.filed, file.state.members, [at for at, _ in others], file.cluster.evidence, OTHERS_SHOWN)
