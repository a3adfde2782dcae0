"""The case page: what it shows, and the decision on it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from case_scenes import put_case, put_removal
from case_world import START, put_cluster, put_decision
from conftest import Api, RedisClients
from console_world import Visitor, sign_in

from service.console.decision_effects import rescored_without
from service.moderation.signals import outcomes
from service.storage.accounts.tenants import tenant_id
from service.storage.cases.case_files import read_case_file
from service.storage.cases.claims import claims_of
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write

NOW = START + timedelta(days=9)
CASE = "/console/clusters/k1"


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    """A console at a fixed time, with the case k1 of eight members on six targets, of which two were removed
    automatically.
    """
    api = make_api(fake_redis)
    api.key("default")
    api.app.state.api.now = lambda: NOW
    tenant = tenant_id(api.engine, "default")
    put_case(api.engine, tenant)
    put_removal(api.engine, tenant, "comment/0", seq=900, hours=3)
    put_removal(
        api.engine, tenant, "comment/1", seq=901, hours=30, verdict="rejected", action=None, decided_by="person"
    )
    return api


@pytest.fixture
def anna(desk: Api) -> Visitor:
    return sign_in(desk)


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the decision panel."""
    form = page[page.index('id="decision"') : page.index('id="effect"')]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))


def decide(visitor: Visitor, verdict: str = "coordinated", path: str = CASE, **typed: Any) -> Any:
    return visitor.post(f"{path}/decide", {**fields(visitor.get(path).text), "verdict": verdict, **typed})


def test_the_page_shows_why_who_what_and_when(anna: Visitor) -> None:
    page = anna.get(CASE)
    assert page.status_code == 200
    for words in (
        "8 accounts complained about the same 6 targets",
        "Lockstep",
        "Across threads",
        "New accounts",
        "5 of 6 targets are by author a-9",
        "r-3",
        "comment/4",
        "What was said, number 5.",
        "first:</b>",
        "automatically",
        "rejected",
        "near-duplicates",
        "device A",
        "found the group k1",
        "The platform, automatically",
        "Unclaimed",
    ):
        assert words in page.text, words
    assert page.text.count("data-reporter=") == 8 and page.text.count("data-target=") == 6
    assert "style=" not in page.text and "<script>" not in page.text, (
        "nothing that the Content-Security-Policy would refuse"
    )


def test_each_verdict_shows_its_effect_before_it_is_selected(anna: Visitor) -> None:
    page = anna.get(CASE).text
    assert re.search(r"Stops counting \d+ more complaints on 6 targets \(\d+ → 36\)", page), (
        "seven of eight can be discounted: one is exempt"
    )
    assert "suggests reviewing the removal of 1 target (0 → 1)" in page


def test_another_tenants_case_looks_like_a_case_that_does_not_exist(desk: Api, anna: Visitor) -> None:
    other = sign_in(desk, "eve", tenant="other")
    for path in (
        CASE,
        f"{CASE}/pictures.json",
        f"{CASE}/graph.json",
        f"{CASE}/export.json",
        f"{CASE}/export.csv",
        f"{CASE}/export.graphml",
        f"{CASE}/print",
        f"{CASE}/tables/raster",
        f"{CASE}/tables/pairs.csv",
    ):
        mine, never = other.get(path), other.get(path.replace("k1", "k404"))
        assert (mine.status_code, never.status_code) == (404, 404), path
        assert mine.text.replace("k404", "k1") == never.text.replace("k404", "k1"), path
    for action in ("decide", "preview", "claim", "unclaim", "notes", "undo"):
        answer = other.post(
            f"{CASE}/{action}", {"version": "1", "verdict": "coordinated", "text": "x", "decision": "d1"}
        )
        assert answer.status_code == 404, action
    assert anna.get(CASE).status_code == 200


def test_deciding_goes_to_the_next_case_in_the_list_and_reports_the_effect(desk: Api, anna: Visitor) -> None:
    tenant = tenant_id(desk.engine, "default")
    put_cluster(desk.engine, tenant, "k2", score=3)
    put_cluster(desk.engine, tenant, "k3", score=4, kind="one_shot", targets=["t1"])
    answer = decide(anna, then="next")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/clusters/k3")
    page = anna.get("/console/clusters/k3").text
    assert "Coordinated: Stops counting" in page and "→ 36)" in page and f"{CASE}#history" in page
    assert "decided: coordinated (brigade)" in anna.get(CASE).text
    with desk.engine.connect() as connection:
        row = connection.execute(
            sa.select(schema.decisions.c.by, schema.decisions.c.reason_code, schema.decisions.c.version)
        ).one()
    assert tuple(row) == ("anna", "brigade", 1)
    assert desk.redis.blocking.smembers(redis_keys.TENANTS_DIRTY) == {b"default"}, "detection is woken"


