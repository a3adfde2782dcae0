"""Clusters as the detect worker keeps them: what is written comes back, and nobody's decision is overwritten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from archive_lines import archive, batches, complaint
from cluster_states import cluster_state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, update

from service.errors import StaleVersion
from service.model import Evidence
from service.moderation.cluster_state import ClusterState, Membership
from service.storage.accounts.tenants import create_tenant
from service.storage.cases import clusters
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.redis_store.leases import take_epoch
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

PEOPLE, TARGETS = range(6), range(4)


@pytest.fixture
def tenant(engine: Engine) -> int:
    """A tenant whose archive holds one complaint of each of six people about each of four targets: seq = 1 + person * 4
    + target.
    """
    number = create_tenant(engine, "paper", 0)
    create_tenant(engine, "other", 0)
    lines = [
        complaint(f"c{p}-{t}", 60 * p + t, f"r{p}", f"t{t}", target_more={"author_id": f"a{t % 2}"} if t else {})
        for p in PEOPLE
        for t in TARGETS
    ]
    archive(engine, number, take_epoch(engine, schema.ingest_state, number), batches(lines))
    return number


def state_of(identity: str, people: list[int], targets: list[int], **more: Any) -> ClusterState:
    kept = [
        Membership(1 + 4 * p + t, key_of(f"r{p}"), key_of(f"t{t}"), 1_000_000 * (60 * p + t), exempt=p == 5)
        for p in people
        for t in targets
    ]
    state = cluster_state(
        identity,
        kept,
        author_by_target={key_of(f"t{t}"): key_of(f"a{t % 2}") if t else 0 for t in targets},
        evidence=(Evidence(signal="base", value=1, usual=1, p_value=1e-9, contribution=-1.5, text="»base«"),),
        score=2.25,
        settle_with=tuple(key_of(f"t{t}") for t in targets[:2]),
        summary="six accounts; acting together, not judged yet.",
        found_us=77,
    )
    return replace(state, **more)


def save(
    engine: Engine,
    tenant: int,
    before: dict[str, ClusterState],
    *changed: ClusterState,
    withdrawn: set[int] | None = None,
) -> None:
    with write(engine) as connection:
        clusters.save(connection, tenant, before, {s.id: s for s in changed}, withdrawn or set())


def load(engine: Engine, tenant: int, *ids: str) -> dict[str, ClusterState]:
    with engine.connect() as connection:
        return clusters.load(connection, tenant, ids or None)


def test_what_is_saved_comes_back_whole(engine: Engine, tenant: int) -> None:
    one = state_of(
        "k1",
        [0, 1, 2, 5],
        [0, 1, 2],
        split_from="k0",
        earlier="k9",
        revoked_us=5,
        revoked_because="why",
        verdict="coordinated",
        decided_reporters=4,
        decided_targets=3,
    )
    two = state_of("k2", [3, 4], [3], disposition="merged", merged_into="k1")
    save(engine, tenant, {}, one, two)
    assert load(engine, tenant) == {"k1": one, "k2": two}
    assert load(engine, tenant, "k2", "nobody") == {"k2": two}


def test_names_are_those_of_the_archive(engine: Engine, tenant: int) -> None:
    save(engine, tenant, {}, state_of("k1", [0, 1], [0, 1]))
    with engine.connect() as connection:
        assert set(connection.scalars(select(schema.cluster_members.c.reporter_id))) == {"r0", "r1"}
        assert {(r.target_id, r.author_id) for r in connection.execute(select(schema.cluster_targets))} == {
            ("t0", None),
            ("t1", "a1"),
        }


def test_another_tenant_s_clusters_are_not_seen(engine: Engine, tenant: int) -> None:
    save(engine, tenant, {}, state_of("k1", [0, 1], [0, 1]))
    assert load(engine, tenant + 1) == load(engine, tenant + 1, "k1") == {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(PEOPLE), min_size=1),
            st.sets(st.sampled_from(TARGETS), min_size=1),
            st.sets(st.sampled_from(PEOPLE), max_size=2),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_sequence_of_changes_ends_in_the_last_state(
    engine: Engine, tenant: int, steps: list[tuple[set[int], set[int], set[int]]]
) -> None:
    with write(engine) as connection:
        for table in (schema.cluster_complaints, schema.cluster_targets, schema.cluster_members, schema.clusters):
            connection.execute(table.delete())
    before: dict[str, ClusterState] = {}
    for version, (people, targets, out) in enumerate(steps, 1):
        whole = state_of("k1", sorted(people), sorted(targets), version=version, found_us=77)
        gone = frozenset(key_of(f"r{p}") for p in out) & whole.members
        state = replace(whole, members=whole.members - gone, excluded=gone)
        save(engine, tenant, before, state)
        loaded = load(engine, tenant)["k1"]
        assert loaded == replace(state, settle_with=loaded.settle_with)
        before = {"k1": loaded}


def test_a_decision_that_came_in_between_is_not_overwritten(engine: Engine, tenant: int) -> None:
    first = state_of("k1", [0, 1, 2], [0, 1])
    save(engine, tenant, {}, first)
    with write(engine) as connection:
        connection.execute(
            update(schema.clusters).values(version=2, status="decided", verdict="not_coordinated", changed_by="ann")
        )
    with pytest.raises(StaleVersion, match="k1"):
        save(engine, tenant, {"k1": first}, replace(first, score=9.0))
    stored = load(engine, tenant)["k1"]
    assert (stored.status, stored.score) == ("decided", 2.25)


def test_a_new_score_names_nobody_as_the_one_who_changed_it(engine: Engine, tenant: int) -> None:
    first = state_of("k1", [0, 1, 2], [0, 1])
    save(engine, tenant, {}, first)
    with write(engine) as connection:
        connection.execute(update(schema.clusters).values(changed_by="ann"))
    save(engine, tenant, {"k1": first}, replace(first, score=9.0))
    with engine.connect() as connection:
        assert connection.scalar(select(schema.clusters.c.changed_by)) == "ann"
    save(engine, tenant, {"k1": first}, replace(first, disposition="revoked", version=2))
    with engine.connect() as connection:
        assert connection.scalar(select(schema.clusters.c.changed_by)) == "detector"


def test_a_withdrawn_complaint_stays_to_be_seen_and_counts_no_more(engine: Engine, tenant: int) -> None:
    first = state_of("k1", [0, 1, 2], [0, 1])
    save(engine, tenant, {}, first)
    kept = {s: m for s, m in first.memberships.items() if s not in (1, 5)}
    save(engine, tenant, {"k1": first}, replace(first, memberships=kept), withdrawn={1})
    assert load(engine, tenant)["k1"].memberships == kept
    with engine.connect() as connection:
        rows = {r.row_key & (1 << SEQ_BITS) - 1: r.gone for r in connection.execute(select(schema.cluster_complaints))}
    assert rows == {**dict.fromkeys(kept, False), 1: True}, "5 only left the cluster"
    save(
        engine,
        tenant,
        {"k1": replace(first, memberships=kept)},
        replace(first, memberships={**kept, 1: first.memberships[1]}),
    )
    assert load(engine, tenant)["k1"].memberships == {**kept, 1: first.memberships[1]}


def test_the_verdict_is_noted_on_every_complaint_it_was_made_about_and_taken_off_again(
    engine: Engine, tenant: int
) -> None:
    save(engine, tenant, {}, state_of("k1", [0, 1], [0, 1]), state_of("k2", [2, 3], [0, 1]))
    for verdict in ("coordinated", None):
        with write(engine) as connection:
            clusters.mark_judged(connection, "k1", verdict)
        stored = load(engine, tenant)
        assert {m.verdict for m in stored["k1"].memberships.values()} == {verdict}
        assert {m.verdict for m in stored["k2"].memberships.values()} == {None}


def test_summaries_speak_of_standing_clusters_only(engine: Engine, tenant: int) -> None:
    one, two, merged = (
        state_of("k1", [0, 1, 2], [0, 1]),
        state_of("k2", [3, 4, 5], [1]),
        state_of("k3", [0, 1], [0, 1, 2], disposition="merged"),
    )
    told = clusters.summaries([one, two, merged])
    assert {t: [c.id for c in s.clusters] for t, s in told.items()} == {
        key_of("t0"): ["k1"],
        key_of("t1"): ["k1", "k2"],
    }
    assert clusters.summaries([one, two], {key_of("t0")}).keys() == {key_of("t0")}
    share = next(c for c in told[key_of("t1")].clusters if c.id == "k2")
    assert share.complaints == 3
    # Two of k2's three may be discounted (the third is exempt): each counts 1 / (1 + .45).
    assert clusters.summaries([two])[key_of("t1")].discount == pytest.approx(2 * (1 - 1 / 1.45))


def test_nothing_is_left_of_what_a_cluster_lost(engine: Engine, tenant: int) -> None:
    first = state_of("k1", [0, 1, 2, 3], [0, 1, 2])
    save(engine, tenant, {}, first)
    second = state_of("k1", [1, 2], [1], version=2)
    save(engine, tenant, {"k1": first}, second)
    with engine.connect() as connection:
        counts = [
            connection.scalar(select(func.count()).select_from(t))
            for t in (schema.cluster_members, schema.cluster_targets, schema.cluster_complaints)
        ]
    assert counts == [2, 1, 2]
