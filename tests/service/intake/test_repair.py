"""What cannot be used of an optional field: it is unknown or cut, with a note, and the complaint is taken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.documents import Form, Submission, read_document
from service.intake.items import COMPLAINT, OUTCOME, Noun
from service.intake.privacy_filter import PrivacyFilter

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPTIONAL_OF_TARGETS = (
    "kind",
    "author_id",
    "context_id",
    "context_title",
    "context_url",
    "url",
    "excerpt",
    "attributes",
)
OUTCOME_DOCUMENT = {"id": "o-1", "target_id": "t-1", "decided_at": "2026-11-22T10:00:00Z", "verdict": "upheld"}


def complaint(
    reporter: dict[str, Any] | None = None, target: dict[str, Any] | None = None, **rest: Any
) -> dict[str, Any]:
    return {
        "id": "c-1",
        "occurred_at": "2026-11-22T10:00:00Z",
        "reporter": {"id": "r-1", **(reporter or {})},
        "target": {"id": "t-1", **(target or {})},
        **rest,
    }


def read(document: bytes, form: Form = "json", noun: Noun = COMPLAINT) -> Submission:
    batch = Submission()
    for _ in read_document(document, noun, form, NOW, batch):
        pass
    return batch


def taken(document: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What is stored of a complaint, and its notes; the same whether it comes alone, in an array or as a line."""
    text = json.dumps(document).encode()
    forms: list[tuple[bytes, Form]] = [(text, "json"), (b"[" + text + b"]", "json"), (text, "ndjson")]
    alone, array, lines = (read(raw, form) for raw, form in forms)
    assert alone.rejected_count == array.rejected_count == lines.rejected_count == 0, alone.rejected
    assert alone.lines == array.lines == lines.lines
    found = [[(note.pointer, note.detail) for note in batch.notes.listed] for batch in (alone, array, lines)]
    assert found[0] == found[1] == found[2]
    assert {note.line for note in alone.notes.listed} <= {None}
    assert {(note.line, note.id) for note in lines.notes.listed} <= {(1, "c-1")}
    return json.loads(alone.lines[0][1:]), found[0]


@pytest.mark.parametrize(
    ("part", "name", "value", "kept"),
    [
        *[
            ("reporter", "account_created_at", value, None)
            for value in (
                "0001-01-01T00:00:00Z",  # Go
                "0001-01-01T00:00:00-07:52",
                "1899-12-30T00:00:00Z",  # a spreadsheet
                "1900-01-01T00:00:00Z",  # SQL Server
                "1970-01-01T00:00:00Z",  # Unix
                "1970-01-21T15:00:00Z",  # seconds read as milliseconds
                "2026-11-22T10:05:01Z",  # later than the complaint
                "2030-01-01T00:00:00Z",
                "2024-02-30T00:00:00Z",
                "2024-01-01T00:00:00",
                "2024-01-01 00:00:00",
                "yesterday",
                "",
                1_700_000_000,
                True,
                [],
                {},
            )
        ],
        ("reporter", "account_created_at", "2026-11-22T10:05:00Z", "2026-11-22T10:05:00Z"),  # two clocks
        ("reporter", "fingerprint", "", None),
        ("reporter", "fingerprint", "x" * 513, None),
        ("reporter", "fingerprint", 5, None),
        ("reporter", "trusted", "no", False),
        ("reporter", "trusted", "true", False),
        ("reporter", "trusted", 1, False),
        ("reporter", "trusted", None, False),
        ("target", "kind", "", None),
        ("target", "kind", "k" * 65, "k" * 64),
        ("target", "kind", 5, None),
        *[
            ("target", name, value, None)
            for name in ("author_id", "context_id")
            for value in ("", "x" * 129, 5, "a\0", "\ud800", ["a"])
        ],
        ("target", "url", "u" * 4_097, None),
        ("target", "excerpt", "e" * 4_097, "e" * 4_096),
        ("target", "excerpt", "a\udfffb", "a?b"),
        ("target", "excerpt", {}, None),
        ("target", "context_title", "t" * 301, "t" * 300),
        ("target", "context_title", "\u202e" + "t" * 10_000, "\u202e" + "t" * 299),
        ("target", "context_title", ["a title"], None),
        ("target", "context_url", "u" * 4_097, None),
        ("target", "attributes", [], None),
        ("target", "attributes", "x", None),
        ("target", "attributes", {"a/~b": [1], "b": 1}, {"b": 1}),
        ("target", "attributes", {"a": None, "b": 1}, {"b": 1}),
        ("target", "attributes", {"a": {"b": 1}, "b": 1}, {"b": 1}),
        ("target", "attributes", {"a": float("nan"), "b": 1}, {"b": 1}),
        ("target", "attributes", {"a": float("inf"), "b": 1}, {"b": 1}),
        ("target", "attributes", {"a": "x" * 1_025, "b": 1}, {"b": 1}),
        ("target", "attributes", {"": 1, "x" * 129: 1, "\ud800": 1, "b": 1}, {"b": 1}),
        ("target", "attributes", {f"{n:04}": n for n in range(1_001)}, None),
        ("", "reason", "x" * 65, "x" * 64),
        ("", "reason", "\ud800", "?"),
        ("", "reason", 5, None),
        ("", "text", "x" * 4_097, "x" * 4_096),
        ("", "text", [], None),
        ("", "notice_type", "other", None),
        ("", "notice_type", "", None),
        ("", "notice_type", {}, None),
        ("", "notice_type", "Illegal-Content", "illegal_content"),
        ("", "notice_type", " ILLEGAL CONTENT", "illegal_content"),
    ],
)
def test_what_cannot_be_used_of_an_optional_field_is_unknown_or_cut(
    part: str, name: str, value: Any, kept: Any
) -> None:
    stored, notes = taken(complaint(**{part: {name: value}}) if part else complaint(**{name: value}))
    assert (stored[part] if part else stored).get(name) == kept
    place = f"/{part}/{name}" if part else f"/{name}"
    assert all(pointer.startswith(place) for pointer, _ in notes)
    assert bool(notes) == (value is not None and value != kept and value != {"a": None, "b": 1})


