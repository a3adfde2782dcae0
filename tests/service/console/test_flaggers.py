"""The registry of trusted flaggers in the console (DSA Art. 22): entries, the pattern of one flagger, what has
priority, and what other pages say by it.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import at_text, put_cluster, put_complaint, put_outcome
from conftest import Api
from console_world import Visitor, sign_in

from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.cases.brief_reads import read_dossier
from service.storage.cases.case_files import read_case_file, reporters_of
from service.storage.complaints.trusted_notices import waiting_targets
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

HERE = "/console/settings/flaggers"
HOSTILE = "<script>alert(1)</script>"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOTICE = {"notice_type": "illegal_content"}


@pytest.fixture
def root(api: Api) -> Visitor:
    return sign_in(api, "root", role="admin")


@pytest.fixture
def number(api: Api, root: Visitor) -> int:
    return tenant_id(api.engine, "default")


def enter(root: Visitor, **more: str) -> Any:
    fields = {
        "reporter": "hotline",
        "entity": "Hotline e. V.",
        "coordinator": "Bundesnetzagentur",
        "since": at_text(-24 * 30)[:10],
        "until": "",
        "area": "hate, terror",
        "note": "",
    }
    return root.post(f"{HERE}/add", {**fields, **more})


def page(root: Visitor, path: str = f"{HERE}/1") -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", unescape(root.get(path).text)).split())


def rows(root: Visitor, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(root.get(path).text)))


def row_of(root: Visitor, label: str) -> str:
    """The figures behind a label on the page of the first flagger."""
    found = re.search(rf"<bdi>{re.escape(label)}</bdi></th>(.*?)</tr>", root.get(f"{HERE}/1").text)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def test_an_entry_is_shown_and_what_cannot_be_one_is_refused_with_what_was_typed(root: Visitor) -> None:
    assert "Nobody is listed" in page(root, HERE)
    assert enter(root, entity=f"Hot {HOSTILE}", note=HOSTILE).status_code == 303
    listed = root.get(HERE)
    assert "Hot &lt;script&gt;" in listed.text and HOSTILE not in listed.text
    assert "in force" in listed.text and "hate, terror" in listed.text and "Bundesnetzagentur" in listed.text
    again = enter(root, entity="Second", since="2001-01-01")
    assert again.status_code == 422 and "end that one first" in again.text and 'value="Second"' in again.text
    for wrong, message in (
        ({"since": "tomorrow"}, "expected a day like 2026-03-01"),
        ({"since": ""}, "expected a day like"),
        ({"entity": ""}, "name of the entity is missing"),
        ({"reporter": "a\nb"}, "is not a reporter"),
        ({"reporter": "r2", "until": "1999-01-01"}, "can only end after that"),
    ):
        answer = enter(root, **wrong)
        assert answer.status_code == 422 and message in unescape(answer.text), wrong
    assert root.get(f"{HERE}/add").status_code == 303


def test_the_status_is_suspended_goes_on_and_ends_and_a_mistake_is_removed(root: Visitor) -> None:
    enter(root)
    day = at_text(-24 * 20)[:10]
    assert root.post(f"{HERE}/1/suspend", {"day": day}).status_code == 303
    assert "suspended" in page(root) and "Holds again from" in page(root)
    assert root.post(f"{HERE}/1/suspend", {"day": day}).status_code == 422
    assert root.post(f"{HERE}/1/reinstate", {"day": at_text(-24 * 10)[:10]}).status_code == 303
    assert root.post(f"{HERE}/1/end", {"day": "2100-01-01"}).status_code == 422, "ended where it was suspended"
    assert root.post(f"{HERE}/2/end", {"day": "2100-01-01"}).status_code == 303
    assert "2100-01-01" in page(root, f"{HERE}/2") and "no. 1" in page(root, f"{HERE}/2")
    assert root.post(f"{HERE}/2/remove").status_code == 303
    assert "Change the status" not in page(root, f"{HERE}/2")
    trail = page(root, "/console/settings/audit")
    for sentence in (
        "entered hotline as trusted flagger Hotline e. V. (Bundesnetzagentur) from",
        f"the status of hotline as trusted flagger is suspended from {day}",
        "hotline is a trusted flagger until 2100-01-01",
        "removed an entry about hotline from the trusted flaggers, as a mistake",
    ):
        assert sentence in trail


def test_with_pseudonyms_a_flagger_is_entered_by_the_platforms_id_and_kept_by_pseudonym(api: Api) -> None:
    api.key()
    with write(api.engine) as connection:
        change_settings(connection, tenant_id(api.engine, "default"), actor="test", now_us=1, pseudonyms=True)
    root = sign_in(api, "root", role="admin")
    assert enter(root).status_code == 303
    with api.engine.connect() as connection:
        (kept,) = connection.scalars(sa.select(schema.trusted_flaggers.c.reporter_id)).all()
        trail = connection.scalars(sa.select(schema.audit_trail.c.subject)).all()
    assert kept.startswith("p-") and "reporter:hotline" not in trail
    assert enter(root, entity="Twice").status_code == 422


@pytest.fixture
def notices(api: Api, root: Visitor, number: int) -> int:
    """Seven notices inside (two months), one outside of the area, one under the terms, one before the status, one
    withdrawn, one that is part of another, and others' complaints.
    """
    for seq in range(1, 7):
        put_complaint(api.engine, number, seq, "hotline", f"t{seq}", hours=seq, reason="Hate", **NOTICE)
    put_complaint(api.engine, number, 7, "hotline", "t7", hours=24 * 40, reason="TERROR")
    put_complaint(api.engine, number, 8, "hotline", "t8", hours=1, reason="copyright", **NOTICE)
    put_complaint(api.engine, number, 9, "hotline", "t9", hours=1, reason="hate", notice_type="terms")
    put_complaint(api.engine, number, 10, "hotline", "t10", hours=-24 * 31, reason="hate", **NOTICE)
    put_complaint(api.engine, number, 11, "hotline", "t11", hours=1, reason="hate", state=schema.WITHDRAWN, **NOTICE)
    put_complaint(api.engine, number, 12, "hotline", "t12", hours=1, reason="hate", **NOTICE)
    put_complaint(api.engine, number, 13, "r1", "t1", hours=1, reason="hate", **NOTICE)
    act = number << 40 | 1
    with write(api.engine) as connection:
        c = schema.complaints.c
        connection.execute(sa.update(schema.complaints).where(c.row_key == number << 40 | 12).values(act_key=act))
    for seq, target, verdict, hours in ((21, "t1", "upheld", 3), (22, "t2", "upheld", 3), (23, "t3", "rejected", 5)):
        action = "removed" if verdict == "upheld" else "kept"
        put_outcome(api.engine, number, seq, target, verdict, hours=hours, action=action)
    put_outcome(api.engine, number, 24, "t4", "upheld", hours=2)  # before the notice
    put_outcome(api.engine, number, 25, "t5", "rejected", hours=9, decided_by="automatic")
    put_outcome(api.engine, number, 26, "t6", "rejected", hours=9)
    put_outcome(api.engine, number, 27, "t6", None, hours=10, retracts="o26")
    put_outcome(api.engine, number, 28, "t10", "rejected", hours=10)
    enter(root)
    return number


def test_the_pattern_of_a_flagger_is_counted_inside_and_outside_of_the_status(root: Visitor, notices: int) -> None:
    assert row_of(root, "Within area and time") == "7 2 1 4 67 % (25 % to 90 %)"
    assert row_of(root, "Outside the area") == "2 0 0 2 –"
    assert row_of(root, "Outside the time") == "1 0 1 0 0 % (0 % to 78 %)"
    assert row_of(root, "Hate") == "6 2 1 3 67 % (25 % to 90 %)"
    assert row_of(root, "TERROR") == "1 0 0 1 –"
    assert row_of(root, at_text(1)[:7]).startswith("6 2 1 3")
    shown = page(root)
    assert "decided within 2 h" in shown  # 2, 1, 2 and 4 hours
    assert "of 7 notices moderators upheld 2 and rejected 1; 4 have no verdict" in shown
    assert "Outside the area of the status: of 2 notices" in shown and "To: Bundesnetzagentur" in shown


def test_the_figures_can_be_downloaded(root: Visitor, notices: int) -> None:
    listed = {row["id"]: row for row in rows(root, f"{HERE}/1/notices.csv")}
    assert listed.keys() == {f"c{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)}
    assert (listed["c1"]["place"], listed["c1"]["verdict"], listed["c1"]["action"]) == ("inside", "upheld", "removed")
    assert (listed["c9"]["place"], listed["c10"]["place"]) == ("outside area", "outside time")
    assert (listed["c4"]["verdict"], listed["c4"]["first_decided_at"]) == ("", "")
    years = rows(root, f"{HERE}/yearly.csv")
    hate = next(row for row in years if row["place"] == "inside" and row["reason"] == "Hate")
    assert [hate[name] for name in ("notices", "upheld", "rejected", "undecided", "removed")] == list("62132")
    assert hate["entity"] == "Hotline e. V." and sum(int(row["notices"]) for row in years) == 10


def test_undecided_notices_within_the_status_come_first_on_the_page_of_targets(
    api: Api, root: Visitor, notices: int
) -> None:
    with api.engine.connect() as connection:
        waiting = waiting_targets(connection, notices)
    assert [one.target_id for one in waiting] == ["t12", "t4", "t6", "t7"], "t5 was decided, if automatically"
    text = root.get("/console/targets").text
    assert text.index("without a decision") < text.index("Targets of flagged groups") and "priority" in text
    root.post(f"{HERE}/1/remove")
    assert "without a decision" not in root.get("/console/targets").text


def test_a_tenants_registry_says_nothing_about_another_tenants_complaints(api: Api, notices: int) -> None:
    api.key("other", "read")
    other = tenant_id(api.engine, "other")
    put_complaint(api.engine, other, 1, "hotline", "t1", reason="hate", **NOTICE)
    with api.engine.connect() as connection:
        assert waiting_targets(connection, other) == []
    eve = sign_in(api, "eve", role="admin", tenant="other")
    assert eve.get(f"{HERE}/1").status_code == 404


def test_notices_within_the_status_are_not_counted_as_misuse_and_others_are(
    api: Api, root: Visitor, notices: int
) -> None:
    shown = page(root, "/console/reporters/hotline/misuse")
    listed = re.findall(r'aria-label="Notice (\S+) is', root.get("/console/reporters/hotline/misuse").text)
    assert sorted(listed) == ["c10", "c8"], shown


def test_what_the_platform_sends_as_trusted_counts_only_without_an_entry(api: Api, root: Visitor, number: int) -> None:
    put_complaint(api.engine, number, 1, "hotline", "t1", reason="spam")
    with write(api.engine) as connection:
        table = schema.complaints
        content = sa.func.replace(table.c.content, '"id": "hotline"', '"id": "hotline", "trusted": true')
        connection.execute(sa.update(table).values(content=content))
    chip = "trusted flagger</span>"
    assert chip in root.get("/console/targets/t1").text
    assert rows(root, "/console/targets/t1/complaints.csv")[0]["trusted"] == "true"
    enter(root)
    assert chip not in root.get("/console/targets/t1").text
    shown = page(root, "/console/reporters/hotline")
    assert "trusted flagger: in force" in shown and "Hotline e. V., hate, terror." in shown
    assert rows(root, "/console/targets/t1/complaints.csv")[0]["trusted"] == "false"


def test_a_brief_counts_the_notices_within_the_status(api: Api, notices: int) -> None:
    with api.engine.connect() as connection:
        found = {target: read_dossier(connection, notices, target, now=NOW).figures for target in ("t1", "t7", "t8")}
    figures = {t: (f.standing, f.illegal_content_notices, f.trusted, f.trusted_notices) for t, f in found.items()}
    assert figures == {"t1": (2, 2, 1, 1), "t7": (1, 0, 1, 1), "t8": (1, 1, 0, 0)}


def test_a_case_marks_who_complained_within_the_status(api: Api, root: Visitor, number: int) -> None:
    put_cluster(api.engine, number, "k1", reporters=["hotline", "late", "r1"], targets=["t1", "t2"])
    for seq, (who, reason) in enumerate(
        (("hotline", "spam"), ("late", "spam"), ("r1", "hate"), ("hotline", "hate")), 1
    ):
        put_complaint(api.engine, number, seq, who, "t2" if seq == 4 else "t1", hours=seq, cluster="k1", reason=reason)
    enter(root)
    enter(root, reporter="late")
    with api.engine.connect() as connection:
        file = read_case_file(connection, number, "k1", now=NOW)
        rows = reporters_of(connection, number, file, [key_of(name) for name in ("hotline", "late", "r1")])
    assert [row.trusted for row in rows] == [True, False, False], "one complaint of hotline is in the area"
