"""One plain sentence about a group: who, what, how closely together, and the moderators' verdicts. PURE."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from service.model import Evidence
from service.moderation.outcomes import VerdictTally
from service.moderation.phrases import plural
from service.moderation.signals import one_author, outcomes, shared_traits
from service.moderation.signals.registry import SIGNALS

# "the same targets": at least this share of the members complained about at least this share of the targets
SAME_MEMBERS, SAME_TARGETS = 0.9, 0.9


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
        shown.append(trait.text.removesuffix("."))
    return "; ".join([*parts, *shown, *speaking, outcomes.verdicts(verdicts, acting_together=acting_together)]) + "."


def who_and_what(members: int, targets: int, complaints_by_member: Collection[int] | None) -> str:
    """Who complained about what; "the same" targets only if nearly all members complained about nearly all of them.

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
    nearly_all = sum(count >= SAME_TARGETS * targets for count in complaints_by_member)
    if nearly_all >= SAME_MEMBERS * members:
        return f"{accounts} complained about the same {targets:,} targets"
    average = sum(complaints_by_member) / len(complaints_by_member)
    each = f"{average:.0f}" if average >= 5 else f"{average:.1f}".removesuffix(".0")
    return f"{accounts} complained about {targets:,} targets, {each} each on average"
