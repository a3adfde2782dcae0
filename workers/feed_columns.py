"""Convert rows of the feed to detection's columns. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from service.storage.complaints.feed import COMPLAINT, EXEMPT, UNKNOWN_US, FeedBatch
from workers.detection.window import UNKNOWN_MS, Complaints


def columns_of(rows: npt.NDArray[np.void], texts: dict[int, bytes]) -> Complaints:
    """Feed complaints (dtype COMPLAINT) as columns."""
    created = rows["created_us"]
    return Complaints(
        rows["seq"].astype(np.int64),
        rows["time_us"] // 1000,
        rows["reporter"].astype(np.int64),
        rows["target"].astype(np.int64),
        rows["context"].astype(np.int64),
        rows["author"].astype(np.int64),
        np.where(created == UNKNOWN_US, UNKNOWN_MS, created // 1000),
        rows["fingerprint"].astype(np.int64),
        (rows["flags"] & EXEMPT) > 0,
        texts,
    )


def standing(batches: Sequence[FeedBatch]) -> tuple[npt.NDArray[np.void], dict[int, bytes]]:
    """The complaints that stand after all the batches, in order: removed ones are out, a promoted one counts once."""
    rows = np.concatenate([b.complaints for b in batches]) if batches else np.empty(0, COMPLAINT)
    at = np.repeat(np.arange(len(batches)), [len(b.complaints) for b in batches])
    gone: dict[int, int] = {}  # seq -> the last batch that removed it
    for k, batch in enumerate(batches):
        gone.update(dict.fromkeys(batch.removed, k))
    keep = np.ones(len(rows), bool)
    if gone:
        for place in np.flatnonzero(np.isin(rows["seq"], np.fromiter(gone, np.int64, len(gone)))).tolist():
            keep[place] = at[place] > gone[int(rows["seq"][place])]
    rows = rows[keep]
    # The newest row of a seq: one that was promoted, withdrawn from under and promoted again is fed each time.
    _, last = np.unique(rows["seq"][::-1], return_index=True)
    rows = rows[np.sort(len(rows) - 1 - last)]
    return rows, {seq: text for b in batches for seq, text in b.texts.items()}


def slices(batch: FeedBatch, span_us: int) -> Iterable[npt.NDArray[np.void]]:
    """The batch's complaints in time order, cut so that no slice spans more than `span_us` of event time."""
    rows = batch.complaints[np.argsort(batch.complaints["time_us"], kind="stable")]
    while len(rows):
        end = int(np.searchsorted(rows["time_us"], int(rows["time_us"][0]) + span_us, "right"))
        yield rows[:end]
        rows = rows[end:]


def joined(batches: Sequence[FeedBatch]) -> FeedBatch:
    """Several batches as one, where none removes what another brought."""
    if len(batches) == 1:
        return batches[0]
    return FeedBatch(
        complaints=np.concatenate([b.complaints for b in batches]),
        texts={s: t for b in batches for s, t in b.texts.items()},
        removed=tuple(s for b in batches for s in b.removed),
        outcomes=tuple(o for b in batches for o in b.outcomes),
        totals=np.concatenate([b.totals for b in batches]),
        listed=tuple(s for b in batches for s in b.listed),
    )
