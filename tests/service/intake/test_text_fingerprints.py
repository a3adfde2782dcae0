"""Signatures of texts: how near they come to the real share of words, and what they give away."""

from __future__ import annotations

import math

import numpy as np
import pytest

from service.intake.text_fingerprints import (
    COMMON_KEY,
    LEAST_WORDS,
    SIGNATURE_BYTES,
    jaccard,
    signature_of,
    slots_alike,
    slots_of,
    word_count,
)

OTHER_KEY = bytes(range(32))


def signed(text: str, key: bytes = COMMON_KEY) -> bytes:
    found = signature_of(text, key)
    assert found is not None
    return found


def pair(common: int, apart: int, number: int) -> tuple[str, str]:
    """Two texts with so many words in common and so many of its own each."""
    both = [f"w{number}-{k}" for k in range(common)]
    return " ".join([*both, *(f"a{number}-{k}" for k in range(apart))]), " ".join(
        [*(f"b{number}-{k}" for k in range(apart)), *both]
    )


@pytest.mark.parametrize(("common", "apart"), [(0, 10), (4, 8), (8, 6), (10, 5), (18, 1), (20, 0)])
def test_the_estimate_is_unbiased_within_the_error_that_is_stated(common: int, apart: int) -> None:
    real = common / (common + 2 * apart)
    estimates = [jaccard(*map(signed, pair(common, apart, number))) for number in range(200)]
    assert abs(np.mean(estimates) - real) < 0.015
    assert np.std(estimates) <= 1.15 * math.sqrt(max(real * (1 - real), 0.006) / 128)


def test_the_policy_s_bound_is_met_by_copies_and_not_by_what_strangers_share() -> None:
    copies = [jaccard(*map(signed, pair(8, 2, n))) for n in range(200)]  # 8 of 12 words
    strangers = [jaccard(*map(signed, pair(2, 9, n))) for n in range(200)]  # 2 of 20
    assert min(copies) > 0.4 > max(strangers)
    enough = slots_alike(0.4)
    assert jaccard(bytes([9]) + bytes(128), bytes([9]) + bytes(enough) + b"\1" * (128 - enough)) >= 0.4
    assert jaccard(bytes([9]) + bytes(128), bytes([9]) + bytes(enough - 1) + b"\1" * (129 - enough)) < 0.4


def test_order_repeats_and_spaces_say_nothing() -> None:
    assert signed("one two three four five") == signed("five  four\tthree two one one\n")


@pytest.mark.parametrize("text", ["", "   ", "please remove this spam", "spam " * 40])
def test_a_text_of_fewer_than_five_distinct_words_has_none(text: str) -> None:
    assert signature_of(text) is None


def test_a_signature_has_one_size_and_tells_the_number_of_words() -> None:
    for words in (LEAST_WORDS, 40, 2_000):
        found = signed(" ".join(f"w{k}" for k in range(words)))
        assert len(found) == SIGNATURE_BYTES and word_count(found) == min(words, 255)
    assert len(signed("a \ud800 b 𝕏 \x00 é")) == SIGNATURE_BYTES


def test_under_another_key_the_same_text_looks_like_a_stranger_s() -> None:
    text = "he insults every reader of this page each single day"
    assert jaccard(signed(text), signed(text, OTHER_KEY)) < 0.1
    assert jaccard(signed(text, OTHER_KEY), signed(text, OTHER_KEY)) == 1.0


def test_no_signature_is_compared_with_anything_else() -> None:
    with pytest.raises(ValueError, match="129 bytes"):
        slots_of([b"five words are enough here"])
