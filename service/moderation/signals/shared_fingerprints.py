"""Shared fingerprints: how many members share a device or network that few others use? PURE.

A school, an office or a mobile carrier has many accounts behind one address, so only rarely used ones count.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from service.moderation.signals.chance import share_of
from service.moderation.signals.counting_again import recounted
from service.moderation.signals.devices import device_signal
from service.moderation.signals.fresh_accounts import first_of_each
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, Ints, Measurement


def rare_fingerprints(view: GroupView) -> Ints:
    """Fingerprints that two members or more share, and that few others use (the policy's `rare_fingerprint_outside`
    and `rare_fingerprint_users`).
    """
    prints, count = np.unique(view.fingerprint[first_of_each(view.reporter)], return_counts=True)
    shared = (count >= 2) & (prints != 0)
    rare = [
        fingerprint
        for fingerprint, members in zip(prints[shared].tolist(), count[shared].tolist(), strict=True)
        if (users := view.users_of(fingerprint)) <= view.policy.rare_fingerprint_users
        and users - members <= view.policy.rare_fingerprint_outside
    ]
    return np.array(rare, np.int64)


def measure(view: GroupView) -> Measurement:
    """Members whose first complaint here came from a rare shared fingerprint."""
    first = first_of_each(view.reporter)
    sharing = int(np.isin(view.fingerprint[first], rare_fingerprints(view)).sum())
    return share_of(sharing, len(first), view.usual_sharing, view.usual_sharing)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return (
        f"{measured.count} of {measured.total} accounts share a device or network with another member that few others"
        " use."
    )


def _count(group: CountedAgain) -> tuple[int, int]:
    first = group.first_complaints()
    count = Counter(c.fingerprint for c in first if c.fingerprint is not None)
    return sum(count[c.fingerprint] >= 2 for c in first if c.fingerprint is not None), len(first)


SIGNAL = device_signal(
    name="shared_fingerprints",
    title="Shared devices or networks",
    measure=measure,
    sentence=_sentence,
    noticed="share a device or network that few others use",
    count_again=recounted(_count, lambda stored: stored.usual),
)
