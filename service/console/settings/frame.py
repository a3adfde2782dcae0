"""What the settings pages share: the list of sections, and rendering one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
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
        """URL of the page."""
        return f"/console/settings/{self.name}"


SECTIONS = (
    SettingsSection("thresholds", "Thresholds"),
    SettingsSection("patrols", "Good patrols"),
    SettingsSection("flaggers", "Trusted flaggers"),
    SettingsSection("people", "People"),
    SettingsSection("queues", "Queues"),
    SettingsSection("templates", "Note templates"),
    SettingsSection("sign-in", "Sign-in"),
    SettingsSection("keys", "API keys"),
    SettingsSection("subscriptions", "Webhook subscriptions"),
    SettingsSection("sources", "Connected platforms"),
    SettingsSection("import", "Import"),
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
    """A settings page below the tabs of all sections.

    `error` is shown at the top, with status 422 unless `status` is given.
    """
    tabs = [{"url": one.path, "label": one.label, "current": one.name == section} for one in SECTIONS]
    messages = (FlashMessage(sentence(error), "bad"),) if error else context.pop("messages", ())
    return render(
        request,
        person,
        f"settings/{template}",
        status=status or (422 if error else 200),
        messages=messages,
        tabs=tabs,
        **context,
    )


def secret(
    request: Request,
    person: Person,
    section: str,
    *,
    title: str,
    text: str,
    shown: str,
    label: str,
    back: str,
    after: str = "",
) -> Response:
    """A page that shows a secret once: a key, a password or a URL.

    It is part of the response to the form, so that the secret is not stored anywhere.
    """
    return page(
        request,
        person,
        section,
        "secret.html",
        title=title,
        text=text,
        shown=shown,
        label=label,
        back=back,
        after=after,
    )


def now_us(request: Request) -> int:
    """Wall clock, microseconds since 1970."""
    return microseconds(api_context(request).now())
