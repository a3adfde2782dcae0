"""The queue as a moderator works it: by keyboard alone, with filters that stay in the address, several at once, and two
people at the same list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from console_browser import Visitor
from console_installation import Installation, town
from playwright.sync_api import Page, expect

CURRENT = "table.queue tbody tr.current"


def rows(page: Page) -> list[str]:
    """The cases on the page, in their order."""
    found: list[str] = page.locator("table.queue tbody tr").evaluate_all("rows => rows.map(row => row.dataset.case)")
    return found


def places(page: Page) -> dict[str, float]:
    """Where each row stands on the page."""
    found: dict[str, float] = page.locator("table.queue tbody tr").evaluate_all(
        "rows => Object.fromEntries(rows.map(row => [row.dataset.case, row.getBoundingClientRect().top +"
        " window.scrollY]))"
    )
    return found


def test_cases_are_triaged_by_keyboard_alone(visitor: Callable[..., Visitor], installation: Installation) -> None:
    person = visitor("moderator", "triage")
    page, keys = person.go("/console/clusters"), person.page.keyboard
    listed = rows(page)
    assert listed == [case["id"] for case in installation.cases(installation.tenants["triage"])]
    keys.press("j")
    keys.press("j")
    expect(page.locator(CURRENT)).to_have_attribute("data-case", listed[1])
    keys.press("k")
    expect(page.locator(CURRENT)).to_have_attribute("data-case", listed[0])
    keys.press("Enter")
    # until its scripts have run: only they know keys
    page.wait_for_url(re.compile(f"/console/clusters/{listed[0]}"))
    keys.press("c")
    expect(page.locator("[data-claim]")).to_contain_text("Release")
    keys.press("1")
    expect(page.locator("#effect")).to_contain_text("Effect:")
    effect = page.locator("#effect").inner_text()
    assert re.search(r"\d+ more complaints on 14 targets \(\d+ → \d+\)", effect)
    keys.press("Enter")  # the choice moved the focus to "Submit and go to next"
    page.wait_for_url(re.compile(f"/console/clusters/{listed[1]}"))
    expect(page.locator("#messages")).to_contain_text("complaints on 14 targets")
    decided = installation.case(installation.tenants["triage"], listed[0])
    assert decided["status"] == "decided"
    # the second one is left, the third decided otherwise with a note, and that taken back
    keys.press("n")
    page.wait_for_url(re.compile(f"/console/clusters/{listed[2]}"))
    keys.press("2")
    expect(page.locator("#effect")).to_contain_text("Effect:")
    keys.press("m")
    keys.type("checked: jx1? are letters here")
    keys.press("Control+Enter")
    expect(page.locator("#messages")).to_contain_text("in full again")
    keys.press("u")
    expect(page.locator("#messages")).to_contain_text("undone")
    again = installation.case(installation.tenants["triage"], listed[2])
    assert again["status"] == "open"
    with installation.client(installation.tenants["triage"]) as client:
        log = client.get(f"/v1/clusters/{listed[2]}/decisions").json()["items"]
    assert len(log) == 2
    assert any("jx1?" in (entry["note"] or "") for entry in log)


def test_keys_are_ignored_while_typing_and_can_be_switched_off(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    installation.add_person(installation.tenants["shared"].id, "typist", "moderator")
    person = visitor("typist", "shared")
    page = person.go("/console/clusters")
    page.keyboard.press("/")
    page.keyboard.type("jjx?c")
    expect(page.locator("#text")).to_have_value("jjx?c")
    expect(page.locator(CURRENT)).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("details.me > summary").click()
    with page.expect_response(lambda answer: "/console/preferences" in answer.url):
        page.get_by_label("Single-key shortcuts").select_option("off")
    person.go("/console/clusters")
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(CURRENT)).to_have_count(0)


def test_filters_and_sort_order_are_in_the_url(visitor: Callable[..., Visitor], installation: Installation) -> None:
    tenant = installation.tenants["shared"]
    case = installation.cases(tenant)[3]
    member = installation.case(tenant, case["id"])["reporters"][0]
    person = visitor("viewer", "shared")
    page = person.go("/console/clusters")
    page.locator("summary", has_text="Filters").click()
    page.get_by_label("Reporter", exact=True).fill(member)
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page).to_have_url(re.compile(rf"\?(sort=-score&)?reporter={member}$"))
    assert rows(page) == [case["id"]]
    page.reload()
    assert rows(page) == [case["id"]]
    page.get_by_role("list", name="Active filters").get_by_role("link").click()
    expect(page).to_have_url(re.compile("/console/clusters$"))
    assert len(rows(page)) > 1
    page.go_back()
    assert rows(page) == [case["id"]]
    person.go("/console/clusters?tab=all&min_score=9.7&sort=-reporter_count")
    assert set(rows(page)) == {
        one["id"] for one in installation.cases(tenant, disposition="any", status="any", min_score="9.7")
    }
    # a spoiled address shows a list all the same
    person.go("/console/clusters?min_score=many&since=yesterday&sort=upwards&tab=nowhere")
    assert len(rows(page)) > 1
    expect(page.get_by_role("list", name="Active filters")).to_contain_text("ignored")


def test_several_cases_are_decided_after_a_preview_and_one_changed_in_the_meantime_is_skipped(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    person = visitor("moderator", "bulk")
    page = person.go("/console/clusters")
    chosen = rows(page)[:3]
    for case in chosen:
        page.locator(f"#case-{case} input[name=case]").check()
    expect(page.locator("#bulk-count")).to_have_text("3 cases selected")
    page.locator("#bulk").get_by_role("button", name=re.compile("Decide")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 selected cases")
    effect = page.locator("#effect-coordinated")
    expect(effect).to_contain_text(re.compile(r"complaints on \d+ targets"))
    told = re.search(r"([\d,]+) more complaints on \d+ targets \(([\d,]+) → ([\d,]+)\)", effect.inner_text())
    assert told is not None, effect.inner_text()
    lifted, before, after = (int(figure.replace(",", "")) for figure in told.groups())
    assert before + lifted == after and 100 <= after <= 3 * 9 * 14
    with installation.client(tenant) as client:  # meanwhile another one decides
        version = client.get(f"/v1/clusters/{chosen[1]}").json()["version"]
        client.post(
            f"/v1/clusters/{chosen[1]}/decisions",
            json={"verdict": "escalated", "reason_code": "other", "version": version},
        ).raise_for_status()
    page.get_by_label("Coordinated", exact=False).first.check()
    page.get_by_role("button", name="Decide 3 cases").click()
    expect(page.locator("#messages")).to_contain_text("2 cases decided")
    expect(page.locator("#messages")).to_contain_text(f"{chosen[1]} was changed by test in the meantime")
    assert [installation.case(tenant, case)["status"] for case in chosen] == ["decided", "escalated", "decided"]
    page.locator("#messages").get_by_role("button", name=re.compile("[Uu]ndo")).click()
    expect(page.locator("#messages")).to_contain_text("2 decisions undone")
    assert [installation.case(tenant, case)["status"] for case in chosen] == ["open", "escalated", "open"]


def test_two_moderators_see_each_other_and_no_row_moves(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["shared"]
    one, other = visitor("moderator", "shared"), visitor("second", "shared")
    page = one.go("/console/clusters")
    there = other.go("/console/clusters")
    expect(page.locator("table.queue")).to_be_visible()
    before, case = places(page), rows(page)[2]
    there.locator(f"#case-{case}").get_by_role("button", name="Claim").click()
    expect(there.locator(f"#case-{case}")).to_contain_text("you")
    expect(page.locator(f"#case-{case} .row-news")).to_have_text("claimed by second just now")
    other.go(f"/console/clusters/{case}")
    there.keyboard.press("1")
    expect(there.locator("#effect")).to_contain_text("Effect:")
    there.get_by_role("button", name="Submit", exact=True).click()
    expect(there.locator("#messages")).to_contain_text("Coordinated")
    expect(page.locator(f"#case-{case} .row-news")).to_have_text("decided by second just now")
    assert list(places(page)) == list(before)
    assert installation.case(tenant, case)["status"] == "decided"


def test_new_cases_are_announced_above_the_list_and_no_row_moves(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    person = visitor("viewer", "bulk")
    page = person.go("/console/clusters")
    before, listed = places(page), rows(page)
    installation.send(tenant, "complaints", later(town(11, brigades=2), days=14))
    news = page.locator("#news")
    expect(news).to_contain_text(re.compile(r"^\d new"), timeout=60_000)
    assert rows(page) == listed
    assert places(page) == before
    installation.settle(tenant)
    news.get_by_role("link", name="Show").click()
    expect(page.locator("table.queue")).to_be_visible()
    assert len(rows(page)) > len(listed)


def later(documents: list[dict[str, Any]], *, days: float) -> list[dict[str, Any]]:
    """The same town some days on, with people and comments of its own."""

    def moved(one: dict[str, Any]) -> dict[str, Any]:
        at = datetime.fromisoformat(one["occurred_at"]) + timedelta(days=days)
        return {
            **one,
            "id": f"later-{one['id']}",
            "occurred_at": at.isoformat(),
            "reporter": one["reporter"] | {"id": f"later-{one['reporter']['id']}"},
            "target": (
                one["target"]
                | {
                    "id": f"later-{one['target']['id']}",
                    "context_id": f"later-{one['target']['context_id']}",
                }
            ),
        }

    return [moved(one) for one in documents]


def test_a_viewer_can_read_but_not_decide(visitor: Callable[..., Visitor], installation: Installation) -> None:
    person = visitor("viewer", "shared")
    page = person.go("/console/clusters")
    case = rows(page)[0]
    expect(page.locator("table.queue input[type=checkbox]")).to_have_count(0)
    expect(page.get_by_role("button", name="Claim")).to_have_count(0)
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    expect(page.get_by_role("link", name="Operations")).to_have_count(0)
    person.go(f"/console/clusters/{case}")
    expect(page.get_by_role("button", name="Submit")).to_have_count(0)
    token = page.locator("meta[name=csrf]").get_attribute("content")
    version = installation.case(installation.tenants["shared"], case)["version"]
    for path, form in (
        (f"/console/clusters/{case}/decide", {"verdict": "coordinated", "version": str(version)}),
        (f"/console/clusters/{case}/claim", {}),
        (f"/console/clusters/{case}/notes", {"text": "mine"}),
        ("/console/queue/decide", {"verdict": "coordinated", "case": f"{case}:{version}"}),
        ("/console/queue/claim", {"only": case}),
        ("/console/queue/undo", {"decisions": "d-1"}),
    ):
        answer = page.request.post(path, form={"csrf": token or "", **form})
        assert answer.status == 403, path
    for path in ("/console/settings", "/console/ops"):
        assert page.request.get(path).status in (403, 404), path
    assert installation.case(installation.tenants["shared"], case)["version"] == version
