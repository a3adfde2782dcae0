"""Past complaints: replay files into a service, export."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from service.commands.common import Data, TenantName, UsageError, existing, say, settings_from
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
from service.commands.replay_files import as_lines
from service.errors import Refused
from service.wall_clock import now, now_us

commands = typer.Typer()


Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Complaints: NDJSON, CSV, a workbook, web page, database dump, XML, JSON or Parquet, also in gzip or zip.",
        exists=True,
        dir_okay=False,
    ),
]
Outcomes = Annotated[
    list[Path] | None,
    typer.Option(
        "--outcomes",
        metavar="FILE...",
        help="Outcomes, in the same kinds of files; repeat the option for several files.",
        exists=True,
        dir_okay=False,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate", min=0.1, help="Upper limit in items per second. Default: as fast as possible.", show_default=False
    ),
]


@commands.command()
def replay(
    files: Files,
    url: Annotated[str, typer.Option("--url", help="Address of the API, like http://127.0.0.1:8000.")],
    key: Annotated[
        str, typer.Option("--key", envvar="BRIGADEWATCH_KEY", help="API key with the scopes ingest and read.")
    ],
    outcomes: Outcomes = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Complaints per request.")] = 500,
    rate: Rate = None,
    force: Annotated[
        bool, typer.Option("--force", help="Send even if the tenant already has later complaints.")
    ] = False,
    column: Columns = None,
    timezone: Timezone = None,
    time_format: TimeFormat = None,
    sheet: Sheet = None,
    preset: PresetName = None,
    encoding: Encoding = None,
    max_rejected: MaxRejected = "1%",
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
    bound = share_of(max_rejected, "--max-rejected")
    options = reading_options(column, timezone, time_format, sheet, preset, encoding, assume_utc=False)
    with tempfile.TemporaryDirectory(prefix="brigadewatch-replay-") as folder:
        lines = as_lines(files, outcomes or [], Path(folder), options, now())
        if lines.beyond(bound):
            raise Refused(f"more than {max_rejected} of the rows cannot be read (--max-rejected); nothing was sent")
        summary = Replay(url, key, batch=batch, rate=rate).run(lines.complaints, lines.outcomes, force=force)
    print_summary(summary)
    raise typer.Exit(0 if summary.rejected == 0 else 1)


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
            takes_value = "=" not in word and word not in ("--force", "--help", "--open") and position < len(arguments)
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
