"""Daily files: the archive by day as Parquet, for engines and notebooks."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from service.commands.common import Data, TenantName, UsageError, existing, say, settings_from
from service.errors import BrigadewatchError, Refused
from service.wall_clock import now_us

daily_files = typer.Typer(
    no_args_is_help=True, help="A tenant's archive as Parquet files by day (docs/how-to/daily-files.md)."
)


@daily_files.command("on")
def on(tenant: TenantName, data: Data = None) -> None:
    """Write a Parquet file for each day of complaints and outcomes, now and, once an hour, what has changed.

    BRIGADEWATCH_DAILY_FILES says where: a folder, or s3://BUCKET/PREFIX. Again, all files are written again: after the
    database was restored from a backup, for example. Example: `brigadewatch daily-files on --tenant news`
    """
    from service.storage.accounts import audit_log
    from service.storage.accounts.tenants import tenant_id
    from service.storage.complaints import daily_files as stored
    from service.storage.sql.engine import write

    settings = settings_from(data)
    if settings.daily_files is None:
        raise UsageError(
            "BRIGADEWATCH_DAILY_FILES is not set: set it, for the workers too, to a folder or to s3://BUCKET/PREFIX"
        )
    engine = existing(settings)
    number, now = tenant_id(engine, tenant), now_us()
    with write(engine) as connection:
        stored.turn_on(connection, number, now)
        audit_log.enter(
            connection, number, actor="cli", action="daily-files-on", subject=f"tenant:{tenant}", now_us=now
        )
        state = stored.state_of(connection, number)
    say(f"{state.waiting if state else 0:,} files of tenant {tenant} are to be written to {settings.daily_files}")


@daily_files.command("off")
def off(
    tenant: TenantName,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the files, too.")] = False,
    data: Data = None,
) -> None:
    """Write no files any more. Files that stay are yours: retention and erasures no longer reach them."""
    from service.storage.accounts import audit_log
    from service.storage.accounts.tenants import tenant_id
    from service.storage.complaints import daily_files as stored
    from service.storage.sql.engine import write

    settings = settings_from(data)
    if delete and settings.daily_files is None:
        raise UsageError("BRIGADEWATCH_DAILY_FILES is not set: --delete needs to know where the files are")
    engine = existing(settings)
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        had = stored.turn_off(connection, number)
        if had:
            audit_log.enter(
                connection,
                number,
                actor="cli",
                action="daily-files-off",
                subject=f"tenant:{tenant}",
                now_us=now_us(),
                detail={"deleted": delete},
            )
    if delete and settings.daily_files is not None:
        from workers.daily_file_store import DailyFileStore

        try:
            DailyFileStore(settings.daily_files, tenant, settings.data).remove_all()
        except (OSError, Refused) as error:
            raise BrigadewatchError(f"the files could not be deleted: {error}; run the command again") from None
    say(
        f"tenant {tenant} had no daily files"
        if not had
        else f"no more files of tenant {tenant} are written"
        + ("; those that there were are deleted" if delete else f"; those in {settings.daily_files} stay")
    )


@daily_files.command("show")
def show(tenant: TenantName, data: Data = None) -> None:
    """Print how they stand, as JSON: where they are, how many wait to be written, until when they are complete."""
    from service.model import moment
    from service.storage.accounts.tenants import tenant_id
    from service.storage.complaints import daily_files as stored

    settings = settings_from(data)
    engine = existing(settings)
    with engine.connect() as connection:
        state = stored.state_of(connection, tenant_id(engine, tenant))
    if state is None:
        typer.echo(json.dumps({"daily_files": "off"}))
        return

    def time(us: int | None) -> str | None:
        return None if us is None else moment(us).isoformat().replace("+00:00", "Z")

    typer.echo(
        json.dumps(
            {
                "daily_files": "on",
                "place": settings.daily_files,
                "since": time(state.since_us),
                "files": state.days,
                "waiting": state.waiting,
                "complete_until": time(state.written_us),
                "erasure_waits_since": time(state.required_us),
                "last_error": state.last_error,
            }
        )
    )
