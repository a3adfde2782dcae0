"""A seeded world of complaints at a newspaper: honest readers, honest crowds and four campaigns.

Readers complain in sessions: an article draws them by its popularity, they pick comments by their heat, and a few
readers are far busier than the rest. Honest crowds, which must not be flagged: outrage at one comment that went viral,
an evening patrol of volunteers who are nearly always right, one popular article. Campaigns, which should be: a tight
brigade (minutes, partly fresh accounts on shared devices), a slow one (within 36 h a target), one that rotates its
members, one against a single author. The newspaper removes at eight complaints by itself; people look at about 60 %
later.

Pure: the same seed gives the same world. Times are seconds since its beginning, `START` unless told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from service.demo.prose import account_name, comment_text, complaint_text, slug

START = datetime(2021, 12, 1, tzinfo=UTC)
DAYS, HOUR, DAY = 28, 3_600.0, 86_400.0
REMOVAL_COUNT = 8  # the newspaper removes a comment by itself at so many complaints
TOPICS = 12
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a campaign goes about it."""

    name: str
    accounts: int
    targets: int
    days: float
    share: float  # of the accounts that take part at a target
    lag_seconds: float  # mean delay of one account; the slow brigade spreads evenly over it
    even: bool = False
    fresh: float = 0.0  # share of accounts made just before
    devices: float = 0.0  # share of accounts on shared devices
    authors: int = 0  # 0: whoever wrote it


CAMPAIGNS = (
    Plan("tight brigade", 25, 12, 9, 0.8, 300, fresh=0.35, devices=0.4, authors=3),
    Plan("slow brigade", 25, 12, 12, 0.7, 36 * HOUR, even=True, fresh=0.1),
    Plan("rotating brigade", 60, 20, 12, 0.3, 900, fresh=0.25, devices=0.1),
    Plan("against one author", 20, 10, 9, 0.8, HOUR, fresh=0.25, authors=1),
)


@dataclass
class World:
    """The drawn world: documents in the service's own formats, and what was planted."""

    complaints: list[dict[str, Any]] = field(default_factory=list)  # by occurred_at
    outcomes: list[dict[str, Any]] = field(default_factory=list)  # by decided_at
    campaign_by_account: dict[str, str] = field(default_factory=dict)
    campaign_by_target: dict[str, str] = field(default_factory=dict)
    crowd_by_target: dict[str, str] = field(default_factory=dict)  # honest crowds


def draw_world(seed: int, complaints: int, start: datetime = START) -> World:
    """A world of about `complaints` complaints over the 28 days from `start`.

    Raises ValueError below 2,000: campaigns and crowds alone are about 1,900.
    """
    if complaints < 2_000:
        raise ValueError(
            f"{complaints} complaints are too few for the campaigns and crowds of this world: 2,000 at least"
        )
    return _Drawing(np.random.default_rng(seed), organic=max(500, complaints - 2_000), start=start).world()


@dataclass(frozen=True, slots=True)
class _Group:
    """Complaints drawn together: parallel columns."""

    account: Ints
    comment: Ints
    at: Floats


