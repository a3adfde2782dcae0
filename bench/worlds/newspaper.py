"""A newspaper's comment section: readers come to an article because of the article, and complain in one sitting.

The mechanism: articles appear in the rhythm of the day and differ in popularity by powers of ten; comments gather under
them in hours; a session is one reader at one article, who complains about the comments that provoke most of those that
are there by then. A few readers complain far more than the rest (participation inequality). The newspaper removes at
eight complaints automatically, and people look at about half of it later. Calls reach the members of a campaign by a
plain delay: there is no feed and nobody follows anybody.
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
from bench.worlds.place import Place, awake, daylight, days_between, in_daylight
from bench.worlds.planning import Plan, populate
from bench.worlds.world import DAY, DAYS, END, HOUR, MINUTE, Bools, Floats, Ints, Wanted, World

TOPICS = 10
AT_HOME = 0.7  # of the sessions at an article are by readers of its topic


def popular_article(place: Place, name: str) -> None:
    """One article that everybody reads, with forty comments of which each reader reports a few within the day.

    Modelled on the day's lead story: hundreds of readers meet at several of the same targets, by taste alone.
    """
    rng = place.rng
    began = place.evening(2, DAYS - 4)
    count = int(rng.integers(25, 45))
    first = place.post(np.array([began]), rng.choice(place.ledger.author, 1), rng.random(1) < 0.3)
    authors = rng.choice(place.ledger.author, count)
    written = began + rng.lognormal(np.log(2 * HOUR), 1, count)
    article = int(place.ledger.context[first[0]])
    comments = place.post(written, authors, rng.random(count) < 0.3, context=article)
    weight = rng.pareto(1.2, count) + 0.2
    readers = place.audience(int(first[0]), int(rng.uniform(100, 200) * place.scale))
    for reader in readers.tolist():
        mine = rng.choice(comments, int(rng.integers(1, 6)), replace=False, p=weight / weight.sum())
        at = began + rng.lognormal(np.log(5 * HOUR), 0.8) + np.cumsum(rng.exponential(80, len(mine)))
        place.ledger.file(np.full(len(mine), reader), mine, at)
    place.ledger.label(readers, name)


def niche_regulars(place: Place, name: str) -> None:
    """Twenty regulars of a small column: the same few at the same few comments for weeks, mostly fair.

    Modelled on the regulars that any blog has. Each follows the column, nobody the others.
    """
    rng = place.rng
    regulars = place.regulars(int(rng.integers(14, 24)))
    place.ledger.label(regulars, name)
    for began in np.sort(rng.uniform(0.5, DAYS - 1, max(5, int(22 * place.scale)))) * DAY:
        count = int(rng.integers(5, 14))
        first = place.post(np.array([began]), rng.choice(place.ledger.author, 1), np.array([False]))
        comments = place.post(
            began + rng.lognormal(np.log(3 * HOUR), 1, count),
            rng.choice(place.ledger.author, count),
            rng.random(count) < 0.35,
            context=int(place.ledger.context[first[0]]),
        )
        weight = np.where(place.ledger.breaks[comments], 1.0, 0.25)
        for reader in regulars[rng.random(len(regulars)) < 0.14].tolist():
            mine = rng.choice(comments, int(rng.geometric(0.6)) % count + 1, p=weight / weight.sum())
            at = began + rng.lognormal(np.log(8 * HOUR), 0.9) + np.cumsum(rng.exponential(70, len(mine)))
            place.ledger.file(np.full(len(mine), reader), mine, at)


CROWDS = {
    "viral outrage": Plan(crowds.viral_outrage, 170, 800),
    "popular article": Plan(popular_article, 400, 3_000),
    "niche regulars": Plan(niche_regulars, 90),
    "outside link": Plan(crowds.outside_link, 110, 1_500),
    "patrol": Plan(habits.patrol_of_new, 350, 1_500, once=True),
    "moderator": Plan(habits.moderators, 150, 1_500, once=True),
    "power reporter": Plan(habits.power_reporters, 400, 500, once=True),
    "watcher": Plan(habits.watchers, 160, 1_000),
    "spam wave": Plan(crowds.spam_wave, 180, 800),
    "volunteer": Plan(crowds.volunteers, 110, 1_000),
    "small language": Plan(habits.small_language, 250, 2_000),
    "report spree": Plan(habits.sprees, 200, 1_000, once=True),
    "quarrel": Plan(crowds.quarrel, 45, 500),
    "churner": Plan(habits.churners, 0, 500, once=True),
}
CAMPAIGNS = {
    "tight": Plan(by_call.tight, 240),
    "slow": Plan(by_call.slow, 210),
    "rotating": Plan(by_call.rotating, 360, 2_000),
    "hounding": Plan(by_call.hounding, 230),
    "call list": Plan(by_call.call_list, 500, 2_000),
    "inside outrage": Plan(by_call.inside_outrage, 180, 1_500),
    "few accounts": Plan(by_account.few_accounts, 28),
    "slow drip": Plan(by_account.slow_drip, 200),
    "one thread": Plan(by_call.one_thread, 90),
    "sleeper": Plan(by_account.sleepers, 240, 1_500),
    "model text": Plan(by_account.model_texts, 100),
}


def draw(wanted: Wanted) -> World:
    """The world of this seed."""
    rng = np.random.default_rng([wanted.seed, 101])
    community = draw_community(
        rng,
        reviewed=(0.35, 0.75),
        review_hours=(4, 16),
        hides_at=8,
        stops_when_hidden=False,
        carrier=(0.05, 0.25),
        quoting=(0.01, 0.12),
    )
    place = Newspaper(Ledger(rng, wanted, community))
    populate(place, CROWDS, CAMPAIGNS, excess=1.35)
    return world_of(place.ledger, "newspaper")


class Newspaper(Place):
    """Readers, articles, comments."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        rng = self.rng
        self.topic: Ints = np.empty(0, np.int64)  # of accounts
        count = int(0.5 * self.size) + 100
        created = self.aged(count)
        new = rng.random(count) < 0.05
        created[new] = rng.uniform(-4, DAYS * 0.9, int(new.sum())) * DAY
        self.newcomers(created, activity=np.minimum(1 + rng.pareto(1.2, count), 250))
        self.residents = count
        self._draw_articles(max(60, int(self.size / 40)))

    def _draw_articles(self, count: int) -> None:
        rng = self.rng
        self.published = np.sort(in_daylight(rng, count, -2 * DAY, END))  # of articles, which are the contexts
        self.popularity = np.minimum(rng.pareto(1.15, count) + 0.3, max(20.0, count / 12))
        self.subject = rng.integers(0, TOPICS, count)
        sizes = np.maximum(3, rng.poisson(18 * self.popularity / np.sqrt(self.popularity.mean())))
        article = np.repeat(np.arange(count), sizes)
        written = self.published[article] + rng.lognormal(np.log(2.5 * HOUR), 1.2, len(article))
        rank = 1 / np.arange(1, max(150, len(article) // 7) + 1) ** 0.85
        author = rng.choice(len(rank), len(article), p=rank / rank.sum()).astype(np.int64)
        # Malice has two sources: some authors are nasty, and everybody is at times.
        nasty = rng.beta(0.4, 5, len(rank))[author]
        malice = np.maximum(rng.beta(0.35, 4, len(article)), rng.random(len(article)) * nasty)
        breaks = rng.random(len(article)) < np.clip(1.5 * malice + 0.01, 0, 0.95)
        items = self.ledger.add_items(written, author, article, breaks, rng.random(len(article)) < 0.6)
        taste = self.ledger.community.taste
        self.heat = malice**1.4 * rng.lognormal(0, 1, len(items)) + taste * 0.02 * rng.lognormal(0, 1.4, len(items))

    def add_traits(self, accounts: Ints) -> None:
        """A topic each."""
        self.topic = np.concatenate([self.topic, self.rng.integers(0, TOPICS, len(accounts))])

    def write_items(
        self, at: Floats, author: Ints, breaks: Bools, heat: float, context: int | None, language: int
    ) -> Ints:
        """Comments under the articles of the day; a first one with a context of its own stands for an article."""
        rng = self.rng
        reply = rng.random(len(at)) < 0.4
        if context is None and language == 0 and len(at) > 1:
            last = np.maximum(np.searchsorted(self.published, at) - 1, 0)
            article = np.maximum(last - rng.integers(0, 6, len(at)), 0)
        elif context is None:
            article = np.full(len(at), self._new_article(float(at[0])))
        else:
            article = np.full(len(at), context)
        self.heat = np.concatenate([self.heat, heat * rng.lognormal(0, 0.5, len(at))])
        return self.ledger.add_items(at, author, article.astype(np.int64), breaks, reply, language)

    def _new_article(self, at: float) -> int:
        """An article that few read; crowds bring their own readers."""
        number = len(self.popularity)
        self.popularity = np.append(self.popularity, 0.05)
        self.subject = np.append(self.subject, self.rng.integers(0, TOPICS))
        self.published = np.append(self.published, at)
        return number

    def responses(self, accounts: Ints, called_at: float, patience: float) -> Floats:
        """Within an exponential delay, if awake; a few never see the call."""
        at = called_at + self.rng.exponential(patience, len(accounts))
        if patience > 2 * HOUR:
            at = awake(self.rng, at)
        return np.where(self.rng.random(len(accounts)) < 0.95, at, np.nan)

    def visits(self, account: int, since: float, until: float) -> Floats:
        """Once or twice a day, at about the reader's own hour."""
        rng = self.rng
        hour = 6 + (account * 0.6180339887 % 1) * 17  # the same for an account in all of the four weeks
        days = days_between(since, until)
        days = days[rng.random(len(days)) < 0.75]
        at = np.sort(days * DAY + (hour + rng.normal(0, 1.2, len(days))) * HOUR)
        return at[(at >= since) & (at < until)]

    def audience(self, item: int, count: int) -> Ints:
        """Readers of the article's topic above all, the busy ones likelier."""
        subject = self.subject[self.ledger.context[item]]
        weight = self.activity[: self.residents] * np.where(self.topic[: self.residents] == subject, 4.0, 1.0)
        return np.unique(self.rng.choice(self.residents, count, p=weight / weight.sum())).astype(np.int64)

    def ordinary(self, count: int) -> None:
        """Sessions at articles, until there are complaints enough."""
        rng, ledger = self.rng, self.ledger
        sessions = int(count / 1.3) + 10
        chance = self.popularity / self.popularity.sum()
        article = rng.choice(len(chance), 6 * sessions, p=chance)
        at = self.published[article] + rng.lognormal(np.log(7 * HOUR), 1.2, len(article))
        kept = np.flatnonzero((rng.random(len(at)) < daylight(at) + 0.1) & (at > 0) & (at < END))[:sessions]
        article, at = article[kept], at[kept]
        reader = self._readers(self.subject[article])
        many = np.minimum(rng.geometric(0.68, len(at)), 12)
        session = np.repeat(np.arange(len(at)), many)
        item = self._provoking(article[session], at[session])
        there = item >= 0
        moment = at[session] + rng.exponential(2 * MINUTE, len(session))
        ledger.file(reader[session][there], item[there], moment[there], ordinary=True)

    def _readers(self, subject: Ints) -> Ints:
        """One reader a session, mostly of the article's topic."""
        rng = self.rng
        total = self.activity.cumsum()
        reader = np.searchsorted(total, rng.random(len(subject)) * total[-1])
        at_home = rng.random(len(subject)) < AT_HOME
        for topic in range(TOPICS):
            mine = np.flatnonzero(self.topic == topic)
            rows = np.flatnonzero(at_home & (subject == topic))
            weight = self.activity[mine].cumsum()
            if len(mine) and weight[-1] > 0:
                reader[rows] = mine[np.searchsorted(weight, rng.random(len(rows)) * weight[-1])]
        return np.asarray(reader, np.int64)

    def _provoking(self, article: Ints, at: Floats) -> Ints:
        """A comment of each article that is there at that moment, by heat; -1 where there is none. Shape as given."""
        ledger = self.ledger
        order = np.lexsort((ledger.written, ledger.context))
        first = np.searchsorted(ledger.context[order], np.arange(len(self.popularity) + 1))
        total = np.concatenate([[0.0], np.cumsum(self.heat[order])])
        chosen = np.full(len(article), -1, np.int64)
        for number in np.unique(article).tolist():
            rows = np.flatnonzero(article == number)
            lo, hi = first[number], first[number + 1]
            there = lo + np.searchsorted(ledger.written[order[lo:hi]], at[rows])
            mass = total[there] - total[lo]
            picked = np.searchsorted(total, total[lo] + self.rng.random(len(rows)) * mass, "right") - 1
            some = there > lo
            chosen[rows[some]] = order[np.minimum(picked, there - 1)[some]]
        return chosen
