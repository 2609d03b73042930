"""`/livez`, `/readyz` and `/metrics`, for load balancers and Prometheus: open to all, without users' data."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from threadline_server.telemetry.health import Health
from threadline_server.telemetry.metrics import CONTENT_TYPE, Metrics


def health_routes(health: Health, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/livez", response_class=PlainTextResponse)
    async def livez() -> str:
        """The event loop turns."""
        return "ok"

    @router.get("/readyz", responses={503: {"description": "Not now; the checks say why"}})
    async def readyz() -> JSONResponse:
        """This node should get new devices."""
        readiness = health.readiness()
        status = 200 if readiness.ready else 503
        return JSONResponse({"ready": readiness.ready, "checks": readiness.checks}, status)

    @router.get("/metrics", response_class=Response)
    async def prometheus() -> Response:
        """Everything this node counts, as Prometheus text."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router
