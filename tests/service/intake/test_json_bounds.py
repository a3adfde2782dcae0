"""JSON of more values than an honest text has is refused before anything is made of it."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest

from service.errors import TooMany
from service.intake.documents import Submission, read_document
from service.intake.items import COMPLAINT, parsed, read_line
from service.intake.json_bounds import MAX_VALUES_OF_LINE, check_values
from service.model import RejectedItem

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("element", [b"[]", b"{}", b'{"":0}', b"0", b"[[]]", b'"",0'])
def test_a_body_of_nothing_but_brackets_is_refused_unread(element: bytes) -> None:
    body = b"[" + b",".join([element] * 1_000_000) + b"]"
    with pytest.raises(TooMany, match="more than 100000 JSON values"):
        parsed(body)
    with pytest.raises(TooMany):
        next(read_document(body, COMPLAINT, "json", NOW, Submission()))


def test_a_line_of_brackets_is_refused_and_its_neighbours_are_not() -> None:
    good = json.dumps(
        {"id": "a", "occurred_at": "2026-11-22T11:00:00Z", "reporter": {"id": "r"}, "target": {"id": "t"}}
    ).encode()
    hostile = b'{"id":"b","x":[' + b",".join([b"{}"] * 300_000) + b"]}"
    batch = Submission()
    for _ in read_document(b"\n".join([good, hostile, good.replace(b'"a"', b'"c"')]), COMPLAINT, "ndjson", NOW, batch):
        pass
    assert (len(batch.lines), batch.rejected_count) == (2, 1)
    assert batch.rejected[0].line == 2 and "more than 2000 JSON values" in batch.rejected[0].detail


@pytest.mark.parametrize(
    "text", ['[{,"' * 1_000, '\\",[' * 1_000, '\\\\"' + "," * 4_000, "," * 4_096, '\\"' * 2_000 + "{"]
)
def test_what_a_text_holds_is_no_value(text: str) -> None:
    complaint = {
        "id": "a",
        "occurred_at": "2026-11-22T11:00:00Z",
        "reporter": {"id": "r"},
        "target": {"id": "t", "attributes": {f"k{n}": n for n in range(32)}},
        "text": text[:4_096],
    }
    item = read_line(json.dumps(complaint).encode(), COMPLAINT, NOW)
    assert not isinstance(item, RejectedItem) and item.text == text[:4_096]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b"," * 8_000_000,
        b'"' + b"\\," * 4_000_000,
        b'"\\' * 2_000_000 + b"," * 3_000,
        b'","' * 2_000_000,
        b"\\" * 8_000_000 + b'"' + b"," * 3_000,
    ],
)
def test_strings_without_an_end_take_no_longer_than_others(body: bytes) -> None:
    with pytest.raises((ValueError, TooMany)):
        parsed(body, MAX_VALUES_OF_LINE)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 90_000 + b"]" * 90_000])
def test_nesting_ends_as_an_error_of_the_text(body: bytes) -> None:
    with pytest.raises((ValueError, TooMany), match=r"recursion|more than"):
        parsed(body)
    with pytest.raises((ValueError, TooMany)):  # Python's parser, which surrogates are left to: RecursionError is none
        parsed(b'["\\ud800",' + body)


@pytest.mark.parametrize("number", [b"9" * 1_000_000, b"1e" + b"9" * 1_000_000, b"0." + b"1" * 1_000_000])
def test_a_number_of_a_million_digits_is_no_work(number: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parsed(number), float)


def test_values_are_counted_to_the_bound_and_not_beyond() -> None:
    check_values(b"[" + b",".join([b"0"] * 10) + b"]", 10)
    with pytest.raises(TooMany, match="more than 10 JSON values"):
        check_values(b"[" + b",".join([b"0"] * 12) + b"]", 10)
