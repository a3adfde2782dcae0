"""History in and out: replay, audit of files, export."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.common import Data, TenantName, UsageError, now_us, prepared, say, seconds_of, settings_from

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


commands = typer.Typer()


@commands.command()
def replay(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Complaints as NDJSON, also .gz.", exists=True, dir_okay=False),
    ],
    url: Annotated[str, typer.Option("--url", help="Address of the API.")],
    key: Annotated[
        str, typer.Option("--key", envvar="BRIGADEWATCH_KEY", help="An API key with the scopes ingest and read.")
    ],
    outcomes: Annotated[
        list[Path] | None,
        typer.Option(
            "--outcomes",
            metavar="FILE...",
            help="Outcomes as NDJSON, also .gz; repeat it for more than one.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Complaints a request.")] = 500,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.1, help="Items a second, at most.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also when the tenant already has later complaints.")] = False,
) -> None:
    """Send files of complaints and outcomes, merged by time; end when all of it is analysed and swept."""
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
        list[Path], typer.Argument(metavar="PATH...", help="Complaints as NDJSON(.gz), CSV or Parquet.", exists=True)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the report goes, as JSON.")],
    outcomes: Annotated[
        list[Path] | None,
        typer.Option("--outcomes", metavar="FILE...", help="Outcomes; repeat it for more than one.", exists=True),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Where the report goes as one page for people; it needs no other file.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        str, typer.Option("--window", help="How much event time is looked at together, like 14d or 36h.")
    ] = "14d",
    step: Annotated[str, typer.Option("--step", help="How far the window moves.")] = "1d",
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="Leave out what came later; RFC 3339.", show_default=False),
    ] = None,
) -> None:
    """Look for coordinated groups in files, without a server."""
    from workers.audit.command import run

    with _stages() as stages:
        report = run(
            paths,
            outcomes=outcomes or [],
            out=out,
            html=html,
            now=datetime.now(UTC),
            window_seconds=seconds_of(window, "--window"),
            step_seconds=seconds_of(step, "--step"),
            as_of=_time(as_of),
            progress=stages,
        )
    flagged = sum(cluster["disposition"] == "flagged" for cluster in report["clusters"])
    say(
        f"{report['complaints']:,} complaints, {flagged} flagged clusters, {len(report['targets']):,} targets whose"
        f" independent count differs: {out}{f', {html}' if html else ''}"
    )


@commands.command()
def export(
    tenant: TenantName,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE|DIR",
            help="With --reporter a file, which is replaced; without, a folder that is made (an empty one will do).",
        ),
    ],
    reporter: Annotated[
        str | None,
        typer.Option(
            "--reporter",
            metavar="ID",
            help="All that is kept about this person, as one JSON; by the platform's id or by the pseudonym.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
) -> None:
    """What is kept about one person, or everything of a tenant as NDJSON files that `audit` and `replay` read.

    A tenant's folder holds complaints, outcomes, withdrawn and machine complaints, withdrawals, clusters, decisions and
    the audit trail.
    """
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.privacy import export as going_out
    from service.storage.privacy.privacy_filters import open_privacy_filter

    settings = settings_from(data)
    engine = prepared(settings)
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
        raise UsageError(f"{out} is no folder that can be written to: {error.strerror or error}") from None
    if taken:
        raise UsageError(
            f"{out} holds files already: name a new folder, so that nothing of an earlier export is taken for this"
            " one's"
        )
    with engine.connect() as connection:  # one view for all files
        for name, objects in going_out.tenant(connection, number):
            count = _write_privately(
                out / name, (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in objects)
            )
            say(f"{name}: {count}")


def spread_outcomes(arguments: list[str]) -> list[str]:
    """`--outcomes A B` as `--outcomes A --outcomes B`, for replay and audit.

    The files up to the next option belong to it when complaints were named before it; otherwise only the first does,
    and the others are the complaints.
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
    """Write a file that its owner alone may read, whole or not at all; says how many lines."""
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
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    return count


class Stages:
    """A bar a stage, on stderr, for what reports its progress as stage and advance."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def stage(self, name: str, total: int) -> None:
        """A new stage begins, or the present one learns its total."""
        if self._task is None or self._bars.tasks[-1].description != name:
            self._task = self._bars.add_task(name, total=total)
        self._bars.update(self._task, total=total)

    def advance(self, done: int) -> None:
        """So much of the present stage is done."""
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
        raise typer.BadParameter(f"{text!r} is no time with an offset, like 2021-12-23T14:02:11Z", param_hint="--as-of")
    return moment
