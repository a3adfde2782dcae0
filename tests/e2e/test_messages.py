"""Messages to people in a browser: a chat room is added, somebody chooses e-mail, in both themes and widths."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from console_browser import NARROW, WIDE, Theme, Visitor
from playwright.sync_api import expect


@pytest.mark.parametrize(("theme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_a_chat_room_and_e_mail_are_set_up(visitor: Callable[..., Visitor], theme: Theme, width: int) -> None:
    person = visitor("admin", theme=theme, width=width)
    page = person.go("/console/settings/subscriptions")
    page.get_by_label("Format").select_option("slack")
    page.get_by_label("URL", exact=True).fill("https://93.184.216.34/services/T000/B000/XXXXsecret")
    page.get_by_label("From", exact=True).fill("22:00")
    page.get_by_label("Until", exact=True).fill("07:00")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="https://93.184.216.34/…cret")).to_be_visible()
    expect(page.get_by_text("22:00–07:00, Europe/Berlin")).to_be_visible()
    assert person.violations() == [] and person.overflow() == 0
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete subscription").click()

    page = person.go("/console/mail")
    assert person.violations() == [] and person.overflow() == 0
    page.get_by_label("When").select_option("daily")
    page.get_by_label("E-mail address").fill("anna@example.org")
    page.get_by_label("Time of a daily message").fill("07:15")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text(re.compile("Open the link in the message to anna@example.org"))).to_be_visible()
    expect(page.get_by_text("not confirmed")).to_be_visible()
    assert person.violations() == [] and person.overflow() == 0
    page.get_by_label("When").select_option("off")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("your address was deleted")).to_be_visible()
    assert person.troubles == []
