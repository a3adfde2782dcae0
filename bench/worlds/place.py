"""What every generator offers to honest crowds and to campaigns: who is there, what is there, when people act.

A crowd or a campaign says what people agree or happen to do; the place says how that turns into times and targets. The
same call to a chat reaches a newspaper's readers by a delay, a network's users through their feed, and a town's people
when they next come online.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from bench.worlds.ledger import Ledger
from bench.worlds.wording import MAIN
from bench.worlds.world import DAY, DAYS, END, HOUR, ORGANIC, Bools, Floats, Ints

OWN_DEVICES = 1 << 40  # fingerprints from here on belong to one account


class Place(ABC):
    """One community while its world is drawn. `heat` (of items) is how much an item provokes complaints, `activity`
    (of accounts) how often one complains; both are only compared with each other."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.rng, self.size = ledger, ledger.rng, ledger.wanted.size
        self.scale = float(np.clip((self.size / 6_000) ** 0.5, 0.3, 1.3))  # of crowds and campaigns
        self.activity: Floats = np.empty(0)  # of accounts
        self.heat: Floats = np.empty(0)  # of items
        self.residents = 0  # accounts before any crowd or campaign was added
        self._taken: set[int] = set()  # residents that a crowd or a campaign has

    # -- what a generator has to say

    @abstractmethod
    def responses(self, accounts: Ints, called_at: float, patience: float) -> Floats:
        """When each account acts on a call; NaN for one that does not act within about `patience` seconds."""

    @abstractmethod
    def visits(self, account: int, since: float, until: float) -> Floats:
        """The moments at which an account is there, sorted."""

    @abstractmethod
    def audience(self, item: int, count: int) -> Ints:
        """Distinct ordinary accounts that an item may reach, about `count` of them."""

    @abstractmethod
    def add_traits(self, accounts: Ints) -> None:
        """Give new accounts the other traits that accounts have here."""

    @abstractmethod
    def write_items(
        self, at: Floats, author: Ints, breaks: Bools, heat: float, context: int | None, language: int
    ) -> Ints:
        """Write new items into ordinary contexts, or all into the one that is given."""

    @abstractmethod
    def ordinary(self, count: int) -> None:
        """File at least `count` ordinary complaints by everybody who is there, if the place has so many in it."""

    # -- accounts

    def own_devices(self, count: int) -> Ints:
        """A device each; some are behind a network that many share."""
        rng = self.rng
        device = rng.integers(OWN_DEVICES, 1 << 44, count)
        carrier = rng.random(count) < self.ledger.community.carrier
        device[carrier] = np.minimum(rng.zipf(1.3, int(carrier.sum())), 400)
        return device

    def aged(self, count: int) -> Floats:
        """When accounts that have been there for long were made: a year ago in the median."""
        return -np.minimum(self.rng.lognormal(np.log(400), 1.2, count), 5_500) * DAY

    def newcomers(
        self, created: Floats, *, kind: str = ORGANIC, device: Ints | None = None, activity: Floats | float = 0.0
    ) -> Ints:
        """Add accounts; with an activity of 0 they take no part in ordinary complaining."""
        numbers = self.ledger.add_accounts(created, self.own_devices(len(created)) if device is None else device, kind)
        self.activity = np.concatenate([self.activity, np.broadcast_to(activity, len(created))])
        self.add_traits(numbers)
        return numbers

    def regulars(self, count: int) -> Ints:
        """Distinct accounts of the place that complain about as often as most and that no other part has taken."""
        kind = self.ledger.kind
        free = np.array([a for a in range(self.residents) if kind[a] == ORGANIC and a not in self._taken], np.int64)
        quiet = free[(self.activity[free] <= np.quantile(self.activity, 0.9)) & (self.ledger.created[free] < 0)]
        chosen = self.rng.choice(quiet, min(count, len(quiet)), replace=False)
        self._taken.update(chosen.tolist())
        return chosen

    # -- items

    def post(
        self,
        at: Floats,
        author: Ints,
        breaks: Bools,
        *,
        heat: float = 0.3,
        context: int | None = None,
        language: int = MAIN,
    ) -> Ints:
        """Write new items, parallel arrays; marks them as taken by a crowd or a campaign."""
        items = self.write_items(at, author, breaks, heat, context, language)
        self.ledger.busy.update(items.tolist())
        return items

    def free_items(self, since: float, until: float, *, breaks: bool) -> Ints:
        """Items of that time that do (or do not) break rules and that nothing was planned for."""
        ledger = self.ledger
        found = np.flatnonzero((ledger.written >= since) & (ledger.written < until) & (ledger.breaks == breaks))
        main = found[ledger.language[found] == MAIN]
        taken = np.isin(main, np.fromiter(ledger.busy, np.int64, len(ledger.busy)))
        return np.asarray(main[~taken], np.int64)

    def pick(self, items: Ints, count: int, power: float = 0.5) -> Ints:
        """Distinct items, the ones that provoke more likelier; marks them as taken."""
        if not len(items):
            return items
        weight = self.heat[items] ** power
        chosen = self.rng.choice(items, min(count, len(items)), replace=False, p=weight / weight.sum())
        self.ledger.busy.update(chosen.tolist())
        return np.asarray(chosen[np.argsort(self.ledger.written[chosen])], np.int64)

    def busy_author(self, since: float, until: float, at_least: int) -> int:
        """An author with at least so many free items in that time, if there is one; otherwise the busiest."""
        ledger = self.ledger
        free = np.concatenate([self.free_items(since, until, breaks=b) for b in (False, True)])
        authors, count = np.unique(ledger.author[free], return_counts=True)
        enough = authors[(count >= at_least) & (count < 6 * at_least)]
        return int(self.rng.choice(enough)) if len(enough) else int(authors[count.argmax()])

    def new_author(self) -> int:
        """The number of an author who has written nothing yet."""
        return int(self.ledger.author.max()) + 1

    # -- time

    def evening(self, first_day: float = 2.0, last_day: float = DAYS - 2.0) -> float:
        """A moment of one evening between the two days."""
        day = np.floor(self.rng.uniform(first_day, last_day))
        return float(day * DAY + self.rng.uniform(17.5, 22) * HOUR)

    def answer_call(
        self,
        members: Ints,
        item: int,
        called_at: float,
        *,
        share: float,
        patience: float,
        campaign: str = "",
        reason: str | None = None,
        texts: Sequence[str | None] | None = None,
    ) -> Ints:
        """A share of the members follows one call to one item; returns those who complained."""
        who = members[self.rng.random(len(members)) < share]
        at = self.responses(who, called_at, patience)
        there = ~np.isnan(at) & (at < END)
        words = None if texts is None else texts[: int(there.sum())]
        self.ledger.file(who[there], item, at[there], campaign=campaign, reason=reason, texts=words)
        return who[there]


