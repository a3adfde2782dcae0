"""Measure how much traffic detection needs: a brigade of twelve among few other complaints.

    .venv/bin/python bench/detection_little.py [--quick]

Twelve accounts, four fifths of which complain within minutes about each of 3, 4, 6 and 10 targets, nine hours apart and
each in its own context, among 100 to 10,000 complaints of others within five days. Prints the share of draws in which
the brigade is flagged (half of its accounts, in a group of which they are at least half). The null model is learned
from the same window: if the brigade is a large part of it, its behaviour *is* normal there.

Then small worlds of the evaluation's generator without any campaign, with 500, 1,500 and 4,000 organic complaints in 28
days, with and without honest crowds (outrage, patrol, popular article, ...): accounts flagged, by kind, outcomes
unknown. Needs the evaluation's folder.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from detection_adversaries import generator
from figures import parser_of, print_machine
from worlds import add_options, evaluation, need

from service.moderation.score import coordination
from service.policy import DEFAULT_POLICY
from workers.audit.command import run
from workers.detection.detector import Detector
from workers.detection.window import UNKNOWN_MS, Complaints

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
PEOPLE, SHARE = 12, 0.8
OTHERS, TARGETS = (100, 300, 1_000, 2_000, 5_000, 10_000), (3, 4, 6, 10)
ORGANIC = (500, 1_500, 4_000)


def draw(others: int, targets: int, rng: np.random.Generator) -> Complaints:
    """Reporters 1..12 are the brigade; a reader complains twice, a target is complained about five times, an article
    twenty, on average.
    """
    reader, place = 1_000 + rng.integers(others // 2, size=others), rng.integers(others // 5, size=others)
    rows = {
        (int(r), 10_000 + int(v)): (int(rng.integers(5 * DAY)), 50_000 + int(v) // 4)
        for r, v in zip(reader, place, strict=True)
    }
    for k in range(targets):
        rows |= {
            (who, 100 + k): (k * 9 * HOUR + int(rng.exponential(5 * MINUTE)), 500 + k)
            for who in range(1, PEOPLE + 1)
            if rng.random() < SHARE
        }
    who, what = np.array(list(rows), np.int64).T
    when, where = np.array(list(rows.values()), np.int64).T
    zeros = np.zeros(len(who), np.int64)
    return Complaints(
        np.arange(1, len(who) + 1),
        when,
        who,
        what,
        where,
        zeros,
        np.full(len(who), UNKNOWN_MS),
        zeros,
        zeros.astype(bool),
        {},
    )


def found(c: Complaints) -> bool:
    """Whether the brigade is flagged, and by a group that is mostly its own."""
    brigade = set(range(1, PEOPLE + 1))
    _, groups = Detector.sweep(DEFAULT_POLICY, c)
    return any(
        coordination(g.evidence) > DEFAULT_POLICY.flag_score
        and 2 * len(g.reporters & brigade) >= max(PEOPLE, len(g.reporters))
        for g in groups
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--draws", type=int, default=20, help="random draws for each cell")
    add_options(parser)
    chosen = parser.parse_args()
    print_machine()
    draws = 3 if chosen.quick else chosen.draws
    print("complaints of others | " + " | ".join(f"{t} targets" for t in TARGETS))
    for others in OTHERS[2:4] if chosen.quick else OTHERS:
        shares = [
            np.mean([found(draw(others, t, np.random.default_rng(seed))) for seed in range(draws)]) for t in TARGETS
        ]
        print(f"{others:,} | " + " | ".join(f"{share:.0%}" for share in shares), flush=True)

    folder = evaluation(chosen)
    need("pandas")
    print("organic complaints in 28 days | honest crowds | worlds | accounts flagged, outcomes unknown")
    for organic in ORGANIC[:1] if chosen.quick else ORGANIC:
        for crowds in (False, True):
            flagged: Counter[str] = Counter()
            worlds = 1 if chosen.quick else 6
            for seed in range(1, worlds + 1):
                flagged += quiet(folder, seed, organic, crowds)
            print(
                f"{organic:,} | {'yes' if crowds else 'no'} | {worlds} |"
                f" {', '.join(f'{n} {kind}' for kind, n in flagged.items()) or 'none'}",
                flush=True,
            )


def quiet(folder: Path, seed: int, organic: int, crowds: bool) -> Counter[str]:
    """Accounts flagged in a world without campaigns, by the kind of honest crowd they belong to."""
    module = generator(folder)
    frame, truth = module.simulate(seed, organic, 28, positives=False, negatives=crowds)
    with TemporaryDirectory() as out:
        module.export(frame, truth, out, seed)
        run([Path(out) / "complaints.ndjson.gz"], outcomes=[], out=Path(out) / "report.json", now=datetime.now(UTC))
        report, world_truth = (json.loads((Path(out) / name).read_text()) for name in ("report.json", "truth.json"))
    kinds = world_truth["hard_negative_of_reporter"]
    return Counter(
        kinds.get(reporter, "reader")
        for c in report["clusters"]
        if c["disposition"] == "flagged"
        for reporter in c["reporters"]
    )


if __name__ == "__main__":
    main()
