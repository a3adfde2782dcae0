"""The signed-in person, as pages see them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, tzinfo
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from service.storage.accounts.sessions import SessionRow
from service.storage.accounts.users import ROLES, Role
from service.time_zones import time_zones

Theme = Literal["auto", "light", "dark"]


@cache
def offered_zones() -> frozenset[str]:
    """The names of time zones that a person may choose: places, and UTC."""
    return frozenset(name for name in time_zones() if "/" in name and not name.startswith("Etc/")) | {"UTC"}


@dataclass(frozen=True, slots=True)
class Preferences:
    """A person's own preferences."""

    theme: Theme = "auto"
    keys: bool = True  # single-key shortcuts
    time_zone: str = "UTC"  # an IANA name

    @property
    def zone(self) -> tzinfo:
        """The time zone in which the person sees times."""
        return UTC if self.time_zone == "UTC" else ZoneInfo(self.time_zone)

    @staticmethod
    def read(stored: dict[str, Any]) -> Preferences:
        """Read stored preferences; invalid or unknown ones are ignored."""
        known = {f.name: stored[f.name] for f in fields(Preferences) if f.name in stored}
        if known.get("theme", "auto") not in ("auto", "light", "dark"):
            known.pop("theme")
        if not isinstance(known.get("keys", True), bool):
            known.pop("keys")
        if known.get("time_zone", "UTC") not in offered_zones():
            known.pop("time_zone")
        return Preferences(**known)


@dataclass(frozen=True, slots=True)
class Person:
    """One signed-in person."""

    user_id: int
    name: str
    tenant_id: int
    tenant: str
    role: Role
    csrf: str
    preferences: Preferences
    session: SessionRow
    ticket: str = ""  # says in every form whose it is (kept_forms.py)

    def may(self, role: Role) -> bool:
        """Whether they have at least this role."""
        return ROLES.index(self.role) >= ROLES.index(role)


def person_of(session: SessionRow) -> Person:
    """The session's person."""
    return Person(
        session.user_id,
        session.name,
        session.tenant_id,
        session.tenant,
        session.role,
        session.csrf,
        Preferences.read(session.preferences),
        session,
    )
