"""The pictures of the WordPress plugin in docs/integrations/wordpress.md, taken anew on a real site: `make
wordpress-screenshots`.

They are looked at before they are committed: dates are those of the day.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from console_browser import Visitor
from playwright.sync_api import Page, sync_playwright
from scripted_servers import scripted_server
from wordpress.programs import SUITES, core
from wordpress.scene import reported, sign_in, visitor
from wordpress.servers import Database, Nginx
from wordpress.site import Site

from bench.chromium import launch

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MOST_BYTES = 150_000


def keep(page: Page, name: str, height: int, width: int = 1_000) -> None:
    """The upper part of the window, as a file."""
    page.set_viewport_size({"width": width, "height": height})
    data = page.screenshot(path=PICTURES / f"{name}.png")
    assert len(data) <= MOST_BYTES, f"{name}.png has {len(data):,} bytes, more than {MOST_BYTES:,}"
    sys.stdout.write(f"docs/pictures/{name}.png  {len(data):,} bytes\n")


def take(person: Visitor, site: Site, post: int) -> None:
    """All three."""
    page = person.go(f"/?p={post}")
    page.get_by_role("link", name="Report the comment by Carla Weiss").click()
    page.get_by_role("dialog").wait_for()
    keep(page, "wordpress-report", 640)
    sign_in(page)
    person.go("/wp-admin/edit-comments.php?brigadewatch=reported")
    page.locator(".column-brigadewatch summary").first.click()
    keep(page, "wordpress-reported", 560, 1_280)
    site.settings(url="https://watch.example", key="bw_1a2b3c4d", when_unreachable="closed")
    person.go("/wp-admin/options-general.php?page=brigadewatch")
    keep(page, "wordpress-settings", 700)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="brigadewatch-pictures-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        for name in ("mariadb", "wordpress"):
            (Path(folder) / name).mkdir()
        database = Database(Path(folder) / "mariadb")
        site: Site | None = None
        try:
            site = Site(Path(folder) / "wordpress", core(SUITES[0]), database, "pictures", Nginx)
            site.activate()
            with scripted_server() as service, sync_playwright() as playwright:
                post, _, _ = reported(site, service)
                site.close_browsers()
                browser = launch(playwright)
                with visitor(browser, site) as person:
                    take(person, site, post)
                browser.close()
        finally:
            if site is not None:
                site.end()
            database.end()


if __name__ == "__main__":
    main()
