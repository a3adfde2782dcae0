"""The worlds that the measurements use: found in a folder, or generated into bench/out.

    .venv/bin/python bench/world_files.py [NAME...] [--shared DIR] [--worlds DIR]

The generator is the evaluation's worlds.py, beside this repository (../shared/evaluation); it needs pandas and
scikit-learn, which are not in the lock file. Where it is not there, worlds of the demo and of bench/worlds stand in,
and that is printed; what needs the evaluation's truth prints a message and exits with the code NOT_MEASURED.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bench.worlds.catalogue import draw
from bench.worlds.world import Wanted
from service.demo.world import draw_world
from service.intake.items import COMPLAINT
from service.intake.text_fingerprints import SIGNATURE_BYTES
from service.policy import DEFAULT_POLICY
from workers.audit.files import Reading, read_items
from workers.audit.history import Collector
from workers.detection.window import Complaints

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "bench" / "out"  # ignored by git
NOT_MEASURED = 3  # exit code: something from outside the repository is missing, and was named

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "w41": ("--seed", "41"),
    "w42": ("--seed", "42"),
    "w43": ("--seed", "43"),
    "w44": ("--seed", "44"),
    "w126": ("--organic", "270000", "--days", "126"),
    "dense": ("--organic", "1000000", "--days", "14", "--pure"),
    "d45": ("--organic", "100000", "--days", "45"),
    "d448": ("--organic", "1000000", "--days", "448"),
    "million": ("--organic", "1300000", "--days", "16"),
    "million16": ("--organic", "1150000", "--days", "16"),  # 1.1 million complaints, most of them in one window
    "site": ("--organic", "65000", "--days", "16"),  # of which bench/large.py makes many
    "window60k": ("--organic", "105000", "--days", "28"),  # 60,000 complaints in its later windows of 14 days
    "window700k": ("--organic", "1400000", "--days", "28"),
}
_NAMED = re.compile(r'"(?:id|author_id|context_id|fingerprint|target_id|complaint_id|retracts|part_of)":"')
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
DEMO = "demo"  # drawn by the service itself: needs nothing
DEMO_SIZES = {
    DEMO: 25_000,
    "demo30k": 30_000,
    "demo62k": 62_500,
    "demo150k": 150_000,
}  # complaints, about, within 28 days
# What is measured where the evaluation's generator is not there. Of about the same size; figures are not comparable.
STAND_INS = {
    "w126": ("demo62k", 1, 5),
    "dense": ("network40k", 24, 1),
    "d45": ("demo62k", 1, 2),
    "d448": ("demo62k", 1, 16),
    "million": ("demo62k", 16, 1),
    "million16": ("demo62k", 18, 1),
    "site": ("demo62k", 1, 1),
    "window60k": ("demo62k", 2, 1),
    "window700k": ("demo62k", 22, 1),
}
# A world made of another: so many copies of it side by side, and so many of those one after the other, each with
# names of its own.
TILED = {"d448x10": ("d448", 10, 1)} | {f"{name}-of-{of[0]}": of for name, of in STAND_INS.items()}
NETWORK_SIZES = {"network40k": 40_000}  # drawn by bench/worlds: many more complaints a target than the demo's


@dataclass(frozen=True, slots=True)
class WorldFiles:
    """One world on disk. `truth` is score.py's; the demo's world has none."""

    name: str
    folder: Path

    @property
    def complaints(self) -> Path:
        return self.folder / "complaints.ndjson.gz"

    @property
    def outcomes(self) -> Path:
        return self.folder / "outcomes.ndjson.gz"

    def lines(self) -> list[bytes]:
        """The complaints in order of arrival, as they were written."""
        with gzip.open(self.complaints, "rb") as file:
            return file.read().splitlines()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every measurement with a world has."""
    parser.add_argument(
        "--worlds",
        type=Path,
        metavar="DIR",
        help="folder with existing worlds, one folder each; missing ones are generated into bench/out",
    )
    parser.add_argument(
        "--shared",
        type=Path,
        default=ROOT.parent / "shared",
        metavar="DIR",
        help="folder with evaluation/ and data/",
    )


def world(name: str, chosen: argparse.Namespace) -> WorldFiles:
    """The world of that name; generated when neither --worlds nor bench/out has it."""
    for folder in (chosen.worlds, OUT):
        if folder is not None and (folder / name / "complaints.ndjson.gz").exists():
            return WorldFiles(name, folder / name)
    if name in STAND_INS and not (chosen.shared / "evaluation" / "worlds.py").exists():
        base, copies, times = STAND_INS[name]
        print(
            f"{name}: {chosen.shared / 'evaluation'} is not there; {copies} x {times} of {base} stand in, whose figures"
            " are others",
            flush=True,
        )
        return world(f"{name}-of-{base}", chosen)
    files = WorldFiles(name, OUT / name)
    draft = OUT / f".{name}"
    if name in DEMO_SIZES:
        _write_demo(draft, DEMO_SIZES[name])
    elif name in NETWORK_SIZES:
        draw("network", Wanted(1, NETWORK_SIZES[name])).write(draft)
    elif name in TILED:
        base, copies, times = TILED[name]
        _write_tiled(draft, world(base, chosen), copies, times)
    else:
        script = evaluation(chosen) / "worlds.py"
        need("numpy", "pandas")
        subprocess.run(
            [sys.executable, str(script), *ARGUMENTS[name], "--out", str(draft)], check=True, stdout=sys.stderr
        )
    draft.rename(files.folder)
    return files


