"""The audit from paths to report: reading, windows, writing, with progress for a person."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

from service.errors import Refused
from service.intake.items import COMPLAINT, OUTCOME
from service.model import Complaint, JsonObject, Outcome
from service.moderation.outcomes import standing
from service.moderation.phrases import percent, plural
from service.policy import DEFAULT_POLICY, Policy
from service.storage.complaints.feed import FeedOutcome
from service.tabular.reading import ReadingOptions
from workers.audit.files import READ_AS_IT_IS, Reading, read_items
from workers.audit.history import Collector, ComplaintHistory, outcomes_by_target
from workers.audit.report import report_of
from workers.audit.scenes import AuditScope, given_fields, scenes_of
from workers.audit.windows import AuditResult, audit
from workers.detection.contexts import MOSTLY_GIVEN, share_given

MAX_WINDOW_DAYS = 1_000  # times inside a window have 38 bits of milliseconds, with room for its margins


class ProgressDisplay(Protocol):
    """Receives what is being done and how much of it: `stage(name, total)`, then `advance(done_so_far)`."""

    def stage(self, name: str, total: int) -> None: ...
    def advance(self, done: int) -> None: ...


class Silent:
    """No progress: for tests and pipes."""

    def stage(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, done: int) -> None:
        """Nothing."""


@dataclass(slots=True)
class FilesRead:
    """What was read of the files of an audit, and what was not."""

    complaints: Reading = field(default_factory=Reading)
    outcomes: Reading = field(default_factory=Reading)

    def rejections(self) -> list[str]:
        """A sentence on the complaints that were rejected, and one on the outcomes; none where none was."""
        found = (self.complaints.sentence("complaints"), self.outcomes.sentence("outcomes"))
        return [sentence for sentence in found if sentence]


def run(
    paths: Sequence[Path],
    *,
    outcomes: Sequence[Path],
    out: Path | None,
    now: datetime,
    html: Path | None = None,
    window_seconds: int = DEFAULT_POLICY.window_seconds,
    step_seconds: int = 86_400,
    as_of: datetime | None = None,
    progress: ProgressDisplay | None = None,
    policy: Policy = DEFAULT_POLICY,
    options: ReadingOptions = READ_AS_IT_IS,
    files: FilesRead | None = None,
) -> JsonObject:
    """Audit the files and write the report to `out`, and as a page for people to `html`; returns the report.

    Complaints and outcomes after `as_of` are left out; `files` is filled with how reading went. Raises Refused for
    unreadable files, for files without one valid complaint, for a window or step that makes no sense and for reports
    that cannot be written.
    """
    shown = progress or Silent()
    if window_seconds < 3600 or step_seconds < 3600:
        raise Refused(f"--window is {window_seconds} s and --step {step_seconds} s: both must be at least 3600 s (1 h)")
    if window_seconds > MAX_WINDOW_DAYS * 86_400:
        raise Refused(
            f"--window is {window_seconds // 86_400} d: the longest window is {MAX_WINDOW_DAYS} d; a group that acts"
            " for longer is followed from window to window"
        )
    policy = replace(policy, window_seconds=window_seconds)
    _check_destinations(out, html)
    files = files or FilesRead()
    history, judged = _read(paths, outcomes, as_of, now, policy, shown, options, files)
    if not len(history.complaints):
        raise Refused(
            f"no valid complaint in {', '.join(map(str, paths))}"
            + "".join(f"\n  {e}" for e in files.complaints.examples)
        )
    shown.stage("windows", 1)

    def window_done(done: int, total: int) -> None:
        if done == 1:
            shown.stage("windows", total)
        shown.advance(done)

    result = audit(history, judged, policy, step_seconds, window_done)
    report = report_of(result.clusters, history, policy.version, notes_of(history, result, files))
    if out is not None:
        _write(out, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    if html is not None:
        from workers.audit.page import page_of  # brings Jinja2, which nothing else here needs

        shown.stage("page", 1)
        scope = scope_of(history, judged, result, policy, step_seconds, as_of, paths, outcomes)
        _write(html, page_of(report, scenes_of(result.clusters, history, judged), scope))
        shown.advance(1)
    return report


def _check_destinations(out: Path | None, html: Path | None) -> None:
    """Check the output paths before the work starts."""
    for option, path in (("--out", out), ("--html", html)):
        if path is not None and not path.parent.is_dir():
            raise Refused(f"{path.parent} is not a folder: {option} needs a folder that exists")
    if html is not None and out is not None and html.resolve() == out.resolve():
        raise Refused(f"--out and --html are both {html}: the page would replace the report, name two files")


def scope_of(
    history: ComplaintHistory,
    judged: Mapping[int, Sequence[FeedOutcome]],
    result: AuditResult,
    policy: Policy,
    step_seconds: int,
    as_of: datetime | None,
    paths: Sequence[Path],
    outcome_paths: Sequence[Path],
) -> AuditScope:
    """What was looked at, for the page."""
    return AuditScope(
        files=tuple(p.name for p in paths),
        outcome_files=tuple(p.name for p in outcome_paths),
        reporters=len(history.reporter_ids),
        targets=len(history.target_ids),
        judged_targets=sum(
            target in history.target_ids and standing(found) is not None for target, found in judged.items()
        ),
        windows=result.windows,
        window_seconds=policy.window_seconds,
        step_seconds=step_seconds,
        as_of=as_of,
        threshold=policy.default_threshold,
        fields=given_fields(history),
    )


def _read(
    paths: Sequence[Path],
    outcome_paths: Sequence[Path],
    as_of: datetime | None,
    now: datetime,
    policy: Policy,
    progress: ProgressDisplay,
    options: ReadingOptions,
    files: FilesRead,
) -> tuple[ComplaintHistory, dict[int, list[FeedOutcome]]]:
    total = sum(p.stat().st_size for p in (*paths, *outcome_paths) if p.exists())
    progress.stage("reading", total)
    done = 0

    def read(count: int) -> None:
        nonlocal done
        done += count
        progress.advance(done)

    known = [
        cast(Outcome, o)
        for path in outcome_paths
        for o in read_items(path, OUTCOME, now, files.outcomes, read, options)
    ]
    collector = Collector(policy.text_min_words)
    collector.judged_complaints = {o.complaint_id for o in known if o.complaint_id is not None}
    for path in paths:
        for item in read_items(path, COMPLAINT, now, files.complaints, read, options):
            complaint = cast(Complaint, item)
            if files.complaints.sources[-1].is_judged(complaint.id):
                collector.judged_complaints.add(complaint.id)
            if as_of is None or complaint.occurred_at <= as_of:
                collector.add(complaint)
        known += files.complaints.sources[-1].outcomes()
    _check_offsets(files)
    history, rows = collector.history()
    return history, outcomes_by_target([o for o in known if as_of is None or o.decided_at <= as_of], rows)


def _check_offsets(files: FilesRead) -> None:
    """Refuse files whose times have no offset beside others that have one: they would not go together."""
    sources = [*files.complaints.sources, *files.outcomes.sources]
    naive = [source.path.name for source in sources if source.naive]
    if naive and len(naive) < len(sources):
        raise Refused(
            f"the times in {naive[0]} have no UTC offset, those in another file have one: name the time zone of those"
            " without, for instance --timezone Europe/Berlin or --timezone UTC"
        )


def notes_of(history: ComplaintHistory, result: AuditResult, files: FilesRead) -> list[str]:
    """Sentences on how the audit was made, and on what it could not use."""
    notes = [
        f"{plural(result.windows, 'window')} analysed. A group that is found again keeps its id.",
        "The daily quota of new flags does not apply to an audit.",
        "At the end, all clusters were re-scored once with all outcomes.",
        *files.rejections(),
    ]
    if amended := [sentence for source in files.complaints.sources for sentence in source.amended.sentences()]:
        notes.append(
            f"Optional fields that could not be used as they were, and are unknown or cut: {'; '.join(amended)}"
        )
    if history.duplicates:
        notes.append(f"{plural(history.duplicates, 'complaint')} had the id of an earlier one: ignored.")
    if history.repeats:
        notes.append(
            f"{plural(history.repeats, 'complaint')} repeated an earlier one by the same reporter about the same"
            " target: not counted again."
        )
    if (given := share_given(history.complaints)) < MOSTLY_GIVEN:
        notes.append(
            f"{percent(given)} of the complaints come with a context (thread, article) that targets share. For the"
            " others it was inferred from what reporters visit in one sitting, which makes it harder to distinguish"
            " readers of one article from a group."
        )
    cut = result.counters.get("cut", 0)
    if cut:
        notes.append(
            f"Pairs of complaints on crowded targets that were not compared, counted over all windows: {cut:,}. Each"
            " complaint is compared with the 32 before it."
        )
    return notes


def _write(out: Path, text: str) -> None:
    """Write the file atomically: an existing report is always complete."""
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise Refused(f"{out} cannot be written: {error.strerror or error}") from error
