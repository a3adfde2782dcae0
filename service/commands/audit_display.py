"""What `brigadewatch audit` prints: how the files were read, then the groups and the counts that change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.charts.words import share
from service.moderation.phrases import plural
from service.tabular.naming import what_is
from service.tabular.read_as import ATTRIBUTE

if TYPE_CHECKING:
    from service.tabular.reading import SourceFile
    from workers.audit.examination import FilesRead

GROUPS_SHOWN, TARGETS_SHOWN, NOTES_SHOWN = 20, 15, 12
ATTRIBUTES_SHOWN = 5


def console() -> Console:
    """Standard output: as wide as the terminal, 120 columns in a pipe."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def show_files(out: Console, files: FilesRead) -> None:
    """Print how each file was read, and what was refused."""
    for reading, what in ((files.complaints, "complaint"), (files.outcomes, "outcome")):
        for source in reading.sources:
            _show_file(out, source)
        if reading.sources:
            out.print(f"{plural(reading.items, what)} read", markup=False)
        if (reading.items or what == "outcome") and (sentence := reading.sentence(f"{what}s")):
            out.print(Text(sentence, style="bold red"))
    out.print()


def _show_file(out: Console, source: SourceFile) -> None:
    out.print(Text.assemble((source.path.name, "bold"), f": {source.kind}"))
    if source.read_as:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("column", "read as", "because of", "for example"):
            table.add_column(name, overflow="fold")
        shown = [r for r in source.read_as if r.field != ATTRIBUTE]
        attributes = [r for r in source.read_as if r.field == ATTRIBUTE]
        for read in shown:
            table.add_row(Text(read.column), what_is(read.field), Text(read.why), Text(read.example))
        if attributes:
            more = f" and {len(attributes) - ATTRIBUTES_SHOWN} more" if len(attributes) > ATTRIBUTES_SHOWN else ""
            names = ", ".join(r.column for r in attributes[:ATTRIBUTES_SHOWN]) + more
            table.add_row(Text(names), "describes targets", Text(attributes[0].why), "")
        out.print(table)
    for note in source.notes[:NOTES_SHOWN]:
        out.print(Text(f"  {note}"))


def show_report(
    out: Console, report: dict[str, Any], files: FilesRead, threshold: int, written: Sequence[Path]
) -> None:
    """Print the groups, the targets whose count falls below the threshold, and where the report is.

    Of its notes, those on rejected rows were printed by `show_files`.
    """
    complaints = plural(report["complaints"], "complaint")
    out.print(f"{complaints} from {_minute(report['from'])} to {_minute(report['to'])}", style="bold")
    flagged = [c for c in report["clusters"] if c["disposition"] == "flagged"]
    if flagged:
        _show_groups(out, flagged)
    else:
        out.print("No group of accounts was found that complains together more than chance explains.")
    others = len(report["clusters"]) - len(flagged)
    if others:
        out.print(f"{plural(others, 'more cluster')} in the report, not flagged")
    _show_targets(out, report["targets"], threshold)
    known = files.rejections()
    for note in report["notes"]:
        if note not in known:
            out.print(Text(f"- {note}", style="dim"))
    for path in written:
        out.print(Text(f"written: {path}"), soft_wrap=True)


def _show_groups(out: Console, flagged: Sequence[dict[str, Any]]) -> None:
    table = Table(title="Flagged groups, highest priority first", show_lines=True, title_justify="left")
    for name in ("coordination", "accounts", "targets", "likely"):
        table.add_column(name, justify="right")
    table.add_column("what was found")
    for cluster in flagged[:GROUPS_SHOWN]:
        table.add_row(
            f"{cluster['coordination_score']:.1f}",
            f"{cluster['reporter_count']:,}",
            f"{cluster['target_count']:,}",
            share(cluster["probability"]),
            Text(cluster["summary"]),
        )
    out.print(table)
    if len(flagged) > GROUPS_SHOWN:
        out.print(f"{plural(len(flagged) - GROUPS_SHOWN, 'more flagged group')} in the report")


def _show_targets(out: Console, targets: Sequence[dict[str, Any]], threshold: int) -> None:
    if not targets:
        return
    below = [t for t in targets if t["complaints"] >= threshold > t["independent_complaints"]]
    out.print(
        f"Targets with fewer independent complaints than complaints: {len(targets):,}."
        f" Below {threshold}, where a platform would remove by count: {len(below):,}"
    )
    if not below:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("target", overflow="fold")
    table.add_column("complaints", justify="right")
    table.add_column("independent", justify="right")
    for target in sorted(below, key=lambda t: t["independent_complaints"] - t["complaints"])[:TARGETS_SHOWN]:
        table.add_row(Text(target["id"]), f"{target['complaints']:,}", f"{target['independent_complaints']:,.1f}")
    out.print(table)
    if len(below) > TARGETS_SHOWN:
        out.print(f"{plural(len(below) - TARGETS_SHOWN, 'more target')} in the report")


def _minute(text: str | None) -> str:
    return text[:16].replace("T", " ") if text else "-"
