"""The allow-list in detection: a known good patrol is shown in clusters, and its complaints count."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import RedisClients
from flow import Newspaper, swept_town
from sqlalchemy import Engine, select
from worlds import Row, document, draw_town

from service.errors import NotFound, Refused
from service.moderation.allowances import sentence
from service.settings import Settings
from service.storage.accounts.policy_overrides import change_overrides
from service.storage.accounts.tenants import create_tenant
from service.storage.detection import allow_list
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from workers import detect, sweep
from workers.clock import Clock

TOWN = draw_town(2)
PATROL = [f"r{r}" for r in sorted(TOWN.brigades[0])]


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    with swept_town(fake_redis, engine, settings, TOWN.rows) as newspaper:
        yield newspaper


def raided(paper: Newspaper) -> str:
    """A target that most of the group complained about."""
    (cluster,) = paper.clusters().values()
    return next(
        t
        for row in TOWN.rows
        if key_of(t := f"t{row.target}") in cluster.author_by_target and paper.asks(t).clusters[0].complaints >= 7
    )


def allow(paper: Newspaper, *reporters: str) -> None:
    with write(paper.engine) as connection:
        for reporter in reporters:
            allow_list.allow(
                connection, paper.id, reporter, note="knows spam", by="ann", now_us=paper.resources.now_us()
            )


def disallow(paper: Newspaper, *reporters: str) -> None:
    with write(paper.engine) as connection:
        for reporter in reporters:
            allow_list.disallow(connection, paper.id, reporter, by="ann", now_us=paper.resources.now_us())


def test_what_a_patrol_said_counts_at_once_and_no_longer_when_it_is_off_the_list(paper: Newspaper) -> None:
    target = raided(paper)
    before = paper.asks(target)
    assert before.independent_complaints < before.complaints
    allow(paper, *PATROL)
    assert Clock(paper.resources).beat()[paper.name] is not None
    assert paper.redis.llen("rq:queue:detect") == 1, "the clock asks for a turn, though nothing came in"
    detect.run(paper.name, paper.resources)
    after = paper.asks(target)
    assert after.independent_complaints == after.complaints == before.complaints
    assert [c.complaints for c in after.clusters] == [c.complaints for c in before.clusters], "it is still shown"
    (cluster,) = paper.clusters().values()
    assert cluster.disposition == "flagged" and all(m.exempt for m in cluster.memberships.values())
    with paper.engine.connect() as connection:
        assert timers.due(connection, 2**62) == [("campaigns", paper.name)], "nothing of detection's own"
    disallow(paper, *PATROL)
    detect.run(paper.name, paper.resources)
    assert paper.asks(target).model_dump(exclude={"as_of"}) == before.model_dump(exclude={"as_of"})


def test_the_effect_is_told_before_and_is_what_happens(paper: Newspaper) -> None:
    one = PATROL[0]
    with paper.engine.connect() as connection:
        told = allow_list.effect(connection, paper.id, one, allowed=True)
        assert allow_list.effect(connection, paper.id, "nobody ever", allowed=True).clusters == 0
        (cluster,) = paper.clusters().values()
        targets = {f"t{row.target}" for row in TOWN.rows if key_of(f"t{row.target}") in cluster.author_by_target}
    before = sum(paper.independent(t) for t in targets)
    allow(paper, one)
    detect.run(paper.name, paper.resources)
    assert told.clusters == 1 and told.complaints == sum(
        m.reporter == key_of(one) for m in cluster.memberships.values()
    )
    assert sum(paper.independent(t) for t in targets) - before == pytest.approx(told.counted)
    assert told.counted > 1
    assert "more count as independent" in sentence(told)
    with paper.engine.connect() as connection:
        back = allow_list.effect(connection, paper.id, one, allowed=False)
    assert (back.complaints, back.counted) == (told.complaints, pytest.approx(-told.counted))


def test_a_trusted_flaggers_complaint_stays_exempt_when_its_reporter_leaves_the_list(
    fake_redis: RedisClients, engine: Engine, settings: Settings
) -> None:
    paper = Newspaper(fake_redis, engine, settings, "another")
    first = min(TOWN.brigades[0])
    told = [document(r) for r in TOWN.rows]
    trusted = [d for d in told if d["reporter"]["id"] == f"r{first}"][:3]
    for one in trusted:
        one["reporter"] = {**one["reporter"], "trusted": True}
    paper.posts(told, batch=300)
    paper.sweeps()

    def exempt() -> int:
        return sum(
            m.exempt
            for c in paper.clusters().values()
            for m in c.memberships.values()
            if m.reporter == key_of(f"r{first}")
        )

    own = exempt()
    assert 0 < own <= 3
    allow(paper, f"r{first}")
    detect.run(paper.name, paper.resources)
    assert exempt() > own
    disallow(paper, f"r{first}")
    paper.forgets()  # and a killed worker in between is no matter
    detect.run(paper.name, paper.resources)
    assert exempt() == own
    paper.forgets()


def test_what_comes_in_later_is_exempt_too_and_a_sweep_keeps_it_so(paper: Newspaper) -> None:
    allow(paper, *PATROL)
    detect.run(paper.name, paper.resources)
    last, at = len(TOWN.rows), TOWN.rows[-1].at
    people = sorted(TOWN.brigades[0])
    more = [
        Row(last + 1 + k, person, 9_000 + hit, at + hit * 3_600 + place * 60, 90_000 + hit)
        for k, (hit, place, person) in enumerate((h, i, p) for h in range(4) for i, p in enumerate(people))
    ]
    paper.posts([document(r) for r in more])
    paper.sweeps()
    (cluster,) = (c for c in paper.clusters().values() if c.disposition == "flagged")
    assert key_of("t9003") in cluster.author_by_target
    assert all(m.exempt for m in cluster.memberships.values())
    assert paper.asks("t9003").independent_complaints == paper.asks("t9003").complaints == len(people)


def test_a_rebuilt_window_goes_by_the_list_as_it_is_now(paper: Newspaper) -> None:
    target = raided(paper)
    allow(paper, *PATROL)
    paper.forgets()
    detect.run(paper.name, paper.resources)
    assert paper.asks(target).independent_complaints == paper.asks(target).complaints


def test_the_list_names_each_once_refuses_what_is_none_and_is_each_tenants_own(paper: Newspaper) -> None:
    other = create_tenant(paper.engine, "other", 0)
    allow(paper, "é 'quoted' <b>")
    with write(paper.engine) as connection:
        with pytest.raises(Refused, match="already"):
            allow_list.allow(connection, paper.id, "é 'quoted' <b>", note=None, by="ann", now_us=1)
        for wrong in ("", "x" * 129, "a\nb", "a\0", "\ud800"):
            with pytest.raises(Refused, match="is not a reporter's id"):
                allow_list.allow(connection, paper.id, wrong, note=None, by="ann", now_us=1)
            assert allow_list.find_allowed(connection, paper.id, wrong) is None
        with pytest.raises(Refused, match="too long"):
            allow_list.allow(connection, paper.id, "r1", note="x" * 1_001, by="ann", now_us=1)
        with pytest.raises(NotFound):
            allow_list.disallow(connection, other, "é 'quoted' <b>", by="ann", now_us=1)
        assert allow_list.list_allowed(connection, other) == []
        found = allow_list.find_allowed(connection, paper.id, "é 'quoted' <b>")
        assert found is not None and (found.by, found.note) == ("ann", "knows spam")
        allow_list.disallow(connection, paper.id, "é 'quoted' <b>", by="bob", now_us=2)
        trail = connection.execute(
            select(schema.audit_trail.c.action, schema.audit_trail.c.actor, schema.audit_trail.c.subject).where(
                schema.audit_trail.c.tenant_id == paper.id
            )
        ).all()
    assert [tuple(row) for row in trail] == [
        ("allowed", "ann", "reporter:é 'quoted' <b>"),
        ("allowed no longer", "bob", "reporter:é 'quoted' <b>"),
    ]


def test_changed_thresholds_reach_the_cases_though_nothing_comes_in(paper: Newspaper) -> None:
    (cluster,) = paper.clusters().values()
    target = raided(paper)
    before = paper.asks(target)
    with write(paper.engine) as connection:
        now = change_overrides(
            connection, paper.id, put={"prior_unfounded": 0.1}, by="ann", now_us=paper.resources.now_us()
        )
    Clock(paper.resources).beat()
    assert paper.redis.llen("rq:queue:sweep") == 1, "the clock asks for a sweep"
    sweep.run(paper.name, paper.resources)
    detect.run(paper.name, paper.resources)
    after = paper.clusters()[cluster.id]
    assert after.policy_version == now.version and after.unfounded_probability < cluster.unfounded_probability
    assert paper.asks(target).independent_complaints > before.independent_complaints
    assert paper.analysis().policy_version == now.version
    with paper.engine.connect() as connection:
        assert timers.due(connection, 2**62) == [("campaigns", paper.name)], "nothing of detection's own"
