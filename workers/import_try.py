"""The audit of an uploaded file: what `brigadewatch audit` finds in it, after the tenant's privacy filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from service.errors import Refused
from service.intake.items import COMPLAINT, canonical, read_line
from service.intake.privacy_filter import Erased, PrivacyFilter
from service.model import Complaint, JsonObject, RejectedItem
from service.policy import Policy
from service.tabular.options import ReadingOptions
from service.tabular.reading import SourceFile
from workers.audit.examination import FilesRead, examination_of
from workers.audit.history import Collector
from workers.audit.outcomes import outcomes_by_target
from workers.audit.windows import audit
from workers.import_reading import reading_progress, without_values

STEP_SECONDS = 86_400
GROUPS_SHOWN = 5


def audited_file(
    path: Path,
    options: ReadingOptions,
    privacy_filter: PrivacyFilter,
    policy: Policy,
    now: datetime,
    progress: Callable[[float], None],
) -> tuple[str, JsonObject]:
    """The report as a page, and what a person wants to know first. Raises Refused for a file that cannot serve."""
    strict = replace(privacy_filter, keep_text=True)  # texts are compared here, and stand in no report
    files, collector = FilesRead(), Collector(policy.text_min_words)
    source = SourceFile(path, COMPLAINT, now, options, reading_progress(path, lambda share: progress(share / 2)))
    files.complaints.sources.append(source)
    for item in source.items():
        kept = _stored(item, strict, now) if isinstance(item, Complaint) else item
        if isinstance(kept, RejectedItem):
            detail = without_values(kept.detail, source.header, privacy_filter)
            files.complaints.refuse(path, kept.model_copy(update={"detail": detail}))
        elif isinstance(kept, Complaint):
            files.complaints.items += 1
            if source.is_judged(kept.id):
                collector.judged_complaints.add(kept.id)
            collector.add(kept)
    history, rows = collector.history()
    if not len(history.complaints):
        raise Refused("no row of it can be read as a complaint")
    judged = outcomes_by_target(source.outcomes(), rows)
    result = audit(history, judged, policy, STEP_SECONDS, lambda done, total: progress(0.5 + done / total / 2))
    found = examination_of(result, history, judged, files, policy, STEP_SECONDS, paths=[path])
    remarks = tuple(without_values(text, source.header, privacy_filter) for text in found.scope.remarks)
    found = replace(found, scope=replace(found.scope, remarks=remarks))
    return found.page(), _summary(found.report, policy)


def _stored(complaint: Complaint, privacy_filter: PrivacyFilter, now: datetime) -> Complaint | RejectedItem:
    """The complaint as the tenant's rules would store it, with its text."""
    line = canonical(complaint, COMPLAINT)
    try:
        kept = privacy_filter.line(line)
    except Erased as erased:
        return RejectedItem(detail=str(erased), pointer="/reporter/id")
    if kept is line:
        return complaint
    read = read_line(kept[1:], COMPLAINT, now)
    assert isinstance(read, Complaint)  # a filter changes ids alone
    return read


def _summary(report: JsonObject, policy: Policy) -> JsonObject:
    flagged = [c for c in report["clusters"] if c["disposition"] == "flagged"]
    threshold = policy.default_threshold
    below = [t for t in report["targets"] if t["complaints"] >= threshold > t["independent_complaints"]]
    return {
        "flagged": len(flagged),
        "groups": [c["summary"] for c in flagged[:GROUPS_SHOWN]],
        "below": len(below),
        "threshold": threshold,
    }
