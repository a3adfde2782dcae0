"""The API process: the API on one socket, metrics and detailed readiness on another.

The second has its own thread and event loop, so it answers even while the API is busy.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import redis
import uvicorn
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from sqlalchemy import Engine

from service.api.bounded_protocol import Bounds, within
from service.app import create_app
from service.liveness import say_alive
from service.ops.collector import StoreCollector
from service.ops.observations import Observations
from service.ops.processes import beating
from service.ops.routes import create_ops_app
from service.settings import Settings
from service.storage.redis_store.server_check import log_report, require_fit

ALIVE_EVERY_SECONDS = 5
_OTHER_FILES = 192  # file descriptors for databases, Redis, listeners and short reads


class _Server(uvicorn.Server):
    """Ends streaming responses, which never end on their own, before it waits for the others."""

    def __init__(self, config: uvicorn.Config, *, before_shutdown: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_shutdown = before_shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_shutdown()
        await super().shutdown(sockets)


def serve(settings: Settings, engine: Engine, api_socket: socket.socket, ops_socket: socket.socket) -> None:
    """Serve the API and the metrics until SIGINT or SIGTERM. Raises ValueError without a Redis URL, UnfitServer for a
    Redis that cannot be used; one that does not answer yet is judged by the second port's readiness when it does.
    """
    if not settings.redis_url:
        raise ValueError("settings.redis_url is missing: the API needs a Redis")
    cast(Callable[[], None], disable_created_metrics)()  # a second series beside each counter, which nothing reads
    registry = CollectorRegistry()
    for process_metrics in (ProcessCollector, PlatformCollector, GCCollector):
        process_metrics(registry=registry)
    client: redis.Redis = redis.Redis.from_url(settings.redis_url, socket_timeout=0.5, socket_connect_timeout=0.5)
    with suppress(redis.RedisError):
        log_report(require_fit(client))
    stores = StoreCollector(client, engine)
    registry.register(stores)
    app = create_app(settings, engine=engine)
    app.state.observe = Observations(registry)
    common: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": 5,
        "ws": "none",
    }
    bounds = Bounds(connections=_room_for_connections())
    ops = uvicorn.Server(
        uvicorn.Config(
            create_ops_app(registry, stores), **common, http=within(replace(bounds, connections=100)), lifespan="off"
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(ops.serve(sockets=[ops_socket])), name="ops", daemon=True)
    thread.start()

    async def alive() -> None:
        say_alive(settings.alive_file)

    try:
        with beating(client, "api"):
            config = uvicorn.Config(
                app,
                **common,
                http=within(bounds),
                backlog=2048,
                callback_notify=alive,
                timeout_notify=ALIVE_EVERY_SECONDS,
            )
            _Server(config, before_shutdown=app.state.live.close).run(sockets=[api_socket])
    finally:
        ops.should_exit = True
        thread.join(5)


def _room_for_connections() -> int:
    """How many connections this process may hold: the limit of open files, less those that it needs itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = Bounds().connections
    wanted = most + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return most if soft == resource.RLIM_INFINITY else max(16, min(most, soft - _OTHER_FILES))
