"""The audit from files to what was found: reading, windows, figures. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

from service.errors import Refused
from service.intake.items import OUTCOME
from service.model import JsonObject, Outcome, microseconds
from service.moderation.phrases import percent, plural
from service.policy import DEFAULT_POLICY, Policy
from service.tabular.dataframes import Dataframe
from service.tabular.naming import what_is
from service.tabular.options import ReadingOptions
from service.tabular.parquet_folder import size_of
from workers.audit.files import READ_AS_IT_IS, Reading, read_items
from workers.audit.history import Collector, ComplaintHistory
from workers.audit.listings import AuditTable, members_of, targets_of
from workers.audit.outcomes import OutcomeCollector, OutcomesByTarget
from workers.audit.report import report_of
from workers.audit.scenes import AuditScope, ColumnRead, RowsRead, given_fields, scenes_of
from workers.audit.shared_reading import ReadingTask, read_keyed
from workers.audit.verdict_changes import judged_targets
from workers.audit.window_sweeps import Sweeps, sweeps_here
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
    too_late: int = 0  # complaints after the time that the audit ends at

    def rejections(self) -> list[str]:
        """A sentence on the complaints that were rejected, and one on the outcomes; none where none was."""
        found = (self.complaints.sentence("complaints"), self.outcomes.sentence("outcomes"))
        return [sentence for sentence in found if sentence]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in a history, and all that its page and tables are made of."""

    report: JsonObject
    scope: AuditScope
    history: ComplaintHistory
    judged: OutcomesByTarget
    result: AuditResult

    def page(self, links: Mapping[str, str] | None = None, *, embedded: bool = False) -> str:
        """The page for people; see workers.audit.page.page_of."""
        from workers.audit.page import page_of  # brings Jinja2, which nothing else here needs

        scenes = scenes_of(self.result.clusters, self.history, self.judged)
        return page_of(self.report, scenes, self.scope, links or {}, embedded=embedded)

    def members(self) -> AuditTable:
        """The accounts of all clusters."""
        return members_of(self.result.clusters, self.history)

    def targets(self) -> AuditTable:
        """The targets of all clusters."""
        return targets_of(self.result.clusters, self.history, self.judged, self.report["targets"])


def examine(
    paths: Sequence[Path | Dataframe],
    *,
    outcomes: Sequence[Path | Dataframe],
    now: datetime,
    window_seconds: int = DEFAULT_POLICY.window_seconds,
    step_seconds: int = 86_400,
    as_of: datetime | None = None,
    progress: ProgressDisplay | None = None,
    policy: Policy = DEFAULT_POLICY,
    options: ReadingOptions = READ_AS_IT_IS,
    files: FilesRead | None = None,
    sweeps: Sweeps = sweeps_here,
    processes: int = 1,
) -> Examination:
    """Audit the files. Complaints and outcomes after `as_of` are left out; `files` is filled with how reading went;
    `sweeps` says where windows are swept, and so many `processes` share the reading of a large file.

    Raises Refused for unreadable files, for files without one valid complaint, and for a window or step that makes no
    sense.
    """
    shown = progress or Silent()
    _check_window(window_seconds, step_seconds)
    policy = replace(policy, window_seconds=window_seconds)
    files = files or FilesRead()
    history, judged = _read(paths, outcomes, as_of, now, policy, shown, options, files, processes)
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

    result = audit(history, judged, policy, step_seconds, window_done, sweeps)
    return examination_of(result, history, judged, files, policy, step_seconds, as_of, paths, outcomes)


