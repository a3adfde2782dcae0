"""Shared fingerprints: how many members share a device or network that few others use? PURE.

An office or a mobile carrier has many accounts behind one address, so only rarely used ones count.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from service.model import Evidence
from service.moderation.phrases import percent
from service.moderation.signals.chance import device_contribution, surprise, tail
from service.moderation.signals.counting_again import recounted
from service.moderation.signals.fresh_accounts import first_of_each
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, Ints, MeasuredSignal, Measurement

USUAL_SHARE = 0.05  # of accounts


def rare_fingerprints(view: GroupView) -> Ints:
    """Fingerprints that two members or more share and few others use (the policy's `rare_fingerprint_outside`)."""
    prints, count = np.unique(view.fingerprint[first_of_each(view.reporter)], return_counts=True)
    shared = (count >= 2) & (prints != 0)
    rare = [
        fingerprint
        for fingerprint, members in zip(prints[shared].tolist(), count[shared].tolist(), strict=True)
        if view.users_of(fingerprint) - members <= view.policy.rare_fingerprint_outside
    ]
    return np.array(rare, np.int64)


def measure(view: GroupView) -> Measurement:
    """Members whose first complaint here came from a rare shared fingerprint."""
    first = first_of_each(view.reporter)
    sharing, total = int(np.isin(view.fingerprint[first], rare_fingerprints(view)).sum()), len(first)
    return Measurement(sharing / max(total, 1), USUAL_SHARE, tail(sharing, total, USUAL_SHARE), sharing, total)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return (
        f"{measured.count} of {measured.total} accounts share a device or network with another member that few others"
        " use."
    )


def _clause(evidence: Evidence, targets: int) -> str | None:
    noticed = surprise(evidence.p_value) > 0
    return f"{percent(evidence.value)} share a device or network that few others use" if noticed else None


def _count(group: CountedAgain) -> tuple[int, int]:
    first = group.first_complaints()
    count = Counter(c.fingerprint for c in first if c.fingerprint is not None)
    return sum(count[c.fingerprint] >= 2 for c in first if c.fingerprint is not None), len(first)


SIGNAL = MeasuredSignal(
    name="shared_fingerprints",
    title="Shared devices or networks",
    question="unfounded",
    unit="share",
    measure=measure,
    contribution=lambda measured, targets, weights: device_contribution(measured.p_value),
    sentence=_sentence,
    clause=_clause,
    count_again=recounted(_count, lambda stored: USUAL_SHARE),
)
