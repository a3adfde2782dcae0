"""Measure detection against known truth: many worlds, comparators, ablations, adversaries, calibration.

    nice .venv/bin/python bench/detection.py [--parts PART...] [--worlds DIR] [--toolkit PYTHON] [--quick]

Results are stored in bench/out/detection/<state of the detection code>/, one file for each world and part, so that an
interrupted run continues where it stopped. Then the tables go into docs/detection-first-worlds.md between their
markers, and the pictures into docs/pictures/ if matplotlib is installed (`python bench/detection_pictures.py RESULTS
docs/pictures` draws them with any Python that has it). The whole run takes about half an hour on one core. --quick: two
small worlds, and nothing is written outside bench/out.

--toolkit names a Python in which coordination-network-toolkit is installed (its dependencies conflict; keep it out of
.venv).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import detection_adversaries as adversaries
import detection_cases as special
import detection_comparators as comparators
import detection_unfounded as unfounded
import detection_withdrawals as withdrawals
import world_files
from detection_ablations import ABLATIONS, ablated
from detection_calibration import DAYS_APART, KNOWN, candidate_of
from detection_runs import Read, audited, flagged_when_shuffled, read, state_of_code, windows_of
from detection_tables import Results, write_tables
from figures import parser_of, print_machine
from quality import judge_of
from remembered_sweeps import Sweeps
from world_files import OUT, ROOT, WorldFiles, add_options, evaluation, need, world

from service.policy import DEFAULT_POLICY

# No seed below 400: those below 100 were looked at while detection was built, or in an earlier edition of these tables,
# what 101-152 showed was mended since, and 201-252 have been shown as well. The weights were fitted on 301-308.
STANDARD = tuple(f"w{seed}" for seed in range(401, 411))
SMALL = tuple(f"small{seed}" for seed in range(411, 415))
ADVERSE = tuple(f"adverse{seed}" for seed in range(415, 419))
PURE = tuple(f"pure{seed}" for seed in range(421, 441))
MORE = tuple(f"w{seed}" for seed in range(441, 451))  # for the calibrations, beside the standard ones
CASES = tuple(f"cases{seed}" for seed in (451, 452))
ABLATED = (*STANDARD[:4], *SMALL, *ADVERSE, *CASES)
QUICK = ("quick99", "adversequick96")
ORGANIC, SMALL_ORGANIC, QUICK_ORGANIC = 60_000, 6_000, 3_000

Part = Callable[["Bench", WorldFiles], Any]


class Bench:
    """What all parts share: the judge, the world at hand, where results are kept."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.folder = evaluation(chosen)
        self.judge = judge_of(self.folder)
        self.state = state_of_code()
        self.results = OUT / "detection" / self.state
        self._read: tuple[str, Read, Sweeps] | None = None
        self._baselines: ModuleType | None = None

    def at(self, files: WorldFiles) -> tuple[Read, Sweeps]:
        """The world in memory with its sweeps, contexts as reported."""
        if self._read is None or self._read[0] != files.name:
            self._read = files.name, read(files), Sweeps()
        return self._read[1], self._read[2]

    @property
    def baselines(self) -> ModuleType:
        """The evaluation's comparators, loaded once."""
        if self._baselines is None:
            self._baselines = comparators.baselines(self.folder)
        return self._baselines

    def judge_report(self, files: WorldFiles, report: Any) -> dict[str, Any]:
        """The scores of score.py, the recall of each campaign, and how many named honest accounts were flagged."""
        truth = truth_of(files)
        campaign, named = truth["campaign_of_reporter"], truth["hard_negative_of_reporter"]
        flagged = {r for c in report["clusters"] if c["disposition"] == "flagged" for r in c["reporters"]}
        members: dict[str, set[str]] = {}
        for reporter, name in campaign.items():
            members.setdefault(name, set()).add(reporter)
        honest: dict[str, list[int]] = {}
        for reporter, kind in named.items():
            if reporter not in campaign:
                counts = honest.setdefault(kind, [0, 0])
                counts[0] += reporter in flagged
                counts[1] += 1
        score = self.judge.score(truth, report)
        return {
            "score": score,
            "recall": {name: len(m & flagged) / len(m) for name, m in sorted(members.items())},
            "honest": honest,
            "unjudged_patrols": _unjudged_patrols(report, named),
            "mixed": _mixed(report, campaign, named),
        }


def _mixed(report: Any, campaign: dict[str, str], named: dict[str, str]) -> int:
    """Flagged clusters that hold a campaign's accounts and a named honest crowd's, a quarter of the cluster each or
    more.
    """
    found = 0
    for cluster in report["clusters"]:
        if cluster["disposition"] == "flagged":
            guilty = sum(r in campaign for r in cluster["reporters"])
            crowd = sum(r in named and r not in campaign for r in cluster["reporters"])
            found += 4 * min(guilty, crowd) >= len(cluster["reporters"])
    return found


