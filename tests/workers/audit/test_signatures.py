"""Signatures in arrays are the mapping that they were made of."""

from __future__ import annotations

import numpy as np
import pytest

from service.intake.text_fingerprints import SIGNATURE_BYTES
from workers.audit.signatures import Signatures

TEXTS = {7: bytes([7]) * SIGNATURE_BYTES, 2: bytes([2, 0] + [255] * (SIGNATURE_BYTES - 2)), 9: bytes(SIGNATURE_BYTES)}


def test_they_say_what_the_mapping_says() -> None:
    found = Signatures.of(TEXTS)
    assert found == TEXTS
    assert list(found) == [2, 7, 9]
    assert Signatures.of(found) is found
    assert all(number not in found for number in (0, 3, 10))
    with pytest.raises(KeyError):
        found[8]


def test_a_part_is_half_open() -> None:
    found = Signatures.of(TEXTS)
    assert found.between(2, 9) == {number: TEXTS[number] for number in (2, 7)}
    assert list(map(type, found.between(9, 20).values())) == [bytes]
    assert found.between(3, 7) == {}


def test_others_take_their_numbers() -> None:
    new = np.full(10, -1)
    new[[2, 9]] = 30, 4
    assert Signatures.of(TEXTS).renumbered(new) == {30: TEXTS[2], 4: TEXTS[9]}


def test_there_may_be_none() -> None:
    found = Signatures.of({})
    assert len(found) == 0
    assert found.between(0, 9) == found.renumbered(np.empty(0, np.int64)) == {}
