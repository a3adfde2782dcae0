"""Identity through recomputations: what keeps its name, what a decision, age, outcomes and withdrawals do to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.model import Evidence, Kind
from service.moderation.cluster_discounts import parts_by_target
from service.moderation.cluster_scoring import rescore
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY, Policy
from service.storage.complaints.feed import FeedOutcome

DAY_US = 86_400_000_000
WINDOW_DAYS = 14
USUAL = Usual(upheld=0.4, unfounded=0.5)


def evidence(total: float, lockstep: float = 0.5) -> tuple[Evidence, ...]:
    """Structural evidence that sums to `total`."""
    rows = [("base", -1.5, 1.0), ("lockstep", 2 * lockstep, lockstep), ("group", total + 1.5 - 2 * lockstep, 3.0)]
    return tuple(
        Evidence(signal=name, value=value, usual=0, p_value=None, contribution=part, text=name)
        for name, part, value in rows
    )


STRONG, WEAK = evidence(2.5), evidence(-1.0)
CROWD = (Evidence(signal="slice", value=6, usual=0, p_value=1e-6, contribution=3.5, text="crowd"),)


@dataclass(frozen=True, eq=False)
class Gang:
    """A group as detection finds it: everybody complained about every target; target k on day k."""

    reporters: frozenset[int]
    memberships: tuple[Membership, ...]
    evidence: tuple[Evidence, ...]
    author_by_target: Mapping[int, int]
    kind: Kind = "repeat"
    continues: str | None = None
    listed: tuple[Membership, ...] = ()


def complaint(who: int, target: int, exempt: bool = False) -> Membership:
    return Membership(
        seq=1_000 * target + who, reporter=who, target=target, time_us=target * DAY_US + who * 1_000_000, exempt=exempt
    )


def gang(
    people: Iterable[int], targets: Iterable[int], told: tuple[Evidence, ...] = STRONG, exempt: Iterable[int] = ()
) -> Gang:
    who, what, spared = sorted(people), sorted(targets), set(exempt)
    return Gang(
        frozenset(who), tuple(complaint(w, t, w in spared) for t in what for w in who), told, dict.fromkeys(what, 7)
    )


class Keeper:
    """Stored clusters, and what recomputations make of them."""

    def __init__(self, policy: Policy = DEFAULT_POLICY) -> None:
        self.policy, self.states, self._numbers = policy, dict[str, ClusterState](), count(1)
        self.outcomes: dict[int, list[FeedOutcome]] = {}

    def sees(self, day: float, *groups: Gang, complete: bool = True) -> dict[str, ClusterState]:
        """A sweep (or a tick) on that day; returns what changed."""
        now = round(day * DAY_US)
        found = Recomputation(groups, self.outcomes, now - WINDOW_DAYS * DAY_US, now, complete, USUAL)
        changed = reconcile(self.states, found, self.policy, lambda: f"k{next(self._numbers)}")
        self.states.update(changed)
        return changed

    def learns(self, day: float, *told: FeedOutcome, withdrawn: Iterable[int] = ()) -> None:
        for outcome in told:
            self.outcomes.setdefault(outcome.target, []).append(outcome)
        for state in list(self.states.values()):
            if state.disposition != "merged":
                self.states[state.id] = rescore(
                    state, self.outcomes, round(day * DAY_US), self.policy, USUAL, withdrawn
                )

    def decides(self, cluster: str, verdict: str, *, excluding: Iterable[int] = ()) -> None:
        """What the API and the worker leave of a moderator's decision."""
        state, out = self.states[cluster], frozenset(excluding)
        members = state.members - out
        self.states[cluster] = replace(
            state,
            status="decided",
            verdict=verdict,
            members=members,
            excluded=state.excluded | out,
            version=state.version + 1,  # type: ignore[arg-type]
            disposition="flagged" if verdict == "coordinated" else "revoked",
            decided_reporters=len(members),
            decided_targets=len(state.author_by_target),
            memberships={s: replace(m, verdict=verdict) for s, m in state.memberships.items()},  # type: ignore[arg-type]
        )

    def __getitem__(self, cluster: str) -> ClusterState:
        return self.states[cluster]


def outcome(
    target: int, verdict: str | None, *, day: float | None = None, by: str = "person", name: str = "", about: int = 0
) -> FeedOutcome:
    decided = round((target + 0.5 if day is None else day) * DAY_US)
    return FeedOutcome(1, name or f"o{target}-{decided}-{by}-{verdict}", target, decided, verdict, None, by, about)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


# --- identity


