"""Tenants, their settings and their detection thresholds."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from service.commands.common import TENANT_NAME, Data, TenantName, UsageError, existing, prepared, say, settings_from
from service.wall_clock import now_us

tenants = typer.Typer(no_args_is_help=True, help="Manage tenants: one for each platform or community.")
policy = typer.Typer(no_args_is_help=True, help="Show and change a tenant's thresholds of detection.")


@tenants.command("create")
def tenants_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 40 characters: a-z, 0-9 and hyphens.")],
    data: Data = None,
) -> None:
    """Create a tenant. It can be used as soon as the command returns."""
    from service.storage.accounts.tenants import create_tenant

    if not re.fullmatch(TENANT_NAME, name):
        raise typer.BadParameter(f"invalid tenant name {name!r}: use 1 to 40 characters from a-z, 0-9 and -")
    create_tenant(prepared(settings_from(data)), name, now_us())
    say(f"created the tenant {name}")


@tenants.command("list")
def tenants_list(data: Data = None) -> None:
    """List the tenants' names, one per line."""
    from service.storage.accounts.tenants import list_tenants

    for name in list_tenants(existing(settings_from(data))):
        typer.echo(name)


class Switch(StrEnum):
    """A setting that is on or off."""

    ON = "on"
    OFF = "off"


ConsentToDelete = Annotated[
    int | None,
    typer.Option(
        "--consent-to-delete",
        metavar="N",
        min=1,
        help="Let retention delete, once, the N records that it is holding back (`tenants show` has the number).",
        show_default=False,
    ),
]


@tenants.command("set")
def tenants_set(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant.")],
    pseudonyms: Annotated[
        Switch | None,
        typer.Option(
            "--pseudonyms",
            help="Replace reporter ids with keyed pseudonyms before storing them; applies to new complaints only.",
            show_default=False,
        ),
    ] = None,
    keep_text: Annotated[
        Switch | None,
        typer.Option(
            "--keep-text",
            help="Store what reporters write; off: only a fingerprint that recognises near-duplicates.",
            show_default=False,
        ),
    ] = None,
    retention: Annotated[
        str | None,
        typer.Option(
            "--retention",
            metavar="180d|off",
            help="Delete complaints and everything derived from them this many days after receipt; off: keep them.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="N|off",
            help="Items per second that the tenant may send, like 200; off: unlimited.",
            show_default=False,
        ),
    ] = None,
    consent: ConsentToDelete = None,
    data: Data = None,
) -> None:
    """Change a tenant's settings and print them. Settings that are not named stay as they are.

    A running service applies them within seconds. Example: `brigadewatch tenants set news --retention 180d`
    """
    changes: dict[str, Any] = {}
    if pseudonyms is not None:
        changes["pseudonyms"] = pseudonyms is Switch.ON
    if keep_text is not None:
        changes["keep_text"] = keep_text is Switch.ON
    if retention is not None:
        changes["retention_days"] = _days(retention)
    if rate is not None:
        changes["rate_per_second"] = _rate(rate)
    if not changes and consent is None:
        raise UsageError("nothing to set: give --pseudonyms, --keep-text, --retention, --rate or --consent-to-delete")
    _store(name, data, changes, consent)
    if changes.get("pseudonyms"):
        say("new complaints are stored under pseudonyms; complaints already stored keep their ids (docs/privacy.md)")
    tenants_show(name, data)


def _store(name: str, data: Path | None, changes: dict[str, Any], consent: int | None) -> None:
    from service.errors import Refused
    from service.storage.accounts.tenant_settings import change_settings
    from service.storage.accounts.tenants import tenant_id
    from service.storage.privacy import retention_guard
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number, now = tenant_id(engine, name), now_us()
    try:
        with write(engine) as connection:
            if changes:
                change_settings(connection, number, actor="cli", now_us=now, **changes)
            if consent is not None:
                retention_guard.consent(connection, number, records=consent, actor="cli", now_us=now)
    except Refused as error:
        raise UsageError(str(error)) from None
    if consent is not None or "retention_days" in changes:
        with engine.connect() as connection:
            waits = retention_guard.expected(connection, number, now)
        if waits is not None:
            say(f"retention will wait: {retention_guard.words(waits)}")


