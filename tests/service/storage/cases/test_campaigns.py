"""Campaigns as they are stored: found from members, changed by people and decisions, and kept under one id."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import at_us, put_cluster, put_complaint, put_decision
from sqlalchemy import Engine

from service.errors import NotFound, Refused
from service.moderation.campaign_links import measure
from service.storage.accounts.tenants import create_tenant
from service.storage.cases import campaign_groups, campaign_reads, cases
from service.storage.cases.campaign_reads import rests_of
from service.storage.cases.campaign_statements import changes_between, clusters_of, declare, preview
from service.storage.detection import allow_list
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.sql import schema
from service.storage.sql.engine import write

NOW = datetime(2026, 12, 1, tzinfo=UTC)
WEEK = 7 * 24.0
PEOPLE = [f"r{n}" for n in range(14)]


@pytest.fixture
def tenant(engine: Engine) -> int:
    """Three clusters of mostly the same fourteen accounts, weeks apart, and ten of others."""
    number = create_tenant(engine, "paper", 0)
    for place in range(3):
        members = [*PEOPLE[place : place + 12], f"by{place}"]
        put_cluster(engine, number, f"k{place}", reporters=members, author=f"a{place}", first=place * 5 * WEEK)
    for place in range(10):
        put_cluster(engine, number, f"x{place}", reporters=[f"{place}-{n}" for n in range(8)], first=place * WEEK)
    return number


def computes(engine: Engine, tenant: int) -> dict[str, frozenset[str]]:
    """What the job does; returns the campaigns by id."""
    with engine.connect() as connection:
        links = measure(campaign_groups.members_of_cases(connection, tenant))
    with write(engine) as connection:
        campaign_groups.store_links(connection, tenant, links)
        return campaign_groups.group_again(connection, tenant, now_us=at_us(0))


def says(engine: Engine, tenant: int, cluster: str, others: list[str], relation: Any, note: str | None = None) -> None:
    with write(engine) as connection:
        declare(connection, tenant, cluster, others, relation, note=note, by="ann", now=NOW)


def groups(engine: Engine, tenant: int) -> set[frozenset[str]]:
    with engine.connect() as connection:
        stored = campaign_groups.belonging(connection, tenant)
    return {frozenset(k for k, c in stored.items() if c == campaign) for campaign in stored.values()}


def changes(engine: Engine, table: sa.Table, where: Any, **values: Any) -> None:
    with write(engine) as connection:
        connection.execute(sa.update(table).where(where).values(**values))


def told(engine: Engine) -> list[tuple[str, Any]]:
    e = schema.events.c
    with engine.connect() as connection:
        rows = connection.execute(sa.select(e.type, e.data).where(e.type.startswith("campaign.")).order_by(e.type))
        return [(row.type, json.loads(row.data)) for row in rows]


def test_clusters_of_the_same_accounts_form_one_campaign_that_is_reported_once(engine: Engine, tenant: int) -> None:
    (campaign,) = computes(engine, tenant).items()
    assert campaign[1] == {"k0", "k1", "k2"}
    assert computes(engine, tenant) == dict([campaign])
    ((kind, data),) = told(engine)
    assert (kind, data["campaign_id"], data["cluster_count"]) == ("campaign.formed", campaign[0], 3)


def test_another_cluster_grows_it_under_the_same_id(engine: Engine, tenant: int) -> None:
    (campaign,) = computes(engine, tenant)
    put_cluster(engine, tenant, "k3", reporters=PEOPLE[2:], first=20 * WEEK)
    assert computes(engine, tenant) == {campaign: {"k0", "k1", "k2", "k3"}}
    assert [(kind, data.get("cluster_id")) for kind, data in told(engine)] == [
        ("campaign.formed", None),
        ("campaign.grown", "k3"),
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"disposition": "reliable"},
        {"disposition": "revoked", "verdict": "not_coordinated"},
        {"disposition": "merged", "merged_into": "x0"},
        {"disposition": "held_back"},
    ],
)
def test_a_cluster_that_is_cleared_leaves_and_comes_back_when_that_is_undone(
    engine: Engine, tenant: int, values: dict[str, str]
) -> None:
    (campaign,) = computes(engine, tenant)
    changes(engine, schema.clusters, schema.clusters.c.id == "k1", **values)
    assert computes(engine, tenant) == {campaign: {"k0", "k2"}}
    changes(
        engine, schema.clusters, schema.clusters.c.id == "k1", disposition="flagged", verdict=None, merged_into=None
    )
    assert computes(engine, tenant) == {campaign: {"k0", "k1", "k2"}}


def test_a_campaign_of_one_cluster_has_ended_and_may_form_again(engine: Engine, tenant: int) -> None:
    (campaign,) = computes(engine, tenant)
    changes(engine, schema.clusters, schema.clusters.c.id.in_(["k1", "k2"]), disposition="reliable")
    assert computes(engine, tenant) == {}
    with engine.connect() as connection:
        file = campaign_reads.read_campaign(connection, tenant, campaign, now=NOW)
        listed, _ = campaign_reads.list_campaigns(connection, tenant, after=None, limit=5)
    assert file.campaign.ended_at is not None and file.cases == () and listed == []
    changes(engine, schema.clusters, schema.clusters.c.id.in_(["k1", "k2"]), disposition="flagged")
    assert list(computes(engine, tenant)) == [campaign]
    assert [kind for kind, _ in told(engine)] == ["campaign.formed"]


def test_a_patrol_never_forms_a_campaign_and_its_members_join_none(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        for reporter in PEOPLE:
            allow_list.allow(connection, tenant, reporter, note=None, by="ann", now_us=0)
    assert computes(engine, tenant) == {}


def test_what_a_person_says_holds_at_once_and_survives_the_next_computation(engine: Engine, tenant: int) -> None:
    (campaign,) = computes(engine, tenant)
    says(engine, tenant, "x0", ["k2"], "together")
    assert groups(engine, tenant) == {frozenset({"k0", "k1", "k2", "x0"})}
    says(engine, tenant, "k0", ["k1", "k2", "x0"], "apart")
    assert groups(engine, tenant) == {frozenset({"k1", "k2", "x0"})}
    assert computes(engine, tenant) == {campaign: {"k1", "k2", "x0"}}
    says(engine, tenant, "k0", ["k1", "k2", "x0"], "together")
    says(engine, tenant, "x0", ["k0", "k1", "k2"], "apart")
    assert computes(engine, tenant) == {campaign: {"k0", "k1", "k2"}}


def test_a_statement_about_a_merged_cluster_is_about_the_one_it_went_into(engine: Engine, tenant: int) -> None:
    computes(engine, tenant)
    says(engine, tenant, "x0", ["x1"], "together")
    changes(engine, schema.clusters, schema.clusters.c.id == "x1", disposition="merged", merged_into="x2")
    assert frozenset({"x0", "x2"}) in computes(engine, tenant).values()


def test_the_preview_says_what_the_statement_does(engine: Engine, tenant: int) -> None:
    computes(engine, tenant)
    for cluster, others, relation in (
        ("x0", ["k0", "k1", "k2"], "together"),
        ("k0", ["k1", "k2", "x0"], "apart"),
        ("x1", ["x2"], "together"),
        ("x1", ["x2"], "apart"),
    ):
        with write(engine) as connection:
            expected = preview(connection, tenant, cluster, others, relation)  # type: ignore[arg-type]
            before = campaign_groups.belonging(connection, tenant)
        says(engine, tenant, cluster, others, relation)
        with engine.connect() as connection:
            stored = campaign_groups.belonging(connection, tenant)
        after: dict[str, frozenset[str]] = {}
        for one, campaign in stored.items():
            after[campaign] = after.get(campaign, frozenset()) | {one}
        assert expected == changes_between(before, after) != []


def test_a_statement_is_in_the_audit_trail_once(engine: Engine, tenant: int) -> None:
    computes(engine, tenant)
    for _ in range(2):
        says(engine, tenant, "k0", ["k1", "k2"], "apart", note="another group")
    a = schema.audit_trail.c
    with engine.connect() as connection:
        rows = connection.execute(sa.select(a.actor, a.subject, a.detail).where(a.action == "campaign")).all()
        said = campaign_reads.said_about(connection, tenant, ["k0"])
    ((actor, subject, detail),) = rows
    assert (actor, subject) == ("ann", "cluster:k0") and json.loads(detail)["cases"] == ["k1", "k2"]
    assert [(one.other_id, one.relation, one.note) for one in said] == [
        ("k2", "apart", "another group"),
        ("k1", "apart", "another group"),
    ]


@pytest.mark.parametrize("others", [[], ["k0"], ["nobody"], ["theirs"], [f"x{n}" for n in range(1_001)]])
def test_a_statement_about_nothing_itself_or_strangers_is_refused(
    engine: Engine, tenant: int, others: list[str]
) -> None:
    put_cluster(engine, create_tenant(engine, "other", 0), "theirs")
    with pytest.raises((Refused, NotFound)):
        says(engine, tenant, "k0", others, "apart")


def test_only_what_can_be_in_a_campaign_can_be_joined(engine: Engine, tenant: int) -> None:
    changes(engine, schema.clusters, schema.clusters.c.id == "x0", disposition="reliable")
    with pytest.raises(Refused, match="x0 is neither flagged nor decided"):
        says(engine, tenant, "k0", ["x0"], "together")


def test_another_tenants_clusters_are_never_in_it(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    put_cluster(engine, other, "o1", reporters=PEOPLE[:10])
    put_cluster(engine, other, "o2", reporters=PEOPLE[:10], first=WEEK)
    (mine,) = computes(engine, tenant).items()
    (theirs,) = computes(engine, other).items()
    assert theirs[1] == {"o1", "o2"} and mine[1] == {"k0", "k1", "k2"}
    with engine.connect() as connection, pytest.raises(NotFound):
        campaign_reads.read_campaign(connection, tenant, theirs[0], now=NOW)
    with engine.connect() as connection, pytest.raises(NotFound):
        clusters_of(connection, tenant, theirs[0])


def test_the_file_of_a_campaign_shows_members_authors_weeks_decisions_and_evidence(engine: Engine, tenant: int) -> None:
    for seq, (cluster, weeks) in enumerate([("k0", 0), ("k0", 0.1), ("k1", 5), ("k2", 10)], 1):
        put_complaint(engine, tenant, seq, "r3", "t1", hours=weeks * WEEK, cluster=cluster)
    put_decision(engine, tenant, "k1", "d1")
    (campaign,) = computes(engine, tenant)
    with engine.connect() as connection:
        file = campaign_reads.read_campaign(connection, tenant, campaign, now=NOW)
    assert [case.id for case in file.cases] == ["k0", "k1", "k2"]
    assert {(m.id, m.clusters) for m in file.members[:10]} == {(f"r{n}", 3) for n in range(2, 12)}
    assert file.member_count == 17 and file.author_count == 3
    assert [(a.id, a.clusters, a.targets) for a in file.authors] == [(f"a{n}", 1, 2) for n in range(3)]
    assert [(week.start.weekday(), dict(week.by_cluster)) for week in file.weeks] == [
        (0, {"k0": 2}),
        (0, {"k1": 1}),
        (0, {"k2": 1}),
    ]
    assert [rest.weeks for rest in rests_of(file.weeks)] == [4, 4]
    assert rests_of(file.weeks, at_least=5) == []
    assert [(one.id, one.cluster_id) for one in file.decisions] == [("d1", "k1")]
    assert file.overlap["k0", "k1"] == 11 == file.overlap["k1", "k0"] and file.overlap["k0", "k0"] == 13
    strongest = file.links[0]
    assert strongest.common == 11 and strongest.expected < 3 and strongest.proven


def test_a_case_names_its_campaign_and_why(engine: Engine, tenant: int) -> None:
    (campaign,) = computes(engine, tenant)
    says(engine, tenant, "x0", ["k0", "k1", "k2"], "together", note="same chat room")
    with engine.connect() as connection:
        mine = campaign_reads.campaign_of_case(connection, tenant, "k0")
        joined = campaign_reads.campaign_of_case(connection, tenant, "x0")
        assert campaign_reads.campaign_of_case(connection, tenant, "x1") is None
        assert cases.read_cluster(connection, tenant, "k0", now=NOW).campaign == campaign
        assert cases.read_cluster(connection, tenant, "x1", now=NOW).campaign is None
    assert mine is not None and (mine.id, mine.cluster_count) == (campaign, 4)
    assert {link.pair for link in mine.links} == {("k0", "k1"), ("k0", "k2")}
    assert joined is not None and joined.links == () and {one.note for one in joined.said} == {"same chat room"}


def test_lists_go_on_behind_a_key(engine: Engine, tenant: int) -> None:
    says(engine, tenant, "x0", ["x1"], "together")
    says(engine, tenant, "k0", ["k1"], "together")
    with engine.connect() as connection:
        first, key = campaign_reads.list_campaigns(connection, tenant, after=None, limit=1)
        second, end = campaign_reads.list_campaigns(connection, tenant, after=key, limit=1)
    assert end is None and first[0].last_at >= second[0].last_at and first[0].id != second[0].id


def test_an_erasure_renames_the_person_in_notes_about_either_case(engine: Engine, tenant: int) -> None:
    """A name like a word is a name in a note about the person's case, whichever of the two cases that is."""
    put_cluster(engine, tenant, "v", reporters=["vera", *(f"v{n}" for n in range(5))])
    says(engine, tenant, "x0", ["v"], "together", note="vera runs both")
    rewrite = ErasureRewrite(tenant, {"vera": "erased-1"})
    with write(engine) as connection:
        rewrite.apply(connection, rewrite.find(engine))
        ((said),) = campaign_reads.said_about(connection, tenant, ["x0"])
    assert said.note == "erased-1 runs both"
