"""Measure the CPU time of archiving, in µs per complaint, for every 50,000 rows.

    .venv/bin/python bench/ingest.py [--rows 300000] [--batch 500] [--quick]

Generated complaints; batches of 500 lines are committed in groups of 8,000 items, as the ingest worker does with a full
stream.
"""

import gc
import json
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from figures import parser_of, print_machine

from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_writer import ArchiveBatch, commit
from service.storage.redis_store.leases import take_epoch
from service.storage.sql.engine import migrate, open_database, write
from service.storage.sql.schema import ingest_state
from workers.jobs import COLLECTOR_THRESHOLDS

STEP, GROUP = 50_000, 8_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def lines(number: int, rows: int, rng: random.Random) -> bytes:
    """One canonical complaint; reporters and targets return with the skew of a comment section."""
    at = START + timedelta(seconds=number * 126 * 86_400 / rows)
    target = int(number / rows * 40_000 + rng.expovariate(1 / 60))
    complaint = {
        "id": f"c-{number:08d}",
        "occurred_at": at.isoformat().replace("+00:00", "Z"),
        "reporter": {
            "id": f"reader-{int(rng.paretovariate(0.9)) % 60_000}",
            "account_created_at": "2021-02-03T04:05:06Z",
        },
        "target": {
            "id": f"comment-{target}",
            "kind": "comment",
            "author_id": f"author-{target % 5_000}",
            "context_id": f"article-{target // 40}",
        },
        "reason": "abuse",
        "text": "this is an insult to everyone who reads here",
    }
    return b"c" + json.dumps(complaint, separators=(",", ":")).encode()


def run(rows: int, batch: int) -> None:
    """Archive `rows` complaints in entries of `batch` lines and print what each step cost."""
    rng = random.Random(1)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)  # as the worker does
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
        migrate(engine)
        tenant = create_tenant(engine, "bench", 0)
        epoch = take_epoch(engine, ingest_state, tenant)
        for begin in range(0, rows, STEP):
            entries = [
                ArchiveBatch(
                    f"{first + 1}-0",
                    first + 1,
                    first + 1,
                    b"\n".join(lines(number, rows, rng) for number in range(first, min(first + batch, rows))),
                )
                for first in range(begin, min(begin + STEP, rows), batch)
            ]
            cpu, wall = time.process_time(), time.perf_counter()
            size = max(1, GROUP // batch)
            for start in range(0, len(entries), size):
                with write(engine) as connection:
                    commit(connection, tenant, epoch, entries[start : start + size])
            count = min(STEP, rows - begin)
            print(
                f"{begin + count:>9,} rows: {(time.process_time() - cpu) / count * 1e6:5.1f} µs CPU,"
                f" {(time.perf_counter() - wall) / count * 1e6:5.1f} µs wall a complaint",
                flush=True,
            )
        engine.dispose()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, default=300_000, help="complaints to archive")
    parser.add_argument("--batch", type=int, default=500, help="complaints per batch")
    chosen = parser.parse_args()
    print_machine()
    run(20_000 if chosen.quick else chosen.rows, chosen.batch)


if __name__ == "__main__":
    main()
