"""`/api/v1/demo`: a server that is tried out lets itself be killed, so that one sees devices heal."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from threadline.errors import Forbidden
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller

Kill = Callable[[], None]


class DemoView(BaseModel):
    """`can_kill`: somebody starts this node again when it dies."""

    can_kill: bool


def demo_routes(kill: Kill | None, authenticated: Caller) -> APIRouter:
    """`kill` ends this process soon, without a word to anybody; None where nobody would start it again."""
    router = APIRouter(prefix="/api/v1/demo", include_in_schema=False)
    By = Annotated[Principal, Depends(authenticated)]  # noqa: N806

    @router.get("")
    async def about() -> DemoView:
        return DemoView(can_kill=kill is not None)

    @router.post("/kill", status_code=HTTPStatus.ACCEPTED)
    async def kill_node(_: By) -> None:
        if kill is None:
            raise Forbidden("Only `threadline demo` lets its node be killed.")
        kill()

    return router