class _Drawing:
    """One world while it is drawn; comments, articles and accounts are numbers until the end."""

    def __init__(self, rng: np.random.Generator, organic: int, start: datetime) -> None:
        self.rng, self.start, self.groups = rng, start, list[_Group]()
        self.campaign_of_account: dict[int, str] = {}
        self.campaign_of_comment: dict[int, str] = {}
        self.crowd_of_comment: dict[int, str] = {}
        self._draw_accounts(int(organic * 0.45) + 600)
        self._draw_articles(max(200, int(DAYS * 45 * organic / 60_000)))
        self._draw_sessions(organic)
        self.patrol = self._new_accounts(10, fresh_before=None, fresh=0, devices=0)
        for crowd in (0, 1, 2):
            self._draw_viral_outrage(crowd)
            self._draw_patrol(crowd)
        self._draw_popular_article()
        for plan in CAMPAIGNS:
            self._draw_campaign(plan)

    # -- the place and its readers

    def _draw_accounts(self, count: int) -> None:
        rng = self.rng
        self.readers = count
        self.activity = np.minimum(1 + rng.pareto(1.25, count), 400)
        self.topic = rng.integers(0, TOPICS, count)
        self.born = -np.minimum(rng.lognormal(np.log(500), 1.3, count), 6_000) * DAY
        joined = rng.random(count) < 0.04
        self.born[joined] = rng.uniform(-5, DAYS * 0.9, joined.sum()) * DAY
        self.device = rng.integers(1 << 40, 1 << 44, count)
        shared = rng.random(count) < 0.12  # mobile carriers and offices: many honest accounts behind one address
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
        """Times from `draw`, thinned to the rhythm of a day."""
        kept: list[Floats] = []
        while sum(map(len, kept)) < count:
            at = draw(2 * count)
            kept.append(at[self.rng.random(len(at)) < _daylight(at)])
        return np.concatenate(kept)[:count]

    def _pick_readers(self, topics: Ints) -> Ints:
        """One reader a topic given, mostly of that topic, the busy ones more often."""
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
        reader = self._pick_readers(self.article_topic[article])
        for number in np.unique(article):
            self._read(number, reader[article == number], at[article == number])

    def _read(self, article: int, readers: Ints, at: Floats) -> None:
        """Sessions at one article: each complains about one comment or a few that were there."""
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
            self._add(np.concatenate(who), np.concatenate(chosen), np.concatenate(when))

    def _add(self, account: Ints, comment: Ints, at: Floats) -> None:
        self.groups.append(_Group(np.asarray(account), np.asarray(comment), np.asarray(at)))

    # -- honest crowds

    def _evening(self, index: int) -> float:
        return float((3 + 8 * index + self.rng.integers(0, 4)) * DAY + self.rng.uniform(17, 21) * HOUR)

    def _fresh_comments(self, at: float, count: int) -> Ints:
        """Distinct comments of the last day before `at`, that nothing else was planned for."""
        age = at - self.written
        taken = np.array([*self.campaign_of_comment, *self.crowd_of_comment], int)
        free = np.setdiff1d(np.flatnonzero((age > 0) & (age < 1.5 * DAY)), taken)
        return self.rng.choice(free, min(count, len(free)), replace=False)

    def _draw_viral_outrage(self, index: int) -> None:
        rng, began = self.rng, self._evening(index)
        comment = self._fresh_comments(began, 1)
        readers = np.unique(
            rng.choice(
                self.readers,
                int(rng.integers(150, 350)),
                p=self.activity[: self.readers] / self.activity[: self.readers].sum(),
            )
        )
        self._add(readers, np.full(len(readers), comment[0]), began + rng.gamma(1.5, 1_500, len(readers)))
        self.crowd_of_comment[int(comment[0])] = "viral outrage"
        self.breaks_rules[comment] = index != 2

    def _draw_patrol(self, index: int) -> None:
        rng, began = self.rng, self._evening(index)
        spam = self._fresh_comments(began, 30)
        self.author[spam] = self.author.max() + 1 + rng.integers(0, 4, len(spam))
        self.breaks_rules[spam] = rng.random(len(spam)) < 0.97
        for comment in spam:
            who = self.patrol[rng.random(10) < 0.7]
            self._add(who, np.full(len(who), comment), began + rng.uniform(0, 5_400) + rng.exponential(400, len(who)))
            self.crowd_of_comment[int(comment)] = "patrol"

    def _draw_popular_article(self) -> None:
        rng = self.rng
        big = np.flatnonzero(
            (self.published > 2 * DAY) & (self.published < (DAYS - 4) * DAY) & (np.diff(self.first) > 25)
        )
        article = int(rng.choice(big)) if len(big) else int(np.diff(self.first).argmax())
        here = np.arange(self.first[article], self.first[article + 1])
        comments = rng.choice(here, min(40, len(here)), replace=False)
        weight = rng.pareto(1.2, len(comments)) + 0.2
        for reader in np.unique(self._pick_readers(np.full(220, self.article_topic[article]))):
            picked = rng.choice(
                comments, min(len(comments), int(rng.integers(2, 6))), replace=False, p=weight / weight.sum()
            )
            at = self.published[article] + rng.lognormal(np.log(5 * HOUR), 0.8)
            self._add(
                np.full(len(picked), reader),
                picked,
                np.maximum(at, self.written[picked] + 30) + rng.exponential(90, len(picked)),
            )
        self.crowd_of_comment |= {int(c): "popular article" for c in comments if int(c) not in self.crowd_of_comment}

    # -- campaigns

    def _new_accounts(self, count: int, *, fresh_before: float | None, fresh: float, devices: float) -> Ints:
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

    def _draw_campaign(self, plan: Plan) -> None:
        rng = self.rng
        began = rng.uniform(3, DAYS - plan.days - 3) * DAY
        members = self._new_accounts(plan.accounts, fresh_before=began, fresh=plan.fresh, devices=plan.devices)
        targets = self._harmless_comments(began, began + plan.days * DAY, plan.targets)
        if plan.authors:
            self.author[targets] = rng.choice(np.arange(40, 400), plan.authors, replace=False)[
                rng.integers(0, plan.authors, len(targets))
            ]
        self.reply[targets] = rng.random(len(targets)) < 0.05  # they go for what stands alone
        self.breaks_rules[targets] = rng.random(len(targets)) < 0.08
        for comment in targets:
            who = members[rng.random(len(members)) < plan.share]
            seen = self.written[comment] + rng.lognormal(np.log(4 * HOUR), 0.7)
            lag = (
                rng.uniform(0, plan.lag_seconds, len(who)) if plan.even else rng.exponential(plan.lag_seconds, len(who))
            )
            self._add(who, np.full(len(who), comment), seen + lag)
        self._add_cover(members, int(0.3 * len(members)))
        self.campaign_of_account |= {int(member): plan.name for member in members}
        self.campaign_of_comment |= {int(comment): plan.name for comment in targets}

    def _harmless_comments(self, since: float, until: float, count: int) -> Ints:
        taken = np.array([*self.campaign_of_comment, *self.crowd_of_comment], int)
        free = np.setdiff1d(
            np.flatnonzero((self.written > since) & (self.written < until) & (self.malice < 0.2)), taken
        )
        weight = np.sqrt(self.popularity[self.article[free]])
        return self.rng.choice(free, min(count, len(free)), replace=False, p=weight / weight.sum())

    def _add_cover(self, members: Ints, count: int) -> None:
        """Now and then a member complains like anybody else."""
        rng = self.rng
        weight = self.popularity[self.article] * self.heat
        comments = rng.choice(len(weight), count, p=weight / weight.sum())
        self._add(
            rng.choice(members, count), comments, self.written[comments] + rng.lognormal(np.log(5 * HOUR), 1, count)
        )

    # -- documents

    def world(self) -> World:
        """What was drawn, as documents."""
        account, comment, at = (
            np.concatenate([getattr(g, column) for g in self.groups]) for column in ("account", "comment", "at")
        )
        inside = np.flatnonzero((at > 0) & (at < DAYS * DAY))
        order = inside[np.argsort(at[inside], kind="stable")]
        account, comment, at = account[order], comment[order], at[order]
        pairs = np.unique(account * len(self.article) + comment, return_index=True)[1]  # a reader flags a comment once
        kept = np.sort(pairs)
        account, comment, at = account[kept], comment[kept], at[kept]
        np.minimum.at(self.born, account, at - HOUR)  # nobody complains before having an account
        names = _Names(self.rng, len(self.born), len(self.article), len(self.popularity), int(self.author.max()) + 1)
        return World(
            complaints=list(self._complaints(names, account, comment, at)),
            outcomes=self._outcomes(names, comment, at),
            campaign_by_account={names.account(k): name for k, name in self.campaign_of_account.items()},
            campaign_by_target={names.comment(k): name for k, name in self.campaign_of_comment.items()},
            crowd_by_target={names.comment(k): name for k, name in self.crowd_of_comment.items()},
        )

    def _complaints(self, names: _Names, account: Ints, comment: Ints, at: Floats) -> Iterator[dict[str, Any]]:
        rng = self.rng
        reasons = rng.choice(
            ["insult", "hate", "spam", "off-topic", "false claim"], len(at), p=[0.35, 0.2, 0.2, 0.15, 0.1]
        )
        number = rng.permutation(len(at)) + 100_000
        for k, (who, what, when) in enumerate(zip(account.tolist(), comment.tolist(), at.tolist(), strict=True)):
            article = int(self.article[what])
            reporter = {
                "id": names.account(who),
                "account_created_at": self._stamp(self.born[who]),
                "fingerprint": f"fp-{int(self.device[who]):011x}",
            }
            target = {
                "id": names.comment(what),
                "kind": "comment",
                "author_id": names.author(int(self.author[what])),
                "context_id": names.article(article),
                "excerpt": comment_text(what, bool(self.breaks_rules[what])),
                "attributes": {"is_reply": bool(self.reply[what])},
            }
            document: dict[str, Any] = {
                "id": f"flag-{number[k]}",
                "occurred_at": self._stamp(when),
                "reporter": reporter,
                "target": target,
                "reason": str(reasons[k]),
            }
            if text := complaint_text(int(number[k])):
                document["text"] = text
            yield document

    def _outcomes(self, names: _Names, comment: Ints, at: Floats) -> list[dict[str, Any]]:
        """Removal by count at once, people later: about 60 % of what was complained about, fewer where the count has
        settled it.
        """
        rng = self.rng
        order = np.argsort(comment, kind="stable")
        found: list[tuple[float, dict[str, Any]]] = []
        for block in np.split(order, np.flatnonzero(np.diff(comment[order])) + 1):
            what, times = int(comment[block[0]]), at[block]
            by_count = len(times) >= REMOVAL_COUNT
            if by_count:
                found.append(
                    (
                        float(times[REMOVAL_COUNT - 1]) + 1,
                        {"target_id": names.comment(what), "action": "removed", "decided_by": "automatic"},
                    )
                )
            if rng.random() < (
                0.35
                if by_count and what in self.campaign_of_comment
                else 0.85
                if what in self.crowd_of_comment
                else 0.6
            ):
                wrong = bool(rng.random() < 0.03) != bool(self.breaks_rules[what])
                action = "removed" if wrong else "restored" if by_count else "kept"
                when = float(times[min(len(times), REMOVAL_COUNT) - 1]) + rng.lognormal(np.log(8 * HOUR), 0.8)
                found.append(
                    (
                        when,
                        {
                            "target_id": names.comment(what),
                            "verdict": "upheld" if wrong else "rejected",
                            "action": action,
                            "decided_by": "person",
                        },
                    )
                )
        inside = sorted((pair for pair in found if pair[0] < DAYS * DAY), key=lambda pair: pair[0])
        return [
            {"id": f"decision-{50_000 + k}", **document, "decided_at": self._stamp(when)}
            for k, (when, document) in enumerate(inside)
        ]

    def _stamp(self, seconds: float) -> str:
        return (
            (self.start + timedelta(seconds=float(seconds))).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )


class _Names:
    """Ids that tell nothing about who came when, or who belongs to what."""

    def __init__(self, rng: np.random.Generator, accounts: int, comments: int, articles: int, authors: int) -> None:
        self._account, self._comment = rng.permutation(accounts), rng.permutation(comments)
        self._article, self._author = rng.permutation(articles), rng.permutation(authors)

    def account(self, k: int) -> str:
        return f"u{1_000_000 + 37 * int(self._account[k])}"

    def comment(self, k: int) -> str:
        return f"comment-{48_000_000 + 11 * int(self._comment[k])}"

    def article(self, k: int) -> str:
        return slug(int(self._article[k]))

    def author(self, k: int) -> str:
        return account_name(int(self._author[k]))


def _daylight(at: Floats) -> Floats:
    """How awake the readers are, 0.15 to 1; lowest at four in the morning."""
    return np.asarray(0.15 + 0.85 * (0.5 - 0.5 * np.cos((at / HOUR % 24 - 4) / 24 * 2 * np.pi)) ** 1.5)
