"""Who is signed in, as pages see them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from service.storage.accounts.sessions import SessionRow
from service.storage.accounts.users import ROLES, Role

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person set for themselves."""

    theme: Theme = "auto"
    keys: bool = True  # single-key shortcuts

    @staticmethod
    def read(stored: dict[str, Any]) -> Preferences:
        """The stored ones; what does not fit (any more) is as if it had not been set."""
        known = {f.name: stored[f.name] for f in fields(Preferences) if f.name in stored}
        if known.get("theme", "auto") not in ("auto", "light", "dark"):
            known.pop("theme")
        if not isinstance(known.get("keys", True), bool):
            known.pop("keys")
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

    def may(self, role: Role) -> bool:
        """May they do what `role` may?"""
        return ROLES.index(self.role) >= ROLES.index(role)


def person_of(session: SessionRow) -> Person:
    """The person whose session it is."""
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
