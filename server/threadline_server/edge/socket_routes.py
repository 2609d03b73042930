"""`/sync` and `/sync/SESSION`: the WebSocket routes, up to where the transport is taken over.

A refusal is a close code, not an HTTP status: browsers do not show the status to the page, and stock clients
decide by the code whether they come back. Only a foreign web origin is turned away before it is accepted.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import QueryParams
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from threadline.protocol import close_codes
from threadline.protocol.close_codes import CloseCode
from threadline.protocol.credentials import ATTRIBUTES, Credentials, from_pairs, parse_credentials
from threadline.protocol.errors import Oversized
from threadline_server.edge.connection import Connection, Dismissed
from threadline_server.edge.entrance import Entrance
from threadline_server.edge.hocuspocus_socket import HocuspocusSocket
from threadline_server.edge.http.rate_limit import is_of_this_machine
from threadline_server.edge.origins import Origins
from threadline_server.edge.refusal import refusal_of
from threadline_server.edge.websocket_protocol import HANDOVER, Builder
from threadline_server.edge.ywebsocket_channel import YWebSocketChannel

Take = Callable[[Builder[Connection]], Connection | None]


def socket_routes(entrance: Callable[[], Entrance], origins: Origins) -> list[WebSocketRoute]:
    """`entrance` is asked at each handshake, since it exists only while the node runs."""

    async def hocuspocus(websocket: WebSocket) -> None:
        if not await _turned_away(websocket, origins):
            await _enter_hocuspocus(websocket, entrance())

    async def ywebsocket(websocket: WebSocket) -> None:
        if not await _turned_away(websocket, origins):
            await _enter_ywebsocket(websocket, entrance())

    return [WebSocketRoute("/sync", hocuspocus), WebSocketRoute("/sync/{document:path}", ywebsocket)]


async def _turned_away(websocket: WebSocket, origins: Origins) -> bool:
    headers = websocket.headers
    if origins.allows(headers.get("origin"), headers.get("host")):
        return False
    await websocket.close()
    return True


async def _enter_hocuspocus(websocket: WebSocket, entrance: Entrance) -> None:
    if entrance.connections.full:
        await _refuse(websocket, entrance, close_codes.OVERLOADED)
        return
    address = await _counted_address(websocket, entrance)
    if address is None:
        return
    connection = await _take_over(websocket, entrance)
    if connection is None:
        entrance.addresses.leave(address)
        return
    token = websocket.query_params.get("token", "")
    connection.serve(HocuspocusSocket(connection, entrance, token, address))


async def _enter_ywebsocket(websocket: WebSocket, entrance: Entrance) -> None:
    if entrance.connections.full:
        await _refuse(websocket, entrance, close_codes.OVERLOADED)
        return
    try:
        credentials = _query_credentials(websocket.query_params, entrance.limits.max_token_bytes)
        document = websocket.path_params["document"]
        admitted, room = await entrance.admission.admit(document, credentials, in_url=True)
    except Exception as error:  # noqa: BLE001 - answered with a code, and logged when unforeseen
        await _refuse(websocket, entrance, *refusal_of(error))
        return
    address = await _counted_address(websocket, entrance)
    if address is None:
        return
    connection = await _take_over(websocket, entrance)
    if connection is None:
        entrance.addresses.leave(address)
        return
    channel = YWebSocketChannel(connection, entrance, address)
    try:
        channel.enter(room, admitted, entrance.users)
    except Dismissed as dismissed:
        entrance.addresses.leave(address)
        connection.fail(dismissed)
    else:
        connection.serve(channel)


async def _counted_address(websocket: WebSocket, entrance: Entrance) -> str | None:
    """Where the client is, counted; None when it was turned away. This machine is not counted."""
    address = websocket.client.host if websocket.client else ""
    if is_of_this_machine(address):
        return ""
    try:
        entrance.addresses.enter(address)
    except Dismissed as dismissed:
        await _refuse(websocket, entrance, dismissed.close, dismissed.detail)
        return None
    return address


def _query_credentials(query: QueryParams, max_token_bytes: int) -> Credentials:
    """The token may carry attributes itself; parameters of the same names win."""
    token = query.get("token", "")
    if len(token) > max_token_bytes:
        raise Oversized("the token", len(token), max_token_bytes)
    inside = parse_credentials(token)
    named = from_pairs("", ((name, query[name]) for name in ATTRIBUTES if name in query))
    return Credentials(inside.token, named.device or inside.device, named.lineage or inside.lineage)


async def _take_over(websocket: WebSocket, entrance: Entrance) -> Connection | None:
    """Accept and get the bare connection; None when the client has gone meanwhile."""
    await websocket.accept()
    take: Take = websocket.scope["extensions"][HANDOVER]["take"]
    return take(lambda transport, peers: Connection(transport, entrance.connections, peers))


async def _refuse(websocket: WebSocket, entrance: Entrance, close: CloseCode, detail: str = "") -> None:
    connection = await _take_over(websocket, entrance)
    if connection is not None:
        connection.close_with(close, detail)
