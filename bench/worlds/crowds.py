"""Honest people who complain at the same time, about the same things or in the same words, without any brigade.

Each function plants one crowd in a place; habits.py has the kinds that last for weeks. What they have in common with a
brigade is the point of each; where a kind is modelled on something published or well known, its docstring says so, and
otherwise that it is imagined.
"""

from __future__ import annotations

import numpy as np

from bench.worlds.place import OWN_DEVICES, Place, awake
from bench.worlds.world import DAY, DAYS, HOUR, MINUTE


def viral_outrage(place: Place, name: str) -> None:
    """One item that everybody talks about: hundreds of complaints in an hour or two, by people who never meet again.

    Modelled on firestorms ("shitstorms") as any comment section knows them. The item breaks rules in two of three.
    """
    rng, began = place.rng, place.evening()
    item = _one_fresh(place, began)
    place.ledger.breaks[item] = rng.random() < 0.65
    crowd = place.audience(item, int(rng.uniform(80, 260) * place.scale))
    place.ledger.file(crowd, item, began + rng.gamma(1.5, rng.uniform(900, 4_000), len(crowd)))
    place.ledger.label(crowd, name)


def outside_link(place: Place, name: str) -> None:
    """A link from another site brings people who register in order to complain: fresh accounts, one target each.

    Modelled on the "Slashdot effect" and on posts with many followers that link to one comment. Nobody organises
    it, half of the time the item does break rules, and some of the newcomers share a mobile network.
    """
    rng, began = place.rng, place.evening()
    items = [_one_fresh(place, began)]
    if rng.random() < 0.4:  # some look around and complain about the answer as well
        items.append(_one_fresh(place, began))
    count = int(rng.uniform(15, 130) * place.scale) + 8
    at = began + rng.gamma(1.3, rng.uniform(0.7, 3) * HOUR, count)
    fresh = rng.random(count) < rng.uniform(0.5, 0.95)
    people = place.newcomers(np.where(fresh, at - rng.exponential(15 * MINUTE, count), place.aged(count)), kind=name)
    place.ledger.breaks[items] = rng.random() < 0.5
    place.ledger.file(people, items[0], at)
    if len(items) > 1:
        also = rng.random(count) < 0.35
        place.ledger.file(people[also], items[1], at[also] + rng.exponential(4 * MINUTE, int(also.sum())))


