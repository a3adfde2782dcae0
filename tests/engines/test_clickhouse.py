"""ClickHouse's own engine, behind an imitation of its interface: the same pairs and reports as by numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from engines.installed_engines import LITTLE_WINDOWS, MONTH, NARROW, PASSWORD, USER, WORLDS, clickhouse, window_of
from pairs_by_numpy import assert_same

from service.errors import Refused
from service.policy import Policy
from workers.audit import audit
from workers.detection.window import Complaints
from workers.large.clickhouse_server import ClickHouseConnection, ClickHouseServer
from workers.large.clickhouse_tables import DATABASE, ClickHouseTables
from workers.large.pair_sweep import pairs_of

pytestmark = pytest.mark.engines

# Of which each would change what a statement means, or cut a result without a word.
STRANGE = {
    "join_use_nulls": 1,
    "join_default_strictness": "ANY",
    "prefer_column_name_to_alias": 0,
    "union_default_mode": "ALL",
    "aggregate_functions_null_for_empty": 1,
    "data_type_default_nullable": 1,
    "limit": 3,
    "offset": 1,
    "max_rows_to_group_by": 10,
    "group_by_overflow_mode": "any",
    "max_result_rows": 5,
    "result_overflow_mode": "break",
}


@pytest.fixture(scope="module")
def server() -> Iterator[ClickHouseServer]:
    with clickhouse() as running:
        yield running


def databases(server: ClickHouseServer) -> list[str]:
    """The databases of ours that are there."""
    connection = ClickHouseConnection(server)
    with connection.stream(f"select name from system.databases where name like '{DATABASE}%'", "default") as body:
        names = body.read().decode().split()
    connection.close()
    return names


@pytest.mark.parametrize("policy", [MONTH, NARROW], ids=["usual", "narrow"])
@pytest.mark.parametrize("world", WORLDS)
def test_three_worlds_have_the_same_pairs(server: ClickHouseServer, world: str, policy: Policy) -> None:
    batch = window_of(world)
    with ClickHouseTables(server) as tables:
        found = pairs_of(tables, policy, batch)
    assert found.joined > 50 and (len(found.p) or policy is MONTH)
    assert_same(policy, batch, found)
    assert databases(server) == []


@pytest.mark.parametrize("batch", LITTLE_WINDOWS.values(), ids=LITTLE_WINDOWS)
def test_little_windows_are_the_same(server: ClickHouseServer, batch: Complaints) -> None:
    with ClickHouseTables(server) as tables:
        assert_same(NARROW, batch, pairs_of(tables, NARROW, batch))


def test_a_result_comes_in_parts_and_may_be_left_in_the_middle(server: ClickHouseServer) -> None:
    with ClickHouseTables(server) as tables:
        rows = tables.rows("select toInt64(number) as n from numbers(300000)")
        first = next(rows)["n"]
        assert 0 < len(first) < 300_000
        del rows
        assert [part["n"].tolist() for part in tables.rows("select -7 as n")] == [[-7]]


def test_what_a_user_s_profile_says_changes_nothing() -> None:
    batch = window_of("town")
    with (
        clickhouse(**STRANGE) as server,
        ClickHouseTables(server) as tables,
        pytest.raises(Refused, match="MANY_ROWS"),  # the limits hold, and are said
    ):
        pairs_of(tables, NARROW, batch)
    with clickhouse(**{name: value for name, value in STRANGE.items() if not name.startswith("max_")}) as server:
        with ClickHouseTables(server) as tables:
            assert_same(NARROW, batch, pairs_of(tables, NARROW, batch))
        assert databases(server) == []


def test_a_wrong_password_is_said_without_it(server: ClickHouseServer) -> None:
    with (
        pytest.raises(Refused, match="AUTHENTICATION_FAILED") as refused,
        ClickHouseTables(replace(server, password="hunter2")),
    ):
        pass
    assert "hunter2" not in str(refused.value)


def test_a_whole_audit_has_the_same_report(
    server: ClickHouseServer, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = audit(reports, step_days=7)
    monkeypatch.setenv("BRIGADEWATCH_LARGE_WINDOW", "1")
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", PASSWORD)
    found = audit(reports, step_days=7, engine=f"clickhouse://{USER}@{server}")
    assert found.json == expected.json and found.json["clusters"]
    assert databases(server) == []
