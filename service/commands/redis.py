"""Which Redis belongs to the database: show it, and replace it on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.common import Data, UsageError, address_of_redis, existing, log_to_stderr, say, settings_from

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from workers.resources import Resources

redis = typer.Typer(no_args_is_help=True, help="Show which Redis belongs to the database, or replace it.")

OldRedis = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="URL",
        help="The Redis that is replaced: what still waits there is moved. Nothing may use it any more.",
        show_default=False,
    ),
]
Abandon = Annotated[
    bool,
    typer.Option(
        "--abandon", help="The old Redis is gone, or empty: whatever was accepted there and not archived is lost."
    ),
]


@redis.command()
def status(data: Data = None) -> None:
    """Print the identity that the database and Redis have, who uses Redis, and what waits to be archived."""
    from service.storage.accounts.tenants import list_tenants
    from service.storage.redis_store import redis_identity, redis_keys, stream
    from service.storage.redis_store.client import unavailable_when_it_fails

    resources = _stores(data)
    with resources.engine.connect() as connection:
        known = redis_identity.stored_identity(connection)
        using = [] if known is None else redis_identity.users(connection, known.identity)
    with unavailable_when_it_fails():
        found = redis_identity.identity_in(resources.redis.get(redis_keys.IDENTITY))
        waiting = {name: stream.waiting(resources.redis, name) for name in list_tenants(resources.engine)}
    typer.echo(f"database  {'no Redis yet' if known is None else known.identity}")
    typer.echo(f"Redis     {found or 'no identity: empty, or not used by this version yet'}")
    for user in using:
        typer.echo(f"in use    by {user.name}, {max(0.0, user.silent_seconds):.0f} s ago")
    for name, entries in waiting.items():
        if entries:
            typer.echo(f"waiting   {entries} stream entries of tenant {name}")


@redis.command()
def adopt(old: OldRedis = None, abandon: Abandon = False, data: Data = None) -> None:
    """Make the Redis of REDIS_URL the one of this database, and fill it from the database.

    For a migration: stop every process, point REDIS_URL at the new server, then run this with --from and the old URL.
    Refused while a process has used the old Redis within 30 s. Run it again if it was interrupted.
    """
    from redis import Redis

    from service.storage.accounts.tenants import list_tenants
    from service.storage.redis_store import redis_identity
    from service.storage.redis_store.server_check import require_fit
    from workers.move_stream import move_stream
    from workers.rebuild_redis import rebuild_redis

    if (old is None) != abandon:
        raise UsageError("give --from URL, or --abandon if the old Redis is gone or empty, but not both")
    resources = _stores(data)
    source: Redis | None = None if old is None else Redis.from_url(old, socket_timeout=10, socket_connect_timeout=10)
    if source is not None:
        _check_source(source, resources)
    require_fit(resources.redis)
    identity = redis_identity.adopt(resources.engine, resources.redis)
    say(f"Redis {identity} now belongs to this database")
    for name in list_tenants(resources.engine):
        say(f"rebuilt tenant {name} up to position {rebuild_redis(name, resources)}")
        if source is not None:
            say(f"moved {move_stream(name, source, resources, identity)} waiting items of tenant {name}")


def _check_source(source: Redis, resources: Resources) -> None:
    """Raise unless this is the Redis that the database knows, or knew last."""
    from service.errors import Refused
    from service.storage.redis_store import redis_identity, redis_keys
    from service.storage.redis_store.client import unavailable_when_it_fails

    with unavailable_when_it_fails():
        found = redis_identity.identity_in(source.get(redis_keys.IDENTITY))
        mine = redis_identity.identity_in(resources.redis.get(redis_keys.IDENTITY))
    with resources.engine.connect() as connection:
        known = redis_identity.stored_identity(connection)
    if found is not None and found == mine:
        raise Refused("--from names the Redis of REDIS_URL itself: set REDIS_URL to the new one")
    if known is None or found not in (known.identity, known.previous):
        raise Refused(
            f"the Redis of --from has the identity {found or '(none)'}, which this database does not know: name the one"
            " that it was used with, or give --abandon"
        )


def _stores(data: Path | None) -> Resources:
    """The stores, whether they belong together or not."""
    from workers.resources import open_resources

    settings = settings_from(data)
    log_to_stderr(settings, "cli")
    engine = existing(settings)
    return open_resources(replace(settings, redis_url=address_of_redis(settings)), engine)
