"""How workers tell the metrics port what they did: a few fields of two Redis hashes.

Workers are processes of their own, so that their counters cannot live in the API's memory; a hash costs one round
trip a job and survives restarts. The API's metrics port reads it (service/ops/collector.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import redis

from service.storage.keys import DELIVERY_COUNTS, DETECTION_COUNTS, JOB_METRICS, POLL_COUNTS

BUCKETS_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_COUNT_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")


def record_job(client: redis.Redis, work: str, tenant: str, seconds: float, ok: bool) -> None:
    """One job of `work` (ingest, detect, sweep, ...) has ended after `seconds` of wall clock.

    Counts never stop work: what Redis refuses is dropped.
    """
    bucket = next((str(limit) for limit in BUCKETS_SECONDS if seconds <= limit), "+Inf")
    pipe = client.pipeline(transaction=False)
    pipe.hincrby(JOB_METRICS, f"{work}|bucket|{bucket}", 1)
    pipe.hincrbyfloat(JOB_METRICS, f"{work}|sum|", seconds)
    pipe.hincrbyfloat(JOB_METRICS, f"{work}|busy|{tenant}", seconds)
    if not ok:
        pipe.hincrby(JOB_METRICS, f"{work}|failed|{tenant}", 1)
    _execute(pipe)


def count_poll(client: redis.Redis, tenant: str, platform: str, result: str) -> None:
    """One poll of a source has ended; what Redis refuses is dropped."""
    pipe = client.pipeline(transaction=False)
    pipe.hincrby(POLL_COUNTS, f"{platform}|{result}|{tenant}", 1)
    _execute(pipe)


def record_counts(client: redis.Redis, counts: Mapping[str, float], *, tenant: str = "") -> None:
    """What detection measured: a name ending in `_total` is added up, any other is a present value.

    Names are [a-z0-9_], at most 40 characters, and become brigadewatch_detection_<name>. Raises ValueError for
    another name.
    """
    pipe = client.pipeline(transaction=False)
    for name, value in counts.items():
        if not _COUNT_NAME.match(name):
            raise ValueError(f"{name!r} is no name of a count: letters a-z, digits and _, at most 40")
        if name.endswith("_total"):
            pipe.hincrbyfloat(DETECTION_COUNTS, f"{name}|{tenant}", value)
        else:
            pipe.hset(DETECTION_COUNTS, f"{name}|{tenant}", repr(float(value)))
    _execute(pipe)


def record_delivery(client: redis.Redis, tenant: str, result: str) -> None:
    """One attempt to deliver a webhook: delivered, retried (it failed and is tried again), given_up, or disabled (given up, and its subscription with it)."""
    pipe = client.pipeline(transaction=False)
    pipe.hincrby(DELIVERY_COUNTS, f"{result}|{tenant}", 1)
    _execute(pipe)


def _execute(pipe: Any) -> None:
    try:
        pipe.execute()
    except redis.RedisError:
        return
