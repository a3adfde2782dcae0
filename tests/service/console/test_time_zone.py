"""Each person's time zone: in every time that pages show, in the dates that people enter, and told on every page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from case_scenes import put_case
from case_world import START
from conftest import Api, RedisClients
from console_world import Visitor, sign_in

import service.console
from service.console.decision_form import DecisionForm
from service.console.formatting import clock, full, offset, when
from service.console.lists import day_us
from service.console.person import Preferences
from service.console.queue_filters import read_query
from service.model import microseconds
from service.storage.accounts.tenants import tenant_id
from service.storage.sql import schema
from service.storage.sql.engine import write

KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
TEMPLATES = Path(service.console.__file__).parent / "templates"


@pytest.fixture
def anna(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Visitor:
    api = make_api(fake_redis)
    api.key("default")
    api.app.state.api.now = lambda: START + timedelta(days=9)
    put_case(api.engine, tenant_id(api.engine, "default"))
    return sign_in(api)


def test_moments_are_shown_in_the_zone_also_across_its_summer_time() -> None:
    winter, summer = datetime(2026, 1, 1, 23, 30, tzinfo=UTC), datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    assert clock(winter, winter, BERLIN) == "2 Jan, 00:30"
    assert clock(summer, winter, BERLIN) == "2 Jul, 01:30"
    assert clock(datetime(2025, 12, 31, 23, 30, tzinfo=UTC), winter, BERLIN) == "1 Jan, 00:30"  # this year, there
    assert full(summer, KOLKATA) == "Thursday, 2 July 2026, 05:00:00 UTC+05:30"
    assert offset(winter) == "UTC" and offset(summer.astimezone(BERLIN)) == "UTC+02:00"
    assert 'datetime="2026-07-01T23:30:00Z"' in when(summer, summer, KOLKATA)


def test_what_people_enter_is_a_day_or_a_time_of_their_zone() -> None:
    midnight = microseconds(datetime(2026, 3, 28, 23, tzinfo=UTC))  # in Berlin, on the day that summer time begins
    assert day_us("2026-03-29", "from", zone=BERLIN) == midnight
    assert day_us("2026-03-29", "to", end=True, zone=BERLIN) == midnight + 23 * 3_600_000_000
    filters = read_query({"since": "2026-03-29", "until": "2026-03-29"}, BERLIN).parameters()
    assert filters["since"] == "2026-03-29"
    until = DecisionForm("snoozed", snooze_until="2026-11-30T09:00", zone=KOLKATA).request(1, START).snooze_until
    assert until == datetime(2026, 11, 30, 3, 30, tzinfo=UTC)


def test_a_person_chooses_a_zone_that_every_page_tells(anna: Visitor) -> None:
    page = anna.get("/console/clusters").text
    assert "Times are in UTC." in page and 'data-zone="UTC"' in page
    assert re.search(r"since <time", page)
    before = anna.get("/console/clusters/k1").text
    assert 'value="Asia/Kolkata"' in anna.get("/console/time-zone").text
    assert anna.post("/console/time-zone", {"time_zone": "Asia/Kolkata"}).status_code == 303
    assert "Times are now in Asia/Kolkata" in anna.get("/console/time-zone").text
    for path in ("/console/clusters", "/console/clusters/k1", "/console/decisions", "/console/overview"):
        assert "Times are in Asia/Kolkata (UTC+05:30)." in anna.get(path).text, path
    after = anna.get("/console/clusters/k1").text
    assert "Or until (UTC+05:30)" in after and 'data-zone="Asia/Kolkata"' in after
    shown = [
        re.findall(r'<time class="when" datetime="([^"]+)" title="[^"]+">([^<]+) <', page) for page in (before, after)
    ]
    assert shown[0] and [iso for iso, _ in shown[0]] == [iso for iso, _ in shown[1]]
    assert all(one != other for (_, one), (_, other) in zip(*shown, strict=True))
    target = re.findall(r'href="(/console/targets/[^"]+)"', after)[0]
    for path in ("/console/decisions", "/console/overview", "/console/clusters/k1/tables/timeline", target):
        assert not re.search(r"\(UTC\)|in UTC", anna.get(path).text), path
    assert "From (UTC)" in anna.get("/console/clusters/k1/tables/timeline.csv").text
    for path in ("/console/clusters/k1/print", "/console/clusters/k1/export.csv"):  # documents stay in UTC
        assert "+05:30" not in anna.get(path).text


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "Europe/berlin", "x" * 65])
def test_an_unknown_zone_is_refused_and_one_that_is_gone_means_utc(anna: Visitor, name: str) -> None:
    assert anna.post("/console/time-zone", {"time_zone": name}).status_code == 422
    with write(anna.api.engine) as connection:
        connection.execute(sa.update(schema.users).values(preferences='{"time_zone": "Old/Place"}'))
    assert "Times are in UTC." in anna.get("/console/clusters").text
    assert Preferences.read({"time_zone": 7}).zone is UTC


def test_no_page_says_utc_beside_a_time_of_another_zone() -> None:
    for path in TEMPLATES.rglob("*.html"):
        if path.name != "case_print.html":
            assert not re.search(r"\|(?:clock|when|since)[^}]*\}\}(?:</\w+>)? UTC|\|utc\b", path.read_text()), path.name
            # "From (UTC)" over dates of the person's zone, "Times are in UTC" under a chart of it
            assert not re.search(r"\(UTC\)|[Tt]imes are in UTC", path.read_text()), path.name
