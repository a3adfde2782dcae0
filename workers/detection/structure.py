"""A group's measured signals as evidence that a person can read, with what each adds to the score."""

from __future__ import annotations

import math

from service.model import Evidence
from service.moderation.score import author_contribution, device_contribution, percent
from service.policy import Weights
from workers.detection.evidence import Measured, Signal
from workers.detection.one_shot import Slice

_PLACES = {"told": "contexts", "inferred": "inferred contexts", "none": "targets"}
_CONTROL = {
    "told": "readers of the same articles considered",
    "inferred": (
        "contexts were not told for all targets, or said nothing; readers of the same inferred contexts considered"
    ),
    "none": "no contexts were told that say anything, so shared reading is not considered",
}


def structural_evidence(m: Measured, members: int, targets: int, weights: Weights) -> tuple[Evidence, ...]:
    """Everything but the outcomes; contributions are log-odds of their question (service/moderation/score.py)."""
    chance = f"Two members meet as often as chance would bring together one pair in 10^{m.surprise:.0f}"
    rows = [
        Evidence(
            signal="base",
            value=1,
            usual=1,
            p_value=None,
            contribution=weights.base,
            text="Where every group starts: most groups are chance.",
        ),
        Evidence(
            signal="lockstep",
            value=m.lockstep,
            usual=0.0,
            p_value=None,
            contribution=weights.lockstep * m.lockstep,
            text=f"On an average target {percent(m.lockstep)} of the other members complained too.",
        ),
        Evidence(
            signal="devotion",
            value=m.devotion,
            usual=0.3,
            p_value=None,
            contribution=weights.devotion * m.devotion,
            text=f"{percent(m.devotion)} of all complaints of the members go to these {targets} targets.",
        ),
        Evidence(
            signal="group",
            value=m.group,
            usual=0.0,
            p_value=None,
            contribution=weights.group * m.group,
            text=f"Each member adds a factor of 10^{m.group:.1f} to how unlikely the group is by chance.",
        ),
        Evidence(
            signal="span",
            value=m.span,
            usual=0.3,
            p_value=None,
            contribution=weights.span * m.span,
            text=(
                f"{percent(m.span)} of the members follow the group into two or more {_PLACES[m.contexts]}; readers of"
                " one popular article do not."
            ),
        ),
        Evidence(
            signal="pairs",
            value=m.surprise,
            usual=1.0,
            p_value=10 ** -min(m.surprise, 300.0),
            contribution=0.0,
            text=f"{chance}; {_CONTROL[m.contexts]}.",
        ),
        _device(
            "fresh_accounts",
            m.fresh,
            f"{m.fresh.count} of {m.fresh.total} accounts were younger than 14 days at their first complaint here.",
        ),
        _device(
            "shared_fingerprints",
            m.fingerprint,
            f"{m.fingerprint.count} of {m.fingerprint.total} accounts share a device or network fingerprint that few"
            " others use.",
        ),
        _device(
            "near_duplicate_texts",
            m.duplicate,
            f"{m.duplicate.count} of {m.duplicate.total} longer texts have a near-duplicate in the group.",
        ),
        Evidence(
            signal="one_author",
            value=m.author.value,
            usual=m.author.usual,
            p_value=None,
            contribution=author_contribution(m.author.value, targets),
            text=f"{m.author.count} of {m.author.total} targets were written by one author.",
        ),
        burst_evidence(m.burst, members),
    ]
    return tuple(rows)


def slice_evidence(found: Slice, burst: Signal) -> tuple[Evidence, ...]:
    """The same for a crowd on one target."""
    strength = -math.log10(max(found.p_value, 1e-12))
    return (
        Evidence(
            signal="slice",
            value=strength,
            usual=0.0,
            p_value=found.p_value,
            contribution=math.log(10) * (strength - 3) / 2,
            text=(
                f"{len(found.carriers)} of {found.complaints} complaints within a few hours carry signs of one hand;"
                f" one such crowd in 10^{strength:.0f} is chance."
            ),
        ),
        _device(
            "fresh_accounts",
            found.fresh,
            f"{found.fresh.count} of {found.fresh.total} accounts were younger than 14 days at their complaint.",
        ),
        _device(
            "shared_fingerprints",
            found.fingerprint,
            f"{found.fingerprint.count} of {found.fingerprint.total} accounts share a device or network fingerprint"
            " that few others use.",
        ),
        _device(
            "near_duplicate_texts",
            found.duplicate,
            f"{found.duplicate.count} of {found.duplicate.total} longer texts have a near-duplicate in the crowd.",
        ),
        burst_evidence(burst, len(found.carriers)),
    )


def burst_evidence(burst: Signal, members: int) -> Evidence:
    """How many came at once."""
    return Evidence(
        signal="burst",
        value=burst.value,
        usual=burst.usual,
        p_value=burst.p_value,
        contribution=0.0,
        text=(
            f"{burst.count} of {members} members complained within the densest hour, where these targets draw"
            f" {burst.usual:.2f} others."
        ),
    )


def _device(name: str, s: Signal, text: str) -> Evidence:
    return Evidence(
        signal=name,
        value=s.value,
        usual=s.usual,
        p_value=s.p_value,
        contribution=device_contribution(s.p_value),
        text=text,
    )
