"""The registry of trusted flaggers in detection: within area and time a notice counts in full, otherwise it does not,
whatever the platform says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import RedisClients
from flow import Newspaper
from sqlalchemy import Engine
from worlds import START, document, draw_town

from service.model import microseconds
from service.moderation.trusted_flaggers import FlaggerTerm
from service.settings import Settings
from service.storage.accounts import flagger_registry
from service.storage.accounts.secret_box import SecretBox
from service.storage.detection import allow_list
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import redis_keys, unseen
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from workers import detect, rebuild_redis
from workers.clock import Clock

TOWN = draw_town(2)
BRIGADE = frozenset(f"r{r}" for r in TOWN.brigades[0])
BEGIN, DAY_US = microseconds(START), 86_400 * 1_000_000
FIRST = min(BRIGADE)


def documents(**more: Any) -> list[dict[str, Any]]:
    """The town, in which the brigade's complaints say `more`; `trusted` is the reporter's."""
    trusted = more.pop("trusted", False)
    found = []
    for row in TOWN.rows:
        one = document(row)
        if one["reporter"]["id"] in BRIGADE:
            one |= more
            if trusted:
                one["reporter"] = {**one["reporter"], "trusted": True}
        found.append(one)
    return found


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings, "flagged")
    yield newspaper
    newspaper.forgets()


def enter(paper: Newspaper, *reporters: str, **term: Any) -> list[int]:
    with write(paper.engine) as connection:
        return [
            flagger_registry.add_flagger(
                connection,
                paper.id,
                reporter,
                entity="Hotline",
                coordinator="Coimisiún na Meán",
                term=FlaggerTerm(**{"since_us": BEGIN - 400 * DAY_US, **term}),
                note=None,
                by="ann",
                now_us=paper.resources.now_us(),
            )
            for reporter in reporters
        ]


def exempt_of(paper: Newspaper, reporter: str = FIRST) -> list[bool]:
    """Of the reporter's complaints in clusters, by time, whether each is exempt."""
    mine = [m for c in paper.clusters().values() for m in c.memberships.values() if m.reporter == key_of(reporter)]
    return [m.exempt for m in sorted(mine, key=lambda m: m.seq)]


def discounted(paper: Newspaper) -> bool:
    """Whether the brigade's complaints are discounted anywhere."""
    return any(
        (found := paper.asks(f"t{row.target}")).independent_complaints < found.complaints - 1
        for row in TOWN.rows
        if f"r{row.reporter}" in BRIGADE
    )


def test_senders_whom_the_registry_knows_to_be_trusted_no_longer_are_discounted(paper: Newspaper) -> None:
    paper.posts(documents(trusted=True))
    paper.sweeps()
    assert all(exempt_of(paper)) and not discounted(paper), "without an entry, the platform's word holds"
    enter(paper, *BRIGADE, until_us=BEGIN - 1)
    assert Clock(paper.resources).beat()[paper.name] is not None
    assert paper.redis.llen("rq:queue:detect") == 1, "the clock asks for a turn, though nothing came in"
    detect.run(paper.name, paper.resources)
    assert not any(exempt_of(paper)) and discounted(paper)
    with paper.engine.connect() as connection:
        assert timers.due(connection, 2**62) == [("campaigns", paper.name)], "no further turn"
    live = {i: c.memberships for i, c in paper.clusters().items()}
    paper.sweeps()
    assert {i: c.memberships for i, c in paper.clusters().items()} == live, "a sweep afterwards changes nothing"
    paper.forgets()
    detect.run(paper.name, paper.resources)
    assert {i: c.memberships for i, c in paper.clusters().items()} == live, "nor does a killed worker"


def test_a_sweep_that_comes_after_the_entry_says_what_a_turn_said(paper: Newspaper) -> None:
    enter(paper, FIRST, area=("Hate",))
    paper.posts(documents(reason="HATE"))
    ticked = exempt_of(paper)
    paper.sweeps()
    assert ticked and all(ticked) and all(exempt_of(paper)), "not sent as trusted, yet within the area"
    other = next(r for r in BRIGADE if r != FIRST and exempt_of(paper, r))
    assert not any(exempt_of(paper, other))


@pytest.mark.parametrize(
    ("more", "area", "expected"),
    [
        ({"reason": "hate"}, ("hate",), True),
        ({"reason": "hate", "notice_type": "terms", "trusted": True}, ("hate",), False),
        ({"reason": "spam", "trusted": True}, ("hate",), False),
        ({"reason": "hate", "trusted": True}, (), False),
        ({"reason": "spam", "notice_type": "illegal_content"}, ("hate",), True),  # as every notice
    ],
)
def test_within_the_area_a_complaint_is_exempt_and_outside_it_counts_as_anybodys(
    paper: Newspaper, more: dict[str, Any], area: tuple[str, ...], expected: bool
) -> None:
    paper.posts(documents(**more))
    paper.sweeps()
    enter(paper, FIRST, area=area)
    detect.run(paper.name, paper.resources)
    assert exempt_of(paper) and set(exempt_of(paper)) == {expected}


