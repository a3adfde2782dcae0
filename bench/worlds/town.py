"""A town's forum, person by person: people come online a few times a day, walk down a front page, and go away again.

The mechanism: agents with habits. Each has an hour of the day, a number of sessions, boards that he or she reads, a
patience for scrolling, and tastes. A board shows its items by votes and age (the formula of link aggregators), so that
what is shown depends on what earlier visitors did; reading is down that list, and a complaint is filed at an item that
is on the screen. The forum hides at ten complaints, after which only pages that are still open bring more. Families
share a device, telephones share their carrier's network, and the people move: some register again on the same
telephone. A call reaches a campaign's members when they next come online, not before.

What the rank does is modelled on the ranking formulas that Reddit and Hacker News published.
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
from bench.worlds.place import OWN_DEVICES, Place, days_between, in_daylight
from bench.worlds.planning import Plan, populate
from bench.worlds.world import DAY, DAYS, END, HOUR, MINUTE, Bools, Floats, Ints, Wanted, World

POLITICS = 0  # the board of election nights
SORTED_BY_NEW = 0.35  # of the visits
SHOWN_HOURS = 30  # for so long an item can be on a front page
PARTISAN, ELECTION, FAMILY = "partisan", "election night", "family"
_HABITS = (
    (7.5, 0.9, 0.2),
    (12.6, 0.8, 0.15),
    (17.0, 1.5, 0.2),
    (20.8, 1.4, 0.35),
    (23.8, 1.2, 0.1),
)  # hour, spread, share


def election_night(place: Place, name: str) -> None:
    """The evening of an election: the politics board with several times its visitors and two camps of them.

    Modelled on any forum on any election night. Nobody calls; the evening itself does.
    """
    assert isinstance(place, Town)
    rng = place.rng
    day = float(rng.integers(5, DAYS - 3))
    place.night = (day * DAY + 18 * HOUR, day * DAY + 24 * HOUR)
    count = max(10, int(0.025 * place.size))
    authors = rng.choice(place.ledger.author, count)
    written = place.night[0] + rng.gamma(2.0, 1.2 * HOUR, count)
    items = place.post(written, authors, rng.random(count) < 0.15, heat=1.0)
    place.board[items] = POLITICS
    place.side[items] = rng.choice([-1.0, 1.0], count)


CROWDS = {
    PARTISAN: Plan(lambda place, name: None, 0, 500, once=True),  # they are in the people themselves
    FAMILY: Plan(lambda place, name: None, 0, 500, once=True),  # likewise
    ELECTION: Plan(election_night, 0, 800, once=True),
    "school class": Plan(crowds.school_class, 40, 800),
    "small language": Plan(habits.small_language, 250, 2_000),
    "watcher": Plan(habits.watchers, 160, 1_000),
    "power reporter": Plan(habits.power_reporters, 400, 500, once=True),
    "patrol": Plan(habits.patrol_of_new, 400, 1_500, once=True),
    "moderator": Plan(habits.moderators, 150, 1_000, once=True),
    "bot": Plan(habits.bots, 60, 2_000, once=True),
    "mod channel": Plan(crowds.mod_channel, 110, 1_500),
    "outside link": Plan(crowds.outside_link, 110, 2_000),
    "spam wave": Plan(crowds.spam_wave, 150, 800),
    "fan club": Plan(crowds.fan_club, 90, 2_000),
    "volunteer": Plan(crowds.volunteers, 110, 800),
    "report spree": Plan(habits.sprees, 200, 1_000, once=True),
    "quarrel": Plan(crowds.quarrel, 45, 500),
    "churner": Plan(habits.churners, 0, 500, once=True),
}
CAMPAIGNS = {
    "call list": Plan(by_call.call_list, 420, 1_500),
    "paid farm": Plan(by_account.paid_farm, 280, 1_500),
    "hounding": Plan(by_call.hounding, 200),
    "group report": Plan(by_call.group_report, 320, 2_000),
    "rivals": Plan(by_call.rivals, 160, 1_000),
    "inside outrage": Plan(by_call.inside_outrage, 180, 2_000),
    "sleeper": Plan(by_account.sleepers, 240, 1_500),
    "slow drip": Plan(by_account.slow_drip, 200),
    "few accounts": Plan(by_account.few_accounts, 28),
    "one thread": Plan(by_call.one_thread, 90),
    "model text": Plan(by_account.model_texts, 100),
    "scheduled": Plan(by_account.scheduled, 140),
}


def draw(wanted: Wanted) -> World:
    """The world of this seed."""
    rng = np.random.default_rng([wanted.seed, 303])
    community = draw_community(
        rng,
        reviewed=(0.4, 0.9),
        review_hours=(3, 30),
        hides_at=10,
        stops_when_hidden=True,
        carrier=(0.2, 0.5),
        quoting=(0.1, 0.5),
    )
    place = Town(Ledger(rng, wanted, community))
    populate(place, CROWDS, CAMPAIGNS, excess=1.8)
    return world_of(place.ledger, "town")


class Town(Place):
    """Agents with habits, boards, and what was on each board's front page when."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        rng, count = self.rng, int(0.7 * self.size) + 220
        self.boards = int(np.clip(self.size / 900, 5, 40))  # without those of small languages
        self.tick = (
            HOUR / 4 if self.size >= 20_000 else HOUR / 2 if self.size >= 5_000 else HOUR
        )  # small pages change slowly
        self.night: tuple[float, float] | None = None  # of an election
        self.hour: Floats = np.empty(0)  # of agents: the middle of their habit
        self.spread: Floats = np.empty(0)  # of agents, in hours
        self.sessions: Floats = np.empty(0)  # of agents, a day
        self.home: Ints = np.empty(0, np.int64)  # of agents: the board they read most
        self.depth: Floats = np.empty(0)  # of agents: how many items down they get
        self.camp: Floats = np.empty(0)  # of agents: -1, 0 or 1; 0 does not care
        created = self.aged(count)
        new = rng.random(count) < 0.1
        created[new] = rng.uniform(-20, DAYS * 0.85, int(new.sum())) * DAY
        self.newcomers(created, activity=np.minimum(rng.lognormal(-0.6, 1.15, count), 40))
        self.residents = ledger.writers = count  # the same people write
        self._name_camps()
        self._draw_families()
        self._draw_items(int(1.8 * self.size) + 150)

    def add_traits(self, accounts: Ints) -> None:
        """Habits of the day, boards, patience and a camp."""
        rng, count = self.rng, len(accounts)
        middle, spread, share = np.array(_HABITS).T
        habit = rng.choice(len(share), count, p=share)
        self.hour = np.concatenate([self.hour, middle[habit] + rng.normal(0, 0.5, count)])
        self.spread = np.concatenate([self.spread, spread[habit]])
        self.sessions = np.concatenate([self.sessions, np.minimum(rng.gamma(1.2, 0.5, count), 8)])
        self.home = np.concatenate([self.home, self._some_boards(count)])
        self.depth = np.concatenate([self.depth, 3 + rng.exponential(14, count)])
        self.camp = np.concatenate([self.camp, np.zeros(count)])

    def _some_boards(self, count: int) -> Ints:
        """So many boards, the large ones likelier."""
        size = 1 / np.arange(1, self.boards + 1) ** 0.8
        return self.rng.choice(self.boards, count, p=size / size.sum()).astype(np.int64)

    def _name_camps(self) -> None:
        rng = self.rng
        wanted = self.ledger.wanted.crowds
        if wanted is None or PARTISAN in wanted:
            share = rng.uniform(0.03, 0.1)
            partisan = np.flatnonzero(rng.random(self.residents) < share)
            self.camp[partisan] = rng.choice([-1.0, 1.0], len(partisan))
            self.ledger.label(partisan, PARTISAN)

    def _draw_families(self) -> None:
        """Two to four people on one device, at the same hours and with like interests."""
        rng = self.rng
        wanted = self.ledger.wanted.crowds
        if wanted is not None and FAMILY not in wanted:
            return
        people = rng.permutation(self.residents)[: int(rng.uniform(0.08, 0.25) * self.residents)]
        while len(people) >= 4:
            size = int(rng.integers(2, 5))
            family, people = people[:size], people[size:]
            self.ledger.device[family] = rng.integers(OWN_DEVICES, 1 << 44)
            self.hour[family] = self.hour[family[0]] + rng.normal(0, 0.7, size)
            alike = rng.random(size) < 0.6
            self.home[family[alike]] = self.home[family[0]]
            self.ledger.label(family, FAMILY)

    def _draw_items(self, count: int) -> None:
        """A third are posts, the rest comments under them, on boards of very different size."""
        rng = self.rng
        posts = max(12, count // 3)
        board = self._some_boards(posts)
        written = np.sort(in_daylight(rng, posts, -DAY, END - HOUR))
        draw = rng.pareto(1.1, posts) + 0.2
        parent = rng.choice(posts, count - posts, p=draw / draw.sum())
        answered = written[parent] + rng.lognormal(np.log(80 * MINUTE), 1.1, count - posts)
        voice = np.minimum(rng.pareto(1.0, self.residents), 300)
        author = rng.choice(self.residents, count, p=voice / voice.sum()).astype(np.int64)
        nasty = (rng.random(self.residents) < 0.06)[author]
        breaks = rng.random(count) < np.where(nasty, 0.35, 0.05)
        context = np.concatenate([np.arange(posts), parent])
        self.ledger.add_items(np.concatenate([written, answered]), author, context, breaks, np.arange(count) >= posts)
        self.threads = posts
        self.board = np.concatenate([board, board[parent]])
        self.quality = rng.lognormal(-1.2, 0.8, count)  # how readily it is voted up
        self.side = np.where(rng.random(count) < np.where(self.board == POLITICS, 0.5, 0.08), 1.0, 0.0)
        self.side *= rng.choice([-1.0, 1.0], count)
        self.heat = np.where(breaks, 1.0, 0.02 + 0.1 * rng.beta(0.5, 3, count)) * rng.lognormal(0, 0.7, count)

    def write_items(
        self, at: Floats, author: Ints, breaks: Bools, heat: float, context: int | None, language: int
    ) -> Ints:
        """Posts on the boards (a small language has one that no front page shows), or comments in one thread."""
        rng, count = self.rng, len(at)
        threads = self.threads + np.arange(count) if context is None else np.full(count, context)
        self.threads += count if context is None else 0
        boards = np.full(count, self.boards) if language else self._some_boards(count)
        self.board = np.concatenate([self.board, boards])
        self.quality = np.concatenate([self.quality, rng.lognormal(-1.2, 0.8, count)])
        self.side = np.concatenate([self.side, np.zeros(count)])
        self.heat = np.concatenate(
            [self.heat, np.where(breaks, 1.0, 0.08) * (0.5 + heat) * rng.lognormal(0, 0.5, count)]
        )
        return self.ledger.add_items(
            at, author, threads.astype(np.int64), breaks, np.full(count, context is not None), language
        )

    # -- when people are there

    def visits(self, account: int, since: float, until: float) -> Floats:
        """Sessions by habit: on a day as many as a Poisson draw says, later at weekends."""
        rng = self.rng
        days = days_between(since, until)
        day = np.repeat(days, rng.poisson(max(0.4, self.sessions[account]), len(days)))
        late = np.where(day % 7 >= 5, rng.exponential(1.2, len(day)), 0.0)
        at = np.sort(day * DAY + (self.hour[account] + late + rng.normal(0, self.spread[account] + 1, len(day))) * HOUR)
        return at[(at >= since) & (at < until)]

    def responses(self, accounts: Ints, called_at: float, patience: float) -> Floats:
        """At once by who is online or has a telephone that rings; otherwise at the next session, if that is soon
        enough.
        """
        rng = self.rng
        at = np.full(len(accounts), np.nan)
        for k, account in enumerate(accounts.tolist()):
            away = abs((called_at / HOUR - self.hour[account] + 12) % 24 - 12)
            if rng.random() < 0.75 * np.exp(-0.5 * (away / (self.spread[account] + 3)) ** 2) + 0.1:
                at[k] = called_at + rng.exponential(patience)
                continue
            later = self.visits(account, called_at, called_at + 6 * patience + 2 * HOUR)
            if len(later):
                at[k] = later[0] + rng.exponential(4 * MINUTE)
        return at

    def audience(self, item: int, count: int) -> Ints:
        """Readers of the item's board, by how often they come."""
        board = int(self.board[item])
        weight = self.sessions[: self.residents] * np.where(self.home[: self.residents] == board, 6.0, 1.0)
        return np.unique(self.rng.choice(self.residents, count, p=weight / weight.sum())).astype(np.int64)

    # -- front pages, and who complains on the way down

    def ordinary(self, count: int) -> None:
        """Walk everybody's sessions down the front pages and file what they complain about."""
        agent, at, board = self._sessions()
        ledger, rng = self.ledger, self.rng
        board_order = np.lexsort((at, board))
        seen: list[tuple[Ints, Ints, Floats]] = []
        for number in range(self.boards):
            mine = board_order[board[board_order] == number]
            seen += _walked(self, number, agent[mine], at[mine])
        item, person, moment = (np.concatenate(column) for column in zip(*seen, strict=True))
        chance = self.activity[person] * self._urge(item, person)
        factor = count / max(chance.sum(), 1e-9)
        for _ in range(12):
            factor *= count / max(np.minimum(0.6, factor * chance).sum(), 1e-9)
        filed = rng.random(len(chance)) < np.minimum(0.6, factor * chance)
        ledger.file(person[filed], item[filed], moment[filed], ordinary=True)
        if self.night is not None:
            there = (moment[filed] >= self.night[0]) & (moment[filed] < self.night[1])
            ledger.label(np.unique(person[filed][there & (self.board[item[filed]] == POLITICS)]), ELECTION)

    def _urge(self, item: Ints, person: Ints) -> Floats:
        """How much each view provokes a complaint: by rules, by taste, and by camp."""
        taste = self.ledger.community.taste
        own = np.where(self.ledger.breaks[item], 1 - 0.6 * taste, 1.2 * taste) * self.heat[item]
        against = np.maximum(0.0, -self.camp[person] * self.side[item])
        return np.asarray(own + 1.6 * against)

    def _sessions(self) -> tuple[Ints, Floats, Ints]:
        """Everybody's sessions: agent, moment and board, parallel columns."""
        rng = self.rng
        willing = np.flatnonzero(self.activity > 0)
        many = rng.poisson(self.sessions[willing] * (DAYS + 1))
        agent = np.repeat(willing, many)
        day = rng.integers(-1, DAYS, len(agent))
        late = np.where(day % 7 >= 5, rng.exponential(1.2, len(agent)), 0.0)
        hour = self.hour[agent] + late + rng.normal(0, self.spread[agent] + 0.4)
        at = day * DAY + hour * HOUR
        board = np.where(rng.random(len(agent)) < 0.65, self.home[agent], self._some_boards(len(agent)))
        if self.night is not None:
            guests = rng.choice(willing, int(0.5 * len(willing)))
            agent = np.concatenate([agent, guests])
            at = np.concatenate([at, rng.uniform(self.night[0], self.night[1], len(guests))])
            board = np.concatenate([board, np.full(len(guests), POLITICS)])
        inside = (at >= -0.5 * DAY) & (at < END)
        return agent[inside].astype(np.int64), at[inside], board[inside].astype(np.int64)


def _walked(town: Town, board: int, agent: Ints, at: Floats) -> list[tuple[Ints, Ints, Floats]]:
    """The views of one board, tick by tick: (item, agent, moment) columns. Votes move what later visitors see."""
    rng, written = town.rng, town.ledger.written
    items = np.flatnonzero(town.board == board)
    items = items[np.argsort(written[items])]
    votes = np.ones(len(items))
    tick = np.floor(at / town.tick).astype(np.int64)
    bounds = np.flatnonzero(np.diff(tick)) + 1
    found: list[tuple[Ints, Ints, Floats]] = []
    for rows in np.split(np.arange(len(at)), bounds):
        if not len(rows):
            continue
        now = at[rows[0]]
        lo, hi = np.searchsorted(written[items], [now - SHOWN_HOURS * HOUR, now]).tolist()
        if hi == lo:
            continue
        age = (now - written[items[lo:hi]]) / HOUR
        ranked = lo + np.argsort(-votes[lo:hi] / (age + 2) ** 1.6, kind="stable")
        deep = np.minimum(rng.poisson(town.depth[agent[rows]]), len(ranked))
        row = np.repeat(rows, deep)
        position = np.arange(len(row)) - np.repeat(np.cumsum(deep) - deep, deep)
        by_age = np.repeat(rng.random(len(rows)) < SORTED_BY_NEW, deep)
        shown = np.where(by_age, hi - 1 - position, ranked[position])
        liked = rng.random(len(row)) < np.minimum(0.5, town.quality[items[shown]] * 0.15)
        np.add.at(votes, shown[liked], 1.0)
        found.append((items[shown], agent[row], at[row] + position * rng.uniform(4, 20, len(row))))
    return found
