"""Campaigns that follow a call: people who agree to complain, about what somebody else has chosen for them.

Each function plants one campaign in a place; `name` is what the truth calls it. Their targets are mostly harmless, as
far as the place has harmless items; a campaign that only reported what breaks rules would not be one.
campaigns_of_accounts.py has those that live from accounts, devices, patience and texts rather than from calls.
"""

from __future__ import annotations

import numpy as np

from bench.worlds.place import OWN_DEVICES, Place
from bench.worlds.wording import copies, paraphrases
from bench.worlds.world import DAY, DAYS, HOUR, MINUTE, Floats, Ints


def campaign_accounts(
    place: Place, count: int, began: float, *, fresh: float, devices: float = 0.0, recruited: float = 0.0
) -> Ints:
    """Accounts for a campaign: a share made in the week before, a share on a few shared devices, a share recruited
    among the place's own people, who go on complaining about other things as before."""
    rng = place.rng
    recruits = place.regulars(int(recruited * count))
    made = count - len(recruits)
    created = place.aged(made)
    new = rng.random(made) < fresh
    created[new] = began - rng.uniform(0, 7, int(new.sum())) * DAY
    device = place.own_devices(made)
    together = rng.random(made) < devices
    shared = rng.integers(OWN_DEVICES, 1 << 44, max(1, count // 7))
    device[together] = rng.choice(shared, int(together.sum()))
    others = place.newcomers(created, device=device, activity=rng.exponential(0.5, made))
    return np.concatenate([recruits, others])


def campaign_targets(place: Place, since: float, until: float, count: int) -> Ints:
    """Targets that a campaign chooses: mostly harmless, rather visible than not, older ones where the time has few."""
    bad = place.rng.binomial(count, 0.1)
    free = place.free_items(since, until, breaks=False)
    while len(free) < count and since > -2 * DAY:
        since -= DAY
        free = place.free_items(since, until, breaks=False)
    harmless = place.pick(free, count - bad)
    broken = place.free_items(since, until, breaks=True)
    if not bad or not len(broken):
        return harmless
    return np.concatenate([harmless, place.pick(broken, bad)])


def called(place: Place, item: int, median: float = 3 * HOUR) -> float:
    """When somebody posts the link to an item."""
    return float(place.ledger.written[item] + place.rng.lognormal(np.log(median), 0.8))


def tight(place: Place, name: str) -> None:
    """Twenty-five accounts at the same dozen comments within minutes, partly fresh, partly on shared devices.

    Modelled on lockstep behaviour as CopyCatch (Beutel et al., WWW 2013) describes it.
    """
    began = place.rng.uniform(2, DAYS - 11) * DAY
    members = campaign_accounts(place, _size(place, 25), began, fresh=0.35, devices=0.4)
    for item in campaign_targets(place, began, began + 9 * DAY, _targets(place, 12)).tolist():
        place.answer_call(members, item, called(place, item), share=0.8, patience=5 * MINUTE, campaign=name)


def slow(place: Place, name: str) -> None:
    """The same dozen comments, but each within a day and a half: nobody meets anybody in an hour.

    Modelled on loosely synchronised actions, which SynchroTrap (Cao et al., CCS 2014) was built against.
    """
    rng = place.rng
    began = rng.uniform(2, DAYS - 14) * DAY
    members = campaign_accounts(place, _size(place, 25), began, fresh=0.1)
    for item in campaign_targets(place, began, began + 12 * DAY, _targets(place, 12)).tolist():
        who = members[rng.random(len(members)) < 0.7]
        at = place.ledger.written[item] + rng.uniform(0.5, 36, len(who)) * HOUR
        place.ledger.file(who, item, at, campaign=name)


def rotating(place: Place, name: str) -> None:
    """Sixty accounts of which every target sees another third, so that any two rarely meet twice.

    Imagined: what an organiser would do who has read how such groups are found.
    """
    began = place.rng.uniform(2, DAYS - 14) * DAY
    members = campaign_accounts(place, _size(place, 60), began, fresh=0.25, devices=0.1)
    for item in campaign_targets(place, began, began + 12 * DAY, _targets(place, 20)).tolist():
        place.answer_call(members, item, called(place, item), share=0.3, patience=15 * MINUTE, campaign=name)


def call_list(place: Place, name: str) -> None:
    """A list of two hundred real people with aged accounts; ten to forty per cent answer each call.

    Modelled on raids that are organised in chat servers, such as those of "Reconquista Germanica" before the German
    election of 2017, and on complaint campaigns run from a messenger group. Half of the members are ordinary users
    otherwise, and who answers depends on who is online. Some lists hand out a text, which some of the members copy.
    """
    rng = place.rng
    began = rng.uniform(1, DAYS - 13) * DAY
    members = campaign_accounts(place, _size(place, 200), began, fresh=0.02, recruited=0.5)
    eager = rng.beta(1.2, 2.5, len(members))  # some nearly always answer and many hardly ever
    handed_out, copying = paraphrases(rng, 1)[0], float(rng.choice([0.0, 0.0, 0.3, 0.7]))
    for item in campaign_targets(place, began, began + 11 * DAY, _targets(place, 12)).tolist():
        share = rng.uniform(0.1, 0.4)
        those = members[rng.random(len(members)) < np.minimum(1, eager / eager.mean() * share)]
        texts, patience = copies(rng, handed_out, len(those), copying), rng.uniform(15, 90) * MINUTE
        place.answer_call(those, item, called(place, item), share=1, patience=patience, campaign=name, texts=texts)


def hounding(place: Place, name: str) -> None:
    """One author, everything that he or she writes, for three weeks, until the account is suspended or gives up.

    Modelled on long harassment of single people by false reports, which Crawford and Gillespie ("What is a flag
    for?", 2016) name among the uses of flags.
    """
    rng = place.rng
    began = rng.uniform(1, 5) * DAY
    members = campaign_accounts(place, _size(place, 22), began, fresh=0.1, recruited=0.3)
    wanted = _targets(place, 24)
    author = place.busy_author(began, began + 21 * DAY, wanted)
    free = place.free_items(began, began + 21 * DAY, breaks=False)
    own = free[place.ledger.author[free] == author]
    if len(own) < wanted // 2:  # nobody here writes so much: the one who is hounded does
        written = np.sort(rng.uniform(began, began + 20 * DAY, wanted - len(own)))
        own = np.concatenate([own, place.post(written, np.full(len(written), author), np.zeros(len(written), bool))])
    for item in own[:wanted].tolist():
        share = rng.uniform(0.3, 0.65)
        place.answer_call(members, item, called(place, item, 5 * HOUR), share=share, patience=6 * HOUR, campaign=name)


def group_report(place: Place, name: str) -> None:
    """A list of people who belong to something; every account works through part of it, one complaint for each.

    Modelled on mass reporting of activists' accounts, as Meta described for a network in Vietnam (December 2021).
    The targets have different authors, nobody is in a hurry, and an account does its part in one or two sittings.
    """
    rng = place.rng
    began = rng.uniform(2, DAYS - 6) * DAY
    members = campaign_accounts(place, _size(place, 30), began, fresh=0.3, devices=0.1)
    targets = campaign_targets(place, began - 2 * DAY, began, _targets(place, 36))
    for member in members.tolist():
        mine = targets[rng.random(len(targets)) < rng.uniform(0.2, 0.5)]
        for part in np.array_split(mine, int(rng.integers(1, 3))):
            start = place.responses(np.array([member]), began + rng.uniform(0, 2.5) * DAY, 4 * HOUR)
            if len(part) and not np.isnan(start[0]):
                at = start[0] + np.cumsum(rng.lognormal(np.log(35), 0.5, len(part)))
                place.ledger.file(np.full(len(part), member), part, at, campaign=name)


def inside_outrage(place: Place, name: str) -> None:
    """A brigade that hides its main blow in outrage that is honest, and strikes a few other targets of its own.

    Imagined: an organiser waits for the evening on which everybody complains about the target anyway.
    """
    rng = place.rng
    began = place.evening(4, DAYS - 5)
    members = campaign_accounts(place, _size(place, 16), began, fresh=0.15, recruited=0.2)
    targets = campaign_targets(place, began - 0.8 * DAY, began, 1)
    crowd = place.audience(int(targets[0]), int(rng.uniform(60, 160) * place.scale))
    place.ledger.file(crowd, int(targets[0]), began + rng.gamma(1.5, 2_400, len(crowd)))
    place.ledger.label(crowd, "viral outrage")
    place.answer_call(members, int(targets[0]), began + 20 * MINUTE, share=0.85, patience=40 * MINUTE, campaign=name)
    for item in campaign_targets(place, began - DAY, began + 4 * DAY, _targets(place, 6)).tolist():
        place.answer_call(members, item, called(place, item), share=0.65, patience=30 * MINUTE, campaign=name)


def rivals(place: Place, name: str) -> None:
    """Two brigades that report each other's people, blow for blow, in the same threads and on the same days.

    Modelled on conflicts between communities (Kumar et al., WWW 2018). Each side is a campaign of its own, and
    the readers of their threads see both.
    """
    rng = place.rng
    kind = place.ledger.kind_of_campaign.pop(name)
    began = rng.uniform(2, DAYS - 10) * DAY
    for side in ("left", "right"):
        own = f"{name} {side}"
        place.ledger.kind_of_campaign[own] = kind
        members = campaign_accounts(place, _size(place, 15), began, fresh=0.05, recruited=0.4)
        for item in campaign_targets(place, began, began + 8 * DAY, _targets(place, 9)).tolist():
            answered = called(place, item, 90 * MINUTE)
            place.answer_call(members, item, answered, share=0.6, patience=rng.uniform(10, 120) * MINUTE, campaign=own)


def one_thread(place: Place, name: str) -> None:
    """Eight comments of one thread, by twenty aged accounts that are called to this thread and never again.

    Modelled on brigading as link aggregators forbid it: a link to a discussion elsewhere, with "have a look".
    """
    rng = place.rng
    began = place.evening()
    members = campaign_accounts(place, _size(place, 20), began, fresh=0.0, recruited=0.3)
    since = began - 1.5 * DAY
    free = place.free_items(since, began, breaks=False)
    while not len(free) and since > -2 * DAY:
        since -= DAY
        free = place.free_items(since, began, breaks=False)
    contexts, count = np.unique(place.ledger.context[free], return_counts=True)
    thread = int(contexts[count.argmax()])
    items = free[place.ledger.context[free] == thread][:8]
    if len(items) < 6:
        authors = rng.choice(place.ledger.author, 8 - len(items))
        more = began - rng.uniform(1, 20, 8 - len(items)) * HOUR
        posted = place.post(more, authors, np.zeros(8 - len(items), bool), context=thread)
        items = np.concatenate([items, posted])
    place.ledger.busy.update(items.tolist())
    arrival = place.responses(members, began, 45 * MINUTE)
    for member, at in zip(members.tolist(), arrival.tolist(), strict=True):
        mine = items[rng.random(len(items)) < 0.6]
        if not np.isnan(at):
            place.ledger.file(np.full(len(mine), member), mine, at + _one_by_one(place, len(mine)), campaign=name)


def _one_by_one(place: Place, count: int) -> Floats:
    """Seconds after the first at which somebody who goes through a page has filed each."""
    return np.cumsum(place.rng.lognormal(np.log(30), 0.6, count))


def _size(place: Place, accounts: int) -> int:
    """So many accounts in a place of 6,000 complaints; fewer in a smaller one, at least three."""
    return max(3, round(accounts * min(1.0, place.scale) * place.rng.uniform(0.8, 1.2)))


def _targets(place: Place, count: int) -> int:
    """So many targets in a place of 6,000 complaints; fewer in a smaller one, at least four."""
    wanted = count * min(1.0, float(np.sqrt(place.scale))) * place.rng.uniform(0.8, 1.2)
    return max(4, round(wanted))
