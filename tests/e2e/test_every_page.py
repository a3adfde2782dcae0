"""What holds for every page, in both themes, wide and narrow: nothing a browser complains about, nothing serious that axe finds, nothing to scroll sideways."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from console_browser import NARROW, WIDE, Theme, Visitor
from console_installation import Installation

PAGES = ("/console/clusters", "/console/clusters?status=decided", "/console/clusters/nothing-of-that-name", "/console/nowhere")


def addresses(installation: Installation) -> list[str]:
    """Every kind of page, of the demo's highest case where one is needed."""
    return list(PAGES)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_sound(visitor: Callable[..., Visitor], installation: Installation, theme: Theme, width: int) -> None:
    person = visitor("admin", theme=theme, width=width)
    wrong: dict[str, list[str]] = {}
    for path in addresses(installation):
        with person.expecting(404):
            person.go(path)
        found = person.violations()
        if wider := person.overflow():
            found.append(f"{wider} px wider than the window")
        if found:
            wrong[path] = found
    assert wrong == {}
    assert person.troubles == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_sign_in_page_is_sound(visitor: Callable[..., Visitor], theme: Theme) -> None:
    for width in (WIDE, NARROW):
        person = visitor(theme=theme, width=width)
        person.go("/console/sign-in")
        assert person.violations() == []
        assert person.overflow() == 0
