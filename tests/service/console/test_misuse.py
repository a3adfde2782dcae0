"""Warned, suspended, restored (DSA Art. 23): marks and steps of people, who may record them, and what is listed."""

from __future__ import annotations

import csv
import io
from html import unescape

import httpx
import pytest
import sqlalchemy as sa
from case_world import put_complaint, put_outcome
from conftest import Api
from console_pages import texts
from console_world import Visitor, sign_in

from service.storage.accounts.tenants import tenant_id
from service.storage.sql import schema
from service.storage.sql.engine import write

NOTICE = {"notice_type": "illegal_content"}
PAGE = "/console/reporters/r%2F1/misuse"
LATER = 24 * 60  # hours: after any step that a test records


@pytest.fixture
def number(api: Api) -> int:
    """A tenant with r/1's three notices (two rejected), an ordinary complaint and one of a trusted flagger."""
    api.key()
    number = tenant_id(api.engine, "default")
    for seq in (1, 2, 3):
        put_complaint(api.engine, number, seq, "r/1", f"t{seq}", hours=24 * seq, **NOTICE)
    put_complaint(api.engine, number, 4, "r/1", "t4", hours=100)
    put_outcome(api.engine, number, 11, "t1", "rejected", hours=200)
    put_outcome(api.engine, number, 12, "t2", "rejected", hours=200)
    put_outcome(api.engine, number, 13, "t3", "rejected", hours=200, decided_by="automatic")
    put_outcome(api.engine, number, 14, "t4", "rejected", hours=200)
    return number


def show(person: Visitor) -> str:
    return unescape(person.get(PAGE, raw_path=PAGE.encode()).text)


def marks(person: Visitor, *ids: str) -> httpx.Response:
    fields = {"shown": ["c1", "c2", "c3", "c4", "c5"], "manifest": list(ids)}
    return person.post(f"{PAGE}/marks", fields, raw_path=f"{PAGE}/marks".encode())


def step(person: Visitor, name: str, **fields: str) -> httpx.Response:
    return person.post(f"{PAGE}/steps", {"step": name, **fields}, raw_path=f"{PAGE}/steps".encode())


def recorded(api: Api) -> list[tuple[str, int, int]]:
    table = schema.misuse_steps.c
    with api.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(table.step, table.manifest, table.notices))]


def test_only_rejected_notices_of_illegal_content_are_marked(api: Api, number: int) -> None:
    person = sign_in(api)
    page = show(person)
    assert ">c3<" in page and ">c4<" not in page, "a complaint under house rules is not listed"
    assert marks(person, "c1", "c2", "c3", "c4").status_code == 303
    with api.engine.connect() as connection:
        rows = connection.scalars(sa.select(schema.misuse_marks.c.row_key).order_by(schema.misuse_marks.c.row_key))
        assert [row & 0xFFFFFFFF for row in rows] == [1, 2]
    assert "3 notices, 2 of them (67 %)" in texts(show(person)).replace("\u202f", " ").replace("\xa0", " ")
    marks(person, "c2")
    assert "3 notices, 1 of them" in texts(show(person))


def test_an_appeal_that_upholds_a_notice_ends_its_mark(api: Api, number: int) -> None:
    person = sign_in(api)
    marks(person, "c1", "c2")
    put_outcome(api.engine, number, 21, "t1", "upheld", hours=300, decided_by="appeal")
    assert "3 notices, 1 of them" in texts(show(person))
    assert "1 notice of the last 90 days is marked" in step(person, "warned").text
    assert recorded(api) == []


def test_warned_then_suspended_until_then_restored(api: Api, number: int) -> None:
    person = sign_in(api)
    marks(person, "c1", "c2")
    assert "needs an earlier warning" in step(person, "suspended", suspend_for="30", gravity="many").text
    assert step(person, "warned").status_code == 303
    assert "no notice since the warning" in step(person, "suspended", suspend_for="30", gravity="many").text
    put_complaint(api.engine, number, 5, "r/1", "t5", hours=LATER, **NOTICE)
    put_outcome(api.engine, number, 15, "t5", "rejected", hours=LATER + 1)
    marks(person, "c1", "c2", "c5")
    refused = step(person, "suspended", suspend_for="3650", gravity="drowned <b>others</b>")
    assert refused.status_code == 422 and "an end within" in refused.text
    assert "drowned &lt;b&gt;others&lt;/b&gt;</textarea>" in refused.text, "what was typed is still there"
    assert step(person, "suspended", suspend_for="30", gravity="drowned <b>others</b>").status_code == 303
    page = show(person)
    assert "How grave it is: drowned <b>others</b>" in page and "Until 20" in page
    assert step(person, "suspended", suspend_for="30", gravity="again").status_code == 422
    assert step(person, "restored").status_code == 303
    assert recorded(api) == [("warned", 2, 3), ("suspended", 3, 4), ("restored", 3, 4)]
    listed = texts(person.get("/console/misuse").text)
    assert "July to December" in listed and "processed again" in listed
    rows = list(csv.reader(io.StringIO(person.get("/console/misuse.csv").text)))
    assert [row[1] for row in rows[1:]] == ["restored", "suspended", "warned"] and rows[2][3] and rows[2][8]


def test_a_viewer_and_another_tenant_record_nothing(api: Api, number: int) -> None:
    viewer = sign_in(api, "vera", role="viewer")
    assert "Record a step" not in show(viewer)
    assert (marks(viewer, "c1").status_code, step(viewer, "warned").status_code) == (403, 403)
    stranger = sign_in(api, "otto", tenant="others")
    assert stranger.get(PAGE, raw_path=PAGE.encode()).status_code == 404
    marks(stranger, "c1", "c2")
    assert step(stranger, "warned").status_code in (404, 422)
    assert recorded(api) == [] and "0 of them" in texts(show(viewer))


def test_a_trusted_flagger_s_notices_are_not_listed(api: Api, number: int) -> None:
    with write(api.engine) as connection:
        table = schema.complaints
        connection.execute(
            sa.update(table)
            .where(table.c.id == "c1")
            .values(content=sa.func.replace(table.c.content, '"id": "r/1"', '"id": "r/1", "trusted": true'))
        )
    page = show(sign_in(api))
    assert ">c1<" not in page and ">c2<" in page


def test_a_report_of_several_targets_is_one_notice(api: Api, number: int) -> None:
    with write(api.engine) as connection:
        table = schema.complaints
        connection.execute(sa.update(table).where(table.c.id == "c2").values(act_key=number << 40 | 1))
    page = show(sign_in(api))
    assert ">c1<" in page and ">c2<" not in page


def test_who_never_complained_has_no_page(api: Api, number: int) -> None:
    assert sign_in(api).get("/console/reporters/nobody/misuse").status_code == 404


def test_old_notices_no_longer_count(api: Api, number: int) -> None:
    put_complaint(api.engine, number, 6, "r/1", "t6", hours=-24 * 100, **NOTICE)
    put_outcome(api.engine, number, 16, "t6", "rejected", hours=-24 * 99)
    assert ">c6<" not in show(sign_in(api))
