"""Which queue takes a case, and who in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.moderation.queue_rules import (
    CaseFacts,
    CaseFigures,
    QueueConditions,
    QueueRule,
    conditions_of,
    first_rule,
    holds,
    next_person,
    primary_language,
)

FACTS = CaseFacts({"a": 3, "b": 2, "c": 1}, {"de": 3, "en": 2}, {"spam": 5, "insult": 5}, targets=6, complaints=10)
CASE = CaseFigures("repeat", 7.0, 4.0, 9, frozenset({"große straße".casefold()}), FACTS)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (QueueConditions(), False),  # only by hand
        (QueueConditions(contexts=("a",)), True),
        (QueueConditions(contexts=("b",)), False),
        (QueueConditions(contexts=("b", "c", "b")), True),
        (QueueConditions(languages=("de-AT",)), True),
        (QueueConditions(languages=("DE", "en")), True),
        (QueueConditions(languages=("en",)), False),
        (QueueConditions(reasons=("spam",)), True),
        (QueueConditions(reasons=("Spam",)), False),
        (QueueConditions(kind="one_shot"), False),
        (QueueConditions(min_score=7.0, max_score=7.0), True),
        (QueueConditions(min_score=7.1), False),
        (QueueConditions(max_coordination=3.9), False),
        (QueueConditions(min_coordination=4.0, min_accounts=9), True),
        (QueueConditions(min_accounts=10), False),
        (QueueConditions(tag="GROSSE STRASSE"), True),
        (QueueConditions(tag="grosse"), False),
        (QueueConditions(contexts=("a",), kind="one_shot"), False),
    ],
)
def test_all_conditions_must_hold_for_at_least_half(conditions: QueueConditions, expected: bool) -> None:
    assert holds(conditions, CASE) is expected
    assert conditions_of(conditions.set_ones) == conditions


def test_what_is_not_counted_or_has_no_targets_left_meets_no_condition_about_it() -> None:
    for facts in (None, CaseFacts()):
        assert not holds(QueueConditions(contexts=("a",)), replace(CASE, facts=facts))
        assert holds(QueueConditions(kind="repeat"), replace(CASE, facts=facts))


def test_the_first_rule_that_holds_takes_the_case() -> None:
    rules = [
        QueueRule(1, QueueConditions()),
        QueueRule(2, QueueConditions(kind="one_shot")),
        QueueRule(3, QueueConditions(kind="repeat")),
        QueueRule(4, QueueConditions(contexts=("a",))),
    ]
    assert first_rule(rules, CASE) == rules[2]
    assert first_rule(rules[:2], CASE) is None


def test_the_person_with_the_fewest_cases_is_next_and_nobody_who_may_not_decide() -> None:
    rule = QueueRule(1, QueueConditions(), (7, 8, 9))
    assert next_person(rule, frozenset({7, 8, 9}), {}) == 7
    assert next_person(rule, frozenset({7, 8, 9}), {7: 2, 8: 1, 9: 1}) == 8
    assert next_person(rule, frozenset({7}), {7: 99}) == 7
    assert next_person(rule, frozenset({1}), {}) is None


def test_conditions_of_another_version_are_left_out() -> None:
    assert conditions_of({"kind": "repeat", "moon": "full"}) == QueueConditions(kind="repeat")


@pytest.mark.parametrize(("tag", "expected"), [("de-AT", "de"), ("pt_BR", "pt"), (" EN ", "en"), ("zh", "zh")])
def test_languages_are_compared_without_their_regions(tag: str, expected: str) -> None:
    assert primary_language(tag) == expected
