"""The honest self-check: the window with its reporters shuffled within each context.

Whoever complained in an article still complains in it, and at the same times something is complained about; only who
was first to which comment is left to chance. Shuffling all reporters, or within a day, destroys shared reading as well
and makes any null model look safe. What is flagged in a shuffled window is false by construction.
"""

from __future__ import annotations

import numpy as np

from workers.detection.window import Complaints


def permuted_within_contexts(batch: Complaints, seed: int) -> Complaints:
    """The complaints with reporters (and what belongs to them) shuffled within each context.

    A complaint without a context stays where it is. A reporter that lands twice on a target counts once: the later one
    is dropped, so the result may be a little shorter. Texts stay with their complaints.
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(batch)), batch.context))
    place = np.argsort(batch.context, kind="stable")
    source = np.arange(len(batch))
    source[place] = order
    alone = batch.context == 0
    source[alone] = np.flatnonzero(alone)
    reporter = batch.reporter[source]
    by_pair = np.lexsort((batch.time_ms, batch.target, reporter))
    again = np.zeros(len(batch), bool)
    r, v = reporter[by_pair], batch.target[by_pair]
    again[by_pair[1:]] = (r[1:] == r[:-1]) & (v[1:] == v[:-1])
    keep = ~again
    return Complaints(
        batch.seq[keep],
        batch.time_ms[keep],
        reporter[keep],
        batch.target[keep],
        batch.context[keep],
        batch.author[keep],
        batch.created_ms[source][keep],
        batch.fingerprint[source][keep],
        batch.exempt[keep],
        dict(batch.texts),
    )
