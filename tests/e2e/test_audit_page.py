"""The audit's page in a real browser: readable for everybody in both themes, linked to its tables, and in a frame."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import first_audit
import pytest
from axe_playwright_python.sync_playwright import Axe
from console_browser import Theme
from playwright.sync_api import Browser

from workers.audit import AuditReport, audit
from workers.audit.command import run

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on a foreign file."""
    folder = tmp_path_factory.mktemp("audit")
    html = folder / "a report: #1 ü.html"
    run([first_audit.foreign_csv(folder / "flags.csv")], outcomes=[], out=None, html=html, now=NOW)
    return html


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_is_readable_in_both_themes_and_on_a_telephone(
    chromium: Browser, page: Path, theme: Theme, width: int
) -> None:
    context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 800})
    try:
        shown = context.new_page()
        shown.goto(page.as_uri())
        found = Axe().run(shown).response["violations"]
        assert [(each["id"], each["nodes"][0]["target"]) for each in found] == []
        assert shown.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    finally:
        context.close()


def test_its_tables_are_found_through_its_links(chromium: Browser, page: Path) -> None:
    shown = chromium.new_page()
    try:
        shown.goto(page.as_uri())
        for name in ("accounts of the groups", "targets of the groups"):
            with shown.expect_download() as download:
                shown.get_by_role("link", name=name).click()
            saved = Path(download.value.path()).read_text(encoding="utf-8-sig")
            assert saved.startswith("cluster,disposition,")
    finally:
        shown.close()


def test_in_a_notebook_s_frame_its_links_stay_in_the_frame_and_its_styles_do_not_leak(
    chromium: Browser, tmp_path: Path
) -> None:
    report: AuditReport = audit(first_audit.foreign_csv(tmp_path / "flags.csv"))
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!DOCTYPE html><title>n</title><h1>Notebook</h1>{report._repr_html_()}", encoding="utf-8")
    shown = chromium.new_page()
    try:
        shown.goto(notebook.as_uri())
        before = shown.locator("h1").evaluate("each => getComputedStyle(each).fontSize")
        frame = shown.frame_locator("iframe")
        frame.get_by_role("link", name="How to read this").click()
        frame.get_by_role("heading", name="How to read this").wait_for()

        assert [each.url for each in shown.frames] == [notebook.as_uri(), "about:srcdoc#reading"]
        assert frame.get_by_role("heading", name="Complaints audit").count() == 1
        assert before == "32px", "the notebook's heading is as a browser has it"
    finally:
        shown.close()
