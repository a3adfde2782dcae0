"""Four short answers about a case: who, against what, how sure, and whether the complaints are unfounded. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.console.chart_data import SignalBar
from service.console.formatting import percent
from service.model import Evidence
from service.moderation.outcomes import VerdictTally
from service.moderation.signals.outcomes import verdicts
from service.storage.cases.case_files import TargetRow

REASONS_NAMED = 3
_ABOUT_ACCOUNTS = {
    "shared_fingerprints": "share a device or network",
    "fresh_accounts": "have new accounts",
    "near_duplicate_texts": "copied their wording",
}
_LEAST_SHARE, _LEAST_RATIO = 0.2, 2.0  # below either it is not worth mentioning


@dataclass(frozen=True, slots=True)
class CaseAnswers:
    """The text under each of the four figures."""

    who: tuple[str, ...]
    what: tuple[str, ...]
    why: tuple[str, ...]
    reviewed: str
    judged: bool  # whether people ruled on any of its targets


def case_answers(
    evidence: Sequence[Evidence],
    signals: Sequence[SignalBar],
    targets: Sequence[TargetRow],
    threshold: int,
    devices: Sequence[str | None] = (),
) -> CaseAnswers:
    """The four answers, from the evidence, the current state of the targets, and the members' devices (`A`, `B`)."""
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
    who += _common_devices(evidence, devices)
    what = tuple(
        words
        for count, words in (
            (held, f"{held:,} reach the removal threshold of {threshold:,} only because of them"),
            (removed, f"{removed:,} removed"),
            (restored, f"{restored:,} restored"),
        )
        if count
    )
    signals_for = [s.title for s in signals if s.question == "coordinated" and s.contribution > 0 and s.name != "base"]
    upheld, rejected = (sum(t.verdict == verdict for t in targets) for verdict in ("upheld", "rejected"))
    reviewed = verdicts(VerdictTally(upheld, rejected, 0))
    return CaseAnswers(who, what, tuple(signals_for[:REASONS_NAMED]), reviewed, bool(upheld or rejected))


def _common_devices(evidence: Sequence[Evidence], devices: Sequence[str | None]) -> tuple[str, ...]:
    """What members share with many others as well: their table shows it, and it is no evidence."""
    rare = next((e.value for e in evidence if e.signal == "shared_fingerprints"), None)
    sharing = sum(device is not None for device in devices)
    common = 0 if rare is None else sharing - round(rare * len(devices))
    if not devices or common < _LEAST_SHARE * len(devices):
        return ()
    return (f"{common:,} of {len(devices):,} are on devices or networks that many others use, too: no evidence",)
