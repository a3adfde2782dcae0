"""Which clusters are one campaign: the links between them, how they are grouped, and what people say."""

from __future__ import annotations

import random
from itertools import combinations, count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.moderation.campaign_events import campaign_events
from service.moderation.campaign_links import CaseMembers, Link, measure
from service.moderation.campaigns import Statement, belongs_to_campaigns, grouped, identified


def case(name: str, members: range | frozenset[int], *, at: int = 0, takes_part: bool = True) -> CaseMembers:
    return CaseMembers(name, at, frozenset(members), takes_part)


def link(first: str, second: str, log_p: float = -10.0, *, proven: bool = True) -> Link:
    return Link(first, second, 9, 10, 10, 0.1, log_p, proven)


def together(*names: str) -> set[frozenset[str]]:
    return {frozenset(names)}


def test_two_clusters_of_the_same_accounts_are_linked_with_what_was_expected() -> None:
    (found,) = measure([case("k1", range(24)), case("k2", range(7, 31), at=5)])
    assert (found.first, found.second, found.common, found.first_size, found.second_size) == ("k1", "k2", 17, 24, 24)
    assert 0 < found.expected < 4 and found.log_p < -10


def test_accounts_that_are_in_every_group_join_no_two_of_them() -> None:
    everywhere = frozenset(range(6))
    brigades = [case(f"k{n}", everywhere | set(range(100 * n, 100 * n + 7)), at=n) for n in range(1, 21)]
    assert measure(brigades) == []


def test_the_same_six_accounts_in_two_clusters_only_do_join_them() -> None:
    """The control of the test above: what makes the difference is how often an account is in groups."""
    others = [case(f"k{n}", range(100 * n, 100 * n + 13), at=n) for n in range(3, 21)]
    two = [case(f"k{n}", frozenset(range(6)) | set(range(100 * n, 100 * n + 7)), at=n) for n in (1, 2)]
    assert [(found.pair, found.proven) for found in measure([*two, *others])] == [(("k1", "k2"), True)]


def test_groups_that_do_not_take_part_show_who_is_everywhere() -> None:
    two = [case(f"k{n}", frozenset(range(6)) | set(range(100 * n, 100 * n + 7)), at=n) for n in (1, 2)]
    honest = [
        case(f"h{n}", frozenset(range(6)) | set(range(100 * n, 100 * n + 7)), at=n, takes_part=False)
        for n in range(3, 21)
    ]
    assert measure([*two, *honest]) == []


def test_a_campaign_that_is_all_there_is_stays_one() -> None:
    """Its members are in every cluster: those of one campaign count once."""
    strikes = [case(f"k{n:02}", range(20), at=n) for n in range(12)]
    assert set(grouped(measure(strikes))) == together(*(strike.id for strike in strikes))


@pytest.mark.parametrize("members", [3, 4])
def test_a_few_accounts_in_common_are_no_evidence_where_little_is_known(members: int) -> None:
    found = measure([case("k1", range(15)), case("k2", range(15 - members, 30 - members))])
    assert grouped(found) == []


def test_a_campaign_whose_members_change_is_followed_and_unrelated_ones_are_left_alone() -> None:
    rng, fresh = random.Random(5), count(10_000)
    cases, truth = [], []
    for campaign in range(6):
        roster = [next(fresh) for _ in range(20)]
        truth.append({f"c{campaign}.{strike}" for strike in range(6)})
        for strike in range(6):
            roster = [one if rng.random() > 0.2 else next(fresh) for one in roster]
            bystanders = {rng.randrange(40) for _ in range(3)}
            cases.append(case(f"c{campaign}.{strike}", frozenset(roster) | bystanders, at=strike))
    assert {frozenset(group) for group in grouped(measure(cases))} == {frozenset(group) for group in truth}


def test_one_cluster_in_which_two_campaigns_were_caught_is_no_bridge() -> None:
    left, right = range(20), range(100, 120)
    cases = [case(f"l{n}", left, at=n) for n in range(3)] + [case(f"r{n}", right, at=n) for n in range(3)]
    cases.append(case("both", frozenset(left) | frozenset(right), at=9))
    groups = grouped(measure(cases))
    assert len(groups) == 2 and not any({"l0", "r0"} <= group for group in groups)


def test_a_group_of_two_is_joined_by_links_to_both() -> None:
    chain = [link("k1", "k2", -9.0), link("k2", "k3", -8.0)]
    assert set(grouped(chain)) == together("k1", "k2")
    assert set(grouped([*chain, link("k1", "k3", -3.0, proven=False)])) == together("k1", "k2", "k3")


def test_links_that_are_not_proven_join_nothing() -> None:
    assert grouped([link("k1", "k2", proven=False)]) == []


def test_what_was_refused_is_joined_once_the_group_has_grown() -> None:
    links = [
        link("k1", "k2", -20.0),
        link("k2", "k4", -15.0),  # refused: k1 has no link to k4
        link("k1", "k3", -10.0),
        link("k2", "k3", -10.0),
        link("k3", "k4", -1.0),
    ]
    assert set(grouped(links)) == together("k1", "k2", "k3", "k4")


