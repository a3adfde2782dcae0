"""The pictures of the console in the README and in docs/console.md, taken anew from the demo's world: `make
screenshots`.

They are looked at before they are committed: dates and ids are those of the day.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import console_installation
from console_browser import Theme
from console_installation import PASSWORD
from playwright.sync_api import Browser, Page, sync_playwright

from bench.chromium import launch
from service.demo.world import draw_world_until

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WIDTH, MOST_BYTES = 1280, 250_000
PERSON = "anna"
COMPLAINTS = 25_000  # as the demo


def signed_in(browser: Browser, base: str, theme: Theme, height: int, width: int = WIDTH) -> Page:
    """A moderator's page, at the queue."""
    context = browser.new_context(
        base_url=base,
        color_scheme=theme,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.goto("/console")
    page.get_by_label("Name", exact=True).fill(PERSON)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/clusters*")
    return page


def keep(page: Page, name: str) -> None:
    """The window as it is, as a file."""
    data = page.screenshot(path=PICTURES / f"{name}.png")
    assert len(data) <= MOST_BYTES, (
        f"{name}.png has {len(data):,} bytes, more than {MOST_BYTES:,}: take a smaller window"
    )
    sys.stdout.write(f"docs/pictures/{name}.png  {len(data):,} bytes\n")


def case(page: Page) -> None:
    """Open the strongest case and wait for its raster; what a verdict does is told."""
    page.locator("a.case-link").first.click()
    page.wait_for_function("() => document.getElementById('raster')?.dataset.drawnMs")
    if page.locator("#decide[open]").count():
        page.locator("[data-verdict='1']").check()
        page.get_by_text("Effect:").wait_for()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="brigadewatch-pictures-", ignore_cleanup_errors=True) as folder:
        running, end = console_installation.start(Path(folder))
        try:
            world = draw_world_until(7, COMPLAINTS, datetime.now(UTC))
            running.add_person(
                running.add("default", world.complaints, outcomes=world.outcomes, least_cases=9).id, PERSON, "moderator"
            )
            running.wait()
            with sync_playwright() as playwright:
                browser = launch(playwright)
                keep(signed_in(browser, running.base, "light", 790), "console-queue")
                for theme, name in (("light", "console-case"), ("dark", "console-case-dark")):
                    page = signed_in(browser, running.base, theme, 1_120)
                    case(page)
                    keep(page, name)
                page = signed_in(browser, running.base, "light", 760, 360)
                case(page)
                keep(page, "console-narrow")
                browser.close()
        finally:
            end()


if __name__ == "__main__":
    main()
