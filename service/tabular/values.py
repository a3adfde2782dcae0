"""One value of a table: is it unknown, an id, a number that a spreadsheet has spoilt? PURE."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

UNKNOWN_WORDS = frozenset(
    (
        "",
        "null",
        "\\n",
        "none",
        "nan",
        "nat",
        "n/a",
        "#n/a",
        "na",
        "-",
        "--",
        "nil",
        "undefined",
        "(null)",
        "<null>",
        "{}",
        "[]",
    )
)
_NOBODY = frozenset(
    name.strip()
    for names in """
    anonymous|anonym|anonyme|anónimo|anônimo|anonimo|anonim|anoniem|аноним|匿名|익명|名無し
    guest|gast|invité|invitado|convidado|visitante|ospite|gość|misafir|гость|游客|ゲスト
    unknown|unbekannt|inconnu|desconocido|desconhecido|sconosciuto|onbekend|不明
    deleted|[deleted]|removed|[removed]|former|not found|not available|unavailable|no longer available
    """.splitlines()
    for name in names.split("|")
    if name.strip()
)
_WHOSE = frozenset(("user", "account", "member", "reporter", "post", "comment", "content", "item", "reader"))
_LONGEST_NOBODY = 40  # characters
LONGEST_EXACT = 10**15  # a spreadsheet keeps 15 digits of a number
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE](?:\+\d{1,3}|\d{2,3})\Z")  # 9e1 is rather an id
_OBJECT_ID = re.compile(r"ObjectId\([\"']?([0-9a-f]{24})[\"']?\)\Z")  # as mongoexport writes it in CSV
_WHOLE_FLOAT = re.compile(r"(-?\d+)\.0+\Z")


class Spoilt(ValueError):
    """A value that is no longer what it was in the platform's database; its text says why."""


def is_unknown(value: Any) -> bool:
    """Whether the value only says that there is none."""
    if value is None:
        return True
    if isinstance(value, str):
        text = value.strip()
        return len(text) <= 9 and text.casefold() in UNKNOWN_WORDS
    return isinstance(value, float) and value != value


def is_nobody(name: str) -> bool:
    """Whether a name only says that it is not known who or what it was: all of these are not one account or post."""
    if len(name) > _LONGEST_NOBODY:
        return False
    words = " ".join(name.split()).casefold()
    first, _, rest = words.partition(" ")
    return words in _NOBODY or (rest in _NOBODY and first.isalpha()) or (first in _NOBODY and rest in _WHOSE)


def id_text(value: Any) -> str:
    """An id as text: 123.0 of a column of floats is 123. Raises Spoilt for numbers that lost digits."""
    if isinstance(value, str):
        text = value.strip()
        if text[-1:] == ")" and (wrapped := _OBJECT_ID.match(text)):
            return wrapped[1]
        if text[-2:-1] in ("0", ".") and (whole := _WHOLE_FLOAT.match(text)):
            return whole[1]
        if _SCIENTIFIC.match(text):  # a spreadsheet wrote a long id so, and lost digits
            raise Spoilt(
                f"{text!r} is an id in a spreadsheet's notation, its last digits are lost: format the column as text"
                " before exporting, or export without a spreadsheet"
            )
        return text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return str(int(value)) if value.is_finite() and value == int(value) else str(value)
    if isinstance(value, float):
        if abs(value) >= LONGEST_EXACT:
            raise Spoilt(
                f"'{value:.0f}' has more digits than a spreadsheet or a column of floating-point numbers keeps (15):"
                " store ids as text and export again"
            )
        return str(int(value)) if value == int(value) else str(value)
    return plain_text(value)


def plain_text(value: Any) -> str:
    """A value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def attribute(value: Any) -> str | bool | int | float:
    """A value as an attribute of a target."""
    return value if isinstance(value, bool | int | float | str) else plain_text(value)


def flag(value: Any) -> Any:
    """A yes or no in the words of tables; anything else stays, for the model to refuse."""
    words = {"true": True, "1": True, "yes": True, "t": True, "y": True}
    words |= {"false": False, "0": False, "no": False, "f": False, "n": False}
    if isinstance(value, bool):
        return value
    return words.get(plain_text(value).strip().lower(), value)
