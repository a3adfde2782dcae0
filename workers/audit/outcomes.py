"""The outcomes of an audit's files in columns of numbers: a tenth of the memory of objects. PURE."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from service.model import Outcome, microseconds
from service.moderation.outcomes import TEACHING
from service.storage.complaints.feed import NOT_ARCHIVED, FeedOutcome
from service.storage.sql.hashing import key_of, keys_of
from workers.audit.keyed_complaints import numbers
from workers.detection.arrays import Bools, Ints

NO_VERDICT = -1  # of people
_Said = tuple[str | None, str | None, str]  # verdict, action, who decided: there are few different ones


class OutcomesByTarget(Mapping[int, Sequence[FeedOutcome]]):
    """Outcomes by target, each target's in the order in which they were taken."""

    def __init__(self, taken: _Taken, places: Ints, complaints: Mapping[int, int]) -> None:
        """Those of `taken` at `places`; `complaints` has the rows of the complaints that some of them are about."""
        target = np.frombuffer(taken.target, np.int64)[places] if len(places) else places
        self._places = places[np.argsort(target, kind="stable")]
        self.target = np.sort(target)  # of each outcome, as in the other columns
        self._taken, self._complaints = taken, complaints
        self._asked: dict[int, tuple[FeedOutcome, ...]] = {}  # few targets are ever asked about, and those often

    @classmethod
    def of(cls, outcomes: Mapping[int, Sequence[FeedOutcome]]) -> OutcomesByTarget:
        """The same as `outcomes`."""
        if isinstance(outcomes, cls):
            return outcomes
        taken, complaints = _Taken(), dict[int, int]()
        for outcome in chain.from_iterable(outcomes.values()):
            if outcome.complaint:
                complaints[len(taken)] = outcome.complaint
            said = (outcome.verdict, outcome.action, outcome.decided_by)
            taken.add(outcome.id, outcome.target, outcome.decided_us, said, outcome.retracts)
        return cls(taken, np.arange(len(taken)), complaints)

    @property
    def decided_us(self) -> Ints:
        """When each was decided."""
        return self._column(self._taken.decided_us)

    @property
    def verdict(self) -> Ints:
        """What people said: 1 that the complaints were right, 0 that they were wrong, or NO_VERDICT."""
        return np.array([_verdict_of(*said) for said in self._taken.all_said], np.int64)[self._column(self._taken.said)]

    @property
    def retracts(self) -> Bools:
        """Whether each takes back another one."""
        return np.isin(self._places, list(self._taken.retracts))

    def in_time_order(self, target: int) -> list[FeedOutcome]:
        """Those about a target, which is not remembered."""
        return sorted(map(self._at, self._rows(target)), key=lambda outcome: outcome.decided_us)

    def _at(self, row: int) -> FeedOutcome:
        """The outcome at a row of the columns."""
        place, taken = int(self._places[row]), self._taken
        verdict, action, decided_by = taken.all_said[taken.said[place]]
        return FeedOutcome(
            0,
            taken.id(place),
            taken.target[place],
            taken.decided_us[place],
            verdict,
            action,
            decided_by,
            self._complaints.get(place, 0),
            taken.retracts.get(place),
        )

    def _rows(self, target: int) -> range:
        first, last = (int(np.searchsorted(self.target, target, side)) for side in ("left", "right"))
        return range(first, last)

    def _column(self, values: array[int]) -> Ints:
        return np.frombuffer(values, np.int64)[self._places] if len(self._places) else self._places

    def __getitem__(self, target: int) -> Sequence[FeedOutcome]:
        found = self._asked.get(target)
        if found is None:
            found = self._asked[target] = tuple(map(self._at, self._rows(target)))
        if not found:
            raise KeyError(target)
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(np.unique(self.target).tolist())

    def __len__(self) -> int:
        return len(np.unique(self.target))


class _Taken:
    """Outcomes in the order in which they were taken."""

    def __init__(self) -> None:
        self.target, self.decided_us, self.said = numbers(), numbers(), numbers()
        self.all_said: list[_Said] = []
        self.retracts: dict[int, str] = {}
        self._number_by_said: dict[_Said, int] = {}
        self._ids, self._ends = bytearray(), numbers([0])

    def __len__(self) -> int:
        return len(self.target)

    def add(self, identity: str, target: int, decided_us: int, said: _Said, retracts: str | None) -> None:
        number = self._number_by_said.setdefault(said, len(self.all_said))
        if number == len(self.all_said):
            self.all_said.append(said)
        if retracts is not None:
            self.retracts[len(self)] = retracts
        self._ids += identity.encode()
        self._ends.append(len(self._ids))
        self.decided_us.append(decided_us)
        self.said.append(number)
        self.target.append(target)

    def id(self, place: int) -> str:
        return self._ids[self._ends[place] : self._ends[place + 1]].decode()


def _verdict_of(verdict: str | None, action: str | None, decided_by: str) -> int:
    return NO_VERDICT if verdict is None or decided_by not in TEACHING else int(verdict == "upheld")


class OutcomeCollector:
    """Takes outcomes in the order of the files. In an audit `decided_at` stands for the receipt."""

    def __init__(self) -> None:
        self._taken = _Taken()
        self._complaint_ids: dict[int, str] = {}  # by the place of an outcome that is about one complaint

    def add(self, o: Outcome) -> None:
        """Take an outcome."""
        if o.complaint_id is not None:
            self._complaint_ids[len(self._taken)] = o.complaint_id
        said = (o.verdict, o.action, o.decided_by)
        self._taken.add(o.id, key_of(o.target_id), microseconds(o.decided_at), said, o.retracts)

    def complaint_ids(self) -> set[str]:
        """The ids of the complaints that outcomes are about."""
        return set(self._complaint_ids.values())

    def by_target(self, row_by_complaint: Mapping[str, int], until_us: int | None = None) -> OutcomesByTarget:
        """Outcomes up to a time by target key; the first of equal ids wins.

        One about a complaint that is in no file is left out, unless it retracts another.
        """
        taken, complaints = self._taken, dict[int, int]()
        counts = np.ones(len(taken), bool)
        for place, identity in self._complaint_ids.items():
            complaints[place] = row_by_complaint.get(identity, NOT_ARCHIVED)
            counts[place] = complaints[place] != NOT_ARCHIVED or place in taken.retracts
        if until_us is not None:
            counts &= np.array(taken.decided_us) <= until_us
        places = np.flatnonzero(counts)
        _, first = np.unique(np.array(keys_of(map(taken.id, places.tolist()))), return_index=True)
        return OutcomesByTarget(taken, places[np.sort(first)], complaints)


def outcomes_by_target(outcomes: Iterable[Outcome], row_by_complaint: Mapping[str, int]) -> OutcomesByTarget:
    """The same of outcomes that are at hand."""
    collector = OutcomeCollector()
    for outcome in outcomes:
        collector.add(outcome)
    return collector.by_target(row_by_complaint)
