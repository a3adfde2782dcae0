"""The feed: what ingest passes to detection, packed in columns, one row per ingest transaction.

Narrow on purpose: a window of a million complaints is read back in well under a second. Texts are
there only as signatures (service/intake/text_fingerprints.py), ids only as 64-bit keys.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from service.intake.text_fingerprints import SIGNATURE_BYTES

UNKNOWN_US = np.iinfo(np.int64).min  # an account's age is unknown
NO_KEY = 0  # no author, no context, no fingerprint

NOT_ARCHIVED = -1  # FeedOutcome.complaint: the complaint has not arrived yet; the outcome is fed again when it does

# flag: trusted reporter or illegal-content notice, shown but never discounted; where the registry of trusted flaggers
# names the reporter, the analysis decides otherwise (service/storage/complaints/trusted_notices.py)
EXEMPT = 1

COMPLAINT = np.dtype(
    [
        ("seq", "<i8"),
        ("time_us", "<i8"),
        ("reporter", "<i8"),
        ("target", "<i8"),
        ("context", "<i8"),
        ("author", "<i8"),
        ("created_us", "<i8"),
        ("fingerprint", "<i8"),
        ("flags", "<u1"),
    ]
)
TOTAL = np.dtype([("target", "<i8"), ("complaints", "<i8")])
TEXT = np.dtype([("seq", "<i8"), ("signature", f"V{SIGNATURE_BYTES}")])


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
    retracts: str | None = None  # id of another outcome; one that was fed by 0.2 has none


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """What one ingest transaction changed for detection; apply complaints, then removed, then outcomes."""

    complaints: npt.NDArray[np.void]  # dtype COMPLAINT: standing, of a person, not late; ordered by seq
    texts: dict[int, bytes] = field(default_factory=dict)  # seq -> signature of the text, where it has enough words
    removed: tuple[int, ...] = ()  # seqs that no longer count: withdrawn, or replaced by an earlier one
    listed: tuple[int, ...] = ()  # seqs of those that count from now on as part of another's act: not compared
    outcomes: tuple[FeedOutcome, ...] = ()
    # standing complaints of touched targets
    totals: npt.NDArray[np.void] = field(default_factory=lambda: np.empty(0, TOTAL))


def pack(batch: FeedBatch) -> bytes:
    """The batch as bytes, which `unpack` reads."""
    rest = json.dumps(
        {
            "removed": list(batch.removed),
            "outcomes": [
                [o.seq, o.id, o.target, o.decided_us, o.verdict, o.action, o.decided_by, o.complaint]
                # only where there is one, so that 0.2 can read the others
                + ([] if o.retracts is None else [o.retracts])
                for o in batch.outcomes
            ],
        }
        | ({"listed": list(batch.listed)} if batch.listed else {}),
        separators=(",", ":"),
    ).encode()
    texts = np.array([(seq, signature) for seq, signature in batch.texts.items()], TEXT)
    out = io.BytesIO()
    for part in (batch.complaints.tobytes(), batch.totals.tobytes(), zlib.compress(rest, 1), texts.tobytes()):
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
    if len(parts) not in (3, 4):  # 3 parts: an older version that stored words, which are no longer compared
        raise ValueError(
            f"a feed payload has 4 parts, this one {len(parts)}: the row is damaged; run `brigadewatch rebuild`"
        )
    rest = json.loads(zlib.decompress(parts[2]))
    return FeedBatch(
        complaints=np.frombuffer(parts[0], COMPLAINT),
        totals=np.frombuffer(parts[1], TOTAL),
        texts=_texts(parts[3] if len(parts) == 4 else b""),
        removed=tuple(rest["removed"]),
        listed=tuple(rest.get("listed", ())),
        outcomes=tuple(FeedOutcome(*o) for o in rest["outcomes"]),
    )


def _texts(data: bytes) -> dict[int, bytes]:
    rows = np.frombuffer(data, TEXT)
    return dict(zip(rows["seq"].tolist(), [bytes(signature) for signature in rows["signature"]], strict=True))


def mentions(data: bytes, keys: Mapping[int, int]) -> bool:
    """Whether a packed batch contains one of the keys as reporter or author. Reads only those columns."""
    rows = np.frombuffer(data, COMPLAINT, count=int.from_bytes(data[:8], "little") // COMPLAINT.itemsize, offset=8)
    return bool(np.isin(rows["reporter"], list(keys)).any() or np.isin(rows["author"], list(keys)).any())


def renamed(data: bytes, keys: Mapping[int, int]) -> bytes:
    """A packed batch with other keys for some people, and without age, fingerprint and text of their complaints."""
    batch = unpack(data)
    rows = batch.complaints.copy()
    mine = np.isin(rows["reporter"], list(keys))
    rows["created_us"][mine], rows["fingerprint"][mine] = UNKNOWN_US, NO_KEY
    seqs = set(rows["seq"][mine].tolist())
    rows["reporter"], rows["author"] = replaced(rows["reporter"], keys), replaced(rows["author"], keys)
    return pack(
        replace(batch, complaints=rows, texts={seq: text for seq, text in batch.texts.items() if seq not in seqs})
    )


def seqs_before(data: bytes, seq: int) -> list[int]:
    """The seqs of a packed batch's complaints that are smaller than `seq`. Reads the columns alone."""
    rows = np.frombuffer(data, COMPLAINT, count=int.from_bytes(data[:8], "little") // COMPLAINT.itemsize, offset=8)
    found: list[int] = rows["seq"][rows["seq"] < seq].tolist()
    return found


def without(data: bytes, seqs: Collection[int]) -> bytes:
    """A packed batch without these complaints."""
    batch = unpack(data)
    keep = ~np.isin(batch.complaints["seq"], list(seqs))
    return pack(
        replace(
            batch,
            complaints=batch.complaints[keep],
            texts={seq: text for seq, text in batch.texts.items() if seq not in seqs},
            listed=tuple(seq for seq in batch.listed if seq not in seqs),
        )
    )


def replaced(column: npt.NDArray[np.int64], keys: Mapping[int, int]) -> npt.NDArray[np.int64]:
    """A copy of the column with each key in its new form."""
    after = column.copy()
    for old, new in keys.items():
        after[column == old] = new
    return after
