"""Analyse one world with many options: it is read once, each window is swept once, the evaluation's score.py judges.

What an option does not affect is not repeated: outcomes change no sweep, and ablations of the score change no group. So
the sweeps of a world are cached (remembered_sweeps.py), and every option is the service's own `audit` over them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from remembered_sweeps import STEP_SECONDS, Sweeps
from world_files import WorldFiles

import workers
from service.intake.items import COMPLAINT, OUTCOME
from service.model import JsonObject
from service.moderation.outcomes import VerdictTally
from service.moderation.score import judge
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY
from service.storage.complaints.feed import FeedOutcome
from workers.audit import windows
from workers.audit.files import Reading, read_items
from workers.audit.history import Collector, ComplaintHistory
from workers.audit.outcomes import outcomes_by_target
from workers.audit.report import report_of
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.permutation import permuted_within_contexts
from workers.detection.window import Complaints

DETECTING = (  # what decides who is flagged, and how a target's count is discounted
    "workers/detection",
    *(f"workers/audit/{name}.py" for name in ("windows", "history", "records")),
    "workers/group_adapter.py",
    "service/policy.py",
    "service/intake/text_fingerprints.py",
    "service/intake/text_words.py",
    "service/moderation/signals",
    *(
        f"service/moderation/{name}.py"
        for name in (
            "assessment",
            "cluster_continuation",
            "cluster_discounts",
            "cluster_identity",
            "cluster_scoring",
            "cluster_state",
            "outcomes",
            "quota",
            "reconciliation",
            "reputation",
            "score",
            "target_prioritisation",
            "track_record",
            "usual",
        )
    ),
)


def state_of_code() -> str:
    """A name for the code that decides: results of different states must not be mixed."""
    root, digest = Path(workers.__file__).parent.parent, hashlib.sha256()
    for name in DETECTING:
        for path in sorted((root / name).rglob("*.py")) if (root / name).is_dir() else (root / name,):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


@dataclass(frozen=True, slots=True)
class Read:
    """A world in memory."""

    history: ComplaintHistory
    outcomes: Mapping[int, Sequence[FeedOutcome]]
    seconds: float  # CPU of reading

    def without_contexts(self) -> Read:
        """The same world at a platform that sends no context_id."""
        c = self.history.complaints
        return replace(self, history=replace(self.history, complaints=replace(c, context=np.zeros_like(c.context))))


def read(files: WorldFiles) -> Read:
    """Read a world as `audit` does."""
    before, now = time.process_time(), datetime.now(UTC)
    known = [o for o in read_items(files.outcomes, OUTCOME, now, Reading(), lambda _: None)]
    collector = Collector(DEFAULT_POLICY.text_min_words)
    for complaint in read_items(files.complaints, COMPLAINT, now, Reading(), lambda _: None):
        collector.add(complaint)
    history, rows = collector.history()
    return Read(history, outcomes_by_target(known, rows), time.process_time() - before)


def audited(world: Read, sweeps: Sweeps, *, outcomes: bool | Mapping[int, Sequence[FeedOutcome]]) -> JsonObject:
    """The audit's report, with the default policy; `outcomes`: all of the world's, none, or these."""
    known = (world.outcomes if outcomes else {}) if isinstance(outcomes, bool) else outcomes
    clusters = sweeps.audited(world.history, known).clusters
    return report_of(clusters, world.history, DEFAULT_POLICY.version, [])


def windows_of(world: Read, days_apart: int) -> Iterator[Complaints]:
    """The audit's windows so many days apart: of those it sweeps, every so many-th and the last."""
    c = world.history.complaints
    length = DEFAULT_POLICY.window_seconds * 1000
    for end in windows.window_ends(int(c.time_ms[0]), int(c.time_ms[-1]), length, days_apart * STEP_SECONDS * 1000):
        yield world.history.between(
            int(c.time_ms.searchsorted(end - length)), int(c.time_ms.searchsorted(end, "right"))
        )


def flagged_when_shuffled(batch: Complaints, seed: int, *, cleared: bool) -> dict[str, int]:
    """What detection, and burst, would flag in the window with its reporters shuffled within each context.

    A campaign that fills its targets' contexts meets in them after shuffling as well; `cleared` therefore leaves out,
    before it, every account that is flagged in the window as it is.
    """
    if cleared:
        suspects = np.array(
            sorted(frozenset().union(*(g.reporters for g in _flagged(Detector.sweep(DEFAULT_POLICY, batch)[1])))),
            np.int64,
        )
        batch = _rows(batch, ~np.isin(batch.reporter, suspects))
    shuffled = permuted_within_contexts(batch, seed)
    _, groups = Detector.sweep(DEFAULT_POLICY, shuffled)
    flagged = _flagged(groups)
    return {
        "complaints": len(shuffled),
        "candidates": len(groups),
        "clusters": len(flagged),
        "accounts": len(frozenset().union(*(g.reporters for g in flagged))),
        "burst_accounts": _in_bursts(shuffled),
    }


def _flagged(groups: Sequence[Group]) -> list[Group]:
    """Those that would be flagged in a tenant without any verdict."""
    bound = DEFAULT_POLICY.flag_score
    return [
        g
        for g in groups
        if judge(g.evidence, VerdictTally(0, 0, 0), len(g.targets), usual=Usual(), flag_score=bound).disposition
        == "flagged"
    ]


def _rows(c: Complaints, keep: Any) -> Complaints:
    texts = {seq: c.texts[seq] for seq in c.seq[keep].tolist() if seq in c.texts}
    return Complaints(
        c.seq[keep],
        c.time_ms[keep],
        c.reporter[keep],
        c.target[keep],
        c.context[keep],
        c.author[keep],
        c.created_ms[keep],
        c.fingerprint[keep],
        c.exempt[keep],
        texts,
    )


def _in_bursts(batch: Complaints, crowd: int = 10, hour_ms: int = 3_600_000) -> int:
    """Accounts that complained where so many did within an hour."""
    order = np.lexsort((batch.time_ms, batch.target))
    key = np.unique(batch.target, return_inverse=True)[1][order].astype(np.int64) << 42 | (
        batch.time_ms[order] - int(batch.time_ms.min())
    )
    last = np.searchsorted(key, key + hour_ms, "right")
    inside = np.zeros(len(key) + 1, np.int64)
    starts = np.flatnonzero(last - np.arange(len(key)) >= crowd)
    np.add.at(inside, starts, 1)
    np.add.at(inside, last[starts], -1)
    return len(np.unique(batch.reporter[order][np.cumsum(inside)[:-1] > 0]))
