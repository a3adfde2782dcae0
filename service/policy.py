"""All thresholds in one place: value, unit, reason and source. Frozen and versioned.

A tenant's overrides are versioned rows. `Policy.version` is the base version plus a hash of the overrides, so that
every flag can be read with the thresholds that produced it.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

BASE_VERSION = "2026.12"
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def _threshold(value: Any, unit: str, why: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=value, metadata={"unit": unit, "why": why, "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Weights:
    """Coefficients of the log-odds of both questions, as bench/fit_weights.py printed them (docs/detection.md).

    Each signal's file says what its coefficient is multiplied with. Those of the second question are the smallest of
    the fits that leave one imagination out: what only one of them believes counts for little.
    """

    base: float = -10.0
    lockstep: float = 5.6
    devotion: float = 4.8
    group: float = 0.75
    span: float = 4.05
    pace: float = 1.15
    fresh_accounts: float = 0.3
    shared_fingerprints: float = 1.0
    near_duplicate_texts: float = 0.7


@dataclass(frozen=True, slots=True)
class Policy:
    """All thresholds of detection, assessment and case keeping (sources: docs/detection.md)."""

    window_seconds: int = _threshold(
        14 * DAY, "s", "hot window H; older complaints count in totals only", DAY, 90 * DAY
    )
    tick_span_seconds: int = _threshold(DAY, "s", "event time that one live tick may span")
    sweep_every_seconds: int = _threshold(HOUR, "s of event time", "a sweep is due when the watermark moved this far")
    sweep_backlog_seconds: int = _threshold(
        7 * DAY, "s of event time", "in a backlog a sweep runs at least this often and ticks wait for it"
    )
    sweep_pause_seconds: int = _threshold(30, "s of wall clock", "at most one sweep in this time, backlog aside")
    neighbours: int = _threshold(
        32, "complaints", "K: how many earlier complaints a new one is paired with (64 scored no better)", 4, 256
    )
    reporter_cap: int = _threshold(
        256, "complaints", "latest complaints of one reporter that enter a pair's evidence", 16, 4096
    )
    lag_scales: tuple[int, ...] = _threshold(
        (5 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY), "s", "largest gaps between two complaints that count as together"
    )
    size_strata: tuple[int, ...] = _threshold(
        (6, 20, 60), "complaints in +-3 d", "rarity of a target; a last stratum without bound follows"
    )
    default_shape: float = _threshold(0.55, "", "gamma shape a of affinity until a first sweep has fitted it", 0.3, 5)
    default_rate: float = _threshold(0.065, "", "gamma rate b of affinity until a first sweep has fitted it", 0.02, 2)
    fit_sample: int = _threshold(20_000, "pairs", "pairs that a and b are fitted on")
    false_discovery_rate: float = _threshold(0.01, "", "Benjamini-Hochberg q over all distinct pairs met", 1e-4, 0.2)
    weak_p: float = _threshold(0.02, "", "pairs up to this p are kept, for the threshold and the weak tier", 1e-3, 0.1)
    growth_rounds: int = _threshold(3, "", "growth of a seed stops after this many rounds")
    growth_p: float = _threshold(0.01, "", "a candidate's p times the number of candidates to be admitted", 1e-4, 0.1)
    growth_margin_seconds: int = _threshold(HOUR, "s", "members' window on a target reaches this far beyond them")
    regrow_share: float = _threshold(
        0.05,
        "",
        "a known group is grown again once this share of its complaints is new (small groups: at once)",
        0,
        0.5,
    )
    target_share: float = _threshold(0.1, "", "share of members (at least 2) that makes a target the cluster's")
    merge_share: float = _threshold(0.3, "", "grown groups that share this much of the smaller are one")
    min_members: int = _threshold(
        3, "accounts", "the smallest group shown: two accounts are easily a coincidence", 3, 20
    )
    flag_score: float = _threshold(0.0, "log-odds", "flagged above", -5, 10)
    fresh_account_seconds: int = _threshold(14 * DAY, "s", "an account younger than this is fresh")
    text_jaccard: float = _threshold(0.4, "", "texts of five words and more that share this are near-duplicates")
    text_min_words: int = _threshold(
        5, "words", "distinct words; shorter texts are canned reasons and get no signature", 5, 255
    )
    rare_fingerprint_outside: int = _threshold(
        5, "accounts", "a fingerprint used by more accounts outside the cluster is an office or mobile carrier"
    )
    rare_fingerprint_users: int = _threshold(
        8, "accounts", "a fingerprint used by more accounts than a household has is a school's or an office's", 2, 1_000
    )
    weights: Weights = field(
        default=Weights(),
        metadata={
            "unit": "log-odds",
            "why": "weights of the signals that a group is coordinated",
            "low": None,
            "high": None,
        },
    )
    prior_unfounded: float = _threshold(
        0.5, "", "P(unfounded | coordinated) before any complaint was reviewed", 0.01, 0.99
    )
    identity_overlap: float = _threshold(0.5, "", "share of the smaller that makes a recomputed group the stored one")
    reopen_new_targets: int = _threshold(3, "targets", "a decided cluster with this many new targets reopens")
    reopen_growth: float = _threshold(0.2, "", "a decided cluster that grows by this share reopens")
    flags_per_day: int = _threshold(50, "flags", "quota of new flags a UTC day; the rest is held back", 0, 100_000)
    warn_unfounded: int = _threshold(
        10,
        "complaints",
        'judged unfounded by people, within the period, before a warning is suggested: "frequently", DSA Art. 23(2);'
        " Stack Exchange looks from 10 on",
        1,
        10_000,
    )
    warn_share: float = _threshold(
        0.8,
        "",
        "share of a reporter's judged complaints that are unfounded: Art. 23(3) wants the proportion; honest readers"
        " are wrong in four of ten, so eight of ten happens to hardly any",
        0.1,
        1,
    )
    warn_period_seconds: int = _threshold(
        90 * DAY,
        "s of event time",
        "older complaints are ignored; at most one warning is suggested per period",
        7 * DAY,
        730 * DAY,
    )
    default_threshold: int = _threshold(
        8, "complaints", "a platform's removal threshold, unless the platform names its own", 1, 1_000_000
    )

    @property
    def version(self) -> str:
        """The base version; with overrides, a hash of them behind a plus sign."""
        base = Policy()
        changed = {
            f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != getattr(base, f.name)
        }
        if not changed:
            return BASE_VERSION
        digest = hashlib.sha256(json.dumps(changed, sort_keys=True, default=str).encode()).hexdigest()
        return f"{BASE_VERSION}+{digest[:8]}"

    def overridden(self, values: dict[str, Any]) -> Policy:
        """This policy with a tenant's overrides.

        Raises ValueError for an unknown name, a value of another type or one outside its allowed range.
        """
        known = {f.name: f for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown threshold {name}; known thresholds: {', '.join(sorted(known))}")
            if not _fits(known[name].default, value):
                raise ValueError(f"{name} = {value!r} must be {_kind(known[name].default)}")
            low, high = known[name].metadata["low"], known[name].metadata["high"]
            if (low is not None and value < low) or (high is not None and value > high):
                raise ValueError(f"{name} = {value} is outside {low}..{high}")
        return replace(self, **values)


DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold as an operator sees it."""

    name: str
    value: Any
    default: Any
    unit: str
    why: str
    low: float | None
    high: float | None

    @property
    def settable(self) -> bool:
        """Whether a tenant may have its own: those with a range. The others are parts of the method."""
        return self.low is not None or self.high is not None


