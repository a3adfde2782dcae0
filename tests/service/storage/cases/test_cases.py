"""Clusters in SQL: lists page by page, one case, its log, and the write of a decision."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import START, at_us, put_cluster, put_complaint, put_decision
from sqlalchemy import Engine

from service.errors import NotFound, StaleVersion
from service.model import Cluster, ClusterItem, DecisionRequest
from service.storage.accounts.tenants import create_tenant
from service.storage.cases.case_decisions import GivenVerdict, list_decisions, record_decision, verdicts_of
from service.storage.cases.cases import Sort, list_clusters, list_complaints, read_cluster, read_ties
from service.storage.cases.cluster_filters import ClusterFilter, filter_of
from service.storage.cases.overview import read_cases
from service.storage.sql import schema
from service.storage.sql.engine import write

NOW = START + timedelta(days=1)
ANY = ClusterFilter(disposition=None, status=None)


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", 0)


def walk(
    engine: Engine,
    tenant: int,
    chosen: ClusterFilter,
    sort: Sort = "-last_at",
    limit: int = 3,
    between: Callable[[], None] | None = None,
) -> list[ClusterItem]:
    """All pages, one after another."""
    items: list[ClusterItem] = []
    after = None
    while True:
        with engine.connect() as connection:
            page, after = list_clusters(connection, tenant, chosen, sort=sort, after=after, limit=limit, now=NOW)
        items += page
        assert len(page) <= limit
        if after is None:
            return items
        if between is not None:
            between()


def found(engine: Engine, tenant: int, **chosen: Any) -> set[str]:
    return {item.id for item in walk(engine, tenant, ClusterFilter(**chosen))}


def decided(
    engine: Engine, tenant: int, cluster_id: str, verdict: str = "coordinated", decision_id: str = "d1", **fields: Any
) -> Cluster:
    with write(engine) as connection:
        request = DecisionRequest(verdict=verdict, reason_code="brigade", version=fields.pop("version", 1), **fields)
        return record_decision(connection, tenant, cluster_id, request, decision_id=decision_id, by="ann", now=NOW)


@pytest.mark.parametrize("sort", ["-last_at", "-first_at", "-score", "-reporter_count"])
def test_pages_put_together_are_the_whole_list_sorted_with_ties_by_id(engine: Engine, tenant: int, sort: Sort) -> None:
    for i in range(14):
        put_cluster(
            engine,
            tenant,
            f"k{(i * 5) % 14:02}",
            first=-(i % 4),
            last=i // 5,
            score=(i % 3) / 3,
            reporters=[f"r{n}" for n in range(3 + i % 2)],
        )
    key: Callable[[ClusterItem], Any] = {
        "-last_at": lambda k: k.last_at,
        "-first_at": lambda k: k.first_at,
        "-score": lambda k: k.score,
        "-reporter_count": lambda k: k.reporter_count,
    }[sort]
    expected = sorted(sorted(walk(engine, tenant, ANY, limit=100), key=lambda k: k.id), key=key, reverse=True)
    for limit in (1, 3, 13, 14):
        assert [k.id for k in walk(engine, tenant, ANY, sort, limit)] == [k.id for k in expected]


def test_what_is_inserted_or_removed_between_pages_neither_repeats_nor_hides_the_rest(
    engine: Engine, tenant: int
) -> None:
    for i in range(9):
        put_cluster(engine, tenant, f"k{i}", last=i)
    added: list[str] = []

    def meanwhile() -> None:
        added.append(f"new{len(added)}")
        put_cluster(engine, tenant, added[-1], last=100)
        with write(engine) as connection:
            connection.execute(
                sa.update(schema.clusters).where(schema.clusters.c.id == "k8").values(disposition="merged")
            )

    assert [item.id for item in walk(engine, tenant, ClusterFilter(), limit=2, between=meanwhile)] == [
        f"k{i}" for i in reversed(range(9))
    ]


def test_the_default_is_flagged_and_open_or_escalated_and_any_is_all(engine: Engine, tenant: int) -> None:
    for disposition in ("flagged", "reliable", "revoked", "merged", "held_back"):
        for status in ("open", "escalated", "decided"):
            put_cluster(engine, tenant, f"{disposition}-{status}", disposition=disposition, status=status)
    assert found(engine, tenant) == {"flagged-open", "flagged-escalated"}
    assert len(walk(engine, tenant, ANY)) == 15
    assert found(engine, tenant, disposition=frozenset({"held_back", "revoked"}), status=frozenset({"decided"})) == {
        "held_back-decided",
        "revoked-decided",
    }


def test_a_snooze_that_ran_out_is_listed_and_shown_as_open(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "asleep", status="snoozed", snooze_until_us=at_us(25))
    put_cluster(engine, tenant, "awake", status="snoozed", snooze_until_us=at_us(24))
    assert found(engine, tenant) == {"awake"}
    assert found(engine, tenant, status=frozenset({"snoozed"})) == {"asleep"}
    assert {item.id: item.status for item in walk(engine, tenant, ANY)} == {"asleep": "snoozed", "awake": "open"}


def test_filters_by_kind_score_member_target_and_author(engine: Engine, tenant: int) -> None:
    put_cluster(
        engine, tenant, "k1", reporters=["ann", "bob"], excluded=["bob"], targets=["t1"], author="au", score=2.5
    )
    put_cluster(engine, tenant, "k2", reporters=["bob", "cyd"], targets=["t1", "t2"], kind="one_shot", score=2.4)
    assert found(engine, tenant, kind="one_shot") == {"k2"}
    assert found(engine, tenant, min_score=2.5) == {"k1"}
    assert found(engine, tenant, reporter="ann") == {"k1"}
    assert found(engine, tenant, reporter="bob") == {"k2"}  # excluded from k1
    assert found(engine, tenant, target="t1") == {"k1", "k2"}
    assert found(engine, tenant, author="au") == {"k1"}
    assert found(engine, tenant, author="nobody") == set()


def test_since_and_until_are_half_open_and_meet_the_cluster_s_time(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k", first=2, last=4)
    for since, until, meets in [
        (0, 2, False),
        (0, 2.1, True),
        (4, 9, True),
        (4.1, 9, False),
        (3, 3.5, True),
        (None, 2, False),
        (4, None, True),
    ]:
        chosen = {
            "since_us": None if since is None else at_us(since),
            "until_us": None if until is None else at_us(until),
        }
        assert (found(engine, tenant, **chosen) == {"k"}) is meets, (since, until)


def test_filters_survive_being_written_into_a_cursor() -> None:
    chosen = ClusterFilter(
        disposition=None,
        status=frozenset({"open", "decided"}),
        kind="repeat",
        min_score=0.1,
        reporter="a,b",
        target="t",
        author="u",
        since_us=-5,
        until_us=7,
    )
    assert filter_of(chosen.named()) == chosen
    assert filter_of(ClusterFilter().named()) == ClusterFilter()
    for wrong in (
        {"disposition": "flagged"},
        {**chosen.named(), "kind": "x"},
        {**chosen.named(), "min_score": "x"},
        {**chosen.named(), "since_us": str(2**63)},
        {**chosen.named(), "colour": "red"},
    ):
        with pytest.raises(ValueError):
            filter_of(wrong)


def test_a_cluster_has_sorted_members_without_the_excluded(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k", reporters=["zoe", "ann", "bob"], excluded=["bob"], targets=["t9", "t10"])
    with engine.connect() as connection:
        cluster = read_cluster(connection, tenant, "k", now=NOW)
    assert (cluster.reporters, cluster.targets, cluster.reporter_count) == (["ann", "zoe"], ["t10", "t9"], 2)
    assert cluster.evidence[0].signal == "lockstep"


@pytest.mark.parametrize("cluster_id", ["theirs", "none", "", "a\0b", "x" * 5_000, "é" * 40])
def test_another_tenant_s_cluster_is_as_unknown_as_none(engine: Engine, tenant: int, cluster_id: str) -> None:
    other = create_tenant(engine, "other", 0)
    put_cluster(engine, other, "theirs")
    with engine.connect() as connection:
        asked: list[Callable[[], Any]] = [
            lambda: read_cluster(connection, tenant, cluster_id, now=NOW),
            lambda: read_ties(connection, tenant, cluster_id),
            lambda: list_complaints(connection, tenant, cluster_id, after=None, limit=5),
            lambda: list_decisions(connection, tenant, cluster_id, after=None, limit=5),
        ]
        for ask in asked:
            with pytest.raises(NotFound, match=r"^no such cluster$"):
                ask()
    with pytest.raises(NotFound, match=r"^no such cluster$"):
        decided(engine, tenant, cluster_id)
    assert walk(engine, tenant, ANY) == []


def test_complaints_come_oldest_first_in_pages_without_those_of_the_excluded(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k", reporters=["ann", "bob", "cyd"], excluded=["cyd"])
    for seq, reporter, hours in [(1, "ann", 5), (2, "bob", 3), (3, "cyd", 1), (4, "bob", 3)]:
        put_complaint(engine, tenant, seq, reporter, f"t{seq}", hours=hours, cluster="k")
    put_complaint(engine, tenant, 5, "ann", "t5", hours=9, cluster="k", state=schema.WITHDRAWN, exempt=True)
    pages: list[list[tuple[str, bool, bool]]] = []
    after = None
    with engine.connect() as connection:
        while not pages or after is not None:
            page, after = list_complaints(connection, tenant, "k", after=after, limit=2)
            pages.append([(one.complaint.id, one.withdrawn, one.exempt) for one in page])
    assert pages == [[("c2", False, False), ("c4", False, False)], [("c1", False, False), ("c5", True, True)]]


def test_ties_leave_out_the_withdrawn_and_the_excluded(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k", reporters=["ann", "bob"], excluded=["bob"], targets=["t1", "t2"])
    put_complaint(engine, tenant, 1, "ann", "t1", hours=1, cluster="k")
    put_complaint(engine, tenant, 2, "ann", "t2", hours=2, cluster="k", state=schema.WITHDRAWN)
    put_complaint(engine, tenant, 3, "bob", "t1", hours=3, cluster="k")
    with engine.connect() as connection:
        assert [(tie.reporter, tie.target, tie.complaints) for tie in read_ties(connection, tenant, "k")] == [
            ("ann", "t1", 1)
        ]


def test_decisions_of_merged_clusters_are_listed_on_the_survivor(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "old")
    put_cluster(engine, tenant, "mid", disposition="merged", merged_into="old")
    put_cluster(engine, tenant, "new", disposition="merged", merged_into="mid")
    for number, cluster_id in enumerate(["new", "old", "mid"]):
        put_decision(engine, tenant, cluster_id, f"d{number}")
    with engine.connect() as connection:
        first, after = list_decisions(connection, tenant, "old", after=None, limit=2)
        rest, end = list_decisions(connection, tenant, "old", after=after, limit=2)
    assert ([one.id for one in first], [one.id for one in rest], end) == (["d0", "d1"], ["d2"], None)


def test_a_decision_changes_case_members_log_and_audit_trail_together(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k", reporters=["ann", "bob", "cyd"], disposition="held_back")
    cluster = decided(engine, tenant, "k", excluded_reporters=["bob"], note="seen before")
    assert (cluster.status, cluster.disposition, cluster.version, cluster.reporters, cluster.reporter_count) == (
        "decided",
        "flagged",
        2,
        ["ann", "cyd"],
        2,
    )
    with engine.connect() as connection:
        row = connection.execute(sa.select(schema.clusters)).mappings().one()
        trail = connection.execute(sa.select(schema.audit_trail)).mappings().one()
        log, _ = list_decisions(connection, tenant, "k", after=None, limit=9)
    assert (row["verdict"], row["decided_reporters"], row["decided_targets"], row["changed_by"]) == (
        "coordinated",
        2,
        2,
        "ann",
    )
    assert [(one.id, one.note, one.excluded_reporters, one.version, one.at) for one in log] == [
        ("d1", "seen before", ["bob"], 1, NOW)
    ]
    detail = json.loads(trail["detail"])
    assert (
        trail["actor"],
        trail["action"],
        trail["subject"],
        detail["before"]["disposition"],
        detail["after"]["disposition"],
    ) == ("ann", "decision", "cluster:k", "held_back", "flagged")
    decided(engine, tenant, "k", version=2, decision_id="d2", reverses="d1")
    with engine.connect() as connection:
        assert read_cluster(connection, tenant, "k", now=NOW).reporters == ["ann", "bob", "cyd"]


def test_a_refused_decision_leaves_nothing_behind(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k", version=4, changed_by="detector")
    with pytest.raises(StaleVersion, match="version 4, changed by detector"):
        decided(engine, tenant, "k", version=3)
    with engine.connect() as connection:
        assert [
            connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in (schema.decisions, schema.audit_trail)
        ] == [0, 0]


def test_of_two_moderators_at_once_one_is_told_of_the_other(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k")
    start, answers = Barrier(2), list[object]()

    def decide(number: int) -> None:
        start.wait()
        try:
            answers.append(decided(engine, tenant, "k", decision_id=f"d{number}").version)
        except StaleVersion as error:
            answers.append((error.current_version, error.changed_by))

    threads = [Thread(target=decide, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=str) == [(2, "ann"), 2]


def test_a_verdict_that_came_with_a_merged_cluster_has_the_reason_that_was_given_there(
    engine: Engine, tenant: int
) -> None:
    cleared = {"status": "decided", "verdict": "not_coordinated", "disposition": "revoked"}
    put_cluster(engine, tenant, "k1", **cleared)
    put_cluster(engine, tenant, "k2", disposition="merged", verdict="not_coordinated", merged_into="k1")
    put_cluster(engine, tenant, "k3", disposition="merged", verdict="not_coordinated", merged_into="k2")
    put_decision(engine, tenant, "k3", "d1", "not_coordinated", reason_code="patrol")
    put_decision(engine, tenant, "k1", "d2", "not_coordinated", reason_code="other", reverses="d1")
    put_decision(engine, tenant, "k1", "d3", "not_coordinated", reason_code="other", reverses="d2")
    put_cluster(engine, tenant, "k4", **cleared)
    put_cluster(engine, tenant, "k5")
    other = create_tenant(engine, "other", 0)
    put_cluster(engine, other, "k6", **cleared)
    with engine.connect() as connection:
        found = verdicts_of(connection, tenant, ["k1", "k2", "k4", "k5", "k6", "unknown"])
        right = read_cases(connection, tenant, end_us=at_us(24), now_us=at_us(24)).right_together
    assert found == {"k1": GivenVerdict("not_coordinated", "patrol"), "k4": GivenVerdict("not_coordinated", None)}
    assert right == 1
