"""Cases go into queues by rule, and people's choices outweigh the rules."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import START, put_cluster, put_complaint
from conftest import RedisClients
from pipeline_world import Paper
from sqlalchemy import Engine

from service.errors import NotFound, Refused
from service.moderation.queue_rules import QueueConditions
from service.settings import Settings
from service.storage.accounts import users
from service.storage.accounts.tenants import create_tenant
from service.storage.cases import placements, queues, tags
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from workers import placing

NOW_US = 1


class Desk:
    """A tenant with cases, queues and people."""

    def __init__(self, paper: Paper) -> None:
        self.paper, self.engine, self.id, self.seq = paper, paper.engine, paper.id, 0
        self.people: dict[str, int] = {}
        for name in ("ann", "ben", "cem"):
            with write(self.engine) as connection:
                made = users.create_user(connection, self.id, name, "moderator", "x", actor="test", now_us=0)
            self.people[name] = made.id

    def case(self, name: str, found: int = 0, *, targets: dict[str, dict[str, Any]] | None = None, **more: Any) -> None:
        put_cluster(self.engine, self.id, name, found_us=found, targets=list(targets or {"t1": {}}), **more)
        for target, fields in (targets or {}).items():
            self.seq += 1
            put_complaint(self.engine, self.id, self.seq, "r1", target, cluster=name, reason="spam")
            self.rewrite(self.seq, {"id": target, **fields})

    def rewrite(self, seq: int, target: dict[str, Any]) -> None:
        row = schema.complaints.c.row_key == self.id << 40 | seq
        with write(self.engine) as connection:
            content = json.loads(connection.scalar(sa.select(schema.complaints.c.content).where(row)) or "")
            changed = json.dumps({**content, "target": target})
            connection.execute(sa.update(schema.complaints).where(row).values(content=changed))

    def queue(self, name: str, *people: str, id: int | None = None, **conditions: Any) -> int:
        with write(self.engine) as connection:
            chosen = tuple(self.people[one] for one in people)
            return queues.save_queue(
                connection, self.id, name, QueueConditions(**conditions), chosen, queue_id=id, by="ann", now_us=NOW_US
            )

    def work(self) -> None:
        placing.run(self.paper.name, self.paper.resources)
        with self.engine.connect() as connection:
            assert ("place", self.paper.name) not in timers.due(connection, 2**62)

    def places(self) -> dict[str, tuple[str | None, str | None]]:
        with self.engine.connect() as connection:
            names = {one.id: one.name for one in queues.list_queues(connection, self.id)}
            ids = connection.scalars(sa.select(schema.clusters.c.id)).all()
            found = placements.placements_of(connection, self.id, ids)
        return {one: (names.get(p.queue_id or 0), p.person) for one, p in found.items()}

    def assign(self, case: str, name: str | None) -> None:
        with write(self.engine) as connection:
            user = None if name is None else self.people[name]
            placements.assign_case(connection, self.id, case, user, by="ann", now=START)

    def move(self, case: str, queue: int | None) -> None:
        with write(self.engine) as connection:
            placements.move_case(connection, self.id, case, queue, by="ann", now=START)

    def disable(self, name: str) -> None:
        with write(self.engine) as connection:
            user = users.find_user(connection, self.id, name)
            users.disable_user(connection, user, actor="test", now_us=NOW_US)


@pytest.fixture
def desk(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Desk:
    return Desk(Paper(fake_redis, engine, settings))


def test_contexts_languages_and_reasons_are_those_of_at_least_half(desk: Desk) -> None:
    german = {"context_id": "sport", "attributes": {"language": "de-AT"}}
    desk.case("k-german", targets={"a": german, "b": german, "c": {"context_id": "city", "attributes": {"lang": "en"}}})
    desk.case("k-english", targets={"d": {"attributes": {"lang": "EN"}}, "e": {"attributes": {"lang": 7}}})
    desk.case("k-bare")
    desk.queue("Deutsch", languages=("de",))
    desk.queue("English", languages=("en-GB",))
    desk.work()
    assert desk.places() == {
        "k-german": ("Deutsch", None),
        "k-english": ("English", None),
        "k-bare": (None, None),
    }
    sport = desk.queue("Sport", contexts=("sport",))
    desk.queue("Spam", reasons=("spam",))
    for _ in range(2):
        with write(desk.engine) as connection:
            queues.raise_queue(connection, desk.id, sport, by="ann", now_us=NOW_US)
    desk.work()
    assert desk.places()["k-german"] == ("Sport", None)
    assert desk.places()["k-english"] == ("English", None)


def test_a_case_that_grew_is_read_again(desk: Desk) -> None:
    desk.case("k1", targets={"a": {"context_id": "city"}})
    desk.queue("Sport", contexts=("sport",))
    desk.work()
    assert desk.places() == {"k1": (None, None)}
    for target in ("b", "c"):
        desk.seq += 1
        put_complaint(desk.engine, desk.id, desk.seq, "r1", target, cluster="k1")
        desk.rewrite(desk.seq, {"id": target, "context_id": "sport"})
    with write(desk.engine) as connection:
        connection.execute(sa.update(schema.clusters).values(target_count=3))
        queues.plan_placing(connection, desk.id, NOW_US)
    desk.work()
    assert desk.places() == {"k1": ("Sport", None)}


def test_cases_go_to_people_in_turn_and_stay_with_them(desk: Desk) -> None:
    for number in range(5):
        desk.case(f"k{number}", number)
    desk.queue("All", "ben", "ann", min_accounts=2)
    desk.work()
    first = desk.places()
    assert [first[f"k{n}"][1] for n in range(5)] == ["ben", "ann", "ben", "ann", "ben"]
    desk.case("k5", -9)
    desk.work()
    assert desk.places() == {**first, "k5": ("All", "ann")}


def test_what_a_person_chose_outweighs_the_rules(desk: Desk) -> None:
    for number in range(4):
        desk.case(f"k{number}", number)
    rule, by_hand = desk.queue("Rule", "ann", kind="repeat"), desk.queue("By hand", "ben")
    desk.work()
    assert set(desk.places().values()) == {("Rule", "ann")}
    desk.move("k0", by_hand)
    desk.move("k1", None)
    desk.assign("k2", "cem")
    desk.assign("k3", None)
    desk.queue("Rule", "ben", id=rule, kind="repeat")
    expected = {"k0": ("By hand", "ben"), "k1": (None, None), "k2": ("Rule", "cem"), "k3": ("Rule", None)}
    for _ in range(2):
        desk.work()
        assert desk.places() == expected
    with write(desk.engine) as connection:
        queues.remove_queue(connection, desk.id, by_hand, by="ann", now_us=NOW_US)
    desk.work()
    assert desk.places()["k0"] == ("Rule", "ben")
    with write(desk.engine) as connection:
        queues.remove_queue(connection, desk.id, rule, by="ann", now_us=NOW_US)
    desk.work()
    assert desk.places() == {"k0": (None, None), "k1": (None, None), "k2": (None, "cem"), "k3": (None, None)}


def test_cases_of_somebody_who_may_not_decide_fall_back_to_their_queue(desk: Desk) -> None:
    desk.case("k0")
    desk.case("k1", 1)
    desk.queue("All", "ann", "ben", min_accounts=2)
    desk.work()
    desk.assign("k1", "cem")
    assert desk.places() == {"k0": ("All", "ann"), "k1": ("All", "cem")}
    desk.disable("ann")
    desk.disable("cem")
    assert desk.places() == {"k0": ("All", None), "k1": ("All", None)}  # at once
    with write(desk.engine) as connection:
        queues.plan_placing(connection, desk.id, NOW_US)
    desk.work()
    assert desk.places() == {"k0": ("All", "ben"), "k1": ("All", "ben")}
    with pytest.raises(Refused):
        desk.assign("k0", "ann")


def test_a_tag_moves_a_case_and_decided_ones_stay(desk: Desk) -> None:
    desk.case("k0")
    desk.case("k1", status="decided", verdict="coordinated")
    desk.queue("Tagged", tag="Sport")
    desk.work()
    for case in ("k0", "k1"):
        with write(desk.engine) as connection:
            tags.add_tag(connection, desk.id, case, "SPORT", by="ann", now=START + timedelta(hours=1))
    with desk.engine.connect() as connection:
        assert ("place", desk.paper.name) in timers.due(connection, 2**62)
    desk.work()
    assert desk.places() == {"k0": ("Tagged", None)}


def test_queues_and_cases_of_other_tenants_are_out_of_reach(desk: Desk) -> None:
    other = create_tenant(desk.engine, "other", 0)
    put_cluster(desk.engine, other, "k9")
    desk.case("k0")
    with write(desk.engine) as connection:
        theirs = queues.save_queue(
            connection, other, "Theirs", QueueConditions(kind="repeat"), (desk.people["ann"],), by="eve", now_us=1
        )
    with desk.engine.connect() as connection:
        assert queues.read_queue(connection, other, theirs).user_ids == ()
    for change in (lambda: desk.move("k0", theirs), lambda: desk.move("k9", None), lambda: desk.assign("k9", "ann")):
        with pytest.raises(NotFound):
            change()
    desk.queue("Theirs", kind="repeat")
    desk.work()
    assert desk.places() == {"k0": ("Theirs", None)}


def test_names_of_queues_are_checked(desk: Desk) -> None:
    desk.queue("  Sport  news ")
    for name in ("", "x" * 41, "SPORT NEWS"):
        with pytest.raises(Refused):
            desk.queue(name)