def test_a_group_that_acts_together_and_is_right_is_called_so(desk: Api, anna: Visitor) -> None:
    assert decide(anna, verdict="not_coordinated", reason_code="patrol").status_code == 303
    page = anna.get(CASE).text
    assert "decided: acting together, but right" in page and "acting together, but right (patrol)" in page
    assert "administrators keep the list of good patrols." in page
    assert (
        'href="/console/settings/patrols">the list of good patrols'
        in sign_in(desk, "root", role="admin").get(CASE).text
    )
    assert "1 group acting together, but right" in anna.get("/console/overview").text
    assert "unknown: no other cases decided yet" in anna.get("/console/overview").text
    with desk.engine.connect() as connection:
        first = connection.scalar(sa.select(schema.decisions.c.id))
    anna.post(f"/console/decisions/{first}/reverse", {"version": "2"})
    rows = list(csv.DictReader(io.StringIO(anna.get("/console/decisions.csv").text)))
    assert [(row["Reason"], row["Undoes decision"]) for row in rows] == [("", first), ("patrol", "")]
    assert "acting together, but right" not in re.sub(r"<[^>]+>", "", anna.get(CASE).text).split("History")[0]


def test_each_choice_s_effect_is_for_the_reason_that_is_chosen(anna: Visitor) -> None:
    typed = {"version": "1", "verdict": "", "reason_code": "patrol"}
    part = anna.post(f"{CASE}/preview", typed, htmx=True).text
    assert 'id="effect-of-coordinated" hx-swap-oob="true">' in part
    assert part.count("hx-swap-oob") == 2
    assert "hx-swap-oob" not in anna.get(CASE).text


def test_the_next_case_comes_from_the_list_the_moderator_came_from(desk: Api, anna: Visitor) -> None:
    tenant = tenant_id(desk.engine, "default")
    put_cluster(desk.engine, tenant, "k2", score=8)
    put_cluster(desk.engine, tenant, "k3", score=4, kind="one_shot", targets=["t1"])
    queue = "sort=-last_at&kind=one_shot"
    page = anna.get(f"{CASE}?queue={quote(queue)}").text
    assert fields(page)["queue"] == "sort=-last_at&amp;kind=one_shot"
    answer = decide(anna, then="next", queue=queue)
    assert answer.headers["location"] == f"/console/clusters/k3?queue={quote(queue)}"
    last = decide(anna, path="/console/clusters/k3", then="next", queue=queue)
    assert last.headers["location"] == f"/console/clusters?{queue}", "the list has no other: back to it"
    assert anna.get(f"/console/clusters/k2/next?queue={quote(queue)}").status_code == 303


def test_a_late_decision_keeps_the_entries_and_shows_what_changed(desk: Api, anna: Visitor) -> None:
    bob = sign_in(desk, "bob")
    typed = fields(anna.get(CASE).text)
    assert decide(bob, "not_coordinated", note="readers of one paper").status_code == 303
    answer = anna.post(
        f"{CASE}/decide", {**typed, "verdict": "coordinated", "note": "my long note", "excluded_reporters": ["r-3"]}
    )
    assert answer.status_code == 409
    for words in (
        "bob changed this case first",
        "bob decided “not coordinated”",
        "readers of one paper",
        "my long note",
        "Its status changed from open to decided",
    ):
        assert words in answer.text, words
    assert re.search(r'value="r-3" form="decision" checked', answer.text) and re.search(
        r'value="coordinated" checked', answer.text
    )
    again = anna.post(f"{CASE}/decide", {**fields(answer.text), "verdict": "coordinated"})
    assert again.status_code == 303, "the page that showed it is up to date"


def test_a_late_decision_also_shows_that_the_group_has_grown(desk: Api, anna: Visitor) -> None:
    typed = fields(anna.get(CASE).text)
    with write(desk.engine) as connection:
        connection.execute(
            sa.update(schema.clusters)
            .where(schema.clusters.c.id == "k1")
            .values(version=2, reporter_count=9, changed_by="detector")
        )
    answer = anna.post(f"{CASE}/decide", {**typed, "verdict": "coordinated"})
    assert (
        answer.status_code == 409
        and "The group has 1 account more: now 9." in answer.text
        and "detector changed this case first" in answer.text
    )


