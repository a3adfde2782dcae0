"""Times, numbers and durations as the console shows them. Pure: `now` is an argument.

In templates these are filters (rendering.py).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo
from urllib.parse import urlsplit

from markupsafe import Markup

from service.moderation.phrases import duration

_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg", ".bmp", ".heic")


def number(value: float | int | None, digits: int = 0) -> str:
    """With thousands separators and so many decimals; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}" if digits or isinstance(value, float) else f"{value:,}"


def percent(share: float | None) -> str:
    """A share from 0 to 1 as a whole percentage, never rounded to a false 0 or 100 %."""
    if share is None:
        return "–"
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{share * 100:.0f} %"


def large(power: float) -> str:
    """Ten to this power (>= 0) in words, to one significant digit: "30", "10,000", "2 million", "1 billion"."""
    if power >= 15:
        return "a quadrillion or more"
    value = float(f"{10.0**power:.0e}")
    for unit, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= unit:
            return f"{value / unit:,.0f} {word}"
    return f"{value:,.0f}"


def odds(probability: float | None) -> str:
    """How often chance alone would produce something: "12 %", "1 in 5,000"; "not tested" for None."""
    if probability is None:
        return "not tested"
    if probability >= 0.01:
        return f"{probability * 100:.0f} %"
    return "less than 1 in a quadrillion" if probability < 1e-15 else f"1 in {large(-math.log10(probability))}"


def ago(at: datetime, now: datetime) -> str:
    """ "3 h ago", "just now", "in 2 days"."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 45:
        return "just now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def clock(at: datetime, now: datetime | None = None, zone: tzinfo = UTC) -> str:
    """ "22 Nov, 14:02" of this year, "22 Nov 2025, 14:02" of another, in the person's time zone."""
    at = at.astimezone(zone)
    now = None if now is None else now.astimezone(zone)
    year = "" if now is not None and at.year == now.year else f" {at.year}"
    return f"{at.day} {at:%b}{year}, {at:%H:%M}"


def when(at: datetime | None, now: datetime, zone: tzinfo = UTC) -> Markup:
    """A <time>: the moment, and how long ago beside it; a dash for None."""
    if at is None:
        return Markup("–")
    return Markup('<time class="when" datetime="{}" title="{}">{} <span class="ago">{}</span></time>').format(
        _iso(at), full(at, zone), clock(at, now, zone), ago(at, now)
    )


def since(at: datetime | None, now: datetime, zone: tzinfo = UTC) -> Markup:
    """A <time> where there is little room: how long ago, the moment on hover; a dash for None."""
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(_iso(at), full(at, zone), ago(at, now))


def web_address(url: object) -> str | None:
    """The URL if it is http or https; None for anything else a platform may send (javascript:, data:)."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def is_image(url: str) -> bool:
    """Whether a web address is called like an image's: the page then says so, and never loads it."""
    return urlsplit(url).path.lower().endswith(_IMAGES)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def full(at: datetime, zone: tzinfo = UTC) -> str:
    """The moment with its weekday, its seconds and the zone's offset."""
    at = at.astimezone(zone)
    return f"{at:%A, {at.day} %B %Y, %H:%M:%S} {offset(at)}"


def offset(at: datetime) -> str:
    """ "UTC", or how far the moment's clock is from it: "UTC+05:30"."""
    text = f"{at:%z}"
    return "UTC" if text in ("+0000", "-0000") else f"UTC{text[:3]}:{text[3:5]}"


def sentence_start(text: str) -> str:
    """With a capital letter; the rest stays as it is."""
    return f"{text[:1].upper()}{text[1:]}"


def sentence(text: object) -> str:
    """An error message as a sentence, with a capital letter and a full stop."""
    message = str(text)
    return sentence_start(message) + ("" if message.endswith((".", "!", "?")) else ".")
