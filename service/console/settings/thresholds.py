"""Thresholds: what they are, a dry run of others, and putting those in force.

Nothing is changed before somebody has seen what it would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page, sentence
from service.console.sign_in import Admin
from service.errors import Refused
from service.model import moment
from service.policy import DEFAULT_POLICY, Policy, Threshold
from service.policy import thresholds as all_thresholds
from service.storage.accounts.policy_overrides import overrides_of, policy_of, versions
from service.storage.detection import dry_runs
from service.storage.sql.engine import write

HERE = "/console/settings/thresholds"
SECTION = "thresholds"
_DAY = 86_400
_VERSIONS_SHOWN = 8
router = APIRouter(prefix="/thresholds")


@dataclass(frozen=True, slots=True)
class Named:
    """A threshold in the words of the people who set it."""

    name: str
    label: str
    told: str
    unit: str
    scale: int = 1  # of the stored value in what is shown: seconds in a day


@dataclass(frozen=True, slots=True)
class ThresholdFamily:
    """Thresholds that belong together."""

    title: str
    told: str
    members: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One threshold as the form shows it."""

    name: str
    label: str
    told: str
    unit: str
    shown: str
    default: str
    low: str
    high: str
    changed: bool
    error: str = ""


FAMILIES = (
    ThresholdFamily(
        "What becomes a case",
        "How much has to speak for a group before you are asked about it, and how many cases a day you can look at.",
        (
            Named(
                "flag_score",
                "Evidence that makes a case",
                "Higher: fewer cases, and surer ones. 0 is as likely as not, 2 about seven to one, 4 about fifty to"
                " one.",
                "log-odds",
            ),
            Named(
                "min_members",
                "Smallest group",
                "Two accounts are a coincidence that nobody should be asked to judge.",
                "accounts",
            ),
            Named(
                "flags_per_day",
                "New cases a day",
                "What goes beyond waits, weakest evidence last, and still counts as coordinated meanwhile.",
                "cases",
            ),
        ),
    ),
    ThresholdFamily(
        "What counts",
        "How complaints are weighed when your platform asks before it removes something.",
        (
            Named(
                "default_threshold",
                "Removal threshold",
                "How many complaints your platform removes at, where it does not say so when it asks.",
                "complaints",
            ),
            Named(
                "prior_unfounded",
                "Doubt while nobody has judged",
                "How likely a coordinated group's complaints are taken to be unfounded before anybody has judged one of"
                " its targets. Higher: held more often.",
                "0 to 1",
            ),
        ),
    ),
    ThresholdFamily(
        "How far back",
        "Complaints are compared with each other inside this time.",
        (
            Named(
                "window_seconds",
                "Window",
                "A longer one finds slower groups, and takes memory and time in proportion.",
                "days",
                _DAY,
            ),
        ),
    ),
    ThresholdFamily(
        "Warnings to reporters",
        "When it is suggested that somebody be warned about unfounded complaints. A person always decides (Digital"
        " Services Act, Art. 23).",
        (
            Named(
                "warn_unfounded",
                "Unfounded complaints, at least",
                "As people judged them; before that no warning is suggested.",
                "complaints",
            ),
            Named(
                "warn_share",
                "Share of those judged, at least",
                "0.8 means: eight of ten that people judged were unfounded.",
                "share",
            ),
            Named("warn_period_seconds", "Within", "Older complaints say nothing about now.", "days", _DAY),
        ),
    ),
)
_NAMED = {one.name: one for family in FAMILIES for one in family.members}


@router.get("")
def show_thresholds(request: Request, person: Admin) -> Response:
    """What holds now, as a form that proposes something else."""
    return _form(request, person)


@router.post("/try")
async def propose(request: Request, person: Admin) -> Response:
    """Have a dry run of what the form says; nothing changes by it."""
    form = await request.form()
    return await run_in_threadpool(_proposed, request, person, form)


def _proposed(request: Request, person: Admin, form: FormData) -> Response:
    asked = {name: value for name, value in form.items() if isinstance(value, str)}
    if "defaults" in asked:
        values: dict[str, Any] = {}
    else:
        values, errors = read_form(asked)
        if errors:
            return _form(request, person, asked, errors, "Not everything can be set like that: see below.")
    try:
        with write(api_context(request).engine) as connection:
            run = dry_runs.ask(connection, person.tenant_id, values, by=person.name, now_us=now_us(request))
    except (Refused, ValueError) as error:
        return _form(request, person, asked, {}, sentence(error))
    return see_other(request, f"{HERE}/runs/{run}")


@router.get("/runs/{id}")
def show_run(request: Request, person: Admin, id: str) -> Response:
    """One dry run: how far it is, and what it found."""
    with api_context(request).engine.connect() as connection:
        run = dry_runs.read(connection, person.tenant_id, id)
        current = policy_of(connection, person.tenant_id)
    usable = (
        run.state == dry_runs.DONE
        and run.result is not None
        and run.result["policy_now"] == current.version
        and now_us(request) - (run.done_us or 0) <= dry_runs.VALID_US
    )
    changes = differences(current if run.unfinished or usable else None, run.policy)
    return page(
        request,
        person,
        SECTION,
        "dry_run.html",
        fragment="run",
        run=run,
        result=run.result,
        changes=changes,
        usable=usable,
        asked_at=moment(run.asked_us),
        until=None if run.result is None else _time(run.result["until"]),
        cases=_cases(run.result),
        in_force=run.policy == current,
    )


