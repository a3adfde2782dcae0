"""In a real browser: a certified provider there and back, codes from an app, a passkey, and the pages about them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import console_installation
import pyotp
import pytest
from console_browser import Visitor
from console_installation import PASSWORD, Installation
from identity_provider import RealProvider, real_provider
from playwright.sync_api import Browser, Page, expect

from service.storage.accounts.identity_providers import IdentityProvider, save_provider
from service.storage.accounts.role_rules import parse_rules
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql.engine import write


@dataclass
class SsoInstallation:
    """A service of its own, without a world, and the provider that its tenant `default` signs in with."""

    running: Installation
    provider: RealProvider
    base: str  # by name, so that there can be passkeys


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SsoInstallation]:
    with real_provider() as provider:
        running, end = console_installation.start(
            tmp_path_factory.mktemp("sso"), BRIGADEWATCH_OUTBOUND_ALLOW=provider.opening
        )
        try:
            base = running.base.replace("127.0.0.1", "localhost")
            tenant = running.add("default", [])
            client = provider.register(base, "default")
            provider.put("anna", preferred_username="anna@example.org", roles=["moderators"])
            sealed = SecretBox(running.settings).seal(client["client_secret"])
            rules = parse_rules("moderators = moderator\nleads = admin", for_all=False)
            made = IdentityProvider(
                tenant.id, provider.issuer, client["client_id"], rules, sealed, label="Example News"
            )
            with write(running.engine) as connection:
                save_provider(connection, made, actor="test", now_us=time.time_ns() // 1_000)
            yield SsoInstallation(running, provider, base)
        finally:
            end()


@pytest.fixture
def guest(site: SsoInstallation, chromium: Browser) -> Iterator[Callable[[], Visitor]]:
    """Makes browsers; what they complain about is checked at the end, the way to the provider aside."""
    made: list[Visitor] = []

    def make() -> Visitor:
        made.append(Visitor(chromium, site.base).__enter__())
        return made[-1]

    yield make
    for one in made:
        # The provider's own pages are another host's, and ask for a font from a third one.
        foreign = (site.provider.issuer, "https://fonts.googleapis.com/")
        one.troubles[:] = [trouble for trouble in one.troubles if not any(host in trouble for host in foreign)]
        one.__exit__(None)


def accessible(visitor: Visitor) -> None:
    assert visitor.violations() == []
    assert visitor.overflow() == 0


def sign_in(visitor: Visitor, name: str) -> Page:
    page = visitor.go("/console/sign-in")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return page


def prove(visitor: Visitor) -> Page:
    page = visitor.go("/console/security")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm", exact=True).click()
    return page


def test_there_and_back_and_out_of_both(site: SsoInstallation, guest: Callable[[], Visitor]) -> None:
    anna = guest()
    page = anna.go("/console/sign-in?next=/console/overview")
    accessible(anna)
    page.get_by_role("link", name="Sign in with Example News").click()
    page.wait_for_url(re.compile(re.escape(site.provider.issuer)))
    page.locator("input[name=login]").fill("anna")
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    expect(page).to_have_url(f"{site.base}/console/overview")
    expect(page.locator("details.me > summary")).to_contain_text("anna@example.org")
    anna.go("/console/security")
    accessible(anna)
    page.locator("details.me > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url(re.compile(r"/session/end"))
    page.get_by_role("button", name=re.compile("yes", re.IGNORECASE)).click()
    expect(page).to_have_url(re.compile(r"/console/sign-in"))
    page.get_by_role("link", name="Sign in with Example News").click()
    expect(page.locator("input[name=login]")).to_be_visible()  # the provider asks again


def test_an_app_is_set_up_by_its_picture_and_asked_for_afterwards(
    site: SsoInstallation, guest: Callable[[], Visitor]
) -> None:
    person = guest()
    sign_in(person, "moderator")
    page = prove(person)
    page.get_by_role("button", name="Set up an app").click()
    expect(page.locator("img.qr")).to_be_visible()
    accessible(person)
    app = pyotp.TOTP(page.locator("#app-key").inner_text().replace(" ", ""))
    page.get_by_label("The code that the app shows now").fill(app.now())
    page.get_by_role("button", name="Turn codes on").click()
    codes = page.locator("#recovery-codes").input_value().split()
    assert len(codes) == 10
    accessible(person)
    again = guest()
    page = sign_in(again, "moderator")
    expect(page).to_have_url(re.compile("/console/sign-in/code"))
    accessible(again)
    with again.expecting(401):
        page.get_by_label("Code from your app").fill("000000")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(".message.bad")).to_be_visible()
    page.get_by_label("Code from your app").fill(codes[0])
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(re.compile("/console/clusters"))


def test_a_passkey_is_registered_and_opens_the_second_step(site: SsoInstallation, guest: Callable[[], Visitor]) -> None:
    person = guest()
    page = sign_in(person, "second")
    expect(page).to_have_url(re.compile("/console/clusters"))
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "usb",
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    prove(person)
    page.get_by_label("Name of the passkey").fill("Test key")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".message")).to_contain_text("passkey is registered")
    expect(page.locator("main")).to_contain_text("Test key")
    accessible(person)
    page.locator("details.me > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    sign_in(person, "second")
    expect(page).to_have_url(re.compile("/console/sign-in/code"))
    accessible(person)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(re.compile("/console/clusters"))
    person.go("/console/security")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm with a passkey").click()
    page.get_by_role("button", name="Remove Test key").click()
    expect(page.locator(".message")).to_contain_text("no longer works")


def test_an_admin_makes_a_link_and_the_settings_say_what_to_register(
    site: SsoInstallation, guest: Callable[[], Visitor]
) -> None:
    root = guest()
    sign_in(root, "admin")
    page = root.go("/console/settings/sign-in")
    expect(page.get_by_label("Redirect address (callback)")).to_have_value(
        f"{site.base}/console/sign-in/sso/callback/default"
    )
    accessible(root)
    page.get_by_role("button", name="Test the connection").click()
    expect(page.locator("#findings")).to_contain_text("accepts the client ID and its secret")
    accessible(root)
    root.go("/console/settings/people")
    page.get_by_role("link", name="viewer", exact=True).click()
    page.get_by_text("Make a sign-in link…").click()
    page.get_by_role("button", name="Make a sign-in link").click()
    link = page.locator("#shown-once").input_value()
    viewer = guest()
    page = viewer.go(link)
    accessible(viewer)
    page.get_by_label("New password", exact=True).fill("a password by link")
    page.get_by_label("Repeat the new password").fill("a password by link")
    page.get_by_role("button", name="Set password").click()
    expect(page.locator(".message")).to_contain_text("Your password has been set")
