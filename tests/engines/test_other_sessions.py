"""Sessions that need a process of their own: one that was stopped, one of Spark Connect, and that of the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from engines.installed_engines import INSTALLED, QUICKLY, ROOT, environment

from workers.audit import audit

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

STOPPED = """
import sys
from pyspark.sql import SparkSession
from service.errors import Refused
from workers.audit import audit, spark_sweeps
session = SparkSession.builder.getOrCreate()
def refused():
    try:
        audit(sys.argv[1], step_days=7, engine=session)
    except Refused as error:
        print("refused:", error)
sweep = spark_sweeps._swept
def stopping(session, *rest):
    found = sweep(session, *rest)
    session.stop()
    return found
spark_sweeps._swept = stopping
refused()  # it ends in the middle
refused()  # it had ended before
"""

CONNECT = """
import json, sys
from pyspark.sql import SparkSession
from workers.audit import audit
session = SparkSession.builder.remote("local[2]").config("spark.sql.shuffle.partitions", "4").getOrCreate()
assert "connect" in type(session).__module__
before = [t.name for t in session.catalog.listTables()]
print(json.dumps(audit(sys.argv[1], step_days=7, engine=session).json))
assert [t.name for t in session.catalog.listTables()] == before
rows = [(f"r{k % 7}", f"t{k // 7}", f"2026-03-01T{k // 60:02}:{k % 60:02}:00Z") for k in range(400)]
frame = session.createDataFrame(rows, "reporter_id string, target_id string, occurred_at string")
assert audit(frame).json["complaints"] == 400
"""


def ran(words: list[str | Path], **more: str) -> subprocess.CompletedProcess[str]:
    """A program that has the engines."""
    told = environment(
        SPARK_HOME=str(INSTALLED / "pyspark"),
        SPARK_LOCAL_IP="127.0.0.1",
        PYTHONWARNINGS="ignore",
        JDK_JAVA_OPTIONS=QUICKLY,
    )
    return subprocess.run(
        [sys.executable, *words], env=told | more, capture_output=True, text=True, timeout=540, cwd=ROOT, check=False
    )


def test_a_session_that_was_stopped_is_refused_with_a_sentence(reports: Path) -> None:
    done = ran(["-c", STOPPED, reports])
    lines = [line for line in done.stdout.splitlines() if line.startswith("refused:")]
    assert len(lines) == 2, done.stderr[-2_000:]
    assert "stopped" in lines[0] and "stopped" in lines[1], lines


@pytest.mark.parametrize("large_window", ["1", "2000000"], ids=["statements", "tasks"])
def test_spark_connect_gives_the_same_report(reports: Path, large_window: str) -> None:
    """Databricks Connect is the same client, beside another way to sign in."""
    done = ran(["-c", CONNECT, reports], BRIGADEWATCH_LARGE_WINDOW=large_window)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert json.loads(done.stdout.splitlines()[-1]) == json.loads(json.dumps(audit(reports, step_days=7).json))


def test_the_command_makes_a_session_of_its_own(reports: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = ran(["-m", "service.cli", "audit", reports, "--step", "7d", "--engine", "spark", "--out", report])
    assert done.returncode == 0, done.stderr[-4_000:]
    assert json.loads(report.read_text()) == json.loads(json.dumps(audit(reports, step_days=7).json))
