"""Shared traits of one tenant's groups: contents from the archive, base rates from a sample of the window.

The feed carries no contents, so that a window stays narrow; here the few that are needed are read: one complaint
a target of the groups that changed, and one a target of the sample. An archived complaint never changes, so a target is
read once; which complaint of it is read does not matter, as long as a platform describes a target alike each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection

from service.model import Evidence
from service.storage.complaints.archive_reader import contents_of
from workers.detection.arrays import Ints
from workers.detection.groups import Group
from workers.detection.target_traits import UsualTraits, shared_traits_of, traits_of, usual_of
from workers.detection.window import Window

SAMPLE = 5_000  # targets: a share of 1 % is known to +-.3 points, and reading them takes a tenth of a second
OUTGROWN = 2  # a window with so many times the targets needs a new sample before the next sweep


class SharedTraits:
    """The shared traits of one tenant's groups, kept while their targets stay the same."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id = tenant_id
        self._traits: dict[int, frozenset[str]] = {}  # of the sample's and the groups' targets
        self._aims: dict[frozenset[int], tuple[Evidence, ...]] = {}  # by the group's targets
        self._usual: UsualTraits | None = None
        self._targets = 0  # in the window when the sample was drawn

    def refresh(self, connection: Connection, window: Window) -> None:
        """Draw a new sample, and forget what was measured against the last one."""
        live = np.flatnonzero(window.crowd[: len(window.targets)]).astype(np.int64)
        self._targets = len(live)
        # Keys are hashes of ids: the smallest are a random sample, and mostly the same as at the last sweep.
        chosen = live[np.argsort(window.targets.keys[live], kind="stable")[:SAMPLE]]
        owner, events = window.runs(window.by_target, chosen)
        _, first = np.unique(owner, return_index=True)
        sample = self._read(connection, window.targets.keys[window.target[events[first]]], window.seq[events[first]])
        self._traits = {
            t: self._traits[t] for t in {*sample, *(t for targets in self._aims for t in targets)} if t in self._traits
        }
        self._usual = usual_of(Counter(f for t in sample for f in self._traits[t]), len(sample))
        self._aims.clear()

    def aimed(self, connection: Connection, window: Window, groups: Sequence[Group]) -> dict[Group, Group]:
        """Append what a group's targets have in common to its evidence, for each group."""
        if not groups:
            return {}
        if self._usual is None or np.count_nonzero(window.crowd) > OUTGROWN * self._targets:
            self.refresh(connection, window)
        assert self._usual is not None
        new = [g for g in groups if g.targets not in self._aims]
        if new:
            target, seq = np.concatenate([g.target for g in new]), np.concatenate([g.seq for g in new])
            _, first = np.unique(target, return_index=True)
            self._read(connection, target[first], seq[first])
        for group in new:
            self._aims[group.targets] = shared_traits_of(group.targets, self._traits, self._usual)
        return {g: replace(g, evidence=g.evidence + self._aims[g.targets]) for g in groups}

    def _read(self, connection: Connection, targets: Ints, seqs: Ints) -> list[int]:
        """Know the traits of the targets, of which `seqs` are complaints; gives back those that are known now."""
        target_by_seq = {
            seq: target
            for target, seq in zip(targets.tolist(), seqs.tolist(), strict=True)
            if target not in self._traits
        }
        for seq, content in contents_of(connection, self._tenant_id, list(target_by_seq)).items():
            self._traits[target_by_seq[seq]] = traits_of(content["target"])
        return [t for t in targets.tolist() if t in self._traits]
