"""The audit trail: who changed what and when. Read-only, on a page and as CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.csv_files import Cell, csv_response
from service.console.formatting import sentence
from service.console.lists import AT_ONCE, every_page
from service.console.rendering import segment
from service.console.settings.audit_sentences import action_label, audit_sentence
from service.console.settings.frame import page
from service.console.shares import download
from service.console.sign_in import Admin
from service.errors import Refused
from service.model import microseconds, moment
from service.storage.accounts import audit_log
from service.storage.accounts.audit_log import AuditEntry, AuditFilter
from service.storage.sql.cursors import Page, read_cursor, write_cursor

HERE = "/console/settings/audit"
SECTION = "audit"
LINES_A_PAGE = 50
_LIST, _SORT = "audit", "-id"
_PAGES = {
    "cluster": "/console/clusters/",
    "reporter": "/console/reporters/",
    "target": "/console/targets/",
    "import": "/console/settings/import/",
}
_HEADER = ("Time", "Who", "Kind", "Sentence", "Action", "Subject", "Details")
_NAMES = ("actor", "action", "subject", "since", "until")
router = APIRouter(prefix="/audit")

Text = Annotated[str, Query(max_length=200)]


def _entered(
    actor: Text = "", action: Text = "", subject: Text = "", since: Text = "", until: Text = ""
) -> dict[str, str]:
    """The filter's fields in the query string."""
    return {name: value.strip() for name, value in zip(_NAMES, (actor, action, subject, since, until), strict=True)}


Entered = Annotated[dict[str, str], Depends(_entered)]


@router.get("")
def show_trail(
    request: Request,
    person: Admin,
    entered: Entered,
    cursor: Annotated[str, Query(max_length=8192)] = "",
) -> Response:
    """A page of the trail, newest first."""
    before_id = None
    if cursor:
        found = read_cursor(cursor, list_name=_LIST, key_types_by_sort={_SORT: (int,)})
        entered, before_id = {name: found.filters.get(name, "") for name in _NAMES}, int(found.after[0])
    try:
        chosen, error = read_filter(entered, person.preferences.zone), None
    except Refused as refused:
        chosen, error = AuditFilter(), sentence(refused)
    with api_context(request).engine.connect() as connection:
        lines, more = audit_log.list_page(connection, person.tenant_id, chosen, before_id=before_id, limit=LINES_A_PAGE)
        actions = audit_log.actions(connection, person.tenant_id)
    filters = {name: value for name, value in entered.items() if value}
    query = f"?{urlencode(filters)}" if filters else ""
    return page(
        request,
        person,
        SECTION,
        "audit.html",
        error=error,
        lines=[_shown(line) for line in lines],
        filters=entered,
        actions=sorted(((name, action_label(name)) for name in actions), key=lambda one: one[1]),
        filtered=bool(filters),
        csv_url=f"{HERE}.csv{query}",
        first_url=f"{HERE}{query}" if cursor else None,
        next_url=None
        if more is None
        else f"{HERE}?{urlencode({'cursor': write_cursor(Page(_LIST, _SORT, filters, (more,)))})}",
    )


@router.get(".csv", dependencies=download)
def download_trail(request: Request, person: Admin, entered: Entered) -> Response:
    """The same entries as CSV."""
    chosen = read_filter(entered, person.preferences.zone)

    def read(
        connection: Connection, after: tuple[Any, ...] | None
    ) -> tuple[Sequence[AuditEntry], tuple[Any, ...] | None]:
        lines, more = audit_log.list_page(
            connection, person.tenant_id, chosen, before_id=None if after is None else after[0], limit=AT_ONCE
        )
        return lines, None if more is None else (more,)

    entries = every_page(api_context(request).engine, read)
    return csv_response(f"audit-{person.tenant}", _HEADER, lambda: map(_cells, entries))


def _cells(line: AuditEntry) -> tuple[Cell, ...]:
    return (
        moment(line.at_us),
        line.actor,
        action_label(line.action),
        f"{line.actor} {audit_sentence(line.action, line.subject, line.detail)}",
        line.action,
        line.subject,
        json.dumps(line.detail, ensure_ascii=False),
    )


def read_filter(entered: dict[str, str], zone: tzinfo = UTC) -> AuditFilter:
    """The filter from the form's fields; `until` includes that day. Raises Refused for an invalid date."""
    since, until = _day(entered["since"]), _day(entered["until"])
    actor, action, subject = (entered[name] or None for name in ("actor", "action", "subject"))
    return AuditFilter(
        actor,
        action,
        subject,
        None if since is None else _us(since, zone),
        None if until is None else _us(until + timedelta(days=1), zone),
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year < 9999:
        raise Refused(f"{text[:20]!r} is not a valid date; use the form 2026-03-01")
    return found


def _us(day: date, zone: tzinfo) -> int:
    return microseconds(datetime.combine(day, time(), zone))


def _shown(line: AuditEntry) -> dict[str, Any]:
    kind, _, rest = line.subject.partition(":")
    rest = rest or str(line.detail.get(kind, ""))  # of reporters and targets: where an erasure finds it
    link = _PAGES.get(kind) if line.action != "import-deleted" else None
    return {
        "at": moment(line.at_us),
        "actor": line.actor,
        "sentence": audit_sentence(line.action, line.subject, line.detail),
        "link": None if link is None or not rest else f"{link}{segment(rest)}",
        "link_text": f"Show the {'case' if kind == 'cluster' else kind}",
        "detail": detail_pairs(line.detail),
    }


def detail_pairs(detail: dict[str, Any]) -> list[tuple[str, str]]:
    """An entry's details as pairs of label and text; before and after become one pair."""
    pairs: list[tuple[str, str]] = []
    for name, value in detail.items():
        label = name.replace("_", " ")
        if isinstance(value, dict) and value.keys() == {"before", "after"}:
            pairs.append((label, f"{_plain(value['before'])} → {_plain(value['after'])}"))
        else:
            pairs.append((label, "all" if name == "events" and value == [] else _plain(value)))
    return pairs


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items()) or "none"
    return str(value)
