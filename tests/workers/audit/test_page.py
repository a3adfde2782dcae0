"""The page for people: complete, safe whatever the ids hold, and readable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest
from audit_world import cluster_in, history_of, outcome

from service.charts.words import figure, label, p_value, question, share, signed
from service.model import Evidence
from service.moderation.cluster_state import ClusterState
from service.storage.complaints.feed import FeedOutcome
from service.storage.sql.hashing import key_of
from workers.audit import page
from workers.audit.history import ComplaintHistory
from workers.audit.page import page_of
from workers.audit.report import report_of
from workers.audit.scenes import AuditScope, ColumnRead, RowsRead, given_fields, scenes_of

VOID = {"base", "meta", "br", "img", "link", "hr", "input"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</style></title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "&lt;b&gt;",
    "a\u202egnp.exe",
    "x\u200by",
    "-->",
    "]]>",
    "http://elsewhere.example/",
    "日本" * 30,
    "c1",
    "</td></tr></table>",
]
EVIDENCE = (
    Evidence(signal="lockstep", value=0.8, usual=0, contribution=2.4, text="Together <b>often</b>."),
    Evidence(
        signal="aim_is_reply",
        value=1,
        usual=0.4,
        p_value=1e-5,
        contribution=0,
        text="12 of 12 targets are not replies (40 % of all targets are not).",
    ),
    Evidence(
        signal="outcomes",
        value=0,
        usual=0.4,
        contribution=0,
        text="Moderators have not reviewed any of its targets yet.",
    ),
)


class Read(HTMLParser):
    """The page's elements, checked for balance, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), attrs
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def scope_of(history: ComplaintHistory, **changed: Any) -> AuditScope:
    known = {
        "files": ("complaints.ndjson",),
        "outcome_files": (),
        "rows": RowsRead(9, 0, 0, 0, 0),
        "columns": (),
        "remarks": (),
        "reporters": 9,
        "targets": 9,
        "judged_targets": 0,
        "windows": 1,
        "window_seconds": 1_209_600,
        "step_seconds": 86_400,
        "as_of": None,
        "threshold": 8,
        "fields": given_fields(history),
        **changed,
    }
    return AuditScope(**known)


def written(
    states: list[ClusterState],
    history: ComplaintHistory,
    outcomes: Mapping[int, Sequence[FeedOutcome]] | None = None,
    notes: Sequence[str] = (),
    **scope: Any,
) -> str:
    report = report_of(states, history, "test", list(notes), judged=set(outcomes or {}))
    return page_of(report, scenes_of(states, history, outcomes or {}), scope_of(history, **scope))


def campaign(reporters: list[str], targets: list[str], **changed: Any) -> tuple[list[ClusterState], Any]:
    history = history_of([(r, t, 1000 * v + k) for v, t in enumerate(targets) for k, r in enumerate(reporters)])
    return [cluster_in(history, reporters, evidence=EVIDENCE, **changed)], history


def test_whatever_ids_files_and_notes_hold_nothing_of_it_becomes_markup() -> None:
    plain = [f"t{k}" for k in range(len(HOSTILE))]
    harmless = Read(
        written(
            *campaign(plain, plain, settle_with=tuple(map(key_of, plain)), split_from="k9"),
            notes=["a"] * len(HOSTILE),
            files=("f",) * len(HOSTILE),
            columns=tuple(ColumnRead("f", "c", "reason", "its name") for _ in HOSTILE),
            remarks=("a",) * len(HOSTILE),
        )
    )
    states, history = campaign(
        HOSTILE,
        HOSTILE,
        id=HOSTILE[0],
        summary=HOSTILE[1],
        settle_with=tuple(map(key_of, HOSTILE)),
        policy_version=HOSTILE[2],
        split_from=HOSTILE[3],
    )
    columns = tuple(ColumnRead(h, h, h, h) for h in HOSTILE)
    text = written(states, history, notes=HOSTILE, files=tuple(HOSTILE), columns=columns, remarks=tuple(HOSTILE))
    hostile = Read(text)
    assert {tag for tag, _ in hostile.elements} == {tag for tag, _ in harmless.elements}
    assert {(tag, name) for tag, attributes in hostile.elements for name in attributes} == {
        (tag, name) for tag, attributes in harmless.elements for name in attributes
    }
    assert "<script>alert(1)</script>" in hostile.text
    assert "{{ 7*7 }}" in hostile.text
    assert "a\\u{202e}gnp.exe" in hostile.text
    assert not set("\u202e\u200b") & set(text)


