"""The brief says what is known in plain words, and what is not; the fragment says what was automatic."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.model import Decision
from service.moderation.assessment import ClusterPart, Freshness, TargetStanding, assess, summarise
from service.moderation.brief import (
    ComplaintFigures,
    Dossier,
    GroupOnTarget,
    ReceivedOutcome,
    TargetRestoration,
    fragment,
    not_known,
    sentences,
)
from service.moderation.target_assessment import Assessment

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
GROUP = GroupOnTarget(
    "k1",
    "repeat",
    "flagged",
    "open",
    "10 accounts complained about the same 31 targets; not judged yet.",
    None,
)
FIGURES = ComplaintFigures(standing=12, first_at=NOW, last_at=NOW)


def asked(complaints: int = 12, members: int = 10, **fields: Any) -> Assessment:
    parts = [ClusterPart("k1", 1.0, 1.0, 1.0, True, set(range(members)))] if members else []
    fresh = Freshness(NOW, fields.pop("pending", False))
    return assess("t", TargetStanding(complaints, summarise(parts)), fresh, threshold=8)


def outcome(identity: str, hours: float, **fields: Any) -> ReceivedOutcome:
    at = NOW + timedelta(hours=hours)
    return ReceivedOutcome(
        **{
            "id": identity,
            "decided_at": at,
            "received_at": at,
            "verdict": None,
            "action": None,
            "decided_by": "automatic",
            "complaint_id": None,
            **fields,
        }
    )


def text(assessment: Assessment, dossier: Dossier) -> str:
    return " ".join(sentences(assessment, dossier, 8))


def test_a_target_never_seen_has_a_brief_of_zeros() -> None:
    empty = asked(0, 0)
    assert sentences(empty, Dossier(), 8) == ["There are no standing complaints about this target."]
    told = fragment(empty, Dossier(), 8, "v")
    assert (
        told.restriction,
        told.source_type,
        told.automated_detection,
        told.automated_decision,
        told.complaints,
        told.independent_complaints,
    ) == (None, None, None, None, 0, 0.0)
    assert not told.crossed_by_complaints


def test_a_held_target_says_who_carries_it_and_what_would_be_without() -> None:
    said = text(asked(), Dossier(FIGURES, [GROUP]))
    assert "12 people complained" in said and "leaves 3 independent complaints" in said
    assert "only because of coordinated complaints" in said and "not judged yet" in said
    assert (
        "10 of the complaints are from group k1 (flagged, no moderator has decided yet)" in said
        and "Without the discount for group k1, 12 complaints would count." in said
    )
    assert any("estimate" in line for line in not_known(asked(), Dossier(FIGURES, [GROUP])))


def test_honest_outrage_is_told_as_such() -> None:
    said = text(asked(300, 0), Dossier(replace(FIGURES, standing=300)))
    assert (
        "300 people complained about this target, independently of each other" in said
        and "Enough people complained independently" in said
        and "group" not in said
    )
    assert "It does not reach the threshold of 8." in text(
        asked(1, 0), Dossier(FIGURES)
    ) and "1 person complained" in text(asked(1, 0), Dossier(FIGURES))


def test_what_a_person_decided_is_told_with_its_reversal() -> None:
    first = Decision(
        id="d1", cluster_id="k1", at=NOW, by="ann", verdict="not_coordinated", reason_code="outrage", version=1
    )
    second = first.model_copy(update={"id": "d2", "reverses": "d1", "by": "bob"})
    said = text(asked(), Dossier(FIGURES, [replace(GROUP, verdict="coordinated", decisions=[first, second])]))
    assert (
        "a moderator decided: coordinated" in said
        and "ann decided about this group on 2026-11-02 12:00 UTC: not coordinated (outrage)." in said
        and "bob undid decision d1 about this group on 2026-11-02 12:00 UTC." in said
    )
    opposite = second.model_copy(update={"verdict": "coordinated", "reason_code": "brigade"})
    said = text(asked(), Dossier(FIGURES, [replace(GROUP, verdict="coordinated", decisions=[first, opposite])]))
    assert "coordinated (brigade), reversing decision d1." in said


@pytest.mark.parametrize(
    ("disposition", "words"),
    [
        ("reliable", "moderators upheld its complaints"),
        ("revoked", "no longer considered a group"),
        ("held_back", "by the day's quota"),
    ],
)
def test_every_kind_of_group_is_explained(disposition: Any, words: str) -> None:
    assert words in text(asked(12, 0), Dossier(FIGURES, [replace(GROUP, disposition=disposition)]))


def test_notices_of_illegal_content_are_set_apart() -> None:
    figures = replace(FIGURES, illegal_content_notices=2, trusted=1, withdrawn=1, machine=3)
    said = text(asked(), Dossier(figures))
    assert (
        "2 of the complaints are each a notice of illegal content: never discounted" in said
        and "1 of the complaints is by a trusted flagger" in said
    )
    assert (
        "1 more complaint was withdrawn and counted nowhere." in said and "3 more reports were sent by machines" in said
    )


@pytest.mark.parametrize(
    ("figures", "source", "detection"),
    [
        (FIGURES, "SOURCE_TYPE_OTHER_NOTIFICATION", "No"),
        (replace(FIGURES, illegal_content_notices=1), "SOURCE_ARTICLE_16", "No"),
        (replace(FIGURES, illegal_content_notices=1, trusted=1, trusted_notices=1), "SOURCE_TRUSTED_FLAGGER", "No"),
        (replace(FIGURES, illegal_content_notices=1, trusted=1), "SOURCE_ARTICLE_16", "No"),
        (ComplaintFigures(machine=2), None, "Yes"),
    ],
)
def test_the_source_is_told_in_the_databases_words(
    figures: ComplaintFigures, source: str | None, detection: str
) -> None:
    told = fragment(asked(), Dossier(figures), 8, "v")
    assert (told.source_type, told.automated_detection) == (source, detection)


AUTOMATIC = outcome("o1", 0, action="removed")


@pytest.mark.parametrize(
    ("outcomes", "restriction", "automated"),
    [
        ([AUTOMATIC], "removed", "AUTOMATED_DECISION_FULLY"),
        (
            [AUTOMATIC, outcome("o2", 1, verdict="upheld", decided_by="person")],
            "removed",
            "AUTOMATED_DECISION_PARTIALLY",
        ),
        (
            [AUTOMATIC, outcome("o2", 1, action="removed", decided_by="appeal")],
            "removed",
            "AUTOMATED_DECISION_PARTIALLY",
        ),
        ([outcome("o2", 1, action="removed", decided_by="person")], "removed", "AUTOMATED_DECISION_NOT_AUTOMATED"),
        ([AUTOMATIC, outcome("o2", 1, action="restored", decided_by="person")], None, None),
        (
            [AUTOMATIC, outcome("o2", 1, verdict="upheld", decided_by="person", complaint_id="c9")],
            "removed",
            "AUTOMATED_DECISION_FULLY",
        ),
        ([outcome("o2", 1, verdict="rejected", decided_by="person")], None, None),
        ([], None, None),
    ],
)
def test_what_was_automatic_is_told_for_the_removal_that_stands(
    outcomes: list[ReceivedOutcome], restriction: str | None, automated: str | None
) -> None:
    told = fragment(asked(), Dossier(FIGURES, outcomes=outcomes), 8, "v")
    assert (told.restriction, told.automated_decision) == (restriction, automated)
    assert (told.decided_at is None) == (restriction is None)


def test_outcomes_are_told_in_order_and_what_nobody_has_looked_at_is_said() -> None:
    said = text(asked(), Dossier(FIGURES, outcomes=[AUTOMATIC]))
    assert (
        "2026-11-02 12:00 UTC, automatically: it was removed." in said and "no moderator has reviewed it since" in said
    )
    both = text(
        asked(),
        Dossier(
            FIGURES, outcomes=[AUTOMATIC, outcome("o2", 1, action="restored", verdict="rejected", decided_by="appeal")]
        ),
    )
    assert (
        "on appeal: the complaints about it were rejected and it was restored." in both
        and "no moderator has reviewed" not in both
    )
    assert both.index("automatically") < both.index("on appeal")
    one = text(
        asked(),
        Dossier(FIGURES, outcomes=[outcome("o3", 0, verdict="upheld", decided_by="person", complaint_id="c-9")]),
    )
    assert "by a moderator: complaint c-9 alone was upheld." in one


def test_a_retracted_outcome_is_told_as_taken_back_and_settles_nothing() -> None:
    upheld = outcome("o2", 1, verdict="upheld", action="removed", decided_by="person")
    retraction = outcome("o3", 2, decided_by="person", retracts="o2")
    dossier = Dossier(FIGURES, outcomes=[AUTOMATIC, upheld, retraction])
    said = text(asked(), dossier)
    assert "it was removed. Outcome o2 was taken back and no longer counts." in said
    assert "14:00 UTC, by a moderator: outcome o2 was taken back." in said
    assert "no moderator has reviewed it since" in said, "taking back a review is none"
    assert fragment(asked(), dossier, 8, "v").automated_decision == "AUTOMATED_DECISION_FULLY"
    unknown = " ".join(not_known(asked(), Dossier(FIGURES, outcomes=[upheld, retraction])))
    assert "no moderator's verdict" in unknown and "no outcome with an action" in unknown


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("open", "Nobody has decided yet"),
        ("restored", "has been restored"),
        ("stands", "been confirmed"),
    ],
)
def test_a_restoration_says_what_the_count_was_made_of(state: Any, words: str) -> None:
    said = text(asked(), Dossier(FIGURES, restoration=TargetRestoration(state, 12, 3.0, 8, NOW, "automatic")))
    assert "12 complaints stood, 3 of them independent, at a threshold of 8" in said and words in said


def test_an_upheld_verdict_is_said_beside_the_inflated_count() -> None:
    seen = outcome("o2", 1, verdict="upheld", action="removed", decided_by="person")
    dossier = Dossier(FIGURES, [GROUP], [AUTOMATIC, seen], TargetRestoration("open", 12, 3.0, 8, NOW, "automatic"))
    said = text(asked(), dossier)
    assert "not removing it by its count, and going by who has upheld the complaints" in said
    assert "having a moderator review it" not in said and "Nobody has decided yet" not in said
    assert "A person has upheld the complaints, but not with knowledge of the group" in said
    unknown = " ".join(not_known(asked(), dossier))
    assert "not examined here" not in unknown and "beyond what people found" in unknown
    undone = [AUTOMATIC, seen, outcome("o3", 2, decided_by="person", retracts="o2")]
    assert "having a moderator review it" in text(asked(), Dossier(FIGURES, [GROUP], undone))
    kept = outcome("o3", 0.5, verdict="rejected", action="kept", decided_by="appeal")
    assert "by who has rejected the complaints" in text(asked(), Dossier(FIGURES, [GROUP], [seen, kept]))


def test_what_is_not_known_is_never_left_out() -> None:
    unknown = " ".join(not_known(asked(pending=True), Dossier(FIGURES, [GROUP])))
    assert all(
        words in unknown
        for words in (
            "no moderator's verdict",
            "belong to different people",
            "no outcome with an action",
            "received after",
        )
    )
    known = " ".join(
        not_known(
            asked(),
            Dossier(FIGURES, outcomes=[outcome("o", 0, verdict="upheld", action="removed", decided_by="person")]),
        )
    )
    assert "verdict" not in known and "action" not in known and "Whether the content breaks a rule" in known


def test_one_person_is_not_said_to_be_independent_of_each_other_and_nothing_discounted_is_not_mentioned() -> None:
    one = Dossier(
        ComplaintFigures(standing=1, first_at=NOW, last_at=NOW), outcomes=[outcome("o1", 0, action="removed")]
    )
    assert sentences(asked(1, 0), one, 8)[0] == "1 person complained about this target."
    facts = fragment(asked(1, 0), one, 8, "v").decision_facts
    assert facts.startswith("1 person complained; the independent count is 1. Removed automatically on")
    assert "were discounted as coordinated" in fragment(asked(), Dossier(FIGURES), 8, "v").decision_facts
