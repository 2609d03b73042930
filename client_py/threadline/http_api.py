"""The server's HTTP API as calls: `/api/v1`, errors as exceptions, server-sent events as an iterator."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx

from threadline.errors import SessionError, ThreadlineError
from threadline.token import Token

PREFIX = "/api/v1"
TIMEOUT_S = 30.0

Params = Mapping[str, Any]


class HttpApi:
    """One pool of connections to one server; open it with `async with`."""

    def __init__(self, url: str, token: Token) -> None:
        self._token = token
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S)

    async def close(self) -> None:
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON, None for an empty one. Raises the ThreadlineError that the envelope names."""
        response = await self._send(method, path, params, json=body, headers=headers)
        return response.json() if response.content else None

    async def text(self, path: str, *, params: Params | None = None) -> str:
        """The answer as text. Raises as `call`."""
        return (await self._send("GET", path, params)).text

    async def upload(self, path: str, data: bytes, content_type: str, *, params: Params) -> Any:
        """POST `data` as it is; the answer's JSON. Raises as `call`."""
        headers = {"Content-Type": content_type}
        return (await self._send("POST", path, params, content=data, headers=headers)).json()

    async def download(self, path: str) -> bytes:
        """The answer's bytes. Raises as `call`."""
        return (await self._send("GET", path)).content

    async def events(self, path: str, *, after: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """Objects of a stream of server-sent events, after the one with the id `after`. Raises as `call`."""
        headers = self._headers() | {"Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = after
        request = self._http.build_request("GET", PREFIX + path, headers=headers, timeout=None)
        response = await self._http.send(request, stream=True)
        try:
            if response.is_error:
                await response.aread()
                raise error_from(response)
            async for event in _parse_events(response.aiter_lines()):
                yield event
        finally:
            await response.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        sent = self._headers() | dict(headers or {})
        try:
            response = await self._http.request(
                method, PREFIX + path, json=json, content=content, params=given, headers=sent
            )
        except httpx.TransportError as error:
            raise Unreachable(f"The server cannot be reached: {error}") from error
        if response.is_error:
            raise error_from(response)
        return response

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.value}"} if self._token.value else {}


class Unreachable(ThreadlineError):
    """There is no connection to the server; try again later."""

    code = "unreachable"


def error_from(response: httpx.Response) -> ThreadlineError:
    """The exception of an error envelope, by its code; a SessionError with that code where none has it."""
    try:
        body = response.json()["error"]
        code, message = str(body["code"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        return SessionError(f"The server answered with HTTP status {response.status_code}.")
    session_id = _session_in(response.request.url.path)
    for kind in _kinds(ThreadlineError):
        if kind.code == code and kind.__init__ is ThreadlineError.__init__:
            return kind(message)
        if kind.code == code and issubclass(kind, SessionError):
            return kind(message, session_id=session_id)
    return SessionError(message, session_id=session_id, code=code)


def _kinds(root: type[ThreadlineError]) -> Iterator[type[ThreadlineError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _session_in(path: str) -> str | None:
    parts = path.split("/")
    return parts[4] if len(parts) > 4 and parts[3] == "sessions" else None


async def _parse_events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The JSON data of each event; comments and other fields are left aside."""
    data: list[str] = []
    async for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield json.loads("\n".join(data))
            data.clear()
