"""The report form and the administration in a real Chromium: with scripts and without, by keyboard, on a phone, in the
dark; and what axe says about them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from console_browser import ANY, WIDE, Theme, Visitor
from playwright.sync_api import Browser, Locator, Page, Route, expect
from scripted_servers import Scripted, scripted
from wordpress.scene import reported, sign_in, visitor
from wordpress.site import Site

__all__ = ["scripted"]
NARROW = 320
SIZES = pytest.mark.parametrize(("theme", "width"), [("light", WIDE), ("dark", WIDE), ("light", NARROW)])
THANKS = "Thank you. Your report was received."


@pytest.fixture
def comment(site: Site) -> int:
    """A comment on a page, with no pictures of another host beside it."""
    site.php("update_option( 'show_avatars', '0' );")
    (made,) = site.comments(site.post("The library stays open"), comment_content="You all are wrong.")
    return made


def link_of(page: Page, site: Site, comment: int) -> Locator:
    """The report button, on the page of the comment's post."""
    post = site.database.run(f"SELECT comment_post_ID FROM wp_comments WHERE comment_ID = {comment}", site.name)
    page.goto(f"/?p={post.strip()}", wait_until="load")
    return page.get_by_role("link", name="Report the comment by Bea")


def intercept(page: Page, method: str, act: Callable[[Route], None]) -> None:
    """What the page's script asks for with a method is left to `act`."""

    def answer(route: Route) -> None:
        if route.request.resource_type == "fetch" and route.request.method == method:
            act(route)
        else:
            route.continue_()

    page.route("**/*brigadewatch-report=*", answer)


def reasons(site: Site) -> list[str]:
    return [str(row["reason"]) for row in site.table("reports")]


def faults(person: Visitor, within: str | None = None) -> list[str]:
    """What axe finds, and whether something has to be scrolled sideways."""
    wider = person.overflow()
    return person.violations(within, ANY) + ([f"{wider} px too wide"] if wider else [])


@SIZES
def test_the_form_opens_in_place_and_the_thanks_appear_there(
    site: Site, chromium: Browser, comment: int, theme: Theme, width: int
) -> None:
    with visitor(chromium, site, theme=theme, width=width) as person:
        page = person.page
        link = link_of(page, site, comment)
        address = page.url
        link.dblclick()
        dialog = page.get_by_role("dialog", name="Report a comment")
        expect(dialog).to_have_count(1)
        expect(dialog.get_by_label("Why should a moderator")).to_be_focused()
        assert faults(person, ".brigadewatch-dialog") == []
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(link).to_be_focused()
        link.click()
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_have_count(0)
        expect(link).to_be_focused()
        assert reasons(site) == []
        link.click()
        dialog.get_by_label("Why should a moderator").select_option("spam")
        dialog.get_by_role("button", name="Send report").click()
        expect(dialog.get_by_text(THANKS)).to_be_focused()  # so that it is read out
        assert faults(person, ".brigadewatch-dialog") == []
        dialog.get_by_role("button", name="Close").click()
        expect(link).to_be_focused()
        assert page.url == address and reasons(site) == ["spam"]


def test_the_keyboard_alone_reports_a_comment(site: Site, chromium: Browser, comment: int) -> None:
    with visitor(chromium, site) as person:
        page = person.page
        link = link_of(page, site, comment)
        for _ in range(100):
            page.keyboard.press("Tab")
            if link.evaluate("link => link === document.activeElement"):
                break
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Why should a moderator")).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type("Look at the third sentence.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(dialog.get_by_text(THANKS)).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(link).to_be_focused()
        (row,) = site.table("reports")
        assert (row["reason"], row["text"]) == ("spam", "Look at the third sentence.")


def test_a_message_above_the_form_in_place_is_read_out_and_the_form_can_be_sent_again(
    site: Site, chromium: Browser, comment: int
) -> None:
    with visitor(chromium, site) as person, person.expecting(403):
        page = person.page
        link_of(page, site, comment).click()
        dialog = page.get_by_role("dialog")
        dialog.locator("[name=token]").evaluate("field => { field.value = 'of yesterday'; }")
        dialog.get_by_role("button", name="Send report").click()
        expect(dialog.get_by_text("This page was open for too long.")).to_be_focused()
        assert faults(person, ".brigadewatch-dialog") == []
        dialog.get_by_role("button", name="Send report").click()
        expect(dialog.get_by_text(THANKS)).to_be_focused()
        assert reasons(site) == ["abuse"]


