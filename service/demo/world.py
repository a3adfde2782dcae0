"""A seeded world of complaints at a newspaper: honest readers, honest crowds and four campaigns; the
demo's ends now, with a fifth campaign under way and, in large worlds, with more campaigns and honest groups.

The newspaper automatically removes a comment at eight complaints; moderators review about 60 % of the comments later.
Pure: the same seed gives the same world. Times are seconds since its beginning, `START` by default.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from service.demo.campaigns import CAMPAIGNS, MORE_CAMPAIGNS, draw_attack, draw_campaign
from service.demo.crowds import draw_honest_crowds, draw_honest_groups
from service.demo.documents import World, to_documents, with_notices
from service.demo.newspaper import DAYS, START, Newspaper

LARGE = 20_000  # complaints: room for more groups without their dominating


def draw_world(seed: int, complaints: int, start: datetime = START) -> World:
    """A world of about `complaints` complaints over the 28 days from `start`.

    Raises ValueError below 2,000: campaigns and crowds alone are about 1,900.
    """
    return to_documents(_draw(seed, complaints, start))


def draw_world_until(seed: int, complaints: int, end: datetime) -> World:
    """The same, ending at `end`, with an attack that is still under way then, and with notices of illegal content: what
    the demo shows lives.

    Raises ValueError below 2,000.
    """
    # From midnight to midnight, for the rhythm of the day; the rest of the last day is left out.
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    paper = _draw(seed, complaints, midnight + timedelta(days=1 - DAYS))
    if complaints >= LARGE:
        draw_honest_groups(paper)
        for plan in MORE_CAMPAIGNS:
            draw_campaign(paper, plan)
    seconds = (end - paper.start).total_seconds()
    draw_attack(paper, seconds)
    return with_notices(to_documents(paper, seconds))


def _draw(seed: int, complaints: int, start: datetime) -> Newspaper:
    if complaints < 2_000:
        raise ValueError(
            f"{complaints} complaints are too few for the campaigns and crowds of this world; draw at least 2,000"
        )
    paper = Newspaper(np.random.default_rng(seed), organic=max(500, complaints - 2_000), start=start)
    draw_honest_crowds(paper)
    for plan in CAMPAIGNS:
        draw_campaign(paper, plan)
    return paper
