"""Files whose batches several processes share: the same is read, noted and refused as by one."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import random
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tabular_files import NOW, START

from service.errors import Refused
from service.tabular.options import ReadingOptions
from workers.audit import shared_reading
from workers.audit.files import Reading
from workers.audit.history import Collector
from workers.audit.shared_reading import ReadingTask, read_keyed

COUNT = 23_000  # some batches of every kind of file
OPTIONS = ReadingOptions(assume_utc=True)


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_reading, "WORTH_PROCESSES", 0)


def documents() -> list[dict[str, Any]]:
    """Complaints, some with the id of another, a text, a strange optional field, no target, or part of an act."""
    draw = random.Random(5)
    made = []
    for k in range(COUNT):
        target = f"t{draw.randrange(900)}"
        one: dict[str, Any] = {
            "id": f"c{k if draw.random() < 0.98 else draw.randrange(k + 1)}",
            "occurred_at": (START + timedelta(seconds=20 * k)).isoformat(),
            "reporter": {"id": f"r{draw.randrange(700)}"},
            "target": {
                "id": target,
                "author_id": f"a{author_of(target)}",
                "excerpt": f"words about {target} and {k % 7}",
            },
        }
        if draw.random() < 0.1:
            one["text"] = "please remove this, it insults everybody who lives in our little town " + str(k % 50)
        if draw.random() < 0.01:
            one["reporter"]["account_created_at"] = "yesterday"
        if draw.random() < 0.005:
            del one["target"]
        if draw.random() < 0.01:
            one["part_of"] = f"c{max(0, k - 3)}"
        made.append(one)
    return made


def author_of(name: str) -> int:
    return int(name[1:]) % 40


def lines_of(folder: Path) -> Path:
    path = folder / "complaints.ndjson.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in documents()).encode()))
    return path


def rows() -> list[dict[str, str]]:
    return [
        {
            "flag_id": one["id"],
            "created_at": one["occurred_at"],
            "flagged_by": one["reporter"]["id"],
            "post_id": one.get("target", {}).get("id", ""),
            "post_author": one.get("target", {}).get("author_id", ""),
            "comment": one.get("text", ""),
        }
        for one in documents()
    ]


def csv_of(folder: Path) -> Path:
    path = folder / "flags.csv"
    lines = [";".join(row.values()) for row in rows()]
    lines[7_000] = "one;field;too;many;in;this;row"
    lines[20_000] = ";".join(rows()[0])  # the header again
    path.write_text("\n".join([";".join(rows()[0]), *lines, ""]))
    return path


def parquet_of(folder: Path) -> Path:
    path = folder / "flags.parquet"
    pq.write_table(pa.Table.from_pylist(rows()), path, row_group_size=4_000)
    return path


def read(path: Path, processes: int, until_us: int | None = None) -> tuple[Any, ...]:
    """All that was read, in a form that can be compared."""
    reading, collector, done = Reading(), Collector(3), list[int]()
    wanted = ReadingTask(NOW, OPTIONS, until_us, 3, {"c17", "c9000"})
    too_late = 0
    for batch in read_keyed(path, wanted, reading, done.append, processes):
        too_late += batch.too_late
        collector.take(batch.complaints)
    history, row_of = collector.history()
    c, source = history.complaints, reading.sources[0]
    return (
        [column.tolist() for column in (c.seq, c.time_ms, c.reporter, c.target, c.context, c.author, c.exempt)],
        (c.created_ms.tolist(), c.fingerprint.tolist(), c.texts),
        (history.reporter_ids, history.target_ids, history.duplicates, history.repeats, history.listed, row_of),
        {target: history.traits[target] for target in history.traits},
        (source.notes, source.amended, source.kind, source.read_as, source.header),
        (reading.items, reading.rejected, reading.examples, too_late, sum(done)),
    )


@pytest.mark.parametrize("made", [lines_of, csv_of, parquet_of])
@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_read_what_one_reads(
    made: Any, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path)
    alone, started, start = read(path, 1), [], shared_reading._start_reader
    monkeypatch.setattr(shared_reading, "_start_reader", lambda *given: started.append(given) or start(*given))
    assert alone[2][2] > 100 or made is not lines_of, "some have the id of an earlier one"
    assert alone[5][1] > 50, "some were refused"
    assert read(path, processes) == alone
    assert len(started) == (processes if made is not parquet_of else 0)


def test_what_is_too_late_is_counted(tmp_path: Path) -> None:
    path = csv_of(tmp_path)
    until_us = int((START + timedelta(days=2)).timestamp() * 1e6)
    alone = read(path, 1, until_us)
    assert alone[5][3] > 10_000
    assert read(path, 2, until_us) == alone


def test_a_verdict_counts_from_its_row_so_that_one_process_reads_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flags.csv"
    verdicts = ("upheld", "rejected", "")
    lines = [f"{','.join(row.values())},{verdicts[k % 3]}" for k, row in enumerate(rows())]
    path.write_text("\n".join([f"{','.join(rows()[0])},verdict", *lines]))
    monkeypatch.setattr(shared_reading, "_read_by_several", None)
    assert read(path, 2) == read(path, 1)


def test_a_file_that_breaks_off_is_refused_by_its_name(tmp_path: Path) -> None:
    path = lines_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-2_000])
    with pytest.raises(Refused, match="ndjson.gz cannot be read"):
        read(path, 2)


def test_a_process_that_is_killed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(shared_reading, "_read_share", killed)
    with pytest.raises(Refused, match="--processes 1"):
        read(lines_of(tmp_path), 2)


def test_a_fault_of_a_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("of a part")

    monkeypatch.setattr(shared_reading, "_read_share", failing)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: of a part"):
        read(lines_of(tmp_path), 2)


def test_where_a_second_process_cannot_be_started_one_reads_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv_of(tmp_path)
    alone, start, alive = read(path, 1), shared_reading._start_reader, []

    def only_the_first(*given: Any) -> Any:
        if given[2] > 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return start(*given)

    def noted(*given: Any) -> Any:
        alive.extend(multiprocessing.active_children())
        return here(*given)

    here = shared_reading._read_here
    monkeypatch.setattr(shared_reading, "_start_reader", only_the_first)
    monkeypatch.setattr(shared_reading, "_read_here", noted)
    assert read(path, 2) == alone
    assert not alive, "the first process would hold memory for nothing"


def test_the_verdict_on_a_complaint_that_comes_again_is_on_the_first(tmp_path: Path) -> None:
    lines = documents()[:40]
    lines.append(lines[7] | {"text": "again"})
    path = tmp_path / "complaints.ndjson"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    collector = Collector(3)
    for batch in read_keyed(path, ReadingTask(NOW, OPTIONS, None, 3, {lines[7]["id"]}), Reading(), lambda _: None, 1):
        batch.complaints.judged = batch.complaints.judged[-1:]  # as where the verdict stands in the later row
        collector.take(batch.complaints)
    history, row_of = collector.history()
    (row,) = row_of.values()
    assert history.duplicates >= 1
    assert history.reporter_ids[int(history.complaints.reporter[row - 1])] == lines[7]["reporter"]["id"]
    assert history.target_ids[int(history.complaints.target[row - 1])] == lines[7]["target"]["id"]


@pytest.mark.parametrize("processes", [2, 3])
def test_what_was_read_before_a_file_breaks_off_is_the_same(processes: int, tmp_path: Path) -> None:
    path = lines_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-40_000])

    def read_until_it_breaks(at_once: int) -> tuple[int, int, list[str]]:
        reading = Reading()
        with pytest.raises(Refused):
            for _ in read_keyed(path, ReadingTask(NOW, OPTIONS, None, 3, ()), reading, lambda _: None, at_once):
                pass
        return reading.items, reading.rejected, reading.examples

    assert read_until_it_breaks(processes) == read_until_it_breaks(1)
