"""The only reader of the host's wall clock (tests/test_structure.py); everything else is handed a time, or asks here.

The wall clock may step, back or far ahead. So it says when something happened, never how long something takes: that is
`time.monotonic()`. A stored time that lies in the future is of a clock that has been set back since
(docs/decisions/052-clocks.md).
"""

from __future__ import annotations

import time
from datetime import datetime

from service.model import moment


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


def now() -> datetime:
    """The current time, with UTC as its zone."""
    return moment(now_us())
