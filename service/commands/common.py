"""What all commands share: options, settings, the stores, and how they speak.

Secrets go to stdout alone, everything else that is said to stderr.
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
from service.settings import DEFAULT_DATA, Settings, read_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from workers.resources import Resources

TENANT_NAME = "[a-z0-9-]{1,40}"
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help=f"Data folder; default: BRIGADEWATCH_DATA, or {DEFAULT_DATA}."),
]
Parent = Annotated[
    int | None, typer.Option("--parent", hidden=True, help="End when this process is no longer the parent.")
]
TenantName = Annotated[str, typer.Option("--tenant", metavar="T", help="The tenant's name.")]
SecretFile = Annotated[
    str | None,
    typer.Option(
        "--secret-file",
        metavar="F|-",
        help="File with the secret, or - for standard input; one newline at its end is no part of it.",
        show_default=False,
    ),
]


class UsageError(BrigadewatchError):
    """The command line itself is wrong."""


def say(text: str) -> None:
    """Tell the person at the terminal: on stderr, since stdout is for what is asked for."""
    print(text, file=sys.stderr, flush=True)


def now_us() -> int:
    """Wall clock, microseconds since 1970."""
    return time.time_ns() // 1_000


def settings_from(data: Path | None) -> Settings:
    """The settings of this process, `data` being --data. Raises UsageError for a variable that cannot be read."""
    from service.outbound.addresses import parse_openings

    try:
        settings = read_settings(data)
        parse_openings(settings.outbound_allow)
        return settings
    except ValueError as error:
        raise UsageError(str(error)) from None


def log_to_stderr(settings: Settings, process: str) -> None:
    """Begin to log, as BRIGADEWATCH_LOG_LEVEL says, as this kind of process. Raises UsageError for an unknown level."""
    try:
        logs.configure(settings.log_level, process)
    except ValueError:
        raise UsageError(
            f"BRIGADEWATCH_LOG_LEVEL is {settings.log_level!r}, and has to be DEBUG, INFO, WARNING or ERROR"
        ) from None


def prepared(settings: Settings, *, make_secret: bool = True) -> Engine:
    """The data folder, the schema and (unless told otherwise) the secret key, made where they are missing; the
    database, open.
    """
    from service.data_folder import prepare

    return prepare(settings, make_secret=make_secret)


def address_of_redis(settings: Settings) -> str:
    """REDIS_URL, or the embedded server of an `up` on the same folder."""
    from service.data_folder import redis_url

    return redis_url(settings)


def stores(data: Path | None, parent: int | None, *, process: str = "cli", make_secret: bool = True) -> Resources:
    """Both stores, open, for a command that does a worker's work; the process ends with `parent`."""
    from dataclasses import replace

    from workers.resources import open_resources

    settings = settings_from(data)
    log_to_stderr(settings, process)
    end_with(parent)
    prepared(settings, make_secret=make_secret).dispose()
    return open_resources(replace(settings, redis_url=address_of_redis(settings)))


def read_secret(file: str) -> str:
    """A secret from a file or standard input, without one trailing newline."""
    try:
        raw = sys.stdin.buffer.read(1 << 16) if file == "-" else Path(file).read_bytes()
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the secret in {file!r} cannot be read: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")


def make_tenant_if_missing(engine: Engine, name: str) -> None:
    """Make the tenant unless it is there."""
    from service.storage.accounts.tenants import ensure_tenant

    ensure_tenant(engine, name, now_us())


def end_with(parent: int | None) -> None:
    """End this process when its supervisor is gone, however that ended."""
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def seconds_of(text: str, option: str) -> int:
    """A length of time like 14d, 36h or 90m, in seconds; `option` is named where it is none."""
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    try:
        seconds = int(float(text[:-1]) * units[text[-1:]])
    except (ValueError, KeyError, OverflowError):
        seconds = 0
    if seconds <= 0:
        raise typer.BadParameter(f"{text!r} is no length of time; write 14d, 36h or 90m", param_hint=option)
    return seconds
