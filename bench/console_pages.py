"""Measure the server time of the console's other pages in a large world.

    .venv/bin/python bench/console_pages.py [--complaints 500000] [--requests 15] [--quick]

The pages are the overview, the log, a target, a reporter, restorations and operations. A tenant is written directly
into a temporary SQLite database: two weeks of complaints, the second week busy; 10,000 clusters, 400 of them large and
recent, so that a fifth of the week's complaints is coordinated; a decision on every third, 5,000 restorations, one
target with 5,000 complaints. A signed-in person requests each page repeatedly; the time runs from the request inside
the application to the last byte of HTML. Nothing is cached between requests except by the service itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import fakeredis
import httpx
import numpy as np
import sqlalchemy as sa
from figures import parser_of, print_machine, quantile, show
from sqlalchemy import Engine

from service.app import create_app
from service.data_folder import prepare
from service.model import Evidence, microseconds
from service.policy import DEFAULT_POLICY
from service.settings import read_settings
from service.storage.accounts import sessions
from service.storage.accounts.passwords import hash_password
from service.storage.accounts.tenants import create_tenant
from service.storage.accounts.users import create_user
from service.storage.complaints import complaint_counts
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.complaints.archive_rows import COMPLAINT_COLUMNS
from service.storage.redis_store import assessments, redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import insert_rows, write
from service.storage.sql.hashing import key_of

BAR_MS = 300.0
TENANT, PERSON = "default", "anna"
WEEK_US = 7 * 86_400_000_000
CLUSTERS, LARGE, RESTORATIONS, CROWD = 10_000, 400, 5_000, 5_000
TEXT = (
    "%d accounts complained about the same %d targets; up to %d of them within one hour, where none is usual; not"
    " judged yet."
)
PAGES = {
    "overview, a day": "/console/overview",
    "overview, a week": "/console/overview?period=week",
    "decisions": "/console/decisions",
    "decisions of one person": "/console/decisions?by=bea",
    "decisions of one day": "/console/decisions?since={day}&until={day}",
    "restorations": "/console/restorations",
    "targets": "/console/targets",
    "a target with 5,000 complaints": "/console/targets/crowd",
    "a reporter": "/console/reporters/r1",
    "operations": "/console/ops",
}


def plant(engine: Engine, complaints: int, now_us: int, seed: int = 1) -> None:
    """Write the world of a new tenant."""
    rng = np.random.default_rng(seed)
    tenant = create_tenant(engine, TENANT, now_us)
    reporters = [(f"r{n}", key_of(f"r{n}")) for n in range(max(100, complaints // 8))]
    targets = [(f"t{n}", key_of(f"t{n}")) for n in range(max(100, complaints // 6))]
    # A quarter of them in the first week, the others in the last one.
    times = np.sort(
        np.where(
            rng.random(complaints) < 0.25,
            rng.integers(now_us - 2 * WEEK_US, now_us - WEEK_US, complaints),
            rng.integers(now_us - WEEK_US, now_us, complaints),
        )
    )
    _plant_complaints(engine, tenant, rng, times, reporters, targets)
    _plant_clusters(engine, tenant, rng, times, reporters, targets, now_us, scale=complaints / 500_000)
    with write(engine) as connection:
        connection.execute(
            sa.update(schema.ingest_state).values(
                watermark_us=int(times[-1]), archived_position=complaints, archived=complaints, last_seq=complaints
            )
        )
        insert_rows(
            connection,
            schema.targets,
            ("tenant_id", "target_key", "complaints"),
            [(tenant, key, 5) for _, key in targets],
        )
        create_user(
            connection, tenant, PERSON, "admin", hash_password("correct horse battery"), actor="bench", now_us=now_us
        )


def _plant_complaints(
    engine: Engine,
    tenant: int,
    rng: np.random.Generator,
    times: np.ndarray,
    reporters: list[tuple[str, int]],
    targets: list[tuple[str, int]],
) -> None:
    who, what = rng.integers(0, len(reporters), len(times)), rng.integers(0, len(targets), len(times))
    what[rng.choice(len(times), min(CROWD, len(times) // 10), replace=False)] = -1
    crowd = ("crowd", key_of("crowd"))
    for start in range(0, len(times), 20_000):
        rows = []
        for n in range(start, min(start + 20_000, len(times))):
            (reporter, reporter_key), (target, target_key) = (
                reporters[who[n]],
                targets[what[n]] if what[n] >= 0 else crowd,
            )
            content = json.dumps(
                {
                    "id": f"c{n}",
                    "occurred_at": "2026-11-01T10:00:00Z",
                    "reporter": {"id": reporter},
                    "target": {"id": target, "author_id": f"a{n % 500}", "excerpt": "x" * 200},
                    "reason": "abuse",
                }
            )
            rows.append(
                (
                    tenant << SEQ_BITS | n + 1,
                    tenant,
                    f"c{n}",
                    int(times[n]),
                    int(times[n]),
                    reporter_key,
                    target_key,
                    schema.STANDING,
                    False,
                    reporter,
                    target,
                    content,
                    None,
                )
            )
        with write(engine) as connection:
            insert_rows(connection, schema.complaints, COMPLAINT_COLUMNS, rows)
            complaint_counts.add(connection, tenant, (row[3] for row in rows))


def _plant_clusters(
    engine: Engine,
    tenant: int,
    rng: np.random.Generator,
    times: np.ndarray,
    reporters: list[tuple[str, int]],
    targets: list[tuple[str, int]],
    now_us: int,
    *,
    scale: float,
) -> None:
    evidence = json.dumps(
        [
            Evidence(
                signal=s,
                value=0.8,
                usual=0.1,
                contribution=2.0,
                text=f"{s}: 83 % of the members do, where 5 % are usual in this window",
            ).model_dump()
            for s in ("lockstep", "devotion", "group", "span", "burst")
        ]
    )
    clusters, members, on, own, decisions, used = [], [], [], [], [], 0
    for number in range(max(20, round(CLUSTERS * scale))):
        large = number < LARGE * scale
        of, hit = (30, 10) if large else (3, 3)
        last = now_us - int(rng.integers(0, WEEK_US if large else 5 * WEEK_US))
        decided, verdict = number % 3 == 0, "not_coordinated" if number % 7 == 0 else "coordinated"
        case, chosen, hits = (
            f"k{number:015x}",
            rng.choice(len(reporters), of, replace=False),
            rng.choice(len(targets), hit, replace=False),
        )
        clusters.append(
            (
                case,
                tenant,
                "repeat",
                "merged" if number % 10 == 9 else "flagged",
                "decided" if decided else "open",
                4.0,
                0.9,
                0.5,
                last - 86_400_000_000,
                last,
                of,
                hit,
                TEXT % (of, hit, of),
                evidence,
                DEFAULT_POLICY.version,
                1,
                verdict if decided else None,
                last,
            )
        )
        members += [(case, reporters[k][1], tenant, reporters[k][0], False) for k in chosen]
        on += [(case, targets[k][1], tenant, targets[k][0]) for k in hits]
        for r in chosen:
            for t in hits:
                own.append(
                    (
                        case,
                        tenant << SEQ_BITS | used % len(times) + 1,
                        tenant,
                        reporters[r][1],
                        targets[t][1],
                        last - int(rng.integers(0, 72_000_000_000)),
                        False,
                    )
                )
                used += 1
        if decided:
            decisions.append(
                (
                    f"d{number:015x}",
                    tenant,
                    case,
                    last + int(rng.integers(0, 3_600_000_000)),
                    ("ann", "bea")[number % 2],
                    verdict,
                    "brigade",
                    "[]",
                    1,
                )
            )
    decisions.sort(key=lambda row: row[3])
    removed = [
        (
            tenant,
            key,
            name,
            "open",
            float(rng.random() * 2),
            9,
            3.0,
            json.dumps([f"k{n % 300:015x}"]),
            8,
            f"o{n}",
            now_us - WEEK_US,
            "automatic",
            now_us,
            now_us,
            1,
        )
        for n, (name, key) in enumerate(targets[: max(10, round(RESTORATIONS * scale))])
    ]
    with write(engine) as connection:
        insert_rows(
            connection,
            schema.clusters,
            (
                "id",
                "tenant_id",
                "kind",
                "disposition",
                "status",
                "score",
                "probability",
                "unfounded_probability",
                "first_us",
                "last_us",
                "reporter_count",
                "target_count",
                "summary",
                "evidence",
                "policy_version",
                "version",
                "verdict",
                "found_us",
            ),
            clusters,
        )
        insert_rows(
            connection,
            schema.cluster_members,
            ("cluster_id", "reporter_key", "tenant_id", "reporter_id", "excluded"),
            members,
        )
        insert_rows(connection, schema.cluster_targets, ("cluster_id", "target_key", "tenant_id", "target_id"), on)
        insert_rows(
            connection,
            schema.cluster_complaints,
            ("cluster_id", "row_key", "tenant_id", "reporter_key", "target_key", "occurred_us", "exempt"),
            own,
        )
        insert_rows(
            connection,
            schema.decisions,
            ("id", "tenant_id", "cluster_id", "at_us", "by", "verdict", "reason_code", "excluded_reporters", "version"),
            decisions,
        )
        insert_rows(
            connection,
            schema.restorations,
            (
                "tenant_id",
                "target_key",
                "target_id",
                "state",
                "harm",
                "complaints",
                "independent",
                "cluster_ids",
                "threshold",
                "removal_id",
                "removed_us",
                "removed_by",
                "opened_us",
                "changed_us",
                "opened_seq",
            ),
            removed,
        )


async def ask(engine: Engine, folder: str, requests: int, now: datetime) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each answer, by page: by the clock, and of this process's CPU (what a machine with nothing else
    to do would take).
    """
    with write(engine) as connection:
        attempt = sessions.begin_attempt(connection, TENANT, PERSON, "127.0.0.1", microseconds(now))
        assert attempt.user_id is not None
        token = sessions.open_session(
            connection, attempt.user_id, attempt.password_hash or "", "127.0.0.1", microseconds(now)
        )
    server = fakeredis.FakeServer()
    blocking = fakeredis.FakeRedis(server=server)
    blocking.set(redis_keys.position(TENANT), 1)
    assessments.write_totals(blocking, TENANT, {key_of(f"t{n}"): 12 for n in range(1_000)})
    app = create_app(read_settings(Path(folder), {}), engine=engine, redis=fakeredis.FakeAsyncRedis(server=server))
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in PAGES}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers={"Cookie": f"brigadewatch={token}"}
    ) as client:
        for turn in range(requests + 1):  # the first turn compiles templates and opens connections
            for name, path in PAGES.items():
                started, worked = time.perf_counter(), time.process_time()
                answer = await client.get(path.format(day=f"{now:%Y-%m-%d}"))
                taken = (time.perf_counter() - started) * 1_000, (time.process_time() - worked) * 1_000
                assert answer.status_code == 200, (path, answer.text[:500])
                if turn:
                    took[name].append(taken)
    return took


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--complaints", type=int, default=500_000, help="complaints of the tenant")
    parser.add_argument("--requests", type=int, default=15, help="requests for each page")
    chosen: argparse.Namespace = parser.parse_args()
    if chosen.quick:
        chosen.complaints, chosen.requests = 10_000, 3
    print_machine()
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="brigadewatch-pages-") as folder:
        engine = prepare(read_settings(Path(folder), {}))
        started = time.perf_counter()
        plant(engine, chosen.complaints, microseconds(now))
        print(f"{chosen.complaints:,} complaints written in {time.perf_counter() - started:.0f} s", flush=True)
        took = asyncio.run(ask(engine, folder, chosen.requests, now))
        engine.dispose()
    for name, values in took.items():
        show(f"{name}: p50 of CPU", quantile([cpu for _, cpu in values], 0.5), unit=" ms", quick=chosen.quick)
        show(f"{name}: p95 of CPU", quantile([cpu for _, cpu in values], 0.95), unit=" ms", quick=chosen.quick)
        show(
            f"{name}: p95", quantile([wall for wall, _ in values], 0.95), at_most=BAR_MS, unit=" ms", quick=chosen.quick
        )


if __name__ == "__main__":
    main()