def test_a_group_seen_again_keeps_its_id_and_takes_the_new_result(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    keeper.sees(5, gang(range(1, 8), [2, 3, 4]))
    assert set(keeper.states) == {"k1"}
    assert keeper["k1"].members == frozenset(range(1, 8)) and set(keeper["k1"].author_by_target) == {2, 3, 4}


@pytest.mark.parametrize(("shared", "ids"), [(3, {"k1"}), (2, {"k1", "k2"})])
def test_half_of_the_smaller_makes_it_the_same(keeper: Keeper, shared: int, ids: set[str]) -> None:
    keeper.sees(4, gang(range(20), [1, 2, 3]))
    keeper.sees(4, gang([*range(shared), *range(100, 106 - shared)], [1, 2, 3]), complete=False)
    assert set(keeper.states) == ids


def test_the_most_members_in_common_decide_and_ties_go_to_the_older(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2]), gang(range(10, 16), [3, 4]))
    older = next(s.id for s in keeper.states.values() if 0 in s.members)
    assert keeper[older].found_us < max(s.found_us for s in keeper.states.values())
    # Three of each: whoever it is, the other one is merged into the older.
    keeper.sees(5, gang([0, 1, 2, 10, 11, 12], [1, 2, 3, 4]))
    younger = next(i for i in keeper.states if i != older)
    assert keeper[older].members == {0, 1, 2, 10, 11, 12} and keeper[younger].merged_into == older


def test_the_same_people_on_another_target_at_another_time_are_another_crowd(keeper: Keeper) -> None:
    """Under one id the first target would lose its discount."""
    crowds = [replace(gang(range(10), [target], CROWD), kind="one_shot") for target in (1, 2)]
    keeper.sees(3, *crowds)
    keeper.sees(4, *crowds)
    assert [(s.disposition, set(s.author_by_target)) for s in keeper.states.values()] == [
        ("flagged", {1}),
        ("flagged", {2}),
    ]


def test_in_a_merge_the_oldest_survives_and_the_others_point_to_it(keeper: Keeper) -> None:
    keeper.sees(6, gang(range(5), [1, 2]), gang(range(10, 16), [2, 3]), gang(range(20, 28), [4, 5]))
    ids = {min(s.members): s.id for s in keeper.states.values()}
    versions = {i: s.version for i, s in keeper.states.items()}
    keeper.sees(6, gang([*range(5), *range(10, 16), *range(20, 28)], [1, 2, 3, 4, 5]))
    survivor = keeper[ids[0]]
    assert (
        survivor.disposition == "flagged" and len(survivor.members) == 19 and survivor.version == versions[ids[0]] + 1
    )
    for other in (ids[10], ids[20]):
        assert (keeper[other].disposition, keeper[other].merged_into, keeper[other].version) == (
            "merged",
            ids[0],
            versions[other] + 1,
        )
        assert keeper[other].members, "what it was can still be read"


def test_a_merged_cluster_is_never_continued(keeper: Keeper) -> None:
    keeper.sees(5, gang(range(5), [1, 2]), gang(range(10, 14), [3, 4]))
    keeper.sees(5, gang([*range(5), *range(10, 14)], [1, 2, 3, 4]))
    merged = next(s for s in keeper.states.values() if s.disposition == "merged")
    keeper.sees(6, gang(range(5), [1, 2]), gang(range(10, 14), [3, 4]))
    assert keeper[merged.id] == merged


def test_in_a_split_the_largest_part_keeps_the_id_and_the_others_tell_where_they_come_from(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(12), [1, 2, 3]))
    keeper.sees(5, gang(range(5), [1, 2, 3]), gang(range(5, 12), [1, 2, 3]))
    assert keeper["k1"].members == frozenset(range(5, 12))
    (part,) = [s for s in keeper.states.values() if s.id != "k1"]
    assert part.members == frozenset(range(5)) and part.split_from == "k1" and part.earlier is None


def test_a_part_that_splits_off_takes_along_what_a_person_said_about_its_complaints(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(12), [1, 2, 3]))
    keeper.decides("k1", "not_coordinated", excluding=[0])
    keeper.sees(5, gang(range(5), [1, 2, 3, 5]), gang(range(5, 12), [1, 2, 3]))
    (part,) = [s for s in keeper.states.values() if s.id != "k1"]
    assert part.split_from == "k1" and part.members == frozenset(range(1, 5)) and part.excluded == {0}
    discounted = {target: len(p.reporters) for target, p in parts_by_target(part).items()}
    assert discounted == {1: 0, 2: 0, 3: 0, 5: 4}


