"""Evidence of a case, handed on; and a hostile case on every page."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser

import networkx as nx
import pytest
from case_scenes import put_case, put_removal
from case_world import START, put_decision
from conftest import Api, RedisClients
from console_world import Visitor, sign_in

from service.console.pseudonyms import ExportNames
from service.model import Evidence
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.cases.notes import add_note
from service.storage.sql.engine import write

NOW = START + timedelta(days=60)
CASE = "/console/clusters/k1"
HOSTILE = '<script>alert("{0}")</script>"\'&amp;<img src=x onerror=alert(1)>\u202e'


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    api = make_api(fake_redis)
    api.key("default")
    api.app.state.api.now = lambda: NOW
    return api


@pytest.fixture
def anna(desk: Api) -> Visitor:
    tenant = tenant_id(desk.engine, "default")
    put_case(desk.engine, tenant)
    put_removal(desk.engine, tenant, "comment/0", seq=900, hours=3)
    put_decision(desk.engine, tenant, "k1", "d-1", "escalated", note="seen before")
    with write(desk.engine) as connection:
        add_note(connection, tenant, "k1", "compare with May", by="bob", now=NOW)
    return sign_in(desk)


def test_json_has_everything_that_is_known(anna: Visitor) -> None:
    answer = anna.get(f"{CASE}/export.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="case-k1.json"'
    body = answer.json()
    assert body["schema"] == "brigadewatch.case/1" and not body["pseudonymised"]
    assert (len(body["reporters"]), len(body["targets"]), len(body["complaints"])) == (8, 6, 48)
    assert (
        body["targets"][0]["action"] == "removed"
        and body["targets"][0]["complaints"] == 10
        and body["targets"][0]["independent_complaints"] < 10
    )
    assert {entry["who"] for entry in body["history"]} == {"The detector", "The platform, automatically", "ann", "bob"}
    assert body["complaints"][0]["text"] and body["cluster"]["evidence"]


def test_csv_has_one_line_per_complaint_and_no_formulas(desk: Api) -> None:
    put_case(desk.engine, tenant_id(desk.engine, "default"), say="=HYPERLINK({0})")
    answer = sign_in(desk).get(f"{CASE}/export.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (
        len(rows) == 48
        and rows[0]["text"].startswith("'=HYPERLINK(")
        and rows[0]["withdrawn"] == "no"
        and rows[0]["occurred_at"].endswith("Z")
    )
    assert not any(value.startswith("=") for row in rows for value in row.values() if value)


@pytest.mark.parametrize(("view", "nodes"), [("bipartite", 14), ("co-report", 8)])
def test_graphml_is_read_back_by_networkx(anna: Visitor, view: str, nodes: int) -> None:
    answer = anna.get(f"{CASE}/export.graphml?view={view}")
    graph = nx.read_graphml(io.BytesIO(answer.content))
    assert graph.number_of_nodes() == nodes and answer.headers["content-type"] == "application/graphml+xml"


def test_pseudonyms_replace_names_everywhere_and_consistently(anna: Visitor) -> None:
    plain = anna.get(f"{CASE}/export.json").json()
    ids = {r["id"] for r in plain["reporters"]} | {c["id"] for c in plain["complaints"]} | {"a-9"}
    for path in ("export.json", "export.csv", "export.graphml", "print"):
        text = anna.get(f"{CASE}/{path}?pseudonymise=1").text
        words = set(re.findall(r"[A-Za-z0-9_-]+", text))
        assert not ids & words, path
        assert "P-1" in words, path
    body = anna.get(f"{CASE}/export.json?pseudonymise=1").json()
    assert body == anna.get(f"{CASE}/export.json?pseudonymise=1").json() and body["pseudonymised"]
    assert [r["id"] for r in body["reporters"]] == [f"P-{k}" for k in range(1, 9)] and body["complaints"][0][
        "id"
    ] == "C-1"
    assert {entry["who"] for entry in body["history"]} == {"The detector", "The platform, automatically", "M-1", "M-2"}
    assert any("one author" in e["text"] for e in body["cluster"]["evidence"]), (
        "the signal that names an author says it without"
    )
    assert {c["reporter_id"] for c in body["complaints"]} == {r["id"] for r in body["reporters"]}


def test_a_pseudonymised_summary_does_not_name_an_author() -> None:
    told = Evidence(
        signal="aim_author",
        value=0.9,
        usual=0.02,
        p_value=None,
        contribution=0,
        text="5 of 6 targets are by author a-9 (2 % of all targets are).",
    )
    names = ExportNames.replacing(["r"], ["a-9"])
    assert (
        names.words(
            "8 accounts; 5 of 6 targets are by author a-9 (2 % of all targets are); not judged yet.",
            [told],
        )
        == "8 accounts; 90 % of the targets are by one author (2 % of all targets are); not judged yet."
    )
    assert (
        ExportNames().words("as it is", [told]) == "as it is"
        and ExportNames().reporter("r") == "r"
        and names.author(None) is None
    )


def test_the_print_view_has_the_charts_and_needs_no_javascript(anna: Visitor) -> None:
    page = anna.get(f"{CASE}/print")
    assert page.status_code == 200 and "<script" not in page.text and "style=" not in page.text
    pictures = re.findall(r"<svg.*?</svg>", page.text, re.S)
    assert {re.search(r'class="(\w+)"', picture)[1] for picture in pictures} >= {"raster", "burst", "network"}  # type: ignore[index]
    for picture in pictures:
        ET.fromstring(picture)
    assert "personal data" in page.text and "seen before" in page.text and "compare with May" in page.text


def test_the_print_view_says_when_stored_ids_are_pseudonyms(desk: Api, anna: Visitor) -> None:
    with write(desk.engine) as connection:
        change_settings(connection, tenant_id(desk.engine, "default"), actor="test", now_us=1, pseudonyms=True)
    assert (
        "this service&#39;s pseudonyms" in anna.get(f"{CASE}/print").text
        or "this service’s pseudonyms" in anna.get(f"{CASE}/print").text
    )


class Elements(HTMLParser):
    """Which elements and attributes a page really has."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str | None] = []
        self.handlers: list[str] = []
        self.images = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            self.scripts.append(given.get("src"))
        self.images += tag == "img" and given.get("src") == "x"
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        for name in ("href", "src", "action"):
            assert not (given.get(name) or "").strip().lower().startswith(("javascript:", "data:text")), given

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_case_with_forty_targets_and_script_tags_in_every_field_shows_them_as_text(desk: Api) -> None:
    tenant = tenant_id(desk.engine, "default")
    put_case(desk.engine, tenant, people=9, targets=40, say=HOSTILE)
    with write(desk.engine) as connection:
        add_note(connection, tenant, "k1", HOSTILE.format("note"), by=HOSTILE.format("bob"), now=NOW)
    put_decision(desk.engine, tenant, "k1", "d-1", "escalated", note=HOSTILE.format("decision"))
    anna = sign_in(desk)
    for path in (
        CASE,
        f"{CASE}?page=3",
        f"{CASE}/print",
        f"{CASE}/print?pseudonymise=1",
        f"{CASE}/tables/raster",
        f"{CASE}/tables/pairs",
    ):
        answer = anna.get(path)
        assert answer.status_code == 200, path
        page = Elements()
        page.feed(answer.text)
        assert all(source and source.startswith("/console/static/") for source in page.scripts), path
        assert not page.handlers and not page.images, path
        shown = "".join(page.text)
        assert '<script>alert("' in shown, path
        assert "\u202e" not in shown and "\\u{202e}" in shown, "what reorders text is written out"
    for path in (f"{CASE}/export.json", f"{CASE}/pictures.json", f"{CASE}/graph.json"):
        answer = anna.get(path)
        assert (
            answer.status_code == 200
            and answer.headers["content-type"].startswith("application/json")
            and answer.headers["x-content-type-options"] == "nosniff"
        )
    ET.fromstring(anna.get(f"{CASE}/export.graphml").text)
    part = Elements()
    part.feed(anna.get(CASE, htmx=True).text)
    assert not part.scripts and not part.handlers and not part.images
