"""Campaigns, which should be flagged: tight, slow, rotating, and against a single author."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.demo.newspaper import DAY, DAYS, HOUR, Ints, Newspaper


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """How one campaign works."""

    name: str
    accounts: int
    targets: int
    days: float  # from the first target to the last
    share: float  # of the accounts that complain about any one target
    lag_seconds: float  # mean delay of an account after the target was found; the longest if `even`
    even: bool = False  # delays spread evenly over lag_seconds instead of exponentially
    fresh: float = 0.0  # share of accounts created within six days before the campaign
    devices: float = 0.0  # share of accounts on shared devices
    authors: int = 0  # number of authors attacked; 0: any author


CAMPAIGNS = (
    CampaignPlan("tight brigade", 25, 12, 9, 0.8, 300, fresh=0.35, devices=0.4, authors=3),
    CampaignPlan("slow brigade", 25, 12, 12, 0.7, 36 * HOUR, even=True, fresh=0.1),
    CampaignPlan("rotating brigade", 60, 20, 12, 0.3, 900, fresh=0.25, devices=0.1),
    CampaignPlan("against one author", 20, 10, 9, 0.8, HOUR, fresh=0.25, authors=1),
)

# Of the demo alone, where its world is large enough: enough cases for an afternoon.
MORE_CAMPAIGNS = (
    CampaignPlan("bought accounts", 30, 9, 4, 0.75, HOUR, fresh=0.9, devices=0.6),
    CampaignPlan("call list", 18, 14, 20, 0.65, 4 * HOUR, fresh=0.1, authors=4),
    CampaignPlan("against two authors", 16, 12, 6, 0.8, 600, fresh=0.1, authors=2),
)

# It is still going on when the demo's world ends.
ATTACK = CampaignPlan("attack under way", 22, 10, 0.125, 0.8, 240, fresh=0.3, devices=0.3, authors=1)


def draw_campaign(paper: Newspaper, plan: CampaignPlan) -> None:
    """Add one campaign: new accounts, mostly harmless targets, their complaints, and some cover."""
    rng = paper.rng
    began = rng.uniform(3, DAYS - plan.days - 3) * DAY
    members = paper.new_accounts(plan.accounts, fresh_before=began, fresh=plan.fresh, devices=plan.devices)
    targets = _harmless_comments(paper, began, began + plan.days * DAY, plan.targets)
    if plan.authors:
        paper.author[targets] = rng.choice(np.arange(40, 400), plan.authors, replace=False)[
            rng.integers(0, plan.authors, len(targets))
        ]
    paper.reply[targets] = rng.random(len(targets)) < 0.05  # they prefer stand-alone comments
    paper.breaks_rules[targets] = rng.random(len(targets)) < 0.08
    for comment in targets:
        who = members[rng.random(len(members)) < plan.share]
        seen = paper.written[comment] + rng.lognormal(np.log(4 * HOUR), 0.7)
        lag = rng.uniform(0, plan.lag_seconds, len(who)) if plan.even else rng.exponential(plan.lag_seconds, len(who))
        paper.add(who, np.full(len(who), comment), seen + lag)
    _add_cover(paper, members, int(0.3 * len(members)))
    paper.campaign_of_account |= {int(member): plan.name for member in members}
    paper.campaign_of_comment |= {int(comment): plan.name for comment in targets}


def draw_attack(paper: Newspaper, end: float) -> None:
    """Add a campaign that began three hours before `end` and goes on: its latest complaints are minutes old."""
    rng = paper.rng
    members = paper.new_accounts(ATTACK.accounts, fresh_before=end, fresh=ATTACK.fresh, devices=ATTACK.devices)
    targets = _harmless_comments(paper, end - DAY, end - 4 * HOUR, ATTACK.targets)
    paper.author[targets] = rng.integers(40, 400)
    seen = np.linspace(end - 3 * HOUR, end - 600, len(targets))  # one after the other
    for comment, at in zip(targets, seen, strict=True):
        who = members[rng.random(len(members)) < ATTACK.share]
        paper.add(who, np.full(len(who), comment), at + rng.exponential(ATTACK.lag_seconds, len(who)))
    paper.campaign_of_account |= {int(member): ATTACK.name for member in members}
    paper.campaign_of_comment |= {int(comment): ATTACK.name for comment in targets}


def _harmless_comments(paper: Newspaper, since: float, until: float, count: int) -> Ints:
    free = np.setdiff1d(
        np.flatnonzero((paper.written > since) & (paper.written < until) & (paper.malice < 0.2)), paper.taken()
    )
    weight = np.sqrt(paper.popularity[paper.article[free]])
    return paper.rng.choice(free, min(count, len(free)), replace=False, p=weight / weight.sum())


def _add_cover(paper: Newspaper, members: Ints, count: int) -> None:
    """Add the ordinary complaints that members make now and then."""
    rng = paper.rng
    weight = paper.popularity[paper.article] * paper.heat
    comments = rng.choice(len(weight), count, p=weight / weight.sum())
    paper.add(rng.choice(members, count), comments, paper.written[comments] + rng.lognormal(np.log(5 * HOUR), 1, count))
