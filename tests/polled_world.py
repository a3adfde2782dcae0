"""A tenant that polls one platform, with a clock that the test sets, and what became of what was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from listening import listening
from polled_platforms import BEGIN, Server
from sqlalchemy import Engine, select

from service.model import JsonObject, microseconds
from service.ops.worker_metrics import POLLS, counted
from service.outbound.client import outbound_client
from service.polling.fetch import MAX_BYTES
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks.sources import Source, add_source, list_sources
from workers import ingest, poll
from workers.resources import Resources

TOKENS = {"coral": "secret-token", "lemmy": "secret-token", "ozone": "admin:secret-password"}


class Clocked(Resources):
    """Stores with a clock that the test sets."""

    times: dict[int, datetime] = {}  # noqa: RUF012  (by id: the base class has slots)

    def now_us(self) -> int:
        return microseconds(self.times[id(self)])


@dataclass
class World:
    """A tenant with one source, its platform, and what became of it."""

    server: Server
    resources: Clocked
    number: int
    port: int
    name: str = "paper"
    jitter: float = 0.0

    @property
    def now(self) -> datetime:
        return Clocked.times[id(self.resources)]

    def passes(self, time: timedelta) -> None:
        Clocked.times[id(self.resources)] = self.now + time

    def turn(self, **changes: Any) -> None:
        with outbound_client(self.resources.settings, timeout_seconds=5, max_bytes=MAX_BYTES) as client:
            poll.Turn(self.name, self.number, self.resources, client, jitter=lambda: self.jitter, **changes).take()

    def poll(self, after: timedelta = timedelta(minutes=1)) -> Source:
        """Let time pass, run the job, archive what it sent."""
        self.passes(after)
        self.turn()
        ingest.run(self.name, self.resources)
        return self.source()

    def source(self) -> Source:
        with self.resources.engine.connect() as connection:
            return list_sources(connection, self.number)[0]

    def timer(self) -> datetime | None:
        with self.resources.engine.connect() as connection:
            found = connection.scalar(
                select(schema.timers.c.due_us).where(
                    schema.timers.c.tenant_id == self.number, schema.timers.c.work == "poll"
                )
            )
        return None if found is None else BEGIN + timedelta(microseconds=int(found) - microseconds(BEGIN))

    def complaints(self) -> dict[str, JsonObject]:
        return self.contents(schema.complaints)

    def outcomes(self) -> dict[str, JsonObject]:
        return self.contents(schema.outcomes)

    def contents(self, table: Any) -> dict[str, JsonObject]:
        with self.resources.engine.connect() as connection:
            rows = connection.execute(
                select(table.c.id, table.c.content).where(table.c.tenant_id == self.number).order_by(table.c.row_key)
            ).all()
        return {row.id: json.loads(row.content) for row in rows}

    def states(self) -> dict[str, int]:
        with self.resources.engine.connect() as connection:
            return {
                row.id: row.state
                for row in connection.execute(select(schema.complaints.c.id, schema.complaints.c.state))
            }

    def position(self) -> int:
        return int(self.resources.redis.get(redis_keys.position(self.name)) or 0)  # type: ignore[arg-type]

    def polls(self) -> dict[str, int]:
        return {
            "|".join(labels): int(value)
            for labels, value in counted(self.resources.redis.hgetall(redis_keys.tallies("paper")), POLLS).items()
        }  # type: ignore[arg-type]


Make = Callable[..., World]


@contextmanager
def polled_worlds(settings: Settings, engine: Engine, redis: Any) -> Iterator[Make]:
    """A function that makes a world for a server, which listens as long as the block lasts."""
    with ExitStack() as stack:

        def made(server: Any, **changes: Any) -> World:
            port = stack.enter_context(listening(server.app()))
            used = replace(settings, secret_keys=("ab" * 32,), outbound_allow=f"127.0.0.1/32:{port}", **changes)
            return world_of(used, engine, redis, type(server).__name__.lower(), port, server)

        yield made


def world_of(
    settings: Settings, engine: Engine, redis: Any, platform: str, port: int, server: Any = None, token: str = ""
) -> World:
    """A tenant whose one source is polled at this port."""
    resources = Clocked(settings, engine, redis)
    Clocked.times[id(resources)] = BEGIN
    number = create_tenant(engine, "paper", microseconds(BEGIN))
    with write(engine) as connection:
        change_settings(connection, number, actor="test", now_us=microseconds(BEGIN), keep_text=True)
        add_source(
            connection,
            SecretBox(settings),
            number,
            platform,
            secret=token or TOKENS[platform],
            url=f"http://127.0.0.1:{port}/",
            now_us=microseconds(BEGIN),
        )
    return World(server, resources, number, port)
