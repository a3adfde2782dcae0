"""What an audit is told to compute in, and what it says where that is not there; tests/engines has real ones."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from worlds import columns, document, draw_town

from service.cli import main
from service.errors import Refused
from service.policy import DEFAULT_POLICY
from service.settings import read_settings
from service.tabular.dataframes import Dataframe
from workers.audit import audit, spark_sweeps
from workers.audit.engines import sweeps_by
from workers.large import spark_tables
from workers.large.statements import over


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    path = tmp_path / "reports.ndjson"
    path.write_text("".join(json.dumps(document(row)) + "\n" for row in draw_town(1, complaints=300).rows))
    return path


class Session:
    """One that answers what it is asked first."""

    createDataFrame = None

    def __init__(self, version: str) -> None:
        self.version, self.is_stopped = version, False

    def sql(self, statement: str) -> Any:
        return SimpleNamespace(collect=list)


def test_without_pyspark_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, reports: Path) -> None:
    monkeypatch.setattr(spark_tables, "find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"not installed: pip install 'pyspark\[sql\]>=4'"):
        audit(reports, engine="spark")


def test_what_is_no_session_or_too_old_is_refused_before_files_are_read() -> None:
    nowhere = Path("nowhere.csv")
    with pytest.raises(Refused, match="a SimpleNamespace is not a Spark session"):
        audit(nowhere, engine=SimpleNamespace())  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"Spark 3\.5\.1 is too old: version 4 or newer"):
        audit(nowhere, engine=Session("3.5.1"))
    with pytest.raises(Refused, match=r"nowhere\.csv does not exist"):
        audit(nowhere, engine=Session("4.0.0"))


@pytest.mark.parametrize("engine", ["clickhose://ann:hunter2@host", "sparc", ""])
def test_an_unknown_engine_is_a_mistake_of_the_command_line(
    engine: str, reports: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["brigadewatch", "audit", str(reports), "--engine", engine])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())  # a box, as wide as the terminal
    assert "choose auto, numpy, duckdb, spark, or clickhouse://USER@HOST:PORT" in said and "hunter2" not in said
    with pytest.raises(Refused, match="choose auto") as refused:
        sweeps_by(engine, read_settings(environ={}), processes=1)
    assert "hunter2" not in str(refused.value)


def test_a_dataframe_of_spark_is_taken_by_its_own_way_to_arrow() -> None:
    """Its __arrow_c_stream__ fails where a column has times."""
    table = pa.table({"reporter": ["r"], "target": ["t"]})

    class DataFrame:
        def toArrow(self) -> pa.Table:
            return table

        def collect(self) -> list[object]:
            raise AssertionError

        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            raise AssertionError

    DataFrame.__module__ = "pyspark.sql.classic.dataframe"
    found = Dataframe(DataFrame())
    assert found.name == "pyspark DataFrame" and found.table().header == ["reporter", "target"]


def test_statements_call_tables_by_their_short_names() -> None:
    assert over({}, "select 1 as one") == "select 1 as one"
    assert over({"e": "p_e", "x": "p_x"}, "select r from e") == (
        "with e as (select * from p_e), x as (select * from p_x) select r from e"
    )


@pytest.mark.parametrize("binary", [pa.binary(), pa.large_binary()])
def test_a_task_gives_back_the_binary_type_that_it_was_given(binary: pa.DataType) -> None:
    batch = columns(draw_town(1, complaints=300).rows)
    given = {name: getattr(batch, name) for name in spark_sweeps._COLUMNS}
    window = pa.table({"number": [7] * len(batch), **given, "texts": pa.nulls(len(batch), binary)})
    found = spark_sweeps._sweep_of(DEFAULT_POLICY)(window)
    assert found.column("number").to_pylist() == [7] and found.schema.field("swept").type == binary


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("[NO_COLUMN] A column.\n'Project [...]", "[NO_COLUMN] A column."),
        ("An error occurred while calling o4.sql.\n: java.lang.Bad: ended\n\tat x", "java.lang.Bad: ended"),
        (
            "An exception was thrown:\nTraceback (most recent call last):\n  File x\nValueError: it\n\n\tat y",
            "ValueError: it",
        ),
        ("", "RuntimeError"),
    ],
)
def test_the_line_of_an_error_that_says_what_is_wrong(error: str, said: str) -> None:
    assert spark_tables._said(RuntimeError(error)) == said
