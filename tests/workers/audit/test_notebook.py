"""The audit in a notebook: of whatever hands out rows by Arrow's interface, and the notebook in docs/."""

from __future__ import annotations

import ast
import csv
import html
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow
import pytest

from service.errors import Refused
from workers.audit import AuditReport, audit

NOTEBOOK = Path(__file__).parents[3] / "docs" / "audit.ipynb"
START = datetime(2026, 3, 1)  # noqa: DTZ001  as a dataframe has it


class OnlyAStream:
    """A dataframe of a library that nobody here knows: it has Arrow's interface, and nothing else."""

    def __init__(self, table: pyarrow.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def reports() -> dict[str, list[Any]]:
    """Twelve accounts that report twelve posts within minutes, among readers."""
    filed = [(k % 97, k % 61, k % 61 % 20, timedelta(hours=k)) for k in range(240)]
    filed += [(500 + m, 900 + p, 50 + p, timedelta(days=p % 10, minutes=m)) for p in range(12) for m in range(12)]
    return {
        "user_id": [who for who, *_ in filed],
        "post_id": [post for _, post, *_ in filed],
        "thread": [f"thread {thread}" for _, _, thread, _ in filed],
        "created_at": [START + after for *_, after in filed],
    }


def table_of(**types: pyarrow.DataType) -> pyarrow.Table:
    """The reports, some columns in other types."""
    made = {
        "user_id": pyarrow.int64(),
        "post_id": pyarrow.int64(),
        "thread": pyarrow.string(),
        "created_at": pyarrow.timestamp("us"),
        **types,
    }
    columns = {name: [str(v) if _is_text(made[name]) else v for v in values] for name, values in reports().items()}
    arrays = {
        name: (
            pyarrow.array(values, kind.value_type).dictionary_encode()
            if pyarrow.types.is_dictionary(kind)
            else pyarrow.array(values, kind)
        )
        for name, values in columns.items()
        for kind in [made[name]]
    }
    return pyarrow.table(arrays)


def _is_text(kind: pyarrow.DataType) -> bool:
    inner = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    return any(
        test(inner) for test in (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_string_view)
    )


def members(report: AuditReport) -> set[str]:
    return set(report.members.column("reporter_id").to_pylist())


PLANTED = {str(500 + m) for m in range(12)}


@pytest.mark.parametrize(
    "types",
    [
        {},
        {"user_id": pyarrow.string_view(), "post_id": pyarrow.large_string()},
        {"user_id": pyarrow.dictionary(pyarrow.int32(), pyarrow.large_string())},
        {"user_id": pyarrow.dictionary(pyarrow.int32(), pyarrow.string_view())},
        {"post_id": pyarrow.decimal128(38, 0), "user_id": pyarrow.uint32()},
        {"post_id": pyarrow.float64()},
        {"created_at": pyarrow.timestamp("ns")},
        {"created_at": pyarrow.timestamp("ms", "America/New_York")},
    ],
    ids=str,
)
def test_tables_of_all_libraries_are_read_whatever_their_types(types: dict[str, pyarrow.DataType]) -> None:
    report = audit(OnlyAStream(table_of(**types)))
    assert members(report) == PLANTED
    assert report.json["summary"]["rows"]["rejected"] == 0
    targets = report.targets.to_pylist()
    assert {t["target_id"] for t in targets} == {str(900 + p) for p in range(12)}
    assert all(t["independent_complaints"] < t["complaints"] == t["by_members"] == 12 for t in targets)


def test_nanoseconds_run_lengths_and_a_nameless_index_of_pandas_are_read() -> None:
    table = table_of(created_at=pyarrow.timestamp("ns"))
    at = pyarrow.array(
        [ns + 7 for ns in table["created_at"].cast(pyarrow.int64()).to_pylist()], pyarrow.timestamp("ns")
    )
    runs = pyarrow.RunEndEncodedArray.from_arrays([table.num_rows], ["spam"])
    elapsed = pyarrow.array(range(table.num_rows), pyarrow.duration("ns"))
    index = pyarrow.array(range(table.num_rows))
    table = table.set_column(3, "created_at", at).append_column("reason", pyarrow.chunked_array([runs]))
    table = table.append_column("elapsed", elapsed).append_column("__index_level_0__", index)
    report = audit(OnlyAStream(table))
    assert members(report) == PLANTED and report.json["summary"]["rows"]["rejected"] == 0
    read = {row["column"]: row["read_as"] for row in report.columns.to_pylist()}
    assert read["reason"] == "reason" and "__index_level_0__" not in str(read) + str(report.notes)


def test_days_without_hours_and_unknown_values_are_noted_or_refused_as_in_a_file() -> None:
    given = reports()
    days = pyarrow.array([at.date() for at in given["created_at"]], pyarrow.date32())
    report = audit(OnlyAStream(table_of().set_column(3, "created_at", days)))
    assert any("what happens within a day cannot be seen" in note for note in report.notes)
    who = pyarrow.array([None, None, None, None, *given["user_id"][4:]], pyarrow.int64())
    table = table_of().set_column(0, "user_id", who)
    with pytest.raises(Refused, match=r"4 of 384 complaints were rejected.*'user_id' is empty. That is more than 1%"):
        audit(OnlyAStream(table))
    assert audit(OnlyAStream(table), max_rejected=0.02).json["summary"]["rows"]["rejected"] == 4


def test_numbers_that_arrow_keeps_exactly_are_ids_and_those_that_lost_digits_are_refused() -> None:
    large = [Decimal(10**20 + post) for post in reports()["post_id"]]
    exact = pyarrow.array(large, pyarrow.decimal128(38, 0))
    report = audit(OnlyAStream(table_of().set_column(1, "post_id", exact)))
    assert str(10**20 + 900) in report.targets.column("target_id").to_pylist()
    lost = pyarrow.array([float(value) for value in large])
    with pytest.raises(Refused, match=r"more digits than a spreadsheet or a column of floating-point numbers keeps"):
        audit(OnlyAStream(table_of().set_column(1, "post_id", lost)))


def test_a_reader_that_can_be_read_once_and_several_tables_are_taken() -> None:
    table = table_of()
    halves = [table.slice(0, 200).to_reader(), OnlyAStream(table.slice(200))]
    report = audit(halves)
    assert members(report) == PLANTED and report.json["complaints"] == audit(table).json["complaints"]


def test_a_path_and_outcomes_give_what_the_command_gives(tmp_path: Path) -> None:
    path = tmp_path / "flags.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(reports())
        writer.writerows(zip(*reports().values(), strict=True))
    outcomes = pyarrow.table(
        {
            "target_id": [str(900 + p) for p in range(12)],
            "decided_at": [START + timedelta(days=12)] * 12,
            "verdict": ["rejected"] * 12,
        }
    )
    report = audit(str(path), outcomes=OnlyAStream(outcomes))
    assert members(report) == PLANTED
    assert report.clusters.column("unfounded_probability")[0].as_py() > 0.9
    first = report.clusters.to_pylist()[0]
    assert 0 < first["coordination_score"] != first["score"]
    assert set(report.targets.column("verdict").to_pylist()) == {"rejected"}
    assert str(tmp_path) not in json.dumps(report.json) + report._repr_html_()


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ({"post_id": [1]}, {}, "a dict is not a table: give a path, or a dataframe with Arrow's interface"),
        (pyarrow.table({"a": [1]}), {}, "no column was recognised for who reported (reporter)"),
        (pyarrow.table({"a": [[1]]}), {}, "the pyarrow Table has no columns that can be read"),
        (
            pyarrow.table({"user_id": [], "post_id": [], "created_at": []}),
            {},
            "no valid complaint in the pyarrow Table",
        ),
        (Path("missing.csv"), {}, "missing.csv does not exist"),
        (table_of(), {"columns": {"target": "nope"}}, "--column target=nope: there is no such column"),
        (table_of(), {"timezone": "Mars"}, "--timezone: 'Mars' is not a known time zone"),
        (table_of(), {"preset": "usenet"}, "--preset: 'usenet' is not one of"),
        (table_of(), {"window_days": 0}, "both must be at least 3600 s"),
        (table_of(), {"as_of": START}, "which has no UTC offset"),
        (pyarrow.chunked_array([[1]]), {}, "is one column: give the table that it belongs to"),
    ],
)
def test_what_cannot_serve_is_an_exception_with_the_command_s_sentence(
    given: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=re.escape(sentence)):
        audit(given, **options)


