"""Move what waits in one Redis to the stream of another: the end of a migration.

The old position counter goes first, so that nothing is appended behind the move. Each entry is in the new stream before
it is deleted from the old one: a kill in between moves it twice, which ids make harmless.
"""

from __future__ import annotations

from pydantic_core import from_json
from redis import Redis
from redis.exceptions import RedisError

from service.errors import StoreUnavailable
from service.intake.documents import Marker, mark_of
from service.model import JsonObject
from service.storage.accounts.tenants import tenant_id
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.room import NO_LIMIT
from service.storage.redis_store.stream import StreamBatch, StreamEntry
from service.storage.redis_store.unseen import marker
from workers.resources import Resources
from workers.tenant_filter import open_filter_or_warn

ENTRIES_AT_ONCE = 100


def move_stream(tenant: str, old: Redis, resources: Resources, identity: str) -> int:
    """Move the tenant's entries from `old` to the Redis of `resources`, which has that identity; returns the items.

    Dead letters that were on their way again are left out: the rebuild has made them dead letters. Raises
    StoreUnavailable when either Redis does not answer, or the new one has not been rebuilt.
    """
    own = open_filter_or_warn(tenant, tenant_id(resources.engine, tenant), resources)
    mark = None if own is None else marker(own.key)
    moved = 0
    try:
        old.delete(redis_keys.position(tenant))
        while entries := stream.oldest_entries(old, tenant, ENTRIES_AT_ONCE):
            for entry in entries:
                if entry.first > 0:
                    batch = StreamBatch(entry.n, entry.lines, entry.requests, _marks(entry, mark))
                    stream.append_blocking(resources.redis, tenant, batch, NO_LIMIT, identity=identity)
                    moved += entry.n
                old.xdel(redis_keys.stream(tenant), entry.entry_id)
    except RedisError as error:
        raise StoreUnavailable(
            f"the old Redis does not answer ({type(error).__name__}): run the command again"
        ) from None
    return moved


def _marks(entry: StreamEntry, mark: Marker | None) -> bytes:
    if mark is None:
        return b""
    bodies: list[JsonObject] = [from_json(line[1:]) for line in entry.lines.split(b"\n") if line.startswith(b"c")]
    return b"".join(
        mark_of(
            mark,
            body["target"]["id"],
            body["reporter"]["id"],
            trusted=body["reporter"].get("trusted") is True,
            notice_type=body.get("notice_type"),
        )
        for body in bodies
        if body.get("machine") is not True
    )
