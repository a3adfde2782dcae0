"""Crowds on one target: disposable accounts that complain once never meet a second time, so pairs cannot reveal them.

Slices of n >= 8 complaints on one target within 15 min, 1 h or 6 h. Fisher's combination of the three device tests
(fresh accounts, rare shared fingerprints, near-duplicate texts), or the strongest of them, times the number of slices;
and one of the three has to show in at least .35 of the slice. A link shared elsewhere brings new accounts too: those
that were registered just before do not count, and the rest is tested against .25 at least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from service.model import Evidence
from service.moderation.signals import burst, fresh_accounts, near_duplicate_texts, shared_fingerprints
from service.moderation.signals import slice as slice_signal
from service.moderation.signals.registry import evidence_of
from service.moderation.signals.shared_fingerprints import rare_fingerprints
from service.moderation.signals.signal import GroupFacts, Measurement
from service.policy import Policy
from workers.detection.arrays import Bools, Events, Ints
from workers.detection.group_view import WindowView, near_duplicates
from workers.detection.sorted_index import AT_ONCE, portions
from workers.detection.surroundings import Surroundings, shared_on_target
from workers.detection.window import TIME_BITS, UNKNOWN_MS, Window

MINIMUM = 8  # complaints in a slice
SPANS_MS = (900_000, 3_600_000, 21_600_000)
CARRIERS = 5  # accounts that carry the evidence
SHARE = 0.35  # of the slice that shows the strongest sign
WORTH = 0.3  # of the slice that shows a sign, counted cheaply: fewer are not looked at
ALPHA = 1e-3


AGED_SHARE = 0.5  # of the carriers: so many more without a sign may belong to a bought crowd
HONEST_SHARE = 0.2  # of those who came in the carriers' midst that the target's own readers may explain


@dataclass(frozen=True, slots=True)
class Slice:
    """A coordinated crowd on one target."""

    target: int
    carriers: Ints  # reporters that carry the evidence, and those who came in their midst
    events: Events  # their complaints
    p_value: float  # Bonferroni-corrected
    fresh: Measurement
    fingerprint: Measurement
    duplicate: Measurement
    complaints: int  # in the slice


def hot_slices(window: Window, targets: Ints, policy: Policy) -> list[tuple[int, Events]]:
    """The fullest slice of each target and span, where it holds enough and shows any of the three signs: (target,
    events).
    """
    owner, events = window.runs(window.by_target, targets)
    if not len(events):
        return []
    time, created, prints = window.time[events], window.created[events], window.fingerprint[events]
    key = owner.astype(np.int64) << TIME_BITS | time
    start = np.searchsorted(owner, np.arange(len(targets)))
    # Signs are counted by running sums, so that a crowd without any costs nothing more: most are.
    young = (created != UNKNOWN_MS) & (time - created < policy.fresh_account_seconds * 1000)
    signs = [
        np.concatenate([[0], np.cumsum(sign)])
        for sign in (young, window.texted[events], shared_on_target(owner, prints))
    ]
    found: list[tuple[int, Events]] = []
    for span in SPANS_MS:
        count = np.searchsorted(key, key + span, "right") - np.arange(len(key))
        fullest = np.maximum.reduceat(count, start)
        at = np.flatnonzero(count == fullest[owner])
        at = at[np.unique(owner[at], return_index=True)[1]]  # the first of them
        size = count[at]
        most = np.max([running[at + size] - running[at] for running in signs], axis=0)
        for place in np.flatnonzero((size >= MINIMUM) & (most >= WORTH * size)).tolist():
            found.append((int(targets[owner[at[place]]]), events[at[place] : at[place] + size[place]]))
    return found


def one_shots(
    window: Window, targets: Ints, surroundings: Surroundings, slices_in_all: int, policy: Policy
) -> list[Slice]:
    """The targets' crowds that pass, at most one a target (the smallest p)."""
    best: dict[int, Slice] = {}
    for part in portions(window.crowd[targets], AT_ONCE):
        for target, events in hot_slices(window, targets[part], policy):
            found = _test(window, target, events, surroundings, slices_in_all, policy)
            if found is not None and (target not in best or found.p_value < best[target].p_value):
                best[target] = found
    return list(best.values())


