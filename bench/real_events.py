"""Print what `audit` flags in data of real events: aggregates only, never an id.

    .venv/bin/python bench/real_events.py [--window 14d] [--without-contexts] [--quick]

Runs the audit over ../shared/data (birdwatch_not_helpful, german_elections_shares; --files selects others) and prints
how many groups there are, of what size and with which signals, and what is needed to judge them. docs/real-events.md
discusses the results.
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
from itertools import combinations, pairwise
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
        subprocess.run(
            [sys.executable, "-m", "service.cli", "audit", str(path), "--window", window, "--out", str(out)],
            check=True,
            capture_output=True,
        )
        seconds = time.perf_counter() - started
        return json.loads(out.read_text()), seconds


def shares(values: Iterable[Any]) -> tuple[float, int]:
    """(largest share, different values) of those that are known; (0, 0) where none is."""
    counted = Counter(value for value in values if value is not None)
    return (max(counted.values()) / counted.total(), len(counted)) if counted else (0.0, 0)


def describe(
    cluster: dict[str, Any], by_target: dict[str, list[dict[str, Any]]], complaints_of: Counter[str]
) -> list[str]:
    """A cluster in numbers, a line each."""
    members, targets = set(cluster["reporters"]), set(cluster["targets"])
    theirs = [c for t in targets for c in by_target[t] if c["reporter"]["id"] in members]
    lags: list[float] = []
    first_places: Counter[str] = Counter()
    for target in targets:
        hits = sorted(
            (datetime.fromisoformat(c["occurred_at"]).timestamp(), c["reporter"]["id"])
            for c in by_target[target]
            if c["reporter"]["id"] in members
        )
        times = [at for at, _ in hits]
        lags += [b - a for a, b in pairwise(times)]
        if len(hits) > 1:
            first_places[hits[0][1]] += 1
    everyone = sum(len(by_target[t]) for t in targets)
    devoted = sum(
        len(theirs_of) for theirs_of in ([c for c in theirs if c["reporter"]["id"] == m] for m in members)
    ) / max(1, sum(complaints_of[m] for m in members))
    author, authors = shares(by_target[t][0]["target"].get("author_id") for t in targets)
    context, contexts = shares(by_target[t][0]["target"].get("context_id") for t in targets)
    reason, _ = shares(c.get("reason") for c in theirs)
    busiest = {reporter for reporter, _ in complaints_of.most_common(20)}
    signals = [
        f"{e['signal']} {e['value']:.3g} (usual {e['usual']:.3g}"
        + ("" if e["p_value"] is None else f", p {e['p_value']:.0e}")
        + f") {e['contribution']:+.2f}"
        for e in cluster["evidence"]
    ]
    days = len({c["occurred_at"][:10] for c in theirs})
    return [
        (
            f"  {cluster['kind']}, {cluster['disposition']}: {len(members)} accounts, {len(targets)} targets,"
            f" {len(theirs)} complaints on {days} days, of {everyone} on these targets; score {cluster['score']:.1f},"
            f" P(coordinated) {cluster['probability']:.2f}, P(unfounded) {cluster['unfounded_probability']:.2f}"
        ),
        f"    of what the accounts did {devoted:.0%} went there; complaints an account in all: "
        + "/".join(str(n) for n in quartiles([complaints_of[m] for m in members])),
        f"    members a target: median {median(Counter(c['target']['id'] for c in theirs).values()):.1f}; seconds from"
        " one member to the next: " + "/".join(f"{n:.0f}" for n in quartiles(lags)),
        (
            f"    largest share of one author {author:.0%} ({authors} authors), of one context {context:.0%}"
            f" ({contexts} contexts), of one reason {reason:.0%}; one account came first on"
            f" {max(first_places.values(), default=0)} of {first_places.total()} targets"
        ),
        (
            f"    {len(members & busiest)} of them are among the 20 most active of all; two of them give the same"
            f" reason in {agreement(by_target, targets, members):.0%} of cases, two others in"
            f" {agreement(by_target, by_target, set(complaints_of) - members):.0%}; fullest contexts:"
            f" {Counter(by_target[t][0]['target'].get('context_id') for t in targets).most_common(1)[0][1]} targets"
        ),
        "    " + "; ".join(signals),
    ]


def agreement(by_target: dict[str, list[dict[str, Any]]], targets: Iterable[str], people: set[str]) -> float:
    """How often two of the people give the same reason for the same target; 0 where nobody gives any."""
    same = pairs = 0
    for target in targets:
        given = [c["reason"] for c in by_target[target] if c["reporter"]["id"] in people and c.get("reason")]
        same += sum(a == b for a, b in combinations(given, 2))
        pairs += len(given) * (len(given) - 1) // 2
    return same / pairs if pairs else 0.0


def source(reporter: str) -> str:
    """The source that an id names before an underscore (two platforms in one file); all one where none does."""
    return reporter.split("_")[0] if "_" in reporter else ""


def steps(
    by_target: dict[str, list[dict[str, Any]]], targets: Iterable[str], people: set[str] | None
) -> list[tuple[float, bool]]:
    """(seconds from one of the people to the next on a target, whether they are of different sources); None:
    everybody.
    """
    found = []
    for target in targets:
        hits = [
            (datetime.fromisoformat(c["occurred_at"]).timestamp(), c["reporter"]["id"])
            for c in by_target[target]
            if people is None or c["reporter"]["id"] in people
        ]
        found += [(b - a, source(one) != source(other)) for (a, one), (b, other) in pairwise(hits)]
    return found


def print_pace(flagged: list[dict[str, Any]], by_target: dict[str, list[dict[str, Any]]]) -> None:
    """The flagged groups by the median time from one member to the next, and what a simple cut makes of them."""
    print("  by the median seconds from one member to the next on a target:")
    paces = {id(c): median(lag for lag, _ in steps(by_target, c["targets"], set(c["reporters"]))) for c in flagged}
    signals = {id(c): {e["signal"]: e["value"] for e in c["evidence"]} for c in flagged}
    for low, high in pairwise((0, 2, 60, 600, 3_600, float("inf"))):
        some = [c for c in flagged if low <= paces[id(c)] < high]
        if some:
            own = median(
                sum(c2["reporter"]["id"] in set(c["reporters"]) for t in c["targets"] for c2 in by_target[t])
                / sum(len(by_target[t]) for t in c["targets"])
                for c in some
            )
            print(
                f"    {low}-{high}: {len(some)} groups, {sum(c['reporter_count'] for c in some)} accounts,"
                f" {sum(c['target_count'] for c in some)} targets, median of their share of all on these targets"
                f" {own:.0%}, of lockstep {median(signals[id(c)]['lockstep'] for c in some):.2f}, of devotion"
                f" {median(signals[id(c)]['devotion'] for c in some):.2f}"
            )
    fast = [c for c in flagged if paces[id(c)] < 600 and signals[id(c)]["devotion"] >= 0.85]
    others = [c for c in flagged if c not in fast]
    several = [c for c in others if len({source(r) for r in c["reporters"]}) > 1]
    tight = [
        c
        for c in others
        if c not in several and signals[id(c)]["devotion"] >= 0.85 and signals[id(c)]["lockstep"] >= 0.7
    ]
    print(
        f"    under 10 min and devotion of .85 and more: {len(fast)} groups, {sum(c['reporter_count'] for c in fast)}"
        f" accounts; of the others {len(several)} in several sources, {len(tight)} slow but tight (devotion of .85,"
        f" lockstep of .7 and more), {len(others) - len(several) - len(tight)} neither; devotion under .7 in"
        f" {sum(signals[id(c)]['devotion'] < 0.7 for c in flagged)} of all {len(flagged)}"
    )
    in_groups = [lag for c in flagged for lag, cross in steps(by_target, c["targets"], set(c["reporters"])) if cross]
    people = {r for c in flagged for r in c["reporters"]}
    apart = [
        lag
        for lag, cross in steps(
            by_target, by_target, {c["reporter"]["id"] for t in by_target.values() for c in t} - people
        )
        if cross
    ]
    for name, lags in (("members of flagged groups", in_groups), ("others", apart)):
        if lags:
            print(
                f"    {name} of different sources: {sum(13_800 <= lag <= 15_600 for lag in lags) / len(lags):.0%} of"
                f" {len(lags):,} steps take between 3 h 50 and 4 h 20"
            )
    popular = [t for t, hits in by_target.items() if len(hits) >= 50]
    touched = {t for c in flagged for t in c["targets"]}
    print(f"    targets with 50 and more: {len(popular)}, in flagged groups {len(touched & set(popular))}")


def print_sizes(
    flagged: list[dict[str, Any]], by_target: dict[str, list[dict[str, Any]]], complaints_of: Counter[str]
) -> None:
    """How large the flagged groups are, and whether what is reported about a group holds for all of it."""
    sizes = Counter(
        "3" if n == 3 else "4-6" if n < 7 else "7-19" if n < 20 else "20 and more"
        for n in (c["reporter_count"] for c in flagged)
    )
    small = [c for c in flagged if c["reporter_count"] <= 4 and c["target_count"] <= 3]
    print(
        f"  accounts a group: {dict(sizes)}; {sum(c['target_count'] == 2 for c in flagged)} groups have two targets;"
        f" four accounts and three targets at most: {len(small)}"
    )
    overstated = [0, 0, 0]
    span = 0
    for c in flagged:
        signals, people = {e["signal"]: e for e in c["evidence"]}, set(c["reporters"])
        hits = sum(hit["reporter"]["id"] in people for t in c["targets"] for hit in by_target[t])
        lockstep, devotion = (
            (hits / len(c["targets"]) - 1) / (len(people) - 1),
            hits / sum(complaints_of[r] for r in people),
        )
        off = (
            [signals["lockstep"]["value"] > lockstep + 0.2, signals["devotion"]["value"] > devotion + 0.2]
            if "lockstep" in signals
            else [False, False]
        )
        for k, wrong in enumerate((*off, any(off))):
            overstated[k] += wrong
        span += "span" in signals and c["score"] <= signals["span"]["contribution"]
    print(
        f"  overstated by .2 or more, if read as a claim about all members: lockstep of {overstated[0]}, devotion of"
        f" {overstated[1]}, either of {overstated[2]}; {span} groups are flagged for their span alone"
    )


def quartiles(values: list[Any]) -> list[Any]:
    """Lower quartile, median, upper quartile; nothing for nothing."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.25, 0.5, 0.75)] if ordered else []


