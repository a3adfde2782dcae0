"""Names of columns in the form in which they are compared. PURE."""

from __future__ import annotations

import re
import unicodedata

_LETTERS = str.maketrans(
    {"ä": "ae", "æ": "ae", "ö": "oe", "ü": "ue", "Ä": "ae", "Æ": "ae", "Ö": "oe", "Ü": "ue"}
    | dict(zip("łŁøØđĐıİ", "llooddii", strict=True))
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s\b)[a-z])")


def normalised(name: str) -> str:
    """A column's name in lower case without accents, its words joined with `_`."""
    spaced = _CAMEL.sub("_", name.strip())
    letters = spaced.translate(_LETTERS)
    bare = "".join(c for c in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(c)).casefold()
    return re.sub(r"[\W_]+", "_", bare).strip("_")
