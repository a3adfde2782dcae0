"""The pages of campaigns: what they show, and joining and splitting with a preview."""

from __future__ import annotations

import re
from html import unescape

import pytest
import sqlalchemy as sa
from case_world import put_cluster, put_complaint, put_decision
from conftest import Api
from console_world import Visitor, sign_in

from service.moderation.campaign_links import measure
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import campaign_groups
from service.storage.sql import schema
from service.storage.sql.engine import write

WEEK = 7 * 24.0
BAD = "<script>alert(1)</script>"


def furnish(api: Api) -> str:
    """A campaign of two cases, one more case; the campaign's id."""
    number = tenant_id(api.engine, "default")
    people = [BAD, *(f"r{n}" for n in range(12))]
    put_cluster(api.engine, number, "k1", reporters=people, author=BAD)
    put_cluster(api.engine, number, "k2", reporters=people[3:], author=BAD, first=9 * WEEK, last=9 * WEEK + 1)
    put_cluster(api.engine, number, "x1", reporters=[f"s{n}" for n in range(6)], first=WEEK)
    put_complaint(api.engine, number, 1, "r3", "t1", cluster="k1")
    put_complaint(api.engine, number, 2, "r4", "t1", hours=9 * WEEK, cluster="k2")
    put_decision(api.engine, number, "k1", "d1")
    with write(api.engine) as connection:
        links = measure(campaign_groups.members_of_cases(connection, number))
        campaign_groups.store_links(connection, number, links)
        (campaign,) = campaign_groups.group_again(connection, number, now_us=1)
    return campaign


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture
def moderator(api: Api) -> Visitor:
    return sign_in(api, role="moderator")


def test_the_list_and_the_page_show_what_is_known(api: Api, moderator: Visitor) -> None:
    assert "No campaigns" in moderator.get("/console/campaigns").text
    campaign = furnish(api)
    assert campaign in moderator.get("/console/campaigns").text
    page = moderator.get(f"/console/campaigns/{campaign}").text
    assert "<script>alert" not in page
    text = words(page)
    assert "2 cases with 13 accounts against 1 author" in text
    assert "No complaints for 8 weeks after the week of" in text
    assert "10 of 13 and 10" in text and "joins them" in text
    assert "coordinated" in text and 'role="img"' in page
    assert campaign in moderator.get("/console/campaigns.csv").text
    assert "r3,2" in moderator.get(f"/console/campaigns/{campaign}/export.csv").text
    document = moderator.get(f"/console/campaigns/{campaign}/export.json").json()
    assert document == api.get(f"/v1/campaigns/{campaign}").json()
    assert moderator.get("/console/campaigns/cp0").status_code == 404


def test_a_case_names_its_campaign_with_the_numbers(api: Api, moderator: Visitor) -> None:
    campaign = furnish(api)
    text = words(moderator.get("/console/clusters/k2").text)
    assert f"Part of campaign {campaign} with 1 other case. 10 of 10 accounts are also in case k1 ," in text
    assert "Part of campaign" not in words(moderator.get("/console/clusters/x1").text)


def test_joining_is_previewed_recorded_and_undone(api: Api, moderator: Visitor) -> None:
    campaign = furnish(api)
    preview = words(moderator.get(f"/console/campaigns/change?case=x1&other={campaign}").text)
    assert f"Campaign {campaign}: x1 joins (2 → 3 cases)." in preview
    with api.engine.connect() as connection:
        assert connection.execute(sa.select(schema.campaign_statements)).all() == []
    fields = {"case": "x1", "other": campaign, "relation": "together", "others": ["k1", "k2"], "note": f"chat {BAD}"}
    answer = moderator.post("/console/campaigns/change", data=fields)
    assert answer.status_code == 303 and answer.headers["location"] == f"/console/campaigns/{campaign}"
    page = moderator.get(f"/console/campaigns/{campaign}").text
    assert "<script>alert" not in page and "x1 and k1 are one campaign" in words(page)
    assert "said that case x1 is one campaign with 2 other cases" in words(
        sign_in(api, "root", role="admin").get("/console/settings/audit").text
    )
    fields |= {"relation": "apart"}
    assert moderator.post("/console/campaigns/change", data=fields).status_code == 303
    with api.engine.connect() as connection:
        assert campaign_groups.belonging(connection, tenant_id(api.engine, "default")) == {
            "k1": campaign,
            "k2": campaign,
        }


def test_what_cannot_be_joined_says_why(api: Api, moderator: Visitor) -> None:
    furnish(api)
    with write(api.engine) as connection:
        connection.execute(
            sa.update(schema.clusters).where(schema.clusters.c.id == "x1").values(disposition="reliable")
        )
    page = moderator.get("/console/campaigns/change?case=x1&other=k1")
    assert "Case x1 is neither flagged nor decided as coordinated" in words(page.text)
    fields = {"case": "x1", "relation": "together", "others": ["k1"]}
    assert moderator.post("/console/campaigns/change", data=fields).status_code == 422
    assert moderator.get("/console/campaigns/change?case=nobody&other=k1").status_code == 404


def test_a_viewer_reads_and_joins_nothing(api: Api) -> None:
    viewer = sign_in(api, "vic", role="viewer")
    campaign = furnish(api)
    assert "Split off…" not in viewer.get(f"/console/campaigns/{campaign}").text
    assert "needs the moderator role" in viewer.get(f"/console/campaigns/change?case=x1&other={campaign}").text
    fields = {"case": "x1", "relation": "together", "others": ["k1"]}
    assert viewer.post("/console/campaigns/change", data=fields).status_code == 403
