"""The independent count: worked examples, and properties that hold for every mixture of clusters."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.moderation.assessment import (
    NO_CLUSTERS,
    ClusterPart,
    Freshness,
    TargetStanding,
    assess,
    discount_probability,
    independent_count,
    recommend,
    retry_after_ms,
    summarise,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def part(name: str, reporters: range | set[int], pi: float, *, exempt: int = 0, flagged: bool = True) -> ClusterPart:
    return ClusterPart(
        name,
        probability=pi,
        unfounded_probability=1.0,
        discount_probability=pi,
        flagged=flagged,
        reporters=set(reporters),
        exempt=exempt,
    )


def count(complaints: int, *parts: ClusterPart) -> float:
    return independent_count(complaints, summarise(parts).discount)


def test_a_certain_cluster_counts_one_altogether() -> None:
    assert count(12, part("a", range(12), 1.0)) == 1
    assert count(20, part("a", range(12), 1.0)) == 9


def test_a_likely_cluster_counts_as_the_formula_says() -> None:
    assert count(12, part("a", range(10), 0.8)) == pytest.approx(2 + 10 / (1 + 0.8 * 9), abs=1e-6)


def test_two_certain_clusters_apart_count_two() -> None:
    assert count(20, part("a", range(10), 1.0), part("b", range(10, 20), 1.0)) == 2


def test_an_account_in_two_clusters_goes_with_the_likelier_one() -> None:
    # 2 goes with b (n = 3); 0 and 1 stay with a, whose n is still 3.
    assert count(5, part("a", {0, 1, 2}, 0.5), part("b", {2, 3, 4}, 1.0)) == pytest.approx(2 / (1 + 0.5 * 2) + 3 / 3)


def test_of_two_equally_likely_clusters_the_smaller_id_takes_the_account() -> None:
    larger, smaller = part("b", {0, 1, 2, 3}, 0.5), part("a", {0, 4}, 0.5)
    assert count(5, larger, smaller) == pytest.approx(2 / 1.5 + 3 / 2.5, abs=1e-6)


def test_exempt_complaints_are_shown_but_neither_discounted_nor_counted_in_n() -> None:
    summary = summarise([part("a", range(3), 1.0, exempt=2)])
    assert summary.clusters[0].complaints == 5
    assert independent_count(5, summary.discount) == 3


def test_without_a_cluster_its_accounts_fall_back_to_the_next() -> None:
    summary = summarise([part("a", {0, 1, 2}, 0.5), part("b", {2, 3, 4}, 1.0)])
    assert independent_count(5, summary.discount_without["b"]) == pytest.approx(2 + 3 / (1 + 0.5 * 2))
    assert independent_count(5, summary.discount_without["a"]) == pytest.approx(2 + 1)


def test_a_target_never_seen_is_all_zeros() -> None:
    answer = assess("t", TargetStanding(0, NO_CLUSTERS), Freshness(NOW, False), threshold=1)
    assert (
        answer.complaints,
        answer.independent_complaints,
        answer.coordinated_probability,
        answer.recommendation,
    ) == (0, 0.0, 0.0, "none")
    assert answer.clusters == []
    assert answer.without_clusters == {}


def test_totals_that_fell_since_the_last_tick_give_no_negative_count() -> None:
    summary = summarise([part("a", range(12), 1.0)])
    assert [independent_count(complaints, summary.discount) for complaints in (12, 3, 1, 0)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("complaints", "independent", "flagged", "expected"),
    [
        (7, 1.0, True, "none"),
        (8, 7.999_999, True, "hold"),
        (8, 7.999_999_9, True, "review"),
        (8, 8.0, False, "none"),
        (30, 7.0, False, "hold"),  # a held back cluster is not flagged and still holds
        (30, 20.0, True, "review"),
    ],
)
def test_recommendations_at_eight(complaints: int, independent: float, flagged: bool, expected: str) -> None:
    assert recommend(complaints, independent, 8, flagged=flagged) == expected


@pytest.mark.parametrize(
    ("complaints", "independent", "unseen", "known", "expected"),
    [
        (0, 0.0, 7, 0, "none"),  # the platform would not remove it yet
        (0, 0.0, 7, 7, "none"),
        (0, 0.0, 8, 0, "wait"),
        (7, 7.0, 1, 0, "wait"),
        (7, 7.0, 1, 1, "wait"),
        (8, 8.0, 5, 0, "none"),  # eight people did it already
        (8, 8.0, 5, 1, "wait"),  # a known group is arriving
        (8, 1.5, 6, 0, "hold"),  # all of them cannot carry it over the threshold
        (8, 1.5, 7, 0, "wait"),  # they may
        (14, 1.0, 0, 0, "hold"),
        (5, 1.0, 4, 0, "hold"),  # nine by the platform's count, five at most
    ],
)
def test_what_is_not_analysed_yet_removes_nothing(
    complaints: int, independent: float, unseen: int, known: int, expected: str
) -> None:
    found = recommend(complaints, independent, 8, flagged=False, unseen=unseen, unseen_by_known=known)
    assert found == expected


def test_only_who_knows_the_word_is_told_to_wait() -> None:
    standing, fresh = TargetStanding(7, NO_CLUSTERS, unseen=3), Freshness(NOW, pending=True, backlog=10_000)
    asks = assess("t", standing, fresh, threshold=8, may_wait=True)
    assert (asks.recommendation, asks.retry_after_ms, asks.pending, asks.unseen) == ("wait", 2_250, True, 3)
    installed = assess("t", standing, fresh, threshold=8)
    assert (installed.recommendation, installed.retry_after_ms, installed.pending) == ("hold", None, True)


def test_the_platforms_own_count_waits_for_what_was_not_posted() -> None:
    standing, fresh = TargetStanding(3, NO_CLUSTERS), Freshness(NOW, pending=False)
    answer = assess("t", standing, fresh, threshold=8, counted=9, may_wait=True)
    assert (answer.recommendation, answer.complaints, answer.unseen, answer.pending) == ("wait", 3, 0, True)
    assert assess("t", standing, fresh, threshold=8, counted=7, may_wait=True).recommendation == "none"
    assert assess("t", standing, fresh, threshold=3, counted=2, may_wait=True).recommendation == "none"


@pytest.mark.parametrize(("backlog", "expected"), [(0, 250), (5, 251), (10**9, 5_000)])
def test_a_backlog_is_asked_again_later(backlog: int, expected: int) -> None:
    assert retry_after_ms(backlog) == expected


@pytest.mark.parametrize(
    ("disposition", "verdict", "expected"),
    [
        ("flagged", None, 0.4),
        ("held_back", None, 0.4),
        ("reliable", None, 0.0),
        ("revoked", None, 0.0),
        ("merged", None, 0.0),
        ("flagged", "coordinated", 1.0),
        ("reliable", "coordinated", 1.0),
        ("flagged", "not_coordinated", 0.0),
        ("merged", "coordinated", 0.0),
    ],
)
def test_who_is_discounted(disposition: str, verdict: str | None, expected: float) -> None:
    assert discount_probability(disposition, verdict, 0.8, 0.5) == pytest.approx(expected)  # type: ignore[arg-type]


def test_an_assessment_lists_its_clusters_and_the_largest_probability() -> None:
    answer = assess(
        "t",
        TargetStanding(12, summarise([part("b", range(6), 0.25, flagged=False), part("a", range(6, 10), 0.75)])),
        Freshness(NOW, pending=True),
        threshold=8,
    )
    assert [cluster.id for cluster in answer.clusters] == ["a", "b"]
    assert answer.coordinated_probability == 0.75
    assert set(answer.without_clusters) == {"a", "b"}
    assert answer.recommendation == "hold"
    assert answer.pending


PI = st.floats(0, 1)
PARTS = st.lists(st.tuples(st.sets(st.integers(0, 30), max_size=12), PI, st.integers(0, 3)), max_size=5).map(
    lambda rows: [part(f"c{n}", reporters, pi, exempt=exempt) for n, (reporters, pi, exempt) in enumerate(rows)]
)


def total_of(parts: list[ClusterPart], organic: int) -> int:
    return len(set().union(*(p.reporters for p in parts))) + sum(p.exempt for p in parts) + organic


@given(PARTS, st.integers(0, 20))
def test_the_count_lies_between_one_and_the_complaints(parts: list[ClusterPart], organic: int) -> None:
    total = total_of(parts, organic)
    summary = summarise(parts)
    raw = total - summary.discount
    assert min(1, total) - 1e-9 <= raw <= total + 1e-9  # the bounds hold by themselves, not only by clipping
    assert organic + sum(p.exempt for p in parts) - 1e-9 <= raw
    for discount in summary.discount_without.values():
        assert min(1, total) - 1e-9 <= total - discount <= total + 1e-9


@given(PARTS, st.integers(0, 9), st.randoms(use_true_random=False))
def test_the_order_of_clusters_is_irrelevant(parts: list[ClusterPart], seed: int, shuffler: random.Random) -> None:
    mixed = parts[:]
    shuffler.shuffle(mixed)
    assert summarise(mixed) == summarise(parts)


@given(PARTS, st.integers(0, 20))
def test_clusters_that_nobody_doubts_discount_nothing(parts: list[ClusterPart], organic: int) -> None:
    honest = [replace(p, discount_probability=0.0) for p in parts]
    total = total_of(honest, organic)
    assert count(total, *honest) == total


@given(PARTS)
def test_without_a_cluster_is_what_would_be_had_it_never_been(parts: list[ClusterPart]) -> None:
    summary = summarise(parts)
    for gone in summary.clusters:
        assert summary.discount_without[gone.id] == summarise([p for p in parts if p.id != gone.id]).discount


@given(st.lists(st.tuples(st.integers(1, 9), PI), min_size=1, max_size=4), st.integers(0, 9), PI, st.data())
def test_apart_from_each_other_a_larger_pi_or_one_more_member_never_raises_the_count(
    sizes: list[tuple[int, float]], organic: int, more: float, data: st.DataObject
) -> None:
    starts = [sum(size for size, _ in sizes[:n]) for n in range(len(sizes))]
    parts = [
        part(f"c{n}", range(start, start + size), pi)
        for n, (start, (size, pi)) in enumerate(zip(starts, sizes, strict=True))
    ]
    total = total_of(parts, organic + 1)
    chosen = data.draw(st.integers(0, len(parts) - 1))
    surer, larger = parts[:], parts[:]
    surer[chosen] = replace(parts[chosen], discount_probability=max(parts[chosen].discount_probability, more))
    larger[chosen] = replace(parts[chosen], reporters={*parts[chosen].reporters, 10_000})
    assert count(total, *surer) <= count(total, *parts) + 1e-6
    assert count(total, *larger) <= count(total, *parts) + 1e-6
