"""A group's measured signals as evidence that a person can read, with what each adds to the score."""

from __future__ import annotations

from service.model import Evidence
from service.moderation.score import BASE, surprise
from workers.detection.evidence import Measured, Signal


def structural_evidence(m: Measured, members: int, targets: int) -> tuple[Evidence, ...]:
    """Everything but the outcomes; contributions sum to the structural score (service/moderation/score.py)."""
    rows = [
        Evidence(signal="base", value=1, usual=1, p_value=None, contribution=BASE, text="Where every group starts: most groups are chance."),
        Evidence(signal="lockstep", value=m.lockstep, usual=0.0, p_value=None, contribution=2 * m.lockstep,
                 text=f"On an average target {m.lockstep:.0%} of the other members complained too."),
        Evidence(signal="devotion", value=m.devotion, usual=0.3, p_value=None, contribution=2 * (m.devotion - 0.3),
                 text=f"{m.devotion:.0%} of all complaints of the members go to these {targets} targets."),
        Evidence(signal="pairs", value=m.surprise, usual=1.0, p_value=10 ** -min(m.surprise, 300.0), contribution=0.15 * min(m.surprise, 15.0),
                 text=f"Two members meet as often as chance would bring together one pair in 10^{m.surprise:.0f}, readers of the same articles considered."
                 if m.contexts_told else f"Two members meet as often as chance would bring together one pair in 10^{m.surprise:.0f}; no contexts were told, so shared reading is not considered."),
        _device("fresh_accounts", m.fresh, f"{m.fresh.count} of {m.fresh.total} accounts were younger than 14 days at their first complaint here."),
        _device("shared_fingerprints", m.fingerprint, f"{m.fingerprint.count} of {m.fingerprint.total} accounts share a device or network fingerprint that few others use."),
        _device("near_duplicate_texts", m.duplicate, f"{m.duplicate.count} of {m.duplicate.total} longer texts have a near-duplicate in the group."),
        Evidence(signal="one_author", value=m.author.value, usual=m.author.usual, p_value=None, contribution=2 * max(0.0, m.author.value - 0.5) if targets >= 4 else 0.0,
                 text=f"{m.author.count} of {m.author.total} targets were written by one author."),
        Evidence(signal="burst", value=m.burst.value, usual=m.burst.usual, p_value=m.burst.p_value, contribution=0.0,
                 text=f"{m.burst.count} of {members} members complained within the densest hour, where these targets draw {m.burst.usual:.2f} others."),
    ]
    return tuple(rows)


def _device(name: str, s: Signal, text: str) -> Evidence:
    return Evidence(signal=name, value=s.value, usual=s.usual, p_value=s.p_value, contribution=0.5 * surprise(s.p_value), text=text)
