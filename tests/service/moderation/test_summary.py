"""The sentence about a group says who, what, how closely and how it was judged, and nothing that is not so."""

from __future__ import annotations

import pytest

from service.model import Evidence
from service.moderation.outcomes import VerdictTally
from service.moderation.signals.shared_traits import strongest
from service.moderation.summary import summarise, who_and_what

NOT_REVIEWED = VerdictTally(0, 0, 5)


def signal(name: str, value: float = 0.5, p: float | None = None, usual: float = 0.1) -> Evidence:
    return Evidence(signal=name, value=value, usual=usual, p_value=p, contribution=0.0, text=name)


def trait(name: str, p: float, value: float = 1.0) -> Evidence:
    return signal(f"aim_{name}", value, p).model_copy(update={"text": f"12 of 12 targets share {name}."})


def sentence(*evidence: Evidence, members: int = 12, targets: int = 5, verdicts: VerdictTally = NOT_REVIEWED) -> str:
    return summarise(members, targets, [targets] * members, evidence, verdicts)


def test_the_sentence_says_who_what_how_closely_and_that_nothing_was_reviewed() -> None:
    text = sentence(signal("burst", 9, 3e-15), signal("one_author", 0.8), signal("fresh_accounts", 0.5, 1e-4))
    assert text == (
        "12 accounts complained about the same 5 targets; 80 % of the targets are by one author; up to 9 within one"
        " hour (normally less than one); 50 % of the accounts were less than 14 days old; acting"
        " together, not judged yet."
    )


@pytest.mark.parametrize(
    ("complaints_by_member", "words"),
    [
        ([10] * 10, "about the same 10 targets"),
        ([10] * 9 + [9], "about 10 targets, 9.9 each on average"),
        ([9] * 9 + [2], "about 10 targets, 8.3 each on average"),
        ([9] * 8 + [2] * 2, "about 10 targets, 7.6 each on average"),
        ([8] * 10, "about 10 targets, 8 each on average"),
        ([2] * 5 + [3] * 5, "about 10 targets, 2.5 each on average"),
        (None, "about 10 targets"),
    ],
)
def test_the_same_targets_are_claimed_only_where_every_account_complained_about_every_target(
    complaints_by_member: list[int] | None, words: str
) -> None:
    assert who_and_what(10, 10, complaints_by_member) == f"10 accounts complained {words}"


def test_a_crowd_on_one_target_is_said_to_be_on_one_target() -> None:
    assert who_and_what(9, 1, [1] * 9) == "9 accounts complained about one target"


@pytest.mark.parametrize(("usual", "words"), [(0.01, "none"), (0.4, "less than one"), (1.0, "1"), (2.34, "2.3")])
def test_the_sentence_says_what_is_normal_in_an_hour(usual: float, words: str) -> None:
    assert f"up to 9 within one hour (normally {words})" in sentence(signal("burst", 9, 1e-9, usual))


@pytest.mark.parametrize(
    ("upheld", "rejected", "words"),
    [
        (0, 4, "moderators rejected the complaints on all 4 targets reviewed"),
        (2, 0, "moderators upheld the complaints on all 2 targets reviewed"),
        (0, 1, "moderators rejected the complaints on the one target reviewed"),
        (1, 3, "moderators rejected the complaints on 3 of 4 targets reviewed and upheld the other"),
        (1, 1, "moderators rejected the complaints on 1 of 2 targets reviewed and upheld the other"),
        (0, 0, "acting together, not judged yet"),
    ],
)
def test_the_sentence_says_how_moderators_ruled(upheld: int, rejected: int, words: str) -> None:
    assert sentence(verdicts=VerdictTally(upheld, rejected, 1)).endswith(f"; {words}.")


def test_the_sentence_says_the_strongest_thing_that_half_of_the_targets_have_in_common() -> None:
    traits = [trait("is_reply", 1e-5), trait("section", 1e-7), trait("author", 1e-9, value=0.4)]
    assert strongest(traits) is strongest(traits[::-1]) is traits[1]
    assert sentence(traits[1]).startswith(
        "12 accounts complained about the same 5 targets; 12 of the 12 targets measured"
    )
    assert "; 12 of 12 targets share section;" in sentence(traits[1], targets=12)
    assert strongest([traits[2]]) is strongest([signal("lockstep", 1)]) is None
    assert sentence(*traits, targets=12).endswith("; 12 of 12 targets share section; acting together, not judged yet.")


def test_the_sentence_names_the_common_author_once() -> None:
    one_author = signal("one_author", 0.8)
    named = sentence(one_author, trait("author", 1e-9), targets=12)
    assert "12 of 12 targets share author" in named and "by one author" not in named
    beside = sentence(one_author, trait("author", 1e-5), trait("section", 1e-7), targets=12)
    assert "80 % of the targets are by one author; 12 of 12 targets share section" in beside


def test_one_author_is_mentioned_from_four_targets_on_and_for_more_than_half_of_them() -> None:
    assert "by one author" not in sentence(signal("one_author", 1.0), targets=3)
    assert "by one author" not in sentence(signal("one_author", 0.5), targets=4)
    assert "75 % of the targets are by one author" in sentence(signal("one_author", 0.75), targets=4)
