"""Near-duplicate texts: how many of the group's longer texts repeat another's wording? PURE.

People quote the same rule text, or press the same button for a reason. A wording counts for little where many other
people in the tenant use it: the share of them who do says how likely two of so many texts agree by chance.
"""

from __future__ import annotations

from collections import Counter

from service.moderation.signals.chance import share_of
from service.moderation.signals.counting_again import recounted
from service.moderation.signals.devices import device_signal
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, Measurement

TEXTS_COMPARED = 80  # at most this many texts of a group are compared with each other: k^2 comparisons
USUAL_SHARE = 0.05  # of texts repeat another where nothing is known
FEWEST_TEXTS = 3  # with fewer, the signal does not count


def measure(view: GroupView) -> Measurement:
    """How many of the first eighty longer texts have a near-duplicate among them."""
    texts = view.longer_texts[:TEXTS_COMPARED]
    total = len(texts)
    if total < FEWEST_TEXTS:
        return Measurement(0.0, USUAL_SHARE, None, 0, total)
    copied = view.copied(texts)
    usual = max(USUAL_SHARE, view.usual_copies(texts, copied)) if copied.any() else USUAL_SHARE
    return share_of(int(copied.sum()), total, usual, usual)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    if measured.total < FEWEST_TEXTS:
        return "Too few longer texts came with the complaints to compare their wording."
    where = "group" if facts.kind == "repeat" else "crowd"
    return f"{measured.count} of {measured.total} longer texts repeat the wording of another in the {where}."


def _count(group: CountedAgain) -> tuple[int, int]:
    texts = [c.wording for c in group.complaints if c.wording is not None][:TEXTS_COMPARED]
    if len(texts) < FEWEST_TEXTS:
        return 0, len(texts)
    count = Counter(texts)
    return sum(count[text] >= 2 for text in texts), len(texts)


SIGNAL = device_signal(
    name="near_duplicate_texts",
    title="Copied wording",
    measure=measure,
    sentence=_sentence,
    noticed="of the longer texts repeat each other's wording",
    count_again=recounted(_count, lambda stored: stored.usual, FEWEST_TEXTS),
)
