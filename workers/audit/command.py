"""The audit from paths to report: examined, and written as JSON, as a page and as tables beside the page."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from service.errors import Refused
from service.model import JsonObject
from service.policy import DEFAULT_POLICY, Policy
from service.tabular.options import ReadingOptions
from workers.audit.examination import Examination, FilesRead, ProgressDisplay, Silent, examine
from workers.audit.files import READ_AS_IT_IS
from workers.audit.listings import csv_of
from workers.audit.window_sweeps import Sweeps, sweeps_here

LISTINGS = ("members", "targets")  # as CSV beside the page


def run(
    paths: Sequence[Path],
    *,
    outcomes: Sequence[Path],
    out: Path | None,
    now: datetime,
    html: Path | None = None,
    window_seconds: int = DEFAULT_POLICY.window_seconds,
    step_seconds: int = 86_400,
    as_of: datetime | None = None,
    progress: ProgressDisplay | None = None,
    policy: Policy = DEFAULT_POLICY,
    options: ReadingOptions = READ_AS_IT_IS,
    files: FilesRead | None = None,
    sweeps: Sweeps = sweeps_here,
    processes: int = 1,
) -> JsonObject:
    """Audit the files and write the report to `out`, and as a page for people to `html`; returns the report.

    Beside the page stand its members and targets as CSV. Raises Refused as `examine` does, and for reports that cannot
    be written.
    """
    shown = progress or Silent()
    _check_destinations(out, html, (*paths, *outcomes))
    found = examine(
        paths,
        outcomes=outcomes,
        now=now,
        window_seconds=window_seconds,
        step_seconds=step_seconds,
        as_of=as_of,
        progress=shown,
        policy=policy,
        options=options,
        files=files,
        sweeps=sweeps,
        processes=processes,
    )
    if out is not None:
        _write(out, json.dumps(found.report, ensure_ascii=False, indent=1) + "\n")
    if html is not None:
        shown.stage("page", 1)
        write_page(found, html)
        shown.advance(1)
    return found.report


def write_page(found: Examination, html: Path) -> None:
    """Write the page, and its members and targets as CSV beside it. Raises Refused."""
    beside = listing_paths(html)
    for name, listing in (("members", found.members()), ("targets", found.targets())):
        _write(beside[name], csv_of(listing), "utf-8-sig")  # the mark tells spreadsheets that it is UTF-8
    _write(html, found.page({name: quote(os.fsencode(path.name), safe="") for name, path in beside.items()}))


def listing_paths(html: Path) -> dict[str, Path]:
    """Where the tables of a page are written."""
    return {name: html.with_name(f"{html.stem or html.name}-{name}.csv") for name in LISTINGS}


def _check_destinations(out: Path | None, html: Path | None, read: Sequence[Path]) -> None:
    """Check the output paths before the work starts."""
    for option, path in (("--out", out), ("--html", html)):
        if path is not None and not path.parent.is_dir():
            raise Refused(f"{path.parent} is not a folder: {option} needs a folder that exists")
    if html is not None and out is not None and html.resolve() == out.resolve():
        raise Refused(f"--out and --html are both {html}: the page would replace the report, name two files")
    written = [p for p in (out, html, *(listing_paths(html).values() if html is not None else ())) if p is not None]
    for path in written:
        if path.resolve() in {p.resolve() for p in read}:
            raise Refused(f"{path} is a file that is read: the report would replace it, choose another name")
        if written.count(path) > 1:
            raise Refused(f"--out is {path}, which is written beside the page: name another file")


def _write(out: Path, text: str, encoding: str = "utf-8") -> None:
    """Write the file atomically: an existing report is always complete."""
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding=encoding, newline="")
        draft.replace(out)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise Refused(f"{out} cannot be written: {error.strerror or error}") from error