def test_the_tables_have_their_types_even_without_rows() -> None:
    report = audit(table_of().slice(0, 50), columns={"reporter": "user_id"})
    assert (report.clusters.num_rows, report.members.num_rows, report.targets.num_rows) == (0, 0, 0)
    full = audit(table_of())
    for name in ("clusters", "members", "targets"):
        assert getattr(report, name).schema == getattr(full, name).schema
    assert full.members.schema.field("first_at").type == pyarrow.timestamp("us", "UTC")
    assert full.members["first_at"][0].as_py() == START.replace(tzinfo=UTC)


def test_the_page_stands_in_a_frame_of_its_own() -> None:
    table = table_of(user_id=pyarrow.string())
    hostile = [f'"></iframe><b>{who}' for who in table["user_id"].to_pylist()]
    shown = audit(table.set_column(0, "user_id", pyarrow.array(hostile)))._repr_html_()
    frame = re.fullmatch(r'<iframe [^<>]*sandbox="" [^<>]* srcdoc="([^"]*)"></iframe>', shown, re.DOTALL)
    assert frame, "nothing of the page stands outside the attribute"
    page = html.unescape(frame[1])
    assert page.startswith("<!DOCTYPE html>") and '<base href="about:srcdoc">' in page
    assert "<b>500" not in page and "-members.csv" not in page