def test_what_detection_still_holds_of_complaints_that_have_left_the_window_is_no_new_group(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    before = dict(keeper.states)
    keeper.sees(40, gang(range(6), [1, 2, 3]), complete=False)
    assert keeper.states == before


def test_a_group_of_a_kept_clusters_members_continues_it_after_it_had_left(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(12), [1, 2, 3]))
    before = keeper["k1"]
    keeper.sees(30, gang(range(6), [28, 29, 30], WEAK))
    after = keeper["k1"]
    assert set(keeper.states) == {"k1"} and after.members == before.members
    assert set(after.author_by_target) == {1, 2, 3, 28, 29, 30}
    assert (after.disposition, after.probability) == ("flagged", before.probability), "measured on twelve"
    assert keeper.sees(31) == {}, "nor does a sweep that finds nothing of it revoke it"


@pytest.mark.parametrize(("old", "ids"), [(4, {"k1"}), (3, {"k1", "k2"})])
def test_a_few_people_of_a_cluster_that_left_do_not_bring_it_back(keeper: Keeper, old: int, ids: set[str]) -> None:
    """Half of the smaller would be two of four: outside the window it is half of the group."""
    keeper.sees(4, gang(range(4), [1, 2, 3]))
    keeper.sees(30, gang([*range(old), *range(100, 108 - old)], [28, 29, 30]))
    assert set(keeper.states) == ids


def test_a_cleared_group_that_comes_back_after_it_had_left_is_a_new_one_that_names_the_earlier(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    keeper.decides("k1", "not_coordinated")
    before = keeper["k1"]
    keeper.sees(30, gang(range(6), [28, 29, 30]))
    assert keeper["k1"] == before
    assert keeper["k2"].earlier == "k1" and keeper["k2"].split_from is None


# --- members of a known cluster who return


def back(cluster: str, people: Iterable[int], targets: Iterable[int]) -> Gang:
    return replace(gang(people, targets, ()), continues=cluster)


def test_returned_members_add_to_their_cluster_and_its_evidence_stays(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(12), [1, 2, 3]))
    before = keeper["k1"]
    changed = keeper.sees(30, back("k1", range(4), [30]), complete=False)
    after = keeper["k1"]
    assert set(changed) == {"k1"} and after.version == before.version + 1
    assert (after.members, after.evidence, after.probability, after.disposition) == (
        before.members,
        before.evidence,
        before.probability,
        "flagged",
    )
    assert len(parts_by_target(after)[30].reporters) == 4
    assert parts_by_target(after)[30].discount_probability == parts_by_target(before)[1].discount_probability > 0
    assert keeper.sees(30.1, back("k1", range(4), [30]), complete=False) == {}, "nothing is new"
    assert keeper.sees(31) == {}, "a sweep that does not find them revokes nothing"


def test_returned_members_reach_the_cluster_that_theirs_was_merged_into(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2]), gang(range(10, 16), [3, 4]))
    keeper.sees(4, gang([*range(6), *range(10, 16)], [1, 2, 3, 4]))
    loser, survivor = sorted(keeper.states.values(), key=lambda s: s.disposition != "merged")
    keeper.sees(30, back(loser.id, range(10, 14), [30]))
    assert 30 in keeper[survivor.id].author_by_target and keeper[loser.id] == loser


def test_the_excluded_do_not_return_and_nobody_returns_to_a_cleared_cluster(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(12), [1, 2, 3]), gang(range(20, 28), [1, 2, 3]))
    first, second = sorted(keeper.states, key=lambda i: min(keeper[i].members))
    keeper.decides(first, "coordinated", excluding=[0, 1])
    keeper.decides(second, "not_coordinated")
    cleared = keeper[second]
    keeper.sees(30, back(first, range(5), [30]), back(second, range(20, 24), [30]))
    assert parts_by_target(keeper[first])[30].reporters == frozenset([2, 3, 4])
    assert keeper[second] == cleared


def test_returned_members_reopen_a_decided_case_at_the_third_new_target(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(12), [1, 2, 3]))
    keeper.decides("k1", "coordinated")
    keeper.sees(30, back("k1", range(4), [29, 30]))
    assert keeper["k1"].status == "decided" and parts_by_target(keeper["k1"])[30].discount_probability == 1.0
    keeper.sees(31, back("k1", range(4), [29, 30, 31]))
    assert keeper["k1"].status == "open" and parts_by_target(keeper["k1"])[31].discount_probability > 0


