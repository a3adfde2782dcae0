"""What schemathesis cannot know about our formats: allowed addresses, times that are not in the future, time zones."""

from __future__ import annotations

from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies as st

LABELS = st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True)
PATHS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-/", max_size=40)

schemathesis.openapi.format("uri", st.builds(lambda label, path: f"https://{label}.example/{path}", LABELS, PATHS))
schemathesis.openapi.format(
    "date-time",
    st.integers(0, 1_767_225_600).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    ),
)
schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"]))
