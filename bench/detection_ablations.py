"""Ablations: what each part of detection contributes, by removing it. Only here; the service has no switch for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
from detection_runs import Read, audited
from remembered_sweeps import Sweeps
from scipy.stats import chi2

from service.model import Evidence, JsonObject
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY, Policy
from workers.audit import windows
from workers.detection import detector as detector_module
from workers.detection import growth, one_shot, seed_growth
from workers.detection.arrays import Events, Ints
from workers.detection.groups import Group
from workers.detection.growth import MemberSet
from workers.detection.one_shot import ALPHA, CARRIERS, SHARE, Slice
from workers.detection.surroundings import Surroundings
from workers.detection.window import Window


def _without_weak(*_: Any) -> tuple[list[MemberSet], list[MemberSet]]:
    return [], []


def _all_shared(window: Window, members: Ints, share: float) -> Ints:
    """growth.targets_of without its filter: targets that enough members share, chance or not."""
    _, events = window.runs(window.by_pair, members)
    targets, count = np.unique(window.target[events], return_counts=True)
    return np.asarray(targets[count >= max(2, share * len(members))], np.int64)


_grow = growth.grow


def _unguarded(window: Window, seed: MemberSet, seeds: Ints, affinity: growth.Affinity, policy: Policy) -> MemberSet:
    return _grow(window, seed, seeds[:0], affinity, policy)


def _fisher_alone(
    window: Window, target: int, events: Events, surroundings: Surroundings, slices_in_all: int, policy: Policy
) -> Slice | None:
    """one_shot._test where only all three signs together may speak."""
    view = one_shot.view_of_slice(window, target, events, surroundings, policy)
    fresh, fingerprint, duplicate = signs = one_shot.signs_of(view)
    p_values = [max(s.p_value if s.p_value is not None else 1.0, 1e-30) for s in signs]
    p_value = min(1.0, float(chi2.sf(-2 * np.log(p_values).sum(), 2 * len(signs))) * max(slices_in_all, 1))
    if p_value >= ALPHA or max(s.value for s in signs) < SHARE:
        return None
    carrying = one_shot.carrying_a_sign(view, with_texts=duplicate.value >= SHARE)
    if len(np.unique(window.reporter[events[carrying]])) < CARRIERS:
        return None
    mine = events[carrying | (~carrying & one_shot._in_their_midst(window, target, events, carrying))]
    return Slice(
        target,
        np.unique(window.reporter[mine]).astype(np.int64),
        mine,
        p_value,
        fresh,
        fingerprint,
        duplicate,
        len(events),
    )


@contextmanager
def _patched(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    patches = [mock.patch.object(*change) for change in changes]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


_ANY_TARGET = (growth, "targets_of", _all_shared)
# Each changes the groups, so the windows are swept again.
SWEPT: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "weak tier": ((seed_growth, "weak_seeds", _without_weak),),
    "growth guard": ((growth, "grow", _unguarded),),
    "author leads": ((detector_module, "author_groups", lambda window: []),),
    "crossing leads": (
        (detector_module, "crossing_pairs", lambda window, limit: (np.empty(0, np.int64), np.empty(0))),
    ),
    "crowd leads": ((detector_module, "shared_crowds", lambda window: []),),
    "twins": ((detector_module, "twin_pairs", lambda window, limit: np.empty(0, np.int64)),),
    "chance-target filter (growth)": (_ANY_TARGET,),
    "targets measured on": ((growth, "measured_targets", growth.targets_of),),
    "either of these two": (_ANY_TARGET, (growth, "measured_targets", _all_shared)),
    "one sign alone (Tippett)": ((one_shot, "_test", _fisher_alone),),
}


def _without_one_shots(group: Group) -> Group | None:
    return None if group.kind == "one_shot" else group


def _spanless(group: Group) -> Group:
    """As if every member followed the group everywhere: the signal says the same of all groups, its weight is in the
    base.
    """
    return replace(group, evidence=tuple(_full(e) if e.signal == "span" else e for e in group.evidence))


def _full(span: Evidence) -> Evidence:
    return span.model_copy(update={"value": 1.0, "contribution": DEFAULT_POLICY.weights.span})


def _paceless(group: Group) -> Group:
    """As if the members were as far apart as everybody's complaints."""
    as_usual = {"contribution": 0.0}
    return replace(
        group, evidence=tuple(e.model_copy(update=as_usual) if e.signal == "pace" else e for e in group.evidence)
    )


# These change what is made of the groups; the sweeps stand.
REPLAYED: dict[str, Callable[[Group], Group | None]] = {
    "one-shot tier": _without_one_shots,
    "context span in the score": _spanless,
    "pace in the score": _paceless,
}


class _NoRecords:
    """In place of workers.audit.records.Records: nobody has a record."""

    def __init__(self, *_: Any) -> None:
        pass

    def recorded(self, group: Group, *_: Any) -> Group:
        return group


# These change what is known beside the groups; the sweeps stand.
BESIDE: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "members' records": ((windows, "Records", _NoRecords),),
    "what is usual in the tenant": ((windows, "usual_of", lambda *_: Usual()),),
}
ABLATIONS = (*REPLAYED, *BESIDE, *SWEPT)


def ablated(world: Read, sweeps: Sweeps, name: str) -> tuple[JsonObject, JsonObject]:
    """The reports without the named part, outcomes known and unknown; KeyError for a name that is not in ABLATIONS."""
    if name in REPLAYED:
        changed = sweeps.changed(REPLAYED[name])
        return audited(world, changed, outcomes=True), audited(world, changed, outcomes=False)
    with _patched(*(BESIDE.get(name) or SWEPT[name])):
        own = sweeps if name in BESIDE else Sweeps()
        return audited(world, own, outcomes=True), audited(world, own, outcomes=False)