@tenants.command("show")
def tenants_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant.")], data: Data = None
) -> None:
    """Print a tenant's settings as JSON, and the retention run that is waiting for consent, if any."""
    from service.model import moment
    from service.storage.accounts.tenant_settings import settings_of
    from service.storage.accounts.tenants import tenant_id
    from service.storage.privacy import retention_guard

    engine = existing(settings_from(data))
    number = tenant_id(engine, name)
    with engine.connect() as connection:
        current = settings_of(connection, number)
        waits = retention_guard.read_state(connection, number).refusal
    document: dict[str, Any] = {
        "name": name,
        "pseudonyms": current.pseudonyms,
        "keep_text": current.keep_text,
        "retention_days": current.retention_days,
        "rate_per_second": current.rate_per_second,
    }
    if waits is not None:
        document["retention_waits"] = {
            "because": waits.because,
            "records": waits.records,
            "received_before": f"{moment(waits.before_us):%Y-%m-%dT%H:%M:%SZ}",
            "since": f"{moment(waits.since_us):%Y-%m-%dT%H:%M:%SZ}",
        }
    typer.echo(json.dumps(document))


@policy.command("show")
def policy_show(
    tenant: TenantName = "default",
    every: Annotated[
        bool, typer.Option("--all", help="Include thresholds that cannot be changed for a tenant.")
    ] = False,
    data: Data = None,
) -> None:
    """List the tenant's thresholds, one JSON object per line; the last line is the policy's version.

    Each has its name, value, default, unit, lowest and highest value, and the reason for it.
    """
    from service.policy import thresholds
    from service.storage.accounts.policy_overrides import policy_of
    from service.storage.accounts.tenants import tenant_id

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with engine.connect() as connection:
        current = policy_of(connection, number)
    for one in thresholds(current):
        if one.settable or every:
            document = {
                "name": one.name,
                "value": one.value,
                "default": one.default,
                "unit": one.unit,
                "low": one.low,
                "high": one.high,
                "why": one.why,
            }
            typer.echo(
                json.dumps(document, default=lambda value: {name: getattr(value, name) for name in value.__slots__})
            )
    typer.echo(json.dumps({"policy_version": current.version}))


@policy.command("set")
def policy_set(
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...",
            help="For example default_threshold=12 or flags_per_day=100; `policy show` lists the names.",
        ),
    ],
    tenant: TenantName = "default",
    data: Data = None,
) -> None:
    """Set thresholds for the tenant. Thresholds that are not named stay as they are.

    A running service applies them within seconds, and to existing clusters at the next tick or sweep.
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
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Thresholds to reset. Default: all.")
    ] = None,
    tenant: TenantName = "default",
    data: Data = None,
) -> None:
    """Reset thresholds of the tenant to their defaults."""
    _change_policy(tenant, data, drop=names or None)


def _change_policy(tenant: str, data: Path | None, **change: Any) -> None:
    from service.storage.accounts.policy_overrides import change_overrides
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    try:
        with write(engine) as connection:
            policy_now = change_overrides(connection, number, **{"put": {}, **change}, by="cli", now_us=now_us())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    say(f"tenant {tenant} now has policy {policy_now.version}")


def _days(text: str) -> int | None:
    """Whole days of `180d`; None for `off`."""
    found = re.fullmatch(r"([0-9]{1,6})d", text)
    if text != "off" and found is None:
        raise typer.BadParameter(
            f"{text!r} is not a number of days; write for example 180d, or off", param_hint="--retention"
        )
    return None if found is None else int(found.group(1))


def _rate(text: str) -> float | None:
    """Items per second; None for `off`."""
    try:
        return None if text == "off" else float(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a number of items per second; write for example 200, or off", param_hint="--rate"
        ) from None
