"""A campaign against comments, played by thirty readers over HTTP, with a real brigadewatch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from console_browser import Visitor
from playwright.sync_api import Browser, expect
from up import Up, make_person
from wordpress.people import report, send
from wordpress.site import PASSWORD, Site
from worlds import draw_town

from brigadewatch_client import Client

MEMBERS, HONEST, COMMENTS, THRESHOLD = 14, 16, 20, 8
UNKNOWN_COMMENTS = 14


def history(site: Site, accounts: list[int], ends: datetime) -> Iterator[dict[str, Any]]:
    """What the plugin would have sent in the weeks before: a town with a brigade of these accounts."""
    town = draw_town(7, members=MEMBERS)
    named = dict(zip(sorted(town.brigades[0]), accounts, strict=True))
    last = town.rows[-1].at
    for row in town.rows:
        yield {
            "id": f"report-{row.target}-{row.reporter}",
            "occurred_at": ends - timedelta(seconds=last - row.at),
            "reporter": {
                "id": str(named.get(row.reporter, f"r{row.reporter}")),
                "account_created_at": ends - timedelta(days=400),
            },
            "target": {"id": f"t{row.target}", "author_id": f"a{row.author}", "context_id": f"c{row.context}"},
        }


def test_a_known_brigade_hides_nothing_and_an_honest_crowd_is_heard(site: Site, up: Up, key: str) -> None:
    site.settings(url=up.api, key=key, when_unreachable="open", threshold=THRESHOLD, timeout=2.0, patience=300)
    post = site.post()
    attacked = site.comments(post, COMMENTS, comment_author_email="carla@example.org")
    (violation,) = site.comments(post, comment_content="I know where you live.")
    names = [f"member{post}x{k}" for k in range(MEMBERS)]
    accounts = [site.user(name) for name in names]
    with Client(up.api, key, when_unreachable="closed", timeout=5, retry_for=60) as client:
        sent = client.complain_many(history(site, accounts, datetime.now(UTC) - timedelta(minutes=5)))
        assert sent.rejected_count == 0
        up.wait(lambda: not client.assess("t1").pending, 60)
    members = [site.signed_in(name, address=f"203.0.113.{k + 1}") for k, name in enumerate(names)]
    readers = [site.browser(f"198.51.100.{k + 1}", f"Reader {k}") for k in range(HONEST)]

    def attack(k: int) -> None:
        for comment in attacked:
            assert report(site, comment, browser=members[k]).status_code == 200

    def complain(k: int) -> None:
        shown = readers[k].get("/", params={"brigadewatch-report": str(violation)})
        if shown.status_code == 200:  # until those before have hidden it
            assert send(readers[k], shown, text="A threat.").status_code == 200

    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(attack, k) for k in range(MEMBERS)] + [pool.submit(complain, k) for k in range(HONEST)]
        for one in waiting:
            one.result()
    up.wait(lambda: site.cron() or states_of(site, attacked) == {"kept"}, 60)
    assert [one for one in attacked if site.status(one) != "1"] == []
    assert site.status(violation) == "0"
    assert {int(row["people"]) for row in site.table("comments") if int(row["comment_id"]) in attacked} == {MEMBERS}
    kept = site.letters("It stays up; please look at it.", COMMENTS)
    hidden = site.letters("It is hidden until you decide.")
    assert len(kept) == COMMENTS and len(hidden) == 1
    assert "/console/clusters/" in kept[0]


def test_an_unknown_brigade_s_first_comments_are_shown_again_once_a_moderator_restores_them(
    site: Site, up: Up, key: str, tenant: str, chromium: Browser
) -> None:
    site.settings(url=up.api, key=key, when_unreachable="open", threshold=THRESHOLD, timeout=2.0, restore=True)
    names = [f"new{site.post()}x{k}" for k in range(MEMBERS)]
    for name in names:
        site.user(name)
    members = [site.signed_in(name, address=f"203.0.113.{k + 1}") for k, name in enumerate(names)]
    attacked = [site.comments(site.post())[0] for _ in range(UNKNOWN_COMMENTS)]
    for comment in attacked:
        with ThreadPoolExecutor(4) as pool:
            for one in [pool.submit(_try_to_report, site, comment, member) for member in members]:
                one.result()
    hidden = [one for one in attacked if site.status(one) != "1"]
    assert 1 <= len(hidden) <= UNKNOWN_COMMENTS // 2  # before anybody could know them
    assert {row["state"] for row in site.table("comments") if int(row["comment_id"]) in hidden} == {"held"}
    site.cron()  # sends that they were hidden
    up.wait(lambda: len(listed(up, key, "open")) == len(hidden), 60)
    site.cron()
    letters = site.letters("look whether to show it again", len(hidden))
    assert len(letters) == len(hidden)
    restored_from(letters[0], up, tenant, chromium, len(hidden))
    up.wait(lambda: len(listed(up, key, "restored")) == len(hidden), 60)
    site.cron()
    assert [site.status(one) for one in attacked] == ["1"] * UNKNOWN_COMMENTS


def restored_from(letter: str, up: Up, tenant: str, chromium: Browser, targets: int) -> None:
    """What a moderator does who gets this letter: opens the case, goes on to its restorations, and marks them."""
    make_person(up.data, "anna", PASSWORD, tenant=tenant)
    link = re.search(r"https?://\S+(/console/clusters/[\w-]+)", letter)
    assert link, letter
    with Visitor(chromium, up.api) as person:
        person.sign_in("anna", PASSWORD, tenant).wait_for_url("**/console/clusters")
        page = person.go(link[1])
        page.get_by_role("link", name="restore?").first.click()
        boxes = page.locator("tbody input[name=target]")
        expect(boxes).to_have_count(targets)
        for box in boxes.all():
            box.check()
        page.get_by_role("button", name="Mark as restored…").click()
        page.get_by_role("button", name="Mark as restored").click()
        expect(page.locator("#messages")).to_contain_text("marked as restored")


def states_of(site: Site, comments: list[int]) -> set[str]:
    return {row["state"] for row in site.table("comments") if int(row["comment_id"]) in comments}


def listed(up: Up, key: str, state: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{up.api}/v1/restorations", params={"state": state}, headers={"Authorization": f"Bearer {key}"})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _try_to_report(site: Site, comment: int, member: Any) -> None:
    shown = member.get("/", params={"brigadewatch-report": str(comment)})
    if shown.status_code == 200:
        assert send(member, shown).status_code == 200
