"""Names in one text are the mapping that they were made of."""

from __future__ import annotations

import numpy as np
import pytest

from workers.audit.names import Names

NAMES = {7: "anna", -2: "b", 2**63 - 1: "Łódź 🦊", 5: "anna"}


def test_they_say_what_the_mapping_says() -> None:
    found = Names()
    found.add({7: "anna", -2: "b"})
    found.add({})
    found.add({-2: "another", **NAMES, 5: "anna"})
    assert found == NAMES, "the first name of a key stays"
    assert list(found) == list(NAMES)
    assert 8 not in found
    with pytest.raises(KeyError):
        found[8]
    assert Names() == {}


def test_a_part_of_them_is_named_alike() -> None:
    found = Names()
    found.add(NAMES)
    assert found.only(np.array([5, 9, -2], np.int64)) == {-2: "b", 5: "anna"}
    assert found.known(np.array([5, 9, -2], np.int64)).tolist() == [5, -2]
