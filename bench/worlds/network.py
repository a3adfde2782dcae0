"""A social network: who sees what follows from who follows whom, and who complains from what they see.

The mechanism: people have a leaning and follow others of like leaning and of fame; a post reaches its author's
followers, each of whom may pass it on to their own (a branching process, of which Hawkes models of popularity such as
SEISMIC (Zhao et al., KDD 2015) are the continuous form). Most posts die at once and a few reach thousands. A complaint
needs an exposure: it comes with the offence of the post, and with its distance from the reader's leaning, by how
partisan and how tolerant that reader is. Nobody is drawn to a target; popular targets are those that travelled. Posts
and the answers to them share a thread. There is no removal by count; a few overworked people review what is left of a
queue.

Partisans are modelled on what Allen, Martel and Rand found in Birdwatch (CHI 2022): who judges whom goes mostly by
party.
"""

from __future__ import annotations

import numpy as np

import bench.worlds.campaigns as by_call
import bench.worlds.campaigns_of_accounts as by_account
import bench.worlds.crowds as crowds
import bench.worlds.habits as habits
from bench.worlds.community import draw_community
from bench.worlds.documents import world_of
from bench.worlds.ledger import Ledger
from bench.worlds.place import Place, awake, days_between, in_daylight
from bench.worlds.planning import Plan, populate
from bench.worlds.world import DAY, DAYS, END, HOUR, MINUTE, Bools, Floats, Ints, Wanted, World

GENERATIONS = 6  # of passing on
REACH = 45  # mean audience of a post, in people who ever complain about anything
PARTISAN, ELECTION = "partisan", "election night"


def election_night(place: Place, name: str) -> None:
    """The night on which everybody is there, writes about one thing, and reads the other side.

    Modelled on election evenings: traffic of several times the usual for five hours, and complaints along party
    lines, filed by thousands who never agreed on anything.
    """
    assert isinstance(place, Network)
    rng = place.rng
    began = float(rng.integers(6, DAYS - 4)) * DAY + 18 * HOUR
    count = max(12, int(0.015 * place.size))
    written = began + rng.gamma(2.0, 1.1 * HOUR, count)
    authors = place.famous(count)
    items = place.post(written, authors, rng.random(count) < 0.12, heat=1.2)
    place.partisanship[items] = np.sign(place.partisanship[items]) * rng.uniform(0.6, 1.0, count)
    place.night = (began, began + 5 * HOUR)


CROWDS = {
    PARTISAN: Plan(lambda place, name: None, 0, 500, once=True),  # they are in the people themselves
    ELECTION: Plan(election_night, 0, 1_000, once=True),
    "watcher": Plan(habits.watchers, 160, 1_000),
    "power reporter": Plan(habits.power_reporters, 400, 500, once=True),
    "patrol": Plan(habits.patrol_of_new, 400, 1_500, once=True),
    "moderator": Plan(habits.moderators, 150, 1_500, once=True),
    "bot": Plan(habits.bots, 60, 1_500, once=True),
    "mod channel": Plan(crowds.mod_channel, 110, 1_000),
    "outside link": Plan(crowds.outside_link, 110, 1_000),
    "viral outrage": Plan(crowds.viral_outrage, 170, 1_000),
    "spam wave": Plan(crowds.spam_wave, 180, 1_000),
    "fan club": Plan(crowds.fan_club, 90, 800),
    "volunteer": Plan(crowds.volunteers, 110, 1_000),
    "small language": Plan(habits.small_language, 250, 3_000),
    "school class": Plan(crowds.school_class, 40, 1_500),
    "report spree": Plan(habits.sprees, 200, 1_000, once=True),
    "quarrel": Plan(crowds.quarrel, 45, 500),
    "churner": Plan(habits.churners, 0, 500, once=True),
}
CAMPAIGNS = {
    "call list": Plan(by_call.call_list, 500, 1_500),
    "paid farm": Plan(by_account.paid_farm, 320, 1_000),
    "hounding": Plan(by_call.hounding, 230),
    "group report": Plan(by_call.group_report, 360, 1_500),
    "inside outrage": Plan(by_call.inside_outrage, 180, 1_500),
    "rivals": Plan(by_call.rivals, 160, 1_000),
    "sleeper": Plan(by_account.sleepers, 240, 1_500),
    "slow drip": Plan(by_account.slow_drip, 200),
    "few accounts": Plan(by_account.few_accounts, 28),
    "one thread": Plan(by_call.one_thread, 90),
    "model text": Plan(by_account.model_texts, 100),
    "scheduled": Plan(by_account.scheduled, 140),
}


