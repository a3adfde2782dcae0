"""How one community is run: drawn once a world, so that two seeds of one generator are two different places.

Nothing here is the same everywhere in reality: some platforms know every device and some none, some moderators look at
nearly everything and some at what is left of their evening, some forums answer a report form with a menu of rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Community:
    """The habits of a place. Shares are between 0 and 1."""

    knows_age: bool  # whether complaints say when an account was made
    knows_device: bool  # whether complaints carry a fingerprint
    knows_context: bool  # whether complaints say which article or thread it was
    marks_trusted: bool  # whether moderators and bots are sent as trusted
    resolution: float  # seconds to which times are kept
    carrier: float  # share of accounts behind a network that many share
    reviewed: float  # share of targets that a person decides
    review_hours: float  # median delay of a decision
    mistaken: float  # share of decisions that are wrong about an ordinary target
    deference: float  # added chance that a harmless target is upheld because many complained
    hides_at: int | None  # complaints at which the platform hides a target; None: it never does
    stops_when_hidden: bool  # whether what is hidden draws no further complaints
    appeals: float  # share of wrong automatic removals that an appeal undoes
    taste: float  # share of ordinary complaints that are about taste, not rules
    silent: float  # share of accounts that never write a word
    quoting: float  # share of accounts that answer "why?" with the text of a rule
    canned: float  # share of accounts that write the usual two words


def draw_community(
    rng: np.random.Generator,
    *,
    reviewed: tuple[float, float],
    review_hours: tuple[float, float],
    hides_at: int | None,
    stops_when_hidden: bool,
    carrier: tuple[float, float],
    quoting: tuple[float, float],
) -> Community:
    """A community with the given ranges (lowest, highest); what is not given is drawn alike for every generator."""
    silent = rng.uniform(0.35, 0.75)
    quotes = min(rng.uniform(*quoting), 0.95 - silent)
    return Community(
        knows_age=bool(rng.random() < 0.9),
        knows_device=bool(rng.random() < 0.85),
        knows_context=bool(rng.random() < 0.92),
        marks_trusted=bool(rng.random() < 0.5),
        resolution=float(rng.choice([0.001, 1.0, 60.0], p=[0.45, 0.4, 0.15])),
        carrier=float(rng.uniform(*carrier)),
        reviewed=float(rng.uniform(*reviewed)),
        review_hours=float(rng.uniform(*review_hours)),
        mistaken=float(rng.uniform(0.02, 0.1)),
        deference=float(rng.uniform(0.0, 0.15)),
        hides_at=hides_at,
        stops_when_hidden=stops_when_hidden,
        appeals=float(rng.uniform(0.0, 0.3)),
        taste=float(rng.uniform(0.35, 0.7)),
        silent=float(silent),
        quoting=float(quotes),
        canned=float(rng.uniform(0.3, 0.7) * (1 - silent - quotes)),
    )
