"""Who gets in: the form, the way back, lock-out, signing out, and forms that come from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
from console_browser import Visitor
from console_installation import PASSWORD, Installation
from playwright.sync_api import expect

WRONG = "not the password 1234"


def test_signing_in_leads_to_the_cases_or_back_to_the_requested_page(visitor: Callable[..., Visitor]) -> None:
    person = visitor()
    page = person.go("/console/clusters?sort=-score")
    expect(page).to_have_url(re.compile(r"/console/sign-in\?next="))
    page.get_by_label("Tenant").fill("default")
    page.get_by_label("Name", exact=True).fill("moderator")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    expect(page).to_have_url(re.compile(r"/console/clusters\?sort=-score$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Cases"))


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(visitor: Callable[..., Visitor]) -> None:
    person = visitor("moderator")
    cookies = {cookie["name"]: cookie for cookie in person.page.context.cookies()}
    assert cookies["brigadewatch"]["httpOnly"] is True
    assert cookies["brigadewatch"]["sameSite"] in ("Lax", "Strict")
    assert "brigadewatch" not in person.page.evaluate("document.cookie")


def test_a_wrong_password_and_an_unknown_name_get_the_same_message(visitor: Callable[..., Visitor]) -> None:
    told = []
    for name in ("moderator", "nobody-of-that-name"):
        person = visitor()
        with person.expecting(401):
            page = person.sign_in(name, WRONG, "default")
            expect(page.locator(".message.bad")).to_be_visible()
            told.append(page.locator("#messages").inner_text())
            assert page.get_by_label("Password", exact=True).input_value() == ""
            assert page.get_by_label("Name", exact=True).input_value() == name
    assert told[0] == told[1]


def test_five_wrong_passwords_lock_the_account_even_for_the_right_one(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    installation.add_person(installation.tenants["shared"].id, "forgetful", "viewer")
    person = visitor()
    with person.expecting(401):
        for password in (*[WRONG] * 5, PASSWORD):
            page = person.sign_in("forgetful", password, "shared")
            expect(page.locator(".message.bad")).to_be_visible()
    expect(page).to_have_url(re.compile("/console/sign-in"))
    visitor("second", "shared").go("/console/clusters")  # nobody else is locked out, and the address may go on


def test_after_signing_out_pages_are_closed_and_the_back_button_shows_nothing(visitor: Callable[..., Visitor]) -> None:
    person = visitor("viewer")
    page = person.go("/console/clusters")
    page.locator("details.me > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(re.compile("/console/sign-in"))
    page.go_back()
    expect(page).to_have_url(re.compile("/console/sign-in"))
    person.go("/console/clusters")
    expect(page).to_have_url(re.compile("/console/sign-in"))


def test_signing_out_everywhere_ends_the_other_browser_too(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    installation.add_person(installation.tenants["shared"].id, "traveller", "viewer")
    here, there = visitor("traveller", "shared"), visitor("traveller", "shared")
    here.page.locator("details.me > summary").click()
    here.page.get_by_role("button", name="Sign out everywhere").click()
    expect(here.page).to_have_url(re.compile("/console/sign-in"))
    there.go("/console/clusters")
    expect(there.page).to_have_url(re.compile("/console/sign-in"))


def test_a_form_without_its_token_or_from_another_site_changes_nothing(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    person = visitor("admin", "shared")
    cookie = next(c["value"] for c in person.page.context.cookies() if c["name"] == "brigadewatch")
    token = person.page.locator("meta[name=csrf]").get_attribute("content")
    assert token
    with httpx.Client(base_url=installation.base, cookies={"brigadewatch": cookie}) as client:
        for data, headers in (
            ({}, {}),
            ({"csrf": "0" * len(token)}, {}),
            ({"csrf": token}, {"Origin": "https://elsewhere.example"}),
            ({"csrf": token}, {"Sec-Fetch-Site": "cross-site"}),
            ({"csrf": token}, {"Origin": "null"}),
        ):
            answer = client.post("/console/sign-out", data=data, headers=headers)
            assert answer.status_code == 403, (data, headers)
        assert client.get("/console/clusters").status_code == 200  # still signed in
        assert client.post("/console/sign-out", data={"csrf": token}).status_code == 303


def test_the_selected_theme_is_kept_with_the_account(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    installation.add_person(installation.tenants["shared"].id, "owl", "viewer")
    first = visitor("owl", "shared")
    expect(first.page.locator("details.me")).to_be_visible()  # the page after the form
    light = first.page.evaluate("getComputedStyle(document.body).backgroundColor")
    first.page.locator("details.me > summary").click()
    with first.page.expect_response(lambda answer: "/console/preferences" in answer.url):
        first.page.get_by_label("Appearance").select_option("dark")
        keep = first.page.get_by_role("button", name="Save")
        if keep.is_visible():  # without scripting; with it a choice is kept at once
            keep.click()
    expect(first.page.locator("html")).to_have_attribute("data-theme", "dark")
    second = visitor("owl", "shared")
    expect(second.page.locator("details.me")).to_be_visible()
    assert second.page.evaluate("getComputedStyle(document.body).backgroundColor") != light
