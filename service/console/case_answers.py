"""A case in four short answers, for the first look: who, what, how sure, and whether they are wrong. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.console.chart_data import SignalBar
from service.console.formatting import percent, plural
from service.model import Evidence
from service.storage.cases.case_files import TargetRow

REASONS_NAMED = 3
_ABOUT_ACCOUNTS = {
    "shared_fingerprints": "share a device or network",
    "fresh_accounts": "have fresh accounts",
    "near_duplicate_texts": "copied their wording",
}
_LEAST_SHARE, _LEAST_RATIO = 0.2, 2.0  # below either it is nothing that meets the eye


@dataclass(frozen=True, slots=True)
class CaseAnswers:
    """What stands under each of the four figures."""

    who: tuple[str, ...]
    what: tuple[str, ...]
    why: tuple[str, ...]
    judged: str


def case_answers(
    evidence: Sequence[Evidence], signals: Sequence[SignalBar], targets: Sequence[TargetRow], threshold: int
) -> CaseAnswers:
    """The four answers, from the evidence and the targets as they stand now."""
    held, removed, restored = (
        sum(fits)
        for fits in (
            [t.recommendation == "hold" for t in targets],
            [t.action == "removed" for t in targets],
            [t.action == "restored" for t in targets],
        )
    )
    who = tuple(
        f"{percent(e.value)} {_ABOUT_ACCOUNTS[e.signal]}"
        for e in evidence
        if e.signal in _ABOUT_ACCOUNTS and e.value >= _LEAST_SHARE and e.value >= _LEAST_RATIO * e.usual
    )
    what = tuple(
        words
        for count, words in (
            (held, f"{held:,} reach the threshold of {threshold:,} only because of them"),
            (removed, f"{removed:,} removed"),
            (restored, f"{restored:,} put back"),
        )
        if count
    )
    speaking = [s.title for s in signals if s.question == "coordinated" and s.contribution > 0 and s.name != "base"]
    upheld, rejected = (sum(t.verdict == verdict for t in targets) for verdict in ("upheld", "rejected"))
    judged = (
        f"people rejected {rejected:,} of {plural(upheld + rejected, 'judged target')}"
        if upheld + rejected
        else "nobody has judged a target yet"
    )
    return CaseAnswers(who, what, tuple(speaking[:REASONS_NAMED]), judged)
