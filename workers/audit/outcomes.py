"""The outcomes of an audit's files as detection needs them: a quarter of the memory of what was read. PURE."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from service.model import Outcome, microseconds
from service.storage.complaints.feed import NOT_ARCHIVED, FeedOutcome
from service.storage.sql.hashing import key_of


class OutcomeCollector:
    """Takes outcomes in the order of the files. In an audit `decided_at` stands for the receipt."""

    def __init__(self) -> None:
        self._outcomes: list[FeedOutcome] = []
        self._complaint_ids: dict[int, str] = {}  # by the place of an outcome that is about one complaint

    def add(self, o: Outcome) -> None:
        """Take an outcome."""
        if o.complaint_id is not None:
            self._complaint_ids[len(self._outcomes)] = o.complaint_id
        target, decided_us = key_of(o.target_id), microseconds(o.decided_at)
        self._outcomes.append(
            FeedOutcome(0, o.id, target, decided_us, o.verdict, o.action, o.decided_by, 0, o.retracts)
        )

    def complaint_ids(self) -> set[str]:
        """The ids of the complaints that outcomes are about."""
        return set(self._complaint_ids.values())

    def by_target(
        self, row_by_complaint: Mapping[str, int], until_us: int | None = None
    ) -> dict[int, list[FeedOutcome]]:
        """Outcomes up to a time by target key; the first of equal ids wins.

        One about a complaint that is in no file is left out, unless it retracts another.
        """
        found: dict[int, list[FeedOutcome]] = defaultdict(list)
        seen: set[str] = set()
        for place, outcome in enumerate(self._outcomes):
            if (until_us is not None and outcome.decided_us > until_us) or outcome.id in seen:
                continue
            identity = self._complaint_ids.get(place)
            if identity is not None:
                about = row_by_complaint.get(identity, NOT_ARCHIVED)
                if about == NOT_ARCHIVED and outcome.retracts is None:
                    continue
                outcome = replace(outcome, complaint=about)
            seen.add(outcome.id)
            found[outcome.target].append(outcome)
        return dict(found)


def outcomes_by_target(
    outcomes: Iterable[Outcome], row_by_complaint: Mapping[str, int]
) -> dict[int, list[FeedOutcome]]:
    """The same of outcomes that are at hand."""
    collector = OutcomeCollector()
    for outcome in outcomes:
        collector.add(outcome)
    return collector.by_target(row_by_complaint)
