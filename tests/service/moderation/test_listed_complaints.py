"""What is part of a group's acts is discounted with it, and enters nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cluster_states import cluster_state

from service.moderation.allowances import Exemptions, to_be_asked, with_exemptions
from service.moderation.cluster_continuation import continued_cluster
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_scoring import rescore, scored
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.listed_complaints import ListedComplaint, by_reporter, listed_with
from service.moderation.restorations import inflations
from service.policy import DEFAULT_POLICY
from service.storage.complaints.feed import FeedOutcome
from tests.service.moderation.test_cluster_identity import DAY_US, STRONG, USUAL, Gang, gang

PEOPLE = range(1, 7)
POSTS, ACCOUNT = (10, 11), 99


def part(who: int, target: int = ACCOUNT, day: int = 1, **fields: Any) -> Membership:
    return Membership(900_000 + 1_000 * day + who, who, target, day * DAY_US, False, **fields)


def known(**fields: Any) -> ClusterState:
    """Six people who complained about two posts, each with the account behind them."""
    found = gang(PEOPLE, POSTS)
    state = cluster_state("k1", found.memberships, evidence=STRONG, probability=1.0, unfounded_probability=1.0)
    return replace(state, **{"listed": {m.seq: m for m in map(part, PEOPLE)}} | fields)


def test_the_groups_of_targets_acts_and_crowds() -> None:
    found = gang(PEOPLE, POSTS)
    listed = by_reporter(
        [
            *(ListedComplaint(part(who, 50), 10) for who in (1, 2)),  # of acts in the group
            *(ListedComplaint(part(who, 11), None) for who in (3, 77)),  # about its own target
            *(ListedComplaint(part(who, 60), 20 + who) for who in (1, 2, 3)),  # a crowd's
            *(ListedComplaint(part(who, 61), 20 + who) for who in (4, 5)),  # nobody else's
        ]
    )

    def taken(enough: float | None) -> list[tuple[int, int]]:
        mine = listed_with(found.memberships, found.reporters, set(POSTS), listed, enough=enough)
        return sorted((m.target, m.reporter) for m in mine)

    always = [(11, 3), (50, 1), (50, 2)]
    assert taken(3) == [*always, (60, 1), (60, 2), (60, 3)]
    assert taken(4) == taken(None) == always


def test_it_lowers_the_count_of_its_target_and_no_score_knows_it() -> None:
    state, bare = known(), known(listed={})
    assert {t: s.discount for t, s in summaries([state]).items()} == {10: 5.0, 11: 5.0, ACCOUNT: 5.0}
    assert summaries([bare]).keys() == {10, 11}
    rejected = {ACCOUNT: [FeedOutcome(1, "o", ACCOUNT, 9 * DAY_US, "rejected", "kept", "person", 0)]}
    one, other = (scored(s, rejected, DEFAULT_POLICY, usual=USUAL, since_us=0, now_us=DAY_US) for s in (state, bare))
    assert replace(one, listed={}) == other
    assert state.first_us == bare.first_us and len(state.author_by_target) == 2


def test_who_is_excluded_counts_again() -> None:
    state = known(members=frozenset({1, 2, 3, 4, 5}), excluded=frozenset({6}))
    assert summaries([state])[ACCOUNT].clusters[0].complaints == 5


def test_a_decision_is_about_it_as_well() -> None:
    judged = known(status="open").with_verdict("not_coordinated")
    assert summaries([judged])[ACCOUNT].discount == 0
    assert judged.with_verdict("not_coordinated") is judged and judged.with_verdict(None) == known(status="open")


def test_a_withdrawn_one_goes_alone() -> None:
    state = known(members=frozenset(PEOPLE), status="decided", verdict="coordinated")
    after = rescore(state, {}, DAY_US, DEFAULT_POLICY, USUAL, [part(1).seq])
    assert after.listed.keys() == state.listed.keys() - {part(1).seq}
    assert (after.members, after.memberships) == (state.members, state.memberships)


def test_a_withdrawn_one_ends_no_group() -> None:
    """Not even one that other thresholds would not have found: nothing of the group itself is withdrawn."""
    larger = replace(DEFAULT_POLICY, min_members=len(PEOPLE) + 1)
    after = rescore(known(), {}, DAY_US, larger, USUAL, [part(1).seq])
    assert (after.disposition, len(after.listed)) == ("flagged", len(PEOPLE) - 1)


def test_the_allow_list_spares_it() -> None:
    changed = with_exemptions([known()], {1}, {})["k1"]
    assert [m.reporter for m in changed.listed.values() if m.exempt] == [1]
    assert summaries([changed])[ACCOUNT].discount == 4
    assert part(1).seq in to_be_asked([changed], Exemptions())
    back = with_exemptions([changed], (), dict.fromkeys(to_be_asked([changed], Exemptions()), False))
    assert back["k1"] == known()


def test_a_removed_account_was_inflated_by_what_came_before() -> None:
    found = inflations([known()], {ACCOUNT: DAY_US}, {ACCOUNT: 8})
    assert (found[ACCOUNT].complaints, found[ACCOUNT].independent) == (8, 3.0)
    assert inflations([known()], {ACCOUNT: DAY_US - 1}, {ACCOUNT: 8}) == {}


def test_it_stays_when_it_leaves_the_window_and_its_people_go_on() -> None:
    since_us = 2 * DAY_US
    seen = gang(PEOPLE, (10, 12))
    new = part(2, 98, day=3)
    again = Gang(seen.reporters - {6}, seen.memberships, seen.evidence, seen.author_by_target, listed=(new,))
    state = known(members=frozenset({1, 2, 3, 4, 5}))
    lost = part(3, 97, day=4)  # of the window, and no longer part of what is found
    state = replace(state, listed={**state.listed, lost.seq: lost})
    after = continued_cluster(state, again, [], since_us)
    assert {(m.reporter, m.target) for m in after.listed.values()} == {*((w, ACCOUNT) for w in range(1, 6)), (2, 98)}