def test_undo_is_a_new_decision_and_the_log_keeps_both(desk: Api, anna: Visitor) -> None:
    decide(anna)
    page = anna.get(CASE).text
    (decision,) = re.findall(r'name="decision" value="([^"]+)"', page)
    answer = anna.post(f"{CASE}/undo", {**fields(page), "decision": decision})
    assert answer.status_code == 303
    page = anna.get(CASE).text
    assert "Undone" in page and f"undid decision {decision}" in page and "undone later" in page and "○" in page
    assert anna.post(f"{CASE}/undo", {**fields(page), "decision": decision}).status_code == 422, "it is already undone"
    assert anna.post(f"{CASE}/undo", {**fields(page), "decision": "d-none"}).status_code in (409, 422)


@pytest.mark.parametrize(
    ("entered", "message"),
    [
        ({"verdict": ""}, "Select a decision"),
        ({"verdict": "guilty"}, "Select a decision"),
        ({"verdict": "coordinated", "reason_code": "spite"}, "Select one of the listed reasons"),
        ({"verdict": "coordinated", "note": "x" * 5_000}, "note"),
        ({"verdict": "coordinated", "note": "a\0b"}, "NUL"),
        ({"verdict": "coordinated", "excluded_reporters": ["nobody"]}, "is not a member"),
        ({"verdict": "snoozed", "snooze_for": "0"}, "1 to 366 days"),
        ({"verdict": "snoozed", "snooze_for": "²"}, "1 to 366 days"),
        ({"verdict": "snoozed", "snooze_until": "soon"}, "is not a valid time"),
        ({"verdict": "snoozed", "snooze_until": "2020-01-01T00:00"}, "must be later than now"),
        ({"verdict": "snoozed", "snooze_until": "0001-01-01T00:00"}, "snooze_until"),
    ],
)
def test_an_invalid_decision_shows_an_error_and_keeps_the_note(
    anna: Visitor, entered: dict[str, Any], message: str
) -> None:
    answer = decide(anna, **{"note": "keep me", **entered})
    assert answer.status_code == 422 and message in answer.text
    assert "note" in entered or "keep me" in answer.text
    assert "<b>anna</b>" not in anna.get(CASE).text, "nothing happened"


@pytest.mark.parametrize(
    "data",
    [
        {"verdict": "coordinated"},
        {"verdict": "coordinated", "version": "-1"},
        {"verdict": "coordinated", "version": "x"},
        {"verdict": "x" * 100, "version": "1"},
    ],
)
def test_a_malformed_decision_form_is_refused(anna: Visitor, data: dict[str, str]) -> None:
    assert anna.post(f"{CASE}/decide", data).status_code == 422


def test_snoozing_and_escalating_move_the_case(desk: Api, anna: Visitor) -> None:
    assert decide(anna, "escalated").status_code == 303
    assert "▲" in anna.get(CASE).text
    assert decide(anna, "snoozed", snooze_for="7").status_code == 303
    assert "until" in anna.get(CASE).text and "17 Nov" in anna.get(CASE).text
    desk.app.state.api.now = lambda: NOW + timedelta(days=8)
    assert "○" in sign_in(desk, "bob").get(CASE).text, "a snooze that has run out is an open case"


def test_the_preview_compares_verdicts_with_what_was_usual_for_the_stored_case(desk: Api) -> None:
    tenant = tenant_id(desk.engine, "default")
    with desk.engine.connect() as connection:
        file = read_case_file(connection, tenant, "k1", now=NOW)
        rescored = rescored_without(connection, tenant, file, ["r-0"])
    assert rescored is not None
    [stored] = [e for e in file.cluster.evidence if e.signal == "outcomes"]
    [row] = [row for row in rescored.rows if row.signal == "outcomes"]
    assert (row.before.usual, row.after.usual) == (pytest.approx(stored.usual), pytest.approx(stored.usual))
    assert row.before.contribution == pytest.approx(outcomes.ratio(0, 1, 1 - stored.usual))


def test_excluding_accounts_previews_the_score_without_them(anna: Visitor) -> None:
    typed = {**fields(anna.get(CASE).text), "verdict": "coordinated", "excluded_reporters": ["r-0", "r-1"]}
    part = anna.post(f"{CASE}/preview", typed, htmx=True)
    assert part.status_code == 200 and "<html" not in part.text
    assert (
        "Without 2 accounts:" in part.text
        and "excludes 2 accounts from the group" in part.text
        and "Signal by signal" in part.text
    )
    assert (
        "no group remains"
        in anna.post(f"{CASE}/preview", {**typed, "excluded_reporters": [f"r-{k}" for k in range(6)]}, htmx=True).text
    )
    assert (
        "is not a member" in anna.post(f"{CASE}/preview", {**typed, "excluded_reporters": ["nobody"]}, htmx=True).text
    )
    assert anna.post(f"{CASE}/decide", typed).status_code == 303
    page = anna.get(CASE).text
    assert page.count("excluded") >= 2 and 'value="r-0" form="decision"' not in page and ">6 accounts</dd>" in page


