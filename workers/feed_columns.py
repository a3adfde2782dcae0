"""Convert rows of the feed to detection's columns. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from service.storage.complaints.feed import COMPLAINT, EXEMPT, UNKNOWN_US, FeedBatch
from workers.detection.window import UNKNOWN_MS, Complaints

PART = 100_000  # complaints of the feed at a time, and what the last batch brings besides


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


def parts_of(batches: Iterable[FeedBatch], since_us: int) -> Iterator[tuple[Complaints, list[int]]]:
    """The batches in order, so many complaints at a time: the seqs that no longer stand of earlier parts, and what
    stands of this one and is not older than `since_us`. All of them at once would be a multiple of the window.
    """
    held: list[FeedBatch] = []
    count = newest = 0
    for batch in batches:
        held.append(batch)
        count += len(batch.complaints)
        if count >= PART:
            yield _part(held, since_us, newest)
            newest = max(newest, *(int(b.complaints["seq"].max(initial=0)) for b in held))
            held, count = [], 0
    if held:
        yield _part(held, since_us, newest)


def whole(parts: Iterable[tuple[Complaints, list[int]]]) -> Complaints:
    """What stands after all the parts."""
    columns: dict[str, list[npt.NDArray[Any]]] = {f.name: [] for f in fields(Complaints) if f.name != "texts"}
    texts: dict[int, bytes] = {}
    gone: dict[int, int] = {}  # seq -> the last part that says that no earlier one's stands
    for k, (part, removed) in enumerate(chain([(columns_of(np.empty(0, COMPLAINT), {}), [])], parts)):
        gone.update(dict.fromkeys(removed, k))
        texts.update(part.texts)
        for name, held in columns.items():
            held.append(getattr(part, name))
    at = np.repeat(np.arange(len(columns["seq"])), [len(part) for part in columns["seq"]])
    every = Complaints(**{name: np.concatenate(columns.pop(name)) for name in list(columns)}, texts=texts)
    keep = np.ones(len(every), bool)
    for row in np.flatnonzero(np.isin(every.seq, np.fromiter(gone, np.int64, len(gone)))).tolist():
        keep[row] = at[row] >= gone[int(every.seq[row])]
    return every if keep.all() else every.only(keep)


def _part(batches: Sequence[FeedBatch], since_us: int, newest: int) -> tuple[Complaints, list[int]]:
    rows, texts = standing(batches)
    rows = rows[rows["time_us"] >= since_us]
    # One that was promoted again may have come with an earlier part.
    again = rows["seq"][rows["seq"] <= newest].tolist()
    return columns_of(rows, texts), [*again, *(seq for batch in batches for seq in batch.removed)]


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
