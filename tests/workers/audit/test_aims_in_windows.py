"""The audit's windows: what is told about the targets that groups aim at."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from worlds import Row, Town, document, draw_town

from service.model import Complaint
from service.policy import DEFAULT_POLICY
from service.storage.sql.hashing import key_of
from workers.audit import windows
from workers.audit.history import Collector, ComplaintHistory
from workers.audit.windows import audit
from workers.detection.detector import Detector
from workers.detection.target_traits import TargetTraits, UsualTraits, traits_of

DAY = 86_400
POLICY = replace(DEFAULT_POLICY, window_seconds=6 * DAY)


def complaint(row: Row, section: str) -> Complaint:
    body: dict[str, Any] = document(row)
    body["target"] |= {"attributes": {"section": section}, "excerpt": f"Ein Kommentar Nummer {section}"}
    return Complaint.model_validate_json(json.dumps(body))


def collected(town: Town) -> ComplaintHistory:
    """The brigade's targets are in politics, of the others one in ten."""
    aimed = {row.target for row in town.rows if row.reporter in town.brigades[0]}
    collector = Collector(DEFAULT_POLICY.text_min_words)
    for row in town.rows:
        collector.add(complaint(row, "politics" if row.target in aimed or row.target % 10 == 9 else "sports"))
    return collector.history()[0]


@pytest.fixture(scope="module")
def history() -> ComplaintHistory:
    return collected(draw_town(5, brigades=1, hits=16, complaints=800))


def test_each_target_s_traits_are_collected_from_its_first_complaint(history: ComplaintHistory) -> None:
    assert set(history.traits) == set(history.complaints.target.tolist())
    collector, row = Collector(5), Row(1, 7, 3, 0.0)
    collector.add(complaint(row, "sports"))
    collector.add(complaint(replace(row, seq=2, reporter=8), "politics"))
    assert dict(collector.history()[0].traits) == {
        key_of("t3"): traits_of({"attributes": {"section": "sports"}, "excerpt": "Ein Kommentar Nummer sports"})
    }


def test_a_cluster_s_evidence_and_sentence_say_what_it_aims_at(history: ComplaintHistory) -> None:
    result = audit(history, {}, POLICY, DAY, lambda done, total: None)
    flagged = [c for c in result.clusters if c.disposition == "flagged"]
    assert flagged
    for cluster in flagged:
        told = {e.signal: e for e in cluster.evidence if e.signal.startswith("aim_")}
        assert {"aim_section", "aim_word"} <= set(told), "politics as an attribute and as a word"
        assert told["aim_section"].value > 0.8 and told["aim_section"].usual < 0.5
        assert " targets " in cluster.summary and "politics" in cluster.summary


def test_the_base_rate_is_asked_for_only_when_a_group_is_new_or_aims_elsewhere(
    history: ComplaintHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    usual = TargetTraits.usual

    def counted(self: TargetTraits, targets: Any) -> UsualTraits:
        asked.append(len(targets))
        return usual(self, targets)

    monkeypatch.setattr(TargetTraits, "usual", counted)
    _, groups = Detector.sweep(POLICY, history.complaints)
    target = history.complaints.target
    first = windows.traits_by_targets(history, target, groups, {})
    assert set(first) == {g.targets for g in groups} != set()
    assert asked == [len(np.unique(target))], "once for all groups of a window"
    assert windows.traits_by_targets(history, target[:100], groups, first) == first
    assert windows.traits_by_targets(history, target, [], first) == {}
    assert len(asked) == 1
    grown = [replace(g, targets=g.targets | {key_of("t1")}) for g in groups]
    assert set(windows.traits_by_targets(history, target, grown, first)) == {g.targets for g in grown}
    assert len(asked) == 2