def test_the_first_32_attributes_by_name_are_kept_whatever_their_order() -> None:
    names = [f"{n:02}" for n in range(40)]
    stored, notes = taken(complaint(target={"attributes": {name: name for name in reversed(names)}}))
    assert list(stored["target"]["attributes"]) == names[:32]
    assert notes == [("/target/attributes", "40 attributes: the first 32 by name are kept")]
    again, _ = taken(complaint(target={"attributes": {name: name for name in names}}))
    assert again == stored


def test_an_attribute_that_is_left_out_takes_no_place_of_the_32() -> None:
    stored, notes = taken(complaint(target={"attributes": {"00": [], **{f"{n:02}": n for n in range(1, 33)}}}))
    assert len(stored["target"]["attributes"]) == 32
    assert [pointer for pointer, _ in notes] == ["/target/attributes/00"]


def test_everything_optional_may_be_wrong_at_once() -> None:
    stored, notes = taken(
        complaint(
            {"account_created_at": 0, "fingerprint": 0, "trusted": "x"},
            dict.fromkeys(OPTIONAL_OF_TARGETS, 0),
            reason=0,
            text=0,
            notice_type=0,
        )
    )
    assert stored == {
        "id": "c-1",
        "occurred_at": "2026-11-22T10:00:00Z",
        "reporter": {"id": "r-1", "trusted": False},
        "target": {"id": "t-1"},
    }
    assert len(notes) == 14


@pytest.mark.parametrize(
    "change", [{"decided_by": "robot"}, {"decided_by": None}, {"complaint_id": ""}, {"retracts": 5}, {"verdict": "?"}]
)
def test_no_field_of_an_outcome_may_be_left_out(change: dict[str, Any]) -> None:
    assert read(json.dumps({**OUTCOME_DOCUMENT, **change}).encode(), noun=OUTCOME).rejected_count == 1


@pytest.mark.parametrize("secret", ["r-1@example.org", "12345678", "10.0.0.1", "+49 170 1234567"])
def test_a_note_repeats_nothing_that_may_be_somebodys_name(secret: str) -> None:
    _, notes = taken(
        complaint(
            {"account_created_at": secret, "trusted": secret},
            {"attributes": [secret], "author_id": [secret], "context_id": secret + "\0", "excerpt": {secret: 1}},
            reason=[secret],
            notice_type=secret,
            text=secret * 1_000,
        )
    )
    assert len(notes) == 9
    assert not any(secret in part for note in notes for part in note)


def test_a_note_names_the_time_that_cannot_be_used() -> None:
    _, notes = taken(complaint({"account_created_at": "2024-01-01 00:00:00"}))
    assert "'2024-01-01 00:00:00'" in notes[0][1]


def test_a_hundred_notes_are_listed_all_are_counted_and_each_field_has_one_sentence() -> None:
    lines = [complaint({"trusted": "no"}, {"attributes": {f"a{n}": [], "b": []}}, reason=5) for n in range(50)]
    notes = read(b"\n".join(json.dumps(line).encode() for line in lines), "ndjson").notes
    assert (len(notes.listed), notes.count) == (100, 200)
    assert notes.sentences() == [
        "reporter/trusted: false: expected true or false, found a text of length 2 (50 times like this)",
        (
            "target/attributes: left out: expected a number, a boolean or at most 1024 characters, found an array"
            " (100 times like this)"
        ),
        "reason: unknown: Input should be a valid string; found a number (50 times like this)",
    ]


def test_what_is_refused_has_no_notes() -> None:
    erased = PrivacyFilter(bytes(32))
    batch = Submission(PrivacyFilter(bytes(32), erased={erased.mark("r-1"): "x"}))
    list(read_document(json.dumps(complaint(reason=5)).encode(), COMPLAINT, "json", NOW, batch))
    list(read_document(json.dumps({**complaint(reason=5), "id": 5}).encode(), COMPLAINT, "json", NOW, batch))
    assert (batch.rejected_count, batch.notes.count) == (2, 0)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("account_created_at", "fingerprint", "trusted"), ANY)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(OPTIONAL_OF_TARGETS, ANY)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("reason", "text", "notice_type"), ANY)),
)
def test_no_value_of_an_optional_field_refuses_a_complaint(
    reporter: dict[str, Any], target: dict[str, Any], rest: dict[str, Any]
) -> None:
    stored, notes = taken(complaint(reporter, target, **rest))
    for note in notes:
        json.dumps(note).encode()
    again, none = taken(stored)
    assert (again, none) == (stored, []), "what is stored is valid as it is"
