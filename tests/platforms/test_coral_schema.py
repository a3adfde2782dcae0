"""What we ask Coral for is in its schema: names, arguments, types, and no list longer than Coral gives at once."""

from __future__ import annotations

import re
from pathlib import Path

from platforms.node_programs import ask

from service.platforms import coral_dsa, coral_flags
from service.platforms.coral_comments import PAGE

SCHEMA = (Path(__file__).parent / "coral.graphql").read_text()


def test_our_queries_fit_corals_schema() -> None:
    queries = [
        {"query": coral_flags.QUERY, "variables": {"first": PAGE, "after": "2026-11-01T12:00:00.000Z"}},
        {"query": coral_dsa.QUERY, "variables": {"first": PAGE, "after": None}},
        {"query": coral_dsa.QUERY.replace("submissionID", "submission"), "variables": {"first": "fifty"}},
    ]
    flags, reports, wrong = ask("graphql.mjs", {"schema": SCHEMA, "queries": queries})
    assert (flags, reports) == ([], []) and len(wrong) == 2
    bounds = {int(most) for most in re.findall(r"@constraint\(max: (\d+)\)", SCHEMA)}
    assert bounds == {PAGE}
