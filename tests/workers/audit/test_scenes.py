"""What is seen of a cluster."""

from __future__ import annotations

from datetime import timedelta

import pytest
from audit_world import START, cluster_in, history_of, outcome

from service.charts.burst import HOURS as BURST_HOURS
from service.charts.burst import HOURS_BEFORE
from service.charts.lockstep import COLUMNS, ROWS, Cell
from service.model import Evidence
from service.storage.sql.hashing import key_of
from workers.audit.scenes import TARGET_LINES, given_fields, scenes_of

FILED = [
    ("ann", "t2", 0),
    ("bob", "t2", 60),
    ("eve", "t2", 90),
    ("bob", "t1", 7200),
    ("cid", "t1", 7260),
    ("ann", "t1", 9000),
    ("eve", "t3", 10),
]
MEMBERS = ("ann", "bob", "cid")


def scene(filed=FILED, members=MEMBERS, outcomes=None, **changed):  # type: ignore[no-untyped-def]
    history = history_of(filed)
    return scenes_of([cluster_in(history, members, **changed)], history, outcomes or {})["k1"]


def test_rows_are_reporters_and_columns_targets_by_their_first_complaint() -> None:
    steps = scene().lockstep
    assert steps.reporters == ("ann", "bob", "cid")
    assert [(c.number, c.first_at) for c in steps.columns] == [(1, START), (2, START + timedelta(seconds=7200))]


def test_a_cell_tells_how_long_after_the_first_member_somebody_complained() -> None:
    assert scene().lockstep.cells == (Cell(0, 0, 0), Cell(0, 1, 1800), Cell(1, 0, 60), Cell(1, 1, 0), Cell(2, 1, 60))


def test_a_stranger_who_was_there_first_does_not_start_the_clock() -> None:
    steps = scene([("eve", "t1", 0), ("ann", "t1", 500), ("bob", "t1", 800)], ("ann", "bob")).lockstep
    assert [c.lag_seconds for c in steps.cells] == [0, 300]


def test_the_busiest_are_kept_where_there_are_too_many_and_the_rest_is_counted() -> None:
    people = [f"r{k}" for k in range(ROWS + 7)]
    filed = [(r, f"t{v}", 100 * v + k) for k, r in enumerate(people) for v in range(COLUMNS + 5) if k >= 7 or v == 0]
    steps = scene(filed, people).lockstep
    assert (len(steps.reporters), steps.reporters_left_out) == (ROWS, 7)
    assert (len(steps.columns), steps.targets_left_out) == (COLUMNS, 5)
    assert not {"r0", "r6"} & set(steps.reporters)
    assert len(steps.cells) == ROWS * COLUMNS


def test_every_column_has_its_line_in_the_table_of_targets() -> None:
    filed = [(r, f"t{v}", 100 * v + k) for k, r in enumerate(MEMBERS) for v in range(TARGET_LINES + 9)]
    seen = scene(filed)
    assert seen.targets_left_out == 9
    assert {c.number for c in seen.lockstep.columns} <= {line.number for line in seen.targets}


def test_a_target_s_line_has_everybody_s_complaints_and_the_members_own() -> None:
    first = scene().targets[0]
    assert (first.number, first.id, first.complaints, first.by_members, first.spread_seconds) == (1, "t2", 3, 2, 60)


@pytest.mark.parametrize(
    ("by", "after", "judged"),
    [("person", 1e6, "rejected"), ("appeal", 1e6, "rejected"), ("automatic", 1e6, None), ("person", -1, None)],
)
def test_only_people_judge_and_only_what_was_filed_before(by: str, after: float, judged: str | None) -> None:
    seen = scene(outcomes={key_of("t2"): [outcome("t2", "rejected", decided_by=by, after=after)]})
    assert [line.judged for line in seen.targets] == [judged, None]
    assert seen.unjudged == (1 if judged else 2)


def test_the_burst_lies_around_the_densest_day_and_tells_members_from_others() -> None:
    filed = [("ann", "t1", 0), ("eve", "t1", 50 * 86_400 + 4000)] + [
        (r, t, 50 * 86_400 + k) for k, (r, t) in enumerate((r, t) for r in MEMBERS for t in ("t2", "t3"))
    ]
    burst = scene([*filed, ("bob", "t1", 50 * 86_400 + 7300)]).burst
    assert len(burst.members) == len(burst.others) == BURST_HOURS
    assert burst.start == START + timedelta(days=50, hours=-HOURS_BEFORE)
    assert {k: n for k, n in enumerate(burst.members) if n} == {HOURS_BEFORE: 6, HOURS_BEFORE + 2: 1}
    assert {k: n for k, n in enumerate(burst.others) if n} == {HOURS_BEFORE + 1: 1}


def test_the_band_of_the_usual_comes_from_the_evidence_where_it_is_told() -> None:
    told = Evidence(signal="burst", value=9, usual=4.0, contribution=0, text="")
    assert (scene(evidence=(told,)).burst.usual_per_hour, scene(evidence=(told,)).burst.usual_high) == (4.0, 10)
    # one other complaint, one more, in two and a half hours
    assert scene().burst.usual_per_hour == pytest.approx(2 / 2.5)


def test_a_merged_cluster_is_seen_through_its_survivor() -> None:
    history = history_of(FILED)
    both = [cluster_in(history, MEMBERS), cluster_in(history, MEMBERS, id="k2", disposition="merged", merged_into="k1")]
    assert set(scenes_of(both, history, {})) == {"k1"}


def test_a_cluster_whose_complaints_are_gone_has_no_scene() -> None:
    history = history_of(FILED)
    assert scenes_of([cluster_in(history, ("nobody",))], history, {}) == {}


def test_what_no_complaint_says_is_told_in_none_of_them() -> None:
    shares = {told.what: told.share for told in given_fields(history_of(FILED, context_id="article"))}
    assert shares.pop("context (thread, article) of the target") == 1
    assert set(shares.values()) == {0}
