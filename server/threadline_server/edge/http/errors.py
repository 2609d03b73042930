"""Errors as HTTP: every failure has one envelope, `{"error": {code, message, details, request_id}}`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from threadline.errors import (
    Forbidden,
    LimitExceeded,
    LineageMismatch,
    NotSerializable,
    ProtocolError,
    Refused,
    SessionDeleted,
    SessionError,
    SessionNotFound,
    StoreError,
    ThreadlineError,
    Unauthorized,
)
from threadline_server.edge.attachments import AttachmentNotFound, AttachmentRefused
from threadline_server.edge.http.idempotency import KeyReused
from threadline_server.edge.http.run_request import ContextTooLong
from threadline_server.edge.http.tries import TooManyTries

# The first class that matches decides, so narrower ones stand first.
STATUS: tuple[tuple[type[ThreadlineError], HTTPStatus], ...] = (
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (Refused, HTTPStatus.FORBIDDEN),
    (SessionNotFound, HTTPStatus.NOT_FOUND),
    (AttachmentNotFound, HTTPStatus.NOT_FOUND),
    (AttachmentRefused, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (SessionDeleted, HTTPStatus.GONE),
    (ContextTooLong, HTTPStatus.UNPROCESSABLE_ENTITY),
    (KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SessionError, HTTPStatus.CONFLICT),
    (LineageMismatch, HTTPStatus.CONFLICT),
    (NotSerializable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ProtocolError, HTTPStatus.BAD_REQUEST),
    (LimitExceeded, HTTPStatus.TOO_MANY_REQUESTS),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
)

_log = structlog.get_logger()


class ErrorBody(BaseModel):
    code: str
    message: str
    details: Any = None
    request_id: str


class ErrorEnvelope(BaseModel):
    """What every response of 400 and above carries."""

    error: ErrorBody


_ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any request may get: it is no JSON, proves nothing, is too large, not as described, one too many, or
the store is away.
"""


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors, for the OpenAPI page."""
    found = sorted({*_ALWAYS, *statuses})
    return {int(status): {"model": ErrorEnvelope, "description": status.phrase} for status in found}


def status_of(error: ThreadlineError) -> HTTPStatus:
    for kind, status in STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ThreadlineError, _threadline_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


def envelope(
    request: Request,
    status: int,
    code: str,
    message: str,
    details: Any = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    body = ErrorBody(code=code, message=message, details=details, request_id=request_id(request))
    return JSONResponse({"error": body.model_dump(mode="json")}, status, headers)


def request_id(request: Request) -> str:
    """The id that the request-id middleware gave to this request."""
    return str(request.scope.get("threadline.request_id", ""))


async def _threadline_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ThreadlineError)
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", code=error.code, error=error.message, request_id=request_id(request))
    return envelope(request, status, error.code, error.message, headers=_headers(error, status))


def _headers(error: ThreadlineError, status: HTTPStatus) -> dict[str, str] | None:
    if isinstance(error, TooManyTries):
        return {"Retry-After": str(error.retry_after_s)}
    return {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = [{"at": list(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
    message = "The request is not as the API describes it; see details."
    return envelope(request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", message, details)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = status.name.lower()
    return envelope(request, status, code, str(error.detail), headers=dict(error.headers or {}))
