"""Which events a change of clusters makes: each once, no storm, and nothing where nothing is news."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from cluster_states import cluster_state

from service.model import Cluster, Decision
from service.moderation.assessment import ClusterPart, summarise
from service.moderation.case_events import (
    cluster_events,
    decision_events,
    hold_event,
    hold_key,
    is_held,
    restore_event,
    warn_event,
)
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.events import DEFAULT_TYPES, Event
from service.moderation.restorations import Restoration
from service.moderation.warnings import Suggestion

HOUR_US = 3_600_000_000
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def cluster(
    identity: str = "k1",
    *,
    members: Iterable[int] = range(5),
    targets: Iterable[int] = (1, 2),
    hours: float = 1,
    **changes: Any,
) -> ClusterState:
    people, places = sorted(members), sorted(targets)
    filed = [(r, t) for r in people for t in places]
    memberships = [
        Membership(n, r, t, round(hours * HOUR_US) if n == 1 else 0, False) for n, (r, t) in enumerate(filed, 1)
    ]
    state = cluster_state(identity, memberships, summary="5 accounts; acting together, not judged yet.")
    return replace(state, **changes)


def told(before: ClusterState | None, after: ClusterState) -> list[Event]:
    return cluster_events({} if before is None else {before.id: before}, {after.id: after})


def types(events: Iterable[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_new_flag_is_told_and_one_that_is_held_back_is_not() -> None:
    (event,) = told(None, cluster())
    assert (event.type, event.key) == ("cluster.flagged", "k1/1")
    assert (
        event.data["cluster_id"] == "k1"
        and event.data["reporter_count"] == 5
        and event.data["target_count"] == 2
        and event.data["url"] == "/v1/clusters/k1"
    )
    assert event.data["first_at"] == "1970-01-01T00:00:00Z" and event.data["last_at"] == "1970-01-01T01:00:00Z"
    for disposition in ("held_back", "reliable", "revoked", "merged"):
        assert told(None, cluster(disposition=disposition)) == []


def test_a_flag_that_is_released_later_is_told_then() -> None:
    assert types(told(cluster(disposition="held_back"), cluster(version=2))) == ["cluster.flagged"]


def test_a_changed_score_alone_causes_no_event() -> None:
    assert told(cluster(), cluster(score=9.0, probability=0.99, summary="other")) == []


@pytest.mark.parametrize(("disposition", "because"), [("revoked", "a sweep no longer finds it"), ("reliable", None)])
def test_a_cluster_that_is_no_longer_flagged_is_reported_as_revoked_with_the_reason(
    disposition: str, because: str | None
) -> None:
    (event,) = told(cluster(), cluster(disposition=disposition, version=2, revoked_because=because))
    assert event.type == "cluster.revoked"
    assert event.data["disposition"] == disposition and event.data["because"] == (
        because or "moderators upheld its complaints"
    )


def test_what_was_never_told_as_flagged_is_not_revoked_either() -> None:
    for disposition in ("held_back", "reliable"):
        assert told(cluster(disposition=disposition), cluster(disposition="revoked", version=2)) == []


def test_a_flag_that_comes_back_is_another_event() -> None:
    (first,), (again,) = told(None, cluster()), told(cluster(disposition="revoked", version=2), cluster(version=3))
    assert first.type == again.type == "cluster.flagged" and first.key != again.key


def test_a_fifth_more_is_growth_and_less_is_not() -> None:
    before = cluster(members=range(50))
    assert told(before, cluster(members=range(51), version=2)) == []
    (event,) = told(before, cluster(members=range(62), version=2))
    assert (event.type, event.data["gained_reporters"], event.data["gained_targets"]) == ("cluster.grown", 12, 0)


def test_growing_one_by_one_tells_as_often_as_the_ladder_has_steps() -> None:
    states = [cluster(members=range(n), version=n) for n in range(5, 500)]
    events = [event for before, after in pairwise(states) for event in told(before, after)]
    assert 15 <= len(events) <= 26, "log(100) / log(1.2) is 25"
    assert len({e.key for e in events}) == len(events)


def test_coming_and_going_around_a_step_is_the_same_event() -> None:
    events = told(cluster(members=range(5)), cluster(members=range(6), version=2)) + told(
        cluster(members=range(5), version=3), cluster(members=range(6), version=4)
    )
    assert len(events) == 2 and len({(e.type, e.key) for e in events}) == 1


def test_a_new_target_is_told_once_an_hour_of_event_time() -> None:
    before = cluster(targets=range(100), hours=1.1)
    assert told(before, cluster(targets=range(101), hours=1.2, version=2)) == []
    (event,) = told(before, cluster(targets=range(101), hours=2.2, version=2))
    assert (event.type, event.data["gained_targets"]) == ("cluster.grown", 1)
    assert told(before, cluster(targets=range(100), hours=2.2)) == [], (
        "more complaints on the same targets are no new target"
    )


def test_growth_that_reopens_a_decided_case_is_always_told() -> None:
    before = cluster(members=range(50), status="decided", verdict="coordinated")
    (event,) = told(before, cluster(members=range(50), status="open", verdict="coordinated", version=2))
    assert event.type == "cluster.grown" and event.data["reopened"] is True


def test_a_merge_is_told_by_the_survivor_alone() -> None:
    before = {"k1": cluster("k1", members=range(50)), "k2": cluster("k2")}
    changed = {
        "k1": cluster("k1", members=range(50), version=2),
        "k2": cluster("k2", disposition="merged", merged_into="k1", version=2),
    }
    (event,) = cluster_events(before, changed)
    assert (event.type, event.data["cluster_id"], event.data["absorbed"]) == ("cluster.grown", "k1", ["k2"])


def test_a_flag_that_merges_into_what_is_no_flag_is_revoked() -> None:
    before = {"k1": cluster("k1", disposition="reliable"), "k2": cluster("k2")}
    changed = {
        "k1": cluster("k1", disposition="reliable", version=2),
        "k2": cluster("k2", disposition="merged", merged_into="k1", version=2),
    }
    (event,) = cluster_events(before, changed)
    assert (event.type, event.data["cluster_id"], event.data["because"]) == ("cluster.revoked", "k2", "merged into k1")


def public(disposition: str, version: int = 2, **changes: Any) -> Cluster:
    fields: dict[str, Any] = {
        "id": "k1",
        "kind": "repeat",
        "disposition": disposition,
        "status": "decided",
        "coordination_score": 3.5,
        "score": 4.0,
        "probability": 0.9,
        "unfounded_probability": 0.5,
        "first_at": NOW,
        "last_at": NOW,
        "reporter_count": 3,
        "target_count": 2,
        "summary": "s",
        "evidence": [],
        "policy_version": "2026.12",
        "version": version,
        "reporters": ["a", "b", "c"],
        "targets": ["t", "u"],
    }
    return Cluster(**{**fields, **changes})


def decision(verdict: str, identity: str = "d1", **changes: Any) -> Decision:
    return Decision(
        **{
            "id": identity,
            "cluster_id": "k1",
            "at": NOW,
            "by": "ann",
            "verdict": verdict,
            "reason_code": "brigade",
            "note": "she said <b>secret</b>",
            "version": 1,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("before", "after", "verdict", "expected"),
    [
        ("flagged", "flagged", "coordinated", ["cluster.decided"]),
        ("held_back", "flagged", "coordinated", ["cluster.decided", "cluster.flagged"]),
        ("flagged", "revoked", "not_coordinated", ["cluster.decided", "cluster.revoked"]),
        ("revoked", "flagged", "not_coordinated", ["cluster.decided", "cluster.flagged"]),
        ("flagged", "flagged", "snoozed", ["cluster.decided"]),
    ],
)
def test_a_decision_is_told_with_what_it_does_to_the_flag(
    before: str, after: str, verdict: str, expected: list[str]
) -> None:
    events = decision_events(before, public(after), decision(verdict))
    assert types(events) == expected
    assert events[0].key == "d1" and events[0].data["decision"]["verdict"] == verdict
    assert "secret" not in json.dumps([e.data for e in events]), "a note is for moderators"


def test_a_reversal_is_a_decision_of_its_own() -> None:
    (first,) = decision_events("flagged", public("flagged"), decision("coordinated"))
    (second,) = decision_events("flagged", public("flagged", 3), decision("coordinated", "d2", reverses="d1"))
    assert first.key != second.key and second.data["decision"]["reverses"] == "d1"


CERTAIN = summarise(
    [ClusterPart("k1", 1.0, 1.0, 1.0, True, set(range(10))), ClusterPart("k2", 0.5, 0.5, 0.25, True, set(range(8, 12)))]
)


def test_a_target_is_held_from_the_threshold_on_while_the_independent_stay_below() -> None:
    assert [is_held(n, CERTAIN, 8) for n in (7, 8, 12, 30)] == [False, True, True, False]
    assert not is_held(12, CERTAIN, 13)


def test_a_hold_is_the_same_while_target_carrier_and_threshold_are() -> None:
    event = hold_event("comment/5", 12, CERTAIN, 8, "2026.12")
    assert event.key == hold_key("comment/5", CERTAIN, 8) == "comment/5/k1/8"
    assert event.data["url"] == "/v1/targets/comment%2F5" and event.data["brief_url"] == "/v1/targets/comment%2F5/brief"
    assert (
        event.data["complaints"] == 12
        and event.data["independent_complaints"] < 8
        and [c["id"] for c in event.data["clusters"]] == ["k1", "k2"]
    )
    twins = summarise([ClusterPart(name, 1.0, 1.0, 1.0, True, {n}) for n, name in enumerate(["kb", "ka", "kc"])])
    assert hold_key("t", twins, 8) == "t/ka/8"


def test_every_type_is_known_and_its_data_are_small_json() -> None:
    removal = Restoration(5, "open", 1.2, 12, 3.0, 8, tuple(f"k{n}" for n in range(500)), "o1", 0, "automatic", 0, 0, 0)
    warned = Suggestion(12, 13, 10, 2, 90 * 86_400, tuple(f"k{n}" for n in range(500)))
    many = summarise([ClusterPart(f"k{n}", 1.0, 1.0, 1.0, True, {n, n + 1}) for n in range(500)])
    events = [
        *told(None, cluster()),
        *told(cluster(), cluster(members=range(9), version=2)),
        *told(cluster(), cluster(disposition="revoked")),
        *decision_events("flagged", public("flagged"), decision("snoozed")),
        hold_event("t", 600, many, 8, "v"),
        restore_event("t", removal, "v"),
        warn_event("r/1", warned, 0),
    ]
    assert set(types(events)) == set(DEFAULT_TYPES) - {"campaign.formed", "campaign.grown"}  # test_campaigns.py
    assert all(len(json.dumps(event.data)) < 3_000 for event in events)
