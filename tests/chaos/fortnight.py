"""What is posted: two weeks of the demo's world."""

from __future__ import annotations

import random

from flow import told
from posting import Document

from service.demo.world import draw_world

# of the generated world: all of it is in the window at the end, so that the audit covers the same complaints
FORTNIGHT = "2021-12-15"
WITHDRAWN_SHARE = 0.01


def documents_of(seed: int, complaints: int) -> list[Document]:
    """A fortnight of the world, with some complaints withdrawn shortly after, or shortly before, they are sent."""
    documents = told(draw_world(seed, complaints), until=FORTNIGHT)
    rng = random.Random(seed)
    placed = [(float(k), d) for k, d in enumerate(documents)]
    placed += [
        (k + rng.uniform(-200, 2_000), {"withdraws": d["id"]})
        for k, d in enumerate(documents[:-2_000])
        if "reporter" in d and rng.random() < WITHDRAWN_SHARE
    ]
    return [d for _, d in sorted(placed, key=lambda pair: pair[0])]