def test_what_a_person_says_outweighs_the_links() -> None:
    links = [link("k1", "k2"), link("k1", "k3"), link("k2", "k3")]
    apart = [Statement("k3", "k1", "apart"), Statement("k3", "k2", "apart")]
    assert set(grouped(links, apart)) == together("k1", "k2")
    assert set(grouped(links, [*apart, Statement("k1", "k3", "together"), Statement("k2", "k3", "together")])) == (
        together("k1", "k2", "k3")
    )
    assert set(grouped([], [Statement("k8", "k9", "together")])) == together("k8", "k9")
    assert grouped([], [Statement("k8", "k9", "together"), Statement("k9", "k8", "apart")]) == []


def test_a_case_that_a_person_adds_tears_nothing_off() -> None:
    links = [link("k1", "k2"), link("k1", "k3"), link("k2", "k3")]
    assert set(grouped(links, [Statement("x", "k3", "together")])) == together("k1", "k2", "k3", "x")


def test_of_contradicting_statements_about_three_the_later_holds() -> None:
    said = [Statement("a", "b", "together"), Statement("b", "c", "together"), Statement("a", "c", "apart")]
    assert grouped([], said) == [frozenset({"b", "c"})]


PAIRS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.floats(-50, -1)).filter(
        lambda p: p[0] != p[1]
    ),
    max_size=30,
)
SAID = st.lists(
    st.builds(
        Statement, st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.sampled_from(["together", "apart"])
    ),
    max_size=12,
)


@given(PAIRS, SAID)
def test_groups_never_overlap_nor_hold_what_a_person_kept_apart(
    pairs: list[tuple[str, str, float]], said: list[Statement]
) -> None:
    links = [link(min(a, b), max(a, b), p) for a, b, p in pairs]
    groups = grouped(links, said)
    assert grouped(list(reversed(links)), said) == groups
    assert all(len(group) > 1 for group in groups)
    assert all(one.isdisjoint(other) for one, other in combinations(groups, 2))
    last = {statement.pair: statement.relation for statement in said if len(statement.pair) == 2}
    for pair, relation in last.items():
        if relation == "apart":
            assert not any(pair <= group for group in groups)


@given(st.lists(st.frozensets(st.integers(0, 30), min_size=1, max_size=12), max_size=12), st.randoms())
def test_the_order_of_clusters_changes_no_link(members: list[frozenset[int]], rng: random.Random) -> None:
    cases = [case(f"k{n}", group, at=n % 3) for n, group in enumerate(members)]
    shuffled = rng.sample(cases, len(cases))
    assert measure(shuffled) == measure(cases)


def test_a_campaign_keeps_its_id_while_clusters_come_and_go() -> None:
    stored = {"k1": "cp1", "k2": "cp1", "k3": "cp1", "k7": "cp2", "k8": "cp2"}
    named = identified([frozenset({"k1", "k2", "k4"}), frozenset({"k3", "k5"}), frozenset({"k7", "k8", "k9"})], stored)
    assert named["cp1"] == {"k1", "k2", "k4"} and named["cp2"] == {"k7", "k8", "k9"}
    (fresh,) = named.keys() - {"cp1", "cp2"}
    assert named[fresh] == {"k3", "k5"}
    assert identified([frozenset({"k3", "k5"})], {}) == {fresh: {"k3", "k5"}}


def test_merged_campaigns_keep_the_id_of_the_larger() -> None:
    stored = {"k1": "cp1", "k2": "cp1", "k3": "cp1", "k7": "cp2", "k8": "cp2"}
    assert list(identified([frozenset(stored)], stored)) == ["cp1"]


@pytest.mark.parametrize(
    ("disposition", "verdict", "belongs"),
    [
        ("flagged", None, True),
        ("flagged", "coordinated", True),
        ("revoked", "coordinated", True),
        ("held_back", None, False),
        ("revoked", None, False),
        ("reliable", None, False),
        ("reliable", "coordinated", False),
        ("merged", "coordinated", False),
        ("revoked", "not_coordinated", False),
        ("flagged", "not_coordinated", False),
    ],
)
def test_only_flagged_and_decided_clusters_are_in_campaigns(
    disposition: str, verdict: str | None, belongs: bool
) -> None:
    assert belongs_to_campaigns(disposition, verdict) is belongs


def test_forming_is_reported_once_and_growth_by_the_cluster_that_came() -> None:
    (formed,) = campaign_events("cp1", frozenset(), frozenset({"k1", "k2"}), (0, 60_000_000))
    assert (formed.type, formed.key, formed.data["cluster_count"]) == ("campaign.formed", "cp1", 2)
    assert formed.data["last_at"] == "1970-01-01T00:01:00Z" and formed.data["url"] == "/v1/campaigns/cp1"
    grown = campaign_events("cp1", frozenset({"k1", "k2"}), frozenset({"k2", "k3", "k4"}), (0, 1))
    assert [(e.type, e.key, e.data["cluster_id"]) for e in grown] == [
        ("campaign.grown", "cp1/k3", "k3"),
        ("campaign.grown", "cp1/k4", "k4"),
    ]
