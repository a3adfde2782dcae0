"""Measure retention in a large archive: rows deleted per second, the longest transaction, the effect on others.

    .venv/bin/python bench/retention.py [--database postgresql] [--rows 1000000] [--seconds 60] [--quick]

The archive of one tenant (`--rows` complaints; 500 in each row of the feed, eight on each target, a fiftieth of them in
cases, half of them older than the retention period) is deleted from its oldest end by the worker's own steps and
pauses, for at most `--seconds`. Before and during that, one thread archives 500 complaints five times a second for the
same tenant, and another reads a target's total and a reporter's latest complaints. PostgreSQL is the server at
DATABASE_URL, or else a temporary server that syncs each commit. The exit code is 1 if a bar is missed or a query plan
does not use an index.
"""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from figures import parser_of, print_machine, quantile, show
from postgresql import new_database
from sqlalchemy import Connection, Engine, insert, select, text, update

from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import totals_of
from service.storage.complaints.archive_rows import COMPLAINT_COLUMNS, OUTCOME_COLUMNS
from service.storage.complaints.archive_writer import commit
from service.storage.complaints.feed import COMPLAINT, FeedBatch, pack
from service.storage.privacy import retention
from service.storage.privacy.retention import Refed
from service.storage.redis_store.leases import take_epoch
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql import schema
from service.storage.sql.engine import insert_rows, migrate, open_database, write
from workers.retain import LONGEST_PAUSE_SECONDS, next_items

