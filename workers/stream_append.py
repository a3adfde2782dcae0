"""Append a batch to a tenant's stream from a job, also the first one of a new tenant."""

from __future__ import annotations

from service.storage.complaints.archive_reader import never_archived
from service.storage.redis_store import stream
from service.storage.redis_store.stream import PositionAbsent, StreamBatch
from workers.resources import Resources


def append(resources: Resources, tenant: str, number: int, batch: StreamBatch, identity: str) -> int:
    """The position of the batch's last item. Raises Overloaded where there is no room, StoreUnavailable."""
    limits = resources.settings.max_stream_items, resources.settings.max_unanalysed_items
    try:
        return stream.append_blocking(resources.redis, tenant, batch, *limits, identity=identity)
    except PositionAbsent:
        with resources.engine.connect() as connection:
            if not never_archived(connection, number):
                raise
        stream.begin_blocking(resources.redis, tenant, resources.now_us(), identity=identity)
        return stream.append_blocking(resources.redis, tenant, batch, *limits, identity=identity)
