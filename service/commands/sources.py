"""Inbound connections: platforms that post webhooks, or are polled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.commands.common import (
    Data,
    SecretFile,
    TenantName,
    UsageError,
    existing,
    read_secret,
    say,
    seconds_of,
    settings_from,
)
from service.errors import Refused
from service.platforms import NAMES
from service.settings import Settings
from service.wall_clock import now_us

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from service.storage.webhooks.sources import Source

sources = typer.Typer(
    no_args_is_help=True, help="Manage inbound connections: platforms that post webhooks, or are polled."
)


def _known_platform(name: str) -> str:
    if name not in NAMES:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(NAMES)}")
    return name


SourceId = Annotated[
    str, typer.Argument(metavar="SOURCE", help="Id of the source, or the path that `sources add` printed.")
]


PlatformName = Annotated[
    str,
    typer.Option(
        "--platform",
        metavar=f"[{'|'.join(NAMES)}]",
        callback=_known_platform,
        help="Some post webhooks, others are polled at --url (docs/integrations/README.md says which).",
    ),
]
PlatformUrl = Annotated[
    str | None,
    typer.Option("--url", metavar="U", help="Address of the platform; required if it is polled.", show_default=False),
]
NoSecret = Annotated[
    bool,
    typer.Option(
        "--no-secret", help="Accept unsigned posts (discourse only): anyone who knows the path can then post."
    ),
]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        metavar="FILE",
        help="Field mapping of the platform generic, as JSON (docs/integrations/README.md).",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        metavar="NAME",
        help="Put before all ids that it brings, as NAME:id, so that two forums do not mix. Cannot be changed later.",
        show_default=False,
    ),
]
SameInstallation = Annotated[
    bool,
    typer.Option(
        "--same-installation",
        help="Both this source and the platform's other one without a namespace belong to one installation, so that"
        " equal ids mean the same.",
    ),
]


@sources.command("add")
def sources_add(
    tenant: TenantName,
    platform: PlatformName,
    url: PlatformUrl = None,
    secret_file: SecretFile = None,
    no_secret: NoSecret = False,
    mapping: MappingFile = None,
    namespace: Namespace = None,
    same_installation: SameInstallation = False,
    data: Data = None,
) -> None:
    """Create a source and print the path that the platform posts to.

    The secret is the one that the platform signs with (coop: its API key, then its public key in PEM; polled platforms:
    the access token). The path is useless without the secret, and is redacted in logs.

    Example: `brigadewatch sources add --tenant news --platform discourse --secret-file secret.txt`
    """
    from service.storage.webhooks.sources import bare_platforms

    settings = settings_from(data)
    if no_secret == (secret_file is not None):
        raise UsageError(
            "give either the secret, with --secret-file FILE (or - for standard input), or --no-secret if the platform"
            " has none"
        )
    secret = None if secret_file is None else read_secret(secret_file)
    fields = None if mapping is None else _json_file(mapping)
    engine = existing(settings)
    source = _add(
        engine,
        settings,
        tenant,
        platform,
        secret=secret,
        url=url,
        mapping=fields,
        namespace=namespace,
        same_installation=same_installation,
    )
    _explain(source, platform, secret, url)
    if source.has_bare_ids:
        with engine.connect() as connection:
            bare = bare_platforms(connection, source.tenant_id)
        _warn_of_shared_ids(bare)
    typer.echo(source.path)


def _explain(source: Source, platform: str, secret: str | None, url: str | None) -> None:
    """Say, on standard error, what else there is to know about the new source."""
    if secret is None:
        say(
            f"WARNING: posts of {platform} are UNSIGNED: anyone who learns the path can invent complaints. Set a secret"
            " there, and here with: brigadewatch sources rotate"
        )
    if source.polled:
        say(f"{platform} is polled at {url}; it does not have to post anything")


@sources.command("list")
def sources_list(tenant: TenantName, data: Data = None) -> None:
    """List the tenant's sources, one JSON object per line, without secrets.

    Warns on standard error where several have no namespace.
    """
    from service.api.sources import source_item
    from service.storage.accounts.tenants import tenant_id
    from service.storage.webhooks.sources import list_sources

    engine = existing(settings_from(data))
    number, after = tenant_id(engine, tenant), ""
    bare: list[str] = []
    while True:
        with engine.connect() as connection:
            page = list_sources(connection, number, after=after)
        for source in page:
            typer.echo(source_item(source, now_us()).model_dump_json())
        if not page:
            break
        after = page[-1].id
        bare += [source.platform for source in page if source.has_bare_ids]
    _warn_of_shared_ids(bare)


@sources.command("remove")
def sources_remove(source: SourceId, tenant: TenantName, data: Data = None) -> None:
    """Remove a source: its path stops working and its secret is deleted."""
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write
    from service.storage.webhooks.sources import remove_source

    engine = existing(settings_from(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        remove_source(connection, number, source.rpartition("/")[2], now_us=now_us())
    say("removed the source")


@sources.command("rotate")
def sources_rotate(
    source: SourceId,
    tenant: TenantName,
    secret_file: SecretFile = None,
    overlap: Annotated[
        str, typer.Option("--overlap", help="How long the old secret remains valid, like 36h; 0s: not at all.")
    ] = "24h",
    data: Data = None,
) -> None:
    """Replace the secret of a source. The old one stays valid for a while, so that nothing is lost meanwhile."""
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write
    from service.storage.webhooks.sources import rotate_secret

    settings = settings_from(data)
    engine = existing(settings)
    number = tenant_id(engine, tenant)
    if secret_file is None:
        raise UsageError("give the new secret with --secret-file FILE, or - for standard input")
    seconds = 0 if overlap in ("0", "0s") else seconds_of(overlap, "--overlap")
    with write(engine) as connection:
        rotate_secret(
            connection,
            SecretBox(settings),
            number,
            source.rpartition("/")[2],
            read_secret(secret_file),
            now_us=now_us(),
            overlap_seconds=seconds,
        )
    say("the new secret is valid now" + (f"; the old one stays valid for another {overlap}" if seconds else ""))


def _add(engine: Engine, settings: Settings, tenant: str, platform: str, **details: Any) -> Source:
    """Store the source. Raises UsageError for details that do not fit the platform."""
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write
    from service.storage.webhooks.sources import add_source

    number = tenant_id(engine, tenant)
    try:
        with write(engine) as connection:
            return add_source(connection, SecretBox(settings), number, platform, **details, now_us=now_us())
    except Refused as error:
        raise UsageError(str(error)) from None


def _warn_of_shared_ids(bare: list[str]) -> None:
    from service.storage.webhooks.source_checks import shared_ids_warning

    warning = shared_ids_warning(bare)
    if warning is not None:
        say(f"WARNING: {warning}")


def _json_file(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())  # of bytes, it knows a byte order mark
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{path} must contain one JSON object")
    return value
