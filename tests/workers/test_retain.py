"""Retention: what is older than a tenant keeps goes, what counts within it goes on counting, and clusters stay what
they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aged_archive import DAY_US, Archive, told
from archive_lines import complaint, outcome, withdrawal
from conftest import RedisClients
from sqlalchemy import Engine
from worlds import document, draw_town, keys_of

from service.moderation.events import Event
from service.settings import Settings
from service.storage.privacy import retention
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import field_of
from service.storage.sql.schema import REPEAT, STANDING
from service.storage.sql.timers import due
from service.storage.webhooks import outbox
from workers import rebuild_redis, retain
from workers.detection.detector import Detector
from workers.retain import next_items


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Archive]:
    made = Archive(fake_redis, engine, settings)
    yield made
    made.forgets()


def test_without_a_setting_nothing_is_ever_deleted_and_nothing_is_planned(paper: Archive) -> None:
    told(paper, complaint("a"))
    paper.ages(3_000)
    paper.retains()
    assert paper.states() == {"a": STANDING}
    paper.keeps(14)
    paper.keeps(None)
    with paper.engine.connect() as connection:
        assert ("retain", "paper") in due(connection, 2)
    paper.retains()
    with paper.engine.connect() as connection:
        assert due(connection, 10**18) == []
    assert paper.states() == {"a": STANDING}


def test_what_was_received_before_the_time_goes_with_its_count_and_the_rest_stays(paper: Archive) -> None:
    told(
        paper,
        complaint("old1", reporter="r1"),
        complaint("old2", reporter="r2"),
        complaint("gone", reporter="r1", target="u"),
        outcome("o1"),
        withdrawal("w1"),
    )
    paper.ages(31)
    told(paper, complaint("new", 60, reporter="r3"), outcome("o2"))
    assert (paper.total("t"), paper.total("u")) == (3, 1)
    paper.keeps(30)
    paper.retains()
    assert paper.states() == {"new": STANDING}
    assert (paper.total("t"), paper.total("u")) == (1, 0)
    assert (paper.asks("t").complaints, paper.asks("u").complaints) == (1, 0)
    assert [paper.count(table) for table in (schema.outcomes, schema.withdrawals, schema.targets)] == [1, 0, 1]
    assert paper.window() == {6}
    rebuild_redis.rebuild_redis(paper.name, paper.resources)
    assert (paper.total("t"), paper.total("u")) == (1, 0)


def test_the_next_time_is_a_day_later_and_a_second_run_changes_nothing(paper: Archive) -> None:
    told(paper, complaint("old"))
    paper.ages(31)
    paper.keeps(30)
    paper.retains()
    with paper.engine.connect() as connection:
        (planned,) = connection.scalars(sa.select(schema.timers.c.due_us).where(schema.timers.c.work == "retain"))
    assert 0.99 * DAY_US < planned - paper.resources.now_us() <= DAY_US
    before = paper.state()
    paper.retains()
    assert paper.state() == before


def test_a_later_complaint_of_the_same_reporter_takes_the_place_of_a_deleted_one(paper: Archive) -> None:
    told(paper, complaint("first", 0), complaint("other", 0, reporter="s"))
    paper.ages(31)
    told(paper, complaint("again", 100), complaint("third", 200))
    assert paper.states() == {"first": STANDING, "other": STANDING, "again": REPEAT, "third": REPEAT}
    paper.keeps(30)
    paper.retains()
    assert paper.states() == {"again": STANDING, "third": REPEAT}
    paper.works()
    assert paper.asks("t").complaints == 1
    assert paper.window() == {3}
    paper.forgets()
    assert paper.window() == {3}


def test_an_act_of_its_own_inherits_before_an_earlier_part_of_another(paper: Archive) -> None:
    told(paper, complaint("first", 0))
    paper.ages(31)
    told(paper, complaint("x", 50, target="u"), complaint("part", 50, part_of="x"), complaint("own", 100))
    paper.keeps(30)
    paper.retains()
    assert paper.states() == {"x": STANDING, "part": REPEAT, "own": STANDING}
    paper.works()
    assert paper.asks("t").complaints == 1
    assert paper.window() == {2, 4}


def test_a_complaint_that_was_promoted_once_leaves_the_younger_row_of_the_feed_too(paper: Archive) -> None:
    told(paper, complaint("first", 0), complaint("heir", 10))
    paper.ages(31)
    told(paper, withdrawal("first"), complaint("other", 20, reporter="s"))  # heir is fed again, beside what is new
    assert paper.window() == {2, 4}
    paper.keeps(30)
    paper.retains()
    assert paper.states() == {"other": STANDING}
    assert paper.window() == {4}
    paper.forgets()
    assert paper.window() == {4}


def test_what_detection_has_not_read_yet_waits(paper: Archive) -> None:
    from workers import ingest

    paper.accepts(complaint("unread"))
    ingest.run(paper.name, paper.resources)
    paper.ages(31)
    paper.keeps(30)
    paper.retains()
    assert paper.states() == {"unread": STANDING}
    paper.works()
    paper.retains()
    assert paper.states() == {}


def test_the_rest_that_is_as_old_goes_too(paper: Archive) -> None:
    with write(paper.engine) as connection:
        outbox.record(connection, paper.id, [Event("target.hold", "old", {})], 1)
        connection.execute(
            schema.dead_letters.insert().values(
                tenant_id=paper.id, position=1, received_us=1, dead_us=1, error="", line="c{}"
            )
        )
        connection.execute(
            schema.reporter_warnings.insert().values(
                tenant_id=paper.id, reporter_key=1, reporter_id="x", at_us=1, detail="{}"
            )
        )
        now = paper.resources.now_us()
        outbox.record(connection, paper.id, [Event("target.hold", "new", {})], now)
        connection.execute(
            schema.dead_letters.insert().values(
                tenant_id=paper.id, position=2, received_us=now, dead_us=now, error="", line="c{}"
            )
        )
    paper.keeps(30)
    paper.consents(3)
    paper.retains()
    assert [paper.count(table) for table in (schema.events, schema.dead_letters, schema.reporter_warnings)] == [1, 1, 0]


def test_a_suspension_that_is_in_force_stays_known(paper: Archive) -> None:
    now = paper.resources.now_us()
    about = {"tenant_id": paper.id, "reporter_key": 1, "reporter_id": "x", "at_us": 1, "by": "ann"}
    facts = {"manifest": 2, "notices": 3, "days": 90, "gravity": "", "intention": ""}
    with write(paper.engine) as connection:
        connection.execute(schema.misuse_marks.insert().values(row_key=paper.id << 40 | 9, **about))
        for step, until in (("warned", None), ("suspended", 2), ("suspended", now + 1_000_000)):
            connection.execute(schema.misuse_steps.insert().values(step=step, until_us=until, **facts, **about))
    paper.keeps(30)
    paper.consents(3)
    paper.retains()
    with paper.engine.connect() as connection:
        assert list(connection.scalars(sa.select(schema.misuse_steps.c.until_us))) == [now + 1_000_000]
    assert paper.count(schema.misuse_marks) == 0


def test_a_suspension_that_ended_early_is_not_in_force_again(paper: Archive) -> None:
    now = paper.resources.now_us()
    about = {"tenant_id": paper.id, "reporter_key": 1, "by": "ann", "manifest": 2, "notices": 3, "days": 90}
    words = {"gravity": "", "intention": ""}
    with write(paper.engine) as connection:
        for reporter, until in (("x", now + 1_000_000), ("y", 4)):
            for step, ends in (("suspended", until), ("restored", None)):
                row = {"step": step, "at_us": 2, "until_us": ends, "reporter_id": reporter}
                connection.execute(schema.misuse_steps.insert().values(**row, **about, **words))
    paper.keeps(30)
    paper.consents(2)
    paper.retains()
    with paper.engine.connect() as connection:
        left = connection.execute(sa.select(schema.misuse_steps.c.reporter_id, schema.misuse_steps.c.step)).all()
    assert sorted(left) == [("x", "restored"), ("x", "suspended")]


def test_the_rest_goes_in_transactions_of_bounded_size_and_over_several_turns(
    paper: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write(paper.engine) as connection:
        connection.execute(
            schema.withdrawals.insert(),
            [{"tenant_id": paper.id, "complaint_id": f"w{n}", "seq": n, "received_us": 1} for n in range(70)],
        )
        outbox.record(connection, paper.id, [Event("target.hold", str(n), {}) for n in range(50)], 1)
    sizes: list[int] = []
    whole = retention.delete_rest

    def counted(*arguments: Any, **named: Any) -> dict[str, int]:
        gone = whole(*arguments, **named)
        sizes.append(sum(gone.values()))
        return gone

    monkeypatch.setattr(retention, "delete_rest", counted)
    monkeypatch.setattr(retention, "ITEMS_AT_ONCE", 20)
    monkeypatch.setattr(retain, "TURN_SECONDS", 0.0)
    paper.keeps(30)
    paper.retains()  # the first time it waits for a consent
    paper.consents(120)
    for _ in range(20):
        paper.retains()
        with paper.engine.connect() as connection:
            if not due(connection, paper.resources.now_us()):
                break
    assert max(sizes) <= 20 and sum(sizes) == 120 and len(sizes) == 8, sizes
    assert [paper.count(table) for table in (schema.withdrawals, schema.events)] == [0, 0]


def test_another_tenant_keeps_everything(
    paper: Archive, fake_redis: RedisClients, engine: Engine, settings: Settings
) -> None:
    other = Archive(fake_redis, engine, settings, "other")
    for one in (paper, other):
        told(one, complaint("old"))
    paper.ages(31)
    paper.keeps(30)
    for one in (paper, other):
        one.retains()
    assert (paper.states(), other.states()) == ({}, {"old": STANDING})
    other.forgets()


def test_an_old_id_that_is_sent_again_is_new(paper: Archive) -> None:
    told(paper, complaint("a"), complaint("b", reporter="s"), withdrawal("b"))
    paper.ages(31)
    paper.keeps(30)
    paper.retains()
    told(paper, complaint("a", reason="other words"), complaint("b", reporter="s"))
    assert paper.states() == {"a": STANDING, "b": STANDING}
    assert paper.state().conflicting == 0


def test_a_turn_that_ends_early_goes_on_at_once(paper: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(3):
        told(paper, complaint(f"c{k}", reporter=f"r{k}"))
    paper.ages(31)
    paper.keeps(30)
    monkeypatch.setattr("service.storage.privacy.retention.ITEMS_AT_ONCE", 1)
    monkeypatch.setattr(retain, "TURN_SECONDS", -1.0)
    for left in (2, 1, 0):
        with paper.engine.connect() as connection:
            assert ("retain", "paper") in due(connection, paper.resources.now_us())
        paper.retains()
        assert len(paper.states()) == left
    paper.retains()
    with paper.engine.connect() as connection:
        assert due(connection, paper.resources.now_us()) == []


def test_a_window_that_was_made_longer_since_is_not_cut(paper: Archive) -> None:
    from service.storage.accounts.policy_overrides import set_overrides

    told(paper, complaint("old"))
    paper.ages(40)
    paper.keeps(30)
    with write(paper.engine) as connection:
        set_overrides(connection, paper.id, {"window_seconds": 60 * 86_400}, by="test", now_us=1)
    paper.retains()
    assert paper.states() == {"old": STANDING}


# --- clusters


@pytest.fixture
def raided(paper: Archive) -> tuple[Archive, str, dict[str, Any]]:
    """A town with one brigade, analysed and swept; the cluster's id and row."""
    town = draw_town(2)
    paper.posts([document(row) for row in town.rows], batch=200)
    paper.sweeps()
    (cluster,) = paper.clusters().values()
    assert cluster.members == keys_of(f"r{r}" for r in town.brigades[0])
    return paper, cluster.id, row_of(paper, cluster.id)