def _unjudged_patrols(report: Any, named: dict[str, str]) -> list[int]:
    """Clusters that are mostly the patrol's: (flagged and saying "not judged yet", flagged, all)."""
    patrols = [
        c
        for c in report["clusters"]
        if 2 * sum(named.get(r) == "n2" for r in c["reporters"]) >= len(c["reporters"]) and c["disposition"] != "merged"
    ]
    flagged = [c for c in patrols if c["disposition"] == "flagged"]
    return [sum("not judged yet" in c.get("summary", "") for c in flagged), len(flagged), len(patrols)]


def truth_of(files: WorldFiles) -> Any:
    """The world's truth.json."""
    return json.loads((files.folder / "truth.json").read_text())


# --- parts


def with_contexts(bench: Bench, files: WorldFiles) -> Any:
    """Contexts as reported, outcomes known and not; and every candidate of windows three days apart."""
    here, sweeps = bench.at(files)
    known = audited(here, sweeps, outcomes=True)
    found = {
        "known": bench.judge_report(files, known),
        "unknown": bench.judge_report(files, audited(here, sweeps, outcomes=False)),
        "sweep_seconds": sweeps.seconds,
        "read_seconds": here.seconds,
    }
    return found | {
        "candidates": _candidates(files, here, sweeps),
        "complaints": len(here.history.complaints),
        "windows": len(sweeps.found),
    }


def candidates(bench: Bench, files: WorldFiles) -> Any:
    """Candidates alone: the windows three days apart are swept, nothing else."""
    here, sweeps = bench.at(files)
    return {"candidates": _candidates(files, here, sweeps)}


def _candidates(files: WorldFiles, here: Read, sweeps: Sweeps) -> list[Any]:
    truth, found = truth_of(files), []
    for batch in windows_of(here, DAYS_APART):
        _, groups = sweeps.sweep(DEFAULT_POLICY, batch)
        found += [asdict(candidate_of(files.name, group, here.history.reporter_ids, truth)) for group in groups]
    return found


def shuffled(bench: Bench, files: WorldFiles) -> Any:
    """The self-check: windows with their reporters shuffled within each context, with campaigns in them and without."""
    parts = list(windows_of(bench.at(files)[0], DAYS_APART))
    return {
        name: [flagged_when_shuffled(batch, seed, cleared=name == "cleared") for seed, batch in enumerate(parts)]
        for name in ("whole", "cleared")
    }


def without_contexts(bench: Bench, files: WorldFiles) -> Any:
    """No context_id, outcomes known and not."""
    blind, sweeps = bench.at(files)[0].without_contexts(), Sweeps()
    return {
        "known": bench.judge_report(files, audited(blind, sweeps, outcomes=True)),
        "unknown": bench.judge_report(files, audited(blind, sweeps, outcomes=False)),
        "sweep_seconds": sweeps.seconds,
    }


def cases(bench: Bench, files: WorldFiles) -> Any:
    """Worlds that are for one part of detection alone: outcomes known and not."""
    here, sweeps = bench.at(files)
    return {
        "known": bench.judge_report(files, audited(here, sweeps, outcomes=True)),
        "unknown": bench.judge_report(files, audited(here, sweeps, outcomes=False)),
    }


def ablations(bench: Bench, files: WorldFiles) -> Any:
    """Each part of detection taken away."""
    here, sweeps = bench.at(files)
    return {
        name: dict(
            zip(
                ("known", "unknown"),
                (bench.judge_report(files, report) for report in ablated(here, sweeps, name)),
                strict=True,
            )
        )
        for name in ABLATIONS[: 4 if bench.chosen.quick else None]
    }


def judged(bench: Bench, files: WorldFiles) -> Any:
    """What `unfounded_probability` predicted, with all outcomes, a third of them and none."""
    here, sweeps = bench.at(files)
    truth = truth_of(files)
    return {known: [asdict(t) for t in unfounded.forecasts(files.name, here, sweeps, truth, known)] for known in KNOWN}


def withdrawn(bench: Bench, files: WorldFiles) -> Any:
    """Flag and withdraw, through the live path."""
    here, truth = bench.at(files)[0], truth_of(files)
    return {name: withdrawals.withdrawn_after(here, truth, hours) for name, hours in withdrawals.DELAYS.items()}


def others(bench: Bench, files: WorldFiles) -> Any:
    """The comparators."""
    return _told_by(bench, files, comparators.detectors(bench.baselines, bench.chosen.toolkit))


def fraudar(bench: Bench, files: WorldFiles) -> Any:
    """The comparator that takes minutes a world."""
    return _told_by(bench, files, comparators.slow(bench.baselines))


def _told_by(bench: Bench, files: WorldFiles, found: Any) -> dict[str, Any]:
    return {
        name: bench.judge_report(files, report)
        for name, report in comparators.reports(bench.baselines, files, found).items()
    }


