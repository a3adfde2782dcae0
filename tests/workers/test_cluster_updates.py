"""Which stored clusters the live detector knows as leads, as they change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.moderation.cluster_state import ClusterState, Membership
from service.policy import DEFAULT_POLICY
from workers.cluster_updates import ClusterUpdates

FLAGGED = ClusterState(
    id="k1",
    kind="repeat",
    disposition="flagged",
    status="open",
    members=frozenset({1, 2, 3}),
    excluded=frozenset({4}),
    memberships={k: Membership(k, k, 10, 5_000_000 + k, False) for k in (1, 2, 3, 4)},
    author_by_target={10: 0, 11: 0},
    evidence=(),
    score=1.0,
    probability=0.9,
    unfounded_probability=0.5,
    settle_with=(),
    summary="",
    policy_version="",
    version=1,
    found_us=0,
)


def known(state: ClusterState) -> frozenset[int] | None:
    """The members who are known after the stored cluster has become this one."""
    clusters = ClusterUpdates(1, DEFAULT_POLICY, {"k1": FLAGGED})
    clusters.keep({"k1": state})
    found = clusters.known.by_id.get("k1")
    return None if found is None else found.members


@pytest.mark.parametrize(
    ("changes", "members"),
    [
        ({}, {1, 2, 3}),
        ({"disposition": "held_back"}, {1, 2, 3}),
        ({"members": frozenset({1, 2}), "excluded": frozenset({3, 4})}, {1, 2}),
        ({"status": "decided", "verdict": "coordinated", "probability": 0.0}, {1, 2, 3}),
        ({"status": "decided", "verdict": "not_coordinated", "disposition": "revoked"}, None),
        ({"disposition": "revoked"}, None),
        ({"disposition": "reliable"}, None),
        ({"disposition": "merged", "merged_into": "k0"}, None),
        ({"unfounded_probability": 0.0}, None),
        ({"kind": "one_shot"}, None),
    ],
)
def test_what_takes_something_off_the_count_is_known_without_the_excluded(
    changes: dict[str, Any], members: set[int] | None
) -> None:
    assert known(replace(FLAGGED, **changes)) == members


def test_a_cluster_begins_with_its_first_complaint_deleted_ones_too() -> None:
    clusters = ClusterUpdates(1, DEFAULT_POLICY, {"k1": FLAGGED})
    assert clusters.known.by_id["k1"].first_ms == 5_000
    clusters.keep({"k1": replace(FLAGGED, trimmed_us=(1_000_000, 2_000_000))})
    assert clusters.known.by_id["k1"].first_ms == 1_000
