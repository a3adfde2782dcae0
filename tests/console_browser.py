"""A person at the console, or at a site of the tests, in a real Chromium: signs in, looks, clicks and types, and every
page that they see is watched.

What a browser complains about (errors on the console, failed requests, requests to another host, refusals of the
Content-Security-Policy) is collected, and `Visitor.check` fails on it: no page may have any.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from bench.chromium import launch

Theme = Literal["light", "dark"]
WIDE, NARROW = 1280, 360
GRAVE, ANY = ("serious", "critical"), ("minor", "moderate", "serious", "critical")
HEIGHTS = {WIDE: 900, NARROW: 780}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=15_000)  # a busy machine is no failure
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """One person's browser: a context of its own (cookies), with everything that went wrong in it."""

    browser: Browser
    base: str
    theme: Theme = "light"
    width: int = WIDE
    more: dict[str, Any] = field(default_factory=dict)  # of Playwright's new_context
    troubles: list[str] = field(default_factory=list)
    scripts: dict[str, bytes] = field(default_factory=dict)  # what was fetched of scripts and styles, by address
    _forgiven: int | None = None
    _context: BrowserContext | None = None
    _page: Page | None = None

    def __enter__(self) -> Visitor:
        self._context = self.browser.new_context(
            base_url=self.base,
            color_scheme=self.theme,
            viewport={"width": self.width, "height": HEIGHTS.get(self.width, HEIGHTS[NARROW])},
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            accept_downloads=True,
            **self.more,
        )
        self._context.set_default_timeout(30_000)
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        assert self._context is not None
        self._context.close()
        if kind is None:
            self.check()

    @property
    def page(self) -> Page:
        """The page in front; the first one is opened here."""
        if self._page is None:
            self._page = self.open()
        return self._page

    def open(self) -> Page:
        """Another tab of the same person."""
        assert self._context is not None
        page = self._context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(f"script error on {page.url}: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._asked)
        page.on("response", self._answered)
        page.on(
            "dialog",
            lambda dialog: (
                self.troubles.append(f"a dialog of the browser on {page.url}: {dialog.message}"),
                dialog.dismiss(),
            ),
        )
        return page

    def go(self, path: str) -> Page:
        """Open an address of the console; fails unless it answers with less than 400."""
        answer = self.page.goto(path, wait_until="load")
        assert answer is not None
        assert answer.status < 400 or answer.status == self._forgiven, f"{path}: {answer.status}"
        return self.page

    def sign_in(self, name: str, password: str, tenant: str) -> Page:
        """Through the form, as a person does."""
        page = self.go("/console/sign-in")
        if (field := page.get_by_label("Tenant")).count():  # it is not asked for where there is one alone
            field.fill(tenant)
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        return page

    @contextmanager
    def expecting(self, status: int) -> Iterator[None]:
        """Inside, an answer with this status is what the test is about, and no trouble."""
        before, self._forgiven = self._forgiven, status
        try:
            yield
            self.page.wait_for_timeout(50)  # the browser's own message about it comes after the answer
        finally:
            self._forgiven = before

    def check(self) -> None:
        """Fails when a browser had anything to complain about."""
        assert not self.troubles, "\n".join(self.troubles)

    def violations(self, within: str | None = None, impacts: tuple[str, ...] = GRAVE) -> list[str]:
        """What axe finds wrong with the page in front, or with these elements of it: rule, and where."""
        options = {"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]}
        found = Axe().run(self.page, context=within, options=options).response["violations"]
        return [
            f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:200]}"
            f" {' '.join(node['failureSummary'].split()[:40])}"
            for one in found
            if one["impact"] in impacts
            for node in one["nodes"][:5]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window; 0 when nothing has to be scrolled sideways."""
        wider: int = self.page.evaluate(
            "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)"
        )
        return wider

    # -- listeners

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if self._forgiven is not None and f"status of {self._forgiven}" in message.text:
            return
        self.troubles.append(f"{message.type} on {message.page.url if message.page else '?'}: {message.text}")

    def _failed(self, request: Request) -> None:
        # the page was left meanwhile, the stream shut, or the answer became a download
        if request.failure == "net::ERR_ABORTED":
            return
        if request.resource_type == "script" and self.more.get("java_script_enabled") is False:
            return
        self.troubles.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and f"{address.scheme}://{address.netloc}" != self.base:
            self.troubles.append(f"leaves the host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status != self._forgiven:
            self.troubles.append(f"{response.status}: {response.request.method} {response.url}")
