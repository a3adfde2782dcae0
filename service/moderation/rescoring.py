"""How would a group be scored without some of its members? An estimate for whoever is about to take them out. PURE.

What can be measured anew from the group's own complaints is: lockstep, devotion, span, one author, fresh accounts,
shared fingerprints, near-duplicate texts, and the outcomes. The rest (how unlikely the group is by chance, the pairs, a
crowd's slice) needs the whole window; it stays as the detector measured it, and the answer says so. Lockstep, devotion
and span move by as much as our own figure moves, since the detector's looks at a window that ours may reach beyond. A
signal that counts accounts or texts is measured anew only where our count of the whole group is the detector's.

The detector's own answer comes with its next look at the group, and outranks this.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from service.model import Disposition, Evidence, Kind
from service.moderation.outcomes import VerdictTally
from service.moderation.score import (
    FEWEST_TEXTS,
    OUTCOMES,
    TEXTS_COMPARED,
    USUAL_SHARE,
    author_contribution,
    device_contribution,
    fresh_chance,
    judge,
    tail,
)
from service.policy import Policy

_SAME = 0.005  # two shares that differ by less are the same count


@dataclass(frozen=True, slots=True)
class Said:
    """A member's complaint on one of the group's targets, with what of it the signals look at."""

    reporter: int
    target: int
    time_us: int
    context: str | None = None
    author: str | None = None  # of the target
    created_us: int | None = None  # of the account
    fingerprint: str | None = None
    # which texts are near-duplicates of each other have the same; None: no text, or a short one
    wording: str | None = None


@dataclass(frozen=True, slots=True)
class RescoredSignal:
    """One signal, for the whole group and for who is left."""

    signal: str
    before: Evidence
    after: Evidence
    measured: bool  # False: it stays as the detector measured it

    @property
    def change(self) -> float:
        """Of the signal's share of the score."""
        return self.after.contribution - self.before.contribution


@dataclass(frozen=True, slots=True)
class Rescored:
    """The group as it is, and as it would be."""

    members: int  # left
    targets: int  # on which enough of those who are left complained
    score_before: float
    score: float
    probability: float
    unfounded_probability: float
    disposition: Disposition  # flagged, reliable or revoked
    too_few: bool  # no group is left
    rows: tuple[RescoredSignal, ...]


def rescore_without(
    evidence: Sequence[Evidence],
    said: Sequence[Said],
    left_out: Collection[int],
    elsewhere: Mapping[int, int],
    told: tuple[VerdictTally, VerdictTally],
    kind: Kind,
    policy: Policy,
) -> Rescored:
    """The group's score without the members in `left_out`.

    `evidence` is the group's as stored, `said` the complaints of all its members on its targets, `elsewhere` how many
    complaints each member has on other targets, `told` the outcomes' tally for the whole group and for who is left.
    Order is irrelevant.
    """
    out = set(left_out)
    ordered = sorted(said, key=lambda s: (s.time_us, s.reporter))
    crowd = Counter(s.target for s in ordered if s.reporter not in out)
    enough = 1 if kind == "one_shot" else 2
    kept = [s for s in ordered if s.reporter not in out and crowd[s.target] >= enough]
    members, targets = len({s.reporter for s in kept}), len({s.target for s in kept})
    structural = [e for e in evidence if e.signal != OUTCOMES]
    after = {e.signal: _anew(e, ordered, kept, elsewhere, policy) for e in structural}
    before = judge(
        structural,
        told[0],
        len({s.target for s in ordered}),
        prior_unfounded=policy.prior_unfounded,
        flag_score=policy.flag_score,
    )
    verdict = judge(
        [after[e.signal] or e for e in structural],
        told[1],
        targets,
        prior_unfounded=policy.prior_unfounded,
        flag_score=policy.flag_score,
    )
    new = {e.signal: e for e in verdict.evidence}
    too_few = members < policy.min_members or targets < enough
    return Rescored(
        members=members,
        targets=targets,
        score_before=before.score,
        score=verdict.score,
        probability=verdict.probability,
        unfounded_probability=verdict.unfounded_probability,
        disposition="revoked" if too_few else verdict.disposition,
        too_few=too_few,
        rows=tuple(
            RescoredSignal(e.signal, e, new[e.signal], e.signal == OUTCOMES or after.get(e.signal) is not None)
            for e in before.evidence
        ),
    )


