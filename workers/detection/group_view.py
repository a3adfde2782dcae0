"""A group's complaints in the window, as the signals look at them (service/moderation/signals)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from service.intake.text_fingerprints import slots_alike, slots_of, word_count
from service.policy import Policy
from workers.detection.arrays import Bools, Events, Ints
from workers.detection.surroundings import Surroundings
from workers.detection.window import Window


@dataclass(frozen=True)
class WindowView:
    """The complaints `events` of a group, in time order; see signals.signal.GroupView. Each column is read once."""

    window: Window
    who: Ints  # the members' numbers, sorted
    what: Ints  # the targets' numbers
    events: Events
    policy: Policy
    surroundings: Surroundings
    pair_surprise: float = 0.0
    member_surprise: float = 0.0

    @property
    def members(self) -> int:
        """How many members there are."""
        return len(self.who)

    @property
    def targets(self) -> int:
        """How many targets there are."""
        return len(self.what)

    @cached_property
    def reporter(self) -> Ints:
        """Of each complaint, the reporter's number."""
        return self.window.reporter[self.events]

    @cached_property
    def target(self) -> Ints:
        """Of each complaint, the target's number."""
        return self.window.target[self.events]

    @property
    def usual_fresh(self) -> float:
        """Share of the other accounts in the window that were fresh."""
        return self.surroundings.fresh_beside(self.who)

    @property
    def usual_prepared(self) -> float:
        """The same for accounts that were registered hours before their first complaint."""
        return self.surroundings.prepared_beside(self.who)

    @property
    def usual_sharing(self) -> float:
        """Share of the complaints on other targets whose fingerprint another complaint there has."""
        return self.surroundings.sharing_beside(self.what)

    @property
    def usual_gap_ms(self) -> float:
        """Median time between complaints that follow each other on a target."""
        return self.surroundings.gap_ms

    @cached_property
    def context(self) -> Ints:
        """Of each complaint, the context's number."""
        return self.window.context[self.events]

    @cached_property
    def time_ms(self) -> Ints:
        """Of each complaint, milliseconds after the window's origin."""
        return self.window.time[self.events]

    @cached_property
    def created_ms(self) -> Ints:
        """Of each complaint's account, milliseconds after the window's origin."""
        return self.window.created[self.events]

    @cached_property
    def fingerprint(self) -> Ints:
        """Of each complaint, 0 without one."""
        return self.window.fingerprint[self.events]

    @property
    def longer_texts(self) -> Sequence[bytes]:
        """Signatures of the complaints' texts, where they have enough words."""
        return [self.window.text[int(self.events[k])] for k in self.with_longer_text]

    @property
    def complaints_anywhere(self) -> int:
        """The members' complaints on whatever target."""
        return len(self.window.runs(self.window.by_pair, self.who)[1])

    @property
    def target_authors(self) -> Ints:
        """Of each target, the author's key; 0 unknown."""
        return self.window.authors.keys[self.window.author_of[self.what]]

    @property
    def everyone_ms(self) -> Ints:
        """Times of all complaints on the targets, milliseconds after the window's origin."""
        return self.window.time[self._everyone]

    @property
    def complaints_by_others(self) -> int:
        """Complaints on the targets by accounts that are not members."""
        return int((~np.isin(self.window.reporter[self._everyone], self.who)).sum())

    @cached_property
    def with_longer_text(self) -> list[int]:
        """Places of the complaints whose text has enough words."""
        text, least = self.window.text, self.policy.text_min_words
        return [k for k, e in enumerate(self.events.tolist()) if e in text and word_count(text[e]) >= least]

    def copied(self, texts: Sequence[bytes]) -> Bools:
        """Which of the texts have a near-duplicate among them."""
        return near_duplicates(texts, self.policy.text_jaccard)

    def usual_copies(self, texts: Sequence[bytes], copied: Bools) -> float:
        """How likely one of the `copied` texts has a near-duplicate among as many texts of other people."""
        share = self.surroundings.wording_beside(slots_of(list(texts))[copied], self.who, self.what)
        return float(np.mean(1 - (1 - share) ** (len(texts) - 1)))

    def users_of(self, fingerprint: int) -> int:
        """Accounts in the whole window that have used the fingerprint."""
        return self.surroundings.fingerprints.count(fingerprint)

    @cached_property
    def _everyone(self) -> Events:
        return self.window.runs(self.window.by_target, self.what)[1]


def complaints_of(window: Window, members: Ints, targets: Ints) -> Events:
    """The members' complaints on the targets in time order, ties by reporter."""
    _, events = window.runs(window.by_pair, members)
    events = events[np.isin(window.target[events], targets)]
    return events[np.lexsort((window.reporter[events], window.time[events]))]


def near_duplicates(texts: Sequence[bytes], jaccard: float) -> Bools:
    """Which of the texts (as signatures) have another at least so similar."""
    copied = np.zeros(len(texts), bool)
    slots, enough = slots_of(list(texts)), slots_alike(jaccard)
    for i in range(1, len(texts)):
        alike = np.count_nonzero(slots[:i] == slots[i], axis=1) >= enough
        if alike.any():
            copied[:i] |= alike
            copied[i] = True
    return copied
