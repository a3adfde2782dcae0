"""Who is named with @ in a note: "@anna", also names with spaces and dots. PURE.

An e-mail address is not a mention, nor is the name of an account elsewhere that goes on after ours, such as
"@anna@example.org".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WRITTEN = re.compile(r"(?<![\w.+@/-])@(\w+(?:[.-]\w+)*)(?![\w@]|[.+-][\w@])")


def nobody_called(text: str, names: Iterable[str]) -> list[str]:
    """The words after an @ that are nobody's name, in their order; of a name with spaces, the first word is looked at.

    >>> nobody_called("@Anna Maria and @nobody-here. Not eve@example.org nor @me@example.org", ["anna maria"])
    ['nobody-here']
    """
    known = [name.casefold() for name in names]
    found: dict[str, None] = {}
    for hit in _WRITTEN.finditer(text):
        rest = text[hit.start(1) :].casefold()
        if not any(re.match(re.escape(name) + r"(?!\w)", rest) for name in known):
            found.setdefault(hit[1])
    return list(found)


def mentioned(text: str, names: Iterable[str]) -> list[str]:
    """The names after an @ in the text, the longest that fits at each place, in their order; letters large or small.

    >>> mentioned("@Anna Maria, see what @ben. wrote to cem@example.org", ["anna", "anna maria", "ben", "cem"])
    ['anna maria', 'ben']
    """
    by_folded: dict[str, list[str]] = {}
    for name in names:
        by_folded.setdefault(name.casefold(), []).append(name)
    if not by_folded or "@" not in text:
        return []
    spellings = sorted((one for several in by_folded.values() for one in several), key=len, reverse=True)
    pattern = re.compile(
        r"(?<![\w.+@-])@(" + "|".join(map(re.escape, spellings)) + r")(?![\w@]|[.+-][\w@])", re.IGNORECASE
    )
    found: dict[str, None] = {}
    for hit in pattern.finditer(text):
        several = by_folded.get(hit[1].casefold(), [])
        found |= dict.fromkeys([hit[1]] if hit[1] in several else several)
    return list(found)
