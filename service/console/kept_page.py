"""What was entered before a session ended (kept_forms.py), shown again to be checked and submitted: the decision panel
of a case, filled in, or a page with the fields of another form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.console import kept_forms
from service.console.conflict import Seen
from service.console.decision_form import LONGEST_NOTE, REASONS, VERDICTS, DecisionForm
from service.console.kept_forms import HOME, KeptForm
from service.console.misuse_words import BUTTONS, GRAVITY, INTENTION
from service.console.rendering import FlashMessage, flash, render, see_other
from service.console.sign_in import Viewer
from service.moderation.misuse import LONGEST_REASON
from service.moderation.phrases import plural

router = APIRouter()
NOTHING_DONE = (
    "Your session ended before this was submitted, so nothing was done. Check what you entered, then submit it."
)
NOT_KEPT = FlashMessage(
    "What was entered here is no longer kept, or was entered by somebody else. Nothing was submitted.", "info"
)
_LABELS: dict[str, tuple[str, Mapping[str, str]]] = {
    "verdict": ("Decision", dict(VERDICTS)),
    "reason_code": ("Reason", {"": "Default for this decision", **dict(REASONS)}),
    "choice": (
        "Your choice",
        {"restored": "Mark as restored", "stands": "Confirm removal", "warned": "Warned", "declined": "Not warned"},
    ),
    "reporter": ("Account", {}),
    "tag": ("Tag", {}),
    "name": ("Name", {}),
    "entity": ("Organisation", {}),
    "coordinator": ("Awarded by", {}),
    "since": ("From", {}),
    "until": ("Until", {}),
    "area": ("Area", {}),
    "step": ("Step", {step: text for step, text in BUTTONS.items()}),
}
_TYPED = {
    "note": ("Note", LONGEST_NOTE),
    "text": ("Note", LONGEST_NOTE),
    "gravity": (GRAVITY, LONGEST_REASON),
    "intention": (INTENTION, LONGEST_REASON),
}


@dataclass(frozen=True, slots=True)
class FilledDecision:
    """The decision panel of a case as somebody filled it in before their session ended; `form` is None where that is
    not kept, or no longer.
    """

    form: DecisionForm | None
    seen: Seen


async def filled_decision(
    request: Request, person: Viewer, kept: Annotated[str, Query(max_length=64)] = ""
) -> FilledDecision | None:
    """A dependency of the case page; None unless the address asks for what was kept."""
    if not kept:
        return None
    found = await kept_forms.read(request, person, kept)
    if found is None:
        return FilledDecision(None, Seen(0, "", "", 0, 0))
    form = DecisionForm(
        found.one("verdict"),
        found.one("reason_code"),
        found.one("note"),
        found.one("snooze_for", "3"),
        found.one("snooze_until"),
        tuple(found.every("excluded_reporters")),
        person.preferences.zone,
    )
    seen = Seen(
        _number(found, "version"),
        found.one("seen_status"),
        found.one("seen_disposition"),
        _number(found, "seen_reporters"),
        _number(found, "seen_targets"),
    )
    return FilledDecision(form, seen)


Filled = Annotated[FilledDecision | None, Depends(filled_decision)]


@router.get("/kept/{id}")
async def show_kept(request: Request, person: Viewer, id: str) -> Response:
    """The fields of the form, and a button that submits them."""
    kept = await kept_forms.read(request, person, id)
    if kept is None:
        await run_in_threadpool(lambda: flash(request, person, NOT_KEPT.text, NOT_KEPT.kind))
        return see_other(request, HOME)
    title, button = kept_forms.words_of(kept.action)
    return await run_in_threadpool(
        lambda: render(
            request,
            person,
            "kept.html",
            title=title,
            button=button,
            action=kept.action,
            page=kept_forms.page_of(request, kept.action),
            typed=[(name, *_TYPED[name], value) for name, value in kept.fields if name in _TYPED],
            hidden=[(name, value) for name, value in kept.fields if name not in _TYPED],
            shown=_shown(kept),
            messages=(FlashMessage(NOTHING_DONE, "info"),),
        )
    )


def _shown(kept: KeptForm) -> list[tuple[str, str]]:
    """What was chosen, in words."""
    lines = [
        (label, words.get(value, value))
        for name, value in kept.fields
        for label, words in (_LABELS.get(name, ("", {})),)
        if label
    ]
    if kept.one("verdict") == "snoozed":
        lines.append(("Snooze for", plural(_number(kept, "snooze_for"), "day")))
    if kept.one("step") == "suspended":
        lines.append(("Suspend for", plural(_number(kept, "suspend_for"), "day")))
    for name, label in (("case", "Cases"), ("target", "Targets"), ("manifest", "Manifestly unfounded")):
        if chosen := kept.every(name):
            names = [one.rpartition(":")[0] if name == "case" else one for one in chosen]
            lines.append((label, ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")))
    return lines


def _number(kept: KeptForm, name: str) -> int:
    value = kept.one(name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else 0
