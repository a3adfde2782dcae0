"""What arrives from each platform: declared once, shown in docs/integrations/README.md, and held against what the
adapters make of a real server's answers, or of fixtures that follow the version named here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.intake.items import MACHINE_COMPLAINT
from service.platforms.items import Item

COLUMNS = ("complaints", "outcomes", "taken back", "authors", "contexts", "machine marks")
ALL = frozenset(COLUMNS)


@dataclass(frozen=True, slots=True)
class Row:
    """One platform: the version that its tests follow, whether that is a real server, and what arrives."""

    platform: str
    version: str
    real: bool
    arrives: frozenset[str]
    cannot: str  # what does not arrive, in words


ROWS = (
    Row(
        "Ozone",
        "0.4.2",
        True,
        ALL - {"contexts"},
        "decisions about records that Ozone closed because their account was taken down; reports that a comment closed;"
        " the end of a label's duration",
    ),
    Row(
        "Lemmy",
        "1.0.0-beta.1 (439734d), 0.19",
        False,
        ALL - {"taken back"},
        "reports about private messages; a removal that is undone without touching its report; a decision where the"
        " author is banned or the post is gone",
    ),
    Row(
        "Coral",
        "9.11.8 (8bf2ad7)",
        False,
        ALL - {"taken back"},
        "flags that are taken back; flags of Coral's own filters; anything about a deleted comment",
    ),
    Row(
        "Discourse",
        "main of 2026",
        False,
        ALL - {"taken back"},
        "queued posts and new accounts; the old event `flag`; who decided, where no reviewer is named",
    ),
    Row(
        "Mastodon",
        "main after 4.6",
        False,
        ALL - {"taken back", "contexts"},
        "the verdict of a report that is closed while its account is not suspended",
    ),
    Row(
        "Coop",
        "1c1f54d (after 1.0.2)",
        False,
        frozenset({"complaints", "outcomes", "machine marks"}),
        "undecided appeals, actions without a policy; times of callbacks",
    ),
    Row(
        "generic",
        "its own map",
        False,
        ALL - {"taken back", "authors"},
        "what the map does not name",
    ),
    Row(
        "Standard Webhooks (JavaScript)",
        "standardwebhooks 1.1.1",
        True,
        frozenset({"complaints"}),
        "withdrawals",
    ),
    Row("Svix (JavaScript)", "svix 2.5.0", True, frozenset({"complaints"}), "withdrawals"),
)
ROW_BY_PLATFORM = {row.platform: row for row in ROWS}


def arrived(items: Iterable[Item]) -> Counter[str]:
    """How much of each column the items have."""
    found: Counter[str] = Counter()
    for item in items:
        document = item.document
        if item.is_outcome:
            found["outcomes"] += 1
            found["taken back"] += "retracts" in document
            found["machine marks"] += document.get("decided_by") == "automatic"
            continue
        target = document["target"]
        found["complaints"] += 1
        found["authors"] += "author_id" in target
        found["contexts"] += "context_id" in target
        found["machine marks"] += item.noun is MACHINE_COMPLAINT
    return +found


def rendered(counts: Mapping[str, Mapping[str, int]] | None = None) -> list[str]:
    """The lines of the table; with the counts of a run instead of yes, of what was run."""
    head = ("platform", "version followed", "tested with", *COLUMNS, "does not arrive")
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for row in ROWS:
        run = None if counts is None else counts.get(row.platform)
        if counts is not None and run is None:
            continue
        shown = {column: "yes" if run is None else str(run.get(column, 0)) for column in row.arrives}
        cells = [shown.get(column, "–") for column in COLUMNS]
        real = "the real one" if row.real else "fixtures"
        lines.append(f"| {' | '.join((row.platform, row.version, real, *cells, row.cannot))} |")
    return lines
