"""What is told of live protection, on targets that can be counted by hand."""

from __future__ import annotations

import math

import pytest

from bench.detection_crossings import Crossing, by_kind, shares

FIRST = Crossing("p1_0", at_once=False, oracle=False, later=True, oracle_later=True)
SECOND = Crossing("p1_0", at_once=True, oracle=True, later=False, oracle_later=True)
LAST = Crossing("p7_3", at_once=False, oracle=True)  # the stream ended within its hour


def test_targets_whose_hour_is_not_over_are_left_out_of_the_later_share() -> None:
    found = shares([FIRST, SECOND, LAST])
    assert found["targets"] == 3
    assert found["at_once"] == pytest.approx(1 / 3)
    assert (found["oracle"], found["later"], found["oracle_later"]) == (pytest.approx(2 / 3), 0.5, 1.0)


def test_the_share_of_the_oracle_covers_only_targets_that_it_saves() -> None:
    found = shares([FIRST, SECOND, LAST])
    assert (found["of_oracle"], found["of_oracle_later"]) == (0.5, 0.5)


def test_there_is_no_share_of_an_oracle_that_saves_nothing() -> None:
    assert math.isnan(shares([FIRST])["of_oracle"])


def test_shares_are_computed_by_kind_of_campaign() -> None:
    found = by_kind([FIRST, SECOND, LAST])
    assert {kind: values["targets"] for kind, values in found.items()} == {"p1": 2, "p7": 1}
