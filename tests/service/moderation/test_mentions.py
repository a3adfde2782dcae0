"""Who is named with @ in a note."""

from __future__ import annotations

import pytest

from service.moderation.mentions import mentioned

NAMES = ["anna", "Anna Maria", "j.doe", "Zoë", "bob@example.org", "Ben", "ben", "o'neil-smith", "a(b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@anna look", ["anna"]),
        ("(@ANNA), @anna", ["anna"]),
        ("@Anna Maria look", ["Anna Maria"]),
        ("@anna mariana", ["anna"]),
        ("@annabel @ann @anna2 @anna_b", []),
        ("ask @j.doe.", ["j.doe"]),
        ("ask @j.doe.smith", []),
        ("@anna.", ["anna"]),
        ("@anna-lena, @anna@example.org", []),
        ("write to x@anna, x.@anna or +@anna", []),
        ("@bob@example.org", ["bob@example.org"]),
        ("bob@example.org", []),
        ("@zoë @ZOË", ["Zoë"]),
        ("@Ben", ["Ben"]),
        ("@BEN", ["Ben", "ben"]),
        ("@o'neil-smith's case", ["o'neil-smith"]),
        ("@a(b", ["a(b"]),
        ("@@anna @ anna", []),
        ("line\n@anna\n", ["anna"]),
        ("", []),
    ],
)
def test_a_name_after_an_at_sign_is_a_mention(text: str, expected: list[str]) -> None:
    assert mentioned(text, NAMES) == expected


def test_without_people_nobody_is_mentioned() -> None:
    assert mentioned("@anna", []) == []
