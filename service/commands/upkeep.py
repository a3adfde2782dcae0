"""Maintenance: rebuild Redis, dead letters, erasure, the OpenAPI document."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.commands.common import Data, TenantName, UsageError, existing, say, settings_from, stores
from service.errors import UnknownTenant
from service.settings import read_settings
from service.wall_clock import now_us

if TYPE_CHECKING:
    from service.storage.complaints.dead_letters import DeadLetter

commands = typer.Typer()

dead_letters = typer.Typer(no_args_is_help=True, help="Manage dead letters: items whose processing failed five times.")


@commands.command()
def rebuild(
    data: Data = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="T", help="Only this tenant. Default: all.", show_default=False)
    ] = None,
) -> None:
    """Rebuild totals, memberships and position counters in Redis from the database."""
    from service.storage.accounts.tenants import list_tenants
    from workers.rebuild_redis import rebuild_redis

    resources = stores(data, None, must_exist=True)
    known = list(list_tenants(resources.engine))
    if tenant and tenant not in known:
        raise UnknownTenant(f"there is no tenant {tenant!r}; `brigadewatch tenants list` lists them")
    for name in [tenant] if tenant else known:
        say(f"rebuilt tenant {name} up to position {rebuild_redis(name, resources)}")


@dead_letters.command("list")
def dead_letters_list(tenant: TenantName = "default", data: Data = None) -> None:
    """List the tenant's dead letters, one JSON object per line: id, position, times, error and the item."""
    from service.storage.accounts.tenants import tenant_id
    from service.storage.complaints import dead_letters as letters

    engine = existing(settings_from(data))
    number, after = tenant_id(engine, tenant), 0
    while True:
        with engine.connect() as connection:
            page = letters.list_dead_letters(connection, number, after_id=after)
        for letter in page:
            typer.echo(json.dumps(_letter_document(letter), ensure_ascii=False))
        if not page:
            return
        after = page[-1].id


@dead_letters.command("retry")
def dead_letters_retry(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID...]", help="Ids of dead letters. Default: all of the tenant.")
    ] = None,
    tenant: TenantName = "default",
    data: Data = None,
) -> None:
    """Process dead letters again; they become pending."""
    from service.storage.accounts.tenants import tenant_id
    from service.storage.complaints import dead_letters as letters

    resources = stores(data, None, must_exist=True)
    sent = letters.retry(
        resources.engine, resources.redis, tenant, tenant_id(resources.engine, tenant), now_us(), ids or None
    )
    say(f"queued again: {sent}")


@dead_letters.command("drop")
def dead_letters_drop(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID...]", help="Ids of dead letters.")] = None,
    tenant: TenantName = "default",
    every: Annotated[bool, typer.Option("--all", help="All dead letters of the tenant.")] = False,
    data: Data = None,
) -> None:
    """Delete dead letters for good."""
    from service.storage.accounts.tenants import tenant_id
    from service.storage.complaints import dead_letters as letters

    if bool(ids) == every:
        raise UsageError("give the ids of dead letters, or --all, but not both")
    engine = existing(settings_from(data))
    say(f"deleted: {letters.drop(engine, tenant_id(engine, tenant), ids or None)}")


@commands.command()
def erase(
    reporter: Annotated[
        str,
        typer.Argument(
            metavar="REPORTER", help="The platform's id of the reporter, or the pseudonym that the API shows."
        ),
    ],
    tenant: TenantName,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is done; needs a running service.")] = False,
    data: Data = None,
) -> None:
    """Erase a reporter: replace their id everywhere with a random token, delete their personal data, and reject what is
    sent under the id from now on.

    Prints the id of the job. A running service finishes it within seconds to minutes (docs/privacy.md).
    """
    from service.fields import ID_CHARACTERS, is_id
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.privacy import erasures
    from service.storage.privacy.privacy_filters import open_privacy_filter
    from service.storage.sql.engine import write

    if not is_id(reporter):
        raise typer.BadParameter(
            f"invalid id: use 1 to {ID_CHARACTERS} characters, without control characters", param_hint="REPORTER"
        )
    settings = settings_from(data)
    engine, box = existing(settings), SecretBox(settings)
    number = tenant_id(engine, tenant)
    privacy_filter = open_privacy_filter(engine, box, number)
    with write(engine) as connection:
        job = erasures.request_erasure(connection, number, privacy_filter, box, reporter, actor="cli", now_us=now_us())
    typer.echo(job)
    while wait:
        with engine.connect() as connection:
            found = erasures.find(connection, number, job)
        if found is None or found.state == erasures.DONE:
            say("erased")
            return
        time.sleep(0.5)


@commands.command()
def openapi() -> None:
    """Print the OpenAPI document of the API as JSON."""
    from dataclasses import replace

    from sqlalchemy import create_engine

    from service.app import create_app

    settings = replace(read_settings(), redis_url="redis://127.0.0.1:1/0", database_url="sqlite://")
    typer.echo(json.dumps(create_app(settings, engine=create_engine("sqlite://")).openapi(), indent=2))


def _letter_document(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as JSON: times as text, the item as it was sent."""
    from service.model import moment

    document: dict[str, Any] = {}
    for name in type(letter).__slots__:
        value = getattr(letter, name)
        if name.endswith("_us"):
            document[f"{name.removesuffix('_us')}_at"] = None if value is None else moment(value).isoformat()
        else:
            document[name] = value
    return document