def test_a_cluster_whose_complaints_are_deleted_keeps_what_was_judged_by_them(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(12), [1, 2, 3]))
    keeper.learns(5, *(outcome(t, "rejected") for t in (1, 2, 3)))
    state = keeper["k1"]
    keeper.states["k1"] = replace(state, memberships={}, trimmed_us=(state.first_us, state.last_us))
    keeper.sees(60, back("k1", range(4), [60]))
    after = keeper["k1"]
    assert (after.unfounded_probability, after.members) == (state.unfounded_probability, state.members)
    assert len(parts_by_target(after)[60].reporters) == 4


# --- age


def test_age_alone_never_shrinks_lowers_or_revokes(keeper: Keeper) -> None:
    keeper.sees(8, gang(range(8), [1, 2, 3, 8]))
    before = keeper["k1"]
    # only day 8 is still in the window, half of the people show
    keeper.sees(17.5, gang(range(5), [8, 16], evidence(0.5)))
    after = keeper["k1"]
    assert after.members == before.members and set(after.author_by_target) == {1, 2, 3, 8, 16}
    assert after.score >= before.score and after.probability >= before.probability
    assert keeper.sees(18) == {}, "a sweep that sees nothing of it any more changes nothing"


def test_an_old_group_is_not_revoked_by_a_part_of_it_that_looks_weak(keeper: Keeper) -> None:
    keeper.sees(8, gang(range(8), [1, 2, 3, 8]))
    keeper.sees(20, gang(range(5), [8, 16], WEAK))
    assert keeper["k1"].disposition == "flagged"


def test_evidence_of_an_earlier_window_says_nothing_about_people_who_came_later(keeper: Keeper) -> None:
    """Four friends on day 8; later, forty readers of an article are taken along with two of them."""
    keeper.sees(8, gang(range(4), [1, 2, 3, 8]))
    strong = keeper["k1"].probability
    keeper.sees(20, gang([2, 3, *range(100, 102)], [8, 16], WEAK))
    assert keeper["k1"].probability == strong, "four of six are those it was measured on"
    keeper.sees(20.5, gang([2, 3, *range(100, 140)], [8, 16], WEAK))
    assert keeper["k1"].probability < 0.5 < strong


def test_a_raised_bound_revokes_only_what_is_all_in_the_window(keeper: Keeper) -> None:
    groups = gang(range(8), [7, 8]), gang(range(10, 18), [9, 10])
    keeper.sees(12, *groups)
    keeper.policy = replace(DEFAULT_POLICY, flag_score=5.0)
    keeper.sees(21.5, *groups)
    assert {min(s.members): s.disposition for s in keeper.states.values()} == {0: "flagged", 10: "revoked"}
    ends = {s.disposition: s.summary.rsplit("; ", 1)[1] for s in keeper.states.values()}
    assert ends == {"flagged": "acting together, not judged yet.", "revoked": "not judged yet."}


