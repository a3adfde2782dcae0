"""A real Spark with executors of their own: the same pairs and reports as by numpy, and a session that is as before."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from engines.installed_engines import LITTLE_WINDOWS, MONTH, NARROW, WORLDS, window_of
from pairs_by_numpy import assert_same
from pyarrow import parquet
from worlds import Row, columns

from service.errors import Refused
from service.policy import Policy
from workers.audit import audit, spark_sweeps
from workers.detection.window import Complaints
from workers.large.pair_sweep import pairs_of
from workers.large.spark_tables import SparkTables

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

# Settings of a caller's session, each of which changes what some statement means.
SESSIONS = {
    "strict": {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.enforceReservedKeywords": "true",
        "spark.sql.caseSensitive": "true",
        "spark.sql.session.timeZone": "Asia/Kathmandu",
    },
    "as in older versions": {
        "spark.sql.ansi.enabled": "false",
        "spark.sql.legacy.exponentLiteralAsDecimal.enabled": "true",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.decimalOperations.allowPrecisionLoss": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "7",
    },
}


@contextmanager
def unaltered(session: Any) -> Iterator[None]:
    """Its tables, what it keeps in its cache, and its settings are at the end what they were."""

    def state() -> tuple[Any, ...]:
        kept = session.sparkContext._jsc.getPersistentRDDs().size()
        settings = {row.key: row.value for row in session.sql("set").collect()}
        return sorted(t.name for t in session.catalog.listTables()), kept, settings

    before = state()
    yield
    assert state() == before


@pytest.mark.parametrize(
    ("world", "policy"), [*((world, NARROW) for world in WORLDS), (WORLDS[0], MONTH)], ids=[*WORLDS, "usual"]
)
def test_three_worlds_have_the_same_pairs(spark: Any, world: str, policy: Policy) -> None:
    batch = window_of(world)
    with unaltered(spark), SparkTables(spark) as tables:
        found = pairs_of(tables, policy, batch)
    assert found.joined > 50 and (len(found.p) or policy is MONTH)
    assert_same(policy, batch, found)


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_of_other_settings_finds_the_same(spark: Any, name: str) -> None:
    session, batch = spark.newSession(), window_of("network")
    for setting, value in SESSIONS[name].items():
        session.conf.set(setting, value)
    with unaltered(session), SparkTables(session) as tables:
        assert_same(NARROW, batch, pairs_of(tables, NARROW, batch))


@pytest.mark.parametrize("batch", LITTLE_WINDOWS.values(), ids=LITTLE_WINDOWS)
def test_little_windows_are_the_same(spark: Any, batch: Complaints) -> None:
    with unaltered(spark), SparkTables(spark) as tables:
        assert_same(NARROW, batch, pairs_of(tables, NARROW, batch))


def test_two_audits_in_one_session_and_the_caller_s_own_tables_do_not_meet(spark: Any) -> None:
    batch = columns([Row(k, k, 5, 0.0) for k in range(1, 4)])
    spark.range(3).createOrReplaceTempView("e")
    with SparkTables(spark) as one, SparkTables(spark) as other:
        one.load("e", {"v": batch.target})
        other.load("e", {"w": batch.reporter})
        assert [v for rows in one.rows("select v from e") for v in rows["v"].tolist()] == [5, 5, 5]
        assert sorted(n for rows in other.rows("select w from e") for n in rows["w"].tolist()) == [1, 2, 3]
        assert spark.sql("select count(*) as n from e").collect()[0].n == 3
    spark.catalog.dropTempView("e")


def test_rows_come_in_parts_and_may_be_left_in_the_middle(spark: Any) -> None:
    with unaltered(spark), SparkTables(spark) as tables:
        parts = tables.rows("select id from range(0, 50000, 1, 5)")
        assert 0 < len(next(parts)["id"]) < 50_000
        del parts
        assert sum(len(part["id"]) for part in tables.rows("select id from range(0, 50000, 1, 5)")) == 50_000


def test_after_an_error_nothing_is_left_and_spark_s_own_words_are_said(spark: Any) -> None:
    with unaltered(spark):
        with (
            pytest.raises(Refused, match=r"Spark could not compute it: .*no_such_column"),
            SparkTables(spark) as tables,
        ):
            tables.load("complaints", {"reporter": columns([Row(1, 1, 1, 0.0)]).reporter})
            tables.store("e", "select reporter from complaints")
            tables.store("met", "select no_such_column from e")
        with pytest.raises(ArithmeticError), SparkTables(spark) as tables:
            tables.store("e", "select 1 as one")
            raise ArithmeticError


def test_what_an_executor_s_python_raises_is_said(spark: Any, reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(policy: Policy) -> Any:
        def sweep(window: Any) -> Any:
            raise ArithmeticError("this window")

        return sweep

    monkeypatch.setattr(spark_sweeps, "_sweep_of", failing)
    with unaltered(spark), pytest.raises(Refused, match="Spark could not compute it: ArithmeticError: this window"):
        audit(reports, engine=spark)


@pytest.mark.parametrize(("large_window", "by"), [("2000000", "_sweeps_there"), ("1", "sweeps_here")])
def test_a_whole_audit_has_the_same_report_by_tasks_and_by_statements(
    spark: Any,
    reports: Path,
    large_window: str,
    by: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = audit(reports, step_days=7)
    asked: list[str] = []
    for name in ("_sweeps_there", "sweeps_here"):
        monkeypatch.setattr(spark_sweeps, name, noted(getattr(spark_sweeps, name), name, asked))
    monkeypatch.setenv("BRIGADEWATCH_LARGE_WINDOW", large_window)
    with unaltered(spark):
        assert audit(reports, step_days=7, engine=spark).json == expected.json
    assert asked == [by] and expected.json["clusters"] and not caplog.messages


@pytest.mark.parametrize("name", SESSIONS)
def test_tasks_in_a_session_of_other_settings_find_the_same(spark: Any, reports: Path, name: str) -> None:
    session = spark.newSession()
    for setting, value in {**SESSIONS[name], "spark.sql.execution.arrow.useLargeVarTypes": "true"}.items():
        session.conf.set(setting, value)
    with unaltered(session):
        assert audit(reports, step_days=7, engine=session).json == audit(reports, step_days=7).json
    with SparkTables(session) as tables:
        assert sum(len(part["id"]) for part in tables.rows("select id from range(0, 100, 1, 2)")) == 100


def noted(function: Any, name: str, asked: list[str]) -> Any:
    def called(*arguments: Any) -> Any:
        asked.append(name)
        return function(*arguments)

    return called


def test_where_executors_have_another_version_windows_are_swept_here(
    spark: Any, reports: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spark_sweeps, "__version__", "9.9")
    with caplog.at_level(logging.WARNING), unaltered(spark):
        assert audit(reports, step_days=7, engine=spark).json == audit(reports, step_days=7).json
    assert "they do not have brigadewatch 9.9" in caplog.text


def test_a_dataframe_and_a_folder_that_spark_wrote_are_read(spark: Any, tmp_path: Path) -> None:
    rows = [Row(k, k % 7, k // 7, k * 60.0, 3 + k % 2) for k in range(1, 400)]
    table = pa.table(
        {
            "reporter_id": [f"r{row.reporter}" for row in rows],
            "target_id": [f"t{row.target}" for row in rows],
            "occurred_at": pa.array([row.time_ms for row in rows], pa.timestamp("ms", "UTC")),
        }
    )
    parquet.write_table(table, tmp_path / "one.parquet")
    expected = audit(tmp_path / "one.parquet")
    frame = spark.read.parquet(str(tmp_path / "one.parquet"))
    frame.repartition(3).write.parquet(str(tmp_path / "folder"))
    for found in (audit(frame), audit(tmp_path / "folder")):
        assert found.clusters.equals(expected.clusters) and found.json["complaints"] == len(rows)
