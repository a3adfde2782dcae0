"""The signed-in person, as pages see them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from service.storage.accounts.sessions import SessionRow
from service.storage.accounts.users import ROLES, Role

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """A person's own preferences."""

    theme: Theme = "auto"
    keys: bool = True  # single-key shortcuts

    @staticmethod
    def read(stored: dict[str, Any]) -> Preferences:
        """Read stored preferences; invalid or unknown ones are ignored."""
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
