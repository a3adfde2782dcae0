"""What readers and moderators do on a site, over HTTP."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
from wordpress.site import Site, fields_of


def report(
    site: Site,
    comment: int,
    *,
    browser: httpx.Client | None = None,
    address: str = "198.51.100.1",
    agent: str = "",
    **more: Any,
) -> httpx.Response:
    """A reader opens the form of a comment, and sends it."""
    mine = browser or site.browser(address, agent or f"Browser of {address}")
    shown = mine.get("/", params={"brigadewatch-report": str(comment)})
    assert shown.status_code == 200, shown.text
    return send(mine, shown, **more)


def send(
    browser: httpx.Client, shown: httpx.Response, headers: dict[str, str] | None = None, **more: str
) -> httpx.Response:
    """Send the form that a browser shows."""
    found = re.search(r'<form method="post" action="([^"]+)"', shown.text)
    assert found, shown.text
    given = fields_of(shown.text, "brigadewatch-report") | {"reason": "abuse", "text": ""} | more
    host = urlsplit(str(browser.base_url))
    usual = {"Origin": f"{host.scheme}://{host.netloc}", "Sec-Fetch-Site": "same-origin"}
    return browser.post(html.unescape(found[1]), data=given, headers=usual if headers is None else headers)


def row_link(page: str, comment: int, action: str) -> str:
    """The address of an action in a comment's row in the list of comments."""
    row = re.search(rf"<tr id='comment-{comment}'.*?</tr>", page, re.DOTALL)
    assert row, f"no row for {comment}"
    links = [html.unescape(found) for found in re.findall(r"href=['\"]([^'\"]*)['\"]", row[0])]
    return next(link for link in links if action in link)


def press(moderator: httpx.Client, comment: int, action: str, view: str = "") -> httpx.Response:
    """Press an action in the row of a comment: action=approvecomment, spamcomment, trashcomment, unapprovecomment, …"""
    listed = moderator.get(f"/wp-admin/edit-comments.php{view}")
    link = row_link(listed.text, comment, action)
    return moderator.get(link if link.startswith("http") else f"/wp-admin/{link}")


def bulk(moderator: httpx.Client, comments: list[int], action: str, view: str = "") -> httpx.Response:
    """Choose comments, and one action for them."""
    listed = moderator.get(f"/wp-admin/edit-comments.php{view}")
    nonce = re.search(r'name="_wpnonce" value="([^"]+)"', listed.text)
    assert nonce, listed.text
    return moderator.get(
        "/wp-admin/edit-comments.php",
        params={"_wpnonce": nonce[1], "action": action, "delete_comments[]": [str(one) for one in comments]},
        headers={"Referer": str(listed.url)},
    )
