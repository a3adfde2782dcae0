"""Every list of the console has a CSV file with exactly its rows, in its order, from the first page to the last."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa
from case_world import at_us, put_cluster, put_complaint, put_decision, put_outcome
from conftest import Api
from console_pages import furnish, texts
from console_world import Visitor, sign_in

from service.console import csv_files, rendering
from service.console.formatting import percent
from service.moderation.warnings import Suggestion
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import claims, notes, warnings
from service.storage.cases.warnings import Warned
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

TEMPLATES = Path(rendering.__file__).parent / "templates"
# Tables that nobody would take away as a file, or whose rows are in another one.
WITHOUT_A_FILE = {
    "case_print.html": "the print view of a case",
    "misuse.html": "one reporter's notices: their complaints have a file",
    "settings/thresholds.html": "settings",
    "settings/one_person.html": "sessions of one person",
    "settings/queues.html": "settings",
    "settings/templates.html": "settings",
    "settings/keys.html": "settings; the audit trail has who made them",
    "settings/sources.html": "settings",
    "settings/subscriptions.html": "settings",
    "settings/import_preview.html": "the first rows of the uploaded file itself",
    "settings/dry_run.html": "a forecast",
    "parts/attacked.html": "part of pages that link to the file",
    "parts/sessions.html": "one's own sessions",
    "parts/charts.html": "the charts' tables, each with a file on its page",
    "restorations_preview.html": "a form",
    "bulk.html": "a form",
}
# page, what a row of its table is recognised by, the file's column that says the same
LISTS = [
    ("/console/clusters?tab=all", r'<tr id="case-([^"]+)"', "Case"),
    ("/console/clusters?tab=all&sort=found_at&reporter=r1", r'<tr id="case-([^"]+)"', "Case"),
    ("/console/clusters?tab=mine", r'<tr id="case-([^"]+)"', "Case"),
    ("/console/clusters?text=k-10", r'<tr id="case-([^"]+)"', "Case"),
    ("/console/decisions", r'<tr id="(d-[^"]+)"', "Decision"),
    ("/console/decisions?verdict=escalated&by=ann", r'<tr id="(d-[^"]+)"', "Decision"),
    ("/console/restorations?state=any", r'<th scope="row"[^>]*>\s*<a class="id" href="[^"]+">([^<]+)</a>', "Target"),
    ("/console/targets", r'<a class="id" href="/console/targets/[^"]+">([^<]+)</a>', "Target"),
    ("/console/reporters", r'<a class="id" href="/console/reporters/[^"]+">([^<]+)</a>', "Reporter"),
    ("/console/search?q=together", r'<span class="id small muted">([^<]+)</span>', "ID"),
    ("/console/settings/audit", r"<b><bdi>([^<]+</bdi></b> <bdi>[^<]+)</bdi>", "Sentence"),
    ("/console/settings/people", r'href="/console/settings/people/\d+">([^<]+)</a>', "Name"),
    ("/console/ops", r'name="letter" value="(\d+)"', "Number"),
]


@pytest.fixture
def root(api: Api) -> Visitor:
    person = sign_in(api, "root", role="admin")
    number = furnish(api)
    engine = api.engine
    for n in range(2, 120):
        put_cluster(engine, number, f"k-{n}", reporters=("r1",) if n % 2 else ("r9",), last=n, score=n % 7)
        put_decision(engine, number, f"k-{n}", f"d-{n}", "escalated" if n % 3 else "snoozed", hours=n)
    suggestion = Suggestion(unfounded=12, judged=13, by_outcome=2, by_decision=10, period_seconds=86_400, clusters=())
    with write(engine) as connection:
        claims.claim(connection, number, [f"k-{n}" for n in range(2, 70)], by="root", now=api.app.state.api.now())
        warnings.save(
            connection,
            number,
            [Warned(key_of(f"w{n}"), f"w{n}", suggestion) for n in range(60)],
            (),
            watermark_us=at_us(2),
            now_us=at_us(3),
        )
        letter = {"tenant_id": number, "received_us": 0, "dead_us": at_us(1), "error": "no", "line": "c{}"}
        connection.execute(sa.insert(schema.dead_letters), [{**letter, "position": 10 + n} for n in range(45)])
    return person


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def walked(person: Visitor, path: str, row: str) -> tuple[list[str], str]:
    """What the list shows on all its pages, and where its file is."""
    shown: list[str] = []
    files: set[str] = set()
    following: str | None = path
    while following is not None:
        page = person.get(following)
        assert page.status_code == 200, page.text
        shown += [unescape(one) for one in re.findall(row, page.text)]
        files |= {unescape(one) for one in re.findall(r'href="([^"]+\.csv[^"]*)"', page.text)}
        onward = re.search(r'href="([^"#]+)[^"]*" rel="next"', page.text)
        following = unescape(onward[1]) if onward else None
    wanted = path.partition("?")[0] + ".csv" if path != "/console/ops" else "/console/ops/dead-letters.csv"
    (file,) = {one for one in files if one.partition("?")[0] == wanted}
    return shown, file


@pytest.mark.parametrize(("path", "row", "column"), LISTS)
def test_a_lists_file_has_exactly_its_rows_in_its_order(root: Visitor, path: str, row: str, column: str) -> None:
    shown, file = walked(root, path, row)
    answer = root.get(file)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv"), answer.text
    found = rows_of(answer.text)
    assert len(found) == len(shown) > 0
    assert [one[column] for one in found] == [re.sub(r"<[^>]+>", "", one) for one in shown]
    assert all(name[:1].isupper() and "_" not in name for name in found[0])  # in words


def test_every_page_with_a_list_links_to_a_file_of_it() -> None:
    without = {
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*.html")
        if '<table class="list' in (text := path.read_text()) and not re.search(r"csv", text)
    }
    assert without == set(WITHOUT_A_FILE)


def test_a_cases_lists_have_files(api: Api) -> None:
    person = sign_in(api)
    furnish(api)
    number = tenant_id(api.engine, "default")
    with write(api.engine) as connection:
        notes.add_note(connection, number, "k-1", '=HYPERLINK("x")', by="anna", now=api.app.state.api.now())
    page = person.get("/console/clusters/k-1").text
    files = {one: rows_of(person.get(f"/console/clusters/k-1/{one}.csv").text) for one in
             ("reporters", "targets", "history", "notes")}  # fmt: skip
    assert all(f'href="/console/clusters/k-1/{name}.csv"' in page for name in files)
    assert [one["Reporter"] for one in files["reporters"]] == re.findall(r'<tr data-reporter="([^"]+)"', page)
    assert [one["Target"] for one in files["targets"]] == re.findall(r'<tr data-target="([^"]+)"', page)
    assert len(files["history"]) == len(re.findall(r'<li( class="reversed")?><span class="sign"', page))
    assert [one["Text"] for one in files["notes"]] == ['\'=HYPERLINK("x")']
    times = [one["Time"] for one in files["history"]]
    assert times == sorted(times, reverse=True) and all(time.endswith("+00:00") for time in times)


def test_another_tenants_lists_are_not_in_a_file(root: Visitor) -> None:
    stranger = sign_in(root.api, "eve", role="admin", tenant="other")
    for path in (
        "clusters.csv?tab=all",
        "search.csv?q=together",
        "targets.csv",
        "reporters.csv",
        "ops/dead-letters.csv",
    ):
        assert rows_of(stranger.get(f"/console/{path}").text) == [], path
    for name in ("reporters", "targets", "history", "notes"):
        assert stranger.get(f"/console/clusters/k-1/{name}.csv").status_code == 404, name


def test_files_of_settings_are_for_admins(api: Api) -> None:
    moderator = sign_in(api)
    for path in (
        "settings/people",
        "settings/patrols",
        "settings/import",
        "ops/dead-letters",
        "ops/failing-deliveries",
    ):
        assert moderator.get(f"/console/{path}.csv").status_code == 403, path
    admin = sign_in(api, "root", role="admin")
    for path in ("settings/patrols", "settings/import", "ops/failing-deliveries"):
        assert admin.get(f"/console/{path}.csv").status_code == 200, path
    for path in ("settings/subscriptions/none/deliveries", "settings/sources/none/deliveries"):
        assert admin.get(f"/console/{path}.csv").status_code == 404, path


def test_a_file_that_is_cut_says_so(root: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "MOST_ROWS", 5)
    lines = list(csv.reader(io.StringIO(root.get("/console/clusters.csv?tab=all").text)))
    assert len(lines) == 1 + 5 + 1
    assert lines[-1] == ["Cut after 5 rows. Narrow the filters to get the rest."]
    monkeypatch.setattr(csv_files, "MOST_ROWS", 119)
    lines = list(csv.reader(io.StringIO(root.get("/console/clusters.csv?tab=all").text)))
    assert len(lines) == 1 + 119  # all of them fit: nothing is cut


def test_the_accuracy_of_each_member_is_beside_them_and_sorts_them(api: Api) -> None:
    person = sign_in(api)
    number = tenant_id(api.engine, "default")
    put_cluster(api.engine, number, "k-1", reporters=("good", "bad", "new"), targets=("t1", "t2", "t3"))
    for seq, (reporter, target) in enumerate(
        [("good", "t1"), ("good", "t2"), ("bad", "t3"), ("bad", "t2"), ("new", "t9")], 1
    ):
        put_complaint(api.engine, number, seq, reporter, target, hours=seq / 10, cluster="k-1")
    for seq, (target, verdict) in enumerate([("t1", "upheld"), ("t2", "upheld"), ("t3", "rejected")], 6):
        put_outcome(api.engine, number, seq, target, verdict, hours=3)

    def order(query: str) -> list[str]:
        page = person.get(f"/console/clusters/k-1{query}").text
        shown = re.findall(r'<tr data-reporter="([^"]+)"', page)
        link = re.search(r'href="(/console/clusters/k-1/reporters\.csv[^"]*)"', page)
        assert link is not None
        assert [one["Reporter"] for one in rows_of(person.get(unescape(link[1])).text)] == shown
        return shown

    assert order("?order=least") == ["bad", "good", "new"]
    assert order("?order=most") == ["good", "bad", "new"]  # who was never judged comes last either way
    assert set(order("")) == {"good", "bad", "new"}
    by_name = {one["Reporter"]: one for one in rows_of(person.get("/console/clusters/k-1/reporters.csv").text)}
    assert [by_name["good"][name] for name in ("Upheld", "Rejected")] == ["2", "0"]
    assert [by_name["bad"][name] for name in ("Upheld", "Rejected")] == ["1", "1"]
    assert by_name["new"]["Accuracy"] == "not judged yet" and by_name["new"]["Accuracy at least"] == ""
    low, mean, high = (float(by_name["good"][name]) for name in ("Accuracy at least", "Accuracy", "Accuracy at most"))
    assert low < mean < high
    page = texts(person.get("/console/clusters/k-1").text)
    assert "1 of 2 upheld" in page and "2 of 2 upheld" in page and "not judged yet" in page
    # The estimate alone would read like what was found, so it never stands without its interval and its name.
    assert "no action known" in page and "not reported" not in page  # it is reported; what is unknown is the action
    assert "Estimated accuracy" in page and f"{percent(mean)} ({percent(low)} to {percent(high)})" in page
    assert person.get("/console/clusters/k-1?order=sideways").status_code == 422
