"""Names of columns in the form in which they are compared. PURE."""

from __future__ import annotations

import re
import unicodedata

_LETTERS = str.maketrans(
    {"ä": "ae", "æ": "ae", "ö": "oe", "ü": "ue", "Ä": "ae", "Æ": "ae", "Ö": "oe", "Ü": "ue"}
    | dict(zip("łŁøØđĐıİ", "llooddii", strict=True))
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s\b)[a-z])")


_USUAL_WORDS = (
    "reporter|reported|reporting|reports|report|flagger|flagged|flag|complaint|by|users|user|members|member|account"
    "|posts|post|comments|comment|message|content|target|object|item|reason|created|create|gmt|date"
    "|time|name|text|on|at|of|id|no"
)
_TOGETHER = re.compile(rf"(?:{_USUAL_WORDS})+")
_WORD = re.compile(_USUAL_WORDS)


def taken_apart(plain: str) -> str:
    """A normalised name with the usual words in it apart: `reported_by_user` of `reportedbyuser`."""
    parts = (_WORD.findall(p) if _TOGETHER.fullmatch(p) else [p] for p in plain.split("_"))
    return "_".join(word for part in parts for word in part)


def normalised(name: str) -> str:
    """A column's name in lower case without accents, its words joined with `_`."""
    spaced = _CAMEL.sub("_", name.strip())
    letters = spaced.translate(_LETTERS)
    bare = "".join(c for c in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(c)).casefold()
    return re.sub(r"[\W_]+", "_", bare).strip("_")