def thresholds(policy: Policy) -> list[Threshold]:
    """All of them, in the order in which they are defined."""
    return [Threshold(f.name, getattr(policy, f.name), f.default, **f.metadata) for f in fields(policy)]


def read_override(text: str) -> tuple[str, Any]:
    """Parse `NAME=VALUE` as a person writes it.

    Raises ValueError for anything else, for a threshold that a tenant cannot set, and for a value that is not a number
    of the threshold's kind. `Policy.overridden` checks the range.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    settable = {t.name: t for t in thresholds(DEFAULT_POLICY) if t.settable}
    if not equals:
        raise ValueError(f"{text!r} must have the form NAME=VALUE, for example prior_unfounded=0.3")
    if name not in settable:
        raise ValueError(f"{name!r} is not a threshold that a tenant may set; these are: {', '.join(sorted(settable))}")
    try:
        return name, (int if isinstance(settable[name].default, int) else float)(value)
    except ValueError:
        raise ValueError(f"{name} = {value!r} must be {_kind(settable[name].default)}") from None


def _fits(default: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(default, float):
        return isinstance(value, (int, float)) and math.isfinite(value)
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(isinstance(one, int) for one in value)
    return isinstance(value, type(default))


def _kind(default: Any) -> str:
    return {int: "a whole number", float: "a number", tuple: "whole numbers"}.get(type(default), type(default).__name__)
