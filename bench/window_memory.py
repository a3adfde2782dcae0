"""Measure the memory of a detect worker's window after a start, and of a sweep, in bytes a complaint.

    .venv/bin/python bench/window_memory.py [--only WORLD...] [--sizes 1000000 2000000] [--quick]

A feed of each size is written into SQLite. A process of its own sweeps it as the sweep worker does (numpy, at any
size), another builds the window as the detect worker does after a start, takes that sweep over, and analyses the next
thousand complaints. Each notes the kernel's peak for the process (VmHWM) and what it has at the end (VmRSS). Bytes a
complaint are those between the two sizes: libraries and other fixed parts do not count.

The worlds are the last 14 days of the demo's, many times over, each copy with people, targets, contexts and authors of
its own, without texts (`usual`); the same with texts where the demo has them (`texts`), or without contexts (`bare`);
sixteen copies share targets, an hour apart (`dense`); everybody complains once (`strangers`); every second complaint
was withdrawn (`withdrawn`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from capacity import line
from figures import parser_of, print_machine, show
from large import STEP, copies
from sqlalchemy import Connection, Engine, insert, update
from world_files import DEMO, add_options, columns, part, world

from service.policy import DEFAULT_POLICY
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import analysis_state_of
from service.storage.complaints.feed import COMPLAINT, EXEMPT, TOTAL, UNKNOWN_US, FeedBatch, pack
from service.storage.complaints.feed_reader import read_feed
from service.storage.detection.sweeps import save_sweep
from service.storage.sql import schema
from service.storage.sql.engine import migrate, open_database, write
from workers import sweep_codec
from workers.detection.detector import Detector
from workers.detection.window import UNKNOWN_MS, Complaints
from workers.sweep import read_window
from workers.tenant_analyzer import TenantAnalyzer
from workers.window_build import load_window

WORLDS = ("usual", "dense", "strangers", "texts", "bare", "withdrawn")
SHARING, HOUR_MS = 16, 3_600_000  # copies of the dense world that share their targets, so far apart
KEPT_BACK = 1_000  # complaints that are analysed once the window stands
ITEMS = 8_000  # of one ingest transaction
BARS = {"window": 200, "sweep": 600}  # bytes a complaint
TENANT = 1
PARTS = ("columns", "indexes", "names", "texts", "pairs", "contexts")


def drawn(name: str, base: Complaints, size: int) -> Complaints:
    """So many complaints, in time order."""
    c = copies(base, -(-size // len(base)))
    texts: dict[int, bytes] = {}
    if name == "texts":
        texts = {
            row + copy * len(base) + 1: base.texts[seq]
            for row, seq in enumerate(base.seq.tolist())
            if seq in base.texts
            for copy in range(len(c) // len(base))
        }
    elif name == "strangers":
        with np.errstate(over="ignore"):
            c = replace(c, reporter=(np.arange(len(c)) + 1) * np.int64(STEP))
    elif name == "bare":
        c = replace(c, context=np.zeros(len(c), np.int64))
    elif name == "dense":
        copy, row = np.divmod(np.arange(len(c)), len(base))
        first = (copy - copy % SHARING) * len(base) + row
        c = replace(
            c,
            time_ms=c.time_ms + copy % SHARING * HOUR_MS,
            **{what: getattr(c, what)[first] for what in ("target", "context", "author")},
        )
    order = np.argsort(c.time_ms, kind="stable")[-size:]
    place = {int(row) + 1: seq for seq, row in enumerate(order.tolist(), 1)} if texts else {}
    return Complaints(
        np.arange(1, len(order) + 1),
        *(getattr(c, f.name)[order] for f in fields(c) if f.name not in ("seq", "texts")),
        {place[row]: text for row, text in texts.items() if row in place},
    )


def feed_of(name: str, c: Complaints) -> Iterator[FeedBatch]:
    """The complaints as ingest would have passed them on."""
    rows = np.empty(len(c), COMPLAINT)
    rows["seq"], rows["time_us"] = c.seq, c.time_ms * 1000
    for what in ("reporter", "target", "context", "author", "fingerprint"):
        rows[what] = getattr(c, what)
    rows["created_us"] = np.where(c.created_ms == UNKNOWN_MS, UNKNOWN_US, c.created_ms * 1000)
    rows["flags"] = np.where(c.exempt, EXEMPT, 0)
    bounds = [*range(0, len(rows) - KEPT_BACK, ITEMS), len(rows) - KEPT_BACK, len(rows)]
    before = rows[:0]
    for first, last in pairwise(bounds):
        part = rows[first:last]
        targets, count = np.unique(part["target"], return_counts=True)
        totals = np.empty(len(targets), TOTAL)
        totals["target"], totals["complaints"] = targets, count
        removed = tuple(before["seq"][::2].tolist()) if name == "withdrawn" else ()
        texts = {seq: c.texts[seq] for seq in part["seq"].tolist() if seq in c.texts} if c.texts else {}
        yield FeedBatch(part, texts, removed, totals=totals)
        before = part


def write_feed(engine: Engine, feed: Iterator[FeedBatch], analysed: int) -> None:
    """The feed, of which so many complaints were analysed."""
    with write(engine) as connection:
        for batch in feed:
            rows = batch.complaints
            last, at = int(rows["seq"][-1]), int(rows["time_us"][-1])
            connection.execute(
                insert(schema.feed).values(
                    tenant_id=TENANT,
                    last_seq=last,
                    first_seq=int(rows["seq"][0]),
                    last_position=last,
                    items=len(rows),
                    oldest_received_us=at,
                    received_us=at,
                    watermark_us=at,
                    newest_us=at,
                    payload=pack(batch),
                )
            )
            if last == analysed:
                state = {"cursor_seq": last, "analysed_position": last, "watermark_us": at}
                connection.execute(update(schema.analysis_state).values(state))


def kilobytes(what: str) -> int:
    """What the kernel says of this process: VmHWM, its peak, or VmRSS."""
    return int(Path("/proc/self/status").read_text().partition(f"{what}:")[2].split()[0])


def swept(connection: Connection) -> dict[str, int]:
    """A sweep, as workers/sweep.py makes it."""
    state = analysis_state_of(connection, TENANT)
    detector, groups = Detector.sweep(DEFAULT_POLICY, read_window(connection, TENANT, DEFAULT_POLICY, state))
    payload = sweep_codec.pack(detector.fitted())
    save_sweep(connection, TENANT, state, payload, seconds=0, now_us=1)
    connection.commit()
    return {"complaints": detector.window.live, "groups": len(groups), "resident": kilobytes("VmRSS") * 1024}


def built(connection: Connection) -> dict[str, int]:
    """A resident window as workers/window_build.py makes it, and a first tick."""
    state = analysis_state_of(connection, TENANT)
    analyzer = TenantAnalyzer("bench", TENANT, 1, DEFAULT_POLICY, state, {}, None)
    load_window(analyzer, connection)
    for row in read_feed(connection, TENANT, state.cursor_seq, KEPT_BACK):
        groups = [found for found in analyzer.detect(row.batch)][-1]
    found = {"complaints": analyzer.detector.window.live, "groups": len(groups), "resident": kilobytes("VmRSS") * 1024}
    return found | parts_of(analyzer.detector)


def parts_of(detector: Detector) -> dict[str, int]:
    """Bytes of what the detector holds."""
    window = detector.window
    names = (window.reporters, window.targets, window.contexts, window.authors)
    by_name = (window.degree, window.crowd, window.context_crowd, window.context_of, window.author_of)
    flat = [v for k, v in vars(window).items() if isinstance(v, np.ndarray) and all(v is not one for one in by_name)]
    return {
        "columns": sum(column[: window.size].nbytes for column in flat),
        "indexes": sum(map(size_of, (window.by_target, window.by_context, window.by_pair, window.by_reporter_context))),
        "names": sum(map(size_of, (*names, *by_name))),
        "texts": size_of(window.text) + sum(map(sys.getsizeof, window.text.values())),
        "pairs": size_of(detector.edges.keys) + size_of(detector.edges.p) + size_of(detector.met),
        "contexts": 0 if detector.inferred is None else 16 * len(detector.inferred.targets),
    }


def size_of(what: Any) -> int:
    """Bytes of an array, a dictionary of integers, or an object that has such."""
    if isinstance(what, np.ndarray):
        return what.nbytes
    if isinstance(what, dict):
        return sys.getsizeof(what) + 32 * len(what)
    return sum(size_of(getattr(what, name)) for name in type(what).__slots__)


def measured(job: str, database: str) -> dict[str, int]:
    """What came of a job, and its memory in bytes."""
    engine = open_database(database)
    with engine.connect() as connection:
        before = kilobytes("VmRSS")
        began = time.process_time()
        found = {"window": built, "sweep": swept}[job](connection)
        return found | {
            "cpu_ms": round((time.process_time() - began) * 1e3),
            "before": before * 1024,
            "peak": kilobytes("VmHWM") * 1024,
        }


def compare(name: str, base: Complaints, sizes: list[int], quick: bool) -> None:
    """Measure both jobs at both sizes, and print."""
    found: dict[str, list[dict[str, int]]] = {"sweep": [], "window": []}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="brigadewatch-window-memory-") as folder:
            database = f"sqlite:///{folder}/brigadewatch.sqlite3"
            engine = open_database(database)
            migrate(engine)
            create_tenant(engine, "bench", 0)
            c = drawn(name, base, size)
            write_feed(engine, feed_of(name, c), len(c) - KEPT_BACK)
            engine.dispose()
            del c
            for job, runs in found.items():
                command = [sys.executable, __file__, "run", job, database]
                runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    for job, runs in found.items():
        live = [float(run["complaints"]) for run in runs]
        peak, resident = (line(live, [float(run[what]) for run in runs]) for what in ("peak", "resident"))
        bar = BARS[job] if name != "texts" else None
        show(f"{name}, {job}: peak, bytes a complaint", peak[1], at_most=bar, digits=0, quick=quick)
        show("    at the end, bytes a complaint", resident[1], digits=0)
        parts = {what: line(live, [float(run[what]) for run in runs])[1] for what in PARTS if what in runs[0]}
        if parts:
            rest = resident[1] - sum(parts.values())
            print(
                "        " + ", ".join(f"{what} {size:.0f}" for what, size in parts.items()) + f", the rest {rest:.0f}"
            )
        for run in runs:
            print(
                f"    {run['complaints']:,} complaints, {run['groups']} groups: peak {run['peak'] / 1e6:,.0f} MB, at"
                f" the end {run['resident'] / 1e6:,.0f} MB, {run['before'] / 1e6:,.0f} MB before;"
                f" {run['cpu_ms'] / 1e3:.1f} s CPU",
                flush=True,
            )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", nargs="+", choices=WORLDS, default=WORLDS, help="these worlds")
    parser.add_argument("--sizes", type=int, nargs=2, default=[1_000_000, 2_000_000], help="complaints")
    add_options(parser)
    chosen = parser.parse_args()
    print_machine()
    c = columns(world(DEMO, chosen))
    window_ms = DEFAULT_POLICY.window_seconds * 1000
    base = part(c, int(np.searchsorted(c.time_ms, int(c.time_ms[-1]) - window_ms)), len(c))
    for name in chosen.only:
        compare(name, base, [5_000, 10_000] if chosen.quick else chosen.sizes, chosen.quick)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        print(json.dumps(measured(*sys.argv[2:4])))
    else:
        main()
