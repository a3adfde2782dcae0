"""Live protection without hindsight: at the moment a campaign's target reaches the removal threshold, does its independent count stay below?

    nice .venv/bin/python bench/detection_live.py [--seeds 81 82] [--tick 10] [--sweep-hours 6] [--worlds DIR] [--quick]

Complaints come in ticks, sweeps at times of the stream, outcomes when they are decided: the live worker's own steps (tick, adopt, reconcile), without
stores. Counted are campaign targets whose honest complaints, plus one a campaign, stay below the threshold and whose raw count reaches
it: those that only the campaign removes. The oracle knows every campaign from its fourth target on. The service ticks twice a second and sweeps every
hour of the stream; larger ticks see up to `tick` complaints too much, rarer sweeps see later.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from detection_runs import Read, read
from figures import parser_of, print_machine, show
from worlds import ARGUMENTS, OUT, add_options, evaluation, world

from service.moderation.assessment import independent_count, summarise
from service.moderation.lineage import ClusterState, Recomputation, parts_by_target, reconcile
from service.policy import DEFAULT_POLICY
from service.storage.hashing import key_of
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.findings import FoundGroup, found_group

THRESHOLD = 8
LATER_MS = HOUR_MS = 3_600_000
ORACLE_KNOWS = 3  # targets of a campaign that are lost before even an oracle could know it
POLICY = replace(DEFAULT_POLICY, flags_per_day=100_000)


@dataclass(slots=True)
class Live:
    """A detector with its clusters, fed as the live worker feeds it."""

    world: Read
    sweep_ms: int
    detector: Detector = field(default_factory=lambda: Detector(POLICY))
    states: dict[str, ClusterState] = field(default_factory=dict)
    found: dict[Group, FoundGroup] = field(default_factory=dict)
    swept_ms: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def tick(self, first: int, last: int) -> int:
        """Take in rows first..last; the watermark (ms) after it."""
        history = self.world.history
        batch = history.between(first, last)
        now = int(batch.time_ms[-1])
        groups, complete = self.detector.tick(batch), False
        if now - (self.swept_ms or int(batch.time_ms[0])) >= self.sweep_ms or not self.swept_ms:
            low = int(np.searchsorted(history.complaints.time_ms, now - POLICY.window_seconds * 1000))
            swept, _ = Detector.sweep(POLICY, history.between(low, last))
            self.detector.adopt(swept.fitted(), int(batch.seq[-1]))
            groups, complete, self.swept_ms, self.found = self.detector.regroup(), True, now, {}
        settled = frozenset(self.found[g] for g in groups if g in self.found)
        self.found = {g: self.found.get(g) or found_group(g) for g in groups}
        known = {
            target: [o for o in self.world.outcomes[target] if o.decided_us <= now * 1000]
            for g in self.found.values() for target in g.author_by_target if target in self.world.outcomes
        }
        window = self.detector.window
        told = Recomputation(list(self.found.values()), known, (window.since + window.origin) * 1000, now * 1000, complete, settled)
        self.states.update(reconcile(self.states, told, POLICY, lambda: f"k{next(self.numbers)}"))
        return now

    def independent(self, target: int, complaints: int) -> float:
        """The target's independent count by now."""
        parts = [parts_by_target(s)[target] for s in self.states.values() if s.disposition != "merged" and target in s.author_by_target]
        return independent_count(complaints, summarise(parts).discount)


def carried_by_campaigns(world: Read, truth: Any) -> dict[int, str]:
    """The targets that only a campaign brings to the threshold, with its name."""
    total = Counter(world.history.complaints.target.tolist())
    campaign = truth["campaign_of_reporter"]
    found = {}
    for target, name in truth["campaign_of_target"].items():
        bad = truth["campaign_complaints"].get(target, [])
        raw = total[key_of(target)]
        if raw >= THRESHOLD and raw - len(bad) + len({campaign[r] for r in bad}) < THRESHOLD:
            found[key_of(target)] = name
    return found


