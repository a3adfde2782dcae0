"""Campaigns that live from accounts, patience, devices or texts: farms, sleepers, a few friends, a slow drip.

See campaigns.py; the same rules hold here.
"""

from __future__ import annotations

import numpy as np

from bench.worlds.campaigns import called, campaign_accounts, campaign_targets
from bench.worlds.place import OWN_DEVICES, Place
from bench.worlds.wording import paraphrases
from bench.worlds.world import DAY, DAYS, END, HOUR, MINUTE


def paid_farm(place: Place, name: str) -> None:
    """Accounts for hire on racks of telephones: several clients, a part of the accounts for each, one after another.

    Modelled on crowdturfing (Wang et al., WWW 2012) and on farms that sell followers and reports. Bought accounts are
    aged, made ones are fresh; an operator works down the rack, so that complaints are evenly spaced.
    """
    rng = place.rng
    size = max(6, round(28 * min(1.0, place.scale)))
    began = rng.uniform(2, DAYS - 12) * DAY
    created = np.where(rng.random(size) < 0.6, began - rng.uniform(0, 12, size) * DAY, place.aged(size))
    racks = rng.integers(OWN_DEVICES, 1 << 44, max(1, size // 5))
    device = np.where(rng.random(size) < 0.6, rng.choice(racks, size), place.own_devices(size))
    accounts = place.newcomers(created, device=device)
    for job in range(max(1, round(3 * min(1.0, place.scale)))):
        since = began + 3 * job * DAY
        for item in campaign_targets(place, since, since + 3 * DAY, max(3, round(6 * place.scale))).tolist():
            order = rng.permutation(accounts)[: int(size * rng.uniform(0.45, 0.85))]
            at = called(place, item, 6 * HOUR) + np.cumsum(rng.uniform(20, 90, len(order)))
            place.ledger.file(order, item, at, campaign=name)


def sleepers(place: Place, name: str) -> None:
    """Accounts that report real spam for two weeks, are upheld, and then strike.

    Modelled on camouflage as FRAUDAR (Hooi et al., KDD 2016) treats it, with verdicts as what is camouflaged: the
    record of each member is excellent on the day of the first false complaint.
    """
    rng = place.rng
    turn = rng.uniform(12, 16) * DAY
    members = campaign_accounts(place, max(4, round(18 * min(1.0, place.scale))), 0.0, fresh=0.2)
    bad = place.free_items(0, turn, breaks=True)
    for member in members.tolist():
        looks = place.visits(member, 0.5 * DAY, turn)
        mine = rng.choice(bad, min(len(bad), int(rng.integers(4, 12))), replace=False)
        seen = np.searchsorted(looks, place.ledger.written[mine])
        there = seen < len(looks)
        at = looks[np.minimum(seen, len(looks) - 1)] if len(looks) else np.empty(0)
        if len(looks):  # rightly and each alone: no complaint of the campaign
            place.ledger.file(
                np.full(int(there.sum()), member), mine[there], at[there] + rng.exponential(60, there.sum())
            )
    for item in campaign_targets(
        place, turn, min(turn + 9 * DAY, END - DAY), max(4, round(9 * place.scale**0.5))
    ).tolist():
        place.answer_call(members, item, called(place, item), share=0.7, patience=40 * MINUTE, campaign=name)


def slow_drip(place: Place, name: str) -> None:
    """Each account files one complaint a day, for three weeks, from a list: about one in a few hours on any target.

    Imagined: a campaign with patience, for which nothing ever happens within an hour.
    """
    rng = place.rng
    count = max(5, round(13 * min(1.0, place.scale)))
    members = campaign_accounts(place, count, 2 * DAY, fresh=0.1, recruited=0.3)
    last = DAYS - 1 if place.scale >= 0.5 else 14
    for first in range(2, last - 5, 6):
        targets = campaign_targets(place, (first - 2) * DAY, first * DAY, 6)
        for member in members.tolist():
            for item, day in zip(rng.permutation(targets).tolist(), range(first, first + 6), strict=False):
                if rng.random() < 0.8:
                    at = day * DAY + rng.uniform(8, 23) * HOUR
                    place.ledger.file(np.array([member]), item, np.array([at]), campaign=name)


def few_accounts(place: Place, name: str) -> None:
    """Three to five accounts of friends, or of one person, on a handful of targets.

    Modelled on sock puppets: in one of two cases all are on one device, and never at the same minute there.
    """
    rng = place.rng
    began = rng.uniform(2, DAYS - 9) * DAY
    count = int(rng.integers(3, 6))
    one_person = bool(rng.random() < 0.5)
    device = np.full(count, rng.integers(OWN_DEVICES, 1 << 44)) if one_person else place.own_devices(count)
    members = place.newcomers(place.aged(count), device=device, activity=0.5)
    for item in campaign_targets(place, began, began + 7 * DAY, int(rng.integers(5, 10))).tolist():
        at = called(place, item)
        if one_person:
            times = at + np.cumsum(rng.lognormal(np.log(90), 0.5, count))
            place.ledger.file(rng.permutation(members), item, times, campaign=name)
        else:
            place.answer_call(members, item, at, share=0.9, patience=30 * MINUTE, campaign=name)


def model_texts(place: Place, name: str) -> None:
    """Aged accounts whose texts one language model writes: never the same wording twice, always the same voice.

    Modelled on astroturf comments with synonyms in fixed slots, as in the comments to the FCC on net neutrality in
    2017, and on what language models make of the same request.
    """
    rng = place.rng
    began = rng.uniform(2, DAYS - 10) * DAY
    members = campaign_accounts(place, max(4, round(18 * min(1.0, place.scale))), began, fresh=0.1)
    for item in campaign_targets(place, began, began + 8 * DAY, max(4, round(8 * place.scale**0.5))).tolist():
        texts = paraphrases(rng, len(members))
        place.answer_call(
            members, item, called(place, item), share=0.65, patience=2 * HOUR, campaign=name, reason="hate", texts=texts
        )


def scheduled(place: Place, name: str) -> None:
    """A script with a list of accounts and a timer: round the clock, with random pauses, at night as by day.

    Imagined after automated reporting tools: no member ever sleeps, and none has anything else to do here.
    """
    rng = place.rng
    began = rng.uniform(2, DAYS - 9) * DAY
    members = campaign_accounts(place, max(5, round(20 * min(1.0, place.scale))), began, fresh=0.3, devices=0.2)
    for item in campaign_targets(place, began, began + 7 * DAY, max(4, round(10 * place.scale**0.5))).tolist():
        order = rng.permutation(members)[: int(len(members) * rng.uniform(0.5, 0.9))]
        pause = rng.uniform(4, 25) * MINUTE
        at = (
            place.ledger.written[item]
            + HOUR * rng.uniform(0.2, 4)
            + np.cumsum(rng.uniform(0.5, 1.5, len(order)) * pause)
        )
        place.ledger.file(order, item, at, campaign=name)
