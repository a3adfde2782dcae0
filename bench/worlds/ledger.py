"""Everything that happens while a world is drawn: accounts, items and complaints as growing columns.

Accounts and items are numbers until the end; a complaint is (account, item, seconds since START). Ordinary complaints
are drawn in excess and thinned evenly to the size that was asked for, which is the same as everybody being a little
less willing to complain; planned ones are kept whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.worlds.community import Community
from bench.worlds.wording import MAIN, draw_habits
from bench.worlds.world import END, MINUTE, ORGANIC, Bools, Floats, Ints, Wanted

READING_ON = 12 * MINUTE  # for so long a page that is open still shows what has been hidden


@dataclass(frozen=True, slots=True)
class Columns:
    """The complaints of a world in time order, parallel columns of one length."""

    account: Ints
    item: Ints
    at: Floats  # seconds since START
    campaign: list[str]  # "" for a complaint that belongs to none
    reason: list[str | None]  # None: drawn
    text: list[str | None]  # None: drawn by the account's habit


@dataclass(frozen=True, slots=True)
class _Filed:
    """Complaints that were filed together: parallel columns."""

    account: Ints
    item: Ints
    at: Floats
    campaign: str
    reason: str | None
    texts: Sequence[str | None] | None
    ordinary: bool


@dataclass(frozen=True, slots=True)
class _Successor:
    """An account that was given up at a moment, and the one its owner made instead."""

    account: int
    at: float
    new: int


@dataclass
class Ledger:
    """The columns of one world while it is drawn."""

    rng: np.random.Generator
    wanted: Wanted
    community: Community
    created: Floats = field(default_factory=lambda: np.empty(0))  # of accounts; negative before START
    device: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    habit: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    kind: list[str] = field(default_factory=list)
    written: Floats = field(default_factory=lambda: np.empty(0))  # of items
    author: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    context: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    breaks: Bools = field(default_factory=lambda: np.empty(0, np.bool_))
    language: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    reply: Bools = field(default_factory=lambda: np.empty(0, np.bool_))
    writers: int = 0  # authors with a smaller number are the accounts with that number
    kind_of_campaign: dict[str, str] = field(default_factory=dict)
    trusted: set[int] = field(default_factory=set)  # accounts that the platform calls trusted flaggers
    busy: set[int] = field(default_factory=set)  # items that a crowd or a campaign has been planned for
    _filed: list[_Filed] = field(default_factory=list)
    _successors: list[_Successor] = field(default_factory=list)

    def add_accounts(self, created: Floats, device: Ints, kind: str = ORGANIC) -> Ints:
        """New accounts with their age and device, parallel arrays; returns their numbers."""
        first = len(self.created)
        self.created = np.concatenate([self.created, created])
        self.device = np.concatenate([self.device, device])
        self.habit = np.concatenate([self.habit, draw_habits(self.rng, len(created), self.community)])
        self.kind += [kind] * len(created)
        return np.arange(first, len(self.created))

    def add_items(
        self, written: Floats, author: Ints, context: Ints, breaks: Bools, reply: Bools, language: int = MAIN
    ) -> Ints:
        """New items, parallel arrays; returns their numbers."""
        first = len(self.written)
        self.written = np.concatenate([self.written, written])
        self.author = np.concatenate([self.author, author])
        self.context = np.concatenate([self.context, context])
        self.breaks = np.concatenate([self.breaks, breaks])
        self.reply = np.concatenate([self.reply, reply])
        self.language = np.concatenate([self.language, np.full(len(written), language)])
        return np.arange(first, len(self.written))

    def label(self, accounts: Ints, kind: str) -> None:
        """Give accounts an honest kind; one that has a kind already keeps it."""
        for account in accounts.tolist():
            if self.kind[account] == ORGANIC:
                self.kind[account] = kind

    def trust(self, accounts: Ints) -> None:
        """The platform knows these accounts, where it marks anybody as trusted."""
        if self.community.marks_trusted:
            self.trusted.update(accounts.tolist())

    def file(
        self,
        account: Ints,
        item: Ints | int,
        at: Floats,
        *,
        campaign: str = "",
        reason: str | None = None,
        texts: Sequence[str | None] | None = None,
        ordinary: bool = False,
    ) -> None:
        """Complaints; `item` may be one for all. A complaint before its item was written is moved to just after."""
        items = np.broadcast_to(np.asarray(item, np.int64), account.shape)
        late = np.maximum(at, self.written[items] + self.rng.uniform(5, 90, len(at)))
        self._filed.append(_Filed(account, items, late, campaign, reason, texts, ordinary))

    def succeed(self, account: int, at: float, new: int) -> None:
        """From `at` on, what `account` would have filed is filed by `new`."""
        self._successors.append(_Successor(account, at, new))

    def planned(self) -> int:
        """Complaints that are there already, ordinary ones aside; repeats count."""
        return sum(len(filed.account) for filed in self._filed if not filed.ordinary)

    def columns(self) -> Columns:
        """All complaints in time order: one of a pair, inside the four weeks, thinned to the size."""
        groups = self._filed
        account = np.concatenate([g.account for g in groups])
        group = np.repeat(np.arange(len(groups)), [len(g.account) for g in groups])
        place = np.concatenate([np.arange(len(g.account)) for g in groups])
        item = np.concatenate([g.item for g in groups])
        at = np.concatenate([g.at for g in groups])
        at = np.floor(at / self.community.resolution) * self.community.resolution
        ordinary = np.array([g.ordinary for g in groups], bool)[group]
        account = self._after_succession(account, at, ordinary)
        own = (account < self.writers) & (self.author[item] == account)  # nobody complains about their own
        inside = np.flatnonzero((at >= 0) & (at < END) & ~own)
        # A campaign's complaint is kept rather than an ordinary one of the same account about the same item.
        order = inside[np.lexsort((at[inside], ordinary[inside]))]
        pair = account[order] * (len(self.written) + 1) + item[order]
        order = order[np.sort(np.unique(pair, return_index=True)[1])]
        order = order[np.argsort(at[order], kind="stable")]
        order = self._thinned(order, ordinary, item, at)
        names = [g.campaign for g in groups]
        reasons = [g.reason for g in groups]
        texts = [
            None if (t := groups[g].texts) is None else t[p] for g, p in zip(group[order], place[order], strict=True)
        ]
        return Columns(
            account[order],
            item[order],
            at[order],
            [names[g] for g in group[order]],
            [reasons[g] for g in group[order]],
            texts,
        )

    def _thinned(self, order: Ints, ordinary: Bools, item: Ints, at: Floats) -> Ints:
        """As many ordinary complaints as are still missing, drawn evenly; then what nobody could see is dropped."""
        visible = self._seen(order, item, at)
        excess = int(visible.sum()) - self.wanted.size
        for _ in range(12):  # dropping some makes room under the bound of others
            mine = np.flatnonzero(ordinary[order])
            if excess <= 0 or not len(mine):
                break
            gone = self.rng.choice(mine, min(len(mine), excess), replace=False)
            order = np.delete(order, gone)
            visible = self._seen(order, item, at)
            excess = int(visible.sum()) - self.wanted.size
        return order[visible]

    def _seen(self, order: Ints, item: Ints, at: Floats) -> Bools:
        """Which complaints come while their item can still be read; `order` is by time."""
        bound = self.community.hides_at
        if bound is None or not self.community.stops_when_hidden:
            return np.ones(len(order), bool)
        by_item = np.argsort(item[order], kind="stable")
        _, first, many = np.unique(item[order][by_item], return_index=True, return_counts=True)
        deciding = by_item[first + np.minimum(bound, many) - 1]  # the complaint that hides, or the last
        closes = np.where(many > bound, at[order[deciding]] + READING_ON, np.inf)
        seen = np.empty(len(order), bool)
        seen[by_item] = at[order[by_item]] <= np.repeat(closes, many)
        return seen

    def _after_succession(self, account: Ints, at: Floats, ordinary: Bools) -> Ints:
        account = account.copy()
        for change in sorted(self._successors, key=lambda s: s.at):
            account[(account == change.account) & (at >= change.at) & ordinary] = change.new
        return account
