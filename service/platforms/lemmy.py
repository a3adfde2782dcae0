"""Lemmy: report lists, newest first. /api/v4 has one list and opaque cursors, /api/v3 page numbers and a list per kind.

After a 404 from one of the two the other is tried, and the first one again if that has none either. New reports push a
numbered page on, so that some are read twice, never missed; what a purge pulls back is found by the next review. A
cursor is a report's id: once that report is purged, it answers 404, and its walk begins again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from service.model import JsonObject
from service.platforms import lemmy_reports
from service.platforms.platform import Platform
from service.platforms.poll_pagination import Pace
from service.platforms.poll_protocol import (
    NEWS,
    REVIEW,
    Absence,
    Ask,
    Taken,
    Unexpected,
    bearer,
    due_walk,
    same_page,
    walk_in,
    with_walk,
)

PAGE = 50
_LISTS = {4: ("all",), 3: ("comment", "post")}
_LONGEST_CURSOR = 2_000
_BEFORE = "before"  # in the cursor: that of the version which answered 404 a moment ago
_RESTARTED = "restarted"  # in the cursor: a page was gone in the walk under way


class Lemmy:
    """Polls a Lemmy server. The source's secret is the token (jwt) of an administrator's or moderator's login."""

    def authorization(self, secret: str) -> str:
        """A login's token."""
        return bearer(secret)

    def ask(self, cursor: JsonObject, now: datetime) -> Ask | None:
        """The next page of the list whose turn it is."""
        version = _version(cursor)
        found = due_walk(cursor, _walks(version), now)
        if found is None:
            return None
        name, walk = found
        query = [("limit", str(PAGE)), ("unresolved_only", "false")]
        if version == 4:
            # Without it an administrator sees a community's own reports three days late.
            query += [
                ("show_community_rule_violations", "true"),
                *([] if walk.page is None else [("page_cursor", walk.page)]),
            ]
            path = "/api/v4/report/list"
        else:
            query.append(("page", walk.page or "1"))
            path = f"/api/v3/{name.partition('/')[2]}/report/list"
        return Ask(path, tuple(query), walk=name, review=name.startswith("review"))

    def read(self, cursor: JsonObject, ask: Ask, answer: object, now: datetime) -> Taken:
        """Reports, and outcomes of those that are resolved."""
        version = _version(cursor)
        if not isinstance(answer, dict):
            raise Unexpected("Lemmy's answer is not a JSON object")
        kind = ask.walk.partition("/")[2]
        views = answer.get(f"{kind}_reports") if version == 3 else answer.get("reports", answer.get("items"))
        if not isinstance(views, list):
            raise Unexpected(f"Lemmy's answer does not contain a list of reports ({ask.path})")
        listing = lemmy_reports.listing_of(views)
        walk = walk_in(cursor, ask.walk).begun(_walks(version)[ask.walk], now)
        page = (
            None
            if not views or walk.behind(listing.times)
            else same_page(walk, _next(version, answer, len(views), walk.page))
        )
        changed = with_walk(cursor, ask.walk, walk.onward(listing.times, page, now))
        kept = {name: value for name, value in changed.items() if name not in (_BEFORE, _RESTARTED)}
        if page is not None and _RESTARTED in cursor:
            kept[_RESTARTED] = cursor[_RESTARTED]
        return Taken(listing, {**kept, "version": version, "proven": True})

    def absent(self, cursor: JsonObject, ask: Ask, now: datetime) -> Absence:
        """A page that is gone: the walk's first one. No such path: the other version's turn, unless both were tried."""
        version, walk = _version(cursor), walk_in(cursor, ask.walk)
        if walk.page is not None:
            return Absence(
                {**with_walk(cursor, ask.walk, replace(walk, page=None)), _RESTARTED: True},
                f"404: the next page of {ask.path} is gone (its report was purged); the list is read again from its"
                " beginning",
                failed=_RESTARTED in cursor,  # once more in one walk: after a pause
            )
        before = cursor.get(_BEFORE)
        if not isinstance(before, Mapping):
            # Its lists have other names: its walks start from the beginning, and known entries are recognised by their
            # ids. If it is not there either, the present cursor is taken up again.
            return Absence(
                {"version": 7 - version, "proven": False, _BEFORE: cursor},
                f"404: this address does not serve {ask.path}; trying /api/v{7 - version}",
            )
        proven = before.get("proven") is True
        return Absence(
            dict(before) if proven else {},
            "404: this address serves neither /api/v4/report/list nor /api/v3/comment/report/list; check the source's"
            " URL",
            failed=True,
        )


def _version(cursor: JsonObject) -> int:
    return 3 if cursor.get("version") == 3 else 4


def _walks(version: int) -> dict[str, Pace]:
    return {f"news/{kind}": NEWS for kind in _LISTS[version]} | {f"review/{kind}": REVIEW for kind in _LISTS[version]}


def _next(version: int, answer: JsonObject, count: int, page: str | None) -> str | None:
    if version == 4:
        following = answer.get("next_page")
        if following is not None and not (isinstance(following, str) and 0 < len(following) <= _LONGEST_CURSOR):
            raise Unexpected("next_page in Lemmy's answer is not a valid cursor")
        return following
    here = int(page) if page is not None and page.isdecimal() and len(page) < 9 else 1
    return None if count < PAGE else str(here + 1)


PLATFORM = Platform(name="lemmy", words="Lemmy is polled for reports", poller=Lemmy())
