"""What one message reports: which cases are new to its receivers, and what is known about each now. PURE.

A message is written when it is sent, from the cases as they are then: what was decided or revoked while it waited is
left out. A case is reported at most once a day, whatever happens to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

FLAGGED, GROWN, HOLD = "cluster.flagged", "cluster.grown", "target.hold"
REPORTED_EVENTS = (FLAGGED, GROWN, HOLD)  # the events that a chat room can get
USUAL_EVENTS = (FLAGGED, HOLD)  # those that a person gets, and a room that chose none
HELD_SHOWN = 3  # ids of targets
_MOST_MERGERS = 20


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event about a case, as far as a message needs it."""

    key: str  # the caller's: of its delivery, or of the event
    at_us: int
    type: str
    case_id: str | None  # None: it names none
    target_id: str | None = None


@dataclass(frozen=True, slots=True)
class CaseNow:
    """A case as it is when the message is written."""

    id: str
    disposition: str
    status: str
    accounts: int
    targets: int
    sentence: str
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class CaseNews:
    """One case of a message."""

    case_id: str
    accounts: int
    targets: int
    sentence: str
    grown: bool  # it was reported before
    held: tuple[str, ...] = ()  # ids of targets on hold because of it; text of the platform

    def url(self, console: str | None) -> str | None:
        """The case in the console; None where its address is not known."""
        return case_url(console, self.case_id)


@dataclass(frozen=True, slots=True)
class Digest:
    """One message: what it reports, or that there is nothing new."""

    tenant: str
    cases: tuple[CaseNews, ...]
    console: str | None  # where people reach the console
    test: bool = False  # sent on request, to see whether it arrives
    mentions: tuple[str, ...] = ()  # of the receiver: the id of each one's case

    @property
    def headline(self) -> str:
        """The message in a few words."""
        if self.test:
            return f"Test message from brigadewatch for {self.tenant}"
        new, grown = sum(not one.grown for one in self.cases), sum(one.grown for one in self.cases)
        parts = [
            f"{count:,} {word} case{'' if count == 1 else 's'}"
            for count, word in ((new, "new"), (grown, "grown"))
            if count
        ]
        if self.mentions:
            parts.append(f"{len(self.mentions):,} mention{'' if len(self.mentions) == 1 else 's'} of you")
        return f"{', '.join([*parts[:-2], ' and '.join(parts[-2:])]) or 'No new cases'} in {self.tenant}"

    @property
    def queue_url(self) -> str | None:
        """The list of all open cases."""
        return None if self.console is None else f"{self.console}/console/clusters"


def case_url(console: str | None, case_id: str) -> str | None:
    """A case in the console; None where its address is not known."""
    return None if console is None else f"{console}/console/clusters/{quote(case_id, safe='')}"


def occurrence_of(key: str, at_us: int, kind: str, data: Mapping[str, Any]) -> Occurrence:
    """What a message needs of an event's data. A hold is about the case that the target is held for most."""
    if kind != HOLD:
        return Occurrence(key, at_us, kind, data.get("cluster_id"))
    carriers = data.get("clusters") or [{}]
    return Occurrence(key, at_us, kind, carriers[0].get("id"), data.get("target_id"))


def survivors(wanted: Iterable[str], cases: Mapping[str, CaseNow]) -> dict[str, CaseNow]:
    """The case that each of the wanted ones is now, after mergers; those that are gone are left out."""
    found: dict[str, CaseNow] = {}
    for case_id in wanted:
        case = cases.get(case_id)
        for _ in range(_MOST_MERGERS):
            if case is None or case.disposition != "merged" or case.merged_into is None:
                break
            case = cases.get(case.merged_into)
        if case is not None:
            found[case_id] = case
    return found


def select_news(
    occurrences: Iterable[Occurrence], current: Mapping[str, CaseNow], reported_us: Mapping[str, int], day_start_us: int
) -> tuple[tuple[CaseNews, ...], dict[str, str]]:
    """The cases to report, the largest first, and why other occurrences are left out, by their key.

    `current` has the case that each id leads to now, `reported_us` when a case was last reported to the same receivers.
    """
    of_case: dict[str, list[Occurrence]] = defaultdict(list)
    refused: dict[str, str] = {}
    for one in occurrences:
        case = current.get(one.case_id or "")
        because = _settled(one, case) or _reported(one, case, reported_us, day_start_us)
        if case is None or because is not None:
            refused[one.key] = because or "the case no longer exists"
        else:
            of_case[case.id].append(one)
    by_id = {case.id: case for case in current.values()}
    news = [_news(by_id[case_id], found, reported_us) for case_id, found in of_case.items()]
    return tuple(sorted(news, key=lambda one: (-one.accounts, one.case_id))), refused


def _settled(one: Occurrence, case: CaseNow | None) -> str | None:
    if case is None:
        return "the case no longer exists"
    if case.status in ("decided", "snoozed"):
        return f"the case was {case.status} before it was reported"
    # A case beyond the day's quota is not in the queue, but what it holds is.
    if case.disposition == "flagged" or (case.disposition == "held_back" and one.type == HOLD):
        return None
    return "the case was no longer flagged when it was due to be reported"


def _reported(one: Occurrence, case: CaseNow | None, reported_us: Mapping[str, int], day_start_us: int) -> str | None:
    reported = None if case is None else reported_us.get(case.id)
    if reported is None or (reported < day_start_us and one.at_us > reported):
        return None
    return (
        "the case was reported earlier on the same day"
        if reported >= day_start_us
        else "the case was reported after this happened"
    )


def _news(case: CaseNow, found: list[Occurrence], reported_us: Mapping[str, int]) -> CaseNews:
    held = dict.fromkeys(one.target_id for one in found if one.type == HOLD and one.target_id is not None)
    grown = case.id in reported_us or all(one.type == GROWN for one in found)
    return CaseNews(case.id, case.accounts, case.targets, case.sentence, grown, tuple(held))
