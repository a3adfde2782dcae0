"""How many values a JSON text may have. PURE.

A parser makes up to 100 bytes of each byte that it reads: eight megabytes of `{"":0}` are 700 MB and two seconds in
which nothing else is answered. So values are counted before anything is made of them. (Depth is bounded by the parser:
200 levels.)
"""

from __future__ import annotations

import re

from service.errors import TooMany

MAX_VALUES_OF_LINE = 2_000  # the largest item has 32 attributes and some 20 fields
MAX_VALUES_OF_BODY = 100_000  # 1,000 items of 100
MAX_VALUES_OF_PAYLOAD = 500_000  # what a platform posts has more around its items
# Possessive: each byte is looked at once, and nothing is kept to go back to.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def check_values(text: bytes, limit: int) -> None:
    """Raises TooMany if there are more than `limit` values, counting each array and object twice."""
    if len(text) <= limit or _marks(text, 0, len(text)) <= limit:
        return
    count = end = 0
    # At most `limit` rounds or so: every second string of a valid text is a value.
    for strings, string in enumerate(_STRING.finditer(text)):
        count += _marks(text, end, string.start())
        end = string.end()
        if count > limit or strings > 2 * limit:
            break
    else:
        count += _marks(text, end, len(text))
        if count <= limit:
            return
    raise TooMany(f"more than {limit} JSON values, which is the most that is accepted here: send less at once")


def _marks(text: bytes, start: int, end: int) -> int:
    return text.count(b",", start, end) + text.count(b"{", start, end) + text.count(b"[", start, end)