def test_without_javascript_the_preview_is_the_whole_page_with_the_entries(anna: Visitor) -> None:
    page = anna.post(
        f"{CASE}/preview",
        {**fields(anna.get(CASE).text), "verdict": "not_coordinated", "note": "unsure", "excluded_reporters": ["r-0"]},
    )
    assert page.status_code == 200 and "unsure" in page.text and "Effect:" in page.text and "<html" in page.text


def test_a_viewer_can_read_but_not_decide(desk: Api) -> None:
    viewer = sign_in(desk, "vic", role="viewer")
    page = viewer.get(CASE).text
    assert (
        "deciding needs the moderator role" in page
        and "Submit and go to next" not in page
        and 'name="excluded_reporters"' not in page
    )
    for action in ("decide", "claim", "unclaim", "notes", "undo"):
        assert (
            viewer.post(
                f"{CASE}/{action}", {"version": "1", "verdict": "coordinated", "text": "x", "decision": "d"}
            ).status_code
            == 403
        ), action


def test_claims_and_notes(desk: Api, anna: Visitor) -> None:
    assert anna.post(f"{CASE}/claim").headers["location"] == CASE
    assert "Claimed by you" in anna.get(CASE).text
    bob = sign_in(desk, "bob")
    assert "Claimed by anna" in bob.get(CASE).text
    bob.post(f"{CASE}/claim")
    assert "Claimed by bob" in anna.get(CASE).text and "took the case over from anna" in anna.get(CASE).text
    bob.post(f"{CASE}/unclaim")
    with desk.engine.connect() as connection:
        assert claims_of(connection, tenant_id(desk.engine, "default"), ["k1"]) == {}
    assert anna.post(f"{CASE}/notes", {"text": " looks like the group of May "}).headers["location"].endswith("#notes")
    assert "looks like the group of May" in bob.get(CASE).text
    assert anna.post(f"{CASE}/notes", {"text": "  "}).status_code == 422


def test_tables_are_filtered_the_same_way_by_url_and_by_htmx(anna: Visitor) -> None:
    whole = anna.get(CASE).text
    assert "48 complaints" in whole
    part = anna.get(f"{CASE}?reporter=r-3&target=comment%2F2", htmx=True).text
    assert "<html" not in part and "1 complaint of 48" in part and "r-3" in part and "r-4</a>" not in part
    assert "8 complaints of 48" in anna.get(f"{CASE}?target=comment%2F2", htmx=True).text
    assert "No complaints match" in anna.get(f"{CASE}?reporter=nobody", htmx=True).text
    assert (
        "8 complaints of 48"
        in anna.get(f"{CASE}?since=2026-11-02T00:00:00Z&until=2026-11-03T00:00:00Z", htmx=True).text
    )
    assert "48 complaints" in anna.get(f"{CASE}?since=rubbish&page=999999", htmx=True).text
    group = anna.get(f"{CASE}?text=g1", htmx=True).text
    assert "36 complaints of 48" in group and "selected, click again to show all" in group


def test_complaints_are_paged(desk: Api, anna: Visitor) -> None:
    put_case(desk.engine, tenant_id(desk.engine, "default"), "k5", people=9, targets=7, first_seq=2_000, say="v{0}")
    first, second = (anna.get(f"/console/clusters/k5?page={page}", htmx=True).text for page in (1, 3))
    assert "Page 1 of 3" in first and "Next page" in first and first.count('<th scope="row" class="id">') == 25
    assert "Page 3 of 3" in second and second.count('<th scope="row" class="id">') == 13


def test_related_cases_are_shown_with_their_relation(desk: Api, anna: Visitor) -> None:
    tenant = tenant_id(desk.engine, "default")
    put_cluster(desk.engine, tenant, "k7", reporters=["r-1", "r-2", "z"], earlier="k1")
    put_cluster(desk.engine, tenant, "k8", reporters=["r-5"], targets=["t9"])
    put_cluster(desk.engine, tenant, "k9", reporters=[], targets=[], disposition="merged", merged_into="k1")
    page = anna.get(CASE).text
    assert (
        "the same group, later" in page
        and "2 of 3" in page
        and "shares members" in page
        and "merged into this case" in page
    )
    merged = anna.get("/console/clusters/k9").text
    assert "This case was merged into" in merged and "Submit and go to next" not in merged
    assert anna.post("/console/clusters/k9/decide", {"version": "1", "verdict": "coordinated"}).status_code == 422


