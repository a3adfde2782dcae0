"""Inbound connections: platforms that post here, or are asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from service.commands.common import (
    Data,
    SecretFile,
    TenantName,
    UsageError,
    now_us,
    prepared,
    read_secret,
    say,
    seconds_of,
    settings_from,
)
from service.errors import Refused
from service.platforms import NAMES

sources = typer.Typer(no_args_is_help=True, help="Inbound connections: platforms that post here, or are asked.")


def _known_platform(name: str) -> str:
    if name not in NAMES:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(NAMES)}")
    return name


SourceId = Annotated[
    str, typer.Argument(metavar="SOURCE", help="The source's id, or the path that `sources add` printed.")
]


@sources.command("add")
def sources_add(
    tenant: TenantName,
    platform: Annotated[
        str,
        typer.Option(
            "--platform",
            metavar=f"[{'|'.join(NAMES)}]",
            callback=_known_platform,
            help=(
                "discourse, mastodon, coral, coop or generic post here; lemmy, ozone, and coral with --url, are asked."
            ),
        ),
    ],
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="U", help="The platform's address; of one that is asked, where to ask.", show_default=False
        ),
    ] = None,
    secret_file: SecretFile = None,
    no_secret: Annotated[
        bool,
        typer.Option(
            "--no-secret",
            help="Take unsigned posts (discourse alone can have no secret): then whoever knows the path can post.",
        ),
    ] = False,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping",
            metavar="FILE",
            help="Field map of the platform generic, as JSON (docs/integrations).",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Make a source and print the path that the platform posts to, alone on stdout.

    The secret is the one that the platform signs with (coop: its key; of a platform that is asked: the token). Whoever
    has the path alone can do nothing with it, and it is redacted in logs.
    """
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write
    from service.storage.webhooks.sources import add_source

    settings = settings_from(data)
    engine = prepared(settings)
    number = tenant_id(engine, tenant)
    if no_secret == (secret_file is not None):
        raise typer.BadParameter(
            "name the secret with --secret-file FILE (or -), or say --no-secret where the platform has none"
        )
    secret = None if secret_file is None else read_secret(secret_file)
    fields = None if mapping is None else _json_file(mapping)
    try:
        with write(engine) as connection:
            source = add_source(
                connection,
                SecretBox(settings),
                number,
                platform,
                secret=secret,
                url=url,
                mapping=fields,
                now_us=now_us(),
            )
    except Refused as error:
        raise UsageError(str(error)) from None
    if secret is None:
        say(
            f"WARNING: {platform} posts UNSIGNED: whoever learns the path can invent complaints. Set a secret"
            " there and here: brigadewatch sources rotate"
        )
    if source.polled:
        say(f"{platform} is asked at {url}; nothing has to be posted")
    typer.echo(source.path)


@sources.command("list")
def sources_list(tenant: TenantName, data: Data = None) -> None:
    """The tenant's sources, one JSON object a line; no secrets."""
    from service.api.sources import source_item
    from service.storage.accounts.tenants import tenant_id
    from service.storage.webhooks.sources import list_sources

    engine = prepared(settings_from(data))
    number, after = tenant_id(engine, tenant), ""
    while True:
        with engine.connect() as connection:
            page = list_sources(connection, number, after=after)
        for source in page:
            typer.echo(source_item(source, now_us()).model_dump_json())
        if not page:
            return
        after = page[-1].id


@sources.command("remove")
def sources_remove(source: SourceId, tenant: TenantName, data: Data = None) -> None:
    """End a source; its path answers from now on as if it had never been, and its secret is forgotten."""
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write
    from service.storage.webhooks.sources import remove_source

    engine = prepared(settings_from(data))
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        remove_source(connection, number, source.rpartition("/")[2], now_us=now_us())
    say("removed")


@sources.command("rotate")
def sources_rotate(
    source: SourceId,
    tenant: TenantName,
    secret_file: SecretFile = None,
    overlap: Annotated[
        str, typer.Option("--overlap", help="How long the old secret is taken too; 0s: not at all.")
    ] = "24h",
    data: Data = None,
) -> None:
    """Give a source a new secret; the old one stays valid for a while, so that nothing is lost in between."""
    from service.storage.accounts.secret_box import SecretBox
    from service.storage.accounts.tenants import tenant_id
    from service.storage.sql.engine import write
    from service.storage.webhooks.sources import rotate_secret

    settings = settings_from(data)
    engine = prepared(settings)
    number = tenant_id(engine, tenant)
    if secret_file is None:
        raise typer.BadParameter("name the new secret with --secret-file FILE, or - for standard input")
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
    say("the new secret is valid" + (f", the old one for another {overlap}" if seconds else ""))


def _json_file(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} holds no JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{path} has to hold one JSON object")
    return value
