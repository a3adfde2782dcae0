"""A seeded world of complaints at a newspaper: honest readers, honest crowds and four campaigns.

The newspaper automatically removes a comment at eight complaints; moderators review about 60 % of the comments later.
Pure: the same seed gives the same world. Times are seconds since its beginning, `START` by default.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from service.demo.campaigns import CAMPAIGNS, draw_campaign
from service.demo.crowds import draw_honest_crowds
from service.demo.documents import World, to_documents
from service.demo.newspaper import START, Newspaper


def draw_world(seed: int, complaints: int, start: datetime = START) -> World:
    """A world of about `complaints` complaints over the 28 days from `start`.

    Raises ValueError below 2,000: campaigns and crowds alone are about 1,900.
    """
    if complaints < 2_000:
        raise ValueError(
            f"{complaints} complaints are too few for the campaigns and crowds of this world; draw at least 2,000"
        )
    paper = Newspaper(np.random.default_rng(seed), organic=max(500, complaints - 2_000), start=start)
    draw_honest_crowds(paper)
    for plan in CAMPAIGNS:
        draw_campaign(paper, plan)
    return to_documents(paper)
