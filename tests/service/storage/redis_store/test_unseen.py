"""Complaints that are not analysed yet, counted by target in the append's own step; on fakeredis and a real server."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from service.moderation.assessment import TargetStanding
from service.storage.redis_store import redis_keys, stream, unseen
from service.storage.redis_store.assessments import read_targets, write_progress
from service.storage.redis_store.stream import StreamBatch
from service.storage.sql.hashing import key_of
from tests.conftest import RedisClients

SECRET, ANOTHER = b"s" * 32, b"t" * 32
NO_LIMIT = 10**18


@pytest.fixture
def begun(clients: RedisClients) -> RedisClients:
    """Either server, with a tenant that has begun."""
    clients.run(stream.begin(clients.asyncio, "t", 5))
    return clients


def post(clients: RedisClients, *complaints: tuple[str, str | None], secret: bytes = SECRET) -> int:
    """Append one batch of complaints: (target, reporter; None: one whose complaints are never discounted)."""
    mark = unseen.marker(secret)
    marks = b"".join(mark(target, reporter) for target, reporter in complaints)
    batch = StreamBatch(len(complaints), b"\n".join([b"c{}"] * len(complaints)), "", marks)
    (position,) = clients.run(stream.append(clients.asyncio, "t", [batch], NO_LIMIT))
    return int(position)


def counts(clients: RedisClients, *targets: str) -> list[tuple[int, int]]:
    found: Sequence[TargetStanding] = clients.run(read_targets(clients.asyncio, "t", targets)).targets
    return [(standing.unseen, standing.unseen_by_known) for standing in found]


def analysed(clients: RedisClients, position: int) -> None:
    write_progress(clients.blocking, "t", archived=position, analysed=position)


def test_what_was_accepted_is_counted_until_it_is_analysed(begun: RedisClients) -> None:
    post(begun, ("a", "r1"), ("b", "r1"), ("a", "r2"))
    last = post(begun, ("a", "r3"))
    assert counts(begun, "a", "b", "never") == [(3, 0), (1, 0), (0, 0)]
    analysed(begun, last)
    assert counts(begun, "a", "b") == [(0, 0), (0, 0)]
    post(begun, ("b", "r9"))
    assert counts(begun, "a", "b") == [(0, 0), (1, 0)], "nothing of what is analysed counts again"


def test_outcomes_and_what_carries_no_mark_count_nothing(begun: RedisClients) -> None:
    begun.run(stream.append(begun.asyncio, "t", [StreamBatch(2, b"o{}\nw{}")], NO_LIMIT))
    assert counts(begun, "a") == [(0, 0)]
    assert not begun.blocking.exists(redis_keys.unseen("t"))


def test_a_count_is_an_upper_bound_that_never_misses_one(begun: RedisClients) -> None:
    """Whatever position the analysis has reached, what lies beyond it is counted, and at most a generation too much."""
    targets = ["a" if number % 3 else "b" for number in range(400)]
    for target in targets:
        post(begun, (target, "r"))
    for done in (1, 31, 32, 33, 150, 399, 400):
        analysed(begun, done)
        for (found, _), target in zip(counts(begun, "a", "b"), "ab", strict=True):
            true = targets[done:].count(target)
            assert true <= found <= true + unseen.GENERATION_POSITIONS
    assert counts(begun, "a", "b") == [(0, 0), (0, 0)]


def test_a_backlog_has_few_generations_and_they_are_deleted(begun: RedisClients) -> None:
    for number in range(300):
        last = post(begun, *[(f"t{number}-{k}", "r") for k in range(50)])
    generations = begun.blocking.zrange(redis_keys.unseen("t"), 0, -1)
    assert 16 < len(generations) < 120
    assert len(begun.blocking.keys("bw:t:unseen:*")) == len(generations)
    analysed(begun, last)
    post(begun, ("x", "r"))
    assert begun.blocking.keys("bw:t:unseen:*") == [b"bw:t:unseen:%d" % (last + 1)]


def test_members_of_known_groups_are_recognised_and_exempt_ones_are_not(begun: RedisClients) -> None:
    unseen.replace_known_members(begun.blocking, "t", SECRET, map(key_of, ("m1", "m2", "m3")))
    post(begun, ("a", "m1"), ("a", "x"), ("b", "m2"), ("a", "m3"), ("b", None))
    assert counts(begun, "a", "b") == [(3, 2), (2, 1)]


def test_members_come_and_go_and_another_key_knows_nobody(begun: RedisClients) -> None:
    unseen.change_known_members(begun.blocking, "t", SECRET, [key_of("m1"), key_of("m2")], [])
    unseen.change_known_members(begun.blocking, "t", SECRET, [], [key_of("m2")])
    post(begun, ("a", "m1"), ("a", "m2"))
    post(begun, ("a", "m1"), secret=ANOTHER)
    assert counts(begun, "a") == [(3, 1)]
    unseen.replace_known_members(begun.blocking, "t", SECRET, [])
    assert not begun.blocking.exists(redis_keys.known_members("t"))


def test_nobody_can_be_tried_against_the_known_members_without_the_key(begun: RedisClients) -> None:
    unseen.replace_known_members(begun.blocking, "t", SECRET, [key_of("m1")])
    (stored,) = begun.blocking.smembers(redis_keys.known_members("t"))
    assert stored != key_of("m1").to_bytes(8, "big", signed=True)
    assert stored != unseen.marker(ANOTHER)("a", "m1")[8:]
    assert stored == unseen.marker(SECRET)("a", "m1")[8:]


def test_a_large_batch_is_counted_whole(begun: RedisClients) -> None:
    unseen.replace_known_members(begun.blocking, "t", SECRET, (key_of(f"r{n}") for n in range(0, 10_000, 2)))
    post(begun, *[(f"t{n % 7}", f"r{n}") for n in range(10_000)])
    found = counts(begun, *[f"t{k}" for k in range(7)])
    assert sum(count for count, _ in found) == 10_000
    assert sum(known for _, known in found) == 5_000
