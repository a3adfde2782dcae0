"""Accounts that nobody has seen before, in step, and honest people who look alike, planted into worlds and ticked.

    python -m bench.in_step [--generators newspaper network town] [--seeds 11 12] [--sizes 2000 6000]
                            [--lags 1 5 20 60] [--targets 20] [--only gang | honest | waves]

Each world is loaded up to the evening of its 20th day into a live detector with a sweep's results, as a worker after a
rebuild; then what is planted arrives, in ticks of TICK_SECONDS, between the world's own complaints, and is swept at the
end.

*In step*: fourteen new accounts on new comments, target by target (ten minutes apart) or all at once, within one thread
or over articles; each complains at an even random moment of the first `lag` seconds. Printed is how many ticks after
the fifth target's last complaint a group of at least twelve of them is coordinated (0: in that very tick; "–": never),
and how many a sweep finds at the end.

*Honest*: new accounts too, which do nothing else, so that nothing but their own reading speaks for them. Thirty readers
of one evening's articles come within three hours or, harder, within five minutes of one notice; fifty reporters of a
spam wave go through ten comments of one thread within ten minutes. All read at their own pace. Printed is how many of
them are in a coordinated group at any tick, and at the sweep.

*Waves*: WAVES waves of spam without any world around them, slower and faster ones. Printed is how many pairs in step
there are in a wave, and in how many waves is a set; with the lag of workers/detection/in_step.py, and with 10 and 20 s.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from unittest import mock

import numpy as np

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.detection import read
from bench.worlds.world import DAY, HOUR, MINUTE, START, Floats, Ints, Wanted
from service.moderation.score import coordination
from service.policy import DEFAULT_POLICY
from workers.detection import in_step
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.pairs import join
from workers.detection.window import UNKNOWN_MS, Complaints, Window

GANG, READERS, REPORTERS = 14, 30, 50
FOUND = 12  # members of the gang in one coordinated group
TICK_SECONDS = 1.0
BEGINS = 20 * DAY + 19 * HOUR
WAVES = 100
NEW = 1 << 50  # keys of planted accounts, targets, contexts and authors


@dataclass(frozen=True, slots=True)
class Planted:
    """Complaints as parallel columns: who (0..), about which target (0..), in which context (0..), seconds after
    BEGINS."""

    who: Ints
    what: Ints
    where: Ints
    at: Floats


def gang(rng: np.random.Generator, lag: float, targets: int, *, thread: bool, at_once: bool) -> Planted:
    """Fourteen accounts, each within `lag` seconds on every target."""
    who, what = np.tile(np.arange(GANG), targets), np.repeat(np.arange(targets), GANG)
    start = np.zeros(targets) if at_once else 10 * MINUTE * np.arange(targets)
    return Planted(who, what, np.zeros_like(what) if thread else what, start[what] + rng.uniform(0, lag, len(what)))


def readers(rng: np.random.Generator, within: float, *, all_of_them: bool = False) -> Planted:
    """Thirty people who come `within` so many seconds and read the evening's six articles, with three bad comments in
    each: each reads half of them (or all), in an order of their own (or the page's)."""
    return _read(
        rng, READERS, within, articles=6, comments=3, reads=1.0 if all_of_them else 0.5, willing=0.6, between=40
    )


def spam_wave(rng: np.random.Generator, within: float, between: float = 15) -> Planted:
    """Fifty people who report ten comments of one thread, in its order."""
    return _read(rng, REPORTERS, within, articles=1, comments=10, reads=1.0, willing=0.9, between=between)


def _read(
    rng: np.random.Generator,
    people: int,
    within: float,
    *,
    articles: int,
    comments: int,
    reads: float,
    willing: float,
    between: float,
) -> Planted:
    """Each goes down the comments at a speed of their own (a factor of 1.6 either way), `between` seconds in the median
    from one to the next (a factor of 1.8 either way each time), and complains about a share of them, `willing`."""
    parts = []
    for person in range(people):
        chosen = rng.permutation(articles)[: max(1, round(reads * articles))] if reads < 1 else np.arange(articles)
        what = (chosen[:, None] * comments + np.arange(comments)).ravel()
        steps = between * rng.lognormal(0, np.log(1.6)) * rng.lognormal(0, np.log(1.8), len(what))
        at = rng.uniform(0, within) + np.cumsum(steps)
        some = rng.random(len(what)) < willing
        parts.append((np.full(int(some.sum()), person), what[some], at[some]))
    who, what, at = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Planted(who, what, what // comments, at)


def columns_of(planted: Planted, first_seq: int, resolution: float) -> Complaints:
    """The planted complaints, in order of time, as the detector takes them; `resolution` is the platform's clock's."""
    order = np.argsort(planted.at, kind="stable")
    seconds = np.floor((START.timestamp() + BEGINS + planted.at[order]) / resolution) * resolution
    zeros = np.zeros(len(order), np.int64)
    return Complaints(
        first_seq + np.arange(len(order)),
        np.round(seconds * 1000).astype(np.int64),
        NEW + planted.who[order],
        NEW + planted.what[order],
        NEW + planted.where[order],
        zeros,
        np.full(len(order), UNKNOWN_MS),
        zeros,
        np.zeros(len(order), bool),
        {},
    )


def wave_lines() -> Iterator[str]:
    """What is in step in waves of spam, line by line."""
    for (within, between), lag in product(((600, 15), (120, 15), (120, 5), (30, 5)), (5_000, 10_000, 20_000)):
        pairs, with_a_set = 0, 0
        with mock.patch.object(in_step, "LAG_MS", lag):
            for number in range(WAVES):
                window = Window(
                    DEFAULT_POLICY.window_seconds * 1000, tuple(s * 1000 for s in DEFAULT_POLICY.lag_scales)
                )
                window.append(columns_of(spam_wave(np.random.default_rng([7, number]), within, between), 1, 0.001))
                found, (one, two) = in_step.InStep(window), np.triu_indices(len(window.reporters), 1)
                found.look(join(window, one, two, DEFAULT_POLICY.size_strata))
                pairs, with_a_set = pairs + len(found.pairs), with_a_set + bool(found.sets())
        about = f"50 within {within} s, {between} s from one to the next, lag {lag // 1000} s"
        yield f"{about:56} {pairs / WAVES:8.2f} pairs a wave; a set in {with_a_set} of {WAVES}"


class Town:
    """One world up to BEGINS, ready to be ticked."""

    def __init__(self, name: str, wanted: Wanted) -> None:
        history, _ = read(draw(name, wanted))
        time = history.complaints.time_ms
        self.begins = round((START.timestamp() + BEGINS) * 1000)
        upto = int(np.searchsorted(time, self.begins))
        first = int(np.searchsorted(time, self.begins - DEFAULT_POLICY.window_seconds * 1000))
        self.held = history.between(first, upto)
        self.later = history.between(upto, len(time))
        self._fitted = Detector.sweep(DEFAULT_POLICY, self.held)[0].fitted()
        self.resolution = 60.0 if not (time % 60_000).any() else (1.0 if not (time % 1_000).any() else 0.001)

    def live(self) -> Detector:
        """A detector as a worker has it after a rebuild."""
        detector = Detector(DEFAULT_POLICY)
        detector.inferred = self._fitted.contexts
        detector.load([(self.held, ())])
        detector.adopt(self._fitted, int(self.held.seq.max()))
        detector.regroup()
        return detector

    def ticks(self, planted: Planted) -> Iterator[tuple[list[Group], Complaints]]:
        """The groups after each tick that holds planted complaints, with all that was ticked by then."""
        mine = columns_of(planted, int(self.held.seq.max()) + 1_000_000, self.resolution)
        until = int(np.searchsorted(self.later.time_ms, int(mine.time_ms[-1])))
        both = joined(part(self.later, np.arange(until)), mine)
        detector, number = self.live(), ((both.time_ms - self.begins) / 1000 // TICK_SECONDS).astype(np.int64)
        for tick in np.unique(number).tolist():
            rows = np.flatnonzero(number == tick)
            groups = detector.tick(part(both, rows))
            if (both.reporter[rows] >= NEW).any():
                yield groups, part(both, np.arange(rows[-1] + 1))


def joined(one: Complaints, two: Complaints) -> Complaints:
    """Both in order of time."""
    names = ("seq", "time_ms", "reporter", "target", "context", "author", "created_ms", "fingerprint", "exempt")
    every = [np.concatenate([getattr(one, n), getattr(two, n)]) for n in names]
    order = np.argsort(every[1], kind="stable")
    return Complaints(*(column[order] for column in every), {**one.texts, **two.texts})


def part(c: Complaints, rows: Ints) -> Complaints:
    """Some of the complaints."""
    names = ("seq", "time_ms", "reporter", "target", "context", "author", "created_ms", "fingerprint", "exempt")
    kept = set(c.seq[rows].tolist())
    texts = {s: t for s, t in c.texts.items() if s in kept}
    return Complaints(*(getattr(c, n)[rows] for n in names), texts)


def caught(groups: Sequence[Group]) -> int:
    """The most planted accounts in one coordinated group."""
    return max((len(planted_of(g)) for g in groups if coordination(g.evidence) > DEFAULT_POLICY.flag_score), default=0)


def planted_of(group: Group) -> frozenset[int]:
    """The planted accounts of a group."""
    return frozenset(r for r in group.reporters if NEW <= r < NEW + 1000)


def swept(town: Town, planted: Planted) -> list[Group]:
    """The groups of a sweep after the last planted complaint."""
    mine = columns_of(planted, int(town.held.seq.max()) + 1_000_000, town.resolution)
    until = int(np.searchsorted(town.later.time_ms, int(mine.time_ms[-1])))
    both = joined(joined(town.held, part(town.later, np.arange(until))), mine)
    return Detector.sweep(DEFAULT_POLICY, both)[1]


def gang_line(town: Town, planted: Planted) -> str:
    """Ticks from the fifth target's last complaint to the group; "–" if it never comes; the sweep's; the score."""
    fifth = START.timestamp() * 1000 + 1000 * (
        BEGINS + np.sort([planted.at[planted.what == k].max() for k in range(5)])[-1]
    )
    waited, score, lost = -1, float("nan"), 0
    found = False
    for groups, so_far in town.ticks(planted):
        waited += int(so_far.time_ms[-1]) >= fifth - 1000 * town.resolution
        now = caught(groups) >= FOUND
        if now and not found:
            found = True
            first = max(waited, 0)
            score = max(coordination(g.evidence) for g in groups if len(planted_of(g)) >= FOUND)
        lost += found and not now
    at_sweep = "yes" if caught(swept(town, planted)) >= FOUND else "no"
    after = f"lost in {lost} ticks" if lost else ""
    return f"{first if found else '–':>3} {score:5.1f} {after:17} sweep {at_sweep}"


def honest_line(town: Town, planted: Planted) -> str:
    """How many of the planted people were in a coordinated group at any tick, and at the sweep."""

    def flagged(groups: Sequence[Group]) -> frozenset[int]:
        some = (g for g in groups if coordination(g.evidence) > DEFAULT_POLICY.flag_score)
        return frozenset[int]().union(*(planted_of(g) for g in some))

    ever = frozenset[int]().union(*(flagged(groups) for groups, _ in town.ticks(planted)))
    return f"live {len(ever):3}  sweep {len(flagged(swept(town, planted))):3}  of {len(np.unique(planted.who))}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2_000, 6_000])
    parser.add_argument("--lags", nargs="+", type=float, default=[1, 5, 20, 60])
    parser.add_argument("--targets", nargs="+", type=int, default=[20])
    parser.add_argument("--only", choices=["gang", "honest", "waves"])
    chosen = parser.parse_args()
    honest: dict[str, Callable[[np.random.Generator], Planted]] = {
        "30 readers within 3 h": lambda rng: readers(rng, 3 * HOUR),
        "30 readers within 5 min": lambda rng: readers(rng, 5 * MINUTE),
        "30 within 3 h, the same six": lambda rng: readers(rng, 3 * HOUR, all_of_them=True),
        "30 within 5 min, the same six": lambda rng: readers(rng, 5 * MINUTE, all_of_them=True),
        "spam wave, 50 within 10 min": lambda rng: spam_wave(rng, 10 * MINUTE),
        "spam wave, 50 within 2 min": lambda rng: spam_wave(rng, 2 * MINUTE),
    }
    if chosen.only in (None, "waves"):
        for line in wave_lines():
            print(line, flush=True)
    for size in chosen.sizes if chosen.only != "waves" else ():
        for name in chosen.generators:
            for seed in chosen.seeds:
                town = Town(name, Wanted(seed, size))
                about = f"{name} {size} s{seed} ({town.resolution:g} s)"
                print(about, file=sys.stderr, flush=True)
                rng = [seed, size]
                if chosen.only != "honest":
                    for targets, lag, thread, at_once in product(chosen.targets, chosen.lags, *2 * [(False, True)]):
                        planted = gang(np.random.default_rng(rng), lag, targets, thread=thread, at_once=at_once)
                        where, when = "thread" if thread else "articles", "at once" if at_once else "one by one"
                        what = f"{targets} targets, {lag:g} s, {where}, {when}"
                        print(f"{about:28} {what:42} {gang_line(town, planted)}", flush=True)
                if chosen.only != "gang":
                    for what, plant in honest.items():
                        line = honest_line(town, plant(np.random.default_rng(rng)))
                        print(f"{about:28} {what:42} {line}", flush=True)


if __name__ == "__main__":
    main()
