"""The four short answers at the head of a case."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from case_scenes import EVIDENCE

from service.console.case_answers import case_answers
from service.console.chart_data import signals_of
from service.model import Evidence
from service.storage.cases.case_files import TargetRow

AT = datetime(2026, 3, 2, tzinfo=UTC)
EVIDENCE_READ = [Evidence(**one) for one in EVIDENCE]
PLAIN = TargetRow(1, "t1", {}, 24, 22, 1.0, "none", AT, None, None, None, None, None)


def target(**changes: Any) -> TargetRow:
    return dataclasses.replace(PLAIN, **changes)


def test_accounts_are_described_by_traits_far_more_frequent_than_normal() -> None:
    common = [
        Evidence(signal="shared_fingerprints", value=0.3, usual=0.25, contribution=1, text=""),
        Evidence(signal="near_duplicate_texts", value=0.1, usual=0.0, contribution=1, text=""),
    ]
    seen = case_answers([*EVIDENCE_READ, *common], signals_of(EVIDENCE_READ), [], 8)
    assert seen.who == ("50 % have new accounts",)


def test_targets_are_described_by_the_groups_effect_on_them() -> None:
    rows = [
        target(recommendation="hold", action="removed"),
        target(recommendation="hold"),
        target(action="restored"),
        target(),
    ]
    assert case_answers([], [], rows, 8).what == (
        "2 reach the removal threshold of 8 only because of them",
        "1 removed",
        "1 restored",
    )
    assert case_answers([], [], [target()], 8).what == ()


def test_the_three_strongest_signals_of_coordination_are_named() -> None:
    assert case_answers(EVIDENCE_READ, signals_of(EVIDENCE_READ), [], 8).why == (
        "Unlikely by chance",
        "Across threads",
        "Focus on these targets",
    )


def test_reviewed_targets_are_counted() -> None:
    assert case_answers([], [], [target()], 8).reviewed == "acting together, not judged yet"
    assert (
        case_answers([], [], [target(verdict="rejected")], 8).reviewed
        == "moderators rejected the complaints on the one target reviewed"
    )
    assert (
        case_answers([], [], [target(verdict="rejected"), target(verdict="upheld"), target()], 8).reviewed
        == "moderators rejected the complaints on 1 of 2 targets reviewed and upheld the other"
    )
    assert (
        case_answers([], [], [target(verdict="upheld"), target(verdict="upheld")], 8).reviewed
        == "moderators upheld the complaints on all 2 targets reviewed"
    )


def test_devices_that_many_others_use_are_named_as_no_evidence() -> None:
    rare = [Evidence(signal="shared_fingerprints", value=0.2, usual=0.15, contribution=0, text="")]
    devices = ["A"] * 6 + ["B"] * 2 + [None] * 2
    assert case_answers(rare, [], [], 8, devices).who == (
        "6 of 10 are on devices or networks that many others use, too: no evidence",
    )
    assert case_answers(rare, [], [], 8, ["B", "B", *[None] * 8]).who == ()
    assert case_answers([], [], [], 8, devices).who == (), "nothing was measured"
