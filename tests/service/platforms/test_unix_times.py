"""Times that are numbers: read in the unit of the field map, and refused with the value where they cannot be that."""

from __future__ import annotations

from typing import Any

import pytest

from service.platforms import registry
from service.platforms.field_map import BadMapping
from tests.service.platforms.reading import batch_of, read, taken


def mapping(unit: str | None, **more: Any) -> dict[str, Any]:
    at: Any = {"path": "$.at", **({} if unit is None else {"as": unit}), **more}
    return {
        "signature": {"scheme": "bearer"},
        "complaint": {
            "when": {"path": "$.kind", "in": ["flag", ""]},
            "fields": {
                "id": "$.id",
                "occurred_at": at,
                "reporter.id": "$.by",
                "reporter.account_created_at": {"path": "$.since", "as": "unix"},
                "target.id": "$.post",
            },
        },
        "outcome": {
            "when": {"path": "$.kind", "in": ["closed"]},
            "fields": {"id": "$.id", "target_id": "$.post", "decided_at": at, "action": "kept"},
        },
    }


def flag(at: Any, **more: Any) -> dict[str, Any]:
    return {"id": "s-18", "at": at, "by": 5, "post": 9, **more}


@pytest.mark.parametrize(
    ("unit", "at", "time"),
    [
        ("unix", 1_714_730_400, "2024-05-03T10:00:00Z"),
        ("unix", 1_714_730_400.5, "2024-05-03T10:00:00.500000Z"),
        ("unix", "1714730400", "2024-05-03T10:00:00Z"),
        ("unix", " 1714730400.5 ", "2024-05-03T10:00:00.500000Z"),
        ("unix_ms", 1_714_730_400_001, "2024-05-03T10:00:00.001000Z"),
        ("unix_ms", "1714730400001", "2024-05-03T10:00:00.001000Z"),
        ("unix_us", 1_714_730_400_000_001, "2024-05-03T10:00:00.000001Z"),
        ("unix", 946_684_800, "2000-01-01T00:00:00Z"),
        # A text with its own offset needs no unit, and says its year itself.
        ("unix_ms", "2024-05-03T12:00:00+02:00", "2024-05-03T10:00:00Z"),
        (None, "1999-12-31T23:59:59Z", "1999-12-31T23:59:59Z"),
    ],
)
def test_a_number_is_a_time_in_the_unit_of_the_mapping(unit: str | None, at: Any, time: str) -> None:
    (item,) = taken(read("generic", flag(at), mapping=mapping(unit)))
    assert item["occurred_at"] == time


@pytest.mark.parametrize(
    ("unit", "at", "words"),
    [
        ("unix_ms", 1_714_730_400, ["1714730400 as unix_ms", "1970-01-20", "before 2000", "2024-05-03T10:00:00Z"]),
        ("unix_ms", "1714730400", ["'1714730400' as unix_ms", "1970-01-20", "'unix'"]),
        ("unix_us", 1_714_730_400_000, ["1714730400000 as unix_us", "1970-01-20", "'unix_ms'"]),
        ("unix", 1_714_730_400_000, ["1714730400000 as unix (seconds", "not a date", "'unix_ms'"]),
        ("unix", 1_714_730_400_000_000, ["not a date", "'unix_us'"]),
        ("unix_ms", 1_714_730_400_000_000, ["not a date", "'unix_us'"]),
        ("unix", 0, ["0 as unix", "1970-01-01T00:00:00Z", "'earliest'"]),
        ("unix", -1, ["-1 as unix", "1969-12-31", "'earliest'"]),
        ("unix", 946_684_799, ["1999-12-31T23:59:59Z", "'earliest'"]),
        ("unix", "9" * 30, ["9" * 30, "one of unix, unix_ms, unix_us"]),
        ("unix", 10**40, ["a number of over 30 digits"]),
        (None, 1_714_730_400, ["1714730400 is a number without a unit", "2024-05-03T10:00:00Z", "'unix'"]),
        (None, "12", ["'12' is a number without a unit", "one of unix, unix_ms, unix_us"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["flag", "closed"])
def test_another_unit_is_refused_with_the_value_and_the_likely_unit(
    unit: str | None, at: Any, words: list[str], kind: str
) -> None:
    batch = batch_of(read("generic", flag(at, kind=kind), mapping=mapping(unit)))
    (refused,) = batch.rejected
    assert batch.lines == []
    assert (refused.id, refused.pointer) == ("s-18", "/occurred_at" if kind == "flag" else "/decided_at")
    assert [word for word in words if word not in refused.detail] == [], refused.detail


def test_old_times_are_taken_where_the_mapping_says_so() -> None:
    (item,) = taken(read("generic", flag(0), mapping=mapping("unix", earliest=1970)))
    assert item["occurred_at"] == "1970-01-01T00:00:00Z"
    assert batch_of(read("generic", flag(-1), mapping=mapping("unix", earliest=1970))).lines == []
    assert taken(read("generic", flag(-1), mapping=mapping("unix", earliest=1)))


@pytest.mark.parametrize("at", [True, [1_714_730_400], {"s": 1}, "soon", float("nan"), "1e9"])
def test_what_is_no_number_is_refused_by_the_contract(at: Any) -> None:
    (refused,) = batch_of(read("generic", flag(at), mapping=mapping("unix"))).rejected
    assert refused.pointer == "/occurred_at" and "RFC 3339" in refused.detail


def test_an_account_time_in_another_unit_is_unknown_and_the_answer_says_so() -> None:
    delivery = read("generic", flag(1_714_730_400, since=0), mapping=mapping("unix"))
    (item,) = taken(delivery)
    assert "account_created_at" not in item["reporter"]
    assert [note for note in delivery.notes if "reporter.account_created_at of 1 of 1 elements" in note]
    delivery = read("generic", flag(1_714_730_400, since=""), mapping=mapping("unix"))
    assert taken(delivery) and delivery.notes == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"as": "unix", "earliest": "1995"}, "/earliest has to be a year"),
        ({"as": "unix", "earliest": True}, "/earliest has to be a year"),
        ({"as": "unix", "earliest": 0}, "/earliest has to be a year"),
        ({"earliest": 1995}, "/earliest is allowed only beside 'as'"),
    ],
)
def test_the_first_year_is_checked(more: dict[str, Any], why: str) -> None:
    with pytest.raises(BadMapping, match=why):
        registry.check("generic", "secret", mapping(None, **more))
