"""Time our detection beside published methods, on one and the same file.

    .venv/bin/python bench/peers.py [--toolkit PYTHON] [--densealert FOLDER] [--mzoom FOLDER] [--fraudar FOLDER]
        [--rounds 2] [--names demo30k ...] [--only NAME ...] [--quick]

Each program has a process of its own. In every round all of them run once, in the next one in reverse order; the table
has medians. Ratios are CPU seconds, theirs divided by those of our sweep of the same round: above 1 we are faster.

"All" is reading and start included: of Python, of a JVM and its compiler. Ours reads the compressed NDJSON and checks
every field, SynchroTrap and co-report parse the same file without checks; the programs of others read a CSV file of
numbers, made beforehand and not counted. "Detection" is what is left without start and reading, where it can be told
apart (of M-Zoom, what it prints: seconds of the clock). Of memory, the largest process counts.

They do not compute the same. Ours fits how often people meet by chance, and gives groups with evidence and
probabilities; the others give pairs or clusters above a threshold, or a dense block, without a probability. What the
results are worth is not measured here: docs/detection.md.

The second table is for streams: µs CPU a complaint over the second half of the file, the first half being there
already. DenseAlert takes complaints one by one and keeps one block up to date; ours takes a tick of several, and sweeps
besides. Exit code 3: nothing that was chosen can be run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from figures import parser_of, print_machine
from peer_programs import DENSEALERT_WINDOWS, HERE, LIVE, SWEEP, Inputs, Peer, comparators, last_object, ours, published
from peer_programs import add_options as add_programs
from world_files import DEMO, DEMO_SIZES, NETWORK_SIZES, NOT_MEASURED, add_options, world

WORLDS = ("demo30k", "demo150k", "network40k")


@dataclass(slots=True)
class Run:
    """What one program used in one round."""

    cpu: float = 0.0
    wall: float = 0.0
    gigabytes: float = 0.0
    detection: float | None = None  # CPU seconds without reading
    found: str = ""
    printed: dict[str, Any] = field(default_factory=dict)
    failed: str = ""  # why there are no figures


def run(peer: Peer, inputs: Inputs, limit: int) -> Run:
    """Run it once, at most `limit` seconds a command."""
    done = Run()
    with tempfile.TemporaryDirectory() as temporary:
        fresh, output = Path(temporary) / "fresh", Path(temporary) / "output"
        fresh.mkdir()
        commands = peer.commands(inputs, fresh)
        for command in commands:
            used = resources_used(command, output, limit)
            if used["code"] is None:
                done.failed = f"stopped after {limit:,} s"
            elif used["code"]:
                errors = output.with_name("output.err").read_text(errors="replace").strip().splitlines()
                done.failed = f"exit code {used['code']}: {errors[-1] if errors else 'no message'}"
            if done.failed:
                return done
            done.cpu += used["cpu"]
            done.wall += used["wall"]
            done.gigabytes = max(done.gigabytes, used["gigabytes"])
            done.detection = used["cpu"]
        done.printed = peer.printed(output.read_text(errors="replace"))
        if len(commands) == 1:
            done.detection = done.printed.get("detect")
        elif peer.start is not None and done.detection is not None:
            done.detection -= resources_used(peer.start, output, limit)["cpu"]
        done.found = peer.found(fresh) if peer.found else done.printed.get("found", "")
    return done


def resources_used(command: list[str], output: Path, limit: int) -> dict[str, Any]:
    """What bench/resources_used.py says about the command; a small interpreter starts it, as its docstring explains."""
    launcher = [sys.executable, "-I", "-S", str(HERE / "resources_used.py"), str(limit), str(output), *command]
    printed = subprocess.run(launcher, check=True, capture_output=True, text=True).stdout
    used: dict[str, Any] = json.loads(printed)
    return used


def ratios(theirs: list[Run], base: list[Run], what: str) -> list[float]:
    """Theirs divided by ours, of each round in which both have that figure."""
    pairs = [(getattr(one, what), getattr(other, what)) for one, other in zip(theirs, base, strict=True)]
    return [one / other for one, other in pairs if one is not None and other]


def spread(values: list[float]) -> str:
    """The median of ratios, and the range if there are several."""
    if not values:
        return "–"
    low, high = min(values), max(values)
    return f"{median(values):.2f}" + (f" ({low:.2f}–{high:.2f})" if len(values) > 1 else "")


def print_batch(peers: list[Peer], runs: dict[str, list[Run]]) -> None:
    """The table of those that take a whole file."""
    print(f"{'peer':18}{'s CPU':>8}{'s wall':>8}{'GB':>6}  {'ratio, all':20}{'s CPU':>8}  {'ratio, detection':20}found")
    for peer in peers:
        if peer.name == LIVE:
            continue
        failed = next((one.failed for one in runs[peer.name] if one.failed), "")
        if failed:
            print(f"{peer.name:18}not timed: {failed}")
            continue
        these, base = runs[peer.name], [one for one in runs.get(SWEEP, []) if not one.failed]
        comparable = len(base) == len(these)
        alone = [one.detection for one in these if one.detection is not None]
        print(
            f"{peer.name:18}{median(one.cpu for one in these):>8.2f}{median(one.wall for one in these):>8.2f}"
            f"{max(one.gigabytes for one in these):>6.2f}  "
            f"{spread(ratios(these, base, 'cpu')) if comparable else '–':20}"
            f"{f'{median(alone):.2f}' if alone else '–':>8}  "
            f"{spread(ratios(these, base, 'detection')) if comparable else '–':20}{these[-1].found}",
            flush=True,
        )


def print_stream(runs: dict[str, list[Run]], complaints: int) -> None:
    """The table of those that take complaints as they come: ratios to our ticks of 1,000 and of 1."""
    if not any(name in runs for name in (LIVE, *DENSEALERT_WINDOWS)):
        return
    live = [one.printed for one in runs.get(LIVE, []) if not one.failed]
    for failed in [one.failed for one in runs.get(LIVE, []) if one.failed][:1]:
        print(f"    ticks not timed: {failed}")
    tail = complaints - complaints // 2
    print(f"    as a stream, second half ({tail:,} complaints){'':11}µs CPU  ratio to ticks of 1,000 / of 1")
    ticks = {
        size: median(one["microseconds"][size] for one in live) for size in (live[0]["microseconds"] if live else ())
    }
    for size, value in ticks.items():
        print(f"        {f'ours, ticks of {int(size):,}':47}{value:>12,.1f}")
    if live:
        each, every = (median(one[what] for one in live) for what in ("sweep", "sweeps"))
        print(
            f"        ours, a sweep of the window of {live[0]['window']:,}: {each:.2f} s; an hourly one adds"
            f" {every:,.0f} µs to a complaint at this world's rate"
        )
    for name in DENSEALERT_WINDOWS:
        tails = [one.printed["tail"] / tail * 1e6 for one in runs.get(name, []) if not one.failed]
        if tails:
            value = median(tails)
            beside = " / ".join(f"{value / ticks[size]:.3g}" for size in ("1000", "1") if size in ticks)
            print(f"        {name:47}{value:>12,.1f}  {beside}")


def measure(name: str, chosen: argparse.Namespace, peers: list[Peer]) -> None:
    """All rounds on one world, and its tables."""
    files = world(name, chosen)
    with tempfile.TemporaryDirectory() as temporary:
        prepared, output = Path(temporary) / "prepared", Path(temporary) / "output"
        command = [sys.executable, str(HERE / "peer_runs.py"), "prepare", str(files.folder), str(prepared)]
        if resources_used(command, output, chosen.limit)["code"] != 0:
            raise RuntimeError(
                f"{files.complaints} could not be prepared: {output.with_name('output.err').read_text()}"
            )
        size = last_object(output.read_text())
        print(
            f"== {name}: {size['complaints']:,} complaints by {size['reporters']:,} accounts about"
            f" {size['targets']:,} targets",
            flush=True,
        )
        inputs = Inputs(files, prepared, size["complaints"])
        runs: dict[str, list[Run]] = defaultdict(list)
        for number in range(chosen.rounds):
            for peer in peers if number % 2 == 0 else reversed(peers):
                runs[peer.name].append(run(peer, inputs, chosen.limit))
    print_batch(peers, runs)
    print_stream(runs, size["complaints"])


def main() -> None:
    parser = parser_of(__doc__)
    add_programs(parser)
    parser.add_argument("--rounds", type=int, default=2, help="times that every program runs on each world")
    parser.add_argument("--limit", type=int, default=600, metavar="SECONDS", help="a command is stopped after it")
    parser.add_argument(
        "--names",
        nargs="+",
        default=list(WORLDS),
        choices=[*DEMO_SIZES, *NETWORK_SIZES],
        metavar="NAME",
        help=f"of {', '.join([*DEMO_SIZES, *NETWORK_SIZES])}",
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="programs by the name in the table; default: all")
    add_options(parser)
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.names, chosen.rounds, chosen.limit = [DEMO], 1, 120
    with tempfile.TemporaryDirectory() as built:
        others, missing = published(chosen, Path(built))
        peers = [*ours(), *others, *comparators()]
        if chosen.only:
            peers = [peer for peer in peers if peer.name in chosen.only]
        for sentence in missing:
            print(sentence)
        if not peers:
            print(f"nothing is timed: none of {', '.join(chosen.only)} can be run, or has that name", flush=True)
            sys.exit(NOT_MEASURED)
        print_machine()
        for peer in peers:
            print(f"{peer.name:18}{peer.computes}")
        for name in chosen.names:
            measure(name, chosen, peers)


if __name__ == "__main__":
    main()