def test_show_hands_the_report_to_jupyter_and_says_what_to_do_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report, shown = audit(table_of()), []
    jupyter = ModuleType("IPython.display")
    jupyter.display = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", jupyter)
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    report.show()
    assert shown == [report]
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(Refused, match=r"save\('report.html'\)"):
        report.show()
    report.save(tmp_path / "report.html")
    assert {p.name for p in tmp_path.iterdir()} == {"report.html", "report-members.csv", "report-targets.csv"}
    with pytest.raises(Refused, match="is not a folder"):
        report.save(tmp_path / "missing" / "report.html")


def test_the_notebook_of_the_documentation_runs_from_top_to_bottom(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    book = json.loads(NOTEBOOK.read_text())
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in book["cells"] if c["cell_type"] == "code")
    namespace: dict[str, Any] = {}
    results = []
    for cell in book["cells"]:
        if cell["cell_type"] != "code":
            continue
        code = ast.parse("".join(cell["source"]))
        last = code.body.pop() if isinstance(code.body[-1], ast.Expr) else None
        exec(compile(code, NOTEBOOK.name, "exec"), namespace)
        if last is not None:  # a cell shows the value of its last line
            results.append(eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), namespace))
    columns, targets, thresholds, report = results
    assert {row["column"]: row["read_as"] for row in columns} == {
        "flagged_by": "who reported",
        "post_id": "what was reported",
        "thread_id": "context (thread, article)",
        "flagged_at": "time of the complaint",
    }
    assert "flagged +" in capsys.readouterr().out
    assert all(row["independent_complaints"] < 8 <= row["complaints"] for row in targets)
    assert any(row["targets_by_independent_complaints"] < row["targets_by_complaints"] for row in thresholds)
    assert members(report) == {f"member{k}" for k in range(12)} and "<iframe" in report._repr_html_()
