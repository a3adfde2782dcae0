"""A folder of Parquet files is one table: in the order of its files, with the columns that any of them has."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from service.errors import Refused
from service.intake.items import COMPLAINT
from service.model import Complaint, RejectedItem
from service.tabular.reading import SourceFile

AT = datetime(2026, 3, 1, tzinfo=UTC)


def written(path: Path, rows: range, **more: pa.Array) -> None:
    """Rows of a day, and columns that other days may lack."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = pa.array([AT.timestamp() * 1e6 + 60e6 * k for k in rows]).cast("int64").cast(pa.timestamp("us", "UTC"))
    columns = {
        "id": pa.array([f"c{k}" for k in rows]),
        "occurred_at": times,
        "reporter_id": pa.array([f"r{k % 7}" for k in rows]),
        "target_id": pa.array([f"t{k % 5}" for k in rows]),
    }
    parquet.write_table(pa.table({**columns, **more}), path)


def read(folder: Path) -> tuple[SourceFile, list[Complaint]]:
    found = SourceFile(folder, COMPLAINT, AT)
    items = list(found.items())
    assert not [item for item in items if isinstance(item, RejectedItem)]
    return found, items  # type: ignore[return-value]


def test_files_are_read_in_the_order_of_their_paths_and_columns_that_some_lack_are_empty_there(tmp_path: Path) -> None:
    written(tmp_path / "day=2026-03-02" / "part.parquet", range(3, 5), context_id=pa.array(["a", None]))
    written(tmp_path / "day=2026-03-01" / "part.parquet", range(3))
    written(tmp_path / "day=2026-03-03" / "part.parquet", range(5, 6), context_id=pa.array([None], pa.null()))
    written(tmp_path / "_temporary" / "part.parquet", range(9, 10))
    written(tmp_path / ".part.parquet", range(9, 10))
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "day=2026-03-03" / "part.parquet.crc").write_text("x")
    source, complaints = read(tmp_path)
    assert [c.id for c in complaints] == [f"c{k}" for k in range(6)]
    assert [c.target.context_id for c in complaints] == [None, None, None, "a", None, None]
    assert source.kind == "folder of Parquet files (3)"


def test_numbers_of_one_day_and_fractions_of_another_go_together(tmp_path: Path) -> None:
    written(tmp_path / "1.parquet", range(2), weight=pa.array([1, 2]))
    written(tmp_path / "2.parquet", range(2, 4), weight=pa.array([0.5, 1.5]))
    assert len(read(tmp_path)[1]) == 4


def test_a_folder_that_cannot_serve_says_why(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is a folder without Parquet files: name the files in it"):
        read(tmp_path)
    written(tmp_path / "1.parquet", range(2), weight=pa.array([1, 2]))
    written(tmp_path / "2.parquet", range(2), weight=pa.array(["a", "b"]))
    with pytest.raises(Refused, match=r"columns of one name that do not go together: .*weight"):
        read(tmp_path)
    (tmp_path / "2.parquet").write_bytes(b"PAR1")
    with pytest.raises(Refused, match=r"2\.parquet cannot be read as Parquet"):
        read(tmp_path)
