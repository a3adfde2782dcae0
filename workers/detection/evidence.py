"""What speaks for a group being one hand, beside its pairs: each signal with its value, what is usual, and p."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import poisson

from service.intake.text_fingerprints import slots_alike, slots_of, word_count
from service.moderation.score import FEWEST_TEXTS, TEXTS_COMPARED, USUAL_SHARE, fresh_chance, tail
from service.policy import Policy
from workers.detection.arrays import Bools, Events, Ints
from workers.detection.surprise import span
from workers.detection.window import UNKNOWN_MS, Window

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured signal: `value` against `usual`, with the p of so much by chance (None: no test fits)."""

    value: float
    usual: float
    p_value: float | None
    count: int = 0  # how many of `total` show it
    total: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """All signals of one group."""

    lockstep: float  # share of the other members beside one on a target of the group, mean
    devotion: float  # share of the members' complaints that go to the group's targets
    surprise: float  # mean -log10 p of the validated pairs inside
    fresh: Signal
    fingerprint: Signal
    duplicate: Signal
    author: Signal  # share of the targets that one author wrote
    burst: Signal  # distinct members in the densest hour
    group: float  # group_surprise a member, clipped to [-1, 4]
    span: float  # share of the members whose complaints here lie in two contexts or more
    contexts: str  # "told", "inferred" or "none": what the negative control had to look at


def measure(
    window: Window,
    members: Ints,
    targets: Ints,
    surprise: float,
    group: float,
    contexts: str,
    usual_fresh: float,
    policy: Policy,
) -> Measured:
    """Measure every signal of the members on the targets; `usual_fresh` is fresh_share() of the window."""
    _, events = window.runs(window.by_pair, members)
    aimed = np.isin(window.target[events], targets)
    on_target = events[aimed]
    on_target = on_target[np.lexsort((window.reporter[on_target], window.time[on_target]))]
    lockstep = (len(on_target) / len(targets) - 1) / max(len(members) - 1, 1)
    fresh, fingerprint, duplicate = devices(window, on_target, usual_fresh, policy)
    return Measured(
        lockstep=lockstep,
        devotion=len(on_target) / max(len(events), 1),
        surprise=surprise,
        fresh=fresh,
        fingerprint=fingerprint,
        duplicate=duplicate,
        author=_author(window, targets),
        burst=burst(window, members, targets, on_target),
        group=group,
        span=span(window, members, targets),
        contexts=contexts,
    )


def devices(window: Window, events: Events, usual_fresh: float, policy: Policy) -> tuple[Signal, Signal, Signal]:
    """Fresh accounts, rare shared fingerprints and near-duplicate texts among the complaints (in time order)."""
    return (
        _fresh(window, events, usual_fresh, policy),
        _fingerprint(window, events, policy),
        _duplicate(window, events, policy),
    )


def carriers(window: Window, events: Events, with_texts: bool, policy: Policy) -> Bools:
    """Which complaints carry one of the three signs: a fresh account, a rare shared fingerprint or (if asked) a copied
    text.
    """
    created = window.created[events]
    carrying = (created != UNKNOWN_MS) & (window.time[events] - created < policy.fresh_account_seconds * 1000)
    carrying |= np.isin(window.fingerprint[events], _rare_prints(window, events, policy))
    if with_texts:
        texted = [
            k
            for k, e in enumerate(events.tolist())
            if e in window.text and word_count(window.text[e]) >= policy.text_min_words
        ]
        copied = near_duplicates([window.text[int(events[k])] for k in texted], policy.text_jaccard)
        carrying[np.array(texted, np.int64)[copied]] = True
    return np.asarray(carrying)


def _first_of_each(window: Window, events: Events) -> Events:
    """Each member's first complaint (events come in time order)."""
    _, first = np.unique(window.reporter[events], return_index=True)
    return events[first]


def _fresh(window: Window, events: Events, usual: float, policy: Policy) -> Signal:
    first = _first_of_each(window, events)
    first = first[window.created[first] != UNKNOWN_MS]
    limit = policy.fresh_account_seconds * 1000
    young = int((window.time[first] - window.created[first] < limit).sum())
    return Signal(young / max(len(first), 1), usual, tail(young, len(first), fresh_chance(usual)), young, len(first))


