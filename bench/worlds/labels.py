"""What a group of accounts truly is: a campaign, people who act together by design, or neither. PURE.

Two definitions of "coordinated" stand side by side, since a detector of coordination is right to find both:

campaign       at least half of the accounts belong to one campaign
acts together  the same, or at least half belong to one honest kind of `TOGETHER`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from bench.worlds.world import Truth

# Honest kinds whose accounts look at the same list, share a chat, a list of words, a school or a household, or take a
# friend's side. Readers of the same page (watcher, fan club, niche regulars) act alone: nobody calls them.
TOGETHER = frozenset({"volunteer", "patrol", "mod channel", "moderator", "bot", "school class", "quarrel", "family"})


@dataclass(frozen=True, slots=True)
class Label:
    """What most of a group's accounts are."""

    kind: str  # of the largest part: an honest kind, or the kind of the campaign ("call list", not "call list 2")
    share: float  # of the accounts that are in the largest part
    campaign: str  # the campaign with most accounts in the group, "" without any
    campaign_share: float
    together: str  # the kind of TOGETHER with most accounts in the group, "" without any
    together_share: float
    parts: dict[str, int]  # accounts by honest kind or by name of campaign

    @property
    def is_campaign(self) -> bool:
        """Whether at least half of the accounts belong to one campaign."""
        return self.campaign_share >= 0.5

    @property
    def acts_together(self) -> bool:
        """Whether at least half of the accounts belong to one campaign or to one kind that acts together."""
        return self.is_campaign or self.together_share >= 0.5


def label_of(accounts: Collection[str], truth: Truth) -> Label:
    """The label of a group of accounts. Raises ValueError for no accounts, or for one that never complained."""
    if not accounts:
        raise ValueError("a group needs at least one account to be labelled")
    missing = sorted(set(accounts) - truth.kind_by_account.keys())
    if missing:
        raise ValueError(f"account {missing[0]} is not in the truth: it never complained in this world")
    parts = Counter(truth.kind_by_account[account] for account in sorted(accounts))
    largest, most = parts.most_common(1)[0]
    campaign, members = _largest(parts, truth.campaigns.keys())
    together, friends = _largest(parts, TOGETHER)
    return Label(
        truth.campaigns[largest].kind if largest in truth.campaigns else largest,
        most / len(accounts),
        campaign,
        members / len(accounts),
        together,
        friends / len(accounts),
        dict(parts.most_common()),
    )


def _largest(parts: Counter[str], names: Collection[str]) -> tuple[str, int]:
    return max(((name, count) for name, count in parts.items() if name in names), key=lambda p: p[1], default=("", 0))
