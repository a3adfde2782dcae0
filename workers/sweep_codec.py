"""Encode a sweep's result for the detect worker as bytes."""

from __future__ import annotations

import io

import numpy as np

from workers.detection.contexts import Inferred
from workers.detection.detector import Fitted
from workers.detection.growth import Affinity
from workers.detection.seed_growth import Lead, Tier

_TIERS: tuple[Tier, ...] = ("crossing", "author", "twins", "crowds", "in_step")


def pack(fitted: Fitted) -> bytes:
    """Encode the fitted sweep; `unpack` reads it."""
    out = io.BytesIO()
    leads, contexts = fitted.leads, fitted.contexts
    parts = {
        "head": np.array(
            [fitted.affinity.shape, fitted.affinity.rate, float(fitted.pairs_met), float(fitted.hot_slices)]
        ),
        "first": fitted.first,
        "second": fitted.second,
        "p": fitted.p,
        "crossing_first": fitted.crossing_first,
        "crossing_second": fitted.crossing_second,
        "crossing_p": fitted.crossing_p,
        "lead_tiers": np.array([_TIERS.index(lead.tier) for lead in leads], np.int64),
        "lead_surprises": np.array([lead.surprise for lead in leads], float),
        "lead_sizes": np.array([len(lead.members) for lead in leads], np.int64),
        "lead_members": np.array([m for lead in leads for m in sorted(lead.members)], np.int64),
    }
    if contexts is not None:
        parts |= {
            "targets": contexts.targets,
            "labels": contexts.labels,
            "inference": np.array([contexts.coverage, contexts.largest, float(contexts.gap_ms), float(contexts.alone)]),
        }
    np.savez_compressed(out, allow_pickle=False, **parts)
    return out.getvalue()


def unpack(data: bytes) -> Fitted:
    """What `pack` packed; no pickled objects are read."""
    with np.load(io.BytesIO(data), allow_pickle=False) as parts:
        shape, rate, met, hot = parts["head"].tolist()
        bounds = np.cumsum(parts["lead_sizes"])[:-1]
        members = np.split(parts["lead_members"], bounds) if len(parts["lead_sizes"]) else []
        leads = tuple(
            Lead(_TIERS[tier], frozenset(mine.tolist()), surprise)
            for tier, surprise, mine in zip(
                parts["lead_tiers"].tolist(), parts["lead_surprises"].tolist(), members, strict=True
            )
        )
        contexts = None
        if "inference" in parts:
            coverage, largest, gap, *alone = parts["inference"].tolist()  # sweeps of an earlier version do not say
            contexts = Inferred(parts["targets"], parts["labels"], coverage, largest, int(gap), all(alone))
        return Fitted(
            Affinity(shape, rate),
            int(met),
            parts["first"],
            parts["second"],
            parts["p"],
            leads,
            parts["crossing_first"],
            parts["crossing_second"],
            parts["crossing_p"],
            int(hot),
            contexts,
        )
