"""Measure live protection without hindsight, at the moment a campaign's target reaches the removal threshold.

    nice .venv/bin/python bench/detection_live.py [--seeds 201 202] [--tick 5] [--sweep-hours 1] [--worlds DIR]
    [--quick]

Does the independent count stay below the threshold? Complaints come in ticks, with sweeps at times of the stream and
outcomes when they are decided, through the live worker's own steps (tick, adopt, reconcile) without stores. Counted are
campaign targets that only the campaign removes: their honest complaints plus one per campaign stay below the threshold,
their raw count reaches it. The oracle knows a campaign once its accounts have complained about a fourth target, and
then all its targets, at that moment and again an hour later; what it does not save could only be guessed. The service
ticks twice a second and sweeps every hour of the stream; larger ticks see up to `tick` complaints too many.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, count
from statistics import mean
from typing import Any

import numpy as np
from detection_crossings import Crossing, by_kind, shares
from detection_runs import Read, read, state_of_code
from figures import parser_of, print_machine, show
from world_files import ARGUMENTS, OUT, add_options, evaluation, world

from service.moderation.assessment import independent_count, summarise
from service.moderation.cluster_discounts import parts_by_target
from service.moderation.cluster_scoring import rescore, rescore_all
from service.moderation.cluster_state import ClusterState
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.usual import Usual, Verdicts, usual_of
from service.policy import DEFAULT_POLICY
from service.storage.complaints.feed import FeedOutcome
from service.storage.sql.hashing import key_of
from workers.audit.records import Records
from workers.audit.windows import _KnownBy
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.group_adapter import AdaptedGroup, found_group

THRESHOLD = 8
LATER_MS = HOUR_MS = 3_600_000
ORACLE_KNOWS = 4  # targets of a campaign until an oracle knows it
POLICY = replace(DEFAULT_POLICY, flags_per_day=100_000)


@dataclass(slots=True)
class Live:
    """A detector with its clusters, fed as the live worker feeds it."""

    world: Read
    sweep_ms: int
    detector: Detector = field(default_factory=lambda: Detector(POLICY))
    states: dict[str, ClusterState] = field(default_factory=dict)
    found: dict[Group, AdaptedGroup] = field(default_factory=dict)
    swept_ms: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    records: Records = field(init=False)
    usual: Usual | None = None  # in the tenant, measured at each sweep
    scored_with: Usual | None = None  # what all clusters were last scored with

    def __post_init__(self) -> None:
        self.records = Records(self.world.history, self.world.outcomes)

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
            self.usual = None
        self._reconcile(groups, now, complete)
        return now

    def withdraw(self, seqs: Sequence[int]) -> None:
        """Complaints are withdrawn: they leave the window, and the clusters they were in are scored again."""
        window = self.detector.window
        self._reconcile(
            self.detector.tick(self.world.history.between(0, 0), np.array(seqs, np.int64)),
            window.watermark + window.origin,
            False,
        )
        lost, now_us = set(seqs), (window.watermark + window.origin) * 1000
        for identity, state in list(self.states.items()):
            if state.disposition != "merged" and not lost.isdisjoint(state.memberships):
                known = self._known(state.author_by_target, now_us)
                self.states[identity] = rescore(state, known, now_us, POLICY, self._usual_now(now_us), lost)

    def _known(self, targets: Iterable[int], now_us: int) -> dict[int, list[FeedOutcome]]:
        return {
            t: [o for o in self.world.outcomes[t] if o.decided_us <= now_us]
            for t in targets
            if t in self.world.outcomes
        }

    def _usual_now(self, now_us: int) -> Usual:
        if self.usual is None:
            known = self._known(self.world.outcomes, now_us)
            verdicts = Verdicts(chain.from_iterable(known.values())).by_target
            self.usual = usual_of(verdicts, self.states.values(), POLICY.prior_unfounded)
        return self.usual

    def _reconcile(self, groups: Sequence[Group], now_ms: int, complete: bool) -> None:
        usual = self._usual_now(now_ms * 1000)
        settled = frozenset(self.found[g] for g in groups if g in self.found)
        by_now = _KnownBy(self.world.outcomes, now_ms * 1000)
        self.found = {
            g: self.found.get(g)
            or found_group(self.records.recorded(g, by_now, now_ms * 1000, POLICY.flag_score, usual.upheld_of_all))
            for g in groups
        }
        known = self._known({t for g in self.found.values() for t in g.author_by_target}, now_ms * 1000)
        window = self.detector.window
        recomputation = Recomputation(
            list(self.found.values()),
            known,
            (window.since + window.origin) * 1000,
            now_ms * 1000,
            complete,
            usual,
            settled,
        )
        self.states.update(reconcile(self.states, recomputation, POLICY, lambda: f"k{next(self.numbers)}"))
        if complete:
            self._rescore_all(now_ms * 1000)

    def _rescore_all(self, now_us: int) -> None:
        """Score every cluster again if a sweep has changed what is usual."""
        before, self.usual = self.usual, None
        usual = self._usual_now(now_us)
        if usual == before == self.scored_with:
            return
        self.scored_with = usual
        known = _KnownBy(self.world.outcomes, now_us)
        self.states = rescore_all(self.states.values(), known, now_us, POLICY, usual)

    def independent(self, target: int, complaints: int) -> float:
        """The target's independent count by now."""
        parts = [
            parts_by_target(s)[target]
            for s in self.states.values()
            if s.disposition != "merged" and target in s.author_by_target
        ]
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


