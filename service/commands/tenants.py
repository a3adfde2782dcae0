"""Tenants, their settings and their thresholds."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from service.commands.common import TENANT_NAME, Data, TenantName, now_us, prepared, say, settings_from

tenants = typer.Typer(no_args_is_help=True, help="Tenants: one platform, one community.")
policy = typer.Typer(no_args_is_help=True, help="Thresholds of a tenant's own.")


@tenants.command("create")
def tenants_create(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens, at most 40.")], data: Data = None
) -> None:
    """Make a tenant; it can be used as soon as this has ended."""
    from service.storage.accounts.tenants import create_tenant

    if not re.fullmatch(TENANT_NAME, name):
        raise typer.BadParameter(f"{name!r} is no tenant's name: 1 to 40 of a-z, 0-9 and -")
    create_tenant(prepared(settings_from(data)), name, now_us())
    say(f"made the tenant {name}")


@tenants.command("list")
def tenants_list(data: Data = None) -> None:
    """The tenants' names, one a line."""
    from service.storage.accounts.tenants import list_tenants

    for name in list_tenants(prepared(settings_from(data))):
        typer.echo(name)


class Switch(StrEnum):
    """A setting that is on or off."""

    ON = "on"
    OFF = "off"


@tenants.command("set")
def tenants_set(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The tenant's name.")],
    pseudonyms: Annotated[
        Switch | None,
        typer.Option(
            "--pseudonyms",
            help="Replace reporters' ids by keyed pseudonyms before they are stored. Concerns what comes from now on.",
            show_default=False,
        ),
    ] = None,
    keep_text: Annotated[
        Switch | None,
        typer.Option(
            "--keep-text",
            help="Keep what reporters write; off: only a signature that tells near-duplicates.",
            show_default=False,
        ),
    ] = None,
    retention: Annotated[
        str | None,
        typer.Option(
            "--retention",
            metavar="180d|off",
            help="Delete complaints and all that belongs to them so long after receipt.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="N|off", help="Items a second that the tenant may send.", show_default=False),
    ] = None,
    data: Data = None,
) -> None:
    """Change a tenant's settings; a running service follows within seconds. What is not named stays."""
    from service.errors import Refused
    from service.storage.accounts.tenant_settings import change_settings
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write

    changes: dict[str, Any] = {}
    if pseudonyms is not None:
        changes["pseudonyms"] = pseudonyms is Switch.ON
    if keep_text is not None:
        changes["keep_text"] = keep_text is Switch.ON
    if retention is not None:
        changes["retention_days"] = _days(retention)
    if rate is not None:
        changes["rate_per_second"] = _rate(rate)
    if not changes:
        raise typer.BadParameter("nothing to set: name --pseudonyms, --keep-text, --retention or --rate")
    engine = prepared(settings_from(data))
    number = tenant_id(engine, name)
    try:
        with write(engine) as connection:
            change_settings(connection, number, actor="cli", now_us=now_us(), **changes)
    except Refused as error:
        raise typer.BadParameter(str(error)) from None
    if changes.get("pseudonyms"):
        say("complaints that come from now on bear pseudonyms; what is stored already keeps its ids (docs/privacy.md)")
    tenants_show(name, data)


@tenants.command("show")
def tenants_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The tenant's name.")], data: Data = None
) -> None:
    """A tenant's settings, as JSON."""
    from service.storage.accounts.tenant_settings import settings_of
    from service.storage.accounts.tenants import tenant_id

    engine = prepared(settings_from(data))
    number = tenant_id(engine, name)
    with engine.connect() as connection:
        now = settings_of(connection, number)
    shown = {
        "name": name,
        "pseudonyms": now.pseudonyms,
        "keep_text": now.keep_text,
        "retention_days": now.retention_days,
        "rate_per_second": now.rate_per_second,
    }
    typer.echo(json.dumps(shown))


@policy.command("show")
def policy_show(
    tenant: TenantName = "default",
    every: Annotated[bool, typer.Option("--all", help="Also those that no tenant may set.")] = False,
    data: Data = None,
) -> None:
    """The tenant's thresholds, one JSON object a line: name, value, default, unit, range and why; then the version."""
    from service.policy import thresholds
    from service.storage.accounts.policy_overrides import policy_of
    from service.storage.accounts.tenants import tenant_id

    engine = prepared(settings_from(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        now = policy_of(connection, number)
    for one in thresholds(now):
        if one.settable or every:
            shown = {
                "name": one.name,
                "value": one.value,
                "default": one.default,
                "unit": one.unit,
                "low": one.low,
                "high": one.high,
                "why": one.why,
            }
            typer.echo(
                json.dumps(shown, default=lambda value: {name: getattr(value, name) for name in value.__slots__})
            )
    typer.echo(json.dumps({"policy_version": now.version}))


@policy.command("set")
def policy_set(
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...",
            help="Like default_threshold=12, prior_unfounded=0.3, flags_per_day=100; `policy show` lists them.",
        ),
    ],
    tenant: TenantName = "default",
    data: Data = None,
) -> None:
    """Give the tenant thresholds of its own; what is not named stays.

    A running service follows within seconds, clusters at the next tick or sweep.
    """
    from service.policy import read_override

    try:
        put = dict(read_override(text) for text in values)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _change_policy(tenant, data, put=put)


@policy.command("reset")
def policy_reset(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Which thresholds; none: all of the tenant's own.")
    ] = None,
    tenant: TenantName = "default",
    data: Data = None,
) -> None:
    """Go back to the defaults."""
    _change_policy(tenant, data, drop=names or None)


def _change_policy(tenant: str, data: Path | None, **change: Any) -> None:
    from service.storage.accounts.policy_overrides import change_overrides
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write

    engine = prepared(settings_from(data))
    number = tenant_id(engine, tenant)
    try:
        with write(engine) as connection:
            now = change_overrides(connection, number, **{"put": {}, **change}, by="cli", now_us=now_us())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    say(f"{tenant}: policy {now.version}")


def _days(text: str) -> int | None:
    """Whole days of `180d`; None for `off`."""
    found = re.fullmatch(r"([0-9]{1,6})d", text)
    if text != "off" and found is None:
        raise typer.BadParameter(
            f"{text!r} is no retention; write whole days like 180d, or off", param_hint="--retention"
        )
    return None if found is None else int(found.group(1))


def _rate(text: str) -> float | None:
    """Items a second; None for `off`."""
    try:
        return None if text == "off" else float(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no rate; write items a second like 200, or off", param_hint="--rate"
        ) from None