def test_the_page_needs_no_script_and_no_other_host() -> None:
    read = Read(written(*campaign(["ann", "bob", "cid"], ["t1", "t2"])))
    assert {tag for tag, _ in read.elements} & {"script", "link", "img", "iframe", "object", "base", "form"} == set()
    addresses = [
        value
        for _, attributes in read.elements
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset", "xlink:href")
    ]
    assert addresses
    assert all(str(a).startswith("#") for a in addresses)
    assert "url(" not in style()
    assert "@import" not in style()
    policy = next(m["content"] for m in read.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_links_and_labels_lead_to_ids_that_stand_once() -> None:
    states, history = campaign(["ann", "bob", "cid"], ["t1", "t2"])
    both = [*states, cluster_in(history, ["ann", "bob", "cid"], id="clusters", evidence=EVIDENCE)]
    read = Read(written(both, history))
    ids = Counter(attributes["id"] for _, attributes in read.elements if "id" in attributes)
    assert max(ids.values()) == 1
    asked = {str(a["href"])[1:] for a in read.all("a")} | {
        str(attributes["aria-labelledby"]) for _, attributes in read.elements if "aria-labelledby" in attributes
    }
    assert asked <= set(ids)


def test_every_picture_is_named_and_has_a_table_beside_it() -> None:
    read = Read(written(*campaign(["ann", "bob", "cid"], ["t1", "t2"])))
    pictures = [svg for svg in read.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(pictures) == len(read.all("details")) == 2
    assert all(svg["role"] == "img" for svg in pictures)
    assert "1: +1 s, 2: +1 s" in read.text  # bob in the table of the raster


def test_a_cluster_is_shown_with_its_sentence_figures_evidence_traits_and_counts() -> None:
    states, history = campaign([f"r{k}" for k in range(9)], ["t1", "t2"])
    words = Read(written(states, history, {key_of("t1"): [outcome("t1", "rejected")]})).text
    for told in (
        "Some accounts complained about the same targets.",
        "9 × 2",
        "+4.0",
        "97 %",
        "90 %",
        "Together <b>often</b>.",
        "12 of 12 targets are not replies (40 % of all targets are not).",
        "1 in 100,000",
    ):
        assert told in words
    assert "2 of them reach 8 complaints only through a group" in words
    assert words.count("hold") >= 2
    assert "1 of 2" in words  # not judged


def test_the_summary_says_what_was_looked_at_how_sure_it_is_and_what_removal_by_count_meant() -> None:
    states, history = campaign([f"r{k}" for k in range(9)], ["t1", "t2"])
    states[0] = replace(states[0], probability=0.97, unfounded_probability=0.9)
    outcomes = {key_of("t1"): [outcome("t1", "rejected")]}
    rows = RowsRead(25, 3, 1, 3, 0)
    words = Read(written(states, history, outcomes, rows=rows)).text
    for said in (
        "18 complaints by 9 accounts about 9 targets within 16 min",
        "Of 25 rows: 3 rejected because they could not be used; 1 with the id of an earlier one; 3 by an account",
        "1 flagged group with 9 accounts, which reported 2 targets.",
        "by reading the same things: 97 %. That their complaints are unfounded, if they do: 90 %.",
        "Moderators have reviewed 1 of the 2 targets. People can act together and be right",
        "5 complaints202",
        "10 complaints000",
    ):
        assert said in words, said
    assert "largely an assumption" in Read(written(states, history)).text
    nothing = Read(written([], history)).text
    assert "No group is flagged." in nothing and "does not prove that there is nothing" in nothing


def test_tables_beside_the_page_are_linked_and_an_embedded_page_keeps_its_links_to_itself() -> None:
    states, history = campaign(["ann", "bob", "cid"], ["t1", "t2"])
    scenes, scope = scenes_of(states, history, {}), scope_of(history)
    report = report_of(states, history, "test", [])
    links = {"members": "r-members.csv", "targets": "r-targets.csv"}
    beside = Read(page_of(report, scenes, scope, links))
    assert {"r-members.csv", "r-targets.csv"} <= {a["href"] for a in beside.all("a")} and not beside.all("base")
    embedded = Read(page_of(report, scenes, scope, embedded=True))
    assert [base["href"] for base in embedded.all("base")] == ["about:srcdoc"]


def test_an_aim_stands_apart_from_the_evidence() -> None:
    text = written(*campaign(["ann", "bob", "cid"], ["t1", "t2"]))
    assert text.count("12 of 12 targets are not replies") == 1
    assert text.index("What its targets have in common") < text.index("12 of 12 targets are not replies")


def test_what_was_left_out_of_a_picture_is_said() -> None:
    words = Read(written(*campaign([f"r{k}" for k in range(121)], [f"t{k}" for k in range(82)]))).text
    assert "1 reporter with fewer complaints left out." in words
    assert "2 targets with fewer complaints by members left out." in words


def test_clusters_beyond_the_drawn_stand_in_the_table_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DRAWN", 1)
    states, history = campaign(["ann", "bob", "cid"], ["t1", "t2"])
    read = Read(written([*states, cluster_in(history, ["ann", "bob", "cid"], id="k2", score=1.0)], history))
    assert len(read.all("svg")) == 2 + 4  # two pictures, four marks of the legend
    assert "1 more is in this table only" in read.text


@pytest.mark.parametrize(
    ("disposition", "changed", "why"),
    [
        ("reliable", {}, "moderators upheld its complaints"),
        (
            "revoked",
            {"revoked_because": "a sweep no longer finds it", "revoked_us": 1_772_700_000_000_000},
            "A sweep no longer finds it (since 2026-03-05 08:40 UTC)",
        ),
        ("merged", {"merged_into": "k9"}, "Merged into k9"),
        ("held_back", {}, "Held back by the daily quota"),
    ],
)
def test_a_cluster_that_is_not_flagged_is_shown_with_its_reason(
    disposition: str, changed: dict[str, Any], why: str
) -> None:
    assert why in Read(written(*campaign(["ann", "bob", "cid"], ["t1", "t2"], disposition=disposition, **changed))).text


def test_a_field_that_is_missing_is_named_with_what_it_hides() -> None:
    history = history_of([("ann", "t1", 0)], context_id="article")
    words = Read(written([], history)).text
    assert (
        "Author of the target: given in 0 % of the complaints. Where it is missing, a group that follows one author"
        " is not recognised by it." in words
    )
    assert "readers of one popular article are harder" not in words


def test_targets_to_settle_with_are_named() -> None:
    states, history = campaign(["ann", "bob", "cid"], ["t1", "t2"], settle_with=(key_of("t2"),))
    words = Read(written(states, history)).text
    assert re.search(r"Review first ?k1 ?2 of 2 ?90 % ?t2", words)


def test_no_cluster_is_said_plainly() -> None:
    words = Read(written([], history_of([("ann", "t1", 0)]))).text
    assert "No coordinated group was found among 1 complaint." in words


def test_the_same_report_gives_the_same_page() -> None:
    states, history = campaign(["ann", "bob", "cid"], ["t1", "t2"])
    assert written(states, history) == written(states, history)


# --- the style


def style() -> str:
    return (files("workers.audit") / "templates" / "page.css").read_text(encoding="utf-8")


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def schemes() -> list[dict[str, str]]:
    return [
        dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style(), re.DOTALL)
    ]


@pytest.mark.parametrize("colours", schemes(), ids=["light", "dark"])
def test_text_and_marks_stand_out_as_wcag_aa_asks(colours: dict[str, str]) -> None:
    low = {
        name: contrast(colours[name], colours["page"])
        for name in ("text", "muted", "link", "flagged", "reliable", "aside")
        if contrast(colours[name], colours["page"]) < 4.5
    }
    low |= {
        f"{name} on {ground}": c
        for name in ("lag0", "lag1", "lag2", "lag3", "muted", "text")
        for ground in ("ground", "page")
        if (c := contrast(colours[name], colours[ground])) < 3
    }
    low |= {
        f"{name} on {ground}": c
        for name in ("bar", "ring", "text")
        for ground in ("band", "page")
        if (c := contrast(colours[name], colours[ground])) < 3
    }
    assert low == {}


def test_light_and_dark_name_the_same_colours_and_every_colour_used_is_named() -> None:
    light, dark = schemes()
    assert set(light) == set(dark) == set(re.findall(r"var\(--([a-z0-9]+)\)", style()))


# --- values


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (3.0, "3"),
        (0.84523, "0.845"),
        (-1.5, "−1.5"),
        (12_345.6, "12,346"),
        (0.00002, "< 0.001"),
        (-0.00002, "> −0.001"),
        (float("inf"), "∞"),
        (float("nan"), "unknown"),
    ],
)
def test_figures(value: float, told: str) -> None:
    assert figure(value) == told


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (None, "no test"),
        (0.0, "less than 1 in a trillion"),
        (1e-13, "less than 1 in a trillion"),
        (3.4e-7, "1 in 2,900,000"),
        (0.0123, "1.23 %"),
        (1.0, "100 %"),
    ],
)
def test_p_values(p: float | None, told: str) -> None:
    assert p_value(p) == told


@pytest.mark.parametrize(
    ("probability", "told"),
    [
        (0, "0 %"),
        (0.0001, "< 0.1 %"),
        (0.00146, "0.15 %"),
        (0.5, "50 %"),
        (0.998, "99.8 %"),
        (0.9999, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_a_probability_is_never_certain_where_it_is_not(probability: float, told: str) -> None:
    assert share(probability) == told


def test_contributions_carry_their_sign() -> None:
    assert [signed(x) for x in (2.44, -12.4, 0)] == ["+2.4", "−12.4", "–"]


def test_a_signal_says_which_question_it_answers() -> None:
    def of(signal: str, contribution: float) -> str:
        return question(Evidence(signal=signal, value=0, usual=0, contribution=contribution, text=""))

    assert [of("lockstep", 0), of("outcomes", 3), of("burst", 0)] == ["coordinated?", "unfounded?", "shown only"]


def test_signals_are_named_in_words() -> None:
    assert label("near_duplicate_texts") == "Copied wording"
    assert label("a_new_signal") == "A new signal"
    assert label("aim_is_reply") == "Is reply"
