"""What the tests of engines share: a file of reports, and a Spark session."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines.installed_engines import INSTALLED, QUICKLY, environment
from worlds import document, draw_town


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Complaints of three weeks, with two brigades in the first, as NDJSON."""
    first, later = draw_town(3, brigades=2), draw_town(4, brigades=1, days=21)
    rows = [*first.rows, *later.rows]
    path = tmp_path_factory.mktemp("reports") / "reports.ndjson"
    path.write_text("".join(json.dumps(document(row) | {"id": f"c{k}"}) + "\n" for k, row in enumerate(rows)))
    return path


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session with two executors, each a JVM of its own, and what their Python finds."""
    wanted = environment(SPARK_HOME=str(INSTALLED / "pyspark"), SPARK_LOCAL_IP="127.0.0.1")
    kept = {name: os.environ.get(name) for name, value in wanted.items() if os.environ.get(name) != value}
    os.environ.update(wanted)
    sys.path.append(str(INSTALLED))
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.extraJavaOptions", QUICKLY)
        .config("spark.executor.extraJavaOptions", QUICKLY)
        .config("spark.local.dir", str(folder))
        .config("spark.log.level", "ERROR")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    try:
        yield session
    finally:
        session.stop()
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
