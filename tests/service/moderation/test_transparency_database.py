"""A removal in the fields of the DSA Transparency Database, against its API's rules (StatementStoreRequest, 2026)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from service.model import Action, DecidedBy, Verdict
from service.moderation.assessment import Freshness, TargetStanding, assess, summarise
from service.moderation.brief import ComplaintFigures, Dossier, ReceivedOutcome, fragment
from service.moderation.transparency_database import statement_of

NOW = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
REQUIRED = {  # whatever the ground is; one decision_* has to be there
    *("decision_visibility", "decision_ground", "content_type", "category", "content_date", "application_date", "puid"),
    *("decision_facts", "source_type", "automated_detection", "automated_decision"),
}
BY_GROUND = {
    *("illegal_content_legal_ground", "illegal_content_explanation"),
    *("incompatible_content_ground", "incompatible_content_explanation"),
}
ALLOWED = {
    "source_type": r"SOURCE_(ARTICLE_16|TRUSTED_FLAGGER|TYPE_OTHER_NOTIFICATION|VOLUNTARY)",
    "automated_detection": r"Yes|No",
    "automated_decision": r"AUTOMATED_DECISION_(FULLY|PARTIALLY|NOT_AUTOMATED)",
    "application_date": r"20[2-3]\d-\d\d-\d\d",
    "decision_facts": r"(?s).{1,5000}",
}


def outcome(hours: float, action: Action | None, by: DecidedBy, verdict: Verdict | None = None) -> ReceivedOutcome:
    at = NOW + timedelta(hours=hours)
    return ReceivedOutcome(f"o{hours}", at, at, verdict, action, by, None)


REMOVED = outcome(0, "removed", "automatic")
REVIEWED = outcome(1, None, "person", "upheld")
NOTICES = ComplaintFigures(standing=3, illegal_content_notices=1, trusted=1, trusted_notices=1)


@pytest.mark.parametrize(
    ("figures", "outcomes", "told"),
    [
        (ComplaintFigures(standing=12), [REMOVED], ("SOURCE_TYPE_OTHER_NOTIFICATION", "No", "FULLY")),
        (ComplaintFigures(standing=12, machine=1), [REMOVED, REVIEWED], (None, "Yes", "PARTIALLY")),
        (NOTICES, [outcome(0, "removed", "person")], ("SOURCE_TRUSTED_FLAGGER", "No", "NOT_AUTOMATED")),
        (ComplaintFigures(), [REMOVED], ("", "", "FULLY")),
    ],
)
def test_every_required_field_is_told_as_the_database_takes_it_or_named_as_the_platform_s(
    figures: ComplaintFigures, outcomes: list[ReceivedOutcome], told: tuple[str | None, str, str]
) -> None:
    asked = assess("t", TargetStanding(figures.standing, summarise([])), Freshness(NOW, False), threshold=8)
    found = statement_of(fragment(asked, Dossier(figures, outcomes=outcomes), 8, "v"))
    assert found is not None
    assert found.fields.keys() | found.platform_only.keys() == REQUIRED | BY_GROUND
    assert not found.fields.keys() & found.platform_only.keys()
    for name, allowed in ALLOWED.items():
        assert name not in found.fields or re.fullmatch(allowed, str(found.fields[name])), name
    source, detection, automation = told
    assert source is None or found.fields.get("source_type", "") == source
    assert found.fields.get("automated_detection", "") == detection
    assert found.fields["automated_decision"] == f"AUTOMATED_DECISION_{automation}"
    assert found.fields["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert found.fields["application_date"] == "2026-11-02"


@pytest.mark.parametrize("outcomes", [[], [REVIEWED], [REMOVED, outcome(2, "restored", "appeal", "rejected")]])
def test_without_a_removal_that_stands_there_is_no_statement(outcomes: list[ReceivedOutcome]) -> None:
    asked = assess("t", TargetStanding(12, summarise([])), Freshness(NOW, False), threshold=8)
    figures = ComplaintFigures(standing=12)
    assert statement_of(fragment(asked, Dossier(figures, outcomes=outcomes), 8, "v")) is None
