"""One walk through a platform's list, in pages, over as many jobs as it takes; PURE.

A walk has a bound (an event time). Where a list is given newest first, the walk ends behind the bound; where oldest
first, it begins there. The next walk's bound lies a little before the newest entry of the last one, so that what
appears late in the list is found; entries that come twice are recognised by their ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from service.model import JsonObject, microseconds, moment

_LONGEST_PAGE = 2_048  # characters of a platform's own cursor
_FIELDS = ("newest_us", "begun_us", "done_us", "bound_us", "high_us")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a list is walked through, and how far back."""

    every: timedelta  # from one walk's begin to the next one's
    lookback: timedelta  # no walk goes back further
    overlap: timedelta | None  # before the newest entry known; None: always the whole lookback


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk is. Times are microseconds since 1970."""

    newest_us: int | None = None  # the newest entry of all finished walks
    begun_us: int | None = None  # when the latest one began, by the polls' clock
    done_us: int | None = None  # when the latest one was finished
    bound_us: int | None = None  # of the one under way; None: none is
    high_us: int | None = None  # the newest entry that it has met
    page: str | None = None  # where it goes on; None: at its first page

    @property
    def under_way(self) -> bool:
        """Whether its next page has to be requested."""
        return self.bound_us is not None

    @property
    def bound(self) -> datetime:
        """The event time that it goes back to, or begins at."""
        return moment(self.bound_us or 0)

    def due(self, pace: Pace, now: datetime) -> bool:
        """Whether it goes on, or a new one begins; none begins twice at one `now`."""
        if self.under_way or self.begun_us is None:
            return True
        passed_us = microseconds(now) - self.begun_us
        # below 0: the clock was set back
        return passed_us < 0 or (passed_us > 0 and passed_us >= pace.every // timedelta(microseconds=1))

    def begun(self, pace: Pace, now: datetime) -> Walk:
        """Under way; a new one where none was."""
        if self.under_way:
            return self
        bound = now - pace.lookback
        if pace.overlap is not None and self.newest_us is not None:
            bound = max(bound, moment(self.newest_us) - pace.overlap)
        return replace(self, begun_us=microseconds(now), bound_us=microseconds(bound), high_us=None, page=None)

    def onward(self, times: list[datetime], page: str | None, now: datetime) -> Walk:
        """After a page with entries of these times; `page` is where it goes on, None: finished.

        A time ahead of `now` is somebody's wrong clock, and would hide everything that comes before it.
        """
        met = [us for us in map(microseconds, times) if us <= microseconds(now)]
        high = max([*met, *([] if self.high_us is None else [self.high_us])], default=None)
        if page is not None:
            return replace(self, high_us=high, page=page)
        newest = max([us for us in (self.newest_us, high) if us is not None], default=None)
        return Walk(newest_us=newest, begun_us=self.begun_us, done_us=microseconds(now))

    def behind(self, times: list[datetime]) -> bool:
        """Whether a page of these times, newest first, reaches behind the bound."""
        return bool(times) and min(microseconds(time) for time in times) < (self.bound_us or 0)


def walk_of(stored: object) -> Walk:
    """The walk that `stored_of` made; a new one for anything else."""
    if not isinstance(stored, Mapping):
        return Walk()
    values: dict[str, Any] = {
        name: value
        for name in _FIELDS
        if isinstance(value := stored.get(name), int) and not isinstance(value, bool) and 0 <= value < 2**53
    }
    page = stored.get("page")
    if isinstance(page, str) and len(page) <= _LONGEST_PAGE and "bound_us" in values:
        values["page"] = page
    return Walk(**values)


def stored_of(walk: Walk) -> JsonObject:
    """The walk as JSON."""
    values = {name: getattr(walk, name) for name in (*_FIELDS, "page")}
    return {name: value for name, value in values.items() if value is not None}
