"""The newspaper of the demo's world: its readers, its articles and comments, and what ordinary readers complain about.

Readers complain in sessions: an article draws them by its popularity, they pick comments by their heat, and a few
readers are far busier than the rest. Accounts, articles and comments are numbers here; service/demo/documents.py gives
them ids. Times are seconds since the beginning of the world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

START = datetime(2021, 12, 1, tzinfo=UTC)
DAYS, HOUR, DAY = 28, 3_600.0, 86_400.0
REMOVAL_COUNT = 8  # complaints at which the newspaper automatically removes a comment
TOPICS = 12
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ComplaintColumns:
    """Complaints drawn together: parallel columns."""

    account: Ints
    comment: Ints
    at: Floats


class Newspaper:
    """One world while it is being drawn. Crowds and campaigns add their complaints to it.

    The order of the draws is part of the result: the same seed gives the same world only while it stays as it is.
    """

    def __init__(self, rng: np.random.Generator, organic: int, start: datetime) -> None:
        self.rng, self.start, self.groups = rng, start, list[ComplaintColumns]()
        self.campaign_of_account: dict[int, str] = {}
        self.campaign_of_comment: dict[int, str] = {}
        self.crowd_of_comment: dict[int, str] = {}
        self.group_of_account: dict[int, str] = {}  # honest, and acting together
        self.group_of_comment: dict[int, str] = {}
        self._draw_accounts(int(organic * 0.45) + 600)
        self._draw_articles(max(200, int(DAYS * 45 * organic / 60_000)))
        self._draw_sessions(organic)

    def _draw_accounts(self, count: int) -> None:
        rng = self.rng
        self.readers = count
        self.activity = np.minimum(1 + rng.pareto(1.25, count), 400)
        self.topic = rng.integers(0, TOPICS, count)
        self.born = -np.minimum(rng.lognormal(np.log(500), 1.3, count), 6_000) * DAY
        joined = rng.random(count) < 0.04
        self.born[joined] = rng.uniform(-5, DAYS * 0.9, joined.sum()) * DAY
        self.device = rng.integers(1 << 40, 1 << 44, count)
        shared = rng.random(count) < 0.12  # mobile carriers and offices: many honest accounts share an address
        self.device[shared] = rng.zipf(1.4, shared.sum()) % 300
        self.readers_of_topic = [np.flatnonzero(self.topic == topic) for topic in range(TOPICS)]

    def _draw_articles(self, count: int) -> None:
        rng = self.rng
        self.published = np.sort(self._in_rhythm(count, lambda n: rng.uniform(-2 * DAY, DAYS * DAY, n)))
        popularity = rng.pareto(1.2, count) + 0.3
        self.popularity = np.minimum(popularity, np.quantile(popularity, 0.99))
        self.article_topic = rng.integers(0, TOPICS, count)
        sizes = np.maximum(4, rng.poisson(20 * self.popularity / np.sqrt(self.popularity.mean())))
        self.article = np.repeat(np.arange(count), sizes)
        self.first = np.concatenate([[0], np.cumsum(sizes)])
        self.written = self.published[self.article] + rng.lognormal(np.log(2.5 * HOUR), 1.3, len(self.article))
        rank = 1 / np.arange(1, max(800, len(self.article) // 6) + 1) ** 0.8
        self.author = rng.choice(len(rank), len(self.article), p=rank / rank.sum())
        self.malice = rng.beta(0.35, 4, len(self.article))
        self.heat = self.malice**1.5 * rng.lognormal(0, 1, len(self.article)) + 1e-4
        self.breaks_rules = rng.random(len(self.article)) < np.clip(1.6 * self.malice + 0.02, 0, 0.97)
        self.reply = rng.random(len(self.article)) < 0.6

    def _in_rhythm(self, count: int, draw: Callable[[int], Floats]) -> Floats:
        """Times from `draw`, thinned to the daily rhythm of readers."""
        kept: list[Floats] = []
        while sum(map(len, kept)) < count:
            at = draw(2 * count)
            kept.append(at[self.rng.random(len(at)) < _daylight(at)])
        return np.concatenate(kept)[:count]

    def taken(self) -> Ints:
        """The comments that a crowd, a group or a campaign uses."""
        return np.array([*self.campaign_of_comment, *self.crowd_of_comment, *self.group_of_comment], int)

    def pick_readers(self, topics: Ints) -> Ints:
        """Pick one reader per topic, usually one of that topic, busy readers more often."""
        rng = self.rng
        reader = rng.choice(
            self.readers, len(topics), p=self.activity[: self.readers] / self.activity[: self.readers].sum()
        )
        at_home = rng.random(len(topics)) < 0.75
        for topic, of_topic in enumerate(self.readers_of_topic):
            here = np.flatnonzero(at_home & (topics == topic))
            weight = self.activity[of_topic]
            reader[here] = rng.choice(of_topic, len(here), p=weight / weight.sum())
        return reader

    def _draw_sessions(self, complaints: int) -> None:
        rng = self.rng
        sessions = int(complaints / 1.45)
        article = rng.choice(len(self.popularity), 3 * sessions, p=self.popularity / self.popularity.sum())
        at = self.published[article] + rng.lognormal(np.log(7 * HOUR), 1.2, len(article))
        kept = np.flatnonzero((rng.random(len(at)) < _daylight(at) + 0.15) & (at > 0) & (at < DAYS * DAY))[:sessions]
        article, at = article[kept], at[kept]
        reader = self.pick_readers(self.article_topic[article])
        for number in np.unique(article):
            self._read(number, reader[article == number], at[article == number])

    def _read(self, article: int, readers: Ints, at: Floats) -> None:
        """Sessions on one article: each complains about one or a few of the comments written by then."""
        rng = self.rng
        here = np.arange(self.first[article], self.first[article + 1])
        chosen, when, who = [], [], []
        for reader, moment in zip(readers, at, strict=True):
            there = here[self.written[here] < moment]
            if len(there) == 0:
                continue
            weight = self.heat[there]
            count = min(int(rng.geometric(0.69)), 12, len(there))
            picked = rng.choice(there, count, replace=False, p=weight / weight.sum())
            chosen.append(picked)
            when.append(moment + np.cumsum(rng.exponential(60, count)))
            who.append(np.full(count, reader))
        if chosen:
            self.add(np.concatenate(who), np.concatenate(chosen), np.concatenate(when))

    def add(self, account: Ints, comment: Ints, at: Floats) -> None:
        """Add complaints: parallel columns, seconds in `at`."""
        self.groups.append(ComplaintColumns(np.asarray(account), np.asarray(comment), np.asarray(at)))

    def new_accounts(self, count: int, *, fresh_before: float | None, fresh: float, devices: float) -> Ints:
        """Create `count` accounts that are not ordinary readers; returns their numbers.

        `fresh` is the share created within six days before `fresh_before` (seconds), `devices` the share that uses one
        of three shared devices.
        """
        rng = self.rng
        numbers = np.arange(len(self.born), len(self.born) + count)
        born = -np.minimum(rng.lognormal(np.log(400), 1.2, count), 5_000) * DAY
        if fresh_before is not None:
            new = rng.random(count) < fresh
            born[new] = fresh_before - rng.uniform(0, 6, new.sum()) * DAY
        device = rng.integers(1 << 40, 1 << 44, count)
        together = rng.random(count) < devices
        device[together] = rng.choice(rng.integers(1 << 40, 1 << 44, 3), together.sum())
        self.born, self.device = np.concatenate([self.born, born]), np.concatenate([self.device, device])
        return numbers


def _daylight(at: Floats) -> Floats:
    """How awake the readers are, 0.15 to 1; lowest at four in the morning."""
    return np.asarray(0.15 + 0.85 * (0.5 - 0.5 * np.cos((at / HOUR % 24 - 4) / 24 * 2 * np.pi)) ** 1.5)
