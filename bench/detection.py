"""Detection against the truth: worlds x ways of looking, comparators, ablations, adversaries, calibration.

    nice .venv/bin/python bench/detection.py [--parts PART...] [--worlds DIR] [--toolkit PYTHON] [--fraudar] [--quick]

What is measured is kept in bench/out/detection/<state of the detecting code>/, a file a world and part, so that an interrupted run goes
on where it was; then the tables are written into docs/detection.md between their markers, and the pictures into docs/pictures/ where matplotlib
is installed (`python bench/detection_pictures.py RESULTS docs/pictures` draws them with any Python that has it). The whole takes about half an hour of one
core. --quick: two small worlds, nothing written outside bench/out.

--toolkit names a Python in which coordination-network-toolkit is installed (it has its own needs; keep it apart from .venv).
"""

from __future__ import annotations

import argparse
import hashlib
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
import detection_comparators as comparators
import worlds as world_files
from detection_calibration import DAYS_APART, candidate_of
from detection_runs import ABLATIONS, Read, Sweeps, ablated, audited, flagged_when_shuffled, read, windows_of
from detection_tables import Results, write_tables
from figures import parser_of, print_machine
from quality import judge_of
from worlds import OUT, ROOT, WorldFiles, add_options, evaluation, need, world

import workers
from service.policy import DEFAULT_POLICY

# Not used for building (that were 1, 2, 11-14, 21-28, 41-44, 51-54, 61-64, 71, 72), nor for fitting the weights (301-308).
STANDARD = tuple(f"w{seed}" for seed in range(81, 91))
SMALL = tuple(f"small{seed}" for seed in range(91, 95))
PURE = tuple(f"pure{seed}" for seed in (*range(55, 61), *range(65, 71), *range(73, 81)))
ADVERSE = tuple(f"adverse{seed}" for seed in (95, 96, 97, 98))
MORE = tuple(f"w{seed}" for seed in range(29, 39))  # for the calibration, beside the standard ones
ABLATED = (*STANDARD[:4], *SMALL, *ADVERSE[:2])
QUICK = ("quick99", "adversequick99")
ORGANIC, SMALL_ORGANIC, QUICK_ORGANIC = 60_000, 6_000, 3_000
DETECTING = ("workers/detection", "workers/audit/windows.py", "workers/audit/history.py", "workers/findings.py", "service/moderation", "service/policy.py")

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
        """The world in memory with its sweeps, contexts as told."""
        if self._read is None or self._read[0] != files.name:
            self._read = files.name, read(files), Sweeps()
        return self._read[1], self._read[2]

    @property
    def baselines(self) -> ModuleType:
        """The evaluation's comparators, loaded once."""
        if self._baselines is None:
            self._baselines = comparators.baselines(self.folder)
        return self._baselines

    def told(self, files: WorldFiles, report: Any) -> dict[str, Any]:
        """What score.py says, the recall of each campaign, and how many named honest accounts were flagged."""
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
            "score": score, "recall": {name: len(m & flagged) / len(m) for name, m in sorted(members.items())}, "honest": honest,
            "unjudged_patrols": _unjudged_patrols(report, named),
        }


def _unjudged_patrols(report: Any, named: dict[str, str]) -> list[int]:
    """Clusters that are mostly the patrol's: (flagged and saying "not judged yet", flagged, all)."""
    patrols = [c for c in report["clusters"] if 2 * sum(named.get(r) == "n2" for r in c["reporters"]) >= len(c["reporters"]) and c["disposition"] != "merged"]
    flagged = [c for c in patrols if c["disposition"] == "flagged"]
    return [sum("not judged yet" in c.get("summary", "") for c in flagged), len(flagged), len(patrols)]


def truth_of(files: WorldFiles) -> Any:
    """The world's truth.json."""
    return json.loads((files.folder / "truth.json").read_text())


def state_of_code() -> str:
    """A name for the code that decides: results of different states must not be mixed."""
    root, digest = Path(workers.__file__).parent.parent, hashlib.sha256()
    for name in DETECTING:
        for path in sorted((root / name).rglob("*.py")) if (root / name).is_dir() else (root / name,):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


# --- parts


def with_contexts(bench: Bench, files: WorldFiles) -> Any:
    """Contexts as told, outcomes known and not; and every candidate of windows three days apart."""
    here, sweeps = bench.at(files)
    known = audited(here, sweeps, outcomes=True)
    found = {"known": bench.told(files, known), "unknown": bench.told(files, audited(here, sweeps, outcomes=False)), "sweep_seconds": sweeps.seconds, "read_seconds": here.seconds}
    return found | {"candidates": _candidates(files, here, sweeps), "complaints": len(here.history.complaints), "windows": len(sweeps.found)}


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
    return {name: [flagged_when_shuffled(batch, seed, cleared=name == "cleared") for seed, batch in enumerate(parts)] for name in ("whole", "cleared")}


