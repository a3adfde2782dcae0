"""Fresh accounts: how many members were new at their first complaint here? PURE."""

from __future__ import annotations

import numpy as np

from service.moderation.signals.chance import share_of
from service.moderation.signals.counting_again import recounted
from service.moderation.signals.devices import device_signal
from service.moderation.signals.signal import Bools, CountedAgain, GroupFacts, GroupView, Ints, Measurement

UNKNOWN_MS = np.iinfo(np.int64).min
PREPARED_MS = 21_600_000  # registered so long before: not in order to complain about what a link led to
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
    first, age = _known_ages(view)
    young = int((age < view.policy.fresh_account_seconds * 1000).sum())
    return share_of(young, len(first), view.usual_fresh, chance(view.usual_fresh))


def measure_prepared(view: GroupView) -> Measurement:
    """The same for a crowd on one target: those of them that were registered hours before.

    A link shared elsewhere brings people who register in order to complain; the accounts of a bought crowd wait.
    """
    first, age = _known_ages(view)
    waiting = int(is_prepared(age, view.policy.fresh_account_seconds * 1000).sum())
    return share_of(waiting, len(first), view.usual_prepared, chance(view.usual_prepared))


def is_prepared(age_ms: Ints, limit_ms: int) -> Bools:
    """Which accounts of these ages are fresh, but were not registered only just before."""
    return (age_ms >= PREPARED_MS) & (age_ms < limit_ms)


def _known_ages(view: GroupView) -> tuple[Ints, Ints]:
    """Each member's first complaint, and the account's age then, in milliseconds; without those of unknown age."""
    first = first_of_each(view.reporter)
    first = first[view.created_ms[first] != UNKNOWN_MS]
    return first, view.time_ms[first] - view.created_ms[first]


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    if not measured.total:
        return "The age of the accounts is not known."
    young = f"{measured.count} of {measured.total} accounts were less than 14 days old at their"
    if facts.kind == "repeat":
        return f"{young} first complaint here."
    return f"{young} complaint, and registered at least 6 hours before it."


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