PARTS: dict[str, tuple[Part, tuple[str, ...]]] = {
    "contexts": (with_contexts, (*STANDARD, *SMALL, *ADVERSE, *PURE)),
    "blind": (without_contexts, (*STANDARD, *SMALL)),
    "cases": (cases, CASES),
    "candidates": (candidates, MORE),
    "unfounded": (judged, (*STANDARD, *MORE)),
    "ablations": (ablations, ABLATED),
    "others": (others, (*STANDARD, *SMALL, *ADVERSE, *CASES, *PURE[:6])),
    "fraudar": (fraudar, (*STANDARD[:2], *SMALL)),
    "shuffled": (shuffled, (*STANDARD[:4], *PURE[:4])),
    "withdrawn": (withdrawn, ADVERSE[:2]),
}
QUICK_WORLDS: dict[str, tuple[str, ...]] = {
    "contexts": QUICK,
    "blind": QUICK[:1],
    "cases": (),
    "candidates": (),
    "unfounded": QUICK[:1],
    "ablations": QUICK[:1],
    "others": QUICK[:1],
    "fraudar": (),
    "shuffled": QUICK[:1],
    "withdrawn": (),
}


def files_of(name: str, chosen: argparse.Namespace, folder: Path) -> WorldFiles:
    """The world of that name, generated where it is missing."""
    seed = "".join(filter(str.isdigit, name))
    if name.startswith(("adverse", "cases")):
        for where in (chosen.worlds, OUT):
            if where is not None and (where / name / "truth.json").exists():
                return WorldFiles(name, where / name)
        need("numpy", "pandas")
        (adversaries if name.startswith("adverse") else special).write(
            folder, OUT / f".{name}", int(seed), QUICK_ORGANIC if "quick" in name else ORGANIC
        )
        (OUT / f".{name}").rename(OUT / name)
        return WorldFiles(name, OUT / name)
    more = {"small": ("--organic", str(SMALL_ORGANIC)), "quick": ("--organic", str(QUICK_ORGANIC)), "pure": ("--pure",)}
    world_files.ARGUMENTS.setdefault(name, ("--seed", seed, *more.get(name.rstrip("0123456789"), ())))
    return world(name, chosen)


def measure(bench: Bench, jobs: Sequence[tuple[str, str]]) -> None:
    """Every (world, part) that is not kept yet; a line for each."""
    bench.results.mkdir(parents=True, exist_ok=True)
    for number, (name, part) in enumerate(jobs, 1):
        kept = bench.results / f"{name}.{part}.json"
        if kept.exists():
            continue
        if state_of_code() != bench.state:
            sys.exit(
                f"the detecting code changed since the start ({bench.state}): what is left would be of another state;"
                " start again"
            )
        found = PARTS[part][0](bench, files_of(name, bench.chosen, bench.folder))
        draft = kept.with_suffix(".draft")
        draft.write_text(json.dumps(found))
        draft.rename(kept)
        print(f"{number:4} of {len(jobs)}  {name:10} {part:11} {_short(found)}", flush=True)


def _short(found: Any) -> str:
    scores = [
        (key, value["score"])
        for key, value in (found.items() if isinstance(found, dict) else ())
        if isinstance(value, dict) and "score" in value
    ]
    return "  ".join(f"{key} P {s['P']:.3f} R {s['R']:.3f} F1 {s['F1']:.3f}" for key, s in scores[:2])


def draw(results: Path, out: Path) -> None:
    """The pictures, where matplotlib is installed; else the reason why there are none."""
    if find_spec("matplotlib") is None:
        print(
            f"no pictures: matplotlib is not installed here; PYTHON bench/detection_pictures.py {results} {out} draws"
            " them with a Python that has it",
            flush=True,
        )
        return
    subprocess.run([sys.executable, str(ROOT / "bench" / "detection_pictures.py"), str(results), str(out)], check=True)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--parts", nargs="+", choices=[*PARTS, "tables"], default=[*PARTS, "tables"], help="what to measure"
    )
    parser.add_argument("--only", nargs="+", metavar="WORLD", help="only these worlds of the parts")
    parser.add_argument(
        "--toolkit",
        type=Path,
        metavar="PYTHON",
        help="a Python with coordination-network-toolkit, an additional comparator",
    )
    add_options(parser)
    chosen = parser.parse_args()
    print_machine()
    bench = Bench(chosen)
    if chosen.quick:
        bench.results = OUT / "detection-quick" / bench.state
    jobs = [
        (name, part)
        for part in chosen.parts
        if part != "tables"
        for name in (QUICK_WORLDS[part] if chosen.quick else PARTS[part][1])
        if not chosen.only or name in chosen.only
    ]
    # A world's parts one after the other, in the order of the first part, so that it is read once.
    order = {name: k for k, name in reversed(list(enumerate(dict.fromkeys(name for name, _ in jobs))))}
    measure(bench, sorted(jobs, key=lambda job: order[job[0]]))
    if "tables" in chosen.parts:
        page = ROOT / "docs" / "detection-first-worlds.md"
        target = OUT / "detection-quick.md" if chosen.quick else page
        print(write_tables(Results(bench.results), page if page.exists() else None, target), flush=True)
        draw(bench.results, OUT if chosen.quick else ROOT / "docs" / "pictures")


if __name__ == "__main__":
    main()