def examination_of(
    result: AuditResult,
    history: ComplaintHistory,
    judged: OutcomesByTarget,
    files: FilesRead,
    policy: Policy,
    step_seconds: int = 86_400,
    as_of: datetime | None = None,
    paths: Sequence[Path | Dataframe] = (),
    outcomes: Sequence[Path | Dataframe] = (),
) -> Examination:
    """The report on a history that was audited, and what its page needs; `files` says how reading it went."""
    by_people = history.target_ids.known(judged_targets(judged))
    notes = _notes(history, result, files)
    report = report_of(result.clusters, history, policy.version, notes, by_people.tolist())
    scope = AuditScope(
        files=tuple(p.name for p in paths),
        outcome_files=tuple(p.name for p in outcomes),
        rows=_rows(history, files),
        columns=tuple(_columns(files)),
        remarks=tuple(_remarks(files)),
        reporters=len(history.reporter_ids),
        targets=len(history.target_ids),
        judged_targets=len(by_people),
        windows=result.windows,
        window_seconds=policy.window_seconds,
        step_seconds=step_seconds,
        as_of=as_of,
        threshold=policy.default_threshold,
        fields=given_fields(history),
    )
    report["summary"] = looked_at(scope) | report["summary"]
    return Examination(report, scope, history, judged, result)


def _check_window(window_seconds: int, step_seconds: int) -> None:
    if window_seconds < 3600 or step_seconds < 3600:
        raise Refused(f"--window is {window_seconds} s and --step {step_seconds} s: both must be at least 3600 s (1 h)")
    if window_seconds > MAX_WINDOW_DAYS * 86_400:
        raise Refused(
            f"--window is {window_seconds // 86_400} d: the longest window is {MAX_WINDOW_DAYS} d; a group that acts"
            " for longer is followed from window to window"
        )


def looked_at(scope: AuditScope) -> JsonObject:
    """What was looked at, for the summary of the report."""
    return {
        "rows": asdict(scope.rows),
        "reporters": scope.reporters,
        "targets": scope.targets,
        "targets_reviewed": scope.judged_targets,
        "given": {field.what: round(field.share, 4) for field in scope.fields},
    }


def _rows(history: ComplaintHistory, files: FilesRead) -> RowsRead:
    read = files.complaints
    return RowsRead(read.items + read.rejected, read.rejected, history.duplicates, history.repeats, files.too_late)


def _columns(files: FilesRead) -> Iterator[ColumnRead]:
    for source in (*files.complaints.sources, *files.outcomes.sources):
        for each in source.read_as:
            yield ColumnRead(source.path.name, each.column, what_is(each.field), each.why)


def _remarks(files: FilesRead) -> Iterator[str]:
    for source in (*files.complaints.sources, *files.outcomes.sources):
        for note in source.notes:
            yield f"{source.path.name}: {note}"


def _read(
    paths: Sequence[Path | Dataframe],
    outcome_paths: Sequence[Path | Dataframe],
    as_of: datetime | None,
    now: datetime,
    policy: Policy,
    progress: ProgressDisplay,
    options: ReadingOptions,
    files: FilesRead,
    processes: int,
) -> tuple[ComplaintHistory, OutcomesByTarget]:
    total = sum(size_of(p) for p in (*paths, *outcome_paths) if isinstance(p, Path))
    progress.stage("reading", total)
    done = 0

    def read(count: int) -> None:
        nonlocal done
        done += count
        progress.advance(done)

    outcomes = OutcomeCollector()
    for path in outcome_paths:
        for outcome in read_items(path, OUTCOME, now, files.outcomes, read, options):
            outcomes.add(cast(Outcome, outcome))
    collector = Collector(policy.text_min_words)
    until_us = None if as_of is None else microseconds(as_of)
    task = ReadingTask(now, options, until_us, policy.text_min_words, outcomes.complaint_ids())
    for path in paths:
        for batch in read_keyed(path, task, files.complaints, read, processes):
            files.too_late += batch.too_late
            collector.take(batch.complaints)
        for outcome in files.complaints.sources[-1].outcomes():
            outcomes.add(outcome)
    _check_offsets(files)
    history, rows = collector.history()
    return history, outcomes.by_target(rows, until_us)


def _check_offsets(files: FilesRead) -> None:
    """Refuse files whose times have no offset beside others that have one: they would not go together."""
    sources = [*files.complaints.sources, *files.outcomes.sources]
    naive = [source.path.name for source in sources if source.naive]
    if naive and len(naive) < len(sources):
        raise Refused(
            f"the times in {naive[0]} have no UTC offset, those in another file have one: name the time zone of those"
            " without, for instance --timezone Europe/Berlin or --timezone UTC"
        )


def _notes(history: ComplaintHistory, result: AuditResult, files: FilesRead) -> list[str]:
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