def test_decisions_on_a_merged_case_appear_in_the_surviving_cases_history(desk: Api, anna: Visitor) -> None:
    tenant = tenant_id(desk.engine, "default")
    put_cluster(desk.engine, tenant, "k9", disposition="merged", merged_into="k1")
    put_decision(desk.engine, tenant, "k9", "d-old", note="of old")
    assert "of old" in anna.get(CASE).text


def test_chart_data_is_complete_json(anna: Visitor) -> None:
    data = anna.get(f"{CASE}/pictures.json").json()
    assert len(data["raster"]["reporters"]) == 8 and len(data["raster"]["rows"]) == 48 and data["raster"]["exempt"]
    assert len(data["timeline"]["others_ms"]) == 12 and data["timeline"]["usual_per_hour"] == 0.12
    for view, nodes in (("bipartite", 14), ("co-report", 8)):
        graph = anna.get(f"{CASE}/graph.json?view={view}").json()
        assert (
            len(graph["nodes"]) == nodes
            and all(0 <= n[2] <= 1 and 0 <= n[3] <= 1 for n in graph["nodes"])
            and graph["nodes_left_out"] == 0
        )
    assert anna.get(f"{CASE}/graph.json?view=square").status_code == 422


@pytest.mark.parametrize(
    ("name", "rows", "cell"), [("raster", 8, "first"), ("timeline", None, "2026"), ("pairs", 28, "r-1")]
)
def test_every_chart_has_a_table_and_a_csv_with_the_same_data(
    anna: Visitor, name: str, rows: int | None, cell: str
) -> None:
    page = anna.get(f"{CASE}/tables/{name}")
    assert page.status_code == 200 and cell in page.text
    csv = anna.get(f"{CASE}/tables/{name}.csv")
    assert csv.headers["content-type"].startswith("text/csv") and "attachment" in csv.headers["content-disposition"]
    lines = csv.text.lstrip("\ufeff").splitlines()
    assert len(lines) == {"raster": 49, "pairs": 29}.get(name, len(lines)) and len(lines) > 6
    assert rows is None or f"{rows} rows" in page.text
    assert anna.get(f"{CASE}/tables/other").status_code == 422


def test_a_case_without_remaining_complaints_is_shown(desk: Api, anna: Visitor) -> None:
    put_cluster(desk.engine, tenant_id(desk.engine, "default"), "k6", reporters=[], targets=[], evidence="[]")
    path = "/console/clusters/k6"
    for page in (
        path,
        f"{path}/print",
        f"{path}/pictures.json",
        f"{path}/graph.json",
        f"{path}/tables/timeline",
        f"{path}/tables/raster",
        f"{path}/export.json",
        f"{path}/export.graphml",
    ):
        assert anna.get(page).status_code == 200, page
    assert decide(anna, path=path).status_code == 303


def test_a_large_case_shows_the_busiest_reporters_and_how_many_are_not_shown(desk: Api, anna: Visitor) -> None:
    put_case(
        desk.engine,
        tenant_id(desk.engine, "default"),
        "k500",
        people=350,
        targets=3,
        others=0,
        first_seq=5_000,
        say="w{0}",
    )
    page = anna.get("/console/clusters/k500").text
    assert page.count("data-reporter=") == 150 and "200 reporters with fewer complaints are not in this table" in page
    assert anna.get("/console/clusters/k500?reporters=all").text.count("data-reporter=") == 350


def test_ids_with_special_characters_can_be_opened_and_filtered_by(desk: Api, anna: Visitor) -> None:
    strange = "../a b?&#%2F\u202e"
    tenant = tenant_id(desk.engine, "default")
    put_case(desk.engine, tenant, "k77", first_seq=9_000, say=strange + "{0}")
    page = anna.get("/console/clusters/k77")
    assert page.status_code == 200 and "\u202e" not in re.sub(r'(?:value|data-[a-z-]+|href)="[^"]*"', "", page.text), (
        "what reorders text is written out"
    )
    name = quote(f"{strange}r-3", safe="")
    assert "6 complaints of 48" in anna.get(f"/console/clusters/k77?reporter={name}", htmx=True).text
    assert json.loads(anna.get("/console/clusters/k77/export.json").text)["cluster"]["reporter_count"] == 8
