"""A tenant with a stream, as the accepting side leaves it: for tests of the workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func, select

from service.settings import Settings
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_reader import IngestState, ingest_state_of
from service.storage.redis_store import redis_keys, stream
from service.storage.sql.schema import complaints
from workers.resources import Resources


class Paper:
    """One tenant, and what its batches become."""

    def __init__(self, clients: Any, engine: Engine, settings: Settings, name: str = "paper") -> None:
        self.clients, self.redis, self.engine, self.name = clients, clients.blocking, engine, name
        self.id = create_tenant(engine, name, 0)
        self.resources = Resources(settings, engine, self.redis)
        self.redis.set(redis_keys.position(name), 0)

    def accepts(self, *lines: bytes) -> int:
        """Append one batch; the position of its last item."""
        (position,) = self.clients.run(
            stream.append(
                self.clients.asyncio, self.name, [stream.StreamBatch(len(lines), b"\n".join(lines))], 1_000_000
            )
        )
        assert position is not None
        return int(position)

    def state(self) -> IngestState:
        with self.engine.connect() as connection:
            return ingest_state_of(connection, self.id)

    def archived_ids(self) -> Sequence[str]:
        with self.engine.connect() as connection:
            return connection.scalars(
                select(complaints.c.id).where(complaints.c.tenant_id == self.id).order_by(complaints.c.row_key)
            ).all()

    def waiting(self) -> int:
        return stream.waiting(self.redis, self.name)

    def progress(self, name: str) -> int:
        return int(self.redis.hget(redis_keys.progress(self.name), name) or -1)

    def count(self, table: Any) -> int:
        with self.engine.connect() as connection:
            return int(
                connection.execute(
                    select(func.count()).select_from(table).where(table.c.tenant_id == self.id)
                ).scalar_one()
            )
