"""Trusted flaggers (DSA Art. 22): whose complaints are privileged, when, and about what."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from service.moderation.trusted_flaggers import (
    NO_FLAGGERS,
    Flaggers,
    FlaggerTerm,
    area_of,
    is_same_reason,
    status_of,
)

ALL = FlaggerTerm(since_us=100, until_us=200)
HATE = FlaggerTerm(since_us=100, until_us=200, area=("hate speech",))


def body(notice_type: str | None = None, reason: str | None = None, trusted: bool = False) -> dict[str, Any]:
    return {
        "reporter": {"id": "r", "trusted": True} if trusted else {"id": "r"},
        **({} if notice_type is None else {"notice_type": notice_type}),
        **({} if reason is None else {"reason": reason}),
    }


@pytest.mark.parametrize(
    ("term", "notice_type", "reason", "expected"),
    [
        (ALL, "illegal_content", None, True),
        (ALL, "illegal_content", "anything", True),
        (ALL, None, "hate speech", False),  # nobody said that it is about illegal content
        (ALL, "terms", None, False),
        (HATE, "illegal_content", "Hate Speech", True),
        (HATE, None, "hate speech", True),
        (HATE, "terms", "hate speech", False),
        (HATE, "illegal_content", "copyright", False),
        (HATE, "illegal_content", None, False),
    ],
)
def test_a_notice_is_within_the_area_or_not(
    term: FlaggerTerm, notice_type: str | None, reason: str | None, expected: bool
) -> None:
    assert term.covers(notice_type, reason) is expected


@pytest.mark.parametrize(
    ("word", "reason", "expected"),
    [
        ("Hate", "hATE", True),
        (" hate  speech ", "hate speech", True),
        ("harcèlement", "Harcelement", True),
        (unicodedata.normalize("NFC", "harcèlement"), unicodedata.normalize("NFD", "harcèlement"), True),
        ("Straße", "STRASSE", True),
        ("hate", "hate speech", False),
        ("", "", True),
        ("x" * 70, "x" * 64, True),  # reasons are cut
        ("x" * 70, "x" * 63, False),
        ("x" * 64, "x" * 64, True),
        ("x" * 63, "x" * 64, False),
        ("が", "か", False),  # another letter, not an accent
    ],
)
def test_a_word_is_compared_without_case_and_accents_and_as_far_as_a_reason_goes(
    word: str, reason: str, expected: bool
) -> None:
    assert is_same_reason(word, reason) is expected


@pytest.mark.parametrize(("at", "expected"), [(99, False), (100, True), (199, True), (200, False)])
def test_the_status_holds_from_its_beginning_to_its_end(at: int, expected: bool) -> None:
    assert ALL.is_in_force(at) is expected
    assert Flaggers({1: [ALL]}).has_priority(1, at, body("illegal_content")) is expected


def test_a_suspension_ends_the_privilege_from_its_day_on() -> None:
    term = FlaggerTerm(100, None, suspended_us=150)
    assert [term.is_in_force(at) for at in (149, 150, 10**9)] == [True, False, False]
    assert [status_of(term, at) for at in (99, 149, 150)] == ["upcoming", "in force", "suspended"]
    assert status_of(FlaggerTerm(100, 200, suspended_us=150), 200) == "ended"


def test_the_registry_alone_decides_about_a_reporter_whom_it_names_and_the_platform_about_others() -> None:
    ended, mistake = Flaggers({1: [ALL]}), Flaggers({1: []})
    sent_as_trusted = body(trusted=True)
    assert not ended.counts_in_full(1, 150, sent_as_trusted), "no notice of illegal content"
    assert not ended.counts_in_full(1, 300, sent_as_trusted), "ended"
    assert ended.counts_in_full(1, 300, body("illegal_content")), "any notice counts in full"
    assert not ended.is_trusted_notice(1, 300, body("illegal_content", trusted=True))
    for nobody_there in (NO_FLAGGERS, mistake, Flaggers({2: [ALL]})):
        assert nobody_there.counts_in_full(1, 300, sent_as_trusted)
        assert nobody_there.is_trusted_notice(1, 300, body("illegal_content", trusted=True))
        assert not nobody_there.has_priority(1, 150, body("illegal_content", trusted=True)), (
            "priority is the registry's"
        )
        assert not nobody_there.counts_in_full(1, 150, body())
    assert Flaggers({1: [HATE]}).counts_in_full(1, 150, body(reason="HATE SPEECH")), "though not sent as trusted"
    again = Flaggers({1: [ALL, FlaggerTerm(300)]})
    assert [again.has_priority(1, at, body("illegal_content")) for at in (150, 250, 350)] == [True, False, True]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((100, 200), (200, 300), False),
        ((100, 201), (200, 300), True),
        ((100, None), (200, 300), True),
        ((100, None), (1, 100), False),
        ((100, None), (1, None), True),
    ],
)
def test_entries_overlap_in_time_or_follow_each_other(
    one: tuple[int, int | None], other: tuple[int, int | None], expected: bool
) -> None:
    first, second = FlaggerTerm(*one), FlaggerTerm(*other)
    assert first.overlaps(second) is second.overlaps(first) is expected


def test_the_words_of_an_area_are_typed_with_commas_or_lines() -> None:
    assert area_of(" hate speech,\n\nTerror ,HATE  SPEECH, ,") == ("hate speech", "Terror")
    assert area_of("  \n") == ()
