"""When a failed delivery is tried again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.webhooks.schedule import ATTEMPTS, next_attempt_us, rest_until_us, retry_after_seconds

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_schedule_is_the_standard_s() -> None:
    pauses = [next_attempt_us(n, 0, retry_after_seconds=None, spread=0.0) for n in range(1, ATTEMPTS)]
    minute, hour = 60_000_000, 3_600_000_000
    assert pauses == [
        5_000_000,
        5 * minute,
        30 * minute,
        2 * hour,
        5 * hour,
        10 * hour,
        14 * hour,
        20 * hour,
        24 * hour,
    ]
    assert next_attempt_us(ATTEMPTS, 0, retry_after_seconds=None, spread=0.0) is None
    assert next_attempt_us(ATTEMPTS, 0, retry_after_seconds=60, spread=0.0) is None


@given(st.integers(1, ATTEMPTS - 1), st.floats(-1, 1), st.none() | st.integers(0, 86_400))
def test_jitter_stays_within_a_tenth_and_retry_after_is_never_cut_short(
    attempts: int, spread: float, after: int | None
) -> None:
    plain = next_attempt_us(attempts, 0, retry_after_seconds=None, spread=0.0)
    found = next_attempt_us(attempts, 0, retry_after_seconds=after, spread=spread)
    assert plain is not None and found is not None
    assert found >= (after or 0) * 1_000_000
    assert plain * 0.899 <= found <= max(plain * 1.101, (after or 0) * 1_000_000)


@given(st.integers(1, 1000), st.none() | st.integers(0, 86_400))
def test_a_silent_receiver_is_left_alone_for_five_seconds_and_then_for_five_minutes_or_as_it_wishes(
    silences: int, after: int | None
) -> None:
    usual = 5 if silences == 1 else 300
    assert rest_until_us(silences, 7, retry_after_seconds=after) == 7 + max(usual, after or 0) * 1_000_000


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("86400", 86_400),
        ("86401", 86_400),
        ("9" * 500, 86_400),
        ("-5", None),
        ("1.5", 2),
        ("1.5s", None),
        ("٣", None),
        ("soon", None),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Sun, 22 Nov 2026 14:01:00 +0200", 60),
        ("Sun, 22 Nov 2026 12:01:00", 60),
        ("Sunday, 22-Nov-26 12:01:00 GMT", 60),
        ("Sun Nov 22 12:01:00 2026", 60),
        ("Sun, 99 Nov 2026 99:99:99 GMT", None),
        ("22 Nov 0000 00:00:00 GMT", 0),
        ("x" * 100_000, None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(header: str | None, seconds: int | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(
    st.text(max_size=40)
    | st.from_regex(
        r"[0-9]{1,2} (Nov|Feb) [0-9]{1,5} [0-9]{1,3}:[0-9]{1,3}(:[0-9]{1,3})? ([+-][0-9]{1,6}|GMT)?", fullmatch=True
    )
)
def test_whatever_a_receiver_says_is_a_time_within_a_day_or_nothing(header: str) -> None:
    found = retry_after_seconds(header, NOW)
    assert found is None or 0 <= found <= 86_400