@router.post("/runs/{id}/cancel")
def cancel_run(request: Request, person: Admin, id: str) -> Response:
    """Stop it."""
    with write(api_context(request).engine) as connection:
        dry_runs.read(connection, person.tenant_id, id)
        stopped = dry_runs.cancel(connection, person.tenant_id, id, now_us=now_us(request))
    flash(
        request, person, "The dry run was stopped. Nothing was changed." if stopped else "It had ended already.", "info"
    )
    return see_other(request, HERE)


@router.post("/runs/{id}/apply")
def put_in_force(request: Request, person: Admin, id: str) -> Response:
    """Make its thresholds the tenant's."""
    try:
        with write(api_context(request).engine) as connection:
            policy = dry_runs.put_in_force(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    except Refused as error:
        flash(request, person, sentence(error), "bad")
        return see_other(request, f"{HERE}/runs/{id}")
    flash(
        request,
        person,
        f"These thresholds are in force (policy {policy.version}). Cases of the window are judged anew within a minute"
        " or so.",
    )
    return see_other(request, HERE)


def read_form(asked: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The overrides that the form asks for, and what is wrong by name.

    A field that is empty or absent means the default.
    """
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for one in all_thresholds(DEFAULT_POLICY):
        text = asked.get(one.name, "").strip() if one.settable else ""
        if text:
            try:
                value = _read(one, text)
            except ValueError as error:
                errors[one.name] = str(error)
            else:
                if value != one.default:
                    values[one.name] = value
    return values, errors


def _read(one: Threshold, text: str) -> Any:
    scale = _NAMED[one.name].scale if one.name in _NAMED else 1
    whole = isinstance(one.default, int) and scale == 1
    try:
        value = (int(text) if whole else float(text)) * scale
    except ValueError:
        raise ValueError("a whole number, without decimals" if whole else "a number, like 0.5") from None
    if isinstance(one.default, int):
        if not abs(value) < 1e15 or value != int(value):  # also what is no number
            raise ValueError(f"a number of days between {_text(one.low, scale)} and {_text(one.high, scale)}")
        value = int(value)
    if not (one.low is None or value >= one.low) or not (one.high is None or value <= one.high):
        raise ValueError(f"between {_text(one.low, scale)} and {_text(one.high, scale)}")
    DEFAULT_POLICY.overridden({one.name: value})
    return value


def differences(before: Policy | None, after: Policy) -> list[dict[str, Any]]:
    """What changes: label, unit, and both values as they are shown; without `before` against the defaults."""
    found = []
    known = {one.name: one for one in all_thresholds(before or DEFAULT_POLICY)}
    for one in all_thresholds(after):
        if one.settable and one.value != known[one.name].value:
            named = _NAMED.get(one.name)
            scale = named.scale if named else 1
            found.append(
                {
                    "name": one.name,
                    "label": named.label if named else one.name,
                    "unit": named.unit if named else one.unit,
                    "before": _text(known[one.name].value, scale),
                    "after": _text(one.value, scale),
                }
            )
    return found


def _form(
    request: Request,
    person: Admin,
    asked: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    error: str | None = None,
) -> Response:
    with api_context(request).engine.connect() as connection:
        policy = policy_of(connection, person.tenant_id)
        own = overrides_of(connection, person.tenant_id)
        run = dry_runs.newest(connection, person.tenant_id)
        history = versions(connection, person.tenant_id, _VERSIONS_SHOWN)
    every = {one.name: one for one in all_thresholds(policy) if one.settable}
    families = [
        (family, [_field(every[named.name], named, asked, errors or {}) for named in family.members])
        for family in FAMILIES
    ]
    method = [_field(one, None, asked, errors or {}) for one in every.values() if one.name not in _NAMED]
    told = [
        {"at": moment(one.at_us), "by": one.by, "changes": differences(None, DEFAULT_POLICY.overridden(one.values))}
        for one in history
    ]
    return page(
        request,
        person,
        SECTION,
        "thresholds.html",
        error=error,
        families=families,
        method=method,
        policy=policy,
        own=own,
        run=run,
        history=told,
    )


def _field(one: Threshold, named: Named | None, asked: Mapping[str, str] | None, errors: Mapping[str, str]) -> Field:
    scale = named.scale if named else 1
    shown = _text(one.value, scale)
    return Field(
        one.name,
        named.label if named else one.name,
        named.told if named else one.why,
        named.unit if named else one.unit,
        shown if asked is None else asked.get(one.name, shown)[:40],
        _text(one.default, scale),
        _text(one.low, scale, ","),
        _text(one.high, scale, ","),
        one.value != one.default,
        errors.get(one.name, ""),
    )


def _text(value: float | None, scale: int = 1, thousands: str = "") -> str:
    return "" if value is None else format(value / scale, f"{thousands}.10g")


def _cases(result: Mapping[str, Any] | None) -> dict[str, list[dict[str, Any]]]:
    """The cases of a result with their times read."""
    if result is None:
        return {"comes": [], "goes": []}
    return {name: [{**case, "last_at": _time(case["last_at"])} for case in result[name]] for name in ("comes", "goes")}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
