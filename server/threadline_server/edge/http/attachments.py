"""`/api/v1/sessions/{session}/attachments`: small files that messages name."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from threadline.actors import Role
from threadline.errors import Forbidden
from threadline.ids import SessionId
from threadline_server.edge.access import Access
from threadline_server.edge.attachments import Attachment, Attachments, served_type
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.sessions import SessionPath

WRITERS = (Role.OWNER, Role.EDITOR)

# It never changes under its id. Nothing in it acts, should a browser be made to show it.
_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}

_FOR_ONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class AttachmentView(BaseModel):
    """What a message has in its `attachments`. `size` is in bytes."""

    id: str
    name: str
    type: str
    size: int


def attachment_routes(attachments: Attachments, access: Access, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.post(
        "/{session}/attachments",
        status_code=HTTPStatus.CREATED,
        responses=documented(
            *_FOR_ONE,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.TOO_MANY_REQUESTS,
        ),
        openapi_extra={
            "requestBody": {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
        },
    )
    async def attach(
        me: Me,
        session: SessionPath,
        request: Request,
        name: Annotated[str, Query(max_length=1000, description="What the file is called.")],
    ) -> AttachmentView:
        """Keep a small file: the body as it is, under its Content-Type. Owners and editors."""
        record, role = await access.look_up(SessionId(session), me)
        if role not in WRITERS:
            raise Forbidden("Only owners and editors attach files.")
        kind = request.headers.get("content-type", "")
        made = await attachments.add(record.id, name=name, type=kind, data=await request.body())
        return AttachmentView(id=made.id, name=made.name, type=made.type, size=made.size)

    @router.get(
        "/{session}/attachments/{attachment}",
        response_class=Response,
        responses=documented(*_FOR_ONE),
    )
    async def attached(
        me: Me, session: SessionPath, attachment: Annotated[str, Path(max_length=64)]
    ) -> Response:
        """The file, always as a download: what browsers might run is served as plain bytes."""
        record, _ = await access.look_up(SessionId(session), me)
        found, data = await attachments.get(record.id, attachment)
        headers = {**_HEADERS, "Content-Disposition": _disposition(found)}
        return Response(data, media_type=served_type(found), headers=headers)

    return router


def _disposition(attachment: Attachment) -> str:
    """RFC 6266: the name in ASCII for old clients and in UTF-8 for all others."""
    plain = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in attachment.name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(attachment.name, safe='')}"
