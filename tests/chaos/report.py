"""docs/chaos.md: what was done to it, how long it took to heal, and what was proved afterwards."""

from __future__ import annotations

import platform
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proofs import Proof

HEAL_SECONDS = 30.0  # the promise (docs/chaos.md)
_BEGIN, _END = "<!-- run {} -->", "<!-- end {} -->"


@dataclass
class Run:
    """One run as it is told."""

    command: str
    database: str
    seed: int
    documents: int
    seconds: float = 0.0
    kills: int = 0
    strikes: Counter[str] = field(default_factory=Counter)
    # seconds after the last fault of a volley was over, and its faults
    healing: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    proofs: Sequence[Proof] = ()
    missing: Sequence[str] = ()

    def held(self) -> bool:
        """Whether everything that has to hold did."""
        return bool(self.proofs) and all(p.held for p in self.proofs)

    def soon(self) -> bool:
        """Whether it healed within the bar each time."""
        return bool(self.healing) and max(s for s, _ in self.healing) <= HEAL_SECONDS

    def text(self) -> str:
        """As Markdown."""
        seconds = sorted(s for s, _ in self.healing)
        worst, after = max(self.healing)
        lines = [
            f"### {self.database}, seed {self.seed}",
            "",
            (
                f"`{self.command}` on {platform.system()}, Python {platform.python_version()}: {self.seconds / 60:.1f}"
                f" minutes, {self.documents:,} documents posted, **{self.kills} processes killed** in"
                f" {len(self.healing)} volleys."
            ),
            "",
            "| fault | times |",
            "| --- | ---: |",
            *(f"| {name} | {n} |" for name, n in sorted(self.strikes.items())),
            "",
            (
                "Healed (every process runs; an item that is sent from then on is acknowledged and analysed, and with"
                " it everything before it) after the last fault of a volley was over: median"
                f" {statistics.median(seconds):.1f} s, p95 {seconds[int(len(seconds) * 0.95)]:.1f} s, longest"
                f" {worst:.1f} s (bar {HEAL_SECONDS:.0f} s; after {', '.join(after)})."
            ),
            "",
            "| claim | held | counted |",
            "| --- | --- | --- |",
            *(f"| {p.claim} | {'yes' if p.held else '**no**'} | {p.counted} |" for p in self.proofs),
        ]
        if self.missing:
            lines += ["", "Not done here: " + "; ".join(self.missing) + "."]
        return "\n".join(lines)


def write(path: Path, run: Run) -> None:
    """Put the run into the document, in place of the last one on the same database."""
    text, begin, end = path.read_text(), _BEGIN.format(run.database), _END.format(run.database)
    before, found, rest = text.partition(begin)
    if not found:
        raise ValueError(f"{path} has no place for a run on {run.database}: the lines {begin} and {end}")
    path.write_text(f"{before}{begin}\n{run.text()}\n{end}{rest.partition(end)[2]}")
