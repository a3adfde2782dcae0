"""A sweep's result survives being written down."""

from __future__ import annotations

import io

import numpy as np
import pytest
from worlds import columns, draw_town, members_of

from service.policy import DEFAULT_POLICY
from workers import sweep_codec
from workers.detection.detector import Detector


def test_what_is_packed_comes_back_and_serves_as_well() -> None:
    town = draw_town(1)
    sweep, groups = Detector.sweep(DEFAULT_POLICY, columns(town.rows))
    fitted = sweep.fitted()
    back = sweep_codec.unpack(sweep_codec.pack(fitted))
    assert (back.affinity, back.pairs_met) == (fitted.affinity, fitted.pairs_met)
    for column in ("first", "second", "p"):
        assert np.array_equal(getattr(back, column), getattr(fitted, column))
    live = Detector(DEFAULT_POLICY)
    live.load([(columns(town.rows), ())])
    live.adopt(back, max(r.seq for r in town.rows))
    assert members_of(live.regroup()) == members_of(groups) != set()


def test_an_empty_sweep_is_handed_over_too() -> None:
    back = sweep_codec.unpack(sweep_codec.pack(Detector(DEFAULT_POLICY).fitted()))
    assert back.pairs_met == 0 and len(back.p) == 0


def test_no_pickled_object_is_ever_read() -> None:
    out = io.BytesIO()
    np.savez(out, head=np.array([object()], dtype=object), first=np.empty(0), second=np.empty(0), p=np.empty(0))
    with pytest.raises(ValueError, match="allow_pickle"):
        sweep_codec.unpack(out.getvalue())
