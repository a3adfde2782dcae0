"""The report in docs/chaos.md: the faults, the recovery times, and the guarantees checked afterwards."""

from __future__ import annotations

import platform
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proofs import Proof

HEAL_SECONDS = 30.0  # the guarantee (docs/chaos.md)
_BEGIN, _END = "<!-- run {} -->", "<!-- end {} -->"


@dataclass
class Run:
    """One run as it is reported."""

    command: str
    database: str
    seed: int
    documents: int
    seconds: float = 0.0
    kills: int = 0
    others: int = 0  # faults that kill nothing
    strikes: Counter[str] = field(default_factory=Counter)
    # seconds from the end of a volley's last fault, and the faults of the volley
    healing: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    proofs: Sequence[Proof] = ()
    missing: Sequence[str] = ()

    def held(self) -> bool:
        """Whether every guarantee held."""
        return any(p.held for p in self.proofs) and all(p.held is not False for p in self.proofs)

    def soon(self) -> bool:
        """Whether each recovery stayed within the limit."""
        return bool(self.healing) and max(s for s, _ in self.healing) <= HEAL_SECONDS

    def text(self) -> str:
        """The report as Markdown."""
        seconds = sorted(s for s, _ in self.healing)
        worst, after = max(self.healing)
        lines = [
            f"### {self.database}, seed {self.seed}",
            "",
            (
                f"`{self.command}` on {platform.system()}, Python {platform.python_version()}: {self.seconds / 60:.1f}"
                f" minutes, {self.documents:,} documents posted, **{self.kills} processes killed** and"
                f" **{self.others} other faults** in {len(self.healing)} volleys."
            ),
            "",
            "| fault | times |",
            "| --- | ---: |",
            *(f"| {name} | {n} |" for name, n in sorted(self.strikes.items())),
            "",
            (
                "Recovery (every process runs; an item sent from then on is acknowledged and analysed, and so is"
                " everything before it) after the end of a volley's last fault: median"
                f" {statistics.median(seconds):.1f} s, p95 {seconds[int(len(seconds) * 0.95)]:.1f} s, longest"
                f" {worst:.1f} s (limit {HEAL_SECONDS:.0f} s; after {', '.join(after)})."
            ),
            "",
            "| guarantee | held | counted |",
            "| --- | --- | --- |",
            *(f"| {p.claim} | {p.verdict} | {p.counted} |" for p in self.proofs),
        ]
        if self.missing:
            lines += ["", "Skipped, since unavailable here: " + "; ".join(self.missing) + "."]
        return "\n".join(lines)


def write(path: Path, run: Run) -> None:
    """Write the run into the document, replacing the previous one on the same database."""
    text, begin, end = path.read_text(), _BEGIN.format(run.database), _END.format(run.database)
    before, found, rest = text.partition(begin)
    if not found:
        raise ValueError(f"{path} has no place for a run on {run.database}: the lines {begin} and {end} are missing")
    path.write_text(f"{before}{begin}\n{run.text()}\n{end}{rest.partition(end)[2]}")