def _test(
    window: Window, target: int, events: Events, surroundings: Surroundings, slices_in_all: int, policy: Policy
) -> Slice | None:
    view = view_of_slice(window, target, events, surroundings, policy)
    fresh, fingerprint, duplicate = signs = signs_of(view)
    p_values = [max(s.p_value if s.p_value is not None else 1.0, 1e-30) for s in signs]
    # Fisher for signs that agree, the smallest of three for one that speaks alone; the better of the two, paid for.
    together = 2 * min(float(chdtrc(2 * len(signs), -2 * np.log(p_values).sum())), len(signs) * min(p_values))
    p_value = min(1.0, together * max(slices_in_all, 1))
    if p_value >= ALPHA or max(s.value for s in signs) < SHARE:
        return None
    carrying = carrying_a_sign(view, with_texts=duplicate.value >= SHARE)
    if len(np.unique(window.reporter[events[carrying]])) < CARRIERS:
        return None
    beside = ~carrying & _in_their_midst(window, target, events, carrying)
    mine = events[carrying | beside]
    carriers = np.unique(window.reporter[mine]).astype(np.int64)
    return Slice(target, carriers, mine, p_value, fresh, fingerprint, duplicate, len(events))


def view_of_slice(
    window: Window, target: int, events: Events, surroundings: Surroundings, policy: Policy
) -> WindowView:
    """Everybody in a slice of complaints on one target, for the signals to look at."""
    reporters = np.unique(window.reporter[events]).astype(np.int64)
    return WindowView(window, reporters, np.array([target], np.int64), events, policy, surroundings)


def signs_of(view: WindowView) -> tuple[Measurement, Measurement, Measurement]:
    """Fresh accounts that waited, rare shared fingerprints and near-duplicate texts."""
    return fresh_accounts.measure_prepared(view), shared_fingerprints.measure(view), near_duplicate_texts.measure(view)


def carrying_a_sign(view: WindowView, *, with_texts: bool) -> Bools:
    """Which complaints show a sign: a fresh account, a rare shared fingerprint or (`with_texts`) a copied text."""
    created = view.created_ms
    age, limit = view.time_ms - created, view.policy.fresh_account_seconds * 1000
    carrying = (created != UNKNOWN_MS) & fresh_accounts.is_prepared(age, limit)
    carrying |= np.isin(view.fingerprint, rare_fingerprints(view))
    if with_texts:
        copied = near_duplicates(view.longer_texts, view.policy.text_jaccard)
        carrying[np.array(view.with_longer_text, np.int64)[copied]] = True
    return np.asarray(carrying)


def slice_evidence(window: Window, found: Slice, surroundings: Surroundings, policy: Policy) -> tuple[Evidence, ...]:
    """The evidence of a crowd: its signs over the whole slice, the burst of its own complaints."""
    crowd = view_of_slice(window, found.target, found.events, surroundings, policy)
    return evidence_of(
        {
            slice_signal.SIGNAL.name: slice_signal.measurement(found.p_value, len(found.carriers), found.complaints),
            fresh_accounts.SIGNAL.name: found.fresh,
            shared_fingerprints.SIGNAL.name: found.fingerprint,
            near_duplicate_texts.SIGNAL.name: found.duplicate,
            burst.SIGNAL.name: burst.measure(crowd),
        },
        GroupFacts("one_shot", len(found.carriers), 1, "none"),
        policy.weights,
    )


def _in_their_midst(window: Window, target: int, events: Events, carrying: Bools) -> Bools:
    """Complaints between the first and the last carrier, where the target's own readers do not explain them.

    Part of every bought crowd is aged. Readers are expected at the rate of the target's other complaints (one more,
    over a day at least); where they would be more than HONEST_SHARE of those in the midst, nobody is taken along. Nor
    where those would be more than AGED_SHARE of the carriers: a target may draw most of its readers in one evening,
    which its average rate does not show.
    """
    times = window.time[events]
    low, high = times[carrying].min(), times[carrying].max()
    midst = (times >= low) & (times <= high)
    if (midst & ~carrying).sum() > AGED_SHARE * carrying.sum():
        return np.zeros(len(events), bool)
    _, everyone = window.runs(window.by_target, np.array([target], np.int64))
    all_times = window.time[everyone]
    outside = int(((all_times < low) | (all_times > high)).sum())
    hours = max(24.0, float(all_times.max() - all_times.min()) / 3_600_000)
    expected = (outside + 1) / hours * float(high - low) / 3_600_000
    return midst if expected <= HONEST_SHARE * max(int((midst & ~carrying).sum()), 1) else np.zeros(len(events), bool)
