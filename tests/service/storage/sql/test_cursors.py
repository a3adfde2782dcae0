"""Opaque page cursors."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidCursor
from service.storage.sql.cursors import Page, continued, read_cursor, write_cursor

KEYS: Mapping[str, tuple[type, ...]] = {"-last_at": (int, str), "-score": (float, str)}
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


def read(text: str) -> Page:
    return read_cursor(text, list_name="clusters", key_types_by_sort=KEYS)


def forged(document: Any) -> str:
    """A cursor with a right checksum around any document: the checksum is no secret."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return urlsafe_b64encode(blake2b(body, digest_size=6, person=b"page-cursor").digest() + body).decode().rstrip("=")


@given(st.dictionaries(texts, texts, max_size=4), st.integers(-(2**63) + 1, 2**63 - 1), texts)
def test_what_was_written_is_read_back(filters: dict[str, str], value: int, last_id: str) -> None:
    page = Page("clusters", "-last_at", filters, (value, last_id))
    text = write_cursor(page)
    assert read(text) == page
    assert text.isascii()
    assert not set(text) & set("+/= &?%")


@given(st.floats(-1e9, 1e9))
def test_a_score_comes_back_to_the_last_bit(score: float) -> None:
    assert read(write_cursor(Page("clusters", "-score", {}, (score, "k")))).after == (score, "k")


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: urlsafe_b64encode(data).decode()))
def test_garbage_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor, match="take next_cursor as it was given"):
        read(text)


@given(st.integers(0, 200), st.sampled_from("AQgw059-_.~!"))
def test_a_changed_character_is_noticed(place: int, character: str) -> None:
    text = write_cursor(Page("clusters", "-last_at", {"kind": "repeat"}, (5, "k1")))
    changed = text[: place % len(text)] + character + text[place % len(text) + 1 :]
    if changed != text:
        with pytest.raises(InvalidCursor):
            read(changed)


@pytest.mark.parametrize(
    "document",
    [
        5,
        None,
        [],
        {},
        ["clusters", "-last_at", {}],
        ["clusters", "-last_at", {}, [1]],
        ["clusters", "-last_at", {}, ["1", "k"]],
        ["clusters", "-last_at", {}, [2**63, "k"]],
        ["clusters", "-last_at", {}, [True, "k"]],
        ["clusters", "-last_at", {}, [1, "\ud800"]],
        ["clusters", "-last_at", {}, [1, "a\0"]],
        ["clusters", "-last_at", {"kind": 1}, [1, "k"]],
        ["clusters", "-last_at", [], [1, "k"]],
        ["clusters", "first_at", {}, [1, "k"]],
        ["clusters", ["-last_at"], {}, [1, "k"]],
        ["decisions", "-last_at", {}, [1, "k"]],
        ["clusters", "-score", {}, [float("nan"), "k"]],
        ["clusters", "-score", {}, [float("inf"), "k"]],
        ["clusters", "-score", {}, [10**400, "k"]],
        b"\xff",
        b"[" * 5000,
        b"",
    ],
)
def test_a_forged_cursor_with_a_right_checksum_is_still_checked(document: Any) -> None:
    with pytest.raises(InvalidCursor):
        read(forged(document))


def test_a_cursor_of_megabytes_is_refused_unread() -> None:
    with pytest.raises(InvalidCursor):
        read(forged(["clusters", "-last_at", {"reporter": "x" * 9_000}, [1, "k"]]))


def test_sort_and_filters_may_be_left_out_or_repeated() -> None:
    page = Page("clusters", "-score", {"kind": "repeat", "status": "any"}, (1.5, "k"))
    assert continued(page, sort=None, filters={}) is page
    assert continued(page, sort="-score", filters={"kind": "repeat"}) is page


@pytest.mark.parametrize(
    ("sort", "filters", "told"),
    [
        ("-last_at", {}, "sort=-score, the call says -last_at"),
        (None, {"kind": "one_shot"}, "kind=repeat, the call says kind=one_shot"),
        (None, {"author": "a"}, "no author, the call says author=a"),
    ],
)
def test_what_differs_is_named(sort: str | None, filters: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidCursor, match=told):
        continued(Page("clusters", "-score", {"kind": "repeat"}, (1.5, "k")), sort=sort, filters=filters)
