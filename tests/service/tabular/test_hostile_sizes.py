"""Files that are made to take for ever or to fill the memory: read at once, or refused."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tabular_files import expected, facts, read, rows, workbook_of, written

from service.errors import Refused
from service.tabular import documents
from service.tabular.borders import is_drawn
from service.tabular.tables import MOST_COLUMNS, unique_names
from service.tabular.time_styles import style_of
from service.tabular.times import UnreadableTime, looks_like_time
from service.tabular.vocabulary import ranks_of

MANY = 100_000


@pytest.mark.parametrize("end", ["x", ""])
def test_a_long_rule_of_a_drawn_table_is_looked_at_once(end: str) -> None:
    assert is_drawn([f"|{'-' * MANY}{end}"]) == (end == "")


def test_a_heading_that_could_be_divided_in_many_ways_is_looked_at_once() -> None:
    assert ranks_of(f"reporter{'_num_id' * 100}_x") == {}
    assert ranks_of("reporter_num_id") == {"reporter_id": 1}


def test_a_long_text_is_no_time() -> None:
    assert not looks_like_time("Mon" + "(" * 10 * MANY)


def test_a_pattern_that_names_a_part_twice_is_refused() -> None:
    with pytest.raises(UnreadableTime, match="does not match --time-format"):
        style_of(["01"], "%d%d").read("01")


def test_columns_of_one_name_are_counted() -> None:
    assert unique_names(["a", "a", "a (2)", "a"]) == ["a", "a (2)", "a (2) (2)", "a (3)"]
    assert unique_names(["a"] * MANY)[-1] == f"a ({MANY})"


def test_of_objects_with_thousands_of_fields_the_first_ones_are_read(tmp_path: Path) -> None:
    given = [one | {"reactions": {f"by {k}.{n}": 1 for n in range(100)}} for k, one in enumerate(rows())]
    items, refused, source = read(written(tmp_path / "flags.ndjson", "\n".join(map(json.dumps, given))))
    assert (facts(items), refused) == (expected(rows()), [])
    assert len(source.header) == MOST_COLUMNS
    assert f"{40 * 100 + 5 - MOST_COLUMNS:,} fields beyond the first 2,000 are not read" in source.notes


def test_a_parquet_file_with_thousands_of_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    parquet.write_table(pa.table({f"c{k}": [1] for k in range(MOST_COLUMNS + 1)}), path)
    with pytest.raises(Refused, match=r"wide\.parquet has 2,001 columns"):
        read(path)


def test_a_workbook_with_thousands_of_columns_is_refused(tmp_path: Path) -> None:
    names = ["reporter", "post_id", "created_at", *(f"c{k}" for k in range(MOST_COLUMNS))]
    path = workbook_of([names, ["a", "b", "2026-10-01T09:00:00Z"]], tmp_path / "wide.xlsx")
    with pytest.raises(Refused, match=r"wide\.xlsx has more than 2,000 columns"):
        read(path)


def test_a_document_on_one_line_may_be_longer_than_a_line_of_a_table(tmp_path: Path) -> None:
    given = [r | {"note": "x" * 200_000} for r in rows()]
    items, refused, _ = read(written(tmp_path / "a.json", json.dumps({"reports": given})))
    assert (facts(items), refused) == (expected(rows()), [])


def test_a_document_that_takes_too_much_memory_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_MEMORY", 32 << 20)
    path = written(tmp_path / "a.json", '{"reports":[' + ",".join(["{}"] * (2 << 20)) + "]}")
    tracemalloc.start()
    with pytest.raises(Refused, match=r"a\.json is one JSON document that takes more than .*NDJSON.*jq -c"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 40 << 20  # parsed, it is 150 MB
    tracemalloc.stop()
