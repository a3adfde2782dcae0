"""The application: all routes, their middleware, and what they share."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.types import ASGIApp

from service.api import (
    audit_log,
    briefs,
    campaigns,
    clusters,
    deliveries,
    openapi,
    pipeline,
    problems,
    reporters,
    restorations,
    sources,
    submissions,
    subscriptions,
    targets,
    webhooks,
)
from service.api.access_log import AccessLog
from service.api.analysis_waiters import AnalysisWaiters
from service.api.api_context import ApiContext, MetricsSink
from service.api.auth import KeyRing
from service.api.batching import StreamWriter
from service.api.deadline import AnsweredInTime
from service.api.headers import SafeHeaders
from service.api.limits import BodyBudget, Rates
from service.api.parse_turns import ParseTurns
from service.api.privacy_filters import PrivacyFilters
from service.api.raw_path import RawPath, decoded_path
from service.api.redis_guard import RedisGuard
from service.console.app import add_console, late_page
from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.probe import Probe
from service.storage.redis_store.client import AsyncRedis, connect
from service.storage.redis_store.redis_identity import user_of
from service.storage.sql.health import trouble_of_database

DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
DESCRIPTION = (
    "Tells coordinated complaining from honest outrage. Post complaints as they arrive, ask before you remove anything,"
    " and decide on the clusters that are flagged. An id in a path is one percent-encoded segment. Every failure is"
    " answered as application/problem+json. docs/api.md explains how the calls work together."
)


def create_app(settings: Settings, *, engine: Engine, redis: AsyncRedis | None = None) -> FastAPI:
    """The application. Opens no connection before the first request; closes the Redis client that it made itself.

    Set `app.state.observe` to count requests (service/api/api_context.py, MetricsSink).
    """
    client = (
        connect(settings.redis_url or DEFAULT_REDIS_URL, settings.redis_timeout_seconds) if redis is None else redis
    )
    api = _context(settings, engine, client)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # What is loaded by now lives as long as the process: a full collection over it would hold up the loop.
        gc.collect()
        gc.freeze()
        async with api.redis_guard.watching():
            yield
            await api.writer.close()
        await api.waiters.close()
        api.database_probe.close()
        if redis is None:
            await client.aclose()
            await client.connection_pool.disconnect()

    app = FastAPIOffline(
        title="brigadewatch",
        version="1",
        description=DESCRIPTION,
        redirect_slashes=False,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.api, app.state.settings, app.state.engine, app.state.redis, app.state.observe = (
        api,
        settings,
        engine,
        client,
        MetricsSink(),
    )
    problems.install(app)
    app.add_middleware(AnsweredInTime, seconds=settings.database_timeout_seconds, late=_late)
    app.add_middleware(SafeHeaders)
    app.add_middleware(AccessLog)
    app.add_middleware(RawPath)  # the last one added is outermost: the access log sees the path that the routes matched
    for router in (targets.router, briefs.router, submissions.router, webhooks.router, pipeline.router):
        app.include_router(router)
    for module in (clusters, campaigns, restorations, reporters, sources, subscriptions, deliveries, audit_log):
        app.include_router(module.router, dependencies=[Depends(decoded_path)])
    add_console(app, api)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _late(request: Request, failure: StoreUnavailable) -> ASGIApp:
    """The answer to a request whose time is over."""
    return late_page(request, failure) if request.url.path.startswith("/console") else problems.answer_to(failure)


def _context(settings: Settings, engine: Engine, client: AsyncRedis) -> ApiContext:
    box = SecretBox(settings)
    guard = RedisGuard(engine, client, user_of(settings))
    return ApiContext(
        settings=settings,
        engine=engine,
        redis=client,
        redis_guard=guard,
        writer=StreamWriter(client, guard.identity, settings.max_stream_items, settings.max_unanalysed_items),
        waiters=AnalysisWaiters(client),
        key_ring=KeyRing(engine),
        rates=Rates(settings.rate_per_tenant, settings.rate_per_key, redis=client),
        bodies=BodyBudget(),
        parse_turns=ParseTurns(),
        box=box,
        privacy_filters=PrivacyFilters(engine, box),
        database_probe=Probe("database", lambda: trouble_of_database(engine)),
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = openapi.document(app)
    return app.openapi_schema
