"""A site on which readers have reported two comments: one is hidden, the other stays up; and
browsers to look at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from console_browser import WIDE, Theme, Visitor
from playwright.sync_api import Browser, Page
from scripted_servers import ASSESSMENT, RECEIPT, Scripted
from wordpress.people import report
from wordpress.site import ADMIN, PASSWORD, Site

KEPT = "The mayor's numbers do not add up. I went through the budget, and the library costs less than the car park."
HELD = "Everyone who voted for this is an idiot, and I know where you live."
REPORTS = 4
WORDS = ("It insults everybody who voted.", "This is a threat!")


@contextmanager
def visitor(
    browser: Browser, site: Site, *, theme: Theme = "light", width: int = WIDE, scripts: bool = True
) -> Iterator[Visitor]:
    """Somebody's Chromium at the site, with an address of a reader; its troubles are checked at the end."""
    more = {"extra_http_headers": {"X-Test-IP": "198.51.100.1"}, "java_script_enabled": scripts}
    with Visitor(browser, site.url, theme, width, more) as person:
        yield person


def sign_in(page: Page) -> None:
    """As the administrator."""
    page.goto("/wp-login.php")
    page.get_by_label("Username or Email Address").fill(ADMIN)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log In").click()
    page.wait_for_url("**/wp-admin/")


def reported(site: Site, scripted: Scripted) -> tuple[int, int, int]:
    """A post, its comment that stays up despite its reports, and its comment that they have hidden."""
    site.php("update_option( 'show_avatars', '0' );")  # they are another host's
    site.settings(url=scripted.url, key="bw_1a2b3c4d", when_unreachable="closed", threshold=REPORTS, timeout=5.0)
    post = site.post("The library stays open")
    (kept,) = site.comments(
        post, comment_content=KEPT, comment_author="Carla Weiss", comment_author_email="carla@example.org"
    )
    (held,) = site.comments(post, comment_content=HELD, comment_author="Otto", comment_author_email="otto@example.org")
    site.comments(post, comment_content="I like the new opening hours.", comment_author="Mina")
    for comment, advice in (
        (kept, {"recommendation": "hold", "complaints": REPORTS, "independent_complaints": 1.3}),
        (held, {"recommendation": "none", "complaints": REPORTS, "independent_complaints": 4.0, "clusters": []}),
    ):
        answer = ASSESSMENT | advice
        scripted.says((202, {}, RECEIPT | {"assessments": [answer]}))
        for k in range(REPORTS):
            words = WORDS[k % 2] if comment == held and k < 2 else ""
            reason = "abuse" if comment == held or k else "off_topic"
            assert report(site, comment, address=f"198.51.{k}.{comment % 250}", reason=reason, text=words).is_success
    assert (site.status(kept), site.status(held)) == ("1", "0")
    return post, kept, held
