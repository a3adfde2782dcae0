"""The audit counts what is part of another complaint's act for its target, as the live service does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from audit_world import START, cluster_in

from service.model import Complaint, Reporter, Target
from service.moderation.cluster_state import ClusterState
from service.storage.sql.hashing import key_of
from workers.audit.history import Collector, ComplaintHistory
from workers.audit.listings import targets_of
from workers.audit.report import report_of
from workers.audit.scenes import scenes_of

MEMBERS = [f"m{k}" for k in range(12)]
HONEST = [f"h{k}" for k in range(4)]


def town() -> tuple[ComplaintHistory, ClusterState]:
    """Twelve who report an account, six of them by a status of it, and four others; all of them name one status."""
    collector = Collector(5)
    for k, who in enumerate([*MEMBERS, *HONEST]):
        for what in ("status", "account"):
            collector.add(
                Complaint(
                    id=f"{who}/{what}",
                    occurred_at=START + timedelta(seconds=60 * k),
                    reporter=Reporter(id=who),
                    target=Target(id=what),
                    part_of=f"{who}/status" if what == "account" and k % 2 else None,
                )
            )
    history = collector.history()[0]
    state = cluster_in(history, MEMBERS)
    listed = {one.filed.seq: one.filed for one in history.listed if one.filed.reporter in state.members}
    return history, replace(state, listed=listed, probability=1.0, unfounded_probability=1.0)


def test_the_report_its_tables_and_its_page_count_them() -> None:
    history, state = town()
    assert (len(history.listed), len(state.listed)) == (8, 6)
    report = report_of([state], history, "1", [])
    counts = {row["id"]: (row["complaints"], row["independent_complaints"]) for row in report["targets"]}
    assert counts == {"status": (16, 5.0), "account": (16, 5.0)}
    assert [tuple(row.values()) for row in report["summary"]["thresholds"]] == [
        (5, 2, 2),
        (8, 2, 0),
        (10, 2, 0),
        (20, 0, 0),
    ]
    rows = {row[2]: row[3:6] for row in targets_of([state], history, {}, report["targets"]).rows}
    assert rows == {"status": (16, 12, 5.0), "account": (16, 12, 5.0)}
    scene = scenes_of([state], history, {})[state.id]
    assert {line.id: (line.complaints, line.by_members) for line in scene.targets} == {
        "status": (16, 12),
        "account": (16, 12),
    }


def test_those_of_a_window_are_found_by_their_time() -> None:
    history, _ = town()
    first_ms = int(history.complaints.time_ms[0])
    found = history.listed_between(first_ms + 60_000, first_ms + 5 * 60_000)
    assert found.keys() == {key_of(f"m{k}") for k in (1, 3, 5)}
