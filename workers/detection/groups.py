"""A group of one run: reporters that complain together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.model import Evidence, Kind
from workers.detection.arrays import Bools, Events, Ints
from workers.detection.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Reporters that complain together, before outcomes, identity or any person's decision. Keys are the caller's."""

    kind: Kind
    reporters: frozenset[int]
    targets: frozenset[int]
    seq: Ints  # the members' complaints on the targets, in time order, and who, what, when
    reporter: Ints
    target: Ints
    time_ms: Ints
    exempt: Bools
    evidence: tuple[Evidence, ...]  # structural; outcomes are put to it by service.moderation.score.judge
    author_by_target: dict[int, int]  # keys; 0 unknown
    continues: str | None = None  # id of the known cluster whose members returned; it keeps its own evidence


def group_of(
    window: Window,
    kind: Kind,
    who: Ints,
    targets: Ints,
    events: Events,
    evidence: tuple[Evidence, ...],
    *,
    continues: str | None = None,
) -> Group:
    """The members `who` with their complaints `events` on `targets`; all are the window's numbers."""
    events = events[np.lexsort((window.target[events], window.reporter[events], window.time[events]))]
    target_keys = window.targets.keys[targets]
    authors = window.authors.keys[window.author_of[targets]]
    return Group(
        kind,
        frozenset(window.reporters.keys[who].tolist()),
        frozenset(target_keys.tolist()),
        window.seq[events],
        window.reporters.keys[window.reporter[events]],
        window.targets.keys[window.target[events]],
        window.time[events] + window.origin,
        window.exempt[events],
        evidence,
        dict(zip(target_keys.tolist(), authors.tolist(), strict=True)),
        continues,
    )
