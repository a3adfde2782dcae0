"""Queues: which cases go where, and to whom. What a rule takes is previewed before it is saved."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.person import Person
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page
from service.console.sign_in import Admin
from service.errors import BrigadewatchError, NotFound, Refused
from service.fields import is_id
from service.moderation.phrases import plural
from service.moderation.queue_rules import QueueConditions, QueueRule, first_rule, needs_facts
from service.storage.cases import placements, queues
from service.storage.sql import timers
from service.storage.sql.engine import write

HERE = "/console/settings/queues"
SECTION = "queues"
router = APIRouter(prefix="/queues")
MOST_LISTED = 50  # contexts, languages or reasons of a rule
DRAFT = 0  # in place of a queue's id
_LISTS = {"contexts": "Contexts", "languages": "Languages", "reasons": "Reasons"}
_NUMBERS = {
    "min_score": "Priority from",
    "max_score": "Priority up to",
    "min_coordination": "Coordination score from",
    "max_coordination": "Coordination score up to",
    "min_accounts": "Accounts from",
}


@dataclass(frozen=True, slots=True)
class QueueForm:
    """A queue as entered."""

    id: int  # DRAFT: a new one
    name: str
    entered: Mapping[str, str]
    user_ids: tuple[int, ...]

    def conditions(self) -> QueueConditions:
        """The conditions. Raises Refused for what cannot be read."""
        values: dict[str, Any] = {
            "kind": self.entered["kind"] or None,
            "tag": " ".join(self.entered["tag"].split()) or None,
        }
        if values["kind"] not in (None, "repeat", "one_shot"):
            raise Refused("choose a kind from the list")
        for name, label in _LISTS.items():
            values[name] = tuple(dict.fromkeys(filter(None, map(str.strip, self.entered[name].split(",")))))
            if len(values[name]) > MOST_LISTED or not all(map(is_id, values[name])):
                raise Refused(f"{label}: give at most {MOST_LISTED}, separated by commas")
        for name, label in _NUMBERS.items():
            values[name] = _number(self.entered[name], label)
        if values["min_accounts"] is not None:
            values["min_accounts"] = math.ceil(values["min_accounts"])
        return QueueConditions(**values)


def _number(text: str, label: str) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(f"{label}: give a number, such as 2.5")
    return number


def _queue_form(
    queue: Annotated[int, Form(ge=0, le=2**31)] = DRAFT,
    name: Annotated[str, Form(max_length=200)] = "",
    contexts: Annotated[str, Form(max_length=8_000)] = "",
    languages: Annotated[str, Form(max_length=400)] = "",
    reasons: Annotated[str, Form(max_length=4_000)] = "",
    kind: Annotated[str, Form(max_length=16)] = "",
    tag: Annotated[str, Form(max_length=200)] = "",
    min_score: Annotated[str, Form(max_length=20)] = "",
    max_score: Annotated[str, Form(max_length=20)] = "",
    min_coordination: Annotated[str, Form(max_length=20)] = "",
    max_coordination: Annotated[str, Form(max_length=20)] = "",
    min_accounts: Annotated[str, Form(max_length=20)] = "",
    people: Annotated[list[int] | None, Form(max_length=100)] = None,
) -> QueueForm:
    """The queue as submitted."""
    entered = {
        "contexts": contexts,
        "languages": languages,
        "reasons": reasons,
        "kind": kind,
        "tag": tag,
        "min_score": min_score,
        "max_score": max_score,
        "min_coordination": min_coordination,
        "max_coordination": max_coordination,
        "min_accounts": min_accounts,
    }
    return QueueForm(queue, name, entered, tuple(people or ()))


EnteredQueue = Annotated[QueueForm, Depends(_queue_form)]


@router.get("")
def show_queues(request: Request, person: Admin, edit: int = DRAFT) -> Response:
    """All queues with what they take now, and a form for a new one or, with `edit`, for one of them."""
    with api_context(request).engine.connect() as connection:
        found = next((one for one in queues.list_queues(connection, person.tenant_id) if one.id == edit), None)
    return _page(request, person, _empty() if found is None else _filled(found))


@router.post("/preview")
def preview(request: Request, person: Admin, form: EnteredQueue) -> Response:
    """What each queue would take with this one; nothing is saved."""
    try:
        draft = form.conditions()
    except Refused as error:
        return _page(request, person, form, error=error)
    with write(api_context(request).engine) as connection:  # have counted what has not been
        timers.at_latest(connection, person.tenant_id, queues.WORK, now_us(request))
    return _page(request, person, form, draft=draft)


@router.post("/save")
def save(request: Request, person: Admin, form: EnteredQueue) -> Response:
    """Create or change a queue."""
    try:
        with write(api_context(request).engine) as connection:
            queues.save_queue(
                connection,
                person.tenant_id,
                form.name,
                form.conditions(),
                form.user_ids,
                queue_id=form.id or None,
                by=person.name,
                now_us=now_us(request),
            )
    except (Refused, NotFound) as error:
        return _page(request, person, form, error=error)
    flash(request, person, "Saved. Open cases move to their queues within seconds; what people moved stays.")
    return see_other(request, HERE)


@router.post("/remove")
def remove(request: Request, person: Admin, queue: Annotated[int, Form(ge=1, le=2**31)]) -> Response:
    """Remove a queue; its cases stay."""
    with write(api_context(request).engine) as connection:
        queues.remove_queue(connection, person.tenant_id, queue, by=person.name, now_us=now_us(request))
    flash(request, person, "Removed. Its cases go where the other rules put them.")
    return see_other(request, HERE)


@router.post("/raise")
def raise_queue(request: Request, person: Admin, queue: Annotated[int, Form(ge=1, le=2**31)]) -> Response:
    """Have its rule tried earlier."""
    with write(api_context(request).engine) as connection:
        queues.raise_queue(connection, person.tenant_id, queue, by=person.name, now_us=now_us(request))
    return see_other(request, HERE)


def conditions_text(conditions: QueueConditions) -> str:
    """The conditions in words."""
    said = [f"{_LISTS[n].lower()} {' or '.join(getattr(conditions, n))}" for n in _LISTS if getattr(conditions, n)]
    said += [
        f"{label[0].lower()}{label[1:]} {getattr(conditions, name):g}"
        for name, label in _NUMBERS.items()
        if getattr(conditions, name) is not None
    ]
    if conditions.kind is not None:
        said.append({"repeat": "repeated", "one_shot": "a single target"}[conditions.kind])
    if conditions.tag is not None:
        said.append(f"tag “{conditions.tag}”")
    return "; ".join(said) or "nothing on its own: people move cases here"


def _page(
    request: Request,
    person: Person,
    form: QueueForm,
    *,
    draft: QueueConditions | None = None,
    error: BrigadewatchError | None = None,
) -> Response:
    with api_context(request).engine.connect() as connection:
        listed = queues.list_queues(connection, person.tenant_id)
        cases = placements.waiting_cases(connection, person.tenant_id)
        colleagues = queues.assignable(connection, person.tenant_id)
    rules = [one.rule for one in listed]
    if draft is not None:
        changed = QueueRule(form.id, draft, ())
        rules = [changed if one.queue_id == form.id else one for one in rules]
        rules += [] if any(one.queue_id == form.id for one in rules) else [changed]
    taken = Counter(rule.queue_id for case in cases if (rule := first_rule(rules, case.figures)) is not None)
    names = {one.id: one.name for one in colleagues}
    uncounted = (
        sum(not case.facts_are_current for case in cases) if any(needs_facts(one.conditions) for one in rules) else 0
    )
    return page(
        request,
        person,
        SECTION,
        "queues.html",
        error=error,
        listed=[
            {
                "id": one.id,
                "name": one.name,
                "text": conditions_text(one.conditions),
                "people": [names[user] for user in one.user_ids if user in names],
                "cases": taken[one.id],
            }
            for one in listed
        ],
        open_cases=len(cases),
        previewed=None if draft is None else plural(taken[form.id], "open case"),
        draft_text=None if draft is None else conditions_text(draft),
        uncounted=uncounted,
        form=form,
        numbers=_NUMBERS,
        colleagues=colleagues,
    )


def _empty() -> QueueForm:
    return QueueForm(DRAFT, "", dict.fromkeys((*_LISTS, *_NUMBERS, "kind", "tag"), ""), ())


def _filled(queue: queues.CaseQueue) -> QueueForm:
    own = queue.conditions.set_ones
    entered = {
        name: ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in own.items()
    }
    return QueueForm(queue.id, queue.name, {**_empty().entered, **entered}, queue.user_ids)
