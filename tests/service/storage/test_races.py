"""Two at one moment, on both databases: SQLite has one writer at a time, on PostgreSQL each has to lock what it decides
by.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import put_cluster
from interleaving import interleave
from sqlalchemy import Connection, Engine

from service.errors import LostLease, NotFound, Refused, StaleVersion
from service.intake.privacy_filter import PrivacyFilter
from service.model import DecisionRequest
from service.moderation.events import Event
from service.moderation.trusted_flaggers import FlaggerTerm
from service.settings import Settings
from service.storage.accounts import flagger_registry, policy_overrides, sessions, users
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings, settings_of
from service.storage.accounts.tenants import create_tenant, ensure_tenant
from service.storage.cases import case_decisions, claims, clusters
from service.storage.complaints.archive_reader import analysis_state_of
from service.storage.detection import allow_list, dry_runs
from service.storage.privacy import erasures, retention
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.privacy.retention import Refed
from service.storage.redis_store.leases import take_epoch
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.webhooks import outbox, sources, subscriptions

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PASSED = b"of a password"


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", 0)


@pytest.fixture
def box(settings: Settings) -> SecretBox:
    return SecretBox(settings)


def writing(engine: Engine, work: Callable[[Connection], Any]) -> Callable[[], Any]:
    """The work in a writing transaction of its own."""

    def run() -> Any:
        with write(engine) as connection:
            return work(connection)

    return run


def rows(engine: Engine, table: sa.Table) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table)).mappings())


def decided(cluster: str, name: str, tenant: int, version: int = 1) -> Callable[[Connection], Any]:
    asked = DecisionRequest(verdict="coordinated", reason_code="brigade", version=version)
    return lambda connection: case_decisions.record_decision(
        connection, tenant, cluster, asked, decision_id=f"d-{cluster}-{name}", by=name, now=NOW
    )


def test_of_two_decisions_about_one_version_the_second_is_told(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k1")
    one, other = interleave(
        engine,
        writing(engine, decided("k1", "ann", tenant)),
        writing(engine, decided("k1", "bob", tenant)),
        after="FROM cluster_members",
    )
    assert one.result().version == 2
    with pytest.raises(StaleVersion):
        other.result()


def test_decisions_are_numbered_in_the_order_in_which_they_can_be_seen(engine: Engine, tenant: int) -> None:
    """Detection reads on from the last number that it saw: a smaller one that came later would never be seen."""
    put_cluster(engine, tenant, "k1")
    put_cluster(engine, tenant, "k2")
    seen: list[tuple[int, ...]] = []

    def second() -> None:
        with write(engine) as connection:
            decided("k2", "bob", tenant)(connection)
        seen.append(tuple(row["seq"] for row in rows(engine, schema.decisions)))

    one, other = interleave(
        engine, writing(engine, decided("k1", "ann", tenant)), second, after="INSERT INTO decisions"
    )
    assert one.exception() is None and other.exception() is None
    assert seen == [(1, 2)]


def test_a_cluster_is_read_for_rewriting_in_one_piece(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k1")
    asked = DecisionRequest(verdict="coordinated", reason_code="brigade", excluded_reporters=["r3"], version=1)
    decide = writing(
        engine, lambda c: case_decisions.record_decision(c, tenant, "k1", asked, decision_id="d-1", by="ann", now=NOW)
    )
    read, decision = interleave(
        engine,
        writing(engine, lambda c: clusters.load(c, tenant, {"k1"}, lock=True)),
        decide,
        after="FROM cluster_members",
    )
    state = read.result()["k1"]
    assert (state.version, len(state.members)) == (1, 3) and decision.result().version == 2


def test_a_case_that_two_take_at_once_is_the_second_ones(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k1")
    take = {
        by: writing(engine, lambda c, by=by: claims.claim(c, tenant, ["k1"], by=by, now=NOW)) for by in ("ann", "bob")
    }
    one, other = interleave(engine, take["ann"], take["bob"], after="FROM claims")
    assert one.result() == other.result() == ["k1"]
    (held,) = rows(engine, schema.claims)
    assert held["by"] == "bob" and json.loads(rows(engine, schema.audit_trail)[-1]["detail"]) == {"from": "ann"}


def test_two_thresholds_changed_at_once_are_both_changed(engine: Engine, tenant: int) -> None:
    one, other = interleave(
        engine,
        writing(
            engine,
            lambda c: policy_overrides.change_overrides(c, tenant, put={"default_threshold": 9}, by="ann", now_us=1),
        ),
        writing(
            engine,
            lambda c: policy_overrides.change_overrides(c, tenant, put={"text_min_words": 7}, by="bob", now_us=2),
        ),
        after="FROM policy_overrides",
    )
    assert one.exception() is None
    assert (other.result().default_threshold, other.result().text_min_words) == (9, 7)


def test_of_two_dry_runs_requested_at_once_one_is_under_way(engine: Engine, tenant: int) -> None:
    request = dry_runs.request_dry_run
    requests = [
        writing(engine, lambda c, n=n: request(c, tenant, {"default_threshold": n}, by="ann", now_us=n))
        for n in (9, 10)
    ]
    one, other = interleave(engine, *requests, after="UPDATE dry_runs")
    assert {row["id"]: row["state"] for row in rows(engine, schema.dry_runs)} == {
        one.result(): "cancelled",
        other.result(): "asked",
    }


def test_the_last_two_admins_cannot_take_each_others_role(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        ann, bob = (
            users.create_user(connection, tenant, name, "admin", "h", actor="cli", now_us=1) for name in ("ann", "bob")
        )
    one, other = interleave(
        engine,
        writing(engine, lambda c: users.set_role(c, ann, "viewer", actor="bob", now_us=2)),
        writing(engine, lambda c: users.disable_user(c, bob, actor="ann", now_us=2)),
        after="UPDATE users",
    )
    assert one.exception() is None and isinstance(other.exception(), Refused)


def test_a_name_that_two_give_at_once_is_refused_to_the_second(engine: Engine, tenant: int) -> None:
    make = writing(engine, lambda c: users.create_user(c, tenant, "ann", "viewer", "h", actor="cli", now_us=1))
    one, other = interleave(engine, make, make, after="FROM users")
    assert one.exception() is None and isinstance(other.exception(), Refused)


def test_a_tenant_that_two_make_at_once_is_one(engine: Engine) -> None:
    one, other = interleave(
        engine,
        lambda: ensure_tenant(engine, "new", 1),
        lambda: ensure_tenant(engine, "new", 1),
        after="INSERT INTO tenants",
    )
    assert one.result() == other.result()


def test_a_tenant_has_one_secret_key_whoever_is_first(engine: Engine, tenant: int, box: SecretBox) -> None:
    """Two keys would make two pseudonyms of one person."""
    one, other = interleave(
        engine,
        lambda: open_privacy_filter(engine, box, tenant),
        lambda: open_privacy_filter(engine, box, tenant),
        after="INSERT INTO tenant_settings",
    )
    with engine.connect() as connection:
        stored = settings_of(connection, tenant).sealed_key
    assert stored is not None and one.result().key == other.result().key == b64decode(box.open(stored))


def test_two_settings_changed_at_once_are_both_changed(engine: Engine, tenant: int) -> None:
    one, other = interleave(
        engine,
        writing(engine, lambda c: change_settings(c, tenant, actor="cli", now_us=1, keep_text=True)),
        writing(engine, lambda c: change_settings(c, tenant, actor="cli", now_us=1, rate_per_second=5.0)),
        after="FROM tenant_settings",
    )
    assert one.exception() is None and (other.result().keep_text, other.result().rate_per_second) == (True, 5.0)


def test_two_that_put_one_reporter_on_the_list_are_told_of_each_other(engine: Engine, tenant: int) -> None:
    allow = writing(engine, lambda c: allow_list.allow(c, tenant, "r-1", note=None, by="ann", now_us=1))
    one, other = interleave(engine, allow, allow, after="FROM allowed_reporters")
    assert one.exception() is None and isinstance(other.exception(), Refused)


def test_two_that_enter_one_trusted_flagger_learn_of_each_other(engine: Engine, tenant: int) -> None:
    about = {"entity": "Hotline", "coordinator": "CnaM", "note": None, "by": "ann", "now_us": 1}
    enter = writing(
        engine,
        lambda c: flagger_registry.add_flagger(c, tenant, "r-1", term=FlaggerTerm(1), **about),  # type: ignore[arg-type]
    )
    one, other = interleave(engine, enter, enter, after="FROM trusted_flaggers")
    assert one.exception() is None and isinstance(other.exception(), Refused)


def test_two_erasures_of_one_person_are_one(engine: Engine, tenant: int, box: SecretBox) -> None:
    privacy_filter = open_privacy_filter(engine, box, tenant)
    request = writing(
        engine, lambda c: erasures.request_erasure(c, tenant, privacy_filter, box, "vera", actor="ann", now_us=1)
    )
    one, other = interleave(engine, request, request, after="FROM erasures")
    assert one.result() == other.result()


@pytest.mark.parametrize("after", ["INSERT INTO timers", "FROM erasures"])
def test_work_that_is_scheduled_while_a_job_looks_for_more_is_not_lost(
    engine: Engine, tenant: int, box: SecretBox, after: str
) -> None:
    """As jobs end: hold, look, move."""
    privacy_filter = open_privacy_filter(engine, box, tenant)
    with write(engine) as connection:
        timers.at_latest(connection, tenant, erasures.WORK, 5)

    def ends(connection: Connection) -> bool:
        timers.hold(connection, tenant, erasures.WORK, 10)
        left = bool(erasures.unfinished(connection, tenant))
        timers.move_to(connection, tenant, erasures.WORK, 99 if left else None)
        return left

    def asks(connection: Connection) -> str:
        return erasures.request_erasure(connection, tenant, privacy_filter, box, "vera", actor="ann", now_us=7)

    for first, second in ((ends, asks), (asks, ends)):
        with write(engine) as connection:
            connection.execute(sa.delete(schema.erasures))
            timers.at_latest(connection, tenant, erasures.WORK, 5)
        one, other = interleave(engine, writing(engine, first), writing(engine, second), after=after)
        assert one.exception() is None and other.exception() is None
        with engine.connect() as connection:
            assert timers.planned(connection, tenant, erasures.WORK)


def test_an_event_recorded_while_its_subscription_is_disabled_is_held_with_the_others(
    engine: Engine, tenant: int
) -> None:
    with write(engine) as connection:
        to = subscriptions.create(
            connection,
            tenant,
            url="https://a.example/",
            events=(),
            description="",
            sealed_secret="s",
            by="ann",
            now_us=1,
        )
    event = Event("reporter.warn_suggested", "r", {"reporter_id": "r"})
    one, other = interleave(
        engine,
        writing(engine, lambda c: outbox.record(c, tenant, [event], 2)),
        writing(engine, lambda c: subscriptions.disable(c, tenant, to.id, "enough", by="ann", now_us=3)),
        after="FROM subscriptions",
    )
    assert one.result() == 1 and other.result() is True
    assert [row["next_us"] for row in rows(engine, schema.deliveries)] == [None]


def test_a_secret_that_two_rotate_at_once_has_the_first_one_s_before_it(
    engine: Engine, tenant: int, box: SecretBox
) -> None:
    with write(engine) as connection:
        made = sources.add_source(connection, box, tenant, "discourse", secret="zero", now_us=1)
    rotate = [
        writing(engine, lambda c, secret=secret: sources.rotate_secret(c, box, tenant, made.id, secret, now_us=2))
        for secret in ("one", "two")
    ]
    interleave(engine, *rotate, after="FROM sources")
    with engine.connect() as connection:
        assert sources.open_secrets(sources.source_of(connection, tenant, made.id), box, 3) == ("two", "one")


def test_of_two_who_connect_a_platform_at_once_one_needs_a_namespace(
    engine: Engine, tenant: int, box: SecretBox
) -> None:
    connect = writing(engine, lambda c: sources.add_source(c, box, tenant, "discourse", secret="zero", now_us=1))
    one, other = interleave(engine, connect, connect, after="FROM sources")
    assert one.exception() is None
    assert isinstance(other.exception(), Refused)


def test_two_attempts_of_one_person_at_once_are_both_counted_and_nobody_waits_for_ever(
    engine: Engine, tenant: int
) -> None:
    with write(engine) as connection:
        ann = users.create_user(connection, tenant, "ann", "admin", "h", actor="cli", now_us=1)
    tries = writing(engine, lambda c: sessions.begin_attempt(c, "paper", "ann", "192.0.2.1", 5))
    interleave(engine, tries, tries, after='INSERT INTO "sign_in_addresses"')
    assert [row["failures"] for row in rows(engine, schema.users)] == [2] and [
        row["failures"] for row in rows(engine, schema.sign_in_addresses)
    ] == [2, 2]
    with write(engine) as connection:
        begun = sessions.begin_attempt(connection, "paper", "ann", "192.0.2.1", 5)
    in_again = writing(engine, lambda c: sessions.open_session(c, ann.id, "h", "192.0.2.1", 6, attempt=begun))
    for first, second, after in (
        (tries, in_again, 'INSERT INTO "sign_in_addresses"'),
        (in_again, tries, "UPDATE sign_in_addresses"),
        (in_again, tries, "FROM users"),
    ):
        one, other = interleave(engine, first, second, after=after)
        assert one.exception() is None and other.exception() is None


def test_no_session_begins_with_a_password_that_was_just_replaced(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        ann = users.create_user(connection, tenant, "ann", "admin", "old", actor="cli", now_us=1)
    one, other = interleave(
        engine,
        writing(engine, lambda c: users.set_password(c, ann, "new", actor="cli", now_us=2)),
        writing(
            engine,
            lambda c: sessions.open_session(c, ann.id, "old", "192.0.2.1", 3, new_password_hash="old, hashed anew"),
        ),
        after="UPDATE users",
    )
    assert one.exception() is None and other.result() is None
    assert [row["password_hash"] for row in rows(engine, schema.users)] == ["new"] and rows(
        engine, schema.sessions
    ) == []


def test_what_two_pages_prefer_at_once_is_both_kept(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        ann = users.create_user(connection, tenant, "ann", "admin", "h", actor="cli", now_us=1)
    interleave(
        engine,
        writing(engine, lambda c: users.set_preferences(c, ann.id, theme="dark")),
        writing(engine, lambda c: users.set_preferences(c, ann.id, keys=False)),
        after="SELECT users.preferences",
    )
    assert json.loads(rows(engine, schema.users)[0]["preferences"]) == {"theme": "dark", "keys": False}


def test_retention_and_a_step_of_detection_are_never_under_way_together(engine: Engine, tenant: int) -> None:
    epoch = take_epoch(engine, schema.analysis_state, tenant)

    def step(connection: Connection) -> None:
        if analysis_state_of(connection, tenant, lock=True).epoch != epoch:
            raise LostLease("another")

    deletes = writing(
        engine, lambda c: retention.delete_step(c, tenant, 10, Refed(), PrivacyFilter(), now_us=20, window_seconds=1)
    )
    for first, second in ((writing(engine, step), deletes), (deletes, writing(engine, step))):
        one, other = interleave(engine, first, second, after="FROM analysis_state")
        assert one.exception() is None and other.exception() is None


def test_a_source_that_is_removed_while_its_poll_ends_is_left_alone(
    engine: Engine, tenant: int, box: SecretBox
) -> None:
    with write(engine) as connection:
        made = sources.add_source(
            connection, box, tenant, "lemmy", secret="token", url="https://lemmy.example", now_us=1
        )
    removed, ended = interleave(
        engine,
        writing(engine, lambda c: sources.remove_source(c, tenant, made.id, now_us=2)),
        writing(engine, lambda c: sources.lock_source(c, made)),
        after="UPDATE sources",
    )
    assert removed.exception() is None and ended.result() is None
    with pytest.raises(NotFound), engine.connect() as connection:
        sources.source_of(connection, tenant, made.id)
