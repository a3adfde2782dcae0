"""What a sweep leaves for the detect worker, as bytes."""

from __future__ import annotations

import io

import numpy as np

from workers.detection.detector import Fitted
from workers.detection.growth import Affinity


def pack(fitted: Fitted) -> bytes:
    """The fitted sweep; `unpack` gives it back."""
    out = io.BytesIO()
    head = np.array([fitted.affinity.shape, fitted.affinity.rate, float(fitted.pairs_met)])
    np.savez_compressed(out, head=head, first=fitted.first, second=fitted.second, p=fitted.p)
    return out.getvalue()


def unpack(data: bytes) -> Fitted:
    """What `pack` packed; no pickled objects are read."""
    with np.load(io.BytesIO(data), allow_pickle=False) as parts:
        shape, rate, met = parts["head"].tolist()
        return Fitted(Affinity(shape, rate), int(met), parts["first"], parts["second"], parts["p"])
