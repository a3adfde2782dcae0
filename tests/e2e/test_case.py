"""The case page: pictures and tables, the decision panel on a version that somebody else changed, a very large case,
and hostile words.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from console_browser import NARROW, Theme, Visitor
from console_installation import Installation
from playwright.sync_api import Page, expect

from bench.large_case import CASE


def drawn(page: Page, name: str, cells: int | None = None) -> None:
    """Wait until a picture of the case is drawn, with so many marks."""
    page.wait_for_function(
        "([id, cells]) => { const host = document.getElementById(id); return host && host.dataset.drawnMs && (cells ==="
        " null || host.dataset.cells === String(cells)); }",
        arg=[name, cells],
    )


def test_a_case_changed_by_someone_else_is_not_decided_and_keeps_the_note(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["shared"]
    case = installation.cases(tenant)[-1]
    one, other = visitor("moderator", "shared"), visitor("second", "shared")
    page, there = one.go(f"/console/clusters/{case['id']}"), other.go(f"/console/clusters/{case['id']}")
    page.get_by_label("Note, kept in the decision log").fill("I looked at all nine of them")
    there.get_by_label("Not coordinated", exact=False).first.check()
    there.get_by_role("button", name="Submit", exact=True).click()
    expect(there.locator("#messages")).to_contain_text("Not coordinated")
    expect(page.locator("#news")).to_contain_text("second decided this case just now")
    with one.expecting(409):
        page.locator("[data-verdict='1']").check()
        page.get_by_role("button", name="Submit", exact=True).click()
        expect(page.locator("#messages")).to_contain_text("second changed this case first")
    expect(page.locator("#changed")).to_contain_text("What second changed")
    expect(page.get_by_label("Note, kept in the decision log")).to_have_value("I looked at all nine of them")
    assert installation.case(tenant, case["id"])["status"] == "decided"
    page.get_by_role("button", name="Submit", exact=True).click()  # on what one has seen now
    expect(page.locator("#messages")).to_contain_text("Coordinated")
    with installation.client(tenant) as client:
        log = client.get(f"/v1/clusters/{case['id']}/decisions").json()["items"]
    assert sorted((entry["by"], entry["verdict"]) for entry in log) == [
        ("moderator", "coordinated"),
        ("second", "not_coordinated"),
    ]


def test_choosing_a_reason_tells_the_effect_of_each_choice_anew(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    case = installation.cases(installation.tenants["shared"])[0]
    page = visitor("moderator", "shared").go(f"/console/clusters/{case['id']}")
    told = page.locator("#effect-of-coordinated")
    expect(told).to_have_count(1)
    told.evaluate("element => { element.dataset.old = 'yes'; }")
    page.locator("[data-verdict='2']").check()
    page.get_by_label("Reason", exact=True).select_option("patrol")
    expect(page.locator("#effect")).to_contain_text("Effect:")
    expect(page.locator("#effect-of-coordinated:not([data-old])")).to_have_count(1)
    expect(page.locator("[data-verdict='2']")).to_be_checked()
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator("header.case-head")).to_contain_text("decided: acting together, but right")
    page.locator("[data-key='u']").first.click()
    expect(page.locator("#messages")).to_contain_text("1 decision undone")


def test_on_a_narrow_screen_long_tables_are_collapsed_except_the_row_linked_to(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    page = visitor("viewer", width=NARROW).go(
        f"/console/clusters/{installation.cases(installation.tenants['default'])[0]['id']}"
    )
    drawn(page, "raster")
    rows, seen = page.locator("#reporters tbody tr"), page.locator("#reporters tbody tr:visible")
    whole = rows.count()
    assert whole > seen.count() == 6
    page.get_by_role("button", name=f"Show all {whole} reporters").click()
    expect(seen).to_have_count(whole)
    page.get_by_role("button", name="Show fewer").click()
    expect(seen).to_have_count(6)
    last = str(rows.last.get_attribute("data-reporter"))
    page.evaluate(
        "reporter => document.dispatchEvent(new CustomEvent('case:select', { detail: { reporter, target: null } }))",
        last,
    )
    expect(seen).to_have_count(1)
    expect(seen).to_have_attribute("data-reporter", last)
    page.emulate_media(media="print")
    page.locator("[data-clear]").evaluate("one => one.click()")
    expect(seen).to_have_count(whole)  # paper has all of it


def test_small_graphs_are_drawn_without_being_scrolled_to(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    page = visitor("viewer").go(f"/console/clusters/{installation.cases(installation.tenants['default'])[0]['id']}")
    expect(page.locator("[data-graph] canvas")).to_have_count(2)
    assert page.evaluate("window.scrollY") == 0


def test_excluding_a_reporter_shows_the_remaining_score_in_the_panel(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["triage"]
    case = installation.cases(tenant)[-1]
    person = visitor("moderator", "triage")
    page = person.go(f"/console/clusters/{case['id']}")
    page.locator("#reporters input[type=checkbox]").first.check()
    expect(page.locator("#effect")).to_contain_text("Without 1 account:")
    expect(page.locator("#effect")).to_contain_text("8 accounts on")
    page.locator("[data-verdict='1']").check()
    expect(page.locator("#effect")).to_contain_text("Effect:")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("Coordinated")
    assert len(installation.case(tenant, case["id"])["reporters"]) == 8


def test_a_note_is_saved_with_the_case(visitor: Callable[..., Visitor], installation: Installation) -> None:
    case = installation.cases(installation.tenants["triage"])[-2]
    person = visitor("moderator", "triage")
    page = person.go(f"/console/clusters/{case['id']}")
    page.locator("#notes textarea").fill("Seen <b>before</b> in spring")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#notes")).to_contain_text("Seen <b>before</b> in spring")


def test_charts_and_tables_stay_in_sync(visitor: Callable[..., Visitor], installation: Installation) -> None:
    tenant = installation.tenants["triage"]
    case = installation.case(tenant, installation.cases(tenant)[2]["id"])
    person = visitor("viewer", "triage")
    page = person.go(f"/console/clusters/{case['id']}")
    drawn(page, "raster")
    raster = page.get_by_role(
        "application", name=re.compile("Lockstep raster: 9 reporters in rows, 14 targets in columns")
    )
    raster.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#narrowed")).to_be_visible()
    expect(page.locator("#reporters tbody tr:visible")).to_have_count(1)
    expect(page.locator("#targets tbody tr:visible")).to_have_count(1)
    expect(page.locator("#complaints table tbody tr")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#reporters tbody tr:visible")).to_have_count(9)
    expect(page.locator("#narrowed")).to_be_hidden()
    for name in ("timeline", "raster", "pairs"):
        table = page.request.get(f"/console/clusters/{case['id']}/tables/{name}")
        assert table.status == 200
        file = page.request.get(f"/console/clusters/{case['id']}/tables/{name}.csv")
        assert file.status == 200
        assert len(list(csv.reader(io.StringIO(file.text())))) > 9


def test_the_evidence_can_be_exported_with_pseudonyms(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["triage"]
    case = installation.case(tenant, installation.cases(tenant)[2]["id"])
    person = visitor("viewer", "triage")
    page = person.go(f"/console/clusters/{case['id']}")
    for kind in ("export.json", "export.csv", "export.graphml"):
        plain, hidden = (
            page.request.get(f"/console/clusters/{case['id']}/{kind}{query}") for query in ("", "?pseudonymise=1")
        )
        assert plain.status == hidden.status == 200
        assert all(member in plain.text() for member in case["reporters"])
        assert not any(re.search(rf"\b{member}\b", hidden.text()) for member in case["reporters"]), kind
    assert json.loads(page.request.get(f"/console/clusters/{case['id']}/export.json").text())
    person.go(f"/console/clusters/{case['id']}/print")
    assert page.locator("svg").count() >= 2
    assert person.violations() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_five_hundred_reporters_on_sixty_targets_are_drawn_whole(
    visitor: Callable[..., Visitor], installation: Installation, theme: Theme
) -> None:
    person = visitor("moderator", "large", theme=theme)
    page = person.go(f"/console/clusters/{CASE}")
    drawn(page, "raster")
    assert page.get_by_role("application", name=re.compile("500 reporters in rows, 60 targets in columns")).count() == 1
    complaints = int(
        re.findall(r"([\d,]+)", page.locator("nav a[href='#complaints'] .count").inner_text())[0].replace(",", "")
    )
    drawn(page, "raster", complaints)
    assert complaints > 20_000
    ink = page.evaluate("""() => {
        const canvas = document.querySelector("#raster canvas");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const colours = new Set();
        for (let k = 0; k < data.length; k += 4 * 97) colours.add(data[k] << 16 | data[k + 1] << 8 | data[k + 2]);
        return colours.size;
    }""")
    assert ink >= 4  # ground and marks of several delays
    assert person.violations() == []


def test_script_tags_in_texts_are_shown_as_text(visitor: Callable[..., Visitor], installation: Installation) -> None:
    tenant = installation.tenants["hostile"]
    case = installation.case(tenant, installation.cases(tenant)[0]["id"])
    assert len(case["targets"]) == 40
    person = visitor("admin", "hostile")
    page = person.go("/console/clusters")
    expect(page.locator("table.queue")).to_be_visible()
    target, reporter = case["targets"][0], case["reporters"][0]
    paths = (
        f"/console/clusters/{case['id']}",
        f"/console/clusters/{case['id']}/print",
        *(f"/console/clusters/{case['id']}/tables/{name}" for name in ("raster", "pairs", "timeline")),
        f"/console/targets/{quote(target, safe='')}",
        f"/console/reporters/{quote(reporter, safe='')}",
        "/console/restorations",
        "/console/decisions",
        "/console/targets",
        "/console/reporters",
        f"/console/clusters?tab=all&reporter={quote(reporter, safe='')}",
    )
    for path in paths:
        person.go(path)
        assert page.locator("img[src=x]").count() == 0, path
        assert page.locator("script:not([src])").count() == 0, path
        assert page.locator("a[href^='javascript']").count() == 0, path
        assert page.evaluate("document.querySelectorAll('[onerror], [onclick], [onload]').length") == 0, path
        if path.endswith(("raster", quote(target, safe=""), quote(reporter, safe=""))):
            assert '<script>alert("' in page.locator("main").inner_text(), path
    page.goto(f"/console/clusters/{case['id']}")
    drawn(page, "raster")
    page.get_by_role("application", name=re.compile("Lockstep raster")).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".hint-box:visible").first).to_contain_text("<script>alert(")
    page.keyboard.press("Enter")
    expect(page.locator("#narrowed")).to_contain_text("<script>alert(")
    person.check()


def test_the_panel_stays_in_sight_on_a_phone(visitor: Callable[..., Visitor], installation: Installation) -> None:
    tenant = installation.tenants["triage"]
    case = installation.cases(tenant)[2]
    person = visitor("moderator", "triage", width=NARROW)
    page = person.go(f"/console/clusters/{case['id']}")
    for scrolled in (0, 2_000):
        page.evaluate(f"window.scrollTo(0, {scrolled})")
        box = page.locator("#decide > summary").bounding_box()
        assert box is not None and page.viewport_size is not None
        assert page.viewport_size["height"] - 120 <= box["y"] + box["height"] <= page.viewport_size["height"] + 1
    page.locator("#decide > summary").click()
    page.locator("[data-verdict='4']").check()
    expect(page.get_by_label("Snooze for")).to_be_visible()
