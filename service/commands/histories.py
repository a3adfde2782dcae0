"""Past complaints: replay files into a service, audit files without one, export."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.common import Data, TenantName, UsageError, existing, say, seconds_of, settings_from
from service.wall_clock import now, now_us

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


commands = typer.Typer()


@commands.command()
def replay(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Complaints, as NDJSON or .ndjson.gz.", exists=True, dir_okay=False),
    ],
    url: Annotated[str, typer.Option("--url", help="Address of the API, like http://127.0.0.1:8000.")],
    key: Annotated[
        str, typer.Option("--key", envvar="BRIGADEWATCH_KEY", help="API key with the scopes ingest and read.")
    ],
    outcomes: Annotated[
        list[Path] | None,
        typer.Option(
            "--outcomes",
            metavar="FILE...",
            help="Outcomes, as NDJSON or .ndjson.gz; repeat the option for several files.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Complaints per request.")] = 500,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", min=0.1, help="Upper limit in items per second. Default: as fast as possible.", show_default=False
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Send even if the tenant already has later complaints.")
    ] = False,
) -> None:
    """Send files of complaints and outcomes in the order of their times, then wait until everything is analysed.

    Example: `brigadewatch replay complaints.ndjson.gz --outcomes outcomes.ndjson.gz --url $API --key $KEY`
    """
    from service.outbound.addresses import OutboundRefused
    from service.outbound.client import read_url
    from service.replay import Replay, print_summary

    try:
        read_url(url)
    except OutboundRefused as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    summary = Replay(url, key, batch=batch, rate=rate).run(files, outcomes or [], force=force)
    print_summary(summary)
    raise typer.Exit(0 if summary.rejected == 0 else 1)


@commands.command()
def audit(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Complaints, as NDJSON, .ndjson.gz, CSV or Parquet.", exists=True),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="JSON report to write.")],
    outcomes: Annotated[
        list[Path] | None,
        typer.Option(
            "--outcomes", metavar="FILE...", help="Outcomes; repeat the option for several files.", exists=True
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Report to write as a self-contained HTML page.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        str, typer.Option("--window", help="Length of the analysis window in event time, like 14d or 36h.")
    ] = "14d",
    step: Annotated[str, typer.Option("--step", help="How far the window moves at each step, like 1d or 12h.")] = "1d",
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="TIME",
            help="Ignore later complaints and outcomes; RFC 3339, like 2021-12-23T14:02:11Z.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Look for coordinated groups in files, without a server.

    Example: `brigadewatch audit complaints.ndjson.gz --out report.json --html report.html`
    """
    from workers.audit.command import run

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
        )
    flagged = sum(cluster["disposition"] == "flagged" for cluster in report["clusters"])
    say(
        f"{report['complaints']:,} complaints, {flagged} flagged clusters, {len(report['targets']):,} targets with"
        f" fewer independent complaints than complaints; report: {out}{f', {html}' if html else ''}"
    )


@commands.command()
def export(
    tenant: TenantName,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE|DIR",
            help="With --reporter: the file to write. Otherwise: a new or empty folder.",
        ),
    ],
    reporter: Annotated[
        str | None,
        typer.Option(
            "--reporter",
            metavar="ID",
            help="Id or pseudonym of a reporter: export everything stored about them, as one JSON document.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Export everything stored about one reporter, or a whole tenant as NDJSON files that `audit` and `replay` read.

    The folder of a tenant holds complaints, outcomes, withdrawn and machine complaints, withdrawals, clusters,
    decisions and the audit trail. Files are readable by their owner only.
    """
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.privacy import export as going_out
    from service.storage.privacy.privacy_filters import open_privacy_filter

    settings = settings_from(data)
    engine = existing(settings)
    number = tenant_id(engine, tenant)
    if reporter is not None:
        privacy_filter = open_privacy_filter(engine, SecretBox(settings), number)
        with engine.connect() as connection:
            found = going_out.person(connection, number, privacy_filter, reporter, now_us=now_us())
        _write_privately(out, [json.dumps(found, ensure_ascii=False, indent=1)])
        say(f"{len(found['complaints'])} complaints, {len(found['clusters'])} clusters: {out}")
        return
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = any(out.iterdir())
    except OSError as error:
        raise UsageError(f"cannot write to the folder {out}: {error.strerror or error}") from None
    if taken:
        raise UsageError(
            f"{out} is not empty: name a new folder, so that files of an earlier export are not mixed up with this one"
        )
    with engine.connect() as connection:  # one view for all files
        for name, objects in going_out.tenant(connection, number):
            count = _write_privately(
                out / name, (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in objects)
            )
            say(f"{name}: {count}")


def spread_outcomes(arguments: list[str]) -> list[str]:
    """Expand `--outcomes A B` to `--outcomes A --outcomes B`, for replay and audit.

    If a file of complaints was named before, all files up to the next option are outcomes; otherwise only the first
    one is, and the others are complaints.
    """
    if not arguments or arguments[0] not in ("replay", "audit"):
        return arguments
    spread, named, position = arguments[:1], False, 1
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("-"):
            named = True
            spread.append(word)
        elif word == "--outcomes":
            end = position
            while end < len(arguments) and not arguments[end].startswith("-") and (named or end == position):
                end += 1
            spread += [part for file in arguments[position:end] for part in (word, file)] or [word]
            position = end
        else:
            takes_value = "=" not in word and word not in ("--force", "--help") and position < len(arguments)
            spread += arguments[position - 1 : position + takes_value]
            position += takes_value
    return spread


def _write_privately(path: Path, lines: Iterable[str]) -> int:
    """Write a file that only its owner may read, completely or not at all. Returns the number of lines."""
    draft, count = path.with_name(f".{path.name}.{os.getpid()}"), 0
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="surrogatepass"
        ) as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
    return count


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
