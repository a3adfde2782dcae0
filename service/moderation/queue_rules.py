"""Which queue takes a case, and who in it: the first queue whose conditions all hold. PURE.

A queue without conditions takes nothing on its own; people move cases there. A case is about contexts, in languages and
for reasons that at least half of its targets (of its complaints, for reasons) have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from service.model import JsonObject

LANGUAGE_ATTRIBUTES = ("language", "lang")  # of a target, as its platform sends them
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What rules need of a case's complaints: targets by context and by language, complaints by reason."""

    contexts: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    targets: int = 0
    complaints: int = 0


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """A case as rules see it."""

    kind: str
    score: float
    coordination: float
    accounts: int
    tags: frozenset[str]  # casefolded
    facts: CaseFacts | None  # None: not counted yet


@dataclass(frozen=True, slots=True)
class QueueConditions:
    """All that is set must hold; of several contexts, languages or reasons any."""

    contexts: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    kind: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    min_coordination: float | None = None
    max_coordination: float | None = None
    min_accounts: int | None = None
    tag: str | None = None

    @property
    def set_ones(self) -> JsonObject:
        """The conditions that are set, by name, as JSON can hold them."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items() if v not in (None, ())}


@dataclass(frozen=True, slots=True)
class QueueRule:
    """A queue as a rule; the people in their order."""

    queue_id: int
    conditions: QueueConditions
    user_ids: tuple[int, ...] = ()


def conditions_of(document: Mapping[str, Any]) -> QueueConditions:
    """What `set_ones` gave; unknown names, of another version, are left out."""
    known = {f.name for f in fields(QueueConditions)}
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in document.items() if n in known}
    return QueueConditions(**values)


def needs_facts(conditions: QueueConditions) -> bool:
    """Whether the conditions are about the case's complaints."""
    return bool(conditions.contexts or conditions.languages or conditions.reasons)


def holds(conditions: QueueConditions, case: CaseFigures) -> bool:
    """Whether the case meets all conditions. What is not counted yet does not."""
    facts = case.facts or CaseFacts()
    return bool(conditions.set_ones) and all(
        (
            not conditions.contexts or _mostly(facts.contexts, conditions.contexts, facts.targets),
            not conditions.languages or _mostly(facts.languages, _primary(conditions.languages), facts.targets),
            not conditions.reasons or _mostly(facts.reasons, conditions.reasons, facts.complaints),
            conditions.kind is None or case.kind == conditions.kind,
            conditions.min_score is None or case.score >= conditions.min_score,
            conditions.max_score is None or case.score <= conditions.max_score,
            conditions.min_coordination is None or case.coordination >= conditions.min_coordination,
            conditions.max_coordination is None or case.coordination <= conditions.max_coordination,
            conditions.min_accounts is None or case.accounts >= conditions.min_accounts,
            conditions.tag is None or conditions.tag.casefold() in case.tags,
        )
    )


def first_rule(rules: Sequence[QueueRule], case: CaseFigures) -> QueueRule | None:
    """The first rule that takes the case."""
    return next((rule for rule in rules if holds(rule.conditions, case)), None)


def next_person(rule: QueueRule, active: frozenset[int], waiting: Mapping[int, int]) -> int | None:
    """Who of the rule's people has the fewest waiting cases, the first of several; None: nobody is named or active."""
    able = [user for user in rule.user_ids if user in active]
    return min(able, key=lambda user: waiting.get(user, 0), default=None)


def primary_language(tag: str) -> str:
    """The language of a tag such as "de-AT" or "pt_BR", in small letters."""
    return tag.strip().casefold().replace("_", "-").partition("-")[0]


def _primary(languages: Sequence[str]) -> set[str]:
    return {primary_language(one) for one in languages}


def _mostly(counts: Mapping[str, int], wanted: Sequence[str] | set[str], of: int) -> bool:
    # Each target has one context and one language, so that counts may be added.
    return of > 0 and sum(counts.get(one, 0) for one in set(wanted)) >= SHARE * of
