"""The window with its reporters shuffled within each context, for the self-check. Each reporter still complains in the
same articles, and each comment still draws complaints at the same times; only who complained about which comment is
random. Shuffling all reporters, or shuffling within a day, would also destroy shared reading and make any null model
look safe. Every flag in a shuffled window is false by construction.
"""

from __future__ import annotations

import numpy as np

from workers.detection.window import Complaints


def permuted_within_contexts(batch: Complaints, seed: int) -> Complaints:
    """The complaints with reporters (and what belongs to them) shuffled within each context.

    A complaint without a context stays where it is. If a reporter lands on a target twice, the later complaint is
    dropped, so the result may be slightly shorter. Texts stay with their complaints.
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
