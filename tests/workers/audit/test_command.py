"""The audit from files to report."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from worlds import START, Row, document, draw_town

from service.errors import Refused
from service.intake.items import COMPLAINT
from service.model import Cluster, Complaint, JsonObject
from workers.audit import command
from workers.audit.files import Reading, read_items

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Documents = list[dict[str, Any]]


def documents() -> Documents:
    """A town with its brigade, and a text and a trusted reporter somewhere."""
    rows = [document(r) for r in draw_town(1).rows]
    rows[3]["text"] = 'a comma, a "quote"\nand a new line with ümläuts'
    rows[5]["reporter"]["trusted"] = True
    rows[7]["target"]["attributes"] = {"section": "politics"}
    return rows


OUTCOMES: Documents = [
    {
        "id": "o1",
        "target_id": "t1640",
        "decided_at": "2026-03-20T00:00:00Z",
        "verdict": "rejected",
        "decided_by": "person",
    }
]


def flat(doc: dict[str, Any]) -> dict[str, Any]:
    """A document as a row of a table."""
    row = {k: v for k, v in doc.items() if k not in ("reporter", "target")}
    for part in ("reporter", "target"):
        for k, v in doc.get(part, {}).items():
            if k == "attributes":
                row |= v
            else:
                row[k if k in ("account_created_at", "author_id", "context_id", "trusted") else f"{part}_{k}"] = v
    return row


def as_ndjson(path: Path, docs: Documents) -> Path:
    path.write_text("".join(json.dumps(d) + "\n" for d in docs), encoding="utf-8")
    return path


def as_gzip(path: Path, docs: Documents) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(d, ensure_ascii=False) + "\n\n" for d in docs).encode()))
    return path


def as_csv(path: Path, docs: Documents) -> Path:
    rows = [flat(d) for d in docs]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, sorted({k for r in rows for k in r}))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(path: Path, docs: Documents) -> Path:
    rows = [flat(d) for d in docs]
    for r in rows:
        for name in ("occurred_at", "decided_at"):
            if name in r:
                r[name] = datetime.fromisoformat(r[name])
    names = sorted({k for r in rows for k in r})
    parquet.write_table(pa.table({n: [r.get(n) for r in rows] for n in names}), path, row_group_size=700)
    return path


WRITERS: dict[str, Callable[[Path, Documents], Path]] = {
    "in.ndjson": as_ndjson,
    "in.ndjson.gz": as_gzip,
    "in.csv": as_csv,
    "in.parquet": as_parquet,
}


def audit(tmp_path: Path, *paths: Path, outcomes: tuple[Path, ...] = (), **more: Any) -> JsonObject:
    return command.run(paths, outcomes=outcomes, out=tmp_path / "report.json", now=NOW, **more)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> JsonObject:
    folder = tmp_path_factory.mktemp("plain")
    return audit(
        folder, as_ndjson(folder / "in.ndjson", documents()), outcomes=(as_ndjson(folder / "o.ndjson", OUTCOMES),)
    )


def test_the_report_is_the_contract_s(plain: JsonObject, tmp_path: Path) -> None:
    assert set(plain) == {
        "schema",
        "policy_version",
        "complaints",
        "from",
        "to",
        "summary",
        "notes",
        "clusters",
        "targets",
    }
    assert plain["schema"] == "brigadewatch.report/1" and plain["complaints"] == len(documents())
    assert datetime.fromisoformat(plain["from"]) >= START and plain["from"] < plain["to"]
    (cluster,) = [Cluster.model_validate_json(json.dumps(c)) for c in plain["clusters"]]
    town = draw_town(1)
    assert cluster.reporters == sorted(f"r{r}" for r in town.brigades[0]) and cluster.disposition == "flagged"
    assert (cluster.reporter_count, cluster.target_count) == (len(cluster.reporters), len(cluster.targets))
    assert set(cluster.settle_with) <= set(cluster.targets)
    assert {t["id"] for t in plain["targets"]} <= set(cluster.targets)
    assert all(t["independent_complaints"] < t["complaints"] for t in plain["targets"]) and plain["targets"]
    assert any("quota" in note for note in plain["notes"])


@pytest.mark.parametrize("name", list(WRITERS))
def test_every_kind_of_file_gives_the_same_report(tmp_path: Path, plain: JsonObject, name: str) -> None:
    path = WRITERS[name](tmp_path / name, documents())
    told = WRITERS[name](tmp_path / f"o-{name}", OUTCOMES)
    report = audit(tmp_path, path, outcomes=(told,))
    assert report == plain
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report


def test_several_files_in_any_order_are_one_history(tmp_path: Path, plain: JsonObject) -> None:
    docs = documents()
    paths = [
        as_ndjson(tmp_path / "b.ndjson", docs[900:]),
        as_csv(tmp_path / "a.csv", docs[:500]),
        as_gzip(tmp_path / "c.ndjson.gz", docs[500:900][::-1]),
    ]
    assert audit(tmp_path, *paths, outcomes=(as_ndjson(tmp_path / "o", OUTCOMES),)) == plain


def test_the_same_complaint_again_and_a_second_one_about_the_same_target_change_nothing_and_are_noted(
    tmp_path: Path, plain: JsonObject
) -> None:
    docs = documents()
    again = [*docs, *docs[:40], {**docs[2], "id": "again", "occurred_at": docs[-1]["occurred_at"]}]
    report = audit(tmp_path, as_ndjson(tmp_path / "in.ndjson", again), outcomes=(as_ndjson(tmp_path / "o", OUTCOMES),))
    rows, plain_rows = report["summary"].pop("rows"), dict(plain["summary"])["rows"]
    assert rows == plain_rows | {"rows": plain_rows["rows"] + 41, "duplicates": 40, "repeats": 1}
    summary = {k: v for k, v in plain["summary"].items() if k != "rows"}
    assert {k: v for k, v in report.items() if k != "notes"} == {
        k: v for k, v in (plain | {"summary": summary}).items() if k != "notes"
    }
    assert any(note.startswith("40 complaints had the id") for note in report["notes"])
    assert any(note.startswith("1 complaint repeated an earlier one") for note in report["notes"])


def test_rejected_rows_are_counted_with_their_place_and_reason(tmp_path: Path, plain: JsonObject) -> None:
    docs = documents()
    lines = [json.dumps(d) for d in docs]
    lines.insert(1, "{not json")
    lines.insert(4, json.dumps({**docs[0], "id": "later", "occurred_at": (NOW + timedelta(days=1)).isoformat()}))
    lines.insert(6, json.dumps({**docs[0], "id": "naive", "occurred_at": "2026-03-01T00:00:00"}))
    lines.insert(8, json.dumps({**docs[0], "id": "odd", "colour": "red"}))
    path = tmp_path / "in.ndjson"
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    report = audit(tmp_path, path, outcomes=(as_ndjson(tmp_path / "o", OUTCOMES),))
    assert report["complaints"] == plain["complaints"] and report["clusters"] == plain["clusters"]
    (note,) = [n for n in report["notes"] if "rejected" in n]
    assert note.startswith(f"5 of {len(lines) + 1:,} complaints were rejected")
    for part in ("in.ndjson:2:", "in.ndjson:5: /occurred_at", "in.ndjson:7: /occurred_at", "in.ndjson:9: /colour"):
        assert part in note


@pytest.mark.parametrize("name", ["in.ndjson", "in.ndjson.gz", "in.csv"])
def test_a_byte_order_mark_loses_no_row_and_utf_16_is_read(tmp_path: Path, name: str) -> None:
    text = (
        "id,occurred_at,reporter_id,target_id\n1,2026-03-01T00:00:00Z,r,t\n"
        if name.endswith("csv")
        else json.dumps(documents()[0])
    )
    path = tmp_path / name
    write = gzip.compress if name.endswith("gz") else bytes
    path.write_bytes(write(text.encode("utf-8-sig")))
    assert audit(tmp_path, path)["complaints"] == 1
    path.write_bytes(write(text.encode("utf-16")))
    assert audit(tmp_path, path)["complaints"] == 1


def test_what_cannot_be_used_of_an_optional_field_is_a_note_and_the_row_is_audited(
    tmp_path: Path, plain: JsonObject
) -> None:
    docs = documents()
    docs[3] = {**docs[3], "reason": 5}
    docs[4] = {**docs[4], "reason": 6}
    report = audit(tmp_path, as_ndjson(tmp_path / "in.ndjson", docs), outcomes=(as_ndjson(tmp_path / "o", OUTCOMES),))
    assert report["complaints"] == plain["complaints"]
    (note,) = [n for n in report["notes"] if "could not be used" in n]
    assert note.endswith("reason: unknown: Input should be a valid string; found a number (2 times like this)")


def test_forty_further_columns_of_a_table_are_32_attributes(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(40)]
    rows = [f"{n},2026-03-01T00:00:00Z,r{n},t,{','.join('x' * 40)}" for n in range(3)]
    path = tmp_path / "in.csv"
    path.write_text("\n".join([f"id,occurred_at,reporter_id,target_id,{','.join(names)}", *rows]))
    reading = Reading()
    (first, *_) = read_items(path, COMPLAINT, NOW, reading, lambda count: None)
    assert isinstance(first, Complaint) and sorted(first.target.attributes or {}) == sorted(names[:32])
    assert any("c32, c33" in note for note in reading.sources[0].notes) and audit(tmp_path, path)["complaints"] == 3


def test_what_came_after_as_of_is_left_out(tmp_path: Path, plain: JsonObject) -> None:
    docs = documents()
    middle = datetime.fromisoformat(docs[len(docs) // 2]["occurred_at"])
    path = as_ndjson(tmp_path / "in.ndjson", docs)
    report = audit(tmp_path, path, as_of=middle, outcomes=(as_ndjson(tmp_path / "o", OUTCOMES),))
    assert report["complaints"] == sum(datetime.fromisoformat(d["occurred_at"]) <= middle for d in docs)
    assert datetime.fromisoformat(report["to"]) <= middle
    told = as_ndjson(
        tmp_path / "o2",
        [
            {**OUTCOMES[0], "id": f"o{k}", "target_id": t, "verdict": "upheld"}
            for k, t in enumerate(plain["clusters"][0]["targets"])
        ],
    )
    assert audit(tmp_path, path, outcomes=(told,))["clusters"][0]["disposition"] == "reliable"
    assert (
        audit(tmp_path, path, outcomes=(told,), as_of=datetime(2026, 3, 19, tzinfo=UTC))["clusters"][0]["disposition"]
        == "flagged"
    )


def refused(tmp_path: Path, *paths: Path, **more: Any) -> str:
    with pytest.raises(Refused) as caught:
        audit(tmp_path, *paths, **more)
    assert not (tmp_path / "report.json").exists()
    return str(caught.value)


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, tmp_path / name).endswith(f"{name} does not exist")
    here = as_ndjson(tmp_path / "here.ndjson", documents()[:3])
    assert "o.csv does not exist" in refused(tmp_path, here, outcomes=(tmp_path / "o.csv",))


@pytest.mark.parametrize("name", ["folder", "folder.csv", "folder.parquet", "folder.ndjson.gz"])
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert "folder" in refused(tmp_path, tmp_path / name)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def garbled(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(b ^ 0xFF for b in data[middle : middle + 64]) + data[middle + 64 :]


@pytest.mark.parametrize("name", ["in.ndjson.gz", "in.parquet"])
@pytest.mark.parametrize("broken", [cut, garbled, lambda data: b"", lambda data: b"nothing of the kind"])
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, name: str, broken: Callable[[bytes], bytes]) -> None:
    path = WRITERS[name](tmp_path / name, documents())
    path.write_bytes(broken(path.read_bytes()))
    assert name in refused(tmp_path, path)


def test_a_gzip_that_is_damaged_anywhere_is_refused_and_never_a_traceback(tmp_path: Path) -> None:
    path = as_gzip(tmp_path / "in.ndjson.gz", documents()[:200])
    whole = path.read_bytes()
    for at in range(12, len(whole) - 1, max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        assert "in.ndjson.gz" in refused(tmp_path, path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"id,occurred_at,reporter_id,target_id\n"])
def test_a_file_without_a_complaint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    assert "no valid complaint in" in refused(tmp_path, path)


def test_columns_of_another_table_are_refused_with_what_is_missing_and_how_to_name_it(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("colour,post,when\n1,2,2026-03-01T00:00:00Z\n", encoding="utf-8")
    text = refused(tmp_path, path)
    assert "in.csv: no column was recognised for who reported (reporter)" in text
    assert "It has the columns colour, post, when." in text and "--column reporter=COLUMN" in text


def test_a_window_or_step_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    path = as_ndjson(tmp_path / "in.ndjson", documents()[:5])
    assert "at least 3600 s" in refused(tmp_path, path, window_seconds=60)
    assert "at least 3600 s" in refused(tmp_path, path, step_seconds=0)
    assert "--window" in refused(tmp_path, path, window_seconds=20 * 366 * 86_400)


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    path = as_ndjson(tmp_path / "in.ndjson", documents()[:5])
    with pytest.raises(Refused, match="nowhere is not a folder"):
        command.run([path], outcomes=[], out=tmp_path / "nowhere" / "report.json", now=NOW)
    (tmp_path / "taken").mkdir()
    with pytest.raises(Refused, match="cannot be written"):
        command.run([path], outcomes=[], out=tmp_path / "taken", now=NOW)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.ndjson", "taken"], "no draft is left"


def test_without_contexts_the_notes_say_what_that_costs(tmp_path: Path, plain: JsonObject) -> None:
    assert not any("come with a context (thread" in n for n in plain["notes"])
    report = audit(tmp_path, as_ndjson(tmp_path / "in.ndjson", [document(Row(k, k, 1, 60 * k)) for k in range(1, 50)]))
    assert any("come with a context (thread" in n for n in report["notes"])
    assert any("were not compared" in n for n in report["notes"])


def test_progress_goes_forward_through_its_stages(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    class Heard:
        def stage(self, name: str, total: int) -> None:
            told.append((name, 0))

        def advance(self, done: int) -> None:
            told.append((told[-1][0], done))

    path = as_gzip(tmp_path / "in.ndjson.gz", documents())
    audit(tmp_path, path, progress=Heard())
    assert told[0][0] == "reading"
    reading = [done for name, done in told if name == "reading"]
    assert reading == sorted(reading) and reading[-1] == path.stat().st_size
    assert told[-1] == ("windows", 1)
