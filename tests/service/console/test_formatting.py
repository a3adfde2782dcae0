"""How times, numbers and durations are said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.console import formatting
from service.console.rendering import segment
from service.moderation.phrases import duration, plural

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (47 * 3_600, "47 h"),
        (48 * 3_600, "2 days"),
        (59 * 86_400, "59 days"),
        (62 * 86_400, "2 months"),
        (800 * 86_400, "2 years"),
        (-5, "0 s"),
    ],
)
def test_a_duration_is_shown_in_its_largest_fitting_unit(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_time_is_shown_in_utc_with_its_age_and_the_year_if_it_is_not_this_one() -> None:
    assert formatting.clock(NOW - timedelta(hours=3), NOW) == "22 Nov, 11:02"
    assert formatting.clock(datetime(2025, 1, 5, 9, 7, tzinfo=UTC), NOW) == "5 Jan 2025, 09:07"
    assert formatting.ago(NOW - timedelta(hours=3), NOW) == "3 h ago"
    assert formatting.ago(NOW + timedelta(days=3), NOW) == "in 3 days"
    assert formatting.ago(NOW - timedelta(seconds=10), NOW) == "just now"
    assert str(formatting.when(NOW - timedelta(hours=3), NOW)).startswith(
        '<time class="when" datetime="2026-11-22T11:02:00Z" title="Sunday, 22 November 2026, 11:02:00 UTC">'
    )
    assert str(formatting.when(None, NOW)) == "–"


def test_a_share_is_never_rounded_to_0_or_100_percent() -> None:
    assert [formatting.percent(share) for share in (0, 0.001, 0.5, 0.999, 1, None)] == [
        "0 %",
        "< 1 %",
        "50 %",
        "> 99 %",
        "100 %",
        "–",
    ]


def test_numbers_and_nouns() -> None:
    assert (formatting.number(1_234_567), formatting.number(2.345, 1), formatting.number(None)) == (
        "1,234,567",
        "2.3",
        "–",
    )
    assert (
        plural(1, "case"),
        plural(1_200, "case"),
        plural(2, "entry", "entries"),
    ) == (
        "1 case",
        "1,200 cases",
        "2 entries",
    )


@pytest.mark.parametrize(
    ("value", "said"), [("a/b", "a%2Fb"), ("..", "%2E%2E"), (".", "%2E"), ("a?b#c", "a%3Fb%23c"), ("ü ", "%C3%BC%20")]
)
def test_an_id_is_quoted_as_one_path_segment(value: str, said: str) -> None:
    assert segment(value) == said


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://news.example/a?b=1", True),
        ("http://news.example/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//news.example/a", False),
        ("https://", False),
        ("http://[::1", False),
        (None, False),
        (7, False),
    ],
)
def test_only_http_urls_become_links(url: object, link: bool) -> None:
    assert formatting.web_address(url) == (url if link else None)


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (None, "not tested"),
        (0.5, "50 %"),
        (0.01, "1 %"),
        (2e-4, "1 in 5,000"),
        (1e-7, "1 in 10 million"),
        (0.0, "less than 1 in a quadrillion"),
    ],
)
def test_chance_is_shown_as_a_percentage_or_as_one_in_so_many(probability: float | None, text: str) -> None:
    assert formatting.odds(probability) == text
