"""The console's main menu: who sees what."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from service.storage.users import ROLES, Role


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu."""

    path: str
    label: str
    role: Role = "viewer"


MENU = (
    Place("/console/clusters", "Cases"),
    Place("/console/decisions", "Decisions"),
    Place("/console/restorations", "Restorations"),
    Place("/console/overview", "Overview"),
    Place("/console/settings", "Settings", "admin"),
    Place("/console/ops", "Operations", "admin"),
)


def menu(role: Role, routed: Container[str]) -> list[Place]:
    """The entries that a person of this role may open and that this installation has (`routed`: paths below
    /console).
    """
    return [
        place
        for place in MENU
        if ROLES.index(role) >= ROLES.index(place.role) and place.path.removeprefix("/console") in routed
    ]
