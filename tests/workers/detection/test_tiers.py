"""What the structural tier cannot see: crowds on one target, followers of one author, and places that nobody named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from worlds import DAY, HOUR, Row, columns, draw_town, members_of

from service.moderation.outcomes import VerdictTally
from service.moderation.score import coordination, judge
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY
from workers.detection.contexts import given_contexts, infer
from workers.detection.detector import Detector
from workers.detection.window import Window

POLICY = DEFAULT_POLICY
TOWN = draw_town(4).rows


def crowd(size: int, *, fresh: int, shared: int = 0, at: float = 3 * DAY) -> list[Row]:
    """So many accounts on one target within minutes; `fresh` of them, spread evenly, are two days old, the first
    `shared` share a device in pairs.
    """
    return [
        Row(
            900_000 + k,
            500_000 + k,
            600_000,
            at + 20.0 * k,
            context=700_000,
            created=at - (2 if k * 7 % size < fresh else 900) * DAY,
            fingerprint=800_000 + k // 2 if k < shared else 0,
        )
        for k in range(size)
    ]


def flagged_crowds(rows: list[Row]) -> list[int]:
    """Sizes of the one-shot groups that would be flagged with nothing judged."""
    _, groups = Detector.sweep(POLICY, columns([*TOWN, *rows]))
    return [
        len(g.reporters)
        for g in groups
        if g.kind == "one_shot"
        and judge(g.evidence, VerdictTally(0, 0, 1), 1, usual=Usual(), flag_score=0).disposition == "flagged"
    ]


def test_thirty_fresh_accounts_on_one_target_are_a_crowd_with_the_aged_ones_in_their_midst() -> None:
    assert flagged_crowds(crowd(30, fresh=25)) == [30]


def test_a_crowd_is_the_same_however_many_targets_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.detection.one_shot.AT_ONCE", 1)
    assert flagged_crowds(crowd(30, fresh=25)) == [30]


def test_readers_of_one_evening_are_not_taken_along_by_a_smaller_crowd_among_them() -> None:
    """Eleven of 27 are fresh: the target may well draw all of its own readers in those hours."""
    rows = crowd(27, fresh=11)
    fresh = {r.reporter for r in rows if r.created is not None and r.at - r.created < 14 * DAY}
    _, groups = Detector.sweep(POLICY, columns([*TOWN, *rows]))
    assert all(g.reporters <= fresh for g in groups if g.kind == "one_shot")


def test_an_outrage_of_ordinary_accounts_is_none() -> None:
    assert flagged_crowds(crowd(300, fresh=9)) == []


def test_a_link_that_brings_one_fifth_of_newcomers_is_none() -> None:
    assert flagged_crowds(crowd(80, fresh=16)) == []


def test_shared_devices_betray_an_aged_crowd() -> None:
    assert flagged_crowds(crowd(20, fresh=0, shared=20)) == [20]


@pytest.mark.parametrize("share", [0.15])
def test_random_subsets_against_one_author_are_found(share: float) -> None:
    rng = np.random.default_rng(5)
    rows, seq = [], 910_000
    for target in range(30):
        for who in np.flatnonzero(rng.random(30) < share).tolist():
            seq += 1
            rows.append(
                Row(
                    seq,
                    510_000 + who,
                    610_000 + target,
                    DAY + 6 * HOUR * target + float(rng.exponential(HOUR)),
                    context=710_000 + target,
                    author=77,
                )
            )
    found = [
        len({int(k) for k in m} & {int(k) for k in columns(rows).reporter.tolist()})
        for m in members_of(Detector.sweep(POLICY, columns([*TOWN, *rows]))[1])
    ]
    assert max(found, default=0) >= 20


def little_forum(places: str = "many") -> list[Row]:
    """Three hundred complaints of readers in five days, and twelve accounts that follow each other to six targets: in
    many places, in one, or in none that is told.
    """
    rng = np.random.default_rng(2)
    readers = [
        Row(
            0,
            1_000 + int(rng.integers(150)),
            5_000 + k % 60,
            float(rng.uniform(0, 5 * DAY)),
            context=6_000 + k % 60 // 4,
        )
        for k in range(300)
    ]
    gang = [
        Row(0, who, 700 + k, k * 9 * HOUR + float(rng.exponential(300)), context=800 + (k if places == "many" else 0))
        for k in range(6)
        for who in range(1, 13)
        if rng.random() < 0.8
    ]
    once = {(r.reporter, r.target): r for r in sorted([*readers, *gang], key=lambda r: -r.at)}
    return [
        replace(r, seq=k, context=0 if places == "none" else r.context)
        for k, r in enumerate(sorted(once.values(), key=lambda r: r.at), 1)
    ]


def coordinated(rows: list[Row]) -> list[frozenset[int]]:
    return [
        g.reporters for g in Detector.sweep(POLICY, columns(rows))[1] if coordination(g.evidence) > POLICY.flag_score
    ]


def test_in_a_little_forum_where_pairs_say_nothing_twins_are_found() -> None:
    (found,) = coordinated(little_forum())
    assert len(found) >= 10 and max(found) <= 12


def test_nobody_is_a_twin_in_one_place_or_where_no_place_is_told() -> None:
    for places in ("one", "none"):
        detector, _ = Detector.sweep(POLICY, columns(little_forum(places)))
        assert [lead for lead in detector.fitted().leads if lead.tier == "twins"] == []
        assert all(found <= frozenset(range(1, 13)) for found in coordinated(little_forum(places))), "readers are not"


def test_readers_of_a_little_forum_are_no_twins() -> None:
    assert coordinated([r for r in little_forum() if r.reporter >= 1_000]) == []


def sittings() -> list[Row]:
    """Six hundred readers who each complain about three comments under one of forty articles, in one sitting."""
    rng = np.random.default_rng(1)
    rows: list[Row] = []
    for reader in range(600):
        article = int(rng.integers(40))
        for comment in rng.choice(8, 3, replace=False).tolist():
            seq = len(rows) + 1
            rows.append(
                Row(
                    seq,
                    1_000 + reader,
                    10 * article + comment,
                    article * HOUR + 60.0 * seq % HOUR,
                    context=5_000 + article,
                )
            )
    return rows


def test_places_that_nobody_named_are_found_again_from_sittings() -> None:
    rows = sittings()
    named = columns(rows)
    window = Window(POLICY.window_seconds * 1000, tuple(s * 1000 for s in POLICY.lag_scales))
    window.append(columns([replace(r, context=0) for r in rows]))
    inferred = infer(window, POLICY.neighbours)
    label = dict(zip(inferred.targets.tolist(), inferred.labels.tolist(), strict=True))
    place = dict(zip(named.target.tolist(), named.context.tolist(), strict=True))
    together = [
        (place[a] == place[b], label[a] == label[b]) for k, a in enumerate(sorted(label)) for b in sorted(label)[:k]
    ]
    right = sum(t and i for t, i in together)
    assert right / sum(i for _, i in together) > 0.95 and right / sum(t for t, _ in together) > 0.9
    assert inferred.coverage > 0.9 and inferred.largest < 0.1


def in_own_places(rows: list[Row]) -> list[Row]:
    return [replace(r, context=10_000_000 + r.target) for r in rows]


def test_a_platform_that_gives_each_target_a_context_of_its_own_tells_none() -> None:
    """Everybody would follow everybody into many contexts, and half the town would be one hand."""

    def found(rows: list[Row]) -> list[tuple[frozenset[int], frozenset[int]]]:
        return [(g.reporters, g.targets) for g in Detector.sweep(POLICY, columns(rows))[1]]

    unnamed = found([replace(r, context=0) for r in TOWN])
    assert unnamed and found(in_own_places(TOWN)) == unnamed


def test_one_comment_each_under_a_few_articles_is_told_all_the_same() -> None:
    rows = little_forum()
    batch = columns(rows)
    tells, alone = given_contexts(batch)
    assert tells.all() and alone
    tells, alone = given_contexts(columns(in_own_places(rows)))
    assert not tells.any() and not alone


def test_targets_without_a_context_join_the_told_places_that_their_readers_visit() -> None:
    named = [r for r in TOWN if r.context]
    some = {r.target for r in named if r.target % 5 == 0}
    detector, _ = Detector.sweep(POLICY, columns([replace(r, context=0) if r.target in some else r for r in named]))
    inferred = detector.inferred
    assert inferred is not None and detector.grouping.measurement.contexts == "inferred"
    place = {r.target: r.context for r in named}
    label = dict(zip(inferred.targets.tolist(), inferred.labels.tolist(), strict=True))
    assert all(label[t] == place[t] for t in place.keys() - some), "what is told stays"
    assert np.mean([label[t] == place[t] for t in some]) > 0.5


def test_what_comes_live_at_such_a_platform_joins_what_its_readers_were_in_just_before() -> None:
    rows = sorted(sittings(), key=lambda r: r.at)
    half = len(rows) // 2 + 7  # in the middle of an article

    def live(rows: list[Row]) -> list[int]:
        swept = Detector.sweep(POLICY, columns(rows[:half]))[0].fitted()
        detector = Detector(POLICY)
        detector.inferred = swept.contexts
        detector.load([(columns(rows[:half]), ())])
        detector.adopt(swept, max(r.seq for r in rows[:half]))
        for start in range(half, len(rows), 100):
            detector.tick(columns(rows[start : start + 100]))
        assert detector.grouping.measurement.contexts == "inferred"
        window = detector.window
        return [
            int(key)
            for _, key in sorted(
                zip(
                    window.seq[: window.size].tolist(),
                    window.contexts.keys[window.context[: window.size]].tolist(),
                    strict=True,
                )
            )
        ]

    unnamed = live([replace(r, context=0) for r in rows])
    assert live(in_own_places(rows)) == unnamed
    assert len(set(unnamed)) < 200, "of 320 comments: the test has its point"