PER_ENTRY, PER_TARGET, REPORTERS = 500, 8, 400_000
DAY_US = 86_400_000_000
START = datetime(2025, 1, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
SPAN_US = 360 * DAY_US
WINDOW_SECONDS = 14 * 86_400
AT_ONCE = 40_000  # rows of one transaction while it is loaded


def odd(number: int) -> int:
    """A key in no order, as those of ids are."""
    return (number * 0x9E3779B97F4A7C15) % (1 << 63)


def load(engine: Engine, tenant: int, rows: int) -> None:
    """The archive as ingest would have left it, all of it analysed."""
    columns = (
        "tenant_id",
        "last_seq",
        "first_seq",
        "last_position",
        "items",
        "oldest_received_us",
        "received_us",
        "watermark_us",
        "newest_us",
        "payload",
    )
    began = time.perf_counter()
    for first in range(1, rows + 1, AT_ONCE):
        made, entries, targets = [], [], {}
        for seq in range(first, min(first + AT_ONCE, rows + 1)):
            at, reporter, target = START_US + seq * SPAN_US // rows, odd(seq * 7919 % REPORTERS), odd(seq // PER_TARGET)
            body = (
                f'{{"id":"c-{odd(seq):x}","occurred_at":"2025-01-01T00:00:00Z","reporter":{{"id":"r-{reporter:x}"}},'
                f'"target":{{"id":"t-{target:x}"}},"reason":"abuse","text_signature":"{"A" * 88}"}}'
            )
            made.append(
                (
                    tenant << 40 | seq,
                    tenant,
                    f"c-{odd(seq):x}",
                    at,
                    at,
                    reporter,
                    target,
                    schema.STANDING,
                    False,
                    f"r-{reporter:x}",
                    f"t-{target:x}",
                    body,
                    None,
                )
            )
            targets[target] = targets.get(target, 0) + 1
        for begin in range(0, len(made), PER_ENTRY):
            part = made[begin : begin + PER_ENTRY]
            held = np.zeros(len(part), COMPLAINT)
            held["seq"], held["time_us"] = [row[0] & (1 << 40) - 1 for row in part], [row[3] for row in part]
            held["reporter"], held["target"] = [row[5] for row in part], [row[6] for row in part]
            last, at = int(held["seq"][-1]), int(held["time_us"][-1])
            entries.append(
                (
                    tenant,
                    last,
                    int(held["seq"][0]),
                    last,
                    len(part),
                    int(held["time_us"][0]),
                    at,
                    at,
                    at,
                    pack(FeedBatch(held)),
                )
            )
        with write(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            insert_rows(connection, schema.complaints, COMPLAINT_COLUMNS, made)
            insert_rows(connection, schema.feed, columns, entries)
            upsert = (
                "ON CONFLICT (tenant_id, target_key) DO UPDATE SET complaints = targets.complaints +"
                " excluded.complaints"
            )
            insert_rows(
                connection,
                schema.targets,
                ("tenant_id", "target_key", "complaints"),
                [(tenant, target, count) for target, count in targets.items()],
                upsert,
            )
    with write(engine) as connection:
        judged = [
            (tenant << 40 | rows + 1 + n, tenant, f"o-{n}", odd(n * 10), START_US, START_US, None, "{}")
            for n in range(rows // 100)
        ]
        insert_rows(connection, schema.outcomes, OUTCOME_COLUMNS, judged)
        cases(connection, tenant, rows)
        ingest, analysis = schema.ingest_state, schema.analysis_state
        newest = START_US + SPAN_US
        connection.execute(
            update(ingest).values(
                last_seq=rows,
                archived_position=rows,
                archived=rows,
                archived_entry=f"{rows}-0",
                watermark_us=newest,
                received_us=newest,
            )
        )
        connection.execute(
            update(analysis).values(cursor_seq=rows, analysed_position=rows, analysed=rows, watermark_us=newest)
        )
        if engine.dialect.name == "postgresql":  # its autovacuum would have; of SQLite's tables nobody keeps statistics
            connection.execute(text("ANALYZE"))
    print(f"loaded {rows:,} complaints at {rows / (time.perf_counter() - began):,.0f}/s", flush=True)


def cases(connection: Connection, tenant: int, rows: int) -> None:
    """A fiftieth of the complaints belongs to cases, of a thousand complaints each."""
    empty = {
        "settle_with": "[]",
        "summary": "a case",
        "evidence": "[]",
        "policy_version": "2026.11",
        "version": 1,
        "found_us": START_US,
        "first_us": START_US,
        "last_us": START_US + SPAN_US,
    }
    count = max(1, rows // 50 // 1_000)
    connection.execute(
        insert(schema.clusters),
        [
            {
                "id": f"k-{n}",
                "tenant_id": tenant,
                "kind": "repeat",
                "disposition": "flagged",
                "status": "open",
                "score": 5.0,
                "probability": 0.9,
                "unfounded_probability": 0.5,
                "reporter_count": 20,
                "target_count": 50,
                **empty,
            }
            for n in range(count)
        ],
    )
    columns = ("cluster_id", "row_key", "tenant_id", "reporter_key", "target_key", "occurred_us", "exempt", "gone")
    members = [
        (
            f"k-{n % count}",
            tenant << 40 | n * 50 + 1,
            tenant,
            odd(n * 50 * 7919 % REPORTERS),
            odd(n * 50 // PER_TARGET),
            START_US,
            False,
            False,
        )
        for n in range(rows // 50)
    ]
    insert_rows(connection, schema.cluster_complaints, columns, members)


class Beside:
    """What goes on meanwhile: times of each turn, by name."""

    def __init__(self, engine: Engine, tenant: int, rows: int) -> None:
        self.engine, self.tenant, self.rows = engine, tenant, rows
        self.seconds: dict[str, list[float]] = {"ingest": [], "read": []}
        self._over = threading.Event()
        self._next = rows
        self._epoch = take_epoch(engine, schema.ingest_state, tenant)
        self._threads = [
            threading.Thread(target=self._repeat, args=("ingest", self._ingest, 0.2)),
            threading.Thread(target=self._repeat, args=("read", self._read, 0.01)),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def taken(self) -> dict[str, list[float]]:
        """The times since the last call."""
        found, self.seconds = self.seconds, {name: [] for name in self.seconds}
        return found

    def _repeat(self, name: str, turn: object, pause: float) -> None:
        assert callable(turn)
        while not self._over.wait(pause):
            began = time.perf_counter()
            turn()
            self.seconds[name].append(time.perf_counter() - began)

    def _ingest(self) -> None:
        first, lines = self._next + 1, []
        for seq in range(first, first + PER_ENTRY):
            at = (START + timedelta(microseconds=SPAN_US + seq)).isoformat()
            lines.append(
                b"c"
                + json.dumps(
                    {
                        "id": f"new-{odd(seq):x}",
                        "occurred_at": at,
                        "reporter": {"id": f"r-{seq % 5_000}"},
                        "target": {"id": f"new-{seq // 8}"},
                    }
                ).encode()
            )
        batch = StreamEntry(f"{first + PER_ENTRY}-0", first, START_US + SPAN_US + first, b"\n".join(lines))
        with write(self.engine) as connection:
            commit(connection, self.tenant, self._epoch, [batch])
        self._next += PER_ENTRY

    def _read(self) -> None:
        c = schema.complaints.c
        seq = random.randrange(1, self.rows)
        with self.engine.connect() as connection:
            totals_of(connection, self.tenant, [odd(seq // PER_TARGET)])
            mine = (
                select(c.id, c.content)
                .where(c.tenant_id == self.tenant, c.reporter_key == odd(seq * 7919 % REPORTERS))
                .order_by(c.row_key.desc())
                .limit(20)
            )
            connection.execute(mine).all()


def plans(engine: Engine, tenant: int, upto: int) -> bool:
    """Print how the step's statements are done; whether each goes along an index."""
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    base, fine = tenant << 40, True
    with write(engine) as connection:
        for statement in (
            f"DELETE FROM complaints WHERE row_key > {base} AND row_key <= {base | upto}",
            f"DELETE FROM outcomes WHERE row_key > {base} AND row_key <= {base | upto}",
            f"DELETE FROM cluster_complaints WHERE row_key > {base} AND row_key <= {base | upto}",
            f"DELETE FROM feed WHERE tenant_id = {tenant} AND last_seq <= {upto}",
            f"SELECT last_seq, received_us, items FROM feed WHERE tenant_id = {tenant} ORDER BY last_seq LIMIT 256",
        ):
            title = [str(row[-1]).strip() for row in connection.exec_driver_sql(explain + statement)]
            fine = fine and any("Index" in line or "INDEX" in line or "PRIMARY KEY" in line for line in title)
            print(
                f"    {statement[:70]:72}"
                f" {next((line for line in title if 'ndex' in line or 'SEARCH' in line), title[0])}"
            )
    return fine


def delete(engine: Engine, tenant: int, seconds: float) -> tuple[int, float, list[float]]:
    """Complaints deleted, seconds with the pauses, and the seconds of each transaction."""
    refed, steps, gone, items = Refed(), [], 0, retention.ITEMS_AT_ONCE
    before_us = START_US + SPAN_US // 2
    with engine.connect() as connection:
        retention.find_refed(connection, tenant, refed)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        at = time.perf_counter()
        with write(engine) as connection:
            done = retention.delete_step(
                connection,
                tenant,
                before_us,
                refed,
                PrivacyFilter(),
                now_us=START_US + SPAN_US,
                window_seconds=WINDOW_SECONDS,
                items=items,
            )
        steps.append(time.perf_counter() - at)
        items = next_items(items, steps[-1])
        if done is None:
            break
        gone += done.complaints
        time.sleep(min(steps[-1], LONGEST_PAUSE_SECONDS))
    return gone, time.perf_counter() - began, steps


def run(engine: Engine, rows: int, seconds: float, quick: bool) -> bool:
    """Load, measure, print; whether every bar is met."""
    migrate(engine)
    tenant = create_tenant(engine, "bench", 0)
    load(engine, tenant, rows)
    fine = plans(engine, tenant, 2_000)
    beside = Beside(engine, tenant, rows)
    beside.start()
    try:
        time.sleep(min(10.0, seconds / 3))
        alone = beside.taken()
        gone, took, steps = delete(engine, tenant, seconds)
        meanwhile = beside.taken()
    finally:
        beside.end()
    show(f"{engine.dialect.name}, of {rows:,}: complaints deleted", gone, digits=0)
    show("a second, pauses included", gone / took, digits=0)
    show("a second of work", gone / sum(steps), digits=0)
    fine &= show("longest transaction", max(steps) * 1e3, unit=" ms", at_most=1_000, quick=quick)
    show("transactions, p50", quantile(steps, 0.5) * 1e3, unit=" ms")
    for name, title in (
        ("ingest", "500 complaints archived"),
        ("read", "total of a target and 20 complaints of a reporter"),
    ):
        for share in (0.5, 0.99):
            show(f"{title}, alone, p{share * 100:.0f}", quantile(alone[name], share) * 1e3, unit=" ms")
            show(f"{title}, meanwhile, p{share * 100:.0f}", quantile(meanwhile[name], share) * 1e3, unit=" ms")
        show(
            f"{title}, meanwhile, longest of {len(meanwhile[name])}",
            max(meanwhile[name]) * 1e3,
            unit=" ms",
            **({"at_most": 1_000, "quick": quick} if name == "ingest" else {}),
        )
    return fine


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--database", choices=("postgresql", "sqlite"), default="postgresql", help="database to measure"
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="complaints in the archive")
    parser.add_argument("--seconds", type=float, default=60, help="at most so many seconds of deleting")
    chosen = parser.parse_args()
    rows, seconds = (40_000, 5.0) if chosen.quick else (chosen.rows, chosen.seconds)
    print_machine()
    with ExitStack() as stack:
        if chosen.database == "sqlite":
            url = f"sqlite:///{Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'bench.sqlite3'}"
        else:
            url = new_database(stack, "shared_buffers=512MB", "maintenance_work_mem=256MB")
        engine = open_database(url)
        stack.callback(engine.dispose)
        fine = run(engine, rows, seconds, chosen.quick)
    raise SystemExit(0 if fine or chosen.quick else 1)


if __name__ == "__main__":
    main()