def without_contexts(bench: Bench, files: WorldFiles) -> Any:
    """No context_id, outcomes known and not."""
    blind, sweeps = bench.at(files)[0].without_contexts(), Sweeps()
    return {"known": bench.told(files, audited(blind, sweeps, outcomes=True)), "unknown": bench.told(files, audited(blind, sweeps, outcomes=False)), "sweep_seconds": sweeps.seconds}


def ablations(bench: Bench, files: WorldFiles) -> Any:
    """Each part of detection taken away."""
    here, sweeps = bench.at(files)
    return {name: {known: bench.told(files, ablated(here, sweeps, name, outcomes=known == "known")) for known in ("known", "unknown")} for name in ABLATIONS}


def others(bench: Bench, files: WorldFiles) -> Any:
    """The comparators."""
    found = comparators.detectors(bench.baselines, fraudar=bench.chosen.fraudar, toolkit=bench.chosen.toolkit)
    return {name: bench.told(files, report) for name, report in comparators.reports(bench.baselines, files, found).items()}


PARTS: dict[str, tuple[Part, tuple[str, ...]]] = {
    "contexts": (with_contexts, (*STANDARD, *SMALL, *ADVERSE, *PURE)),
    "blind": (without_contexts, (*STANDARD, *SMALL)),
    "ablations": (ablations, ABLATED),
    "others": (others, (*STANDARD, *SMALL, *ADVERSE, *PURE[:6])),
    "candidates": (candidates, MORE),
    "shuffled": (shuffled, (*STANDARD[:4], *PURE[:4])),
}
QUICK_WORLDS: dict[str, tuple[str, ...]] = {"contexts": QUICK, "blind": QUICK[:1], "ablations": QUICK[:1], "others": QUICK[:1], "candidates": (), "shuffled": QUICK[:1]}


def files_of(name: str, chosen: argparse.Namespace, folder: Path) -> WorldFiles:
    """The world of that name, generated where it is missing."""
    seed = "".join(filter(str.isdigit, name))
    if name.startswith("adverse"):
        for where in (chosen.worlds, OUT):
            if where is not None and (where / name / "truth.json").exists():
                return WorldFiles(name, where / name)
        need("numpy", "pandas")
        adversaries.write(folder, OUT / f".{name}", int(seed), QUICK_ORGANIC if "quick" in name else ORGANIC)
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
        found = PARTS[part][0](bench, files_of(name, bench.chosen, bench.folder))
        draft = kept.with_suffix(".draft")
        draft.write_text(json.dumps(found))
        draft.rename(kept)
        print(f"{number:4} of {len(jobs)}  {name:10} {part:11} {_short(found)}", flush=True)


def _short(found: Any) -> str:
    scores = [(key, value["score"]) for key, value in (found.items() if isinstance(found, dict) else ()) if isinstance(value, dict) and "score" in value]
    return "  ".join(f"{key} P {s['P']:.3f} R {s['R']:.3f} F1 {s['F1']:.3f}" for key, s in scores[:2])


def draw(results: Path, out: Path) -> None:
    """The pictures, where matplotlib is installed; else the reason why there are none."""
    if find_spec("matplotlib") is None:
        print(f"no pictures: matplotlib is not installed here; PYTHON bench/detection_pictures.py {results} {out} draws them with a Python that has it", flush=True)
        return
    subprocess.run([sys.executable, str(ROOT / "bench" / "detection_pictures.py"), str(results), str(out)], check=True)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "tables"], default=[*PARTS, "tables"])
    parser.add_argument("--only", nargs="+", metavar="WORLD", help="of the worlds of these parts")
    parser.add_argument("--fraudar", action="store_true", help="the comparator FRAUDAR as well: minutes a world")
    parser.add_argument("--toolkit", type=Path, metavar="PYTHON", help="a Python with coordination-network-toolkit, as one more comparator")
    add_options(parser)
    chosen = parser.parse_args()
    print_machine()
    bench = Bench(chosen)
    if chosen.quick:
        bench.results = OUT / "detection-quick" / bench.state
    jobs = [(name, part) for part in chosen.parts if part != "tables" for name in (QUICK_WORLDS[part] if chosen.quick else PARTS[part][1]) if not chosen.only or name in chosen.only]
    # A world's parts one after the other, in the order of the first part, so that it is read once.
    order = {name: k for k, name in reversed(list(enumerate(dict.fromkeys(name for name, _ in jobs))))}
    measure(bench, sorted(jobs, key=lambda job: order[job[0]]))
    if "tables" in chosen.parts:
        page = ROOT / "docs" / "detection.md"
        target = OUT / "detection-quick.md" if chosen.quick else page
        print(write_tables(Results(bench.results), page if page.exists() else None, target), flush=True)
        draw(bench.results, OUT if chosen.quick else ROOT / "docs" / "pictures")


if __name__ == "__main__":
    main()