def test_a_status_ends_on_its_day_though_nobody_touches_it(paper: Newspaper) -> None:
    mine = sorted(row.at for row in TOWN.rows if f"r{row.reporter}" == FIRST)
    middle = BEGIN + int(mine[len(mine) // 2] * 1e6)
    enter(paper, FIRST, area=("hate",), until_us=middle)
    paper.posts(documents(reason="hate"), batch=200)
    paper.sweeps()
    found = exempt_of(paper)
    assert set(found) == {True, False} and found == sorted(found, reverse=True)
    (entry,) = enter(paper, FIRST, area=("hate",), since_us=middle)
    detect.run(paper.name, paper.resources)
    assert all(exempt_of(paper)), "an entry that is made later covers what was filed since it began"
    with write(paper.engine) as connection:
        flagger_registry.suspend_flagger(
            connection, paper.id, entry, from_us=middle, by="ann", now_us=paper.resources.now_us()
        )
    detect.run(paper.name, paper.resources)
    assert exempt_of(paper) == found


def test_an_entry_made_by_mistake_leaves_everything_as_it_was(paper: Newspaper) -> None:
    paper.posts(documents(trusted=True))
    paper.sweeps()
    before = paper.clusters()
    (entry,) = enter(paper, FIRST)
    detect.run(paper.name, paper.resources)
    assert not any(exempt_of(paper))
    with write(paper.engine) as connection:
        flagger_registry.remove_flagger(connection, paper.id, entry, by="ann", now_us=paper.resources.now_us())
    paper.forgets()
    detect.run(paper.name, paper.resources)
    assert all(exempt_of(paper))
    assert {i: c.memberships for i, c in paper.clusters().items()} == {i: c.memberships for i, c in before.items()}


def test_a_good_patrol_stays_one_whatever_the_registry_says(paper: Newspaper) -> None:
    paper.posts(documents())
    paper.sweeps()
    enter(paper, FIRST, until_us=BEGIN - 1)
    with write(paper.engine) as connection:
        allow_list.allow(connection, paper.id, FIRST, note=None, by="ann", now_us=paper.resources.now_us())
    detect.run(paper.name, paper.resources)
    assert all(exempt_of(paper))
    with write(paper.engine) as connection:
        allow_list.disallow(connection, paper.id, FIRST, by="ann", now_us=paper.resources.now_us())
    detect.run(paper.name, paper.resources)
    assert not any(exempt_of(paper))


def test_a_complaint_that_is_part_of_an_act_goes_by_the_registry_too(paper: Newspaper) -> None:
    told = documents(reason="hate")
    acts = [one for one in told if one["reporter"]["id"] in BRIGADE]
    parts = [
        {**one, "id": f"p{n}", "target": {"id": f"author-of-{one['target']['id']}"}, "part_of": one["id"]}
        for n, one in enumerate(acts)
    ]
    enter(paper, FIRST, area=("hate",))
    paper.posts(sorted([*told, *parts], key=lambda one: one["occurred_at"]))
    paper.sweeps()
    listed = [m for c in paper.clusters().values() for m in c.listed.values()]
    assert {m.exempt for m in listed if m.reporter == key_of(FIRST)} == {True}
    assert {m.exempt for m in listed if m.reporter != key_of(FIRST)} == {False}


def test_what_a_member_sends_as_trusted_makes_answers_provisional_only_where_the_registry_decides(
    paper: Newspaper,
) -> None:
    paper.posts(documents())
    paper.sweeps()
    member = min(BRIGADE)

    def known() -> tuple[bool, bool]:
        """Whether Redis counts what the reporter sends as a known member's: as anybody, and as a trusted flagger."""
        secret = open_privacy_filter(paper.engine, SecretBox(paper.resources.settings), paper.id).key
        stored = paper.redis.smembers(redis_keys.known_members(paper.name))
        return tuple(unseen.marker(secret)("t", member, trusted)[8:] in stored for trusted in (False, True))  # type: ignore[return-value]

    assert known() == (True, False)
    enter(paper, member, until_us=BEGIN - 1)
    detect.run(paper.name, paper.resources)
    assert known() == (True, True)
    paper.redis.delete(redis_keys.known_members(paper.name))
    rebuild_redis.rebuild_redis(paper.name, paper.resources)
    assert known() == (True, True)
    with write(paper.engine) as connection:
        allow_list.allow(connection, paper.id, member, note=None, by="ann", now_us=paper.resources.now_us())
    detect.run(paper.name, paper.resources)
    assert known() == (False, False)
