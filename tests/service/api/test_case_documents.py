"""The example of a case in the OpenAPI document is what the service answers about such a group."""

from __future__ import annotations

import pytest
from worlds import columns, draw_town

from service.api.case_documents import CLUSTER
from service.model import Cluster
from service.moderation.log_odds import sigmoid
from service.moderation.outcomes import VerdictTally
from service.moderation.score import judge
from service.moderation.signals.registry import COORDINATION
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY
from workers.detection.detector import Detector


def test_the_example_has_the_signals_of_a_found_group_in_their_order() -> None:
    [group] = Detector.sweep(DEFAULT_POLICY, columns(draw_town(0, members=3, hits=4).rows))[1]
    verdict = judge(group.evidence, VerdictTally(0, 0, 4), 4, usual=Usual(), flag_score=DEFAULT_POLICY.flag_score)
    shown = Cluster.model_validate(CLUSTER, strict=False)
    assert [e.signal for e in shown.evidence] == [e.signal for e in verdict.evidence]
    assert {"pace", "prior"} <= {e.signal for e in shown.evidence}
    for name in ("base", "lockstep", "devotion", "group", "span", "one_author", "outcomes"):
        [ours], [real] = ([e for e in found if e.signal == name] for found in (shown.evidence, verdict.evidence))
        assert ours.usual == real.usual, name
    assert shown.disposition == verdict.disposition


def test_the_figures_of_the_example_agree_with_each_other() -> None:
    shown = Cluster.model_validate(CLUSTER, strict=False)
    coordinated = sum(e.contribution for e in shown.evidence if e.signal in COORDINATION)
    unfounded = sum(e.contribution for e in shown.evidence if e.signal not in COORDINATION)
    assert shown.score == pytest.approx(coordinated + unfounded, abs=0.005)
    assert shown.probability == pytest.approx(sigmoid(coordinated), abs=0.005)
    assert shown.unfounded_probability == pytest.approx(sigmoid(unfounded), abs=0.005)
    assert (shown.reporter_count, shown.target_count) == (len(shown.reporters), len(shown.targets))
    assert set(shown.settle_with) <= set(shown.targets)
