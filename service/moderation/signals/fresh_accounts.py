"""Fresh accounts: how many members were new at their first complaint here? PURE."""

from __future__ import annotations

import numpy as np

from service.moderation.signals.chance import share_of
from service.moderation.signals.counting_again import recounted
from service.moderation.signals.devices import device_signal
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, Ints, Measurement

UNKNOWN_MS = np.iinfo(np.int64).min
LEAST_CHANCE = 0.25  # spares a target whose link was shared elsewhere, which draws new accounts


def chance(usual: float) -> float:
    """The share of fresh accounts to expect by chance, where `usual` of all complaints come from fresh accounts."""
    return min(1.0, max(LEAST_CHANCE, 3 * usual))


def first_of_each(reporter: Ints) -> Ints:
    """Positions of each reporter's first complaint in a column in time order."""
    _, first = np.unique(reporter, return_index=True)
    return first


def measure(view: GroupView) -> Measurement:
    """Members whose account was younger than the policy's bound; accounts of unknown age are left out."""
    first = first_of_each(view.reporter)
    first = first[view.created_ms[first] != UNKNOWN_MS]
    limit = view.policy.fresh_account_seconds * 1000
    young = int((view.time_ms[first] - view.created_ms[first] < limit).sum())
    return share_of(young, len(first), view.usual_fresh, chance(view.usual_fresh))


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    if not measured.total:
        return "The age of the accounts is not known."
    when = "their first complaint here" if facts.kind == "repeat" else "their complaint"
    return f"{measured.count} of {measured.total} accounts were less than 14 days old at {when}."


def _count(group: CountedAgain) -> tuple[int, int]:
    ages = [c.time_us - c.created_us for c in group.first_complaints() if c.created_us is not None]
    return sum(age < group.policy.fresh_account_seconds * 1_000_000 for age in ages), len(ages)


SIGNAL = device_signal(
    name="fresh_accounts",
    title="New accounts",
    measure=measure,
    sentence=_sentence,
    noticed="of the accounts were less than 14 days old",
    count_again=recounted(_count, lambda stored: chance(stored.usual)),
)
