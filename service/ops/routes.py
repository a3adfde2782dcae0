"""The second port: metrics, and readiness with each dependency's state."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.ops.collector import StoreCollector


def create_ops_app(registry: CollectorRegistry, stores: StoreCollector) -> Starlette:
    """GET /metrics (Prometheus text), GET /readyz with each dependency's state and warnings, GET /healthz."""

    def metrics(_: Request) -> Response:  # not async: Starlette runs it on a thread, since stores are read
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def readyz(_: Request) -> JSONResponse:
        found = stores.readiness()
        ready = all(state == "ok" for state in found.states.values())
        # What only waits for somebody takes no process out of service.
        return JSONResponse(
            {"ready": ready, "dependencies": found.states, "warnings": found.warnings},
            status_code=200 if ready else 503,
        )

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/metrics", metrics), Route("/readyz", readyz), Route("/healthz", healthz)])
