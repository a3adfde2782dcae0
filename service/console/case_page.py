"""Everything the case page shows, read in one go; each part is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.console.case_answers import CaseAnswers, case_answers
from service.console.case_charts import case_raster
from service.console.case_contexts import CaseContexts
from service.console.case_tables import (
    ALL_REPORTERS,
    REPORTERS_SHOWN,
    CaseReporter,
    CaseTarget,
    ComplaintLines,
    ReporterOrder,
    TableFilter,
    complaint_lines,
    reporter_rows,
    target_rows,
    texts_read,
)
from service.console.chart_data import Raster, SharedTrait, SignalBar, shared_traits_of, signals_of
from service.moderation.decisions import RIGHT_TOGETHER, standing_words
from service.storage.cases.campaign_reads import CasesCampaign, campaign_of_case
from service.storage.cases.case_files import CaseFile
from service.storage.cases.case_history import CaseHistoryItem, history_of
from service.storage.cases.related_cases import Related, related_to


@dataclass(frozen=True, slots=True)
class CasePage:
    """Everything on the page except its charts' data."""

    raster: Raster
    answers: CaseAnswers
    signals: list[SignalBar]
    strongest: float  # the largest share of all points, for the bars
    shared_traits: list[SharedTrait]
    reporters: list[CaseReporter]
    reporters_left_out: int
    targets: list[CaseTarget]
    contexts: CaseContexts
    lines: ComplaintLines
    related: list[Related]
    campaign: CasesCampaign | None
    history: list[CaseHistoryItem]
    decided: str  # the standing verdict in words; empty without one

    @property
    def right_together(self) -> bool:
        """Whether a person found that they act together and are right."""
        return self.decided == RIGHT_TOGETHER


def case_page(
    connection: Connection,
    tenant_id: int,
    file: CaseFile,
    table_filter: TableFilter,
    *,
    all_reporters: bool,
    order: ReporterOrder = "",
    now: datetime,
) -> CasePage:
    """The page's content."""
    raster = case_raster(file)
    signals = signals_of(file.cluster.evidence)
    rows, left_out = reporter_rows(
        connection, tenant_id, file, raster, ALL_REPORTERS if all_reporters else REPORTERS_SHOWN, order
    )
    read = texts_read(connection, tenant_id, file)
    targets, contexts = target_rows(connection, tenant_id, file, raster, read)
    devices = [one.letter for one in rows if not one.row.excluded]
    history = history_of(connection, tenant_id, file.cluster.id)
    return CasePage(
        raster=raster,
        answers=case_answers(
            file.cluster.evidence, signals, [t.row for t in targets], file.policy.default_threshold, devices
        ),
        signals=signals,
        strongest=max((s.share for s in signals), default=1.0) or 1.0,
        shared_traits=shared_traits_of(file.cluster.evidence),
        reporters=rows,
        reporters_left_out=left_out,
        targets=targets,
        contexts=contexts,
        lines=complaint_lines(connection, tenant_id, file, table_filter, read, raster),
        related=related_to(connection, tenant_id, file, now=now),
        campaign=campaign_of_case(connection, tenant_id, file.cluster.id),
        history=history,
        decided=_decided(file, history),
    )


def _decided(file: CaseFile, history: Sequence[CaseHistoryItem]) -> str:
    """The standing verdict, with the reason that was given for it."""
    log = [entry.decision for entry in history if entry.decision is not None]
    return standing_words(log, file.state.verdict, file.cluster.id)
