"""The thresholds: current values, a dry run of others, and applying those. Nothing changes before a dry run."""

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
from service.console.formatting import sentence
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page
from service.console.settings.threshold_texts import FAMILIES, LATER, METHOD, THRESHOLD_TEXTS, ThresholdText
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
_VERSIONS_SHOWN = 8
_LISTS = ("comes", "goes", "exempt")  # of cases, in a dry run's result
router = APIRouter(prefix="/thresholds")


@dataclass(frozen=True, slots=True)
class ThresholdField:
    """One threshold as a form field."""

    name: str
    label: str
    hint: str
    unit: str
    shown: str
    default: str
    low: str
    high: str
    changed: bool
    error: str = ""


@router.get("")
def show_thresholds(request: Request, person: Admin) -> Response:
    """The current thresholds, as a form to try others."""
    return _form(request, person)


@router.post("/try")
async def propose(request: Request, person: Admin) -> Response:
    """Start a dry run of the form's values; nothing changes yet."""
    form = await request.form()
    return await run_in_threadpool(_proposed, request, person, form)


def _proposed(request: Request, person: Admin, form: FormData) -> Response:
    entered = {name: value for name, value in form.items() if isinstance(value, str)}
    if "defaults" in entered:
        values: dict[str, Any] = {}
    else:
        values, errors = read_form(entered)
        if errors:
            return _form(request, person, entered, errors, "Some values are out of range; see below.")
    try:
        with write(api_context(request).engine) as connection:
            run = dry_runs.request_dry_run(connection, person.tenant_id, values, by=person.name, now_us=now_us(request))
    except (Refused, ValueError) as error:
        return _form(request, person, entered, {}, sentence(error))
    return see_other(request, f"{HERE}/runs/{run}")


@router.get("/runs/{id}")
def show_run(request: Request, person: Admin, id: str) -> Response:
    """One dry run: its progress, then its result."""
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
        requested_at=moment(run.asked_us),
        until=None if run.result is None else _time(run.result["until"]),
        cases=_cases(run.result),
        later=dict.fromkeys(LATER[one["name"]] for one in changes if one["name"] in LATER),
        active=run.policy == current,
    )


@router.post("/runs/{id}/cancel")
def cancel_run(request: Request, person: Admin, id: str) -> Response:
    """Stop it."""
    with write(api_context(request).engine) as connection:
        dry_runs.read(connection, person.tenant_id, id)
        stopped = dry_runs.cancel(connection, person.tenant_id, id, now_us=now_us(request))
    flash(
        request,
        person,
        "The dry run was stopped. Nothing was changed." if stopped else "The dry run had already finished.",
        "info",
    )
    return see_other(request, HERE)


@router.post("/runs/{id}/apply")
def apply_run(request: Request, person: Admin, id: str) -> Response:
    """Apply its thresholds to the tenant."""
    try:
        with write(api_context(request).engine) as connection:
            policy = dry_runs.put_in_force(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    except Refused as error:
        flash(request, person, sentence(error), "bad")
        return see_other(request, f"{HERE}/runs/{id}")
    flash(
        request,
        person,
        f"These thresholds are now active (version {policy.version}). Cases in the window will be re-evaluated within a"
        " minute or so.",
    )
    return see_other(request, HERE)


def read_form(entered: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The overrides in the form, and error messages by name. An empty or missing field means the default."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for one in all_thresholds(DEFAULT_POLICY):
        text = entered.get(one.name, "").strip() if one.settable else ""
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
    scale = THRESHOLD_TEXTS[one.name].scale if one.name in THRESHOLD_TEXTS else 1
    whole = isinstance(one.default, int) and scale == 1
    try:
        value = (int(text) if whole else float(text)) * scale
    except ValueError:
        raise ValueError("enter a whole number" if whole else "enter a number, such as 0.5") from None
    if isinstance(one.default, int):
        if not abs(value) < 1e15 or value != int(value):  # also false for NaN
            raise ValueError(f"enter a number of days between {_text(one.low, scale)} and {_text(one.high, scale)}")
        value = int(value)
    if not (one.low is None or value >= one.low) or not (one.high is None or value <= one.high):
        raise ValueError(f"must be between {_text(one.low, scale)} and {_text(one.high, scale)}")
    DEFAULT_POLICY.overridden({one.name: value})
    return value


def differences(before: Policy | None, after: Policy) -> list[dict[str, Any]]:
    """The differences: label, unit and both values as shown; compared with the defaults without `before`."""
    found = []
    known = {one.name: one for one in all_thresholds(before or DEFAULT_POLICY)}
    for one in all_thresholds(after):
        if one.settable and one.value != known[one.name].value:
            named = THRESHOLD_TEXTS.get(one.name)
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
    entered: Mapping[str, str] | None = None,
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
        (family, [_field(every[named.name], named, entered, errors or {}) for named in family.members])
        for family in FAMILIES
    ]
    method = [_field(every[text.name], text, entered, errors or {}) for text in METHOD]
    changes_by_version = [
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
        history=changes_by_version,
    )


def _field(
    one: Threshold, named: ThresholdText | None, entered: Mapping[str, str] | None, errors: Mapping[str, str]
) -> ThresholdField:
    scale = named.scale if named else 1
    shown = _text(one.value, scale)
    return ThresholdField(
        one.name,
        named.label if named else one.name,
        named.hint if named else one.why,
        named.unit if named else one.unit,
        shown if entered is None else entered.get(one.name, shown)[:40],
        _text(one.default, scale),
        _text(one.low, scale, ","),
        _text(one.high, scale, ","),
        one.value != one.default,
        errors.get(one.name, ""),
    )


def _text(value: float | None, scale: int = 1, thousands: str = "") -> str:
    return "" if value is None else format(value / scale, f"{thousands}.10g")


def _cases(result: Mapping[str, Any] | None) -> dict[str, list[dict[str, Any]]]:
    """A result's cases, with their times parsed."""
    if result is None:
        return {name: [] for name in _LISTS}
    return {name: [{**case, "last_at": _time(case["last_at"])} for case in result.get(name, ())] for name in _LISTS}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
