"""What all commands share: options, settings, the stores, and output.

Results (keys, paths, JSON) go to stdout, alone; messages go to stderr.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service import logs
from service.errors import BrigadewatchError
from service.liveness import forget_predecessor
from service.settings import DEFAULT_DATA, Settings, read_settings
from service.wall_clock import now_us

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from workers.resources import Resources

TENANT_NAME = "[a-z0-9-]{1,40}"
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help=f"Data folder. Default: BRIGADEWATCH_DATA, else {DEFAULT_DATA}."),
]
Parent = Annotated[
    int | None, typer.Option("--parent", hidden=True, help="Exit when this process is no longer the parent.")
]
TenantName = Annotated[str, typer.Option("--tenant", metavar="T", help="Name of the tenant.")]
SecretFile = Annotated[
    str | None,
    typer.Option(
        "--secret-file",
        metavar="F|-",
        help="File that holds the secret, or - for standard input. One trailing newline is ignored.",
        show_default=False,
    ),
]


class UsageError(BrigadewatchError):
    """The command line is wrong; exit code 2."""


def say(text: str) -> None:
    """Print a message to stderr; stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def settings_from(data: Path | None) -> Settings:
    """The settings of this process; `data` is --data. Raises UsageError for an invalid environment variable."""
    from service.outbound.addresses import parse_openings

    try:
        settings = read_settings(data)
        parse_openings(settings.outbound_allow)
        return settings
    except ValueError as error:
        raise UsageError(str(error)) from None


def log_to_stderr(settings: Settings, process: str) -> None:
    """Start logging at BRIGADEWATCH_LOG_LEVEL under the name `process`. Raises UsageError for an unknown level."""
    try:
        logs.configure(settings.log_level, process)
    except ValueError:
        raise UsageError(
            f"BRIGADEWATCH_LOG_LEVEL is {settings.log_level!r}; it must be DEBUG, INFO, WARNING or ERROR"
        ) from None


def prepared(settings: Settings, *, make_secret: bool = True, answer_seconds: float | None = None) -> Engine:
    """Create the data folder, the schema and (unless `make_secret` is false) the secret key if they are missing, and
    open the database. `answer_seconds` is for processes that answer people (open_database).
    """
    from service.data_folder import prepare

    return prepare(settings, make_secret=make_secret, answer_seconds=answer_seconds)


def existing(settings: Settings) -> Engine:
    """Open the database of an installation that exists. Creates nothing; raises Refused when there is none."""
    from service.data_folder import open_existing

    return open_existing(settings)


def address_of_redis(settings: Settings) -> str:
    """REDIS_URL, or the embedded server of an `up` that runs on the same folder."""
    from service.data_folder import redis_url

    return redis_url(settings)


def stores(
    data: Path | None,
    parent: int | None,
    *,
    process: str = "cli",
    make_secret: bool = True,
    must_exist: bool = False,
) -> Resources:
    """Open the database and Redis for a command that does a worker's work; exit when `parent` is gone.

    `must_exist`: create nothing; raises Refused when there is no installation.
    """
    from dataclasses import replace

    from service.store_start import agree_before_start
    from workers.resources import open_resources

    settings = settings_from(data)
    log_to_stderr(settings, process)
    end_with(parent)
    if process != "cli":  # a command beside the container's process
        forget_predecessor(settings.alive_file)
    engine = existing(settings) if must_exist else prepared(settings, make_secret=make_secret)
    settings = replace(settings, redis_url=address_of_redis(settings))
    agree_before_start(settings, engine, say)
    return open_resources(settings, engine)


def read_secret(file: str) -> str:
    """Read a secret from a file or standard input, without one trailing newline."""
    try:
        raw = sys.stdin.buffer.read(1 << 16) if file == "-" else Path(file).read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the secret from {file!r}: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")


def make_tenant_if_missing(engine: Engine, name: str) -> None:
    """Create the tenant unless it exists."""
    from service.storage.accounts.tenants import ensure_tenant

    ensure_tenant(engine, name, now_us())


def end_with(parent: int | None) -> None:
    """Exit this process as soon as its supervisor is gone, however that happened."""
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def seconds_of(text: str, option: str) -> int:
    """A duration like 14d, 36h or 90m, in seconds. Raises BadParameter, naming `option`, for anything else."""
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    try:
        seconds = int(float(text[:-1]) * units[text[-1:]])
    except (ValueError, KeyError, OverflowError):
        seconds = 0
    if seconds <= 0:
        raise typer.BadParameter(f"{text!r} is not a duration; write for example 14d, 36h or 90m", param_hint=option)
    return seconds
