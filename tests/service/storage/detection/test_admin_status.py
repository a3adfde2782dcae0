"""What an administrator sees of the machinery in SQL."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from service.model import moment
from service.storage.accounts.tenants import create_tenant
from service.storage.detection import admin_status
from service.storage.sql import schema
from service.storage.sql.engine import write


@pytest.fixture
def tenant(engine: Engine) -> int:
    number = create_tenant(engine, "paper", 0)
    with write(engine) as connection:
        for place in range(7):
            connection.execute(
                sa.insert(schema.sweeps).values(
                    tenant_id=number,
                    seq=place,
                    position=place,
                    watermark_us=None,
                    finished_us=place,
                    seconds=float(place),
                    payload=b"",
                )
            )
        for name, disabled in (("sub-1", None), ("sub-2", 5)):
            connection.execute(
                sa.insert(schema.subscriptions).values(
                    id=name,
                    tenant_id=number,
                    url=f"https://{name}.example/",
                    events="[]",
                    secret="s",
                    created_us=0,
                    disabled_us=disabled,
                )
            )
        connection.execute(
            sa.insert(schema.events),
            [
                {"id": f"e{n}", "tenant_id": number, "type": "cluster.flagged", "at_us": n, "data": "{}"}
                for n in range(4)
            ],
        )
        for place, (state, attempts) in enumerate((("delivered", 1), ("pending", 0), ("pending", 2), ("failed", 10))):
            connection.execute(
                sa.insert(schema.deliveries).values(
                    id=f"d{place}",
                    tenant_id=number,
                    subscription_id="sub-1",
                    event_id=f"e{place}",
                    state=state,
                    attempts=attempts,
                    next_us=7 if state == "pending" else None,
                    created_us=place,
                )
            )
        connection.execute(
            sa.insert(schema.delivery_attempts),
            [
                {"delivery_id": "d3", "tenant_id": number, "at_us": n, "seconds": 0.1, "status": status, "error": None}
                for n, status in ((1, 500), (2, 410))
            ],
        )
        connection.execute(
            sa.insert(schema.sources),
            [
                {
                    "id": f"src_{n}",
                    "tenant_id": number,
                    "platform": platform,
                    "url": url,
                    "created_us": 0,
                    "failures": failures,
                    "last_error": "timeout" if failures else None,
                    "removed_us": removed,
                    "mapping": json.dumps({}),
                }
                for n, (platform, url, failures, removed) in enumerate(
                    (
                        ("lemmy", "https://a.example", 0, None),
                        ("lemmy", "https://b.example", 3, None),
                        ("lemmy", "https://c.example", 9, 4),
                        ("discourse", None, 0, None),
                    )
                )
            ],
        )
        connection.execute(
            sa.insert(schema.dead_letters),
            [
                {
                    "tenant_id": number,
                    "position": n,
                    "received_us": n,
                    "dead_us": n,
                    "error": "ValueError: no",
                    "line": "c" * 9_000,
                    "resent_us": None,
                }
                for n in range(3)
            ],
        )
    return number


def test_the_latest_sweeps(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        assert [sweep.seconds for sweep in admin_status.read_sweeps(connection, tenant)] == [6.0, 5.0, 4.0, 3.0, 2.0]


def test_subscriptions_with_what_waits_and_what_failed(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        found = admin_status.read_subscribers(connection, tenant)
        troubled = admin_status.read_troubled(connection, tenant)
    assert [(one.id, one.pending, one.failed, one.disabled_because) for one in found] == [
        ("sub-1", 2, 1, None),
        ("sub-2", 0, 0, "switched off"),
    ]
    assert [(one.id, one.state, one.status) for one in troubled] == [("d3", "failed", 410), ("d2", "pending", None)]
    assert troubled[1].next_at == moment(7)


def test_sources_that_are_asked_the_failing_ones_first(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        assert [(one.url, one.failures, one.last_error) for one in admin_status.read_pollers(connection, tenant)] == [
            ("https://b.example", 3, "timeout"),
            ("https://a.example", 0, None),
        ]


def test_dead_letters_newest_first_with_their_lines_cut(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        page, after = admin_status.list_dead(connection, tenant, after=None, limit=2)
        rest, end = admin_status.list_dead(connection, tenant, after=after, limit=2)
    assert [letter.position for letter in page + rest] == [2, 1, 0]
    assert end is None
    assert len(page[0].line) == admin_status.LINE_SHOWN


def test_another_tenant_sees_nothing_of_it(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    with engine.connect() as connection:
        for read in (
            admin_status.read_sweeps,
            admin_status.read_subscribers,
            admin_status.read_troubled,
            admin_status.read_pollers,
            admin_status.read_timers,
        ):
            assert read(connection, other) == []
        assert admin_status.list_dead(connection, other, after=None, limit=9) == ([], None)
