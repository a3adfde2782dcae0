"""Measure precision, recall and removals of `audit` on the evaluation's worlds, judged by its own score.py.

    .venv/bin/python bench/quality.py [--windows 14d 28d] [--seeds 41 42 43 44] [--quick]

Each world goes through `brigadewatch audit` with its outcomes, as a user would start it. The bar was measured with the
window of 28 days.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from types import ModuleType
from typing import Any

from figures import parser_of, print_machine, show
from worlds import WorldFiles, add_options, evaluation, world

DEFAULT_WINDOW = "14d"
THRESHOLD = 8  # complaints at which the imagined platform removes


def judge_of(folder: Path) -> ModuleType:
    """The evaluation's score.py."""
    found = importlib.util.spec_from_file_location("score", folder / "score.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def scores(judge: ModuleType, files: WorldFiles, window: str) -> dict[str, Any]:
    """What score.py says about the audit of one world."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "service.cli",
                "audit",
                str(files.complaints),
                "--outcomes",
                str(files.outcomes),
                "--window",
                window,
                "--out",
                str(report),
            ],
            check=True,
            capture_output=True,
        )
        with (files.folder / "truth.json").open() as truth, report.open() as reported:
            found: dict[str, Any] = judge.score(json.load(truth), json.load(reported))
    return found


def print_scores(found: list[dict[str, Any]], window: str, quick: bool) -> None:
    """The means, with the bars of the default window."""
    held = window == DEFAULT_WINDOW
    at = [s["removal"][THRESHOLD] for s in found]
    removed = {
        kind: mean(a["campaign_targets_removed"][kind] for a in at) * 100 for kind in ("raw", "independent", "ideal")
    }
    name = f"window {window}"
    show(f"{name}, mean P", mean(s["P"] for s in found), at_least=0.98 if held else None, digits=3, quick=quick)
    show(f"{name}, mean R", mean(s["R"] for s in found), at_least=0.77 if held else None, digits=3, quick=quick)
    show(
        f"{name}, campaign targets removed at {THRESHOLD}, %",
        removed["independent"],
        at_most=5.5 if held else None,
        quick=quick,
    )
    print(f"    raw count {removed['raw']:.1f} %, ideal {removed['ideal']:.1f} %")
    show(
        f"{name}, viral outrage n1, accounts a day",
        mean(s["false_accounts_per_day"]["n1"] for s in found),
        at_most=0.1 if held else None,
        digits=3,
        quick=quick,
    )
    others = {kind: mean(s["false_accounts_per_day"][kind] for s in found) for kind in ("n2", "n3", "n4", "n5", "org")}
    print(
        "    false accounts a day: "
        + ", ".join(f"{kind} {value:.3f}" for kind, value in others.items())
        + f"; false clusters a day {mean(s['false_clusters_per_day'] for s in found):.3f}"
    )
    print(
        f"    honest removals at {THRESHOLD} lost: {sum(a['other_removals_lost'] for a in at)} of"
        f" {sum(a['other_removals'] for a in at)}, the patrol's {sum(a['patrol_removals_lost'] for a in at)} of"
        f" {sum(a['patrol_removals'] for a in at)}"
    )
    kinds = sorted({kind for s in found for kind in s["campaigns_found"]})
    print(
        "    campaigns found: "
        + ", ".join(f"{kind} {mean(s['campaigns_found'][kind] for s in found):.2f}" for kind in kinds),
        flush=True,
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--windows", nargs="+", default=[DEFAULT_WINDOW, "28d"], help="lengths of the window")
    parser.add_argument("--seeds", nargs="+", type=int, default=[41, 42, 43, 44], help="seeds of the worlds")
    add_options(parser)
    chosen = parser.parse_args()
    judge = judge_of(evaluation(chosen))
    if chosen.quick:
        chosen.seeds, chosen.windows = chosen.seeds[:1], ["28d"]
    print_machine()
    worlds = [world(f"w{seed}", chosen) for seed in chosen.seeds]
    for window in chosen.windows:
        found = []
        for files in worlds:
            found.append(scores(judge, files, window))
            print(
                f"    {files.name}, window {window}: P {found[-1]['P']:.3f} R {found[-1]['R']:.3f},"
                f" {found[-1]['clusters']} flagged clusters, {found[-1]['flagged']} accounts",
                flush=True,
            )
        print_scores(found, window, chosen.quick)


if __name__ == "__main__":
    main()
