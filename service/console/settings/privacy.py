"""Privacy and limits: pseudonyms, texts, retention, rate limit. A shorter retention deletes, after a confirmation."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.rendering import flash, see_other
from service.console.retention_waiting import retention_waiting
from service.console.settings.frame import now_us, page
from service.console.sign_in import Admin
from service.errors import Refused
from service.moderation.phrases import plural
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenant_settings import (
    DAY_SECONDS,
    MAX_RETENTION_DAYS,
    TenantSettings,
    change_settings,
    settings_of,
)
from service.storage.privacy import retention_guard
from service.storage.sql.engine import write

HERE = "/console/settings/privacy"
SECTION = "privacy"
router = APIRouter(prefix="/privacy")


@router.get("")
def show_privacy(request: Request, person: Admin) -> Response:
    """The current settings."""
    return _page(request, person)


@router.post("/change")
def change(
    request: Request,
    person: Admin,
    pseudonyms: Annotated[str, Form(max_length=10)] = "",
    keep_text: Annotated[str, Form(max_length=10)] = "",
    retention_days: Annotated[str, Form(max_length=40)] = "",
    rate: Annotated[str, Form(max_length=40)] = "",
    confirmed: Annotated[str, Form(max_length=40)] = "",
    records: Annotated[int, Form(ge=0)] = 0,
) -> Response:
    """Save the settings; a retention that deletes data needs a confirmation, which is the consent to that amount."""
    entered = {"pseudonyms": pseudonyms, "keep_text": keep_text, "retention_days": retention_days, "rate": rate}
    try:
        wanted: dict[str, Any] = {
            "pseudonyms": _switch(pseudonyms, "pseudonyms"),
            "keep_text": _switch(keep_text, "texts"),
            "retention_days": _days(retention_days),
            "rate_per_second": _rate(rate),
        }
        with api_context(request).engine.connect() as connection:
            before = settings_of(connection, person.tenant_id)
        if _deletes(before, wanted["retention_days"]) and confirmed != str(wanted["retention_days"]):
            return _page(
                request, person, entered=entered, deletion=_deletion_preview(request, person, wanted["retention_days"])
            )
        with write(api_context(request).engine) as connection:
            after = change_settings(connection, person.tenant_id, actor=person.name, now_us=now_us(request), **wanted)
            if records and _deletes(before, after.retention_days):
                retention_guard.consent(
                    connection, person.tenant_id, records=records, actor=person.name, now_us=now_us(request)
                )
    except Refused as error:
        return _page(request, person, entered=entered, error=sentence(error.problem))
    if after == before:
        flash(request, person, "Nothing was changed.", "info")
    else:
        more = " Complaints already stored keep their IDs." if after.pseudonyms and not before.pseudonyms else ""
        flash(request, person, f"Saved. New complaints will follow these settings within seconds.{more}")
    return see_other(request, HERE)


@router.post("/consent")
def consent(request: Request, person: Admin, records: Annotated[int, Form(ge=0)]) -> Response:
    """Let the retention run that is waiting for consent delete this many records, once."""
    try:
        with write(api_context(request).engine) as connection:
            given = retention_guard.consent(
                connection, person.tenant_id, records=records, actor=person.name, now_us=now_us(request)
            )
    except Refused as error:
        return _page(request, person, error=sentence(error.problem))
    flash(request, person, f"{plural(given.records, 'record')} will be deleted, starting within seconds.")
    return see_other(request, HERE)


def _switch(text: str, name: str) -> bool:
    if text not in ("on", "off"):
        raise Refused(f"{name} must be on or off")
    return text == "on"


def _days(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise Refused(
            f"invalid retention {text.strip()[:20]!r}: enter whole days, or leave it empty to keep everything"
        ) from None


def _rate(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise Refused(f"invalid rate {text.strip()[:20]!r}: enter items per second, or leave it empty for no limit")
    return found


def _deletes(before: TenantSettings, days: int | None) -> bool:
    return (
        days is not None
        and 0 < days <= MAX_RETENTION_DAYS
        and (before.retention_days is None or days < before.retention_days)
    )


def _deletion_preview(request: Request, person: Admin, days: int) -> dict[str, int]:
    """How much the shorter retention would delete."""
    with api_context(request).engine.connect() as connection:
        return {
            "days": days,
            "items": retention_guard.records_before(
                connection, person.tenant_id, now_us(request) - days * DAY_SECONDS * 1_000_000
            ),
        }


def _page(
    request: Request,
    person: Admin,
    *,
    entered: dict[str, str] | None = None,
    error: str | None = None,
    deletion: dict[str, int] | None = None,
) -> Response:
    with api_context(request).engine.connect() as connection:
        now = settings_of(connection, person.tenant_id)
        retention_waits = retention_waiting(connection, person.tenant_id)
        least_days = math.ceil(policy_of(connection, person.tenant_id).window_seconds / DAY_SECONDS)
    shown = entered or {
        "pseudonyms": "on" if now.pseudonyms else "off",
        "keep_text": "on" if now.keep_text else "off",
        "retention_days": "" if now.retention_days is None else str(now.retention_days),
        "rate": "" if now.rate_per_second is None else f"{now.rate_per_second:g}",
    }
    return page(
        request,
        person,
        SECTION,
        "privacy.html",
        error=error,
        entered=shown,
        least_days=least_days,
        most_days=MAX_RETENTION_DAYS,
        deletion=deletion,
        retention_waits=retention_waits,
    )
