"""Does a world look like a place where people complain? The same figures for drawn worlds and for real events.

Real events are no yardstick to be met: notes rated "not helpful", bought stars and shared links are not complaints
about comments. They show which figures vary by how much between places, and where every drawn world would be an
outlier.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from bench.worlds.world import DAY, HOUR, THRESHOLD, JsonObject, seconds_of


@dataclass(frozen=True, slots=True)
class Measures:
    """Figures of one file of complaints; None where the file does not say."""

    complaints: int
    reporters: int
    targets: int
    single: float  # share of reporters with one complaint
    gini: float  # of complaints over reporters
    crowded: float  # share of targets with at least THRESHOLD complaints
    judged: float | None  # share of targets that a person decided
    upheld: float | None  # of those
    peak_hour: int  # UTC
    night: float  # complaints in the quietest hour, over those in the busiest
    between_minutes: float | None  # median between neighbouring complaints on one target
    texts: float  # share of complaints with a text
    fresh: float | None  # share of complaints by accounts of less than a week
    shared_devices: float | None  # share of reporters whose fingerprint another one has as well


LABELS = {
    "single": "reporters with one complaint",
    "gini": "Gini of complaints over reporters",
    "crowded": f"targets with {THRESHOLD} complaints or more",
    "judged": "targets decided by people",
    "upheld": "of these upheld",
    "peak_hour": "busiest hour (UTC)",
    "night": "quietest hour over busiest",
    "between_minutes": "minutes between complaints on a target, median",
    "texts": "complaints with a text",
    "fresh": "complaints by accounts younger than a week",
    "shared_devices": "reporters who share a fingerprint",
}


def measure(complaints: Sequence[JsonObject], outcomes: Sequence[JsonObject] = ()) -> Measures:
    """The figures of at least one complaint."""
    by_reporter = Counter(c["reporter"]["id"] for c in complaints)
    times: dict[str, list[float]] = defaultdict(list)
    for c in complaints:
        times[c["target"]["id"]].append(seconds_of(c["occurred_at"]))
    gaps = [gap for of_one in times.values() for gap in np.diff(np.sort(of_one)).tolist()]
    hours = np.bincount([int(at % DAY // HOUR) for of_one in times.values() for at in of_one], minlength=24)
    retracted = {(o["target_id"], o.get("retracts")) for o in outcomes}
    verdicts = {
        o["target_id"]: o["verdict"]
        for o in outcomes
        if o.get("verdict") and (o["target_id"], o["id"]) not in retracted
    }
    return Measures(
        complaints=len(complaints),
        reporters=len(by_reporter),
        targets=len(times),
        single=sum(n == 1 for n in by_reporter.values()) / len(by_reporter),
        gini=gini(list(by_reporter.values())),
        crowded=sum(len(of_one) >= THRESHOLD for of_one in times.values()) / len(times),
        judged=len(verdicts) / len(times) if verdicts else None,
        upheld=sum(v == "upheld" for v in verdicts.values()) / len(verdicts) if verdicts else None,
        peak_hour=int(hours.argmax()),
        night=float(hours.min() / hours.max()),
        between_minutes=float(np.median(gaps)) / 60 if gaps else None,
        texts=sum("text" in c for c in complaints) / len(complaints),
        fresh=_fresh(complaints),
        shared_devices=_shared_devices(complaints),
    )


def gini(counts: Sequence[int]) -> float:
    """The Gini coefficient: 0 when all have the same, towards 1 when one has everything."""
    ordered = np.sort(np.asarray(counts, float))
    rank = np.arange(1, len(ordered) + 1)
    return float((2 * rank - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def table(columns: dict[str, Measures]) -> list[str]:
    """One line a figure, one column a world; what a file does not say is a dash."""
    width = max(12, *(len(name) + 2 for name in columns))
    lines = [f"{'':48}" + "".join(f"{name:>{width}}" for name in columns)]
    for each in fields(Measures):
        values = [_cell(each.name, getattr(m, each.name)) for m in columns.values()]
        lines.append(f"{LABELS.get(each.name, each.name):48}" + "".join(f"{value:>{width}}" for value in values))
    return lines


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name in ("complaints", "reporters", "targets", "peak_hour"):
        return f"{int(value):,}"
    return f"{value:.0f}" if name == "between_minutes" else f"{value:.3f}"


def _fresh(complaints: Sequence[JsonObject]) -> float | None:
    ages = [
        seconds_of(c["occurred_at"]) - seconds_of(c["reporter"]["account_created_at"])
        for c in complaints
        if "account_created_at" in c["reporter"]
    ]
    return sum(age < 7 * DAY for age in ages) / len(ages) if ages else None


def _shared_devices(complaints: Sequence[JsonObject]) -> float | None:
    device = {c["reporter"]["id"]: c["reporter"]["fingerprint"] for c in complaints if "fingerprint" in c["reporter"]}
    if not device:
        return None
    count = Counter(device.values())
    return sum(count[d] > 1 for d in device.values()) / len(device)
