"""What holds for every page, in both themes, wide and narrow: nothing a browser complains about, nothing serious that
axe finds, nothing to scroll sideways.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from console_browser import NARROW, WIDE, Theme, Visitor
from console_installation import Installation
from playwright.sync_api import Page

PAGES = (
    "/console/clusters",
    "/console/clusters?tab=all",
    "/console/clusters?tab=decided",
    "/console/clusters?text=nothing-has-these-words",
    "/console/mentions",
    "/console/decisions",
    "/console/campaigns",
    "/console/targets",
    "/console/reporters",
    "/console/misuse",
    "/console/restorations",
    "/console/overview",
    "/console/overview?span=week",
    "/console/shift",
    "/console/shift?period=today",
    "/console/shift/list?part=new",
    "/console/shift/list?part=holds",
    "/console/ops",
    "/console/password",
    "/console/mail",
    "/console/sessions",
    "/console/security",
    "/console/time-zone",
    "/console/search?q=the",
    "/console/clusters/nothing-of-that-name",
    "/console/nowhere",
)


def addresses(installation: Installation, page: Page) -> list[str]:
    """Every kind of page, of the demo's highest case where one is needed, and whatever the settings link to."""
    tenant = installation.tenants["default"]
    case = installation.case(tenant, installation.cases(tenant)[0]["id"])
    path = f"/console/clusters/{case['id']}"
    own = [path, *(f"{path}/{rest}" for rest in ("print", "tables/timeline", "tables/raster", "tables/pairs"))]
    own += [
        f"/console/targets/{quote(case['targets'][0], safe='')}",
        f"/console/reporters/{quote(case['reporters'][0], safe='')}",
        f"/console/reporters/{quote(case['reporters'][0], safe='')}/misuse",
    ]
    page.goto("/console/settings")
    settings = page.locator("main a[href^='/console/settings']").evaluate_all(
        "links => links.map(link => link.getAttribute('href').split('#')[0])"
    )
    return [*PAGES, *own, *sorted({href for href in settings if ".csv" not in href})]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_free_of_errors(
    visitor: Callable[..., Visitor], installation: Installation, theme: Theme, width: int
) -> None:
    person = visitor("admin", theme=theme, width=width)
    wrong: dict[str, list[str]] = {}
    for path in addresses(installation, person.page):
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
def test_the_sign_in_page_is_accessible_and_free_of_errors(visitor: Callable[..., Visitor], theme: Theme) -> None:
    for width in (WIDE, NARROW):
        person = visitor(theme=theme, width=width)
        person.go("/console/sign-in")
        assert person.violations() == []
        assert person.overflow() == 0