def mod_channel(place: Place, name: str) -> None:
    """A chat in which moderators and helpers post links to what should go: twenty honest people, mostly right.

    Modelled on chat rooms of volunteers against spam, such as Charcoal for the Stack Exchange sites, whose members
    flag a posted link within minutes. A brigade's calls look the same except for what they link to.
    """
    rng = place.rng
    members = place.regulars(int(rng.integers(18, 28)))
    place.ledger.label(members, name)
    links = max(4, int(12 * place.scale))
    for at in np.sort(rng.uniform(1, DAYS - 1, links)) * DAY:
        called = float(at // DAY * DAY + rng.uniform(8, 23) * HOUR)
        item = _one_fresh(place, called, breaks=bool(rng.random() < 0.87))
        place.answer_call(members, item, called, share=rng.uniform(0.2, 0.6), patience=rng.uniform(10, 60) * MINUTE)


def spam_wave(place: Place, name: str) -> None:
    """One evening's wave of spam, which everybody who is there rightly reports, again and again.

    Modelled on waves of link spam as every open platform knows them. Everybody who is online meets the same twenty
    items within an hour: together, at the same targets, and right every time.
    """
    rng, began = place.rng, place.evening()
    count = max(5, int(rng.uniform(12, 26) * place.scale))
    spammers = place.new_author() + rng.integers(0, max(1, count // 6), count)
    written = began + np.sort(rng.uniform(0, rng.uniform(0.6, 2.5) * HOUR, count))
    items = place.post(written, spammers, np.ones(count, bool), heat=0.6)
    people = place.audience(int(items[0]), int(rng.uniform(30, 70) * place.scale) + 8)
    online = began + rng.uniform(-0.5, 2, len(people)) * HOUR  # and then for a while
    minutes = rng.lognormal(np.log(40), 0.8, len(people)) * MINUTE
    willing = rng.beta(1.2, 3, len(people))
    for item, at in zip(items.tolist(), written.tolist(), strict=True):
        seen = np.maximum(at, online) + rng.exponential(6 * MINUTE, len(people))
        met = (seen < online + minutes) & (rng.random(len(people)) < willing)
        place.ledger.file(people[met], item, seen[met])
    place.ledger.label(people, name)


def fan_club(place: Place, name: str) -> None:
    """Fans of an author who report what insults their star: often together, right in about half of the cases.

    Imagined after fan communities of musicians and streamers, whose members watch the same page for attacks. Nobody
    calls; they are simply all there whenever the star writes.
    """
    rng = place.rng
    fans = place.regulars(int(rng.uniform(25, 55) * place.scale) + 6)
    place.ledger.label(fans, name)
    star, items = place.new_author(), max(4, int(12 * place.scale))
    for at in np.sort(rng.uniform(1, DAYS - 1, items)) * DAY:
        written = float(at // DAY * DAY + rng.uniform(9, 23) * HOUR)
        page = place.post(np.array([written]), np.array([star]), np.array([False]))
        thread = int(place.ledger.context[page[0]])
        insult = place.post(
            np.array([written + rng.exponential(2 * HOUR)]),
            rng.choice(place.ledger.author, 1),
            np.array([rng.random() < 0.55]),
            context=thread,
        )
        for fan in fans[rng.random(len(fans)) < rng.uniform(0.1, 0.35)].tolist():
            seen = place.visits(fan, float(place.ledger.written[insult[0]]), written + 2 * DAY)
            if len(seen):
                place.ledger.file(np.array([fan]), int(insult[0]), seen[:1])


def school_class(place: Place, name: str) -> None:
    """A class behind one school network, in the breaks: one fingerprint, the same minutes, the same few targets.

    Modelled on what address-based sharing looks like at any school: thirty people, one public address. They report
    a schoolmate's mean posts (which do break rules) and, some days, somebody who is merely embarrassing.
    """
    rng = place.rng
    size = int(rng.integers(18, 30))
    network = int(rng.integers(OWN_DEVICES, 1 << 44))
    device = np.where(rng.random(size) < 0.8, network, place.own_devices(size))
    created = -rng.uniform(0, 250, size) * DAY
    pupils = place.newcomers(created, kind=name, device=device, activity=0.6)
    first = int(rng.integers(0, DAYS - 6))
    for day in range(first, first + int(rng.integers(2, 5))):
        if day % 7 >= 5:  # no school
            continue
        pause = day * DAY + (rng.choice([9.6, 11.4, 13.0]) + rng.uniform(-0.1, 0.1)) * HOUR
        for _ in range(int(rng.integers(1, 4))):
            author = np.array([place.new_author() if rng.random() < 0.5 else int(rng.choice(place.ledger.author))])
            item = place.post(np.array([pause - rng.uniform(1, 18) * HOUR]), author, rng.random(1) < 0.6)
            who = pupils[rng.random(size) < rng.uniform(0.15, 0.5)]
            place.ledger.file(who, int(item[0]), pause + rng.uniform(0, 18 * MINUTE, len(who)))


def volunteers(place: Place, name: str) -> None:
    """Ten people who follow one author because what he writes really breaks the rules; moderators uphold them.

    Modelled on users who keep an eye on a known offender until he is banned. Same author, same weeks, same
    accounts: all that tells them from those who hound somebody is that they are right.
    """
    rng = place.rng
    people = place.regulars(int(rng.integers(9, 15)))
    place.ledger.label(people, name)
    count = max(5, int(16 * place.scale))
    written = np.sort(rng.uniform(2, DAYS - 2, count)) * DAY
    written = awake(rng, written)
    offender = np.full(count, place.new_author())
    items = place.post(written, offender, rng.random(count) < 0.92, heat=0.4)
    eager = rng.uniform(0.3, 0.85, len(people))
    for item in items.tolist():
        for person in people[rng.random(len(people)) < eager].tolist():
            seen = place.visits(
                person, float(place.ledger.written[item]), float(place.ledger.written[item]) + 1.5 * DAY
            )
            if len(seen):
                place.ledger.file(np.array([person]), item, seen[:1])


def quarrel(place: Place, name: str) -> None:
    """Two people and their friends who quarrel in one thread and report each other's every answer.

    Modelled on flame wars, which are older than the web. Two small groups at the same targets within minutes of each
    answer, mostly rejected, and over by the next morning; most of those groups meet in a second thread some day.
    """
    rng = place.rng
    sides = [place.regulars(int(rng.integers(2, 5))) for _ in range(2)]
    for side in sides:
        place.ledger.label(side, name)
    for _ in range(int(rng.integers(1, 3))):
        began = place.evening()
        answers = int(rng.integers(6, 14))
        first = place.post(np.array([began]), sides[0][:1], np.array([False]))
        thread = int(place.ledger.context[first[0]])
        at = began + np.cumsum(rng.exponential(6 * MINUTE, answers))
        author = np.array([sides[k % 2][int(rng.integers(len(sides[k % 2])))] for k in range(answers)])
        items = place.post(at, author, rng.random(answers) < 0.3, context=thread)
        for k, item in enumerate(items.tolist()):
            others = sides[1 - k % 2]
            who = others[rng.random(len(others)) < 0.55]
            place.ledger.file(who, item, at[k] + rng.exponential(4 * MINUTE, len(who)))
    # Some of the onlookers had enough of both sides.
    bored = place.audience(int(items[0]), 6)
    place.ledger.file(bored, int(items[-1]), at[-1] + rng.exponential(HOUR, len(bored)))


def _one_fresh(place: Place, at: float, *, breaks: bool | None = None) -> int:
    """An item of the last day that nothing was planned for; one that is written for it where there is none."""
    either = (False, True) if breaks is None else (breaks,)
    recent = np.concatenate([place.free_items(at - 0.8 * DAY, at, breaks=b) for b in either])
    if len(recent):
        return int(place.pick(recent, 1)[0])
    written, author = np.array([at - 2 * HOUR]), np.array([place.new_author()])
    return int(place.post(written, author, np.array([bool(breaks)]))[0])
