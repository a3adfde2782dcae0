"""Documents to canonical lines: what is kept, what is refused, and where the pointer points."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import from_json

from service.errors import TooMany
from service.intake.documents import (
    MAX_ARRAY_ITEMS,
    MAX_LINES,
    Form,
    Submission,
    UnreadableDocument,
    read_document,
)
from service.intake.encoding import wide_encoding
from service.intake.items import COMPLAINT, MACHINE_COMPLAINT, OUTCOME, Noun, read_value, withdrawal
from service.intake.privacy_filter import PrivacyFilter

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def complaint(**changes: Any) -> dict[str, Any]:
    return {
        "id": "c-1",
        "occurred_at": "2026-11-22T10:00:00Z",
        "reporter": {"id": "r-1"},
        "target": {"id": "t-1"},
        **changes,
    }


def read(document: bytes, form: Form = "json", noun: Noun = COMPLAINT) -> Submission:
    batch = Submission()
    for _ in read_document(document, noun, form, NOW, batch):
        pass
    return batch


def refusal(item: Any, noun: Noun = COMPLAINT) -> tuple[str | None, str]:
    """(id, pointer) of the one refused item, the same whether it comes alone, in an array or as a line."""
    text = json.dumps(item).encode()
    found = {
        (r.id, r.pointer)
        for document, form in ((text, "json"), (b"[" + text + b"]", "json"), (text, "ndjson"))
        for r in read(document, form, noun).rejected
    }  # type: ignore[arg-type]
    assert len(found) == 1, found
    return found.pop()


def test_a_complaint_becomes_its_canonical_line_in_utc_without_nulls() -> None:
    batch = read(json.dumps(complaint(occurred_at="2026-11-22t12:00:00.5+02:00", reason=None)).encode())
    assert batch.lines == [
        b'c{"id":"c-1","occurred_at":"2026-11-22T10:00:00.500000Z","reporter":{"id":"r-1","trusted":false},"target":{"id":"t-1"}}'
    ]
    assert batch.rejected_count == 0


def test_the_three_forms_of_a_document_give_the_same_lines() -> None:
    text = json.dumps(complaint(target={"id": "t", "attributes": {"a": 1, "b": 1.5, "c": True, "d": "x"}})).encode()
    alone, array, lines = read(text), read(b"[" + text + b"]"), read(text + b"\r\n", "ndjson")
    assert alone.lines == array.lines == lines.lines
    assert json.loads(alone.lines[0][1:])["target"]["attributes"] == {"a": 1, "b": 1.5, "c": True, "d": "x"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"id": 5}, "/id"),
        ({"id": ""}, "/id"),
        ({"id": "x" * 129}, "/id"),
        ({"id": "x" * 10_000}, "/id"),
        ({"id": "a\x00"}, "/id"),
        ({"id": "a\x85"}, "/id"),
        ({"id": "\ud800"}, "/id"),
        ({"occurred_at": "2026-11-22T10:00:00"}, "/occurred_at"),
        ({"occurred_at": "yesterday"}, "/occurred_at"),
        ({"occurred_at": 1_700_000_000}, "/occurred_at"),
        ({"occurred_at": "2026-02-30T10:00:00Z"}, "/occurred_at"),
        ({"occurred_at": "2026-11-22T10:00:00+99:00"}, "/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
        ({"occurred_at": "٢٠٢٦-11-22T10:00:00Z"}, "/occurred_at"),
        ({"occurred_at": None}, "/occurred_at"),
        ({"reporter": "r"}, "/reporter"),
        ({"target": {}}, "/target/id"),
        ({"target": {"id": 5, "kind": 5}, "reason": 5}, "/target/id"),
        ({"id": "\udfff", "text": "\udfff"}, "/id"),
        ({"machine": True}, "/machine"),
        ({"a/b": 1}, "/a~1b"),
        ({"reporter": {"id": "r", "ip": "10.0.0.1"}}, "/reporter/ip"),
    ],
)
def test_what_is_wrong_with_a_complaint_is_pointed_at(change: dict[str, Any], pointer: str) -> None:
    identifier, found = refusal(complaint(**change))
    assert found == pointer
    assert identifier == (None if "id" in change else "c-1")


@pytest.mark.parametrize("item", [5, "x", None, True, [complaint()], 1.5])
def test_what_is_no_object_is_refused_as_a_whole(item: Any) -> None:
    batch = read(b"[" + json.dumps(item).encode() + b"]")
    assert [(r.line, r.id, r.pointer) for r in batch.rejected] == [(1, None, "")]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"verdict": None}, ""),
        ({"verdict": "guilty"}, "/verdict"),
        ({"decided_by": "robot"}, "/decided_by"),
        ({"complaint_id": ""}, "/complaint_id"),
        ({"target_id": None}, "/target_id"),
    ],
)
def test_what_is_wrong_with_an_outcome_is_pointed_at(change: dict[str, Any], pointer: str) -> None:
    outcome = {"id": "o-1", "target_id": "t-1", "decided_at": "2026-11-22T10:00:00Z", "verdict": "upheld"}
    assert read(json.dumps(outcome).encode(), noun=OUTCOME).rejected_count == 0
    assert refusal({**outcome, **change}, OUTCOME) == ("o-1", pointer)


def test_a_clock_may_run_ahead_by_five_minutes_and_no_more() -> None:
    at = [NOW + timedelta(minutes=5), NOW + timedelta(minutes=5, microseconds=1), NOW + timedelta(days=300)]
    batch = read(
        json.dumps([complaint(id=str(n), occurred_at=moment.isoformat()) for n, moment in enumerate(at)]).encode()
    )
    assert len(batch.lines) == 1
    assert [(r.line, r.id, r.pointer) for r in batch.rejected] == [(2, "1", "/occurred_at"), (3, "2", "/occurred_at")]


def test_an_outcome_is_not_bounded_by_the_clock() -> None:
    assert (
        read(
            b'{"id": "o", "target_id": "t", "decided_at": "2030-01-01T00:00:00Z", "action": "kept"}', noun=OUTCOME
        ).rejected_count
        == 0
    )


def test_a_broken_line_costs_itself_only() -> None:
    good = json.dumps(complaint()).encode()
    batch = read(
        b"\n".join(
            [good, b'{"id": "c-2"', b"\xff\xfe", b"", b"  ", b"{" * 5_000, b'{"a":' * 5_000, good, b"[1]", b"1" * 5_000]
        ),
        "ndjson",
    )
    assert len(batch.lines) == 2
    assert [r.line for r in batch.rejected] == [2, 3, 6, 7, 9, 10]
    assert batch.rejected_count == 6


def test_a_line_longer_than_any_item_is_refused_unread() -> None:
    batch = read(b'{"id": "' + b"x" * 1_100_000 + b'"}\n' + json.dumps(complaint()).encode(), "ndjson")
    assert (len(batch.lines), batch.rejected_count) == (1, 1)


def test_at_most_a_hundred_refusals_are_listed_and_all_are_counted() -> None:
    batch = read(b"{}\n" * 250, "ndjson")
    assert (len(batch.rejected), batch.rejected_count) == (100, 250)


def test_one_item_with_thousands_of_unknown_fields_is_refused_in_short() -> None:
    refused = read(json.dumps(complaint(**{f"f{n}": n for n in range(5_000)})).encode()).rejected
    assert len(refused[0].detail) < 100


@pytest.mark.parametrize(
    "document",
    [b"{", b"", b"   ", b"\xff", b"[1,]", b"[" * 100_000, b'{"id": "\\ud8', b"\xef\xbb\xbf{", b"{} {}", b"9" * 5_000],
)
def test_an_unreadable_document_is_refused_as_a_whole(document: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        read(document)


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_byte_order_mark_is_skipped(form: Form) -> None:
    text = json.dumps(complaint()).encode()
    assert read(b"\xef\xbb\xbf" + text, form).lines == read(text, form).lines
    assert read(b"\xef\xbb\xbf", "ndjson").rejected_count == 0


def test_a_file_with_a_byte_order_mark_may_be_appended_to_another_one() -> None:
    marked = b"\xef\xbb\xbf" + json.dumps(complaint()).encode() + b"\r\n"
    batch = read(marked + marked + marked, "ndjson")
    assert (len(batch.lines), batch.rejected_count) == (3, 0)


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_another_encoding_than_utf_8_is_named(form: Form, encoding: str) -> None:
    text = ("\ufeff" if encoding.endswith("be") else "") + json.dumps(complaint())
    with pytest.raises(UnreadableDocument, match=f"body is in {encoding[:6].upper()}: send it in UTF-8"):
        read(text.encode(encoding), form)


def test_a_document_with_too_many_items_is_refused_before_anything_is_read() -> None:
    assert read(b"[" + b",".join([b"1"] * MAX_ARRAY_ITEMS) + b"]").rejected_count == MAX_ARRAY_ITEMS
    assert read(b"1\n" * MAX_LINES, "ndjson").rejected_count == MAX_LINES
    for document, form in (
        (b"[" + b",".join([b"1"] * (MAX_ARRAY_ITEMS + 1)) + b"]", "json"),
        (b"\n" * (MAX_LINES + 1), "ndjson"),
        (b"1\n" * MAX_LINES + b"1", "ndjson"),
    ):
        batch = Submission()
        with pytest.raises(TooMany):
            list(read_document(document, COMPLAINT, form, NOW, batch))  # type: ignore[arg-type]
        assert batch == Submission()


def test_the_work_is_cut_into_slices() -> None:
    line = json.dumps(complaint()).encode()
    assert sum(1 for _ in read_document(b"\n".join([line] * 1_000), COMPLAINT, "ndjson", NOW, Submission())) >= 20
    long = json.dumps(complaint(text="x" * 4_000, target={"id": "t", "excerpt": "x" * 4_000})).encode()
    assert sum(1 for _ in read_document(b"\n".join([long] * 1_000), COMPLAINT, "ndjson", NOW, Submission())) >= 60
    assert (
        sum(1 for _ in read_document(b"[" + b",".join([line] * 1_000) + b"]", COMPLAINT, "json", NOW, Submission()))
        >= 20
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.one_of(
            JSON,
            st.builds(
                lambda field, value: complaint(**{field: value}),
                st.sampled_from(["id", "occurred_at", "reporter", "target", "text", "x"]),
                JSON,
            ),
        ),
        max_size=6,
    )
)
def test_whatever_comes_every_item_is_either_kept_or_refused(items: list[Any]) -> None:
    batch = read(json.dumps(items).encode())
    assert len(batch.lines) + batch.rejected_count == len(items)
    for refused in batch.rejected:
        refused.model_dump_json().encode()  # nothing in it that no answer could carry


@given(st.lists(st.binary(max_size=40)))
@example([b"\xff\xfe\0\0"])
def test_bytes_that_are_no_json_are_refused_line_by_line_unless_the_encoding_is_another(lines: list[bytes]) -> None:
    text = b"\n".join(lines)
    if wide_encoding(text) is not None:
        with pytest.raises(UnreadableDocument, match="UTF-(16|32)"):
            read(text, "ndjson")
        return
    assert not read(text, "ndjson").lines


IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128)


@given(
    IDS,
    IDS,
    st.datetimes(
        min_value=datetime.fromisoformat("1990-01-01"),
        max_value=datetime.fromisoformat("2026-11-01"),
        timezones=st.just(UTC),
    ),
)
def test_a_canonical_line_reads_back_as_itself(identifier: str, target: str, at: datetime) -> None:
    line = read(json.dumps(complaint(id=identifier, target={"id": target}, occurred_at=at.isoformat())).encode()).lines[
        0
    ]
    assert read(line[1:], "ndjson").lines == [line]
    assert b"\n" not in line


@given(IDS)
def test_a_withdrawal_is_one_line_that_names_the_complaint(identifier: str) -> None:
    line = withdrawal(identifier)
    assert line[:1] == b"w"
    assert b"\n" not in line
    assert from_json(line[1:]) == {"id": identifier}


def told(target: str, reporter: str | None, trusted: bool) -> bytes:
    """A mark that can be read."""
    return f"{target} by {reporter}{', trusted' if trusted else ''};".encode()


def marks_of(*documents: dict[str, Any], noun: Noun = COMPLAINT, privacy_filter: PrivacyFilter | None = None) -> str:
    batch = Submission(privacy_filter or PrivacyFilter(), marker=told)
    for document in documents:
        batch.add(read_value(document, noun, NOW), noun)
    return b"".join(batch.marks).decode()


def test_each_complaint_is_marked_and_whose_is_never_discounted_names_nobody() -> None:
    trusted = complaint(reporter={"id": "r-2", "trusted": True})
    notice = complaint(notice_type="illegal_content")
    assert marks_of(complaint(), trusted, notice) == "t-1 by r-1;t-1 by r-2, trusted;t-1 by None;"
    assert marks_of(complaint(), noun=MACHINE_COMPLAINT) == ""
    assert marks_of({"id": "o", "target_id": "t-1", "decided_at": "2026-11-22T10:00:00Z"}, noun=OUTCOME) == ""
    assert marks_of({"id": "refused"}) == ""


def test_a_mark_names_the_reporter_as_stored_whether_the_id_or_the_pseudonym_came() -> None:
    hiding = PrivacyFilter(bytes(range(32)), pseudonyms=True)
    by_pseudonym = complaint(reporter={"id": hiding.pseudonym("r-1")})
    expected = f"t-1 by {hiding.pseudonym('r-1')};"
    assert marks_of(complaint(), by_pseudonym, privacy_filter=hiding) == 2 * expected