def test_without_scripts_the_same_works_by_pages(site: Site, chromium: Browser, comment: int) -> None:
    with visitor(chromium, site, scripts=False) as person:
        page = person.page
        link_of(page, site, comment).click()
        expect(page.get_by_role("heading", name="Report a comment")).to_be_visible()
        page.get_by_label("Anything the moderators should know").fill("It names my child.")
        page.get_by_role("button", name="Send report").click()
        expect(page.get_by_text(THANKS)).to_be_visible()
        page.get_by_role("link", name="Back to the comments").click()
        expect(page.get_by_text("You all are wrong.")).to_be_visible()
        assert [row["text"] for row in site.table("reports")] == ["It names my child."]


@SIZES
def test_the_page_with_the_form_is_accessible(
    site: Site, chromium: Browser, comment: int, theme: Theme, width: int
) -> None:
    """With scripts, since axe is one; the page itself has none."""
    with visitor(chromium, site, theme=theme, width=width) as person:
        page = person.go(f"/?brigadewatch-report={comment}")
        assert faults(person) == []
        with person.expecting(403):
            page.locator("[name=token]").evaluate("field => { field.value = 'of yesterday'; }")
            page.get_by_role("button", name="Send report").click()
            expect(page.get_by_text("This page was open for too long.")).to_be_visible()
            assert faults(person) == []
        page.get_by_role("button", name="Send report").click()
        expect(page.get_by_text(THANKS)).to_be_visible()
        assert faults(person) == []
        assert reasons(site) == ["abuse"]


@pytest.mark.parametrize("fails", ["GET", "POST"])
def test_where_a_request_fails_the_page_takes_over(site: Site, chromium: Browser, comment: int, fails: str) -> None:
    with visitor(chromium, site) as person:
        page = person.page
        intercept(page, fails, lambda route: route.abort("aborted"))
        link_of(page, site, comment).click()
        page.get_by_role("button", name="Send report").click()
        expect(page.get_by_text(THANKS)).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert "brigadewatch-report=" in page.url and reasons(site) == ["abuse"]


def test_a_report_that_fails_after_its_dialog_was_closed_is_sent_all_the_same(
    site: Site, chromium: Browser, comment: int
) -> None:
    held: list[Route] = []

    with visitor(chromium, site) as person:
        page = person.page
        intercept(page, "POST", held.append)
        link_of(page, site, comment).click()
        page.get_by_role("button", name="Send report").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert len(held) == 1
        held[0].abort("aborted")
        expect(page.get_by_text(THANKS)).to_be_visible()
        assert reasons(site) == ["abuse"]


def unfold(page: Page, width: int) -> None:
    """All that the list of comments has to say; the comments' own column stays the widest."""
    expect(page.locator(".subsubsub [aria-current]")).to_have_text("Reported (2)")
    for row in page.locator("button.toggle-row:visible").all():
        row.click()
    for details in page.locator(".column-brigadewatch summary").all():
        details.click()
    own, ours = (page.locator(f"thead .column-{name}").bounding_box() for name in ("comment", "brigadewatch"))
    assert width == NARROW or (own and ours and own["width"] > 1.25 * ours["width"]), (own, ours)


OURS = {
    "options-general.php?page=brigadewatch": "#wpbody-content",
    "edit-comments.php?brigadewatch=reported": ".column-brigadewatch, .row-actions .brigadewatch, #brigadewatch-view",
    "": "#brigadewatch",
}


@SIZES
def test_what_the_plugin_adds_to_the_administration_is_accessible(
    site: Site, chromium: Browser, scripted: Scripted, theme: Theme, width: int
) -> None:
    reported(site, scripted)
    with visitor(chromium, site, theme=theme, width=width) as person:
        sign_in(person.page)
        wrong: dict[str, list[str]] = {}
        for path, ours in OURS.items():
            person.go(f"/wp-admin/{path}")
            if path.startswith("edit-comments"):
                unfold(person.page, width)
            if found := person.violations(ours, ANY):
                wrong[path] = found
        assert wrong == {}