def row_of(paper: Archive, cluster: str) -> dict[str, Any]:
    with paper.engine.connect() as connection:
        return dict(
            connection.execute(sa.select(schema.clusters).where(schema.clusters.c.id == cluster)).mappings().one()
        )


KEPT = (
    "disposition",
    "status",
    "first_us",
    "last_us",
    "reporter_count",
    "target_count",
    "summary",
    "evidence",
    "verdict",
)


def test_a_cluster_outlives_its_complaints_as_it_was_found(raided: tuple[Archive, str, dict[str, Any]]) -> None:
    paper, cluster, before = raided
    hit = next(iter(paper.clusters()[cluster].memberships.values())).target
    paper.ages(31)
    paper.keeps(30)
    paper.retains()
    assert paper.count(schema.complaints) == paper.count(schema.cluster_complaints) == 0
    assert paper.window() == set()
    paper.sweeps()
    after = row_of(paper, cluster)
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    state = paper.clusters()[cluster]
    assert (len(state.members), len(state.author_by_target)) == (before["reporter_count"], before["target_count"])
    assert paper.redis.hget(redis_keys.memberships(paper.name), field_of(hit)) is None  # nothing is left to discount
    told(paper, outcome("late", target=name_of(paper, hit), verdict="upheld"))
    after = row_of(paper, cluster)
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}


