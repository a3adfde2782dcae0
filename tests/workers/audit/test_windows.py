"""Where the windows of an audit lie, and one identity through all of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import DAY, HOUR, Row, document, draw_town, keys_of

from service.errors import Refused
from service.intake.items import COMPLAINT, read_value
from service.model import Complaint
from service.policy import DEFAULT_POLICY, Policy
from service.storage.complaints.feed import FeedOutcome
from service.storage.sql.hashing import key_of
from workers.audit import window_sweeps
from workers.audit.history import Collector, ComplaintHistory
from workers.audit.window_sweeps import sweeps_in
from workers.audit.windows import AuditResult, audit, window_ends
from workers.detection.detector import Detector
from workers.detection.swept_pairs import SweptPairs
from workers.detection.window import Complaints
from workers.large.large_windows import LargeWindows

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def history_of(rows: list[Row]) -> ComplaintHistory:
    collector = Collector(DEFAULT_POLICY.text_min_words)
    for row in rows:
        complaint = read_value(document(row), COMPLAINT, LATER)
        assert isinstance(complaint, Complaint)
        collector.add(complaint)
    return collector.history()[0]


def result(rows: list[Row], outcomes: dict[int, list[FeedOutcome]] | None = None, step: int = 86_400) -> AuditResult:
    return audit(history_of(rows), outcomes or {}, DEFAULT_POLICY, step, lambda done, total: None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 500), st.integers(1, 200), st.integers(1, 90))
def test_the_first_window_ends_one_window_after_the_first_complaint_then_every_step_the_last_at_the_latest(
    first: int, length: int, window: int, step: int
) -> None:
    last = first + length
    ends = list(window_ends(first, last, window, step))
    assert ends[-1] == last
    assert ends[:-1] == [first + window + k * step for k in range(len(ends) - 1)]
    assert (len(ends) == 1) == (length <= window)
    assert last - (ends[-2] if len(ends) > 1 else first) <= max(step, window)


def test_shorter_data_is_one_window() -> None:
    assert result(draw_town(1).rows).windows == 1


def shifted(rows: list[Row], days: float, seq: int) -> list[Row]:
    return [
        replace(r, seq=seq + r.seq, at=r.at + days * DAY, target=r.target + 100_000, context=r.context + 100_000)
        for r in rows
    ]


def test_a_group_seen_in_many_windows_is_one_cluster_with_all_it_did() -> None:
    """The brigade strikes for three weeks: no window sees all of it."""
    town = draw_town(1)
    rows = [*town.rows, *shifted(town.rows, 7, 10_000), *shifted(town.rows, 14, 20_000)]
    rows = [
        replace(r, target=r.target + r.seq // 10_000 * 50_000, context=r.context + r.seq // 10_000 * 50_000)
        for r in rows
    ]
    found = result(rows)
    assert found.windows > 5
    (cluster,) = found.clusters
    assert cluster.members == keys_of(f"r{r}" for r in town.brigades[0])
    assert cluster.disposition == "flagged"
    hits = {r.target for r in rows if r.reporter in town.brigades[0]}
    assert len(cluster.author_by_target) >= 0.9 * len(hits)
    assert cluster.last_us - cluster.first_us > 14 * DAY * 1_000_000


def test_a_group_that_returns_after_leaving_is_the_same_one() -> None:
    town = draw_town(1)
    (once,) = result(town.rows).clusters
    (cluster,) = result([*town.rows, *shifted(town.rows, 40, 10_000)]).clusters
    assert (cluster.members, cluster.disposition) == (once.members, "flagged")
    assert len(cluster.author_by_target) == 2 * len(once.author_by_target)
    assert cluster.last_us - once.last_us == 40 * DAY * 1_000_000


def test_outcomes_are_known_from_their_decision_on_and_all_of_them_at_the_end() -> None:
    town = draw_town(1)
    hits = sorted({r.target for r in town.rows if r.reporter in town.brigades[0]})
    long_after = (town.rows[-1].time_ms + 90 * 86_400_000) * 1000
    told = {
        key_of(f"t{t}"): [FeedOutcome(0, f"o{t}", key_of(f"t{t}"), long_after, "upheld", None, "person", 0)]
        for t in hits
    }
    (cluster,) = result(town.rows, told).clusters
    assert cluster.disposition == "reliable"
    automatic = {t: [replace(o, decided_by="automatic") for o in told[t]] for t in told}
    (same,) = result(town.rows, automatic).clusters
    assert same.disposition == "flagged"


def test_no_quota_holds_anything_back() -> None:
    town = draw_town(3, brigades=2)
    found = audit(history_of(town.rows), {}, replace(DEFAULT_POLICY, flags_per_day=0), 86_400, lambda done, total: None)
    assert [c.disposition for c in found.clusters] == ["flagged", "flagged"]


def test_years_without_a_complaint_cost_nothing_and_change_nothing() -> None:
    town = draw_town(1)
    told: list[tuple[int, int]] = []
    history = history_of([Row(90_001, 1, 90_001, -60 * 365 * DAY), *town.rows])
    found = audit(history, {}, DEFAULT_POLICY, 86_400, lambda done, total: told.append((done, total)))
    (cluster,) = found.clusters
    assert cluster.members == keys_of(f"r{r}" for r in town.brigades[0])
    assert told[-1][0] == told[-1][1]


def test_nothing_is_an_empty_result() -> None:
    assert result([]) == AuditResult([], 0, {})


@pytest.mark.parametrize("step_hours", [6, 24, 24 * 6])
def test_the_step_decides_how_often_not_what_is_found(step_hours: int) -> None:
    town = draw_town(2)
    (cluster,) = result([*town.rows, Row(90_001, 1, 90_001, 30 * DAY)], step=round(step_hours * HOUR)).clusters
    assert cluster.members == keys_of(f"r{r}" for r in town.brigades[0]) and cluster.disposition == "flagged"


def test_windows_swept_in_several_processes_give_what_one_process_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_sweeps, "WORTH_PROCESSES", 0)
    town, later = draw_town(2, brigades=2), draw_town(3)
    history = history_of([*town.rows, *shifted(later.rows, 20, 500_000)])
    alone, told = audit(history, {}, DEFAULT_POLICY, 86_400, lambda done, total: None), []
    beside = audit(history, {}, DEFAULT_POLICY, 86_400, lambda done, total: told.append(done), sweeps_in(2))
    assert len(alone.clusters) >= 2 and alone.windows > 5
    assert beside == alone
    assert told == list(range(1, alone.windows + 1))
    assert not multiprocessing.active_children()


def test_windows_swept_in_duckdb_give_what_numpy_gives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One process has them all, however many may be used: each window takes every core."""
    monkeypatch.setattr(window_sweeps, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(window_sweeps, "ProcessPoolExecutor", None)
    history, week = history_of(draw_town(2, brigades=2).rows), 7 * 86_400
    expected = audit(history, {}, DEFAULT_POLICY, week, lambda done, total: None)
    asked, compare = [], LargeWindows.__call__

    def noted(large: LargeWindows, policy: Policy, batch: Complaints) -> SweptPairs | None:
        asked.append(compare(large, policy, batch))
        return asked[-1]

    monkeypatch.setattr(LargeWindows, "__call__", noted)
    large = sweeps_in(2, LargeWindows(tmp_path, 100, 512 * 2**20))
    assert audit(history, {}, DEFAULT_POLICY, week, lambda done, total: None, large) == expected
    assert asked and None not in asked and expected.clusters


def test_where_processes_cannot_work_together_one_sweeps_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_shared_memory(*_: object) -> None:
        raise OSError(30, "Read-only file system")  # as with /dev/shm read-only

    monkeypatch.setattr(window_sweeps, "WORTH_PROCESSES", 0)
    history = history_of([*draw_town(2, brigades=2).rows, Row(90_001, 1, 90_001, 30 * DAY)])
    alone = audit(history, {}, DEFAULT_POLICY, 86_400, lambda done, total: None)
    monkeypatch.setattr(window_sweeps, "ProcessPoolExecutor", without_shared_memory)
    assert audit(history, {}, DEFAULT_POLICY, 86_400, lambda done, total: None, sweeps_in(2)) == alone


def test_a_process_that_is_ended_from_outside_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_sweeps, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(Detector, "sweep", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    history = history_of([*draw_town(1).rows, Row(90_001, 1, 90_001, 30 * DAY)])
    with pytest.raises(Refused, match="--processes 1"):
        audit(history, {}, DEFAULT_POLICY, 86_400, lambda done, total: None, sweeps_in(2))


def test_an_error_in_a_process_is_the_audit_s_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError("window")

    monkeypatch.setattr(window_sweeps, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(Detector, "sweep", fail)
    history = history_of([*draw_town(1).rows, Row(90_001, 1, 90_001, 30 * DAY)])
    with pytest.raises(ArithmeticError, match="window"):
        audit(history, {}, DEFAULT_POLICY, 86_400, lambda done, total: None, sweeps_in(2))
