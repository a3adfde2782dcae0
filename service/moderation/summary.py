"""One plain sentence about a group: who, what, how closely together, and the moderators' verdicts. PURE."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from service.model import Evidence
from service.moderation.outcomes import VerdictTally
from service.moderation.phrases import plural
from service.moderation.signals import one_author, outcomes, shared_traits
from service.moderation.signals.registry import SIGNALS


def summarise(
    members: int,
    targets: int,
    complaints_by_member: Collection[int] | None,
    structural: Sequence[Evidence],
    verdicts: VerdictTally,
    *,
    acting_together: bool = True,
) -> str:
    """The sentence for a list of groups.

    `complaints_by_member` counts the targets that each member complained about; None if that is unknown because
    retention has deleted complaints; `acting_together` is False for a revoked one. What happened comes first, then the
    evidence against the group, then the verdicts.
    """
    by_name = {e.signal: e for e in structural}
    trait = shared_traits.strongest(structural)
    parts = [who_and_what(members, targets, complaints_by_member)]
    names_author = trait is not None and trait.signal == shared_traits.AUTHOR
    shown: list[str] = []
    speaking: list[str] = []
    for signal in SIGNALS:
        evidence = by_name.get(signal.name)
        clause = signal.clause(evidence, targets) if evidence is not None else None
        if clause is None or (names_author and signal is one_author.SIGNAL):
            continue
        (shown if signal.question == "shown" else speaking).append(clause)
    if trait is not None:
        shown.append(shared_traits.clause(trait, targets))
    return "; ".join([*parts, *shown, *speaking, outcomes.verdicts(verdicts, acting_together=acting_together)]) + "."


def who_and_what(members: int, targets: int, complaints_by_member: Collection[int] | None) -> str:
    """Who complained about what; "the same" targets only if each member complained about each of them.

    >>> who_and_what(3, 4, [4, 4, 4])
    '3 accounts complained about the same 4 targets'
    >>> who_and_what(4, 10, [3, 3, 2, 2])
    '4 accounts complained about 10 targets, 2.5 each on average'
    """
    accounts = plural(members, "account")
    if targets <= 1:
        return f"{accounts} complained about one target"
    if not complaints_by_member:
        return f"{accounts} complained about {targets:,} targets"
    complaints = sum(complaints_by_member)
    if complaints >= members * targets:
        return f"{accounts} complained about the same {targets:,} targets"
    # rounded down: 9.96 of 10 targets are not 10
    each = f"{math.floor(10 * complaints / len(complaints_by_member)) / 10:.1f}".removesuffix(".0")
    return f"{accounts} complained about {targets:,} targets, {each} each on average"
