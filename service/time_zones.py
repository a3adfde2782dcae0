"""The time zones that this machine knows, by their IANA names."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def time_zones() -> frozenset[str]:
    """All names, read once: looking through the machine's database takes milliseconds."""
    return frozenset(available_timezones()) | {"UTC"}
