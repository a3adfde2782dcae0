"""The naive implementation that bench/end_to_end.py compares with: one RQ job per complaint, on one SimpleWorker.

    python bench/naive.py work REDIS_URL DATABASE_URL N      prints "ready", archives N complaints, prints "done N"

Each job calls the ingest worker's own commit with a batch of one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy import Engine

from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.archive_writer import ArchiveBatch, commit
from service.storage.redis_store.leases import take_epoch
from service.storage.sql.engine import open_database, write
from service.storage.sql.schema import ingest_state

TENANT, QUEUE = "naive", "naive"
PIPELINE = 500

_engine: Engine | None = None  # of the worker process
_tenant = _epoch = _archived = _expected = 0


def archive(position: int, line: str) -> None:
    """The job: one complaint into the archive."""
    global _archived
    assert _engine is not None
    with write(_engine) as connection:
        commit(
            connection,
            _tenant,
            _epoch,
            [ArchiveBatch(f"{position}-0", position, time.time_ns() // 1000, line.encode())],
        )
    _archived += 1
    if _archived == _expected:
        print("done", _archived, flush=True)


def produce(redis_url: str, lines: Sequence[bytes]) -> None:
    """Enqueue a job a complaint, in pipelines."""
    with Redis.from_url(redis_url) as redis:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        for start in range(0, len(lines), PIPELINE):
            queue.enqueue_many(
                [
                    Queue.prepare_data(
                        "naive.archive", args=(start + number + 1, "c" + line.decode()), timeout=60, result_ttl=0
                    )
                    for number, line in enumerate(lines[start : start + PIPELINE])
                ]
            )


def work(redis_url: str, database_url: str, expected: int) -> None:
    """Serve the queue until terminated."""
    global _engine, _tenant, _epoch, _expected
    _engine, _expected = open_database(database_url), expected
    _tenant = tenant_id(_engine, TENANT)
    _epoch = take_epoch(_engine, ingest_state, _tenant)
    redis = Redis.from_url(redis_url)
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    print("ready", flush=True)
    SimpleWorker([queue], connection=redis, serializer=JSONSerializer, job_class=Job).work(logging_level="WARNING")


if __name__ == "__main__":
    sys.modules["naive"] = sys.modules["__main__"]  # the jobs name this module; its state is here
    work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
