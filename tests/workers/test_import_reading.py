"""What the preview of an import says of a file, and what it does not say where a tenant wants pseudonyms."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from tabular_files import csv_of, rows

from service.intake.privacy_filter import KEY_BYTES, PrivacyFilter
from service.tabular.reading_choice import ReadingChoice
from workers.import_reading import read_preview

NOW = datetime(2026, 11, 29, tzinfo=UTC)
OPEN = PrivacyFilter()
STRICT = PrivacyFilter(key=bytes(KEY_BYTES), pseudonyms=True, keep_text=False)
NAMES = ["O'Brien", "Tim 'Al' \"Taylor\"", "back\\slash'Brien"]
ROWS = rows()


def preview(path: Path, content: str | bytes, privacy_filter: PrivacyFilter = STRICT, **choice: Any) -> dict[str, Any]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_preview(path, ReadingChoice(**choice).options(), privacy_filter, NOW, lambda share: None)


def refused_time(name: str) -> str:
    return csv_of([*ROWS, ROWS[0] | {"created_at": name}])


def unknown_verdict(name: str) -> str:
    return csv_of([one | {"status": ("upheld", name)[k % 2]} for k, one in enumerate(ROWS)])


def one_reporter(name: str) -> str:
    return csv_of([one | {"reporter": name} for one in ROWS])


def remark(name: str) -> str:
    return f"{csv_of(ROWS)}\nby {name}\n"


def no_header(name: str) -> str:
    return csv_of([ROWS[0] | {"reporter": name}, *ROWS]).partition("\n")[2]


def log_of_events(name: str) -> str:
    return csv_of([one | {"action": ("report", name)[k % 2]} for k, one in enumerate(ROWS)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", [refused_time, unknown_verdict, one_reporter, remark, no_header, log_of_events])
def test_where_a_tenant_wants_pseudonyms_no_sentence_has_a_value(tmp_path: Path, made: Any, name: str) -> None:
    shown = preview(tmp_path / "flags.csv", made(name), OPEN)
    said = [shown["error"], *shown["notes"], *(one["detail"] for one in shown["refusals"])]
    assert any(name[-4:] in sentence for sentence in said)
    hidden = json.dumps(preview(tmp_path / "flags.csv", made(name)))
    assert not any(part in hidden for part in ("Brien", "Taylor", "Tim", "back"))


def test_the_number_of_an_id_that_lost_digits_is_a_value_too(tmp_path: Path) -> None:
    book = Workbook()
    assert book.active is not None
    for row in (
        list(ROWS[0]),
        *(list(one.values()) for one in ROWS),
        [123456789012345678.0, "5", "w", "2026-10-09", ""],
    ):
        book.active.append(row)
    book.save(tmp_path / "flags.xlsx")
    found = preview(tmp_path / "flags.xlsx", (tmp_path / "flags.xlsx").read_bytes())
    assert [one["detail"][:21] for one in found["refusals"]] == ["'…' has more digits th"[:21]]


def test_what_parts_a_file_has_is_said_in_any_case(tmp_path: Path) -> None:
    several = {"spring": ROWS, "autumn": ROWS}
    found = preview(tmp_path / "flags.json", json.dumps(several))
    assert found["error"] == (
        "flags.json has several lists: 'spring', 'autumn' could each be the reports. Write the name of one into the"
        " form"
    )
    found = preview(tmp_path / "flags.json", json.dumps(several), sheet="summer")
    assert found["error"] == "flags.json has no part 'summer': its lists are 'spring', 'autumn'"
    assert preview(tmp_path / "flags.json", json.dumps(several), sheet="autumn")["items"] == len(ROWS)


SENTENCES = {
    "nobody": (
        csv_of([{"xyz" if k == "reporter" else k: v for k, v in one.items()} for one in ROWS]),
        (
            "no column was recognised for who reported (reporter). It has the columns xyz, post_id, author, created_at,"
            " reason. Name it in the menus; a file that does not say it for each report cannot serve"
        ),
    ),
    "two": (
        csv_of([one | {"reported by": f"u{k % 5}"} for k, one in enumerate(ROWS)]),
        "'reporter' and 'reported by' could each be who reported: choose one in the menus",
    ),
    "posts": (
        csv_of([{"user id": f"u{k % 5}", "post_id": k, "created_at": one["created_at"]} for k, one in enumerate(ROWS)]),
        (
            "each row has another 'post_id': 'user id' may be who wrote it; without a column that says who reported it"
            " cannot serve. If 'user id' is who reported, choose it in the menus"
        ),
    ),
    "ago": (
        csv_of([one | {"created_at": f"{k} hours ago"} for k, one in enumerate(ROWS)]),
        (
            "no column was recognised for when it was reported (time); 'created_at' is called like it, but '0 hours"
            " ago' is not a time that is known: export dates with hours. It has the columns reporter, post_id, author,"
            " created_at, reason. Name it in the menus; a file that does not say it for each report cannot serve"
        ),
    ),
    "either": (
        csv_of([one | {"created_at": f"0{k % 9 + 1}/0{k % 7 + 1}/2026 10:00"} for k, one in enumerate(ROWS)]),
        "column 'created_at': '01/01/2026 10:00' could be day or month first: choose with day-first or month-first",
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_what_is_wrong_is_said_without_the_options_of_a_command(tmp_path: Path, name: str) -> None:
    content, says = SENTENCES[name]
    assert preview(tmp_path / "flags.csv", content, OPEN)["error"] == f"flags.csv: {says}"


def test_a_column_chosen_for_the_time_that_has_none(tmp_path: Path) -> None:
    content = csv_of(ROWS)
    found = preview(tmp_path / "flags.csv", content, OPEN, columns={"reason": "occurred_at"})
    assert found["error"] == (
        "flags.csv: column 'reason': its values, such as 'spam', are not times that are known here: export full dates"
        " with hours"
    )
    found = preview(tmp_path / "flags.csv", content, OPEN, columns={"gone": "author_id"})
    assert found["error"].startswith("flags.csv: gone: there is no such column; the columns are reporter,")