def crossings(world: Read, truth: Any, tick: int, sweep_hours: float) -> list[Crossing]:
    """Every such target, at the moment its raw count reaches the threshold and an hour later."""
    live, wanted = Live(world, int(sweep_hours * HOUR_MS)), carried_by_campaigns(world, truth)
    member = {key_of(r): name for r, name in truth["campaign_of_reporter"].items()}
    aimed = {key_of(t): name for t, name in truth["campaign_of_target"].items()}
    c, raw = world.history.complaints, Counter[int]()
    reached: dict[str, set[int]] = defaultdict(set)  # targets of each campaign that its accounts have complained about
    found: dict[int, Crossing] = {}
    due: list[tuple[int, int]] = []
    for first in range(0, len(c), tick):
        last = min(first + tick, len(c))
        now = live.tick(first, last)
        rows = zip(
            c.target[first:last].tolist(), c.reporter[first:last].tolist(), c.time_ms[first:last].tolist(), strict=True
        )
        for target, reporter, moment in rows:
            raw[target] += 1
            if target in aimed and member.get(reporter) == aimed[target]:
                reached[aimed[target]].add(target)
            if target in wanted and target not in found and raw[target] >= THRESHOLD:
                name = wanted[target]
                found[target] = Crossing(
                    name, live.independent(target, raw[target]) < THRESHOLD, len(reached[name]) >= ORACLE_KNOWS
                )
                due.append((moment + LATER_MS, target))
        while due and due[0][0] <= now:
            _, target = due.pop(0)
            found[target].later = live.independent(target, raw[target]) < THRESHOLD
            found[target].oracle_later = len(reached[wanted[target]]) >= ORACLE_KNOWS
    return list(found.values())


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[201, 202], help="seeds of the worlds")
    parser.add_argument("--tick", type=int, default=5, help="complaints per tick")
    parser.add_argument("--sweep-hours", type=float, default=1, help="hours of the stream between two sweeps")
    add_options(parser)
    chosen = parser.parse_args()
    evaluation(chosen)
    print_machine()
    names = [f"w{seed}" for seed in chosen.seeds]
    kept = OUT / "detection" / state_of_code()
    if chosen.quick:
        names, chosen.tick, chosen.sweep_hours, kept = ["quick99"], 50, 24, OUT / "detection-quick" / state_of_code()
        ARGUMENTS.setdefault("quick99", ("--seed", "99", "--organic", "3000"))
    kept.mkdir(parents=True, exist_ok=True)
    every: dict[str, list[Crossing]] = {}
    for name in names:
        ARGUMENTS.setdefault(name, ("--seed", name.removeprefix("w")))
        files, began = world(name, chosen), time.process_time()
        every[name] = crossings(
            read(files), json.loads((files.folder / "truth.json").read_text()), chosen.tick, chosen.sweep_hours
        )
        (kept / f"{name}.live.json").write_text(
            json.dumps(
                {"tick": chosen.tick, "sweep_hours": chosen.sweep_hours, "crossings": [asdict(c) for c in every[name]]}
            )
        )
        r = shares(every[name])
        print(
            f"    {name}: {r['targets']:.0f} targets, at once {r['at_once']:.3f} (oracle {r['oracle']:.3f}), an hour"
            f" later {r['later']:.3f} (oracle {r['oracle_later']:.3f}); {time.process_time() - began:.0f} s CPU",
            flush=True,
        )
    together = [c for found in every.values() for c in found]
    print(
        "    by kind, at once / oracle, an hour later / oracle: "
        + ", ".join(
            f"{kind} ({k['targets']:.0f}) {k['at_once']:.2f} / {k['oracle']:.2f}, {k['later']:.2f} /"
            f" {k['oracle_later']:.2f}"
            for kind, k in by_kind(together).items()
        ),
        flush=True,
    )
    by_world = {name: shares(found) for name, found in every.items()}
    means = {key: mean(r[key] for r in by_world.values()) for key in shares(together)}
    show("protected at once, %", 100 * means["at_once"], at_least=55, quick=chosen.quick)
    show("the oracle at once, %", 100 * means["oracle"], quick=chosen.quick)
    show("protected an hour later, %", 100 * means["later"], at_least=95, quick=chosen.quick)
    show("the oracle an hour later, %", 100 * means["oracle_later"], quick=chosen.quick)
    show("of what the oracle saves an hour later, %", 100 * means["of_oracle_later"], quick=chosen.quick)
    print(
        f"    the raw count protects none of them; ticks of {chosen.tick}, sweeps every {chosen.sweep_hours:g} h",
        flush=True,
    )


if __name__ == "__main__":
    main()