def _anew(
    e: Evidence, whole: Sequence[Said], kept: Sequence[Said], elsewhere: Mapping[int, int], policy: Policy
) -> Evidence | None:
    """The signal for who is left; None where only the detector can tell."""
    weights = policy.weights
    moving: Mapping[str, tuple[Callable[[Sequence[Said]], float], float]] = {
        "lockstep": (_lockstep, weights.lockstep),
        "devotion": (lambda said: _devotion(said, elsewhere), weights.devotion),
        "span": (_span, weights.span),
    }
    if e.signal in moving:
        measure, weight = moving[e.signal]
        value = min(1.0, max(0.0, e.value + measure(kept) - measure(whole)))
        return e.model_copy(update={"value": value, "contribution": weight * value})
    if e.signal == "one_author":
        if abs(_author(whole) - e.value) > _SAME:
            return None
        share = _author(kept)
        return e.model_copy(
            update={"value": share, "contribution": author_contribution(share, len({s.target for s in kept}))}
        )
    counting: Mapping[str, tuple[Callable[[Sequence[Said], Policy], tuple[int, int]], float]] = {
        "fresh_accounts": (_fresh, fresh_chance(e.usual)),
        "shared_fingerprints": (_fingerprints, USUAL_SHARE),
        "near_duplicate_texts": (_duplicates, USUAL_SHARE),
    }
    if e.signal not in counting:
        return None
    count, chance = counting[e.signal]
    hits, total = count(whole, policy)
    if abs(hits / max(total, 1) - e.value) > _SAME:
        return None
    hits, total = count(kept, policy)
    p = tail(hits, total, chance)
    if e.signal == "near_duplicate_texts" and total < FEWEST_TEXTS:
        return e.model_copy(update={"value": 0.0, "p_value": None, "contribution": 0.0})
    return e.model_copy(update={"value": hits / max(total, 1), "p_value": p, "contribution": device_contribution(p)})


def _lockstep(said: Sequence[Said]) -> float:
    members, targets = len({s.reporter for s in said}), len({s.target for s in said})
    return (len(said) / max(targets, 1) - 1) / max(members - 1, 1)


def _devotion(said: Sequence[Said], elsewhere: Mapping[int, int]) -> float:
    return len(said) / max(1, len(said) + sum(elsewhere.get(r, 0) for r in {s.reporter for s in said}))


def _span(said: Sequence[Said]) -> float:
    contexts: dict[int, set[str]] = defaultdict(set)
    for s in said:
        contexts[s.reporter].add(s.context if s.context is not None else f"\0{s.target}")
    return sum(len(own) >= 2 for own in contexts.values()) / max(len(contexts), 1)


def _author(said: Sequence[Said]) -> float:
    authors = {s.target: s.author for s in said}
    count = Counter(author for author in authors.values() if author is not None)
    return max(count.values(), default=0) / max(len(authors), 1)


def _firsts(said: Sequence[Said]) -> list[Said]:
    """Each member's first complaint; `said` is in order of time."""
    first: dict[int, Said] = {}
    for s in said:
        first.setdefault(s.reporter, s)
    return list(first.values())


def _fresh(said: Sequence[Said], policy: Policy) -> tuple[int, int]:
    known = [s.time_us - s.created_us for s in _firsts(said) if s.created_us is not None]
    return sum(age < policy.fresh_account_seconds * 1_000_000 for age in known), len(known)


def _fingerprints(said: Sequence[Said], _: Policy) -> tuple[int, int]:
    first = _firsts(said)
    count = Counter(s.fingerprint for s in first if s.fingerprint is not None)
    return sum(count[s.fingerprint] >= 2 for s in first if s.fingerprint is not None), len(first)


def _duplicates(said: Sequence[Said], _: Policy) -> tuple[int, int]:
    texts = [s.wording for s in said if s.wording is not None][:TEXTS_COMPARED]
    if len(texts) < FEWEST_TEXTS:
        return 0, len(texts)
    count = Counter(texts)
    return sum(count[text] >= 2 for text in texts), len(texts)
