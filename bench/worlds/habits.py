"""Honest people with a habit: alone each of them, and yet at the same targets as others, for weeks.

See crowds.py, which has what happens in one evening; the same rules hold here.
"""

from __future__ import annotations

import numpy as np

from bench.worlds.place import Place, awake
from bench.worlds.world import DAY, DAYS, END, HOUR, MINUTE, Ints


def sprees(place: Place, name: str) -> None:
    """People who quarrelled with somebody and report, in ten minutes, everything that this person ever wrote.

    Modelled on what moderators know as "report sprees". Each is one angry reader; some authors have several.
    """
    rng = place.rng
    people = place.regulars(max(3, int(9 * place.scale)))
    place.ledger.label(people, name)
    authors = rng.choice(place.ledger.author, max(2, len(people) // 2))
    for person in people.tolist():
        looks = place.visits(person, 5 * DAY, END)
        if not len(looks):
            continue
        began = float(rng.choice(looks))
        written = place.ledger.written
        his = np.flatnonzero((place.ledger.author == rng.choice(authors)) & (written < began))
        mine = his[np.argsort(-written[his])][: int(rng.integers(8, 50))]
        place.ledger.file(np.full(len(mine), person), mine, began + np.cumsum(rng.exponential(11, len(mine))))


def watchers(place: Place, name: str) -> None:
    """Readers of one disliked author's page: each alone goes through what is new there and reports some of it.

    Modelled on "hate-reading" and "hate-following". Nobody calls anybody; most complaints are rejected because most of
    what the author writes is within the rules. The hardest honest kind there is.
    """
    rng = place.rng
    since = rng.uniform(0, 6) * DAY
    author = place.busy_author(since, END - 2 * DAY, max(8, int(25 * place.scale)))
    free = np.concatenate([place.free_items(since, END, breaks=breaks) for breaks in (False, True)])
    items = np.sort(free[place.ledger.author[free] == author])[:60]
    place.ledger.busy.update(items.tolist())
    people = place.regulars(int(rng.uniform(20, 50) * place.scale) + 5)
    place.ledger.label(people, name)
    for person in people.tolist():
        begun, rate = since + rng.exponential(3 * DAY), rng.beta(2, 6)
        looks = place.visits(person, begun, min(END, begun + rng.exponential(14 * DAY)))
        looks = looks[rng.random(len(looks)) < 0.4]  # not every visit ends on that page
        seen = np.searchsorted(looks, place.ledger.written[items])  # at which look each item is new
        wanted = np.flatnonzero((seen < len(looks)) & (rng.random(len(items)) < rate))
        for look in np.unique(seen[wanted]).tolist():
            mine = items[wanted[seen[wanted] == look]][-6:]
            at = looks[look] + np.cumsum(rng.exponential(50, len(mine)))
            place.ledger.file(np.full(len(mine), person), mine, at)


def power_reporters(place: Place, name: str) -> None:
    """Two to five people who complain about everything, every day: thousands of complaints in a large place.

    Modelled on participation inequality: in every open community a handful do most of a job. They meet each other
    and everybody else at what is most visible, without ever having spoken.
    """
    rng = place.rng
    count = int(rng.integers(2, 6))
    people = place.newcomers(place.aged(count), kind=name)
    items = np.flatnonzero(place.ledger.written < END - HOUR)
    items = items[np.argsort(place.ledger.written[items])]
    written, heat = place.ledger.written[items], place.heat[items] * np.where(place.ledger.breaks[items], 3, 1)
    for person in people.tolist():
        looks = place.visits(person, 0.0, END)
        each = rng.poisson(rng.uniform(0.008, 0.03) * place.size / max(1, len(looks)), len(looks))
        for look, many in zip(looks.tolist(), each.tolist(), strict=True):
            lo, hi = np.searchsorted(written, [look - 1.5 * DAY, look]).tolist()
            if hi - lo <= many or not many:
                continue
            mine = rng.choice(np.arange(lo, hi), many, replace=False, p=heat[lo:hi] / heat[lo:hi].sum())
            place.ledger.file(np.full(many, person), items[mine], look + np.cumsum(rng.exponential(35, many)))


def patrol_of_new(place: Place, name: str) -> None:
    """Volunteers on the feed of what is new: within minutes of each other at the same items, day after day, and right.

    Modelled on the patrol of recent changes at Wikipedia and on the "knights" who vote in the new queue of link sites.
    They follow each other's path down the same list without knowing each other.
    """
    rng = place.rng
    people = place.newcomers(place.aged(int(rng.integers(5, 11))), kind=name, activity=0.5)
    order = np.argsort(place.ledger.written)
    written = place.ledger.written[order]
    share = rng.uniform(0.15, 0.5)  # of what breaks rules that one of them notices
    for person in people.tolist():
        for look in place.visits(person, 0.0, END).tolist():
            if rng.random() < 0.5:
                continue
            length = rng.lognormal(np.log(35 * MINUTE), 0.5)
            lo, hi = np.searchsorted(written, [look - 40 * MINUTE, look + length]).tolist()
            new = order[lo:hi]
            chance = np.where(place.ledger.breaks[new], share, 0.006)
            mine = new[rng.random(len(new)) < chance]
            at = np.maximum(place.ledger.written[mine], look) + rng.exponential(5 * MINUTE, len(mine))
            place.ledger.file(np.full(len(mine), person), mine, at)


def moderators(place: Place, name: str) -> None:
    """Moderators who file what they find as complaints themselves, in shifts that overlap: nearly always right."""
    rng = place.rng
    people = place.newcomers(place.aged(int(rng.integers(4, 9))), kind=name)
    place.ledger.trust(people)
    order = np.argsort(place.ledger.written)
    written = place.ledger.written[order]
    for person in people.tolist():
        start = rng.uniform(7, 19)
        for day in range(DAYS):
            if rng.random() < 0.35:
                continue
            begin = day * DAY + start * HOUR
            lo, hi = np.searchsorted(written, [begin - 6 * HOUR, begin + 3 * HOUR]).tolist()
            bad = order[lo:hi][place.ledger.breaks[order[lo:hi]]]
            mine = bad[rng.random(len(bad)) < 0.12]
            at = np.maximum(place.ledger.written[mine], begin + rng.uniform(0, 3 * HOUR, len(mine)))
            place.ledger.file(np.full(len(mine), person), mine, at + rng.exponential(3 * MINUTE, len(mine)))


def bots(place: Place, name: str) -> None:
    """Two bots of honest people with nearly the same list of words: every match reported within seconds, by both.

    Modelled on moderation bots such as Reddit's AutoModerator and Wikipedia's ClueBot NG. In perfect step for weeks,
    at any hour, against any author, and mostly right.
    """
    rng = place.rng
    both = place.newcomers(place.aged(2), kind=name)
    place.ledger.trust(both)
    bad = place.free_items(0, END, breaks=True)
    fine = place.free_items(0, END, breaks=False)
    hits = max(12, int(0.008 * place.size))
    right = rng.choice(bad, min(len(bad), int(0.85 * hits)), replace=False)
    wrong = rng.choice(fine, min(len(fine), hits - int(0.85 * hits)), replace=False)
    matched = np.concatenate([right, wrong])
    for bot, agreement in zip(both.tolist(), (0.95, 0.8), strict=True):
        mine = matched[rng.random(len(matched)) < agreement]
        at = place.ledger.written[mine] + rng.uniform(1, 20, len(mine))
        place.ledger.file(np.full(len(mine), bot), mine, at, reason="spam")


def small_language(place: Place, name: str) -> None:
    """The corner of a small language: twenty people who read everything there, and so meet at everything.

    Modelled on the small language sections of large platforms: a handful of readers, one or two moderators who
    understand them, and words that nobody else uses.
    """
    rng = place.rng
    people = place.newcomers(place.aged(int(rng.integers(14, 30))), kind=name)
    language = int(rng.integers(1, 4))
    count = int(rng.uniform(60, 120) * place.scale) + 10
    writers = place.new_author() + rng.integers(0, 18, count)
    written = awake(rng, np.sort(rng.uniform(0, DAYS - 1, count)) * DAY)
    threads = np.split(np.arange(count), np.arange(6, count, 6))
    items: list[Ints] = []
    for rows in threads:
        bad = rng.random(len(rows)) < 0.3
        first = place.post(written[rows[:1]], writers[rows[:1]], bad[:1], language=language)
        context = int(place.ledger.context[first[0]])
        rest = place.post(written[rows[1:]], writers[rows[1:]], bad[1:], context=context, language=language)
        items.append(np.concatenate([first, rest]))
    mine = np.concatenate(items)
    for person in people.tolist():
        looks, keen = place.visits(person, 0.0, END), rng.beta(1.5, 8)
        seen = np.searchsorted(looks, place.ledger.written[mine])
        chance = keen * np.where(place.ledger.breaks[mine], 1.0, 0.3)
        taken = np.flatnonzero((seen < len(looks)) & (rng.random(len(mine)) < chance))
        at = looks[seen[taken]] + rng.exponential(3 * MINUTE, len(taken))
        place.ledger.file(np.full(len(taken), person), mine[taken], at)


def churners(place: Place, name: str) -> None:
    """People who give up an account and register again, on the same telephone: fresh, on a shared device, honest.

    Modelled on throwaway accounts as discussion sites know them, and on people who forgot a password.
    """
    rng = place.rng
    for account in place.regulars(int(25 * place.scale) + 4).tolist():
        place.ledger.label(np.array([account]), name)
        place.activity[account] = max(place.activity[account], np.quantile(place.activity, 0.97))
        for at in np.sort(rng.uniform(1, DAYS - 1, int(rng.integers(1, 4)))) * DAY:
            new = place.newcomers(np.array([at]), kind=name, device=place.ledger.device[[account]])
            place.ledger.succeed(account, float(at), int(new[0]))
            account = int(new[0])