def name_of(paper: Archive, target: int) -> str:
    with paper.engine.connect() as connection:
        return str(
            connection.scalar(
                sa.select(schema.cluster_targets.c.target_id).where(schema.cluster_targets.c.target_key == target)
            )
        )


def test_half_of_a_cluster_s_complaints_may_go_and_a_sweep_neither_shrinks_nor_revokes_it(
    raided: tuple[Archive, str, dict[str, Any]],
) -> None:
    paper, cluster, before = raided
    seqs = sorted(paper.clusters()[cluster].memberships)
    with paper.engine.connect() as connection:
        feed = schema.feed.c
        cut = (
            connection.scalar(sa.select(sa.func.min(feed.last_seq)).where(feed.last_seq >= seqs[int(len(seqs) * 0.85)]))
            or 0
        )
    with write(paper.engine) as connection:
        connection.execute(
            sa.update(schema.feed).where(feed.last_seq <= cut).values(received_us=feed.received_us - 31 * DAY_US)
        )
    paper.keeps(30)
    paper.retains()
    left = paper.clusters()[cluster].memberships
    assert left and set(left) == {seq for seq in seqs if seq > cut}
    paper.sweeps()
    after = row_of(paper, cluster)
    assert {
        name: after[name] for name in ("disposition", "status", "first_us", "last_us", "reporter_count", "target_count")
    } == {
        name: before[name]
        for name in ("disposition", "status", "first_us", "last_us", "reporter_count", "target_count")
    }
    for target in {m.target for m in left.values()}:
        on_it = sum(m.target == target for m in left.values())
        (share,) = [s for s in json.loads(paper.redis.hget(redis_keys.memberships(paper.name), field_of(target)))[0]]
        assert share[1] == on_it


def test_without_a_deletion_the_same_sweep_would_have_let_the_cluster_go(
    raided: tuple[Archive, str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    paper, cluster, before = raided
    monkeypatch.setattr(Detector, "regroup", lambda *_: [])
    told(paper, complaint("one more", 9 * 86_400, reporter="somebody", target="elsewhere"))
    paper.sweeps()
    assert before["disposition"] == "flagged" and row_of(paper, cluster)["disposition"] == "revoked"


def test_a_transaction_that_took_long_is_followed_by_a_smaller_one_and_no_step_is_endless() -> None:
    assert [next_items(2_000, seconds) for seconds in (0.01, 0.1, 0.3)] == [2_000, 2_000, 1_000]
    assert [next_items(250, seconds) for seconds in (0.01, 0.1, 3.0)] == [500, 250, 250]
