"""Words that say how a complaint ended, as tables write them. PURE.

Only words that judge the complaint itself are taken. `approved`, `resolved` or `closed` leave open who was right.
"""

from __future__ import annotations

from typing import Any

from service.model import Verdict
from service.tabular.values import plain_text

_UPHELD = """
    upheld uphold agreed agree agreed_with_flag accepted valid confirmed founded substantiated justified actioned
    violation violating violates true_positive content_removed removed deleted post_deleted taken_down takedown
    banned suspended warned berechtigt begruendet stattgegeben fondee justifie fondada procedente accolta guilty
    sustained
"""
_REJECTED = """
    rejected reject disagreed disagree dismissed dismiss invalid declined denied unfounded unsubstantiated
    unjustified no_violation no_action no_action_taken not_violating false_positive false_report abusive_report kept
    retained unberechtigt unbegruendet abgelehnt abgewiesen infondee injustifie infundada improcedente respinta
    not_guilty
"""
_OPEN = """
    open pending new unresolved resolved closed in_progress in_review under_review reviewed reviewing waiting
    waiting_for_review ignored deferred solved hold on_hold received submitted assigned escalated true false 0 1 yes no
    offen erledigt done
"""
_WORDS: dict[str, Verdict] = {
    **dict.fromkeys(_UPHELD.split(), "upheld"),
    **dict.fromkeys(_REJECTED.split(), "rejected"),
}
OPEN = frozenset(_OPEN.split())


def verdict_of(value: Any) -> Verdict | None:
    """What the word says about the complaint; None: nothing, or the word is unknown."""
    return _WORDS.get(_word(value))


def is_known(value: Any) -> bool:
    """Whether the word is understood, even if it does not judge."""
    return _word(value) in _WORDS or _word(value) in OPEN


def _word(value: Any) -> str:
    return "_".join(plain_text(value).strip().casefold().replace("-", " ").replace("_", " ").split())
