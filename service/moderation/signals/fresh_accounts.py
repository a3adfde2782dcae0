"""Fresh accounts: how many members were new at their first complaint here? PURE."""

from __future__ import annotations

import numpy as np

from service.model import Evidence
from service.moderation.phrases import percent
from service.moderation.signals.chance import device_contribution, surprise, tail
from service.moderation.signals.counting_again import recounted
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, Ints, MeasuredSignal, Measurement

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
    total, usual = len(first), view.usual_fresh
    return Measurement(young / max(total, 1), usual, tail(young, total, chance(usual)), young, total)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    if not measured.total:
        return "The age of the accounts is not known."
    when = "their first complaint here" if facts.kind == "repeat" else "their complaint"
    return f"{measured.count} of {measured.total} accounts were less than 14 days old at {when}."


def _clause(evidence: Evidence, targets: int) -> str | None:
    noticed = surprise(evidence.p_value) > 0
    return f"{percent(evidence.value)} of the accounts were less than 14 days old" if noticed else None


def _count(group: CountedAgain) -> tuple[int, int]:
    ages = [c.time_us - c.created_us for c in group.first_complaints() if c.created_us is not None]
    return sum(age < group.policy.fresh_account_seconds * 1_000_000 for age in ages), len(ages)


SIGNAL = MeasuredSignal(
    name="fresh_accounts",
    title="New accounts",
    question="unfounded",
    unit="share",
    measure=measure,
    contribution=lambda measured, targets, weights: device_contribution(measured.p_value),
    sentence=_sentence,
    clause=_clause,
    count_again=recounted(_count, lambda stored: chance(stored.usual)),
)
