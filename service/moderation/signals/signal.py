"""The declaration of a signal, and the data that it may use. PURE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from service.model import Evidence, Kind
from service.policy import Policy, Weights

Ints = npt.NDArray[np.signedinteger[Any]]
Bools = npt.NDArray[np.bool_]
Question = Literal["coordinated", "unfounded", "shown"]  # the question it answers; "shown": neither, for information
# of its value: 0..1, powers of ten (times; one in so many), seconds, plain
Unit = Literal["share", "factor", "odds", "duration", "figure"]
ContextSource = Literal["given", "inferred", "none"]  # of the contexts by which shared reading is taken into account


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured `value` and the `usual` one, with the p-value of the difference (None: no test applies)."""

    value: float
    usual: float
    p_value: float | None = None
    count: int = 0  # how many of `total` show it
    total: int = 0


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """Facts about the group that sentences mention beside the measurement."""

    kind: Kind
    members: int
    targets: int
    contexts: ContextSource


class GroupView(Protocol):
    """The group's complaints in the window, as columns in time order, and facts about their surroundings.

    Times are in milliseconds, including created_ms, the account's creation (UNKNOWN: np.int64's minimum). Fingerprint 0
    means that there is none.
    """

    @property
    def policy(self) -> Policy: ...
    @property
    def members(self) -> int: ...
    @property
    def targets(self) -> int: ...
    @property
    def reporter(self) -> Ints: ...
    @property
    def target(self) -> Ints: ...
    @property
    def context(self) -> Ints: ...
    @property
    def time_ms(self) -> Ints: ...
    @property
    def created_ms(self) -> Ints: ...
    @property
    def fingerprint(self) -> Ints: ...
    @property
    def longer_texts(
        self,
    ) -> Sequence[bytes]: ...  # signatures (service/intake/text_fingerprints.py)
    @property
    def usual_fresh(self) -> float: ...  # share of the other accounts in the window that were fresh
    @property
    def usual_prepared(self) -> float: ...  # of those, the ones that were registered hours before
    @property
    def usual_sharing(self) -> float: ...  # share of other complaints whose fingerprint another on the target has
    @property
    def usual_gap_ms(self) -> float: ...  # median time between complaints that follow each other on a target
    @property
    def complaints_anywhere(self) -> int: ...  # the members' complaints on all targets
    @property
    def target_authors(self) -> Ints: ...  # of each target; 0 unknown
    @property
    def everyone_ms(self) -> Ints: ...  # times of all complaints on the targets, the members' included
    @property
    def complaints_by_others(self) -> int: ...  # on the targets
    @property
    def pair_surprise(self) -> float: ...  # mean -log10 p of the validated pairs inside; 0 without any
    @property
    def member_surprise(self) -> float: ...  # -log10 p of the group for each member, -1..4
    def copied(self, texts: Sequence[bytes]) -> Bools:
        """Which of the texts have a near-duplicate among them."""

    def usual_copies(self, texts: Sequence[bytes], copied: Bools) -> float:
        """How likely one of the `copied` texts has a near-duplicate among as many texts of other people, 0..1."""

    def users_of(self, fingerprint: int) -> int:
        """Accounts in the whole window that have used the fingerprint."""


@dataclass(frozen=True, slots=True)
class MemberComplaint:
    """A member's complaint on one of the group's targets, as read from the archive for counting again."""

    reporter: int
    target: int
    time_us: int
    context: str | None = None
    author: str | None = None  # of the target
    created_us: int | None = None  # of the account
    fingerprint: str | None = None
    # the same for texts that are near-duplicates of each other; None: no text, or a short one
    wording: str | None = None


@dataclass(frozen=True, slots=True)
class CountedAgain:
    """A group's complaints in time order, for a signal to be counted again."""

    complaints: Sequence[MemberComplaint]
    elsewhere: Mapping[int, int]  # by member: complaints on other targets
    policy: Policy

    @property
    def targets(self) -> int:
        """Distinct targets."""
        return len({c.target for c in self.complaints})

    @property
    def members(self) -> int:
        """Distinct reporters."""
        return len({c.reporter for c in self.complaints})

    def first_complaints(self) -> list[MemberComplaint]:
        """Each member's first complaint."""
        first: dict[int, MemberComplaint] = {}
        for complaint in self.complaints:
            first.setdefault(complaint.reporter, complaint)
        return list(first.values())


# (stored signal, whole group, remaining members) -> the signal for the remaining members; None: only the detector can
CountAgain = Callable[[Evidence, CountedAgain, CountedAgain], Measurement | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One kind of evidence: its name, its title, and its clause in a summary."""

    name: str  # in `Evidence.signal`: stored and public, never changed
    title: str  # as the console's list of reasons names it
    question: Question
    unit: Unit
    clause: Callable[[Evidence, int], str | None] = lambda evidence, targets: None  # of a group with so many targets
    count_again: CountAgain | None = None  # None: only the detector can


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSignal(Signal):
    """A signal of the group's own complaints, as the detector measures it."""

    measure: Callable[[GroupView], Measurement] | None  # None: measured by what finds the group
    contribution: Callable[[Measurement, int, Weights], float]  # of a group with so many targets, in log-odds
    sentence: Callable[[Measurement, GroupFacts], str]

    def evidence(self, measured: Measurement, facts: GroupFacts, weights: Weights) -> Evidence:
        """The signal of one group as it is stored and shown."""
        return Evidence(
            signal=self.name,
            value=measured.value,
            usual=measured.usual,
            p_value=measured.p_value,
            contribution=self.contribution(measured, facts.targets, weights),
            text=self.sentence(measured, facts),
        )