def test_what_is_all_in_the_window_and_not_seen_by_a_sweep_is_revoked(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    assert keeper.sees(4.5, complete=False) == {}, "a tick sees but a part and revokes nothing"
    keeper.sees(5)
    assert (
        keeper["k1"].disposition == "revoked"
        and keeper["k1"].revoked_us == 5 * DAY_US
        and keeper["k1"].revoked_because
        and keeper["k1"].version == 2
    )
    assert keeper.sees(6) == {}


def test_one_complaint_that_left_the_window_is_enough_to_stay(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    assert keeper.sees(15.1) == {}


def test_a_member_whose_complaints_are_all_in_the_window_leaves_with_the_group_that_lost_it(keeper: Keeper) -> None:
    keeper.sees(16, gang(range(8), [1, 2, 16]))
    state = keeper["k1"]
    newcomer = complaint(50, 16)
    keeper.states["k1"] = replace(
        state, members=state.members | {50}, memberships={**state.memberships, newcomer.seq: newcomer}
    )
    keeper.sees(16.5, gang(range(4), [16, 2]))
    assert keeper["k1"].members == frozenset(range(8)), "0..7 have complaints that left, 50 has none"


def test_a_group_that_never_scores_is_never_a_cluster(keeper: Keeper) -> None:
    assert keeper.sees(4, gang(range(6), [1, 2, 3], WEAK)) == {}


def test_a_revoked_group_that_is_found_again_is_flagged_under_its_old_id(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    keeper.sees(5)
    keeper.sees(6, gang(range(6), [1, 2, 3]))
    state = keeper["k1"]
    assert set(keeper.states) == {"k1"} and (
        state.disposition,
        state.revoked_us,
        state.revoked_because,
        state.version,
    ) == ("flagged", None, None, 3)


# --- decisions


def test_a_decided_cluster_is_neither_revoked_nor_flagged_again(keeper: Keeper) -> None:
    keeper.sees(6, gang(range(6), [1, 2, 3]), gang(range(10, 16), [4, 5]))
    good, bad = sorted(keeper.states, key=lambda i: min(keeper[i].members))
    keeper.decides(good, "coordinated")
    keeper.decides(bad, "not_coordinated")
    keeper.sees(6.2)
    assert (keeper[good].disposition, keeper[bad].disposition) == ("flagged", "revoked")
    keeper.sees(6.4, gang(range(6), [1, 2, 3], WEAK), gang(range(10, 16), [4, 5], evidence(9)))
    assert (keeper[good].disposition, keeper[good].status) == ("flagged", "decided")
    assert (keeper[bad].disposition, keeper[bad].status) == ("revoked", "decided")
    keeper.learns(
        7, *(outcome(t, "upheld", day=6.5) for t in (1, 2, 3)), *(outcome(t, "rejected", day=6.5) for t in (4, 5))
    )
    assert (keeper[good].disposition, keeper[bad].disposition) == ("flagged", "revoked")


@pytest.mark.parametrize(
    ("targets", "people", "reopened"),
    [
        ([1, 2, 3, 4, 5], range(10), False),
        ([1, 2, 3, 4, 5, 6], range(10), True),
        ([1, 2, 3], range(11), False),
        ([1, 2, 3], range(12), True),
    ],
)
def test_three_new_targets_or_a_fifth_more_people_reopen(
    keeper: Keeper, targets: list[int], people: range, reopened: bool
) -> None:
    keeper.sees(4, gang(range(10), [1, 2, 3]))
    keeper.decides("k1", "coordinated")
    keeper.sees(7, gang(people, targets))
    assert keeper["k1"].status == ("open" if reopened else "decided")
    assert keeper["k1"].verdict == "coordinated"
    assert keeper["k1"].summary.startswith("Has grown since the decision") == reopened


def test_a_fifth_more_is_a_fifth_more_whatever_the_size() -> None:
    for size in range(5, 400, 5):
        keeper = Keeper()
        keeper.sees(4, gang(range(size), [1, 2]))
        keeper.decides("k1", "coordinated")
        keeper.sees(4, gang(range(size + size // 5 - 1), [1, 2]))
        assert keeper["k1"].status == "decided", size
        keeper.sees(4, gang(range(size + size // 5), [1, 2]))
        assert keeper["k1"].status == "open", size


def test_three_new_targets_reopen_also_where_others_are_dropped(keeper: Keeper) -> None:
    keeper.sees(5, gang(range(10), [1, 2, 3, 4]))
    keeper.decides("k1", "coordinated")
    keeper.sees(8, gang(range(10), [3, 4, 6, 7, 8]))
    assert keeper["k1"].status == "open"


def test_after_growth_the_verdict_stands_for_what_it_was_made_about(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(10), [1, 2, 3]))
    keeper.decides("k1", "not_coordinated")
    keeper.sees(7, gang(range(10), [1, 2, 3, 4, 5, 6]))
    parts = parts_by_target(keeper["k1"])
    assert [len(parts[t].reporters) for t in (1, 2, 3, 4, 5, 6)] == [0, 0, 0, 10, 10, 10]

    other = Keeper()
    other.sees(4, gang(range(10), [1, 2, 3]))
    other.decides("k1", "coordinated")
    other.sees(7, gang(range(10), [1, 2, 3, 4, 5, 6]))
    pi = {t: p.discount_probability for t, p in parts_by_target(other["k1"]).items()}
    assert pi[1] == pi[2] == pi[3] == 1.0
    model = other["k1"].probability * other["k1"].unfounded_probability
    assert pi[4] == pi[5] == pi[6] == pytest.approx(model) and 0 < model < 1


def test_a_group_of_excluded_people_alone_is_not_flagged_anew(keeper: Keeper) -> None:
    keeper.sees(24, gang(range(6), [21, 22, 23]))
    keeper.decides("k1", "coordinated", excluding=range(6))
    span = keeper["k1"].first_us, keeper["k1"].last_us
    keeper.sees(25, gang(range(6), [21, 22, 23]), complete=False)
    keeper.sees(26, gang(range(6), [21, 22, 23]))
    assert set(keeper.states) == {"k1"} and keeper["k1"].members == frozenset() and keeper["k1"].status == "decided"
    assert (keeper["k1"].first_us, keeper["k1"].last_us) == span == (21 * DAY_US, 23 * DAY_US + 5_000_000)
    keeper.sees(60, gang(range(10, 16), [57, 58, 59]))
    assert keeper["k2"].earlier is None, "others have nothing in common with a case that everybody was taken out of"


def test_the_excluded_stay_out_whatever_the_detector_finds(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(8), [1, 2, 3]))
    keeper.decides("k1", "coordinated", excluding=[0, 1])
    keeper.sees(5, gang(range(8), [1, 2, 3, 5]))
    assert keeper["k1"].members == frozenset(range(2, 8)) and keeper["k1"].excluded == {0, 1}
    assert all(p.reporters == frozenset(range(2, 8)) for p in parts_by_target(keeper["k1"]).values())
    assert {m.reporter for m in keeper["k1"].memberships.values()} == set(range(8)), (
        "kept, so that an undo brings them back"
    )


def merged_with(one: str | None, other: str | None) -> tuple[ClusterState, int]:
    keeper = Keeper()
    keeper.sees(5, gang(range(6), [1, 2]), gang(range(10, 16), [3, 4]))
    older, younger = sorted(keeper.states, key=lambda i: min(keeper[i].members))
    for identity, verdict in ((older, one), (younger, other)):
        if verdict:
            keeper.decides(identity, verdict)
    version = keeper[older].version
    one_of_both, both_of_both = gang(range(6), [1, 2]), gang(range(10, 16), [3, 4])
    keeper.sees(
        5,
        Gang(
            one_of_both.reporters | both_of_both.reporters,
            one_of_both.memberships + both_of_both.memberships,
            STRONG,
            dict(one_of_both.author_by_target) | dict(both_of_both.author_by_target),
        ),
    )
    assert keeper[younger].merged_into == older
    return keeper[older], version


def test_conflicting_verdicts_reopen_the_survivor_of_a_merge() -> None:
    state, version = merged_with("coordinated", "not_coordinated")
    assert (state.status, state.verdict, state.version) == ("open", None, version + 1)
    assert {t: len(p.reporters) for t, p in parts_by_target(state).items()} == {1: 6, 2: 6, 3: 0, 4: 0}


def test_equal_verdicts_stay_in_a_merge() -> None:
    state, _ = merged_with("not_coordinated", "not_coordinated")
    assert (state.verdict, state.disposition) == ("not_coordinated", "revoked")
    assert all(not p.reporters for p in parts_by_target(state).values())


@pytest.mark.parametrize(("verdict", "disposition"), [("not_coordinated", "revoked"), ("coordinated", "flagged")])
def test_an_undecided_survivor_takes_over_the_verdict_with_what_it_did(verdict: str, disposition: str) -> None:
    state, _ = merged_with(None, verdict)
    assert (state.verdict, state.disposition) == (verdict, disposition)
    assert state.status == "open", "it grew by more than a fifth with the merge"


# --- quota


def test_beyond_the_quota_of_the_day_the_lower_scores_are_held_back_and_still_discount() -> None:
    keeper = Keeper(replace(DEFAULT_POLICY, flags_per_day=1))
    keeper.sees(
        3.9,
        gang(range(6), [1, 3], evidence(3)),
        gang(range(10, 16), [2, 3], evidence(1)),
        gang(range(20, 26), [1, 2], evidence(2)),
    )
    by_first = {min(s.members): s for s in keeper.states.values()}
    assert [by_first[k].disposition for k in (0, 10, 20)] == ["flagged", "held_back", "flagged"], (
        "20's last complaint is of another day"
    )
    held = parts_by_target(by_first[10])[2]
    assert held.discount_probability > 0 and not held.flagged


def test_a_raised_quota_releases_at_the_next_sweep_and_not_at_a_tick() -> None:
    keeper = Keeper(replace(DEFAULT_POLICY, flags_per_day=1))
    groups = [gang(range(10 * k, 10 * k + 6), [1, 3], evidence(3 - k / 10)) for k in range(4)]
    keeper.sees(3.9, *groups)
    assert sorted(s.disposition for s in keeper.states.values()) == ["flagged", "held_back", "held_back", "held_back"]
    keeper.policy = replace(DEFAULT_POLICY, flags_per_day=3)
    keeper.sees(3.95, *groups, complete=False)
    assert [s.disposition for s in keeper.states.values()].count("held_back") == 3
    keeper.sees(3.97, *groups)
    by_first = {min(s.members): s for s in keeper.states.values()}
    assert [by_first[k].disposition for k in (0, 10, 20, 30)] == ["flagged", "flagged", "flagged", "held_back"]
    assert by_first[10].version == 2


def test_who_was_flagged_once_has_used_a_place_of_its_day() -> None:
    keeper = Keeper(replace(DEFAULT_POLICY, flags_per_day=1))
    keeper.sees(3.8, gang(range(6), [1, 3]))
    keeper.sees(3.9)
    assert keeper["k1"].disposition == "revoked"
    keeper.sees(3.95, gang(range(10, 16), [1, 3]))
    assert keeper["k2"].disposition == "held_back"


# --- versions


def test_a_changed_score_alone_does_not_raise_the_version(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    changed = keeper.sees(4.5, gang(range(6), [1, 2, 3], evidence(4)))
    assert changed["k1"].probability > 0.95 and changed["k1"].version == 1


def test_more_complaints_of_members_on_known_targets_do_not_raise_the_version(keeper: Keeper) -> None:
    group = gang(range(6), [1, 2, 3])
    keeper.sees(4, Gang(group.reporters, group.memberships[:-1], group.evidence, group.author_by_target))
    changed = keeper.sees(4.5, group)
    assert len(changed["k1"].memberships) == 18 and changed["k1"].version == 1


@pytest.mark.parametrize("after", [gang(range(7), [1, 2, 3]), gang(range(6), [1, 2, 3, 4]), gang(range(5), [1, 2, 3])])
def test_members_and_targets_raise_the_version(keeper: Keeper, after: Gang) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    keeper.sees(4.5, after)
    assert keeper["k1"].version == 2


def test_the_same_result_changes_nothing(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    assert keeper.sees(4.5, gang(range(6), [1, 2, 3])) == {}


# --- outcomes and withdrawals


def test_outcomes_of_people_clear_a_patrol_and_their_reversal_flags_it_again(keeper: Keeper) -> None:
    keeper.sees(6, gang(range(6), [1, 2, 3, 4, 5]))
    assert "acting together, not judged yet" in keeper["k1"].summary
    keeper.learns(60, *(outcome(t, "upheld", day=20) for t in range(1, 6)))  # long after everything has left the window
    cleared = keeper["k1"]
    assert (cleared.disposition, cleared.version) == ("reliable", 2) and cleared.unfounded_probability < 0.1
    assert all(p.discount_probability == 0 for p in parts_by_target(cleared).values())
    assert cleared.probability == pytest.approx(1 / (1 + 2.718281828**-2.5)), (
        "outcomes are not in the probability of coordination"
    )
    keeper.learns(61, *(outcome(t, "rejected", day=30, by="appeal") for t in range(1, 6)))
    assert (keeper["k1"].disposition, keeper["k1"].version) == ("flagged", 3)
    # see test_unfounded_is_the_prior_where_nothing_speaks_and_moves_with_outcomes
    assert keeper["k1"].unfounded_probability == pytest.approx(8.01 / 9.01, abs=1e-3)
    assert "rejected the complaints on all 5 targets" in keeper["k1"].summary


def test_removal_by_count_teaches_nothing(keeper: Keeper) -> None:
    keeper.sees(6, gang(range(6), [1, 2, 3, 4, 5]))
    before = keeper["k1"]
    keeper.learns(7, *(outcome(t, "upheld", day=6.5, by="automatic") for t in range(1, 6)))
    assert keeper["k1"] is before


def test_a_decision_before_the_complaints_teaches_nothing(keeper: Keeper) -> None:
    keeper.sees(6, gang(range(6), [1, 2, 3, 4, 5]))
    before = keeper["k1"]
    keeper.learns(7, *(outcome(t, "upheld", day=t - 0.1) for t in range(1, 6)))
    assert keeper["k1"] is before


def test_what_a_sweep_revoked_no_outcome_flags_again(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    keeper.sees(5)
    keeper.learns(6, outcome(1, "rejected", day=5.5))
    state = keeper["k1"]
    assert state.disposition == "revoked" and state.revoked_us == 5 * DAY_US and state.settle_with == ()


def test_no_outcome_makes_a_group_of_what_is_none(keeper: Keeper) -> None:
    keeper.outcomes = {t: [outcome(t, "rejected")] for t in (1, 2, 3)}
    keeper.sees(4, gang(range(6), [1, 2, 3], evidence(-0.5)))
    assert not keeper.states


def test_a_withdrawal_takes_the_complaint_out_in_the_window_or_not(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    keeper.learns(60, withdrawn=[complaint(0, t).seq for t in (1, 2, 3)] + [complaint(1, 1).seq])
    state = keeper["k1"]
    assert state.members == frozenset(range(1, 6)) and state.version == 2 and state.disposition == "flagged"
    assert complaint(1, 1).seq not in state.memberships and len(parts_by_target(state)[1].reporters) == 4


def test_a_target_without_complaints_left_is_no_target_of_the_cluster(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3]))
    keeper.learns(5, withdrawn=[complaint(w, 1).seq for w in range(6)])
    assert set(keeper["k1"].author_by_target) == {2, 3}


def test_too_few_left_after_withdrawals_is_no_group(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(4), [1, 2, 3]))
    keeper.learns(5, withdrawn=[complaint(w, t).seq for w in (0, 1) for t in (1, 2, 3)])
    assert keeper["k1"].disposition == "revoked" and "withdrawn" in (keeper["k1"].revoked_because or "")
    before = keeper["k1"]
    keeper.learns(6, outcome(1, "rejected", day=5.5))
    assert keeper["k1"].disposition == "revoked" and keeper["k1"].version == before.version


def test_a_decided_cluster_survives_withdrawals(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(4), [1, 2, 3]))
    keeper.decides("k1", "coordinated")
    keeper.learns(5, withdrawn=[complaint(w, t).seq for w in (0, 1) for t in (1, 2, 3)])
    assert (keeper["k1"].disposition, keeper["k1"].status) == ("flagged", "decided")


def test_the_targets_that_would_settle_it_are_the_unjudged_ones_with_most_members(keeper: Keeper) -> None:
    both = gang(range(6), [1, 2, 3, 4])
    fewer = tuple(m for m in both.memberships if m.target != 2 or m.reporter < 3)
    keeper.outcomes = {1: [outcome(1, "rejected")]}
    keeper.sees(5, Gang(both.reporters, fewer, both.evidence, both.author_by_target))
    assert keeper["k1"].settle_with == (3, 4, 2)


def test_trusted_reporters_and_illegal_content_are_shown_and_not_discounted(keeper: Keeper) -> None:
    keeper.sees(4, gang(range(6), [1, 2, 3], exempt=[0, 1]))
    part = parts_by_target(keeper["k1"])[1]
    assert part.exempt == 2 and part.reporters == frozenset(range(2, 6))


# --- whatever comes


@st.composite
def scenes(draw: st.DrawFn) -> list[tuple[float, list[Gang]]]:
    """Some recomputations of disjoint groups, days apart."""
    day, scene = 3.0, []
    for _ in range(draw(st.integers(1, 4))):
        parts = draw(st.lists(st.integers(0, 4), min_size=12, max_size=12))
        targets = sorted({max(1, int(day) - back) for back in range(4)})
        groups = [
            gang(
                [w for w, p in enumerate(parts) if p == part],
                targets,
                draw(st.sampled_from([STRONG, WEAK, evidence(1)])),
            )
            for part in range(1, 5)
        ]
        scene.append((day, [g for g in groups if len(g.reporters) >= 3]))
        day += draw(st.sampled_from([0.5, 3.0, 16.0]))
    return scene


@settings(max_examples=60, deadline=None)
@given(scenes(), st.booleans())
def test_the_order_in_which_groups_are_found_is_irrelevant(
    scene: Sequence[tuple[float, list[Gang]]], complete: bool
) -> None:
    one, two = Keeper(), Keeper()
    for day, groups in scene:
        one.sees(day, *groups, complete=complete)
        two.sees(day, *groups[::-1], complete=complete)
    assert one.states == two.states


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_every_visible_change_raises_the_version_by_one_and_nothing_is_lost(
    scene: Sequence[tuple[float, list[Gang]]],
) -> None:
    keeper = Keeper()
    for day, groups in scene:
        before = dict(keeper.states)
        keeper.sees(day, *groups)
        assert before.keys() <= keeper.states.keys()
        for identity, old in before.items():
            new = keeper[identity]
            seen = [(s.members, set(s.author_by_target), s.disposition, s.status, s.merged_into) for s in (old, new)]
            assert new.version == old.version + (seen[0] != seen[1])
        alive = [s for s in keeper.states.values() if s.disposition in ("flagged", "held_back", "reliable")]
        for group in groups:
            if sum(e.contribution for e in group.evidence) > 0:
                assert any(group.reporters <= s.members for s in alive), "whatever scores is in a cluster"
        for state in alive:
            assert {m.reporter for m in state.memberships.values()} >= state.members
            assert {m.target for m in state.memberships.values()} >= set(state.author_by_target)
