"""What the whole has to get right, with floors: brigades found, honest crowds left alone, decisions obeyed.

Small towns through the whole pipeline (stream, archive, ticks, a sweep, the question before a removal), and the
demo's worlds through the audit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import RedisClients
from flow import LONG_AFTER, Newspaper, audited, told, world_of
from sqlalchemy import Engine
from worlds import DAY, HOUR, START, Row, Town, document, draw_town, keys_of

from service.moderation.cluster_state import ClusterState
from service.moderation.signals import one_author
from service.settings import Settings
from service.storage.cases.cases import read_cluster
from service.storage.sql.hashing import key_of

THRESHOLD = 5


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


def outcome(
    row: Row, verdict: str | None, by: str = "person", *, after: float = HOUR, action: str = "removed"
) -> dict[str, Any]:
    at = START.timestamp() + row.at + after
    decided = type(START).fromtimestamp(at, START.tzinfo).isoformat()
    return {
        "id": f"o{row.seq}-{by}",
        "target_id": f"t{row.target}",
        "decided_at": decided,
        "action": action,
        "decided_by": by,
    } | ({"verdict": verdict} if verdict else {})


def last_hits(town: Town) -> list[Row]:
    """The last complaint of the brigade about each of its targets."""
    last: dict[int, Row] = {}
    for row in town.rows:
        if row.reporter in town.brigades[0]:
            last[row.target] = row
    return list(last.values())


def run(paper: Newspaper, rows: list[Row], outcomes: list[dict[str, Any]] | None = None) -> dict[str, ClusterState]:
    documents = sorted(
        [document(r) for r in rows] + (outcomes or []), key=lambda d: str(d.get("occurred_at", d.get("decided_at")))
    )
    paper.posts(documents, batch=250)
    paper.sweeps()
    return paper.clusters()


def flagged(clusters: dict[str, ClusterState]) -> list[ClusterState]:
    return [c for c in clusters.values() if c.disposition == "flagged"]


def crowd_on(paper: Newspaper, town: Town) -> tuple[str, int, int]:
    """The brigade's best target: its id, how many complained, how many of them were not of the brigade."""
    count = {
        t: sum(r.target == t and r.reporter in town.brigades[0] for r in town.rows)
        for t in {r.target for r in last_hits(town)}
    }
    best = max(count, key=lambda t: (count[t], t))
    return (
        f"t{best}",
        sum(r.target == best for r in town.rows),
        sum(r.target == best and r.reporter not in town.brigades[0] for r in town.rows),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_brigade_is_found(paper: Newspaper, seed: int) -> None:
    town = draw_town(seed)
    (cluster,) = flagged(run(paper, town.rows))
    assert cluster.members == keys_of(f"r{r}" for r in town.brigades[0])
    target, complaints, others = crowd_on(paper, town)
    answer = paper.asks(target, THRESHOLD)
    assert answer.complaints == complaints >= THRESHOLD
    assert others + 1 <= answer.independent_complaints < THRESHOLD
    assert answer.recommendation == "hold"


def test_a_brigade_is_found_also_when_every_target_of_it_is_removed_automatically(paper: Newspaper) -> None:
    town = draw_town(2)
    laundered = [outcome(r, "upheld", "automatic", after=1) for r in last_hits(town)]
    (cluster,) = flagged(run(paper, town.rows, laundered))
    assert cluster.members == keys_of(f"r{r}" for r in town.brigades[0])
    assert cluster.unfounded_probability >= 0.5 and "acting together, not judged yet" in cluster.summary
    target, _, _ = crowd_on(paper, town)
    assert paper.asks(target, THRESHOLD).recommendation == "hold"


def test_what_people_say_of_it_moves_the_question_and_nothing_else(paper: Newspaper) -> None:
    town = draw_town(2)
    (before,) = flagged(run(paper, town.rows))
    target, _, others = crowd_on(paper, town)
    unjudged = paper.independent(target)
    paper.posts([outcome(r, "rejected", action="restored") for r in last_hits(town)])
    (after,) = flagged(paper.clusters())
    assert (after.id, after.members, after.probability) == (before.id, before.members, before.probability)
    assert after.unfounded_probability > 0.95
    assert others + 1 <= paper.independent(target) < unjudged


def viral(target: int, people: int, seed: int) -> list[Row]:
    """Everybody's outrage at one comment, within an evening, by readers who complain elsewhere too."""
    rng = np.random.default_rng(seed)
    return [
        Row(
            50_000 + k,
            1 + k if k % 3 else 60_000 + k,
            target,
            4 * DAY + 19 * HOUR + float(rng.gamma(1.5, 1_500)),
            context=99_000,
            author=88_000,
        )
        for k in range(people)
    ]


def test_outrage_at_one_viral_comment_is_no_brigade_and_counts_in_full(paper: Newspaper) -> None:
    town = draw_town(4)
    outrage = viral(90_000, 300, 1)
    (cluster,) = flagged(run(paper, [*town.rows, *outrage]))
    assert cluster.members == keys_of(f"r{r}" for r in town.brigades[0])
    answer = paper.asks("t90000")
    assert answer.complaints == answer.independent_complaints == 300
    assert answer.recommendation == "none"


def test_several_viral_comments_on_one_evening_are_none_either(paper: Newspaper) -> None:
    town = draw_town(5, brigades=0)
    outrage = [
        replace(r, seq=r.seq + 1_000 * k, target=90_000 + k, context=99_000 + k)
        for k in range(3)
        for r in viral(0, 120, k)
        if (r.seq + k) % 4
    ]
    assert run(paper, [*town.rows, *outrage]) == {}


def patrol_town() -> Town:
    """A brigade's form, but a patrol: volunteers who report spam together."""
    return draw_town(6)


def test_a_patrol_that_nobody_has_judged_yet_is_flagged_and_its_summary_says_so(paper: Newspaper) -> None:
    (cluster,) = flagged(run(paper, patrol_town().rows))
    with paper.engine.connect() as connection:
        shown = read_cluster(connection, paper.id, cluster.id, now=LONG_AFTER)
    assert "acting together, not judged yet" in shown.summary
    assert set(shown.settle_with) <= set(shown.targets) and shown.settle_with


def test_a_patrol_that_people_uphold_is_not_flagged_and_counts_in_full(paper: Newspaper) -> None:
    town = patrol_town()
    clusters = run(paper, town.rows, [outcome(r, "upheld") for r in last_hits(town)])
    assert flagged(clusters) == []
    (cluster,) = clusters.values()
    assert cluster.disposition == "reliable" and "moderators upheld" in cluster.summary
    target, complaints, _ = crowd_on(paper, town)
    answer = paper.asks(target, THRESHOLD)
    assert (answer.complaints, answer.independent_complaints, answer.recommendation) == (
        complaints,
        float(complaints),
        "none",
    )
    assert [c.id for c in answer.clusters] == [cluster.id], "shown, not discounted"


def test_a_patrol_is_cleared_the_moment_it_is_upheld_and_an_appeal_takes_that_back(paper: Newspaper) -> None:
    town = patrol_town()
    (before,) = flagged(run(paper, town.rows))
    paper.posts([outcome(r, "upheld") for r in last_hits(town)])
    assert paper.clusters()[before.id].disposition == "reliable"
    paper.posts([outcome(r, "rejected", "appeal", action="restored") for r in last_hits(town)])
    after = paper.clusters()[before.id]
    assert after.disposition == "flagged" and after.unfounded_probability > 0.9


def test_trusted_reporters_and_notices_of_illegal_content_are_never_discounted(paper: Newspaper) -> None:
    town = draw_town(2)
    trusted = sorted(town.brigades[0])[:2]
    documents = [document(r) for r in town.rows]
    target, complaints, others = crowd_on(paper, town)
    illegal = 0
    for row, doc in zip(town.rows, documents, strict=True):
        if row.reporter in trusted:
            doc["reporter"]["trusted"] = True
        elif row.reporter == sorted(town.brigades[0])[2] and f"t{row.target}" == target:
            doc["notice_type"] = "illegal_content"
            illegal += 1
    paper.posts(documents, batch=250)
    paper.sweeps()
    (cluster,) = flagged(paper.clusters())
    exempt = sum(f"t{r.target}" == target and r.reporter in trusted for r in town.rows) + illegal
    assert exempt >= 1
    paper.decides(cluster.id, "coordinated")
    paper.sweeps()
    answer = paper.asks(target)
    assert answer.independent_complaints == others + exempt + 1, "all others, the exempt, and the rest as one"
    assert answer.clusters[0].complaints == complaints - others, "shown all the same"


def test_a_decision_sets_the_count_and_its_undo_restores_it(paper: Newspaper) -> None:
    town = draw_town(3)
    (cluster,) = flagged(run(paper, town.rows))
    target, complaints, others = crowd_on(paper, town)
    first = paper.independent(target)
    decision = paper.decides(cluster.id, "not_coordinated")
    paper.sweeps()
    assert (paper.independent(target), paper.asks(target, THRESHOLD).recommendation) == (complaints, "none")
    paper.decides(cluster.id, "not_coordinated", reverses=decision)
    paper.sweeps()
    assert paper.independent(target) == pytest.approx(first)
    paper.decides(cluster.id, "coordinated")
    paper.sweeps()
    assert paper.independent(target) == others + 1
    assert paper.asks(target, others + 2).recommendation == "hold"


def test_withdrawing_what_the_brigade_said_gives_the_count_of_those_who_stayed(paper: Newspaper) -> None:
    town = draw_town(3)
    (cluster,) = flagged(run(paper, town.rows))
    target, complaints, others = crowd_on(paper, town)
    paper.posts([{"withdraws": f"c{r.seq}"} for r in town.rows if r.reporter in town.brigades[0]])
    assert paper.clusters()[cluster.id].disposition == "revoked"
    answer = paper.asks(target)
    assert (answer.complaints, answer.independent_complaints) == (others, float(others)) and others < complaints


def test_floors_in_worlds_of_four_weeks() -> None:
    """Campaigns found by their accounts, in the mean over worlds, and nobody else flagged in any once people have
    judged.
    """
    recalls = []
    for seed in (2, 3, 5):  # in 5 the rotating brigade stays hidden: the structural part alone does not see everything
        world = world_of(seed, 14_000)
        present = {c["reporter"]["id"] for c in world.complaints}
        campaign = keys_of(present & world.campaign_by_account.keys())
        accused = frozenset().union(*(c.members for c in audited(told(world))[0] if c.disposition == "flagged"))
        assert len(accused & campaign) / len(accused) >= 0.98
        recalls.append(len(accused & campaign) / len(campaign))
    assert np.mean(recalls) >= 0.77


def test_without_any_judgement_the_patrol_alone_is_flagged_beside_the_campaigns_and_said_to_be_unjudged() -> None:
    world = world_of(2, 14_000)
    patrolled = {key_of(t) for t, crowd in world.crowd_by_target.items() if crowd == "patrol"}
    campaign = keys_of(world.campaign_by_account)
    wrongly = [
        c for c in audited(told(world, outcomes=False))[0] if c.disposition == "flagged" and not c.members <= campaign
    ]
    assert all(set(c.author_by_target) <= patrolled and "acting together, not judged yet" in c.summary for c in wrongly)
    viral = {key_of(t) for t, crowd in world.crowd_by_target.items() if crowd == "viral outrage"}
    assert viral and not any(viral & set(c.author_by_target) for c in wrongly)


def later(rows: list[Row], days: float, seq: int) -> list[Row]:
    """The same rows so many days later, with targets and complaints of their own."""
    return [replace(r, seq=seq + r.seq, target=r.target + seq, at=r.at + days * DAY) for r in rows]


def within_a_second(seq: int, people: list[int], target: int, at: float) -> list[Row]:
    return [Row(seq + k, who, target, at + 0.05 * k, 800_000 + target) for k, who in enumerate(people)]


def test_members_of_a_group_that_has_left_the_window_are_known_on_their_first_new_target(paper: Newspaper) -> None:
    """Fourteen of sixty, whose complaints are sixteen days old, and people who have nothing to do with them."""
    town = draw_town(3, members=60, hits=8, complaints=1_000)
    (before,) = flagged(run(paper, town.rows))
    run(paper, later(draw_town(5, brigades=0, days=3, complaints=600).rows, 21, 50_000))
    assert flagged(paper.clusters()) == [before], "its complaints have left the window"
    members = sorted(town.brigades[0])
    honest = list(dict.fromkeys(r.reporter for r in town.rows if r.reporter < 5_000))[:5]
    rows = within_a_second(100_000, members[:14], 90_001, 24.1 * DAY)
    rows += within_a_second(100_100, honest, 90_001, 24.1 * DAY + 60)
    rows += within_a_second(100_200, [members[30], *honest], 90_002, 24.1 * DAY + 120)
    paper.posts([document(r) for r in rows])
    answer = paper.asks("t90001")
    assert (answer.complaints, answer.recommendation) == (19, "hold")
    assert 6 <= answer.independent_complaints < 8
    assert [c.id for c in answer.clusters] == [before.id]
    alone = paper.asks("t90002")
    assert (alone.complaints, alone.independent_complaints, alone.clusters) == (6, 6.0, [])
    after = paper.clusters()[before.id]
    # The share of one author is shown of the targets that the cluster has now; the rest was measured in the window.
    measured = [[e for e in c.evidence if e.signal != one_author.NAME] for c in (before, after)]
    assert (after.members, measured[1], after.probability) == (before.members, measured[0], before.probability)
    for k in range(2):  # on further targets, through a new worker, and through a sweep
        paper.forgets()
        paper.posts(
            [document(r) for r in within_a_second(100_300 + 20 * k, members[:14], 90_003 + k, (24.2 + k) * DAY)]
        )
        assert paper.asks(f"t{90_003 + k}").recommendation == "hold"
    paper.sweeps()
    assert [paper.asks(f"t{t}").recommendation for t in (90_001, 90_003, 90_004)] == ["hold"] * 3
    assert [c.id for c in flagged(paper.clusters())] == [before.id]


def strikes_one_by_one(paper: Newspaper, members: list[int], first: int, strikes: int, day: float) -> list[float]:
    """Ten members complain about new targets, with a tick after each complaint; the independent counts at the tenth."""
    found = []
    for k in range(strikes):
        for row in within_a_second(100_000 + 20 * (first + k), members[:10], 90_000 + first + k, (day + k / 500) * DAY):
            paper.posts([document(row)])
            answer = paper.asks(f"t{row.target}")
            assert answer.complaints < 8 or answer.recommendation == "hold", (k, answer)
        found.append(answer.independent_complaints)
    return found


@pytest.mark.parametrize("quiet", [False, True], ids=["in the window", "after weeks of silence"])
def test_a_known_group_is_held_at_its_eighth_complaint_however_small_the_ticks_are(
    paper: Newspaper, quiet: bool
) -> None:
    """Alone at night, so that its raid is nearly all of the day's traffic; fifteen targets in half an hour."""
    town = draw_town(3, members=24, hits=8, complaints=1_000)
    (before,) = flagged(run(paper, town.rows))
    members = sorted(town.brigades[0])
    counts = strikes_one_by_one(paper, members, 0, 15, 30 if quiet else 14)
    assert max(counts) < 3
    assert [c.id for c in flagged(paper.clusters())] == [before.id]


def test_fourteen_in_step_whom_nobody_has_seen_are_flagged_at_their_fifth_target(paper: Newspaper) -> None:
    run(paper, draw_town(4, brigades=0).rows)
    rows = [
        within_a_second(10_000 + 20 * k, list(range(7_000, 7_014)), 90_000 + k, (9 + k / 100) * DAY) for k in range(7)
    ]
    for strike in rows[:4]:
        paper.posts([document(r) for r in strike])
        assert flagged(paper.clusters()) == []
    paper.posts([document(r) for r in rows[4]])
    (cluster,) = flagged(paper.clusters())
    assert cluster.members == keys_of(f"r{who}" for who in range(7_000, 7_014))
    for k, strike in enumerate(rows[5:], 5):
        paper.posts([document(r) for r in strike])
        assert [paper.asks(f"t{90_000 + j}").recommendation for j in range(k + 1)] == ["hold"] * (k + 1)
    paper.sweeps()
    assert [c.id for c in flagged(paper.clusters())] == [cluster.id]


def test_thirty_honest_readers_of_one_evenings_articles_are_not(paper: Newspaper) -> None:
    """New accounts too; each reads half of six articles within three hours, at a speed of their own."""
    run(paper, draw_town(4, brigades=0).rows)
    rng, rows = np.random.default_rng(2), list[Row]()
    for who in range(7_000, 7_030):
        at = 9 * DAY + rng.uniform(0, 3 * HOUR)
        for article in rng.permutation(6)[:3].tolist():
            for comment in range(3):
                at += 40 * rng.lognormal(0, 0.8)
                if rng.random() < 0.6:
                    rows.append(Row(0, who, 90_000 + 10 * article + comment, at, 800_000 + article))
    rows = [replace(r, seq=10_000 + k) for k, r in enumerate(sorted(rows, key=lambda r: r.at))]
    paper.posts([document(r) for r in rows], batch=5)
    paper.sweeps()
    assert flagged(paper.clusters()) == []
    crowded = max({r.target for r in rows}, key=lambda t: sum(r.target == t for r in rows))
    assert paper.asks(f"t{crowded}").independent_complaints == sum(r.target == crowded for r in rows) >= THRESHOLD
