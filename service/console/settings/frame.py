"""What the pages of settings share: the list of sections, and how one of them is rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.person import Person
from service.console.rendering import FlashMessage, render
from service.errors import BrigadewatchError
from service.model import microseconds


@dataclass(frozen=True, slots=True)
class SettingsSection:
    """One page of settings."""

    name: str
    label: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/console/settings/{self.name}"


SECTIONS = (
    SettingsSection("thresholds", "Thresholds"),
    SettingsSection("patrols", "Good patrols"),
    SettingsSection("people", "People"),
    SettingsSection("keys", "Keys"),
    SettingsSection("subscriptions", "Webhooks out"),
    SettingsSection("sources", "Connections in"),
    SettingsSection("privacy", "Privacy and limits"),
    SettingsSection("audit", "Audit trail"),
)


def page(
    request: Request,
    person: Person,
    section: str,
    template: str,
    *,
    error: str | BrigadewatchError | None = None,
    status: int | None = None,
    **context: Any,
) -> Response:
    """A page of settings below the tabs of all sections.

    `error` is told at its head, with 422 unless `status` says otherwise.
    """
    tabs = [{"url": one.path, "label": one.label, "current": one.name == section} for one in SECTIONS]
    told = (FlashMessage(sentence(error), "bad"),) if error else context.pop("messages", ())
    return render(
        request,
        person,
        f"settings/{template}",
        status=status or (422 if error else 200),
        messages=told,
        tabs=tabs,
        **context,
    )


def secret(
    request: Request,
    person: Person,
    section: str,
    *,
    title: str,
    told: str,
    shown: str,
    label: str,
    back: str,
    after: str = "",
) -> Response:
    """What is shown this once: a key, a password, a path.

    Straight in the answer to the form, so that it is stored nowhere.
    """
    return page(
        request,
        person,
        section,
        "secret.html",
        title=title,
        told=told,
        shown=shown,
        label=label,
        back=back,
        after=after,
    )


def sentence(text: object) -> str:
    """A failure's words as a sentence: a capital at its begin, a full stop at its end."""
    said = str(text)
    return f"{said[:1].upper()}{said[1:]}" + ("" if said.endswith((".", "!", "?")) else ".")


def now_us(request: Request) -> int:
    """Wall clock, microseconds since 1970."""
    return microseconds(api_context(request).now())