def draw(wanted: Wanted) -> World:
    """The world of this seed."""
    rng = np.random.default_rng([wanted.seed, 202])
    community = draw_community(
        rng,
        reviewed=(0.2, 0.6),
        review_hours=(6, 48),
        hides_at=None,
        stops_when_hidden=False,
        carrier=(0.15, 0.45),
        quoting=(0.02, 0.25),
    )
    place = Network(Ledger(rng, wanted, community))
    populate(place, CROWDS, CAMPAIGNS, excess=1.3)
    return world_of(place.ledger, "network")


class Network(Place):
    """People with leanings, who follow each other; posts, which travel."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        rng, count = self.rng, int(0.75 * self.size) + 250
        self.night: tuple[float, float] | None = None  # of an election
        self.leaning: Floats = np.empty(0)  # of accounts, -1 to 1
        self.zeal: Floats = np.empty(0)  # of accounts: how much the leaning counts when they complain
        self.hour: Floats = np.empty(0)  # of accounts: when they are mostly online
        created = self.aged(count)
        new = rng.random(count) < 0.08
        created[new] = rng.uniform(-10, DAYS * 0.8, int(new.sum())) * DAY
        self.newcomers(created, activity=np.minimum(rng.pareto(1.5, count) + 0.2, 60))
        self.residents = ledger.writers = count  # the same people write
        partisan = np.flatnonzero((np.abs(self.leaning) > 0.55) & (rng.random(count) < rng.uniform(0.1, 0.35)))
        wanted = ledger.wanted.crowds
        if wanted is None or PARTISAN in wanted:
            self.zeal[partisan] = rng.gamma(2, 2.0, len(partisan))
            ledger.label(partisan, PARTISAN)
        self._draw_follows()
        self._draw_posts(int(0.55 * self.size) + 60)

    def add_traits(self, accounts: Ints) -> None:
        """A leaning (two camps and a middle), some zeal, and an hour of the day."""
        rng, count = self.rng, len(accounts)
        camp = rng.choice([-0.75, 0.0, 0.75], count, p=[0.25, 0.5, 0.25])
        self.leaning = np.concatenate([self.leaning, np.clip(camp + rng.normal(0, 0.2, count), -1, 1)])
        self.zeal = np.concatenate([self.zeal, rng.gamma(1, 0.25, count)])
        self.hour = np.concatenate([self.hour, (13 + rng.normal(0, 4.5, count)) % 17 + 6.5])

    def _draw_follows(self) -> None:
        """Who follows whom: each follows by fame (Barabási and Albert 1999) and likeness (homophily)."""
        rng, count = self.rng, self.residents
        self.fame = np.minimum(rng.pareto(1.1, count) + 0.1, count / 20)
        mean = min(18, count // 12)
        follows = np.minimum(rng.geometric(1 / mean, count), count // 4)
        follower = np.repeat(np.arange(count), 3 * follows)  # of three that one comes across, one is like enough
        met = rng.choice(count, len(follower), p=self.fame / self.fame.sum())
        like = np.exp(-1.8 * np.abs(self.leaning[follower] - self.leaning[met]))
        kept = (rng.random(len(met)) < 0.6 * like) & (met != follower)
        order = np.argsort(met[kept], kind="stable")
        self.followers = follower[kept][order].astype(np.int64)
        self.first = np.searchsorted(met[kept][order], np.arange(count + 1))

    def _draw_posts(self, count: int) -> None:
        """Roots and answers; an answer is in its root's thread and is often by somebody of the other side."""
        rng = self.rng
        roots = int(0.55 * count)
        voice = rng.pareto(1.1, self.residents) * np.sqrt(self.fame)
        author = rng.choice(self.residents, count, p=voice / voice.sum()).astype(np.int64)
        written = np.sort(in_daylight(rng, roots, -DAY, END - 2 * HOUR))
        popular = (rng.pareto(1.2, roots) + 0.2) * np.sqrt(self.fame[author[:roots]])
        parent = rng.choice(roots, count - roots, p=popular / popular.sum())
        answered = written[parent] + rng.lognormal(np.log(90 * MINUTE), 1.2, count - roots)
        offence = np.where(rng.random(count) < 0.2, rng.beta(2, 2.5, count), rng.beta(0.6, 9, count))
        breaks = rng.random(count) < np.clip(1.3 * offence**1.2, 0, 0.95)
        context = np.concatenate([np.arange(roots), parent])
        reply = np.arange(count) >= roots
        self.ledger.add_items(np.concatenate([written, answered]), author, context, breaks, reply)
        self.threads = roots
        self.offence = offence
        self.partisanship = np.clip(self.leaning[author] + rng.normal(0, 0.3, count), -1, 1) * rng.random(count)
        self.virality = np.minimum(rng.lognormal(-1.1, 0.9, count), 3.0)
        self.heat = offence + 0.3 * np.abs(self.partisanship) * self.virality

    def famous(self, count: int) -> Ints:
        """Authors, by fame, with repetitions."""
        return self.rng.choice(self.residents, count, p=self.fame / self.fame.sum()).astype(np.int64)

    def write_items(
        self, at: Floats, author: Ints, breaks: Bools, heat: float, context: int | None, language: int
    ) -> Ints:
        """Posts with a thread each, or answers in the one that is given."""
        rng, count = self.rng, len(at)
        threads = self.threads + np.arange(count) if context is None else np.full(count, context)
        self.threads += count if context is None else 0
        side = np.where(author < self.residents, self.leaning[np.minimum(author, self.residents - 1)], 0.0)
        self.offence = np.concatenate([self.offence, np.where(breaks, 0.5, 0.06)])
        self.partisanship = np.concatenate([self.partisanship, np.clip(side + rng.normal(0, 0.2, count), -1, 1)])
        self.virality = np.concatenate([self.virality, rng.lognormal(-1.1, 0.5, count) * (1 + heat)])
        self.heat = np.concatenate([self.heat, heat * rng.lognormal(0, 0.5, count)])
        reply = np.full(count, context is not None)
        return self.ledger.add_items(at, author, threads.astype(np.int64), breaks, reply, language)

    def responses(self, accounts: Ints, called_at: float, patience: float) -> Floats:
        """Some see a message at once and some hours later: log-normal, with a tail, and never by night."""
        rng = self.rng
        delay = rng.lognormal(np.log(0.7 * patience), 1.1, len(accounts))
        at = awake(rng, called_at + delay)
        return np.where((delay < 8 * patience + HOUR) & (rng.random(len(accounts)) < 0.92), at, np.nan)

    def visits(self, account: int, since: float, until: float) -> Floats:
        """A few looks at the feed each day around the account's own hour."""
        rng = self.rng
        days = days_between(since, until)
        day = np.repeat(days, rng.poisson(2.2, len(days)))
        at = np.sort(day * DAY + (self.hour[account] + rng.normal(0, 3.2, len(day))) * HOUR)
        return at[(at >= since) & (at < until)]

    def audience(self, item: int, count: int) -> Ints:
        """Followers of the author, their followers, and people whom the network shows it to."""
        rng, author = self.rng, int(self.ledger.author[item])
        near = np.empty(0, np.int64)
        if author < self.residents:
            near = self.followers[self.first[author] : self.first[author + 1]]
        strangers = rng.choice(
            self.residents, count, p=self.activity[: self.residents] / self.activity[: self.residents].sum()
        )
        either = np.unique(
            np.concatenate([rng.permutation(near)[: count // 2], strangers[: count - min(len(near), count // 2)]])
        )
        return either.astype(np.int64)

    # -- what travels, and who complains

    def ordinary(self, count: int) -> None:
        """Exposures by cascade, then complaints by disposition, as many as were asked for in expectation."""
        post, person, at = self._exposures()
        ledger, rng = self.ledger, self.rng
        distance = np.maximum(0.0, -self.leaning[person] * self.partisanship[post])
        tolerance = np.exp(0.5 * rng.standard_normal(len(self.activity)))[person]
        drive = self.offence[post] ** 1.3 * (1.2 - ledger.community.taste) + self.zeal[person] * distance
        drive += 0.05 * ledger.community.taste * self.heat[post]
        chance = self.activity[person] * drive / tolerance
        bound = 0.5  # nobody complains about everything
        factor = count / max(chance.sum(), 1e-9)
        for _ in range(12):  # the bound cuts some off: raise until the expectation is right
            factor *= count / max(np.minimum(bound, factor * chance).sum(), 1e-9)
        filed = rng.random(len(chance)) < np.minimum(bound, factor * chance)
        delay = rng.lognormal(np.log(70), 1, int(filed.sum()))
        ledger.file(person[filed], post[filed], at[filed] + delay, ordinary=True)
        self._label_the_night(person[filed], at[filed])

    def _label_the_night(self, person: Ints, at: Floats) -> None:
        if self.night is not None:
            there = (at >= self.night[0]) & (at < self.night[1])
            self.ledger.label(np.unique(person[there]), ELECTION)

    def _exposures(self) -> tuple[Ints, Ints, Floats]:
        """Who saw which post when: parallel columns, a pair once, by its first sight."""
        rng, ledger = self.rng, self.ledger
        everybody = np.flatnonzero((ledger.language == 0) & (ledger.written < END))
        extra = rng.poisson(0.35 * REACH, len(everybody))  # shown by the network itself: trends, search, threads
        post = np.repeat(everybody, extra)
        weight = np.cumsum(np.sqrt(self.activity))  # who complains much is there much
        person = np.searchsorted(weight, rng.random(len(post)) * weight[-1])
        at = ledger.written[post] + rng.lognormal(np.log(3 * HOUR), 1.1, len(post))
        found = [(post, person, at)]
        own = ledger.author[everybody] < self.residents
        sharer, post, at = ledger.author[everybody][own], everybody[own], ledger.written[everybody][own]
        for _ in range(GENERATIONS):
            post, person, at = self._shown(post, sharer, at)
            found.append((post, person, at))
            like = 1 - 0.5 * np.abs(self.leaning[person] - self.partisanship[post])
            passed = rng.random(len(post)) < 0.035 * self.virality[post] * like
            post, sharer, at = post[passed], person[passed], at[passed]
        post, person, at = (np.concatenate(column) for column in zip(*found, strict=True))
        at = awake(rng, at)
        order = np.lexsort((at, person, post))
        post, person, at = post[order], person[order], at[order]
        first = np.concatenate([[True], (post[1:] != post[:-1]) | (person[1:] != person[:-1])])
        seen = first & (at < END) & (at > 0)
        return post[seen], person[seen].astype(np.int64), at[seen]

    def _shown(self, post: Ints, sharer: Ints, at: Floats) -> tuple[Ints, Ints, Floats]:
        """The sharers' followers, each of whom sees about a third of what they follow."""
        rng = self.rng
        many = self.first[sharer + 1] - self.first[sharer]
        row = np.repeat(np.arange(len(sharer)), many)
        step = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
        kept = rng.random(len(row)) < 0.33
        row, step = row[kept], step[kept]
        person = self.followers[self.first[sharer[row]] + step]
        return post[row], person, at[row] + rng.lognormal(np.log(50 * MINUTE), 1.2, len(row))
