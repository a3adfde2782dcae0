"""The shift report: every number is the number of rows of the list that it links to, at the borders too."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import at_us, put_cluster, put_decision
from conftest import Api
from console_pages import furnish, texts
from console_world import Visitor, sign_in

from service.console.shift_words import TITLES, section_of
from service.model import microseconds, moment
from service.storage.accounts import audit_log
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import claims
from service.storage.cases.shift_report import ShiftGroup
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write

HOUR_US = 3_600_000_000
START, END = moment(at_us(10)), moment(at_us(18))
SHIFT = {"since": START.isoformat(), "until": END.isoformat()}


@pytest.fixture
def anna(api: Api) -> Visitor:
    api.app.state.api.now = lambda: END
    person = sign_in(api)
    number = furnish(api)
    with write(api.engine) as connection:  # as many as Redis says: t/1 is on hold
        connection.execute(sa.update(schema.targets).where(schema.targets.c.tenant_id == number).values(complaints=12))
    return person


def number_of(anna: Visitor) -> int:
    return tenant_id(anna.api.engine, "default")


def report(person: Visitor, **times: str) -> str:
    answer = person.get("/console/shift", params={**SHIFT, **times})
    assert answer.status_code == 200, answer.text
    return answer.text


def numbers(page: str) -> dict[str, int]:
    """The total of each part."""
    found = re.findall(r'data-part="([^"]+)"[^>]*><b>([\d,]+)</b>', page)
    return {part: int(number.replace(",", "")) for part, number in found}


def links(page: str) -> list[tuple[str, int]]:
    """Every number of the report, with where it leads."""
    found = re.findall(r'<a href="(/console/shift/list[^"]+)" data-[^>]+>(?:<b>)?([\d,]+)(?:</b>)?</a>', page)
    return [(unescape(url), int(number.replace(",", ""))) for url, number in found]


def listed(person: Visitor, url: str) -> int:
    count, following = 0, url
    while following:
        page = person.get(following)
        assert page.status_code == 200, page.text
        count += len(re.findall("<tr data-row>", page.text))
        onward = re.search(r'href="([^"]+)" rel="next"', page.text)
        following = unescape(onward[1]) if onward else ""
    return count


def enter(anna: Visitor, action: str, hours: float, subject: str = "target", **detail: Any) -> None:
    with write(anna.api.engine) as connection:
        audit_log.enter(
            connection, number_of(anna), actor="ben", action=action, subject=subject, now_us=at_us(hours), detail=detail
        )


def busy_shift(anna: Visitor) -> None:
    engine, number = anna.api.engine, number_of(anna)
    for n in range(130):
        put_cluster(engine, number, f"n-{n}", last=11 + n / 100, disposition=("flagged", "revoked", "merged")[n % 3])
    for n, (verdict, reason) in enumerate([("coordinated", "brigade")] * 60 + [("not_coordinated", "outrage")] * 2):
        put_decision(engine, number, f"n-{n}", f"d-n{n}", verdict, hours=12 + n / 100, reason_code=reason)
    put_cluster(engine, number, "e-1", last=3, status="escalated")
    put_decision(engine, number, "e-1", "d-e", "escalated", hours=9)
    for name, hours in (("s-now", 17.9), ("s-first", 18), ("s-last", 25.999), ("s-late", 26)):
        put_cluster(engine, number, name, last=4, status="snoozed", snooze_until_us=at_us(hours))
    for choice in ("restored", "stands"):
        enter(anna, "restoration", 13, target="t9", choice=choice)
    enter(anna, "warning", 13, subject="reporter", reporter="r9", choice="warned")
    enter(anna, "policy", 14, subject="policy", before={}, after={"flag_score": 9})
    enter(anna, "key-created", 14, subject="key:1", name="x")
    step = {"tenant_id": number, "reporter_key": 1, "reporter_id": "r9", "step": "warned", "at_us": at_us(15)}
    facts = {"manifest": 1, "notices": 2, "days": 90, "gravity": "", "intention": "", "by": "ben"}
    with write(engine) as connection:
        connection.execute(sa.insert(schema.misuse_steps).values(**step, **facts))
        claims.claim(connection, number, ["n-90", "n-93", "e-1", "n-1"], by="ben", now=START)


def test_each_number_is_the_number_of_rows_of_its_list(anna: Visitor) -> None:
    busy_shift(anna)
    page = report(anna)
    found = numbers(page)
    assert set(found) == set(TITLES)
    assert {part: found[part] for part in found if part not in ("waiting", "holds")} == {
        "new": 130,
        "decided": 62,
        "undone": 0,
        "undoing": 0,
        "restorations": 2,
        "warnings": 1,
        "misuse": 1,
        "settings": 1,  # the key is in the administrators' report alone
        "escalated": 1,
        "returning": 2,  # [18, 26)
        "claims": 3,  # n-1 is no longer flagged
    }
    assert found["holds"] == 1
    for url, number in links(page):
        assert listed(anna, url) == number, url
        rows = list(csv.DictReader(io.StringIO(anna.get(url.replace("/list?", "/list.csv?")).text)))
        assert len(rows) == number, url
    told = texts(page)
    assert "ann: coordinated (brigade)" in told and "Merged into another case" in told
    root = sign_in(anna.api, "root", role="admin")
    assert numbers(report(root))["settings"] == 2


def test_the_borders_are_half_open_and_nothing_is_counted_in_two_shifts(anna: Visitor) -> None:
    number = number_of(anna)
    for name, us in (("b-0", at_us(10) - 1), ("b-1", at_us(10)), ("b-2", at_us(18) - 1), ("b-3", at_us(18))):
        put_cluster(anna.api.engine, number, name, found_us=us)
        put_decision(anna.api.engine, number, name, f"d-{name}", "escalated", hours=0)
        with write(anna.api.engine) as connection:
            connection.execute(sa.update(schema.decisions).where(schema.decisions.c.id == f"d-{name}").values(at_us=us))
    before = {"since": moment(at_us(2)).isoformat(), "until": SHIFT["since"]}
    after = {"since": SHIFT["until"], "until": moment(at_us(26)).isoformat()}
    counted = [numbers(report(anna, **times)) for times in (before, {}, after)]
    assert [one["new"] for one in counted] == [1 + 1, 2, 1]  # k-1 of the world was found at 2
    assert [one["decided"] for one in counted] == [1 + 1, 2, 1]


def test_what_is_undone_within_the_shift_or_later_is_not_among_the_decisions(anna: Visitor) -> None:
    engine, number = anna.api.engine, number_of(anna)
    put_cluster(engine, number, "u-1", last=3)
    for name, verdict, hours, reverses in (
        ("d-a", "coordinated", 11, None),  # undone within the shift
        ("d-b", "coordinated", 12, "d-a"),
        ("d-c", "not_coordinated", 13, None),  # undone after it
        ("d-d", "not_coordinated", 20, "d-c"),
        ("d-e", "escalated", 14, None),  # undone, and that undone again: it stands
        ("d-f", "escalated", 15, "d-e"),
        ("d-g", "escalated", 16, "d-f"),
    ):
        put_decision(engine, number, "u-1", name, verdict, hours=hours, reverses=reverses)
    page = report(anna)
    found = numbers(page)
    assert (found["decided"], found["undone"], found["undoing"]) == (1, 2, 3)
    for url, count in links(page):
        assert listed(anna, url) == count, url


def test_another_tenants_shift_is_empty(anna: Visitor) -> None:
    busy_shift(anna)
    stranger = sign_in(anna.api, "eve", role="admin", tenant="other")
    assert not any(numbers(report(stranger)).values())
    page = stranger.get("/console/shift/list", params={**SHIFT, "part": "decided"}).text
    assert "Nothing in this time" in page
    enter(anna, "handover", 12, subject="shift", text="about k-1")
    assert "about k-1" in report(anna) and "about k-1" not in report(stranger)


def test_a_handover_is_seen_by_the_next_shift_and_begins_the_persons_next_report(anna: Visitor) -> None:
    text = "Watch n-90.\n<script>alert(1)</script>"
    assert anna.post("/console/shift/handover", data={"text": text}).status_code == 303
    assert anna.post("/console/shift/handover", data={"text": text}).status_code == 303  # sent twice: stored once
    with anna.api.engine.connect() as connection:
        handed = sa.select(sa.func.count()).where(schema.audit_trail.c.action == "handover")
        assert connection.scalar(handed) == 1
    anna.api.app.state.api.now = lambda: END + timedelta(hours=3)
    ben = sign_in(anna.api, "ben")
    page = ben.get("/console/shift").text
    assert "Watch n-90." in texts(page) and "anna" in texts(page) and "<script>alert" not in page
    default = re.search(r'name="since" type="datetime-local" value="([^"]+)"', page)
    mine = re.search(r'name="since" type="datetime-local" value="([^"]+)"', anna.get("/console/shift").text)
    assert default is not None and mine is not None
    assert mine[1] == END.strftime("%Y-%m-%dT%H:%M")
    assert default[1] == (END + timedelta(hours=3 - 8)).strftime("%Y-%m-%dT%H:%M")
    assert "Watch n-90." in anna.get("/console/shift.csv").text
    begun = (END - timedelta(hours=5)).isoformat()
    saved = anna.post("/console/shift/handover", data={"text": "The shift that ends.", "since": begun})
    ended = anna.get(saved.headers["location"]).text  # not an empty one that begins with the handover
    assert f'value="{(END - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M")}"' in ended
    assert f'value="{(END + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")}"' in ended
    assert f'name="since" value="{begun}"' in ended
    assert anna.post("/console/shift/handover", data={"text": "x", "since": "soon"}).status_code == 422
    late = {"text": "Later than now.", "since": (END + timedelta(hours=9)).isoformat()}
    assert anna.post("/console/shift/handover", data=late).headers["location"] == "/console/shift"
    assert anna.post("/console/shift/handover", data={"text": " "}).status_code == 422
    assert anna.post("/console/shift/handover", data={"text": "x" * 4_097}).status_code == 422
    assert (
        sign_in(anna.api, "vera", role="viewer").post("/console/shift/handover", data={"text": "x"}).status_code == 403
    )
    trail = sign_in(anna.api, "root", role="admin").get("/console/settings/audit").text
    assert "left a handover for the next shift" in trail


def test_an_erasure_replaces_a_reporters_name_in_a_handover(anna: Visitor) -> None:
    anna.post("/console/shift/handover", data={"text": "Look at r-77 first, then at k-1."})
    rewrite = ErasureRewrite(number_of(anna), {"r-77": "TOKEN"})
    found = rewrite.find(anna.api.engine)
    with write(anna.api.engine) as connection:
        rewrite.apply(connection, found)
    assert "Look at TOKEN first, then at k-1." in texts(report(anna))


def test_today_begins_at_midnight_in_the_persons_time_zone(anna: Visitor) -> None:
    at = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)  # 01:30 of the 2nd there
    anna.api.app.state.api.now = lambda: at
    anna.post("/console/time-zone", data={"time_zone": "Asia/Kolkata"})
    page = anna.get("/console/shift?period=today").text
    assert 'name="since" type="datetime-local" value="2026-11-02T00:00"' in page
    (url,) = {url for url, _ in links(page) if "part=new" in url}
    assert "since=2026-11-01T18%3A30%3A00" in url
    page = anna.get("/console/shift?since=2026-11-01T10:00&until=2026-11-01T18:00").text  # as a form sends it
    assert "since=2026-11-01T04%3A30%3A00" in links(page)[0][0]


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=2026-11-22T10:00&until=2026-11-22T10:00",
        "since=2026-01-01T00:00&until=2026-11-22T10:00",
        "since=0001-01-01T00:00",
        "until=9999-12-31T23:59",
        "period=never",
    ],
)
def test_invalid_times_give_an_error_message(anna: Visitor, query: str) -> None:
    for path in ("shift", "shift.csv"):
        assert anna.get(f"/console/{path}?{query}").status_code == 422, path
    assert anna.get("/console/shift/list?part=nothing").status_code == 422


def test_what_is_on_hold_is_unknown_without_redis_and_the_text_says_so(anna: Visitor) -> None:
    page = report(anna)
    text = re.search(r'<textarea id="shift-text"[^>]*>([^<]+)</textarea>', page)
    assert text is not None and "Targets on hold now: 1" in text[1]
    anna.api.redis.blocking.delete(redis_keys.position("default"))
    page = report(anna)
    assert "unknown: Redis is not responding" in texts(page)
    assert microseconds(END) - microseconds(START) == 8 * HOUR_US


def test_what_undoes_a_decision_has_no_reason_of_its_own() -> None:
    undoing = [ShiftGroup("ann", "coordinated", "other", 2, START), ShiftGroup("ben", "escalated", "patrol", 1, START)]
    labels = [line.label for line in section_of("undoing", undoing, {}).lines]
    assert labels == ["ann: undid “coordinated”", "ben: undid “escalated” (patrol)"]
    cleared = section_of("decided", [ShiftGroup("ann", "not_coordinated", "patrol", 1, START)], {})
    assert cleared.lines[0].label == "ann: acting together, but right (patrol)"
