"""The outbox: once by what it says, in the transaction that made it true."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select

from service.moderation.events import EVENT_TYPES, Event
from service.storage.accounts.tenants import create_tenant
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.storage.sql.outbox_rows import delivery_id, event_id
from service.storage.sql.schema import deliveries, delivery_attempts, events, subscriptions
from service.storage.webhooks.outbox import forget_before, record

FLAGGED = Event("cluster.flagged", "k1", {"cluster_id": "k1", "reporter_count": 25, "summary": "ä 😀 </script>"})
GROWN = Event("cluster.grown", "k1:7", {"cluster_id": "k1"})


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", 0)


def subscribe(engine: Engine, tenant: int, name: str, *types: str, disabled_us: int | None = None) -> None:
    with write(engine) as connection:
        connection.execute(
            insert(subscriptions).values(
                id=name,
                tenant_id=tenant,
                url="https://example.org",
                events=json.dumps(types),
                secret="sealed",
                created_us=1,
                disabled_us=disabled_us,
            )
        )


def rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def test_an_event_is_kept_once_however_often_it_is_found(engine: Engine, tenant: int) -> None:
    subscribe(engine, tenant, "all")
    with write(engine) as connection:
        assert record(connection, tenant, [FLAGGED, FLAGGED], 10) == 1
    with write(engine) as connection:
        assert (
            record(connection, tenant, [Event("cluster.flagged", "k1", {"cluster_id": "changed since"}), GROWN], 20)
            == 1
        )
    kept = {row.id: row for row in rows(engine, events)}
    assert set(kept) == {event_id(tenant, FLAGGED), event_id(tenant, GROWN)}
    first = kept[event_id(tenant, FLAGGED)]
    assert (first.type, first.at_us, json.loads(first.data)) == ("cluster.flagged", 10, FLAGGED.data)
    assert len(rows(engine, deliveries)) == 2
    assert all(row.id.startswith("evt_") and len(row.id) <= 40 for row in kept.values())


def test_type_key_and_tenant_make_the_id_and_nothing_else(engine: Engine) -> None:
    ids = {event_id(1, Event(kind, key)) for kind in EVENT_TYPES for key in ("a", "b", "", "a:b")} | {
        event_id(2, Event("cluster.flagged", "a"))
    }
    assert len(ids) == 4 * len(EVENT_TYPES) + 1
    assert event_id(1, Event("cluster.flagged", "a", {"x": 1})) == event_id(1, Event("cluster.flagged", "a"))
    assert delivery_id("a", "bc") != delivery_id("ab", "c")


def test_each_subscription_gets_what_it_wants_and_a_disabled_one_nothing(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    subscribe(engine, tenant, "all")
    subscribe(engine, tenant, "grown", "cluster.grown", "target.hold")
    subscribe(engine, tenant, "off", disabled_us=5)
    subscribe(engine, other, "theirs")
    with write(engine) as connection:
        record(connection, tenant, [FLAGGED, GROWN], 10)
        assert timers.due(connection, 10) == [("deliver", "paper")]
        assert timers.due(connection, 9) == []
    sent = {
        (row.subscription_id, row.event_id, row.state, row.next_us, row.attempts) for row in rows(engine, deliveries)
    }
    assert sent == {
        (to, event_id(tenant, about), "pending", 10, 0)
        for to, about in (("all", FLAGGED), ("all", GROWN), ("grown", GROWN))
    }


def test_without_a_subscription_the_event_is_kept_and_no_job_is_asked_for(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        assert record(connection, tenant, [FLAGGED], 10) == 1
        assert timers.due(connection, 10**18) == []
    assert rows(engine, deliveries) == []


def test_no_events_cost_no_statement_and_many_cost_few(engine: Engine, tenant: int) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with write(engine) as connection:
        statements.clear()
        assert record(connection, tenant, [], 10) == 0
        assert statements == []
        assert record(connection, tenant, [Event("target.hold", str(number), {}) for number in range(1000)], 10) == 1000
        # so many rows go by way of a table beside; one statement looks for people who want to know by e-mail at once
        assert len(statements) <= (9 if engine.dialect.name == "postgresql" else 6)


def test_what_is_rolled_back_was_never_told(engine: Engine, tenant: int) -> None:
    subscribe(engine, tenant, "all")
    with pytest.raises(RuntimeError), write(engine) as connection:
        record(connection, tenant, [FLAGGED], 10)
        raise RuntimeError("the change failed")
    assert rows(engine, events) == rows(engine, deliveries) == []
    with engine.connect() as connection:
        assert timers.due(connection, 10**18) == []


@pytest.mark.parametrize(
    "wrong",
    [
        Event("cluster.exploded", "k", {}),
        Event("cluster.flagged", "k", {"x": float("nan")}),
        Event("cluster.flagged", "k", {"x": object()}),
    ],
)
def test_what_could_not_be_told_is_a_mistake_of_the_caller(engine: Engine, tenant: int, wrong: Event) -> None:
    with write(engine) as connection, pytest.raises(ValueError):
        record(connection, tenant, [wrong], 10)
    assert rows(engine, events) == []


def test_old_events_are_forgotten_with_their_log_even_what_still_waits(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    subscribe(engine, tenant, "all")
    with write(engine) as connection:
        record(connection, tenant, [FLAGGED, GROWN], 10)
        record(connection, tenant, [Event("target.hold", "t", {})], 20)
        record(connection, other, [FLAGGED], 10)
        kept = delivery_id("all", event_id(tenant, Event("target.hold", "t")))
        for delivery in (kept, delivery_id("all", event_id(tenant, GROWN))):
            connection.execute(
                insert(delivery_attempts).values(
                    delivery_id=delivery, tenant_id=tenant, at_us=10, seconds=0.1, status=200
                )
            )
        # an attempt, two deliveries, two events: nothing is left behind that lacks what it belongs to
        steps = [forget_before(connection, tenant, 20, 1) for _ in range(6)]
        assert steps == [
            {"delivery_attempts": 1},
            {"deliveries": 1},
            {"deliveries": 1},
            {"events": 1},
            {"events": 1},
            {},
        ]
    assert {row.id for row in rows(engine, events)} == {
        event_id(tenant, Event("target.hold", "t")),
        event_id(other, FLAGGED),
    }
    assert [row.id for row in rows(engine, deliveries)] == [kept]
    assert [row.delivery_id for row in rows(engine, delivery_attempts)] == [kept]
