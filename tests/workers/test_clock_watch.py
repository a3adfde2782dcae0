"""Steps of the wall clock are noticed by the monotonic one, counted, and kept for Operations."""

from __future__ import annotations

import logging

import pytest
from conftest import RedisClients

from service.ops import clock_steps
from service.storage.redis_store import redis_keys
from workers.clock_watch import ClockWatch


class Clocks:
    def __init__(self) -> None:
        self.wall_us, self.monotonic = 1_795_000_000_000_000, 50.0

    def passes(self, seconds: float, step: float = 0.0) -> None:
        self.monotonic += seconds
        self.wall_us += round((seconds + step) * 1e6)


def test_time_that_passes_and_slewing_are_no_steps() -> None:
    clocks = Clocks()
    watch = ClockWatch(lambda: clocks.wall_us, lambda: clocks.monotonic)
    for seconds, step in ((0.1, 0.0), (3_600.0, 1.8), (0.1, -1.0)):
        clocks.passes(seconds, step)
        assert watch.step_seconds() is None


def test_a_step_is_noticed_once_in_either_direction(fake_redis: RedisClients, caplog: pytest.LogCaptureFixture) -> None:
    clocks, redis = Clocks(), fake_redis.blocking
    watch = ClockWatch(lambda: clocks.wall_us, lambda: clocks.monotonic)
    with caplog.at_level(logging.WARNING):
        for step in (-3_600.0, 0.0, 3_456_000.0):
            clocks.passes(0.1, step)
            watch.look(redis)
    assert [message.partition(" by ")[2].split(" s")[0] for message in caplog.messages] == ["3600.0", "3456000.0"]
    steps = clock_steps.read_steps(redis.lrange(redis_keys.CLOCK_STEPS, 0, -1))
    assert [step.seconds for step in steps] == [3_456_000.0, -3_600.0]
    counted = redis.hgetall(redis_keys.tallies(""))
    assert {name.decode().partition("|")[2] for name in counted} == {"back", "forward"}


def test_only_the_latest_steps_are_kept(fake_redis: RedisClients) -> None:
    for number in range(8):
        clock_steps.remember(fake_redis.blocking, number, number)
    kept = clock_steps.read_steps(fake_redis.blocking.lrange(redis_keys.CLOCK_STEPS, 0, -1))
    assert [step.seconds for step in kept] == [7, 6, 5, 4, 3]
