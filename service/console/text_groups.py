"""Complaints grouped by their text: copied wording, identical short text, or the same preset reason. PURE."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from service.intake.text_fingerprints import signature_of, slots_alike, slots_of, word_count
from service.intake.text_words import wording_of
from service.model import JsonObject

COMPARED = 1_000  # different texts that are compared with each other; k^2 comparisons
GroupKind = Literal["copied", "same", "reason", "none"]


@dataclass(frozen=True, slots=True)
class ComplaintText:
    """The text of one complaint, and its signature."""

    seq: int
    reporter: int
    text: str | None
    signature: bytes | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class TextGroup:
    """Complaints with the same or nearly the same text."""

    name: str  # g1 is the largest
    kind: GroupKind  # copied: near-duplicates; same: identical short text; reason: no text, same reason; none: neither
    sample: str | None  # the most frequent wording; None where texts are not stored
    wordings: int  # different ones
    reporters: int
    seqs: frozenset[int]


def complaint_text(
    seq: int, reporter: int, content: JsonObject, signatures: dict[str, bytes | None] | None = None
) -> ComplaintText:
    """The text of a stored complaint; only its signature where the text was not kept.

    `signatures` caches signatures by text, since campaigns repeat themselves.
    """
    text = content.get("text")
    signature = None
    if text:
        signatures = {} if signatures is None else signatures
        if text not in signatures:
            signatures[text] = signature_of(text)
        signature = signatures[text]
    stored = content.get("text_signature")
    if not text and isinstance(stored, str):
        try:
            raw = b64decode(stored, validate=True)
        except Base64Error:
            raw = b""
        signature = raw if word_count(raw) else None
    return ComplaintText(seq, reporter, text or None, signature, content.get("reason"))


def text_groups(complaints: Sequence[ComplaintText], jaccard: float) -> list[TextGroup]:
    """Group all complaints, largest group first. A text that nobody shares is a group of one; order does not matter."""
    by_words: dict[tuple[str, object], list[ComplaintText]] = defaultdict(list)
    wordings = {text: wording_of(text) for text in {c.text for c in complaints if c.text}}
    for c in sorted(complaints, key=lambda c: c.seq):
        by_words[_words(c, wordings)].append(c)
    bundles = [(kind, mine) for (kind, _), mine in by_words.items() if kind != "long"]
    bundles += [
        ("copied" if len(mine) > 1 else "same", mine)
        for mine in _alike([mine for (kind, _), mine in by_words.items() if kind == "long"], jaccard)
    ]
    ranked = sorted(bundles, key=lambda bundle: (-len(bundle[1]), min(c.seq for c in bundle[1])))
    return [_group(f"g{n}", kind, mine) for n, (kind, mine) in enumerate(ranked, 1)]


def _words(c: ComplaintText, wordings: Mapping[str, str]) -> tuple[str, object]:
    if c.signature is not None:
        return "long", wordings[c.text] if c.text else c.signature
    if c.text:
        return "same", wordings[c.text]
    return ("reason", c.reason) if c.reason else ("none", "")


def _alike(bundles: list[list[ComplaintText]], jaccard: float) -> list[list[ComplaintText]]:
    """Merge bundles of equal texts that are near-duplicates, directly or through a third one."""
    compared, rest = bundles[:COMPARED], bundles[COMPARED:]
    if not compared:
        return rest
    slots, enough = slots_of([mine[0].signature or b"" for mine in compared]), slots_alike(jaccard)
    ends = [np.flatnonzero(np.count_nonzero(slots[:k] == slots[k], axis=1) >= enough) for k in range(len(compared))]
    lines = np.repeat(np.arange(len(compared)), [len(found) for found in ends])
    _, label = connected_components(
        coo_array((np.ones(len(lines), np.int8), (lines, np.concatenate(ends))), shape=(len(compared), len(compared))),
        directed=False,
    )
    together: dict[int, list[ComplaintText]] = defaultdict(list)
    for mine, one in zip(compared, label.tolist(), strict=True):
        together[one] += mine
    return [*together.values(), *rest]


def _group(name: str, kind: str, mine: Sequence[ComplaintText]) -> TextGroup:
    count: Mapping[str, list[int]] = defaultdict(list)
    for c in mine:
        if c.text:
            count[c.text].append(c.seq)
    sample = (
        min(count, key=lambda text: (-len(count[text]), min(count[text])))
        if count
        else (mine[0].reason if kind == "reason" else None)
    )
    kinds: dict[str, GroupKind] = {"copied": "copied", "reason": "reason", "none": "none"}
    return TextGroup(
        name,
        kinds.get(kind, "same"),
        sample,
        max(1, len(count)),
        len({c.reporter for c in mine}),
        frozenset(c.seq for c in mine),
    )
