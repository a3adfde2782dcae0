"""Files of any kind as what a replay sends: the same complaints, or nothing and the reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tabular_files import NOW, compressed, csv_of, rows, written, zipped

from service.commands.replay_files import as_lines
from service.errors import Refused
from service.tabular.options import ReadingOptions

ROWS = rows()
NATIVE = [
    {"id": str(k), "occurred_at": r["created_at"], "reporter": {"id": r["reporter"]}, "target": {"id": r["post_id"]}}
    for k, r in enumerate(ROWS)
]
LINES = "".join(json.dumps(one) + "\n" for one in NATIVE)


def sent(path: Path) -> list[tuple[str, str]]:
    return [(d["reporter"]["id"], d["target"]["id"]) for d in map(json.loads, path.read_text().splitlines())]


def test_ndjson_in_the_api_s_form_is_sent_as_it_is(tmp_path: Path) -> None:
    for name, content in (("a.ndjson", LINES.encode()), ("a.ndjson.gz", compressed(LINES))):
        path = written(tmp_path / name, content)
        found = as_lines([path], [], tmp_path, ReadingOptions(), NOW)
        assert (found.complaints, found.outcomes, found.rejected) == ([path], [], 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ndjson", LINES.encode("utf-8-sig")),
        ("a.ndjson", LINES.encode("utf-16")),
        ("a.ndjson", compressed(LINES)),
        ("a.json", json.dumps(NATIVE).encode()),
        ("a.csv", csv_of(ROWS, ";").encode()),
    ],
)
def test_everything_else_is_sent_as_ndjson(tmp_path: Path, name: str, content: bytes) -> None:
    found = as_lines([written(tmp_path / name, content)], [], tmp_path, ReadingOptions(), NOW)
    (path,) = found.complaints
    assert path.name != name and sent(path) == [(r["reporter"], r["post_id"]) for r in ROWS]
    assert (found.rows, found.rejected, found.beyond(0)) == (40, 0, False)


@pytest.mark.parametrize(
    ("name", "content", "count"),
    [
        pytest.param("a.ndjson.gz", gzip.compress(compressed(LINES)), 40, id="gzip in gzip"),
        pytest.param("a.zip", zipped("a.ndjson", LINES.encode()), 40, id="zip"),
        pytest.param("a.zip", zipped("a.ndjson", b""), 0, id="an empty file in zip"),
    ],
)
def test_an_archive_is_never_sent_as_its_own_bytes(tmp_path: Path, name: str, content: bytes, count: int) -> None:
    path = written(tmp_path / name, content)
    (copy,) = as_lines([path], [], tmp_path, ReadingOptions(), NOW).complaints
    assert copy != path and len(sent(copy)) == count


def test_a_verdict_column_is_sent_as_outcomes_and_rejected_rows_are_counted(tmp_path: Path) -> None:
    given = [r | {"decision": ("dismissed", "")[k % 2]} for k, r in enumerate(ROWS)]
    path = written(tmp_path / "a.csv", csv_of(given) + "x,y\n")
    found = as_lines([path], [], tmp_path, ReadingOptions(), NOW)
    (outcomes,) = found.outcomes
    assert [json.loads(line)["verdict"] for line in outcomes.read_text().splitlines()] == ["rejected"] * 20
    assert (found.rejected, found.beyond(0.01), found.beyond(0.5)) == (1, True, False)


def test_times_without_an_offset_are_not_sent_without_a_zone(tmp_path: Path) -> None:
    given = [r | {"created_at": r["created_at"].removesuffix("+00:00")} for r in ROWS]
    path = written(tmp_path / "a.csv", csv_of(given))
    with pytest.raises(Refused, match="--timezone"):
        as_lines([path], [], tmp_path, ReadingOptions(), NOW)
    found = as_lines([path], [], tmp_path, ReadingOptions(zone=ZoneInfo("Europe/Berlin")), NOW)
    assert json.loads(found.complaints[0].read_text().splitlines()[0])["occurred_at"] == "2026-10-01T06:30:00Z"
