"""A removal in the fields of the Commission's DSA Transparency Database, as far as complaints and outcomes tell them.

Art. 24(5) DSA has platforms submit their statements of reasons (Art. 17) there, without personal data. The names, terms
and bounds are those of the database's API as of June 2026 (github.com/digital-services-act/transparency-database,
StatementStoreRequest). What the platform alone can know is listed beside it, not guessed. PURE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.moderation.brief import Fragment

LONGEST_FACTS = 5_000  # characters of decision_facts

# Fields that a statement about a removal has to have, and that neither complaints nor outcomes tell.
PLATFORM_ONLY: Mapping[str, str] = {
    "puid": "Your own number for this statement, used once and never for a person.",
    "decision_ground": "Whether the content is illegal or breaks your terms: complaints do not decide that.",
    "illegal_content_legal_ground": "The law, where decision_ground is DECISION_GROUND_ILLEGAL_CONTENT.",
    "illegal_content_explanation": "Why that law applies, where decision_ground is DECISION_GROUND_ILLEGAL_CONTENT.",
    "incompatible_content_ground": "The clause, where decision_ground is DECISION_GROUND_INCOMPATIBLE_CONTENT.",
    "incompatible_content_explanation": (
        "Why that clause applies, where decision_ground is DECISION_GROUND_INCOMPATIBLE_CONTENT."
    ),
    "category": "The database's category of what was wrong with the content.",
    "content_type": "Text, image, video and so on: complaints do not tell it.",
    "content_date": "The day the content was published.",
}
# What stands here where the complaints do not tell it, as when nobody complained.
UNTOLD: Mapping[str, str] = {
    "source_type": "What led to the decision: no complaint about it was received.",
    "automated_detection": "Whether automated means found the content: no complaint about it was received.",
}


@dataclass(frozen=True, slots=True)
class DatabaseStatement:
    """The fields that are known, under the database's names, and why the platform has to add the others."""

    fields: Mapping[str, str | list[str]]
    platform_only: Mapping[str, str]


def statement_of(fragment: Fragment) -> DatabaseStatement | None:
    """The statement about a removal that stands; None without one.

    An account that was suspended is a removal here as well: the platform then sends `decision_account` in place of
    `decision_visibility`.
    """
    if fragment.restriction is None or fragment.decided_at is None or fragment.automated_decision is None:
        return None
    known: dict[str, str | list[str] | None] = {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
        "application_date": fragment.decided_at.date().isoformat(),
        "decision_facts": fragment.decision_facts[:LONGEST_FACTS],
        "source_type": fragment.source_type,
        "automated_detection": fragment.automated_detection,
        "automated_decision": fragment.automated_decision,
    }
    return DatabaseStatement(
        {name: value for name, value in known.items() if value is not None},
        {**{name: why for name, why in UNTOLD.items() if known[name] is None}, **PLATFORM_ONLY},
    )
