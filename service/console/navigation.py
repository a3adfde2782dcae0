"""The console's main menu."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from service.storage.accounts.users import ROLES, Role


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One entry of the menu."""

    path: str
    label: str
    role: Role = "viewer"


MENU = (
    MenuEntry("/console/clusters", "Cases"),
    MenuEntry("/console/search", "Search"),
    MenuEntry("/console/mentions", "Mentions"),
    MenuEntry("/console/campaigns", "Campaigns"),
    MenuEntry("/console/decisions", "Decisions"),
    MenuEntry("/console/restorations", "Restorations"),
    MenuEntry("/console/targets", "Targets"),
    MenuEntry("/console/reporters", "Reporters"),
    MenuEntry("/console/overview", "Overview"),
    MenuEntry("/console/shift", "Shift report"),
    MenuEntry("/console/settings", "Settings", "admin"),
    MenuEntry("/console/ops", "Operations", "admin"),
)


def menu(role: Role, routed: Container[str]) -> list[MenuEntry]:
    """The entries this role may open and this installation has (`routed`: paths below /console)."""
    return [
        entry
        for entry in MENU
        if ROLES.index(role) >= ROLES.index(entry.role) and entry.path.removeprefix("/console") in routed
    ]
