"""The log of all cases: newest first, filtered, in pages, with what was taken back."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from case_world import at_us, put_cluster, put_decision
from sqlalchemy import Engine

from service.errors import NotFound
from service.storage.accounts.tenants import create_tenant
from service.storage.cases.decision_log import LogFilter, filter_of, list_entries, people_of, read_entry, reversals_of
from service.storage.sql import schema
from service.storage.sql.engine import write

ALL = LogFilter()


@pytest.fixture
def tenant(engine: Engine) -> int:
    number = create_tenant(engine, "paper", 0)
    for one in ("k-1", "k-2"):
        put_cluster(engine, number, one)
    for place, (cluster, verdict) in enumerate(
        [("k-1", "coordinated"), ("k-2", "escalated"), ("k-1", "coordinated"), ("k-2", "not_coordinated")]
    ):
        put_decision(engine, number, cluster, f"d-{place}", verdict, hours=place)
    return number


def reverse(engine: Engine, decision: str, undone: str) -> None:
    with write(engine) as connection:
        connection.execute(sa.update(schema.decisions).where(schema.decisions.c.id == decision).values(reverses=undone))


def ids(engine: Engine, tenant: int, chosen: LogFilter = ALL) -> list[str]:
    with engine.connect() as connection:
        return [entry.decision.id for entry in list_entries(connection, tenant, chosen, after=None, limit=50)[0]]


def test_the_newest_comes_first_and_pages_join_without_a_gap(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        page, after = list_entries(connection, tenant, LogFilter(), after=None, limit=3)
        rest, end = list_entries(connection, tenant, LogFilter(), after=after, limit=3)
    assert [entry.decision.id for entry in page + rest] == ["d-3", "d-2", "d-1", "d-0"]
    assert end is None
    assert page[0].summary == "k-2: acting together, not judged yet"


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (LogFilter(verdict="escalated"), ["d-1"]),
        (LogFilter(case="k-1"), ["d-2", "d-0"]),
        (LogFilter(by="nobody"), []),
        (LogFilter(by="ann", reason="brigade"), ["d-3", "d-2", "d-1", "d-0"]),
        (LogFilter(since_us=at_us(1), until_us=at_us(3)), ["d-2", "d-1"]),
        (LogFilter(case="k\0"), []),
    ],
)
def test_filters_choose(engine: Engine, tenant: int, chosen: LogFilter, found: list[str]) -> None:
    assert ids(engine, tenant, chosen) == found
    assert filter_of(chosen.named()) == chosen


def test_a_filter_from_elsewhere_is_refused() -> None:
    for wrong in ({"colour": "red"}, {"since_us": "x"}, {"until_us": str(2**63)}):
        with pytest.raises(ValueError):
            filter_of(wrong)


def test_undone_is_what_a_decision_in_force_reverses_and_an_undone_undo_brings_it_back(
    engine: Engine, tenant: int
) -> None:
    reverse(engine, "d-2", "d-0")
    with engine.connect() as connection:
        assert reversals_of(connection, tenant, ["d-0", "d-2"]) == {"d-0": "d-2"}
    reverse(engine, "d-3", "d-2")
    with engine.connect() as connection:
        assert reversals_of(connection, tenant, ["d-0", "d-2"]) == {"d-2": "d-3"}
        assert read_entry(connection, tenant, "d-0").reversed_by is None


def test_another_tenants_decision_is_none_that_exists(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    with engine.connect() as connection:
        for identity in ("d-0", "d-9", "x" * 50, "d\0"):
            with pytest.raises(NotFound, match="no such decision"):
                read_entry(connection, other, identity)
    assert ids(engine, other) == []


def test_the_filter_by_person_offers_the_tenants_own_users(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.users),
            [
                {"tenant_id": number, "name": name, "password_hash": "-", "role": "viewer", "created_us": 0}
                for number, name in ((tenant, "zoe"), (tenant, "ann"), (other, "eve"))
            ],
        )
    with engine.connect() as connection:
        assert people_of(connection, tenant) == ["ann", "zoe"]
