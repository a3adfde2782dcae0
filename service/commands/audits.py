"""`brigadewatch audit`: look for groups in files, without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.common import say, seconds_of, settings_from
from service.commands.file_options import (
    Columns,
    Encoding,
    MaxRejected,
    PresetName,
    Sheet,
    TimeFormat,
    Timezone,
    reading_options,
    share_of,
)
from service.wall_clock import now

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from workers.audit.window_sweeps import Sweeps

commands = typer.Typer()
Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="Complaints: CSV, a workbook, web page, database dump, XML, JSON, NDJSON or Parquet, also in gzip or zip;"
        " or a folder of Parquet files.",
        exists=True,
    ),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="JSON report to write.", show_default=False)]
Outcomes = Annotated[
    list[Path] | None,
    typer.Option("--outcomes", metavar="FILE...", help="Outcomes; repeat the option for several files.", exists=True),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Report to write as a self-contained HTML page; accounts and targets stand beside it as CSV.",
        show_default=False,
    ),
]
Window = Annotated[str, typer.Option("--window", help="Length of the analysis window in event time, like 14d or 36h.")]
Step = Annotated[str, typer.Option("--step", help="How far the window moves at each step, like 1d or 12h.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="Ignore later complaints and outcomes; RFC 3339, like 2021-12-23T14:02:11Z.",
        show_default=False,
    ),
]


Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        metavar="COUNT",
        help="Processes that read a large file and analyse its windows. [default: one per processor core]",
        show_default=False,
    ),
]


UsedEngine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME|URL",
        help="What compares complaints: numpy in memory, or duckdb, which spills to disk; auto takes DuckDB for windows"
        " of 2,000,000 complaints and more (BRIGADEWATCH_LARGE_WINDOW). spark: the session of an installed pyspark,"
        " which takes all windows. clickhouse://USER@HOST:PORT: a server, which takes windows as large as that; the"
        " password is read from CLICKHOUSE_PASSWORD. The result is the same.",
    ),
]
EngineMemory = Annotated[
    float | None,
    typer.Option(
        "--engine-memory",
        min=0.25,
        metavar="GIB",
        help="Memory that DuckDB may use. [default: 2, or BRIGADEWATCH_LARGE_MEMORY_BYTES]",
        show_default=False,
    ),
]
Temporary = Annotated[
    Path | None,
    typer.Option(
        "--temporary",
        metavar="FOLDER",
        help="Where DuckDB spills to. [default: the system's folder for temporary files]",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]


@commands.command()
def audit(
    paths: Paths,
    out: Out = None,
    outcomes: Outcomes = None,
    html: Page = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page of --html in the browser.")] = False,
    column: Columns = None,
    timezone: Timezone = None,
    time_format: TimeFormat = None,
    sheet: Sheet = None,
    preset: PresetName = None,
    encoding: Encoding = None,
    max_rejected: MaxRejected = "1%",
    window: Window = "14d",
    step: Step = "1d",
    as_of: AsOf = None,
    processes: Processes = None,
    engine: UsedEngine = "auto",
    engine_memory: EngineMemory = None,
    temporary: Temporary = None,
) -> None:
    """Look for coordinated groups in files, without a server.

    Columns are recognised; how they were read is printed. Exits with 1 if more than --max-rejected was rejected.
    Example: `brigadewatch audit flags.csv --html report.html`
    """
    from service.commands import audit_display
    from service.policy import DEFAULT_POLICY
    from workers.audit.command import run
    from workers.audit.examination import FilesRead

    _check_page(html, show)
    bound = share_of(max_rejected, "--max-rejected")
    sweeps, at_once = _sweeps(engine, processes, engine_memory, temporary)
    files, terminal = FilesRead(), audit_display.console()
    try:
        with _stages() as stages:
            report = run(
                paths,
                outcomes=outcomes or [],
                out=out,
                html=html,
                now=now(),
                window_seconds=seconds_of(window, "--window"),
                step_seconds=seconds_of(step, "--step"),
                as_of=_time(as_of),
                progress=stages,
                options=reading_options(column, timezone, time_format, sheet, preset, encoding, assume_utc=True),
                files=files,
                sweeps=sweeps,
                processes=at_once,
            )
    finally:
        audit_display.show_files(terminal, files)
    audit_display.show_report(terminal, report, files, DEFAULT_POLICY.default_threshold, _written(html, out))
    if show:
        typer.launch(str(html))
    if files.complaints.beyond(bound) or files.outcomes.beyond(bound):
        say(f"more than {max_rejected} of the rows were rejected (--max-rejected): the report covers the others only")
        raise typer.Exit(1)


def _written(html: Path | None, out: Path | None) -> list[Path]:
    from workers.audit.command import listing_paths

    beside = listing_paths(html).values() if html is not None else ()
    return [path for path in (html, *beside, out) if path is not None]


def _check_page(html: Path | None, show: bool) -> None:
    if show and html is None:
        raise typer.BadParameter("--open needs --html: it opens that page", param_hint="--open")


def _sweeps(engine: str, processes: int | None, memory_gib: float | None, temporary: Path | None) -> tuple[Sweeps, int]:
    """Where windows are swept, and by how many processes."""
    from workers.audit.engines import CHOICES, is_engine, sweeps_by
    from workers.machine import cores

    if not is_engine(engine):
        raise typer.BadParameter(f"choose {CHOICES}", param_hint="--engine")
    at_once, memory = processes or cores(), None if memory_gib is None else int(memory_gib * 2**30)
    sweeps = sweeps_by(engine, settings_from(None), processes=at_once, memory_bytes=memory, temporary=temporary)
    return sweeps, at_once


class Stages:
    """Progress bars on stderr, one for each stage."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` units, or set the total of the current one."""
        if self._task is None or self._bars.tasks[-1].description != name:
            self._task = self._bars.add_task(name, total=total)
        self._bars.update(self._task, total=total)

    def advance(self, done: int) -> None:
        """Set how many units of the current stage are done."""
        if self._task is not None:
            self._bars.update(self._task, completed=done)


@contextmanager
def _stages() -> Iterator[Stages]:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    with RichProgress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        yield Stages(bars)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"{text!r} is not a time with a UTC offset; write for example 2021-12-23T14:02:11Z", param_hint="--as-of"
        )
    return moment
