"""Measure in a real browser how long a very large case takes until it is completely visible, and what is loaded.

    .venv/bin/python bench/console_case.py [--reporters 500] [--targets 60] [--times 9] [--quick]

A case of `--reporters` on `--targets`, with four fifths of all possible complaints, is written directly into the
database of a running service (bench/large_case.py). A signed-in person opens it in Chromium, each time in a new profile
with an empty cache, then again in the same profile, as all but the first visitor of a day do. The time runs from the
start of the navigation (the page's own clock) until every mark of the chart is painted: page, scripts, data and
drawing. Needs a Chromium (make chromium); without one the command prints a message and exits with 3.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chromium import launch, path
from figures import parser_of, print_machine, quantile, show
from installation import Installation, installation
from large_case import CASE, plant
from playwright.sync_api import Browser, BrowserContext, Request, sync_playwright

from service.settings import read_settings
from service.storage.accounts import sessions
from service.storage.accounts.passwords import hash_password
from service.storage.accounts.users import create_user
from service.storage.sql.engine import open_database, write

BAR_MS, BAR_KILOBYTES = 1_000.0, 150.0
PERSON = "anna"
# The raster says when it is drawn; two frames later it is painted.
_WATCH = """
document.addEventListener("picture:drawn", (event) => {
  if (event.target.id !== "raster" || window.shownMs) return;
  requestAnimationFrame(() => requestAnimationFrame(() => { window.shownMs = performance.now(); }));
}, true);
"""
_READ = """() => {
  const host = document.getElementById("raster"), page = performance.getEntriesByType("navigation")[0];
  const data = performance.getEntriesByType("resource").find((one) => one.name.endsWith("/pictures.json"));
  const steps = {
    "the page's first byte": page.responseStart,
    "the page's last byte": page.responseEnd,
    "parsed, scripts run": page.domContentLoadedEventEnd,
    "chart data requested": data.requestStart,
    "picture data there": data.responseEnd,
  };
  return [window.shownMs, steps, Number(host.dataset.drawnMs), Number(host.dataset.cells)];
}"""


@dataclass
class Opened:
    """What one visit came to."""

    shown_ms: float
    steps_ms: dict[str, float]  # when each step had ended, since the navigation began
    drawn_ms: float  # of it, drawing alone
    cells: int
    kilobytes: float  # of scripts and styles, as they came over the wire
    outside: list[str] = field(default_factory=list)  # requests to another host


def open_case(context: BrowserContext, base: str) -> Opened:
    """Open the case and wait until all of it is painted."""
    page = context.new_page()
    page.add_init_script(_WATCH)
    fetched: list[Request] = []
    outside: list[str] = []
    # playwright marks what it is given, which a built-in cannot bear
    page.on("requestfinished", lambda request: fetched.append(request))
    page.on(
        "request",
        lambda request: (
            outside.append(request.url)
            if urlsplit(request.url).scheme in ("http", "https") and not request.url.startswith(base)
            else None
        ),
    )
    answer = page.goto(f"{base}/console/clusters/{CASE}", wait_until="load")
    assert answer is not None and answer.status == 200, answer
    page.wait_for_function("() => window.shownMs", timeout=60_000)
    visible, steps, drawn, cells = page.evaluate(_READ)
    weight = sum(one.sizes()["responseBodySize"] for one in fetched if one.resource_type in ("script", "stylesheet"))
    page.close()
    return Opened(visible, steps, drawn, cells, weight / 1_000, outside)


def visits(browser: Browser, base: str, token: str, times: int) -> tuple[list[Opened], list[Opened]]:
    """Visits with nothing cached, and one more in each of these profiles."""
    cold, warm = [], []
    for _ in range(times):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": "brigadewatch", "value": token, "url": base}])
        cold.append(open_case(context, base))
        warm.append(open_case(context, base))
        context.close()
    return cold, warm


def _cpu_ms(running: Installation) -> float:
    """CPU of the API's process so far."""
    return 1_000 * sum(running.parts()["api"].cpu_times()[:2])


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--reporters", type=int, default=500, help="accounts in the case")
    parser.add_argument("--targets", type=int, default=60, help="targets in the case")
    parser.add_argument("--times", type=int, default=9, help="visits with an empty cache")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.reporters, chosen.targets, chosen.times = 60, 20, 2
    if path() is None:
        print("no Chromium found on the PATH; `make chromium` installs one")
        sys.exit(3)
    print_machine()
    with installation() as running:
        engine = open_database(read_settings(Path(running.data), {}).database_url)
        marks = plant(engine, 1, reporters=chosen.reporters, targets=chosen.targets)
        now_us = time.time_ns() // 1_000
        with write(engine) as connection:
            create_user(
                connection, 1, PERSON, "moderator", hash_password("correct horse battery"), actor="bench", now_us=now_us
            )
            attempt = sessions.begin_attempt(connection, "default", PERSON, "127.0.0.1", now_us)
            assert attempt.user_id is not None
            token = sessions.open_session(connection, attempt.user_id, attempt.password_hash or "", "127.0.0.1", now_us)
            assert token is not None
        print(
            f"{chosen.reporters:,} reporters x {chosen.targets:,} targets, {marks:,} complaints; opened {chosen.times}"
            " times",
            flush=True,
        )
        with sync_playwright() as playwright:
            browser = launch(playwright)
            cold, warm = visits(browser, running.url, token, 1)  # templates are compiled, connections opened
            before = _cpu_ms(running)
            cold, warm = visits(browser, running.url, token, chosen.times)
            spent_ms = (_cpu_ms(running) - before) / (2 * chosen.times)
            browser.close()
        engine.dispose()
    assert all(one.cells == marks for one in (*cold, *warm)), "a part of the marks was not drawn"
    for name, found in (("nothing cached", cold), ("opened again", warm)):
        show(
            f"{name}: until the raster is painted whole, median",
            quantile([one.shown_ms for one in found], 0.5),
            at_most=BAR_MS,
            unit=" ms",
            digits=0,
            quick=chosen.quick,
        )
        show(f"{name}: the slowest", max(one.shown_ms for one in found), unit=" ms", digits=0, quick=chosen.quick)
        for step in found[0].steps_ms:
            show(
                f"    {step}, median",
                quantile([one.steps_ms[step] for one in found], 0.5),
                unit=" ms",
                digits=0,
                quick=chosen.quick,
            )
        show(
            f"{name}: of it drawing, median",
            quantile([one.drawn_ms for one in found], 0.5),
            unit=" ms",
            digits=0,
            quick=chosen.quick,
        )
    # whatever else the machine does
    show(
        "CPU of the API a visit, mean, with what follows the raster", spent_ms, unit=" ms", digits=0, quick=chosen.quick
    )
    show(
        "scripts and styles over the wire",
        max(one.kilobytes for one in cold),
        at_most=BAR_KILOBYTES,
        unit=" kB",
        quick=chosen.quick,
    )
    show(
        "requests to another host",
        len({url for one in (*cold, *warm) for url in one.outside}),
        at_most=0,
        digits=0,
        quick=chosen.quick,
    )


if __name__ == "__main__":
    main()
