"""Run a property with a configurable number of cases, and count them."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("BRIGADEWATCH_FUZZ_CASES", "40"))  # `make fuzz` has 5,000, `make fuzz-quick` 100
# limit of one case: parsing must be fast, but shared machines are slow
LONGEST = timedelta(seconds=20)
drawn: Counter[str] = Counter()


def cases(**strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like hypothesis' `given`, with CASES cases, each counted and limited to LONGEST."""

    def decorated(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            drawn[test.__name__] += 1
            test(*arguments, **named)

        checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
        made: Callable[..., None] = settings(
            max_examples=CASES, deadline=LONGEST, database=None, suppress_health_check=checks
        )(given(**strategies)(counted))
        return made

    return decorated


SURROGATES = st.characters(codec=None)  # any code point, halves of pairs included
NASTY = st.sampled_from(
    [
        "",
        "\0",
        "\n",
        "\r\n",
        "\u2028",
        "\x1b[31m",
        "\ud800",
        "\ufeff",
        "\u202e",
        "😀",
        "é",
        "e\u0301",
        "'",
        '"',
        "`",
        "\\",
        ":",
        "{}",
        "{x}",
        "%",
        "%00",
        "%s",
        "${x}",
        "{{7*7}}",
        "$.x",
        "..",
        ".",
        "/",
        "../../etc/passwd",
        "<script>alert(1)</script>",
        "]]>",
        "&amp;",
        "=1+1",
        "+1",
        "-1",
        "@x",
        "' OR 1=1 --",
        "; DROP TABLE complaints",
        "bw:default:stream",
        "*",
        "[",
        "null",
        "NaN",
        "1e999",
        "-0",
        "0" * 400,
        "x" * 129,
        "x" * 70_000,
    ]
)
TEXTS = st.text(SURROGATES, max_size=40) | NASTY
NUMBERS = (
    st.integers(-(10**40), 10**40)
    | st.floats()
    | st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, 1e308, 5e-324])
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
TIMES = st.datetimes().map(lambda at: f"{at.isoformat()}Z") | st.sampled_from(
    ["2026-11-22T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2016-12-31T23:59:60Z", "2026-11-22"]
)


def json_values(names: st.SearchStrategy[str] = TEXTS, leaves: int = 15) -> st.SearchStrategy[Any]:
    """Any JSON, with keys from `names`."""
    return st.recursive(
        SCALARS | TIMES,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
        max_leaves=leaves,
    )