def fresh_share(window: Window, limit_ms: int) -> float:
    """Share of the window's complaints by accounts younger than `limit_ms`, among those whose age is known."""
    rows = slice(0, window.size)
    known = ~window.gone[rows] & (window.created[rows] != UNKNOWN_MS)
    total = int(known.sum())
    return float((known & (window.time[rows] - window.created[rows] < limit_ms)).sum() / total) if total else 0.0


def _fingerprint(window: Window, events: Events, policy: Policy) -> Signal:
    first = _first_of_each(window, events)
    rare = int(np.isin(window.fingerprint[first], _rare_prints(window, events, policy)).sum())
    return Signal(rare / max(len(first), 1), USUAL_SHARE, tail(rare, len(first), USUAL_SHARE), rare, len(first))


def _rare_prints(window: Window, events: Events, policy: Policy) -> Ints:
    """Fingerprints that several of the complaints' reporters share and few others use.

    An office or a carrier has many accounts behind one address; a group that shares a rare one does not.
    """
    prints, count = np.unique(window.fingerprint[_first_of_each(window, events)], return_counts=True)
    shared = (count >= 2) & (prints != 0)
    rare = []
    rows = slice(0, window.size)
    for mark, members in zip(prints[shared].tolist(), count[shared].tolist(), strict=True):
        users = np.unique(window.reporter[rows][(window.fingerprint[rows] == mark) & ~window.gone[rows]])
        if len(users) - members <= policy.rare_fingerprint_outside:
            rare.append(mark)
    return np.array(rare, np.int64)


def _duplicate(window: Window, events: Events, policy: Policy) -> Signal:
    texts = [window.text[e] for e in events.tolist() if e in window.text]
    texts = [text for text in texts if word_count(text) >= policy.text_min_words][:TEXTS_COMPARED]
    if len(texts) < FEWEST_TEXTS:
        return Signal(0.0, USUAL_SHARE, None, 0, len(texts))
    copied = near_duplicates(texts, policy.text_jaccard)
    n = int(copied.sum())
    return Signal(n / len(texts), USUAL_SHARE, tail(n, len(texts), USUAL_SHARE), n, len(texts))


def near_duplicates(texts: list[bytes], jaccard: float) -> Bools:
    """Which of the texts (as signatures) have another at least so similar."""
    copied = np.zeros(len(texts), bool)
    slots, enough = slots_of(texts), slots_alike(jaccard)
    for i in range(1, len(texts)):
        alike = np.count_nonzero(slots[:i] == slots[i], axis=1) >= enough
        if alike.any():
            copied[:i] |= alike
            copied[i] = True
    return copied


def _author(window: Window, targets: Ints) -> Signal:
    authors = window.authors.keys[window.author_of[targets]]
    _, count = np.unique(authors[authors != 0], return_counts=True)
    most = int(count.max(initial=0))
    return Signal(most / len(targets), 0.5, None, most, len(targets))


def burst(window: Window, members: Ints, targets: Ints, on_target: Events) -> Signal:
    """Distinct members in the densest hour against what these targets draw from everybody else.

    The rate is that of other people's complaints on the same targets (one more, so that silence is not certainty)
    over the hours in which they drew any; the tail is multiplied by the number of hours looked at.
    """
    time, who = window.time[on_target], window.reporter[on_target]
    until = np.searchsorted(time, time + HOUR_MS)
    most = max((len(np.unique(who[k : until[k]])) for k in _crowded(until)), default=0)
    _, everyone = window.runs(window.by_target, targets)
    others = int((~np.isin(window.reporter[everyone], members)).sum())
    span = window.time[everyone]
    hours = max(1.0, float(span.max() - span.min()) / HOUR_MS)
    expected = (others + 1) / hours
    return Signal(float(most), expected, float(min(1.0, poisson.sf(most - 1, expected) * hours)), most, len(members))


def _crowded(until: Ints) -> list[int]:
    """Start positions worth counting: an hour that ends where the previous one did holds nothing new."""
    if not len(until):
        return []
    ends = until.tolist()
    return [0, *(k for k, (a, b) in enumerate(pairwise(ends), 1) if b > a)]
