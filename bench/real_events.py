"""What `audit` flags in real events that nobody here wrote: aggregates only, never an id.

    .venv/bin/python bench/real_events.py [--window 14d] [--quick]

Runs the audit over ../shared/data (birdwatch_not_helpful, german_elections_shares) and prints numbers: how many groups, of what size,
with what signals, and what a reader needs to judge them. docs/real-events.md is what was read out of it.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from figures import parser_of, print_machine
from worlds import add_options, not_measured

FILES = ("birdwatch_not_helpful", "german_elections_shares")


def read(path: Path) -> list[dict[str, Any]]:
    """The complaints of one file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def audit(path: Path, window: str) -> tuple[dict[str, Any], float]:
    """The audit's report, and how many seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "service.cli", "audit", str(path), "--window", window, "--out", str(out)], check=True, capture_output=True)
        seconds = time.perf_counter() - started
        return json.loads(out.read_text()), seconds


def shares(values: Iterable[Any]) -> tuple[float, int]:
    """(largest share, different values) of those that are known; (0, 0) where none is."""
    counted = Counter(value for value in values if value is not None)
    return (max(counted.values()) / counted.total(), len(counted)) if counted else (0.0, 0)


def describe(cluster: dict[str, Any], by_target: dict[str, list[dict[str, Any]]], complaints_of: Counter[str]) -> list[str]:
    """A cluster in numbers, a line each."""
    members, targets = set(cluster["reporters"]), set(cluster["targets"])
    theirs = [c for t in targets for c in by_target[t] if c["reporter"]["id"] in members]
    lags: list[float] = []
    first_places: Counter[str] = Counter()
    for target in targets:
        hits = sorted((datetime.fromisoformat(c["occurred_at"]).timestamp(), c["reporter"]["id"]) for c in by_target[target] if c["reporter"]["id"] in members)
        times = [at for at, _ in hits]
        lags += [b - a for a, b in pairwise(times)]
        if len(hits) > 1:
            first_places[hits[0][1]] += 1
    everyone = sum(len(by_target[t]) for t in targets)
    devoted = sum(len(theirs_of) for theirs_of in ([c for c in theirs if c["reporter"]["id"] == m] for m in members)) / max(1, sum(complaints_of[m] for m in members))
    author, authors = shares(by_target[t][0]["target"].get("author_id") for t in targets)
    context, contexts = shares(by_target[t][0]["target"].get("context_id") for t in targets)
    reason, _ = shares(c.get("reason") for c in theirs)
    signals = [f"{e['signal']} {e['value']:.3g} (usual {e['usual']:.3g}" + ("" if e["p_value"] is None else f", p {e['p_value']:.0e}") + f") {e['contribution']:+.2f}" for e in cluster["evidence"]]
    days = len({c["occurred_at"][:10] for c in theirs})
    return [
        (f"  {cluster['kind']}, {cluster['disposition']}: {len(members)} accounts, {len(targets)} targets, {len(theirs)} complaints on {days} days, of {everyone} on these targets; "
        f"score {cluster['score']:.1f}, P(coordinated) {cluster['probability']:.2f}, P(unfounded) {cluster['unfounded_probability']:.2f}"),
        f"    of what the accounts did {devoted:.0%} went there; complaints an account in all: " + "/".join(str(n) for n in quartiles([complaints_of[m] for m in members])),
        f"    members a target: median {median(Counter(c['target']['id'] for c in theirs).values()):.1f}; seconds from one member to the next: " + "/".join(f"{n:.0f}" for n in quartiles(lags)),
        (f"    largest share of one author {author:.0%} ({authors} authors), of one context {context:.0%} ({contexts} contexts), of one reason {reason:.0%}; "
        f"one account came first on {max(first_places.values(), default=0)} of {first_places.total()} targets"),
        "    " + "; ".join(signals),
    ]


def quartiles(values: list[Any]) -> list[Any]:
    """Lower quartile, median, upper quartile; nothing for nothing."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.25, 0.5, 0.75)] if ordered else []


def print_file(path: Path, window: str) -> None:
    """Everything about one file."""
    complaints = read(path)
    report, seconds = audit(path, window)
    pairs = {(c["reporter"]["id"], c["target"]["id"]) for c in complaints}
    complaints_of = Counter(reporter for reporter, _ in pairs)
    by_target: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for c in sorted(complaints, key=lambda c: str(c["occurred_at"])):
        pair = c["reporter"]["id"], c["target"]["id"]
        if pair not in seen:
            seen.add(pair)
            by_target[pair[1]].append(c)
    contexts = {c["target"].get("context_id") for c in complaints}
    print(f"== {path.name.removesuffix('.ndjson.gz')}, window {window}: {len(complaints):,} rows, {len(complaints) - len(pairs):,} repeats, {len(complaints_of):,} accounts, {len(by_target):,} targets, "
          f"{len(contexts):,} contexts; {report['from'][:10]} to {report['to'][:10]}; audited in {seconds:.1f} s")
    for note in report["notes"]:
        print(f"  note: {note[:220]}")
    clusters = sorted(report["clusters"], key=lambda c: -c["score"])
    print(f"  clusters: {dict(Counter((c['kind'], c['disposition']) for c in clusters))}")
    flagged = [c for c in clusters if c["disposition"] == "flagged"]
    touched = {t for c in flagged for t in c["targets"]}
    accounts = {r for c in flagged for r in c["reporters"]}
    print(f"  flagged: {len(accounts)} accounts ({len(accounts) / len(complaints_of):.1%}), {len(touched)} targets ({len(touched) / len(by_target):.1%}); "
          f"{sum(complaints_of[r] for r in accounts) / len(pairs):.1%} of all complaints are theirs")
    discounts = [(t["complaints"], t["independent_complaints"]) for t in report["targets"]]
    crossing = sum(n >= 8 > independent for n, independent in discounts)
    print(f"  {len(discounts)} targets count less; {crossing} of them fall below 8 that had 8 or more (of {sum(len(v) >= 8 for v in by_target.values())} with so many)")
    overlaps = sum(1 for i, a in enumerate(flagged) for b in flagged[i + 1 :] if set(a["reporters"]) & set(b["reporters"]))
    print(f"  pairs of flagged groups that share an account: {overlaps}")
    for cluster in flagged:
        print("\n".join(describe(cluster, by_target, complaints_of)))
    sys.stdout.flush()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--window", default="14d")
    parser.add_argument("--files", nargs="+", default=list(FILES))
    add_options(parser)
    chosen = parser.parse_args()
    folder: Path = chosen.shared / "data"
    if not folder.is_dir():
        not_measured(f"{folder} is not there; --shared names the folder that holds data/")
    print_machine()
    for name in chosen.files[:1] if chosen.quick else chosen.files:
        print_file(folder / f"{name}.ndjson.gz", chosen.window)


if __name__ == "__main__":
    main()
