"""Answering with server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import StreamingResponse

MEDIA_TYPE: Final = "text/event-stream"
EVENT_STREAM: Final[dict[str, Any]] = {MEDIA_TYPE: {}}
"""The content of such an answer, for the OpenAPI page."""

_NO_BUFFERING = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(frames: AsyncIterator[bytes], status: HTTPStatus = HTTPStatus.OK) -> StreamingResponse:
    return StreamingResponse(frames, status, media_type=MEDIA_TYPE, headers=_NO_BUFFERING)