def blinded(path: Path, folder: Path) -> Path:
    """The same file without contexts, in `folder`."""
    found = folder / path.name
    with gzip.open(found, "wt", encoding="utf-8") as file:
        for complaint in read(path):
            complaint["target"].pop("context_id", None)
            file.write(json.dumps(complaint) + "\n")
    return found


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
    print(
        f"== {path.name.removesuffix('.ndjson.gz')}, window {window}: {len(complaints):,} rows,"
        f" {len(complaints) - len(pairs):,} repeats, {len(complaints_of):,} accounts, {len(by_target):,} targets,"
        f" {len(contexts):,} contexts; {report['from'][:10]} to {report['to'][:10]}; audited in {seconds:.1f} s"
    )
    for note in report["notes"]:
        print(f"  note: {note[:220]}")
    clusters = sorted(report["clusters"], key=lambda c: -c["score"])
    print(f"  clusters: {dict(Counter((c['kind'], c['disposition']) for c in clusters))}")
    flagged = [c for c in clusters if c["disposition"] == "flagged"]
    touched = {t for c in flagged for t in c["targets"]}
    accounts = {r for c in flagged for r in c["reporters"]}
    print(
        f"  flagged: {len(accounts)} accounts ({len(accounts) / len(complaints_of):.1%}), {len(touched)} targets"
        f" ({len(touched) / len(by_target):.1%}); {sum(complaints_of[r] for r in accounts) / len(pairs):.1%} of all"
        " complaints are theirs"
    )
    discounts = [(t["complaints"], t["independent_complaints"]) for t in report["targets"]]
    crossing = sum(n >= 8 > independent for n, independent in discounts)
    print(
        f"  {len(discounts)} targets count less; {crossing} of them fall below 8 that had 8 or more (of"
        f" {sum(len(v) >= 8 for v in by_target.values())} with so many)"
    )
    overlaps = sum(
        1 for i, a in enumerate(flagged) for b in flagged[i + 1 :] if set(a["reporters"]) & set(b["reporters"])
    )
    print(f"  pairs of flagged groups that share an account: {overlaps}")
    if len(flagged) > 1:
        print_sizes(flagged, by_target, complaints_of)
        print_pace(flagged, by_target)
    for cluster in flagged:
        print("\n".join(describe(cluster, by_target, complaints_of)))
    sys.stdout.flush()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--window", default="14d", help="length of the window")
    parser.add_argument(
        "--without-contexts",
        action="store_true",
        help="audit each file a second time, as a platform without contexts would send it",
    )
    parser.add_argument("--files", nargs="+", default=list(FILES), help="names of files")
    add_options(parser)
    chosen = parser.parse_args()
    folder: Path = chosen.shared / "data"
    if not folder.is_dir():
        not_measured(f"{folder} is not there; --shared names the folder that holds data/")
    print_machine()
    for name in chosen.files[:1] if chosen.quick else chosen.files:
        print_file(folder / f"{name}.ndjson.gz", chosen.window)
        if chosen.without_contexts:
            with tempfile.TemporaryDirectory() as blind:
                print("-- the same without contexts")
                print_file(blinded(folder / f"{name}.ndjson.gz", Path(blind)), chosen.window)


if __name__ == "__main__":
    main()
