"""Complaints grouped by what was written."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from service.console.text_groups import ComplaintText, complaint_text, text_groups
from service.intake.text_fingerprints import signature_of

LONG = "this comment insults everybody who lives in our town and has to go at once"


def complaints_with(*texts: str | None, reason: str | None = None) -> list[ComplaintText]:
    return [
        complaint_text(seq, seq, {"text": text, "reason": reason} if text else {"reason": reason})
        for seq, text in enumerate(texts)
    ]


def test_near_duplicates_are_grouped_although_a_few_words_differ() -> None:
    groups = text_groups(
        complaints_with(
            LONG,
            LONG.upper().casefold(),
            LONG.replace("at once", "now please"),
            "something else entirely was written here by another person",
        ),
        0.4,
    )
    assert [(g.name, g.kind, len(g.seqs)) for g in groups] == [("g1", "copied", 3), ("g2", "same", 1)]
    assert groups[0].sample == LONG and groups[0].wordings == 2


def test_short_texts_are_grouped_if_they_are_identical() -> None:
    groups = text_groups(complaints_with("Rude,  Comm\u200bent!", "rude comment", "spam"), 0.4)
    assert [(g.kind, len(g.seqs)) for g in groups] == [("same", 2), ("same", 1)]


def test_complaints_without_text_are_grouped_by_reason() -> None:
    groups = text_groups([*complaints_with(None, None, reason="abuse"), *complaints_with(None)], 0.4)
    assert {(g.kind, g.sample, len(g.seqs)) for g in groups} >= {("reason", "abuse", 2)}


def test_copies_are_recognised_by_signature_when_texts_are_not_stored() -> None:
    stored = b64encode(signature_of(LONG) or b"").decode()
    groups = text_groups([complaint_text(k, k, {"text_signature": stored}) for k in range(3)], 0.4)
    assert [(g.kind, g.sample, len(g.seqs)) for g in groups] == [("copied", None, 3)]
    earlier = b64encode(bytes([9]) + bytes(128)).decode()  # version 1, as 0.2.0 stored it
    mixed = text_groups([complaint_text(k, k, {"text_signature": (earlier, stored)[k % 2]}) for k in range(4)], 0.4)
    assert [(g.kind, len(g.seqs)) for g in mixed] == [("copied", 2), ("copied", 2)]
    unknown = b64encode(bytes([3]) + bytes(128)).decode()
    for broken in ("!!", b64encode(b"short").decode(), unknown, 7):
        assert complaint_text(1, 1, {"text_signature": broken}).signature is None


@given(st.lists(st.sampled_from(["a b", "A  b", LONG, LONG + " really", None]), max_size=12), st.randoms())
def test_every_complaint_is_in_one_group_and_order_is_irrelevant(texts: list[str | None], chance: object) -> None:
    mine = complaints_with(*texts)
    shuffled = list(mine)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    groups = text_groups(mine, 0.4)
    assert sorted(seq for g in groups for seq in g.seqs) == list(range(len(texts)))
    assert groups == text_groups(shuffled, 0.4)
