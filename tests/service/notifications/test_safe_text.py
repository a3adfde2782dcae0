"""Hostile ids and words: what is left of them in a message pings nobody and links nowhere."""

from __future__ import annotations

import doctest
import re

import pytest
from hostile_texts import HOSTILE

from service.notifications import safe_text
from service.notifications.safe_text import inert


def test_the_examples_in_the_docstrings_are_so() -> None:
    assert doctest.testmod(safe_text).failed == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_left_that_a_chat_service_acts_on(text: str) -> None:
    found = inert(text, 500)
    assert not re.search(r"[@#<>`~]", found)
    assert "://" not in found and "www." not in found.lower()
    assert not re.search(r"(?i)\w\.(example|com)|(mailto|javascript|tel):", found)
    assert found.isprintable() and "\n" not in found


def test_what_is_long_is_cut_before_addresses_are_rewritten() -> None:
    assert inert("x" * 200, 20) == "x" * 19 + "…"
    assert len(inert("a.b" * 300, 100)) < 300


def test_ordinary_ids_and_sentences_stay_as_they_are() -> None:
    sentence = "14 accounts complained about 20 targets, 6.5 each on average; 9 of 20 targets are by author Zoë."
    assert inert(sentence, 600) == sentence
    assert inert("comment-17:4", 80) == "comment-17:4"