def daylight(at: Floats) -> Floats:
    """How awake a population is, 0.06 to 1: least at four in the morning, most in the evening."""
    hour = at / HOUR % 24
    wave = 0.5 - 0.5 * np.cos((hour - 4.5) / 24 * 2 * np.pi)
    return np.asarray(0.06 + 0.74 * wave**1.3 + 0.2 * np.exp(-(((hour - 20.5) / 2.2) ** 2)))


def days_between(since: float, until: float) -> Ints:
    """The numbers of the days that the time touches; none when it ends before it begins."""
    first, last = int(since // DAY), int(until // DAY) + 1
    return np.arange(first, max(first, last))


def in_daylight(rng: np.random.Generator, count: int, since: float, until: float) -> Floats:
    """`count` times between the two moments, by the rhythm of the day, unsorted."""
    kept = [np.empty(0)]
    while sum(map(len, kept)) < count:
        at = rng.uniform(since, until, 3 * count + 8)
        kept.append(at[rng.random(len(at)) < daylight(at)])
    return np.concatenate(kept)[:count]


def awake(rng: np.random.Generator, at: Floats) -> Floats:
    """Delay times that fall into the night until people are up; others stay as they are."""
    late = at.copy()
    for _ in range(4):
        asleep = rng.random(len(late)) > daylight(late) + 0.25
        late[asleep] += rng.exponential(2.5 * HOUR, int(asleep.sum()))
    return late
