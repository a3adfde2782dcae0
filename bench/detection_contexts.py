"""Measure what badly reported contexts do to detection.

    .venv/bin/python bench/detection_contexts.py [--names w205 w206] [--quick]

The same worlds with the reported contexts, without any, with a separate context for each target, and with seven tenths
of the targets without one. Outcomes are known. Prints precision and recall of accounts as the evaluation's score.py
counts them, and honest accounts flagged per day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from detection import truth_of
from detection_runs import Read, audited, read
from figures import parser_of, print_machine, show
from quality import judge_of
from remembered_sweeps import Sweeps
from world_files import add_options, evaluation, need, world

from workers.detection.window import Complaints

LEFT_OUT = 7  # of ten targets, chosen by their key


def _own(c: Complaints) -> Complaints:
    return replace(c, context=c.target ^ 1)


def _partly(c: Complaints) -> Complaints:
    return replace(c, context=np.where(c.target % 10 < LEFT_OUT, 0, c.context))


TELLING: dict[str, Callable[[Complaints], Complaints]] = {
    "as reported": lambda c: c,
    "none": lambda c: replace(c, context=np.zeros_like(c.context)),
    "each target its own": _own,
    "three of ten targets": _partly,
}


def told_so(here: Read, telling: Callable[[Complaints], Complaints]) -> Read:
    """The world at a platform that tells contexts like this."""
    return replace(here, history=replace(here.history, complaints=telling(here.history.complaints)))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--names", nargs="+", default=["w205", "w206"], help="names of worlds")
    add_options(parser)
    chosen = parser.parse_args()
    judge = judge_of(evaluation(chosen))
    need("pandas")
    print_machine()
    names = ["quick99"] if chosen.quick else chosen.names
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in TELLING}
    print("| world | contexts | P | R | honest accounts flagged a day |\n| --- | --- | --- | --- | --- |")
    for name in names:
        files = world(name, chosen)
        here, truth = read(files), truth_of(files)
        for telling, change in TELLING.items():
            score = judge.score(truth, audited(told_so(here, change), Sweeps(), outcomes=True))
            false = sum(score["false_accounts_per_day"].values())
            print(f"| {name} | {telling} | {score['P']:.3f} | {score['R']:.3f} | {false:.2f} |", flush=True)
            scores[telling].append({"P": score["P"], "R": score["R"]})
    for telling, some in scores.items():
        show(
            f"contexts: {telling}, mean P",
            float(np.mean([s["P"] for s in some])),
            at_least=0.98,
            digits=3,
            quick=chosen.quick,
        )
        print(f"    mean R {np.mean([s['R'] for s in some]):.3f}")


if __name__ == "__main__":
    main()
