"""The common vocabulary: what was asked of a generator, and what a world is.

A world is a platform's complaints, its decisions, and the truth that neither the platform nor a detector knows.
Times inside the generators are seconds since `START`; documents carry RFC 3339 times.

Files of a world, in one folder:

complaints.ndjson.gz
    One complaint a line, in the service's own format, in order of time.
outcomes.ndjson.gz
    One decision a line, in order of time. Empty when outcomes are unknown.
truth.json
    `format`, `generator`, `seed`, `asked` (complaints), `organic`, `outcomes`, `days`, `threshold`, and
    `kind_by_account`  every account that complained: "organic", an honest kind, or the name of a campaign;
    `campaigns`        by name: its `kind`, its `members` and its `targets`;
    `breaks_rules`     by target: whether it truly breaks the rules, which a decision may have missed;
    `honest_removals`  targets that reach `threshold` with complaints of accounts outside every campaign.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT = "brigadewatch.world/1"
START = datetime(2021, 11, 29, tzinfo=UTC)  # a Monday
DAYS = 28
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
END = DAYS * DAY
THRESHOLD = 8  # complaints at which a count alone would remove a target
SMALLEST, LARGEST = 500, 50_000  # complaints a generator may be asked for
ORGANIC = "organic"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a generator is asked for.

    `crowds` and `campaigns` name the honest kinds and the campaigns that must be there; None leaves the choice to the
    generator, which takes as many as a community of that size would have. `organic` excludes every campaign.
    """

    seed: int
    size: int = 6_000  # complaints
    outcomes: bool = True
    organic: bool = False
    crowds: tuple[str, ...] | None = None
    campaigns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not SMALLEST <= self.size <= LARGEST:
            raise ValueError(f"size is {self.size}; choose from {SMALLEST} to {LARGEST} complaints")
        if self.organic and self.campaigns:
            raise ValueError(f"an organic world has no campaigns, but {', '.join(self.campaigns)} were named")


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it happened: only accounts that complained for it, only targets that they complained about."""

    kind: str
    members: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What only the maker of the world knows; see the module's docstring for each part."""

    kind_by_account: dict[str, str]
    campaigns: dict[str, Campaign]
    breaks_rules: dict[str, bool]
    honest_removals: frozenset[str]

    def campaign_members(self) -> frozenset[str]:
        """The accounts of all campaigns."""
        return frozenset(member for campaign in self.campaigns.values() for member in campaign.members)


@dataclass(frozen=True, slots=True)
class World:
    """Documents in the service's formats, and the truth about them."""

    generator: str
    wanted: Wanted
    complaints: list[JsonObject]  # by occurred_at
    outcomes: list[JsonObject]  # by decided_at; empty when unknown
    truth: Truth

    def write(self, folder: Path) -> None:
        """Write the three files of the module's docstring into `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        _write_lines(folder / "complaints.ndjson.gz", self.complaints)
        _write_lines(folder / "outcomes.ndjson.gz", self.outcomes)
        truth = {
            "format": FORMAT,
            "generator": self.generator,
            "seed": self.wanted.seed,
            "asked": self.wanted.size,
            "organic": self.wanted.organic,
            "outcomes": self.wanted.outcomes,
            "days": DAYS,
            "threshold": THRESHOLD,
            "kind_by_account": self.truth.kind_by_account,
            "campaigns": {
                name: {"kind": c.kind, "members": c.members, "targets": c.targets}
                for name, c in self.truth.campaigns.items()
            },
            "breaks_rules": self.truth.breaks_rules,
            "honest_removals": sorted(self.truth.honest_removals),
        }
        (folder / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_world(folder: Path) -> World:
    """The world that `World.write` wrote. Raises ValueError for a folder with another format."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    if truth.get("format") != FORMAT:
        raise ValueError(f"{folder / 'truth.json'} has the format {truth.get('format')!r}; {FORMAT!r} is needed")
    campaigns = {
        name: Campaign(c["kind"], tuple(c["members"]), tuple(c["targets"])) for name, c in truth["campaigns"].items()
    }
    return World(
        truth["generator"],
        Wanted(truth["seed"], truth["asked"], truth["outcomes"], truth["organic"]),
        read_lines(folder / "complaints.ndjson.gz"),
        read_lines(folder / "outcomes.ndjson.gz"),
        Truth(truth["kind_by_account"], campaigns, truth["breaks_rules"], frozenset(truth["honest_removals"])),
    )


def read_lines(path: Path) -> list[JsonObject]:
    """The documents of a gzipped NDJSON file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def stamp(seconds: float) -> str:
    """Seconds since `START` as an RFC 3339 time in milliseconds."""
    at = START + timedelta(milliseconds=round(seconds * 1000))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(time: str) -> float:
    """An RFC 3339 time as seconds since `START`."""
    return (datetime.fromisoformat(time) - START).total_seconds()


def honest_counts(complaints: Iterable[JsonObject], members: frozenset[str]) -> dict[str, int]:
    """Complaints a target by accounts that are not in `members`."""
    counts: dict[str, int] = {}
    for complaint in complaints:
        target = complaint["target"]["id"]
        counts[target] = counts.get(target, 0) + (complaint["reporter"]["id"] not in members)
    return counts


def _write_lines(path: Path, documents: Sequence[JsonObject]) -> None:
    lines = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in documents)
    # No name and no time in the gzip header: the same world gives the same bytes.
    path.write_bytes(gzip.compress("".join(lines).encode(), 6, mtime=0))