def protected(world: Read, truth: Any, tick: int, sweep_hours: float) -> tuple[dict[int, bool], dict[int, bool], dict[int, str], dict[int, bool]]:
    """By target: below the threshold at once, an hour later; the campaign; what the oracle would have saved."""
    live, wanted = Live(world, int(sweep_hours * HOUR_MS)), carried_by_campaigns(world, truth)
    every = {key_of(t): name for t, name in truth["campaign_of_target"].items()}
    c, raw = world.history.complaints, Counter[int]()
    at_once: dict[int, bool] = {}
    later: dict[int, bool] = {}
    due: list[tuple[int, int]] = []
    reached: dict[str, dict[int, None]] = defaultdict(dict)  # targets of each campaign, in order of their first complaint
    oracle: dict[int, bool] = {}
    for first in range(0, len(c), tick):
        last = min(first + tick, len(c))
        now = live.tick(first, last)
        for target, moment in zip(c.target[first:last].tolist(), c.time_ms[first:last].tolist(), strict=True):
            raw[target] += 1
            if target in every:
                reached[every[target]].setdefault(target)
            if target in wanted and target not in at_once and raw[target] >= THRESHOLD:
                at_once[target] = live.independent(target, raw[target]) < THRESHOLD
                oracle[target] = list(reached[wanted[target]]).index(target) >= ORACLE_KNOWS
                due.append((moment + LATER_MS, target))
        while due and due[0][0] <= now:
            _, target = due.pop(0)
            later[target] = live.independent(target, raw[target]) < THRESHOLD
    return at_once, later, wanted, oracle


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[81, 82])
    parser.add_argument("--tick", type=int, default=10, help="complaints in a tick")
    parser.add_argument("--sweep-hours", type=float, default=6)
    parser.add_argument("--out", type=Path, default=OUT / "detection-live.json", help="what was measured, for the record")
    add_options(parser)
    chosen = parser.parse_args()
    evaluation(chosen)
    print_machine()
    names = [f"w{seed}" for seed in chosen.seeds]
    if chosen.quick:
        names, chosen.tick, chosen.sweep_hours = ["quick99"], 50, 24
        ARGUMENTS.setdefault("quick99", ("--seed", "99", "--organic", "3000"))
    rows: list[dict[str, Any]] = []
    for name in names:
        ARGUMENTS.setdefault(name, ("--seed", name.removeprefix("w")))
        files = world(name, chosen)
        at_once, later, campaigns, oracle = protected(read(files), json.loads((files.folder / "truth.json").read_text()), chosen.tick, chosen.sweep_hours)
        kinds: dict[str, list[bool]] = defaultdict(list)
        for target, safe in at_once.items():
            kinds[campaigns[target].split("_")[0]].append(safe)
        rows.append({
            "world": name, "targets": len(at_once), "at_once": mean(at_once.values()), "later": mean(later.values()), "oracle": mean(oracle.values()),
            "kinds": {kind: mean(v) for kind, v in sorted(kinds.items())},
        })
        r = rows[-1]
        print(f"    {name}: {r['targets']} targets, at once {r['at_once']:.3f} (oracle {r['oracle']:.3f}), an hour later {r['later']:.3f}; "
              + ", ".join(f"{kind} {share:.2f}" for kind, share in r["kinds"].items()), flush=True)
    show("protected at once, %", 100 * mean(r["at_once"] for r in rows), at_least=55, quick=chosen.quick)
    show("protected an hour later, %", 100 * mean(r["later"] for r in rows), at_least=95, quick=chosen.quick)
    print(f"    oracle at once {100 * mean(r['oracle'] for r in rows):.1f} %; the raw count protects none of them; ticks of {chosen.tick}, sweeps every {chosen.sweep_hours:g} h", flush=True)
    chosen.out.write_text(json.dumps({"tick": chosen.tick, "sweep_hours": chosen.sweep_hours, "worlds": rows}))


if __name__ == "__main__":
    main()
