"""What a platform's Retry-After is taken for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.polling.fetch import LONGEST_RETRY_AFTER_SECONDS, retry_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", 0),
        ("1e99", 3_600),
        ("9" * 4_000, 0),
        ("soon", 0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3_600),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3_600),
        ("Sun, 22 Nov 2026 12:01:00", 0),
        ("Sun, 22 Nov 99999999999999999999 12:00:30 GMT", 0),
        ("Sun, 22 Nov 2026 12:00:30 +99999999999999", 0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@given(
    st.text(max_size=60)
    | st.from_regex(
        r"[0-9]{1,3} (Nov|Feb) [0-9]{1,25} [0-9]{1,3}:[0-9]{1,3}(:[0-9]{1,25})? ([+-][0-9]{1,25}|GMT)?", fullmatch=True
    )
)
def test_whatever_a_platform_says_is_a_wait_of_at_most_an_hour(value: str) -> None:
    assert 0 <= retry_after(value, NOW) <= LONGEST_RETRY_AFTER_SECONDS