def evaluation(chosen: argparse.Namespace) -> Path:
    """The folder of the evaluation's scripts; ends the program where it is not there."""
    folder: Path = chosen.shared / "evaluation"
    if not (folder / "worlds.py").exists():
        not_measured(
            f"{folder} is not there; --shared names the folder that holds evaluation/, --worlds one with ready-made"
            " worlds"
        )
    return folder


def need(*modules: str) -> None:
    """End the program where a library that is not in the lock is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        not_measured(
            f"it needs {', '.join(missing)}, which are not in requirements.lock: pip install {' '.join(missing)}"
        )


def not_measured(why: str) -> NoReturn:
    """Say why nothing is measured, and end."""
    print(f"not measured: {why}", flush=True)
    sys.exit(NOT_MEASURED)


def columns(files: WorldFiles) -> Complaints:
    """The standing complaints in time order, as detection takes them; kept beside the world, since reading a million
    takes a minute.
    """
    kept = files.folder / "columns-signed.npz"
    if not kept.exists():
        collector = Collector(DEFAULT_POLICY.text_min_words)
        for item in read_items(files.complaints, COMPLAINT, datetime.now(UTC), Reading(), lambda _: None):
            collector.add(item)
        history, _ = collector.history()
        c = history.complaints
        signed, signatures = (
            np.array(list(c.texts), np.int64),
            np.frombuffer(b"".join(c.texts.values()), np.uint8).reshape(len(c.texts), SIGNATURE_BYTES),
        )
        np.savez(
            kept,
            seq=c.seq,
            time_ms=c.time_ms,
            reporter=c.reporter,
            target=c.target,
            context=c.context,
            author=c.author,
            created_ms=c.created_ms,
            fingerprint=c.fingerprint,
            exempt=c.exempt,
            signed=signed,
            signatures=signatures,
        )
    with np.load(kept, allow_pickle=False) as parts:
        arrays: dict[str, Any] = {name: parts[name] for name in parts.files}
    texts = dict(zip(arrays.pop("signed").tolist(), map(bytes, arrays.pop("signatures")), strict=True))
    return Complaints(**arrays, texts=texts)


def part(c: Complaints, first: int, last: int) -> Complaints:
    """Rows first..last (half-open)."""
    rows = slice(first, last)
    texts = {seq: c.texts[seq] for seq in c.seq[rows].tolist() if seq in c.texts}
    return Complaints(
        c.seq[rows],
        c.time_ms[rows],
        c.reporter[rows],
        c.target[rows],
        c.context[rows],
        c.author[rows],
        c.created_ms[rows],
        c.fingerprint[rows],
        c.exempt[rows],
        texts,
    )


def _write_demo(folder: Path, complaints: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw_world(7, complaints)
    for name, documents in (("complaints", drawn.complaints), ("outcomes", drawn.outcomes)):
        with gzip.open(folder / f"{name}.ndjson.gz", "wt", compresslevel=3) as file:
            file.writelines(json.dumps(document, separators=(",", ":")) + "\n" for document in documents)


def _write_tiled(folder: Path, base: WorldFiles, copies: int, times: int) -> None:
    """Copies of a world side by side, and one such row after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(base.complaints, "rt") as file:
        moments = [datetime.fromisoformat(json.loads(line)["occurred_at"]) for line in file]
    span = timedelta(days=math.ceil((max(moments) - min(moments)) / timedelta(days=1)))
    for path in (base.complaints, base.outcomes):
        with gzip.open(folder / path.name, "wt", compresslevel=1) as out:
            for time in range(times):
                with gzip.open(path, "rt") as lines:
                    for line in lines:
                        later = _TIME.sub(partial(_shifted, by=time * span), line) if time else line
                        out.writelines(_NAMED.sub(rf"\g<0>{time}.{copy}-", later) for copy in range(copies))


def _shifted(at: re.Match[str], by: timedelta) -> str:
    return (datetime.fromisoformat(at[0]) + by).isoformat()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*ARGUMENTS, *DEMO_SIZES, *NETWORK_SIZES]
    parser.add_argument(
        "names",
        nargs="*",
        default=names,
        metavar="NAME",
        help=f"one of {', '.join((*names, *TILED))}; default: all but the last",
    )
    parser.add_argument("--columns", action="store_true", help="also write their columns")
    add_options(parser)
    chosen = parser.parse_args()
    for name in chosen.names:
        files = world(name, chosen)
        print(
            f"{name:12} {files.folder}"
            + (f"  {len(columns(files).seq):,} standing complaints" if chosen.columns else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
