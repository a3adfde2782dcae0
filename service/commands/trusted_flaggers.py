"""The registry of trusted flaggers (DSA Art. 22)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.common import Data, TenantName, UsageError, existing, say, settings_from
from service.errors import Refused
from service.model import moment
from service.wall_clock import now_us

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.storage.accounts.flagger_registry import FlaggerEntry

trusted_flaggers = typer.Typer(
    no_args_is_help=True,
    help="Manage the registry of trusted flaggers (DSA Art. 22): their notices are never discounted and come first.",
)
EntryNumber = Annotated[int, typer.Argument(metavar="ENTRY", help="Number of the entry, as `list` prints it.")]
Since = Annotated[
    str,
    typer.Option("--since", metavar="DAY", help="First day of the status, like 2026-03-01 (00:00 UTC), or a time."),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="DAY", help="First day without the status. Default: open.", show_default=False),
]
When = Annotated[str, typer.Option("--on", metavar="DAY", help="From this day on, like 2026-03-01 (00:00 UTC).")]


@trusted_flaggers.command("list")
def flaggers_list(tenant: TenantName, data: Data = None) -> None:
    """List all entries, ended ones included, one JSON object per line."""
    from service.storage.accounts.flagger_registry import list_entries
    from service.storage.accounts.tenants import tenant_id

    engine = existing(settings_from(data))
    with engine.connect() as connection:
        entries = list_entries(connection, tenant_id(engine, tenant))
    for entry in entries:
        typer.echo(json.dumps(_item(entry), ensure_ascii=False))


@trusted_flaggers.command("add")
def flaggers_add(
    reporter: Annotated[str, typer.Argument(metavar="REPORTER", help="The account's id, as your platform uses it.")],
    tenant: TenantName,
    entity: Annotated[str, typer.Option("--entity", metavar="NAME", help="Name of the organisation.")],
    coordinator: Annotated[
        str,
        typer.Option("--coordinator", metavar="NAME", help="Digital Services Coordinator that awarded the status."),
    ],
    since: Since,
    until: Until = None,
    area: Annotated[
        list[str] | None,
        typer.Option(
            "--area",
            metavar="REASON",
            help="A reason of the area, in your platform's words; may be given again. Default: all illegal content.",
            show_default=False,
        ),
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", show_default=False)] = None,
    data: Data = None,
) -> None:
    """Enter a trusted flagger, and print the entry's number.

    Where the registry names a reporter, it decides instead of `reporter.trusted`, for complaints of that time too that
    came before the entry.

    Example: `brigadewatch trusted-flaggers add hotline --tenant news --entity "Hotline e. V." --coordinator
    Bundesnetzagentur --since 2026-03-01 --area hate`
    """
    from service.moderation.trusted_flaggers import FlaggerTerm, area_of, time_us_of
    from service.storage.accounts.flagger_registry import add_flagger
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.privacy.privacy_filters import open_privacy_filter
    from service.storage.sql.engine import write

    settings = settings_from(data)
    engine = existing(settings)
    number = tenant_id(engine, tenant)
    stored = open_privacy_filter(engine, SecretBox(settings), number).reporter(reporter)
    try:
        begin = time_us_of(since, "--since")
        end = None if until is None else time_us_of(until, "--until")
        with write(engine) as connection:
            entry = add_flagger(
                connection,
                number,
                stored,
                entity=entity,
                coordinator=coordinator,
                term=FlaggerTerm(begin, end, area=area_of("\n".join(area or ()))),
                note=note,
                by="cli",
                now_us=now_us(),
            )
    except Refused as error:
        raise UsageError(str(error)) from None
    typer.echo(entry)


@trusted_flaggers.command("end")
def flaggers_end(entry: EntryNumber, tenant: TenantName, on: When, data: Data = None) -> None:
    """Let a status end on a day, which may be in the past."""
    from service.moderation.trusted_flaggers import time_us_of
    from service.storage.accounts.flagger_registry import end_flagger

    at = time_us_of(on, "--on")
    _change(tenant, data, lambda c, number: end_flagger(c, number, entry, until_us=at, by="cli", now_us=now_us()))
    say("the end of the status is recorded")


@trusted_flaggers.command("suspend")
def flaggers_suspend(entry: EntryNumber, tenant: TenantName, on: When, data: Data = None) -> None:
    """Record that the coordinator investigates and has suspended the status (Art. 22(6))."""
    from service.moderation.trusted_flaggers import time_us_of
    from service.storage.accounts.flagger_registry import suspend_flagger

    at = time_us_of(on, "--on")
    _change(tenant, data, lambda c, number: suspend_flagger(c, number, entry, from_us=at, by="cli", now_us=now_us()))
    say("the suspension is recorded")


@trusted_flaggers.command("reinstate")
def flaggers_reinstate(entry: EntryNumber, tenant: TenantName, on: When, data: Data = None) -> None:
    """Record that a suspension is over: the status goes on in an entry of its own."""
    from service.moderation.trusted_flaggers import time_us_of
    from service.storage.accounts.flagger_registry import reinstate_flagger

    at = time_us_of(on, "--on")
    _change(tenant, data, lambda c, number: reinstate_flagger(c, number, entry, from_us=at, by="cli", now_us=now_us()))
    say("the end of the suspension is recorded")


@trusted_flaggers.command("remove")
def flaggers_remove(entry: EntryNumber, tenant: TenantName, data: Data = None) -> None:
    """Remove an entry that was a mistake: it counts as if it had never been made."""
    from service.storage.accounts.flagger_registry import remove_flagger

    _change(tenant, data, lambda c, number: remove_flagger(c, number, entry, by="cli", now_us=now_us()))
    say("removed the entry")


def _change(tenant: str, data: Path | None, change: Callable[[Connection, int], object]) -> None:
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        change(connection, number)


def _item(entry: FlaggerEntry) -> dict[str, object]:
    def time(at_us: int | None) -> str | None:
        return None if at_us is None else moment(at_us).isoformat().replace("+00:00", "Z")

    return {
        "entry": entry.id,
        "reporter": entry.reporter_id,
        "entity": entry.entity,
        "coordinator": entry.coordinator,
        "status": entry.status(now_us()),
        "since": time(entry.term.since_us),
        "until": time(entry.term.until_us),
        "suspended_from": time(entry.term.suspended_us),
        "area": list(entry.term.area),
        "note": entry.note,
        "by": entry.by,
    }
