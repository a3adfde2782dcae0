"""The feed: what ingest tells detection, packed in columns, one row an ingest transaction.

Narrow on purpose: a window of a million complaints is read back in well under a second. Texts are
kept only where they can say something (five words and more), ids only as 64-bit keys.
"""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

UNKNOWN_US = np.iinfo(np.int64).min  # an account's age that nobody told
NO_KEY = 0  # no author, no context, no fingerprint

NOT_ARCHIVED = -1  # FeedOutcome.complaint: it concerns one complaint, which has not come; fed again when it has

EXEMPT = 1  # flag: trusted reporter or illegal-content notice, shown but never discounted

COMPLAINT = np.dtype([
    ("seq", "<i8"), ("time_us", "<i8"), ("reporter", "<i8"), ("target", "<i8"), ("context", "<i8"), ("author", "<i8"),
    ("created_us", "<i8"), ("fingerprint", "<i8"), ("flags", "<u1"),
])
TOTAL = np.dtype([("target", "<i8"), ("complaints", "<i8")])


@dataclass(frozen=True, slots=True)
class FeedOutcome:
    """An outcome as detection needs it."""

    seq: int
    id: str
    target: int  # key
    decided_us: int
    verdict: str | None  # upheld | rejected | None
    action: str | None
    decided_by: str  # person | automatic | appeal
    complaint: int  # seq of the one complaint that it concerns; 0: the whole target; NOT_ARCHIVED


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """What one ingest transaction changed for detection; apply complaints, then removed, then outcomes."""

    complaints: npt.NDArray[np.void]  # dtype COMPLAINT: standing, of a person, not late; ordered by seq
    texts: dict[int, str] = field(default_factory=dict)  # seq -> text of five words and more
    removed: tuple[int, ...] = ()  # seqs that no longer stand (withdrawn, or an earlier one of the same pair came)
    outcomes: tuple[FeedOutcome, ...] = ()
    totals: npt.NDArray[np.void] = field(default_factory=lambda: np.empty(0, TOTAL))  # standing complaints of touched targets


def pack(batch: FeedBatch) -> bytes:
    """The batch as bytes; `unpack` gives it back."""
    rest = json.dumps({
        "texts": list(batch.texts.items()), "removed": list(batch.removed),
        "outcomes": [[o.seq, o.id, o.target, o.decided_us, o.verdict, o.action, o.decided_by, o.complaint] for o in batch.outcomes],
    }, separators=(",", ":")).encode()
    out = io.BytesIO()
    for part in (batch.complaints.tobytes(), batch.totals.tobytes(), zlib.compress(rest, 1)):
        out.write(len(part).to_bytes(8, "little"))
        out.write(part)
    return out.getvalue()


def unpack(data: bytes) -> FeedBatch:
    """What `pack` packed. Raises ValueError for bytes of another shape."""
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        parts.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    if len(parts) != 3:
        raise ValueError(f"a feed payload has 3 parts, this one {len(parts)}: the row is damaged; run `brigadewatch rebuild`")
    rest = json.loads(zlib.decompress(parts[2]))
    return FeedBatch(
        complaints=np.frombuffer(parts[0], COMPLAINT), totals=np.frombuffer(parts[1], TOTAL), texts={int(s): t for s, t in rest["texts"]},
        removed=tuple(rest["removed"]), outcomes=tuple(FeedOutcome(*o) for o in rest["outcomes"]),
    )
